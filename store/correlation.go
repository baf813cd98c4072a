package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// matchHead and matchTail stand around the name of a table with the columns id and correlation_keys. Of the keys of a
// row the first one counts that finds any identity; matches says how many it finds.
const (
	matchHead = `
		    SELECT DISTINCT ON (k.id) k.id, k.identity_id, k.matches
		    FROM (SELECT c.id, k.rank, min(ik.identity_id::text)::uuid AS identity_id, count(*) AS matches
		          FROM `
	matchTail = ` c
		          CROSS JOIN LATERAL unnest(c.correlation_keys) WITH ORDINALITY k (key, rank)
		          JOIN muster.identity_keys ik ON ik.key = k.key
		          GROUP BY c.id, k.rank) k
		    ORDER BY k.id, k.rank`
)

// CorrelationInput is what the keys of an account are made from.
type CorrelationInput struct {
	AccountID      ID
	NativeIdentity string
	Name           string
	Attributes     []byte
}

// UncorrelatedAccounts returns a page of the uncorrelated accounts of a source, by ID, after a given one.
func (s *Store) UncorrelatedAccounts(ctx context.Context, q Querier, source, after ID, limit int) ([]CorrelationInput,
	error,
) {
	const statement = `
		SELECT id, native_identity, name, attributes
		FROM muster.accounts
		WHERE source_id = $1 AND identity_id IS NULL AND ($2::uuid IS NULL OR id > $2)
		ORDER BY id
		LIMIT $3`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[CorrelationInput], source, after, limit)
}

// SetCorrelationKeys replaces the keys of accounts; each element of keys is a JSON list of texts.
func (s *Store) SetCorrelationKeys(ctx context.Context, tx pgx.Tx, accounts []ID, keys []string) error {
	const statement = `
		UPDATE muster.accounts a
		SET correlation_keys = v.keys
		FROM (SELECT u.id, ARRAY(SELECT jsonb_array_elements_text(u.keys::jsonb)) AS keys
		      FROM unnest($1::uuid[], $2::text[]) u (id, keys)) v
		WHERE a.id = v.id AND a.correlation_keys IS DISTINCT FROM v.keys`
	_, err := tx.Exec(ctx, s.sql(statement), accounts, keys)
	return mapError(err)
}

// CorrelateSource takes the correlation lock alone, and locks the uncorrelated accounts of a source FOR UPDATE and the
// identities that their keys find FOR KEY SHARE, until the transaction ends. It gives the accounts to the identities,
// requests their processing, and returns how many accounts it correlated.
//
// A transaction that added accounts calls it last, since it waits for all transactions that change identities now.
func (s *Store) CorrelateSource(ctx context.Context, tx pgx.Tx, source ID, cause Cause) (int, error) {
	if err := s.advisoryLock(ctx, tx, "pg_advisory_xact_lock", correlationLock, s.schema); err != nil {
		return 0, err
	}
	const candidates = `
		        SELECT id FROM muster.accounts
		        WHERE source_id = ` + anySource + ` AND identity_id IS NULL AND correlation_keys <> '{}'`
	return s.correlate(ctx, tx, candidates, "", source, cause)
}

// CorrelateKeys locks the uncorrelated accounts that have one of the keys FOR UPDATE, but for those that another
// transaction has locked, and the identities that their keys find FOR KEY SHARE, until the transaction ends. It gives
// the accounts to the identities, requests their processing, and returns how many accounts it correlated.
func (s *Store) CorrelateKeys(ctx context.Context, tx pgx.Tx, keys []string, cause Cause) (int, error) {
	if len(keys) == 0 {
		return 0, nil
	}
	const candidates = `SELECT id FROM muster.accounts WHERE identity_id IS NULL AND correlation_keys && $1::text[]`
	// An account that an aggregation has locked is left to it: it correlates again before it commits.
	return s.correlate(ctx, tx, candidates, "SKIP LOCKED", keys, cause)
}

