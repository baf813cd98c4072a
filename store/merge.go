package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// The planner must not decide by the number of accounts that it expects of a source. Until the server has analyzed them
// again, it expects hardly any of a new source, and would choose nested loops, which take the square of what may be a
// million. So where both sides of a join have as many rows as the source has accounts, or the stage has rows, it is a
// full join, which cannot be done by nested loops. That holds even where each row of one side is a row of the other.
// Where another kind of join is meant, a condition makes it one, under a coalesce that hides its meaning from the
// planner.

// anySource is the source $1, hidden from the planner, which then takes it to be as large as the others.
const anySource = `(SELECT $1::uuid)`

// SourceAccounts are counts over the accounts of a source.
type SourceAccounts struct {
	Accounts   int
	Correlated int // those that have an identity
	Vanished   int // those that are not in the stage
}

// CountVanished counts the accounts of a source and compares them with its stage. The accounts whose native identities
// are given count as staged. It does what [Store.DemandSeen] does too, for all accounts of the source at once.
func (s *Store) CountVanished(ctx context.Context, tx pgx.Tx, source ID, spared []string) (SourceAccounts, error) {
	const statement = `
		SELECT count(a.native_identity), count(a.identity_id),
		       count(*) FILTER (WHERE g.native_identity IS NULL AND a.native_identity <> ALL ($2)),
		       coalesce(bool_or(g.seen AND g.fingerprint IS DISTINCT FROM a.fingerprint), false)
		FROM (SELECT native_identity, fingerprint, identity_id FROM muster.accounts WHERE source_id = $1) a
		FULL JOIN (SELECT native_identity, fingerprint, true AS seen FROM pg_temp.aggregation_seen
		           UNION ALL SELECT native_identity, NULL, false FROM pg_temp.aggregation_stage) g
		       ON g.native_identity = a.native_identity`
	var n SourceAccounts
	var changed bool
	err := tx.QueryRow(ctx, s.sql(statement), source, nonNil(spared)).Scan(&n.Accounts, &n.Correlated, &n.Vanished,
		&changed)
	if err != nil {
		return n, mapError(err)
	}
	return n, demandSeen(changed)
}

// removeGone stands behind the common table gone, which has the IDs of accounts. It removes them, requests the
// processing of the identities that had them, and counts.
const removeGone = `, removed AS (
		    DELETE FROM muster.accounts a USING gone WHERE a.id = gone.id RETURNING a.identity_id
		), requests AS (
		    INSERT INTO muster.refresh_requests (identity_id, task_id, reason, requested_at)
		    SELECT DISTINCT identity_id, $4::uuid, 'account removed', $3::timestamptz
		    FROM removed WHERE identity_id IS NOT NULL
		)
		SELECT count(*) FROM removed`

// DeleteVanished locks the accounts of a source that are not in the stage, by ID and FOR UPDATE, until the transaction
// ends. It removes them, requests the processing of the identities that had them, and returns how many accounts it
// removed. The accounts whose native identities are given stay.
func (s *Store) DeleteVanished(ctx context.Context, tx pgx.Tx, source ID, spared []string, cause Cause) (int,
	error,
) {
	const statement = `
		WITH gone AS MATERIALIZED (
		    SELECT a.id
		    FROM muster.accounts a
		    WHERE a.source_id = ` + anySource + `
		      AND a.native_identity <> ALL ($2)
		      AND NOT EXISTS (SELECT FROM pg_temp.aggregation_seen g WHERE g.native_identity = a.native_identity)
		      AND NOT EXISTS (SELECT FROM pg_temp.aggregation_stage g WHERE g.native_identity = a.native_identity)
		    ORDER BY a.id
		    FOR UPDATE
		)` + removeGone
	var count int
	err := tx.QueryRow(ctx, s.sql(statement), source, nonNil(spared), cause.At, cause.Task).Scan(&count)
	return count, mapError(err)
}

