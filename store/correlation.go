package store

import (
	"context"

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

// uncorrelated is the condition that an account, which is found by its ID, has no identity. The planner must not see
// the condition of the index of all uncorrelated accounts in it, which it would read where it expects few of them.
const uncorrelated = `coalesce(identity_id IS NULL, false)`

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
		WHERE a.id = v.id AND a.correlation_keys IS DISTINCT FROM v.keys
		RETURNING a.id`
	written, err := collect(ctx, tx, s.sql(statement), pgx.RowTo[ID], accounts, keys)
	if err != nil {
		return err
	}
	return s.writeKeys(ctx, tx, written)
}

// CorrelateSource takes the correlation lock alone. It locks the uncorrelated accounts of a source whose keys find one
// identity, by ID and FOR UPDATE, and these identities, by ID and FOR KEY SHARE, until the transaction ends. It gives
// the accounts to the identities, requests their processing, and returns how many accounts it correlated.
//
// A transaction that added accounts calls it last, since it waits for all transactions that change identities now.
func (s *Store) CorrelateSource(ctx context.Context, tx pgx.Tx, source ID, cause Cause) (int, error) {
	if err := s.LockCorrelation(ctx, tx); err != nil {
		return 0, err
	}
	// Nobody changes the keys of identities now, so only accounts that find somebody need be locked.
	const candidates = `
		SELECT m.id
		FROM (` + matchHead + `(SELECT id, correlation_keys FROM muster.accounts
		           WHERE source_id = ` + anySource + ` AND identity_id IS NULL AND correlation_keys <> '{}')` +
		matchTail + `) m
		WHERE m.matches = 1`
	accounts, err := collect(ctx, tx, s.sql(candidates), pgx.RowTo[ID], source)
	if err != nil || len(accounts) == 0 {
		return 0, err
	}
	var batch pgx.Batch
	batch.Queue(s.sql(lockTheseAccounts), accounts)
	return s.correlate(ctx, tx, &batch, accounts, cause)
}

// CorrelateKeys locks the uncorrelated accounts that have one of the keys, by ID and FOR UPDATE, but for those that
// another transaction has locked, and the identities that their keys find, by ID and FOR KEY SHARE, until the
// transaction ends. It gives the accounts to the identities, requests their processing, and returns how many accounts
// it correlated.
func (s *Store) CorrelateKeys(ctx context.Context, tx pgx.Tx, keys []string, cause Cause) (int, error) {
	if len(keys) == 0 {
		return 0, nil
	}
	// An account that an aggregation has locked is left to it: it correlates again before it commits.
	const lock = `
		SELECT id
		FROM muster.accounts
		WHERE id = ANY (ARRAY (SELECT account_id FROM muster.account_keys WHERE key = ANY ($1::text[])))
		  AND ` + uncorrelated + `
		ORDER BY id
		FOR UPDATE SKIP LOCKED`
	accounts, err := collect(ctx, tx, s.sql(lock), pgx.RowTo[ID], keys)
	if err != nil || len(accounts) == 0 {
		return 0, err
	}
	return s.correlate(ctx, tx, &pgx.Batch{}, accounts, cause)
}

// correlateHead are the common tables of a statement that correlates those of the accounts $1 that are uncorrelated:
// pairs has the accounts whose keys find one identity, and who that is.
const correlateHead = `
		WITH matched AS MATERIALIZED (` + matchHead + `(SELECT id, correlation_keys FROM muster.accounts
		           WHERE id = ANY ($1) AND ` + uncorrelated + `)` + matchTail + `
		), pairs AS MATERIALIZED (
		    SELECT m.id, i.id AS owner_id
		    FROM matched m, LATERAL (SELECT id FROM muster.identities WHERE id = m.identity_id OFFSET 0) i
		    WHERE m.matches = 1
		)`

// correlate correlates accounts that are locked, or that the statements of the batch lock.
func (s *Store) correlate(ctx context.Context, tx pgx.Tx, batch *pgx.Batch, accounts []ID, cause Cause) (int, error) {
	const (
		// Nobody deletes them meanwhile; one that was just deleted is left out.
		lock = `
		SELECT id
		FROM muster.identities
		WHERE id = ANY (ARRAY (
		    SELECT m.identity_id
		    FROM (` + matchHead + `(SELECT id, correlation_keys FROM muster.accounts
		           WHERE id = ANY ($1) AND ` + uncorrelated + `)` + matchTail + `) m
		    WHERE m.matches = 1))
		ORDER BY id
		FOR KEY SHARE`
		statement = correlateHead + `, correlated AS (
		    UPDATE muster.accounts a SET identity_id = p.owner_id, modified = $2 FROM pairs p WHERE a.id = p.id
		), unkeyed AS (
		    DELETE FROM muster.account_keys WHERE account_id = ANY (ARRAY (SELECT id FROM pairs))
		), requests AS (
		    INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		    SELECT $4::uuid, row_number() OVER (), owner_id, $3::uuid, 'account correlated', $2::timestamptz
		    FROM (SELECT DISTINCT owner_id FROM pairs) owners
		)
		SELECT count(*) FROM pairs`
	)
	batch.Queue(s.sql(lock), accounts)
	var count int
	batch.Queue(s.sql(statement), accounts, cause.At, cause.Task, NewID()).QueryRow(func(row pgx.Row) error {
		return row.Scan(&count)
	})
	err := tx.SendBatch(ctx, batch).Close()
	return count, mapError(err)
}

// HoldSharing keeps those of the new accounts in the stage of an authoritative source from becoming identities that
// find nobody, and have a correlation key that an earlier row of the stage has too. It comes before [Store.InsertNew],
// and returns those.
func (s *Store) HoldSharing(ctx context.Context, tx pgx.Tx, staged *Staged) ([]ID, error) {
	const statement = `
		UPDATE muster.aggregation_stage g SET identity_id = NULL
		WHERE g.run_id = $2
		  AND g.place = ANY (ARRAY (
		      SELECT r.place
		      FROM (SELECT k.key, min(x.place) AS first
		            FROM muster.aggregation_stage x, unnest(x.correlation_keys) k (key)
		            WHERE x.run_id = $2
		            GROUP BY k.key
		            HAVING count(*) > 1) f
		      FULL JOIN (SELECT x.place, k.key
		                 FROM muster.aggregation_stage x, unnest(x.correlation_keys) k (key)
		                 WHERE x.run_id = $2) r ON r.key = f.key
		      WHERE coalesce(r.place > f.first, false)))
		  AND (SELECT a.id FROM muster.accounts a
		       WHERE a.source_id = $1 AND a.native_identity = g.native_identity) IS NULL
		  AND NOT EXISTS (SELECT 1 FROM muster.identity_keys ik WHERE ik.key = ANY (g.correlation_keys))
		RETURNING g.account_id`
	return collect(ctx, tx, s.sql(statement), pgx.RowTo[ID], staged.Source, staged.Run)
}

// SharingAccounts returns the uncorrelated accounts of a source, by ID, that have a correlation key which an earlier
// uncorrelated account of the source has too.
func (s *Store) SharingAccounts(ctx context.Context, q Querier, source ID) ([]ID, error) {
	const statement = `
		SELECT DISTINCT a.id
		FROM muster.accounts a
		JOIN muster.account_keys k ON k.account_id = a.id
		JOIN muster.account_keys e ON e.key = k.key AND e.account_id < k.account_id
		JOIN muster.accounts b ON b.id = e.account_id AND b.source_id = a.source_id
		WHERE a.source_id = $1 AND a.identity_id IS NULL
		ORDER BY a.id`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID], source)
}

// AdoptUncorrelated locks those of the accounts that are uncorrelated, by ID and FOR UPDATE, until the transaction
// ends. It makes an identity of the profile from each whose keys find nobody, and returns how many. Their events belong
// to a write that has some events already; [Store.AddEventWrite] adds it.
func (s *Store) AdoptUncorrelated(ctx context.Context, tx pgx.Tx, source, profile ID, accounts []CorrelationInput,
	write ID, events int, cause Cause,
) (int, error) {
	const statement = `
		WITH orphans AS MATERIALIZED (
		    SELECT a.id, a.native_identity, a.name, v.name_key, v.identity_id
		    FROM unnest($3::uuid[], $4::text[], $5::uuid[]) v (account_id, name_key, identity_id)
		    JOIN muster.accounts a ON a.id = v.account_id AND a.identity_id IS NULL
		    WHERE NOT EXISTS (SELECT 1 FROM muster.identity_keys ik WHERE ik.key = ANY (a.correlation_keys))
		    ORDER BY a.id
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
		), unkeyed AS (
		    DELETE FROM muster.account_keys WHERE account_id = ANY (ARRAY (SELECT id FROM orphans))
		), requests AS (
		    INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		    SELECT $10::uuid, row_number() OVER (), identity_id, $7::uuid, 'account added', $6::timestamptz FROM orphans
		), events AS (
		    INSERT INTO muster.identity_events (write_id, number, identity_id, types, detail)
		    SELECT $8::uuid, row_number() OVER (ORDER BY identity_id) + $9::integer, identity_id, '{IDENTITY_CREATED}',
		           jsonb_build_object('created', jsonb_build_object('accountId', replace(id::text, '-', ''),
		                                                            'sourceId', replace($1::uuid::text, '-', '')))
		    FROM orphans
		)
		SELECT count(*) FROM orphans`
	ids, identities, keys := make([]ID, len(accounts)), make([]ID, len(accounts)), make([]string, len(accounts))
	for i, a := range accounts {
		ids[i], identities[i], keys[i] = a.AccountID, NewID(), FoldKey(a.Name)
	}
	var batch pgx.Batch
	batch.Queue(s.sql(`
		SELECT id FROM muster.accounts WHERE id = ANY ($1) AND `+uncorrelated+` ORDER BY id FOR UPDATE`), ids)
	var count int
	batch.Queue(s.sql(statement), source, profile, ids, keys, identities, cause.At, cause.Task, write, events,
		NewID()).QueryRow(func(row pgx.Row) error { return row.Scan(&count) })
	err := tx.SendBatch(ctx, &batch).Close()
	return count, mapError(err)
}