func (s *Store) correlate(ctx context.Context, tx pgx.Tx, candidates, wait string, argument any, cause Cause) (int,
	error,
) {
	statement := fmt.Sprintf(`
		WITH candidates AS MATERIALIZED (
		    SELECT a.id, a.correlation_keys
		    FROM muster.accounts a
		    WHERE a.id IN (%s)
		    ORDER BY a.id
		    FOR UPDATE %s
		), matched AS (`+matchHead+`candidates`+matchTail+`
		), held AS MATERIALIZED (
		    SELECT i.id
		    FROM muster.identities i
		    WHERE i.id IN (SELECT identity_id FROM matched WHERE matches = 1)
		    ORDER BY i.id
		    FOR KEY SHARE -- nobody deletes it meanwhile; one that was just deleted is left out
		), pairs AS MATERIALIZED (
		    SELECT m.id, held.id AS owner_id
		    FROM (SELECT id, identity_id FROM matched WHERE matches = 1) m
		    FULL JOIN held ON held.id = m.identity_id
		    WHERE coalesce(held.id IS NOT NULL, false)
		), correlated AS (
		    UPDATE muster.accounts a
		    SET identity_id = p.owner_id, modified = $2
		    FROM pairs p
		    WHERE a.id = p.id
		    RETURNING a.identity_id
		), requests AS (
		    INSERT INTO muster.refresh_requests (identity_id, task_id, reason, requested_at)
		    SELECT DISTINCT identity_id, $3::uuid, 'account correlated', $2::timestamptz FROM correlated
		)
		SELECT count(*) FROM correlated`, candidates, wait)
	var count int
	err := tx.QueryRow(ctx, s.dynamic(statement), argument, cause.At, cause.Task).Scan(&count)
	return count, mapError(err)
}

// AdoptUncorrelated locks those of the accounts that are uncorrelated and whose keys find nobody, by ID and FOR UPDATE,
// until the transaction ends. It makes an identity of the profile from each, and returns how many. Their events belong
// to a write that has some events already; [Store.AddEventWrite] adds it.
func (s *Store) AdoptUncorrelated(ctx context.Context, tx pgx.Tx, source, profile ID, accounts []CorrelationInput,
	write ID, events int, cause Cause,
) (int, error) {
	const statement = `
		WITH orphans AS MATERIALIZED (
		    SELECT a.id, a.native_identity, a.name, v.name_key, v.identity_id
		    FROM unnest($3::uuid[], $4::text[], $5::uuid[]) v (account_id, name_key, identity_id)
		    JOIN muster.accounts a ON a.id = v.account_id AND a.identity_id IS NULL
		    WHERE NOT EXISTS (SELECT FROM muster.identity_keys ik WHERE ik.key = ANY (a.correlation_keys))
		    ORDER BY a.id
		    FOR UPDATE OF a
		), identities AS (
		    INSERT INTO muster.identities
		           (id, name, name_key, alias, alias_key, correlated, profile_id, attributes, created, modified)
		    SELECT identity_id, name, name_key, name, name_key, true, $2, '{}', $6, $6
		    FROM orphans
		), origins AS (
		    INSERT INTO muster.identity_keys (key, identity_id)
		    SELECT '@' || replace($1::uuid::text, '-', '') || '=' || native_identity, identity_id FROM orphans
		), adopted AS (
		    UPDATE muster.accounts a SET identity_id = o.identity_id, modified = $6 FROM orphans o WHERE a.id = o.id
		), requests AS (
		    INSERT INTO muster.refresh_requests (identity_id, task_id, reason, requested_at)
		    SELECT identity_id, $7::uuid, 'account added', $6::timestamptz FROM orphans
		), events AS (
		    INSERT INTO muster.identity_events (write_id, number, identity_id, types, detail)
		    SELECT $8, row_number() OVER (ORDER BY identity_id) + $9::integer, identity_id, '{IDENTITY_CREATED}',
		           jsonb_build_object('created', jsonb_build_object('accountId', replace(id::text, '-', ''),
		                                                            'sourceId', replace($1::uuid::text, '-', '')))
		    FROM orphans
		)
		SELECT count(*) FROM orphans`
	ids, identities, keys := make([]ID, len(accounts)), make([]ID, len(accounts)), make([]string, len(accounts))
	for i, a := range accounts {
		ids[i], identities[i], keys[i] = a.AccountID, NewID(), FoldKey(a.Name)
	}
	var count int
	err := tx.QueryRow(ctx, s.sql(statement), source, profile, ids, keys, identities, cause.At, cause.Task, write,
		events).Scan(&count)
	return count, mapError(err)
}