// DeleteNamed locks the accounts of a source that it says are gone, and that are not in the stage, by ID and FOR
// UPDATE, until the transaction ends. It removes them, requests the processing of the identities that had them, and
// returns how many accounts it removed.
func (s *Store) DeleteNamed(ctx context.Context, tx pgx.Tx, source ID, natives []string, cause Cause) (int, error) {
	const statement = `
		WITH gone AS MATERIALIZED (
		    SELECT a.id FROM muster.accounts a
		    WHERE a.source_id = $1 AND a.native_identity = ANY ($2)
		      AND NOT EXISTS (SELECT FROM pg_temp.aggregation_seen g WHERE g.native_identity = a.native_identity)
		      AND NOT EXISTS (SELECT FROM pg_temp.aggregation_stage g WHERE g.native_identity = a.native_identity)
		    ORDER BY a.id
		    FOR UPDATE
		)` + removeGone
	var count int
	err := tx.QueryRow(ctx, s.sql(statement), source, natives, cause.At, cause.Task).Scan(&count)
	return count, mapError(err)
}

// AccountChanges says what the stage changed among the known accounts of a source.
type AccountChanges struct {
	Changed int
	Moved   int // those of Changed that now belong to another identity
}

// UpdateChanged locks the accounts of a source that differ from the stage, by ID and FOR UPDATE, until the transaction
// ends. It brings them up to the stage, moves those whose changed keys find another identity, and requests the
// processing of the identities concerned. An account that no longer finds an identity stays where it is.
func (s *Store) UpdateChanged(ctx context.Context, tx pgx.Tx, source ID, cause Cause) (AccountChanges, error) {
	const statement = `
		WITH changed AS MATERIALIZED (
		    SELECT a.id, a.identity_id, a.manually_correlated, a.correlation_keys <> g.correlation_keys AS rekeyed,
		           g.name, g.attributes, g.fingerprint, g.correlation_keys
		    FROM muster.accounts a
		    JOIN pg_temp.aggregation_stage g ON g.native_identity = a.native_identity
		    WHERE a.source_id = ` + anySource + ` AND a.fingerprint <> g.fingerprint
		    ORDER BY a.id
		    FOR UPDATE OF a
		), movable AS (
		    SELECT id, correlation_keys FROM changed WHERE rekeyed AND identity_id IS NOT NULL AND NOT
		    manually_correlated
		), found AS (` + matchHead + `movable` + matchTail + `
		), owned AS MATERIALIZED (
		    SELECT c.id, CASE WHEN f.matches = 1 THEN f.identity_id ELSE c.identity_id END AS owner_id, c.identity_id,
		           c.name, c.attributes, c.fingerprint, c.correlation_keys
		    FROM changed c
		    FULL JOIN found f ON f.id = c.id
		), updated AS (
		    UPDATE muster.accounts a
		    SET name = c.name, attributes = c.attributes, fingerprint = c.fingerprint,
		        correlation_keys = c.correlation_keys, modified = $2, identity_id = c.owner_id
		    FROM owned c
		    WHERE a.id = c.id
		    RETURNING a.identity_id AS now_of, c.identity_id AS was_of
		), requests AS (
		    INSERT INTO muster.refresh_requests (identity_id, task_id, reason, requested_at)
		    SELECT identity_id, $3::uuid, 'account changed', $2::timestamptz
		    FROM (SELECT now_of AS identity_id FROM updated UNION SELECT was_of FROM updated) concerned
		    WHERE identity_id IS NOT NULL
		)
		SELECT count(*), count(*) FILTER (WHERE now_of <> was_of) FROM updated`
	var changes AccountChanges
	err := tx.QueryRow(ctx, s.sql(statement), source, cause.At, cause.Task).Scan(&changes.Changed,
		&changes.Moved)
	return changes, mapError(err)
}

// NewAccounts says what became of the accounts that the stage has and the source did not have.
type NewAccounts struct {
	Accounts   int
	Correlated int // those that found their identity
	Identities int // those that became an identity
	Ambiguous  int // those that found several identities, so that none was taken
}

// InsertNew adds the accounts of the stage that the source does not have yet, and requests the processing of the
// identities concerned. The first key of an account that finds any identity decides: where it finds exactly one, the
// account is correlated to it; where it finds several, the account stays uncorrelated. An account whose keys find none
// becomes an identity of the profile on an authoritative source (profile is not zero), and stays uncorrelated
// elsewhere. The events of the new identities are the first ones of a write, which [Store.AddEventWrite] adds.
func (s *Store) InsertNew(ctx context.Context, tx pgx.Tx, source, profile, write ID, cause Cause) (NewAccounts, error) {
	const statement = `
		WITH fresh AS MATERIALIZED (
		    SELECT g.account_id AS id, g.identity_id, g.correlation_keys
		    FROM pg_temp.aggregation_stage g
		    WHERE (SELECT a.id FROM muster.accounts a
		           WHERE a.source_id = $1 AND a.native_identity = g.native_identity) IS NULL
		), first AS MATERIALIZED (
		    SELECT f.id, min(ik.identity_id::text)::uuid AS identity_id, count(*) AS matches
		    FROM fresh f
		    JOIN muster.identity_keys ik ON ik.key = f.correlation_keys[1]
		    GROUP BY f.id
		), further AS MATERIALIZED (
		    SELECT f.id, f.correlation_keys
		    FROM fresh f
		    FULL JOIN first ON first.id = f.id
		    WHERE first.id IS NULL AND coalesce(cardinality(f.correlation_keys) > 1, false)
		), matched AS (
		    SELECT id, identity_id, matches FROM first
		    UNION ALL
		    SELECT id, identity_id, matches FROM (` + matchHead + `further` + matchTail + `
		    ) later
		), placed AS MATERIALIZED (
		    SELECT f.id, f.identity_id, m.matches,
		           CASE WHEN m.matches = 1 THEN m.identity_id
		                WHEN m.matches IS NULL AND $2::uuid IS NOT NULL THEN f.identity_id
		           END AS owner_id
		    FROM fresh f
		    FULL JOIN matched m ON m.id = f.id
		), identities AS (
		    INSERT INTO muster.identities
		           (id, name, name_key, alias, alias_key, correlated, profile_id, attributes, created, modified)
		    SELECT p.identity_id, g.name, g.name_key, g.name, g.name_key, true, $2, '{}', $3, $3
		    FROM placed p
		    JOIN pg_temp.aggregation_stage g ON g.account_id = p.id
		    WHERE p.owner_id = p.identity_id
		    ORDER BY p.identity_id
		), origins AS (
		    INSERT INTO muster.identity_keys (key, identity_id)
		    SELECT '@' || replace($1::uuid::text, '-', '') || '=' || g.native_identity, p.identity_id
		    FROM placed p
		    JOIN pg_temp.aggregation_stage g ON g.account_id = p.id
		    WHERE p.owner_id = p.identity_id
		), accounts AS (
		    INSERT INTO muster.accounts
		           (id, source_id, native_identity, name, identity_id, correlation_keys, attributes, fingerprint,
		           created, modified)
		    SELECT p.id, $1, g.native_identity, g.name, p.owner_id, g.correlation_keys, g.attributes, g.fingerprint, $3,
		           $3
		    FROM placed p
		    JOIN pg_temp.aggregation_stage g ON g.account_id = p.id
		    ORDER BY p.id -- as they will be read: a join leaves them in the order of its hashes
		), requests AS (
		    INSERT INTO muster.refresh_requests (identity_id, task_id, reason, requested_at)
		    SELECT owner_id, $4::uuid, 'account added', $3::timestamptz
		    FROM (SELECT DISTINCT owner_id FROM placed WHERE owner_id IS NOT NULL ORDER BY owner_id) owners
		), events AS (
		    INSERT INTO muster.identity_events (write_id, number, identity_id, types, detail)
		    SELECT $5, row_number() OVER (ORDER BY identity_id), identity_id, '{IDENTITY_CREATED}',
		           jsonb_build_object('created', jsonb_build_object('accountId', replace(id::text, '-', ''),
		                                                            'sourceId', replace($1::uuid::text, '-', '')))
		    FROM placed
		    WHERE owner_id = identity_id
		)
		SELECT count(*), count(*) FILTER (WHERE owner_id IS DISTINCT FROM identity_id AND owner_id IS NOT NULL),
		       count(*) FILTER (WHERE owner_id = identity_id), count(*) FILTER (WHERE matches > 1)
		FROM placed`
	var n NewAccounts
	err := tx.QueryRow(ctx, s.sql(statement), source, profile, cause.At, cause.Task, write).Scan(&n.Accounts,
		&n.Correlated, &n.Identities, &n.Ambiguous)
	return n, mapError(err)
}
