package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// The planner must not decide by the number of accounts that it expects of a source, or of rows that it expects of a
// run in the stage. Until the server has analyzed the accounts again, it expects hardly any of a new source; of a run
// it always expects hardly any, because the stage was empty whenever the server looked. It would choose nested loops,
// which take the square of what may be a million. So where both sides of a join have as many rows as the source has
// accounts, or the stage has rows, it is a full join, which cannot be done by nested loops. That holds even where each
// row of one side is a row of the other. Where another kind of join is meant, a condition makes it one, under a
// coalesce that hides its meaning from the planner.

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
func (s *Store) CountVanished(ctx context.Context, tx pgx.Tx, staged *Staged, spared []string) (SourceAccounts,
	error,
) {
	const statement = `
		SELECT count(a.native_identity), count(a.identity_id),
		       count(*) FILTER (WHERE g.native_identity IS NULL AND a.native_identity <> ALL ($2)),
		       coalesce(bool_or(g.seen AND g.fingerprint IS DISTINCT FROM a.fingerprint), false)
		FROM (SELECT native_identity, fingerprint, identity_id FROM muster.accounts WHERE source_id = $1) a
		FULL JOIN (SELECT u.native_identity, u.fingerprint, true AS seen
		           FROM muster.aggregation_seen b,
		                unnest(b.native_identities, b.fingerprints) u (native_identity, fingerprint)
		           WHERE b.run_id = $3
		           UNION ALL
		           SELECT native_identity, NULL, false FROM muster.aggregation_stage WHERE run_id = $3) g
		       ON g.native_identity = a.native_identity`
	var n SourceAccounts
	var changed bool
	err := tx.QueryRow(ctx, s.sql(statement), staged.Source, nonNil(spared), staged.Run).Scan(&n.Accounts,
		&n.Correlated, &n.Vanished, &changed)
	if err != nil {
		return n, mapError(err)
	}
	return n, demandSeen(changed)
}

// LockVanished locks the accounts of a source that are not in the stage, by ID and FOR UPDATE, until the transaction
// ends, and returns them. The accounts whose native identities are given count as staged.
func (s *Store) LockVanished(ctx context.Context, tx pgx.Tx, staged *Staged, spared []string) ([]ID, error) {
	const lock = `
		SELECT id
		FROM muster.accounts
		WHERE id = ANY (ARRAY (
		    SELECT a.id
		    FROM (SELECT id, native_identity FROM muster.accounts WHERE source_id = $2) a
		    FULL JOIN ` + stagedNatives + ` g ON g.native_identity = a.native_identity
		    WHERE coalesce(a.id IS NOT NULL AND g.native_identity IS NULL AND a.native_identity <> ALL ($3), false)))
		ORDER BY id
		FOR UPDATE`
	return collect(ctx, tx, s.sql(lock), pgx.RowTo[ID], staged.Run, staged.Source, nonNil(spared))
}

// LockNamed is [Store.LockVanished] for those of the native identities that are not in the stage.
func (s *Store) LockNamed(ctx context.Context, tx pgx.Tx, staged *Staged, natives []string) ([]ID, error) {
	const lock = `
		SELECT id
		FROM muster.accounts
		WHERE id = ANY (ARRAY (
		    SELECT (SELECT a.id FROM muster.accounts a
		            WHERE a.source_id = $2 AND a.native_identity = n.native_identity)
		    FROM unnest($3::text[]) n (native_identity)
		    FULL JOIN ` + stagedNatives + ` g ON g.native_identity = n.native_identity
		    WHERE coalesce(n.native_identity IS NOT NULL AND g.native_identity IS NULL, false)))
		ORDER BY id
		FOR UPDATE`
	return collect(ctx, tx, s.sql(lock), pgx.RowTo[ID], staged.Run, staged.Source, natives)
}

// DeleteGone removes accounts, which are locked, and requests the processing of the identities that had them. It
// remembers the accounts that somebody was given something on.
func (s *Store) DeleteGone(ctx context.Context, tx pgx.Tx, gone []ID, cause Cause) error {
	if len(gone) == 0 {
		return nil
	}
	const request = `
		WITH owners AS MATERIALIZED (
		    SELECT DISTINCT identity_id FROM muster.accounts WHERE id = ANY ($1) AND identity_id IS NOT NULL
		)
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		SELECT $4::uuid, row_number() OVER (), identity_id, $3::uuid, 'account removed', $2::timestamptz FROM owners`
	var batch pgx.Batch
	batch.Queue(s.sql(request), gone, cause.At, cause.Task, NewID())
	batch.Queue(s.sql(rememberAccounts), gone, cause.At)
	batch.Queue(s.sql(`DELETE FROM muster.accounts WHERE id = ANY ($1)`), gone)
	return mapError(tx.SendBatch(ctx, &batch).Close())
}

// Respelled returns the lines of the new accounts of the stage whose native identities differ from those of accounts
// that will be removed in letter case alone.
func (s *Store) Respelled(ctx context.Context, tx pgx.Tx, staged *Staged, gone []ID) ([]int64, error) {
	natives, err := collect(ctx, tx, s.sql(`SELECT native_identity FROM muster.accounts WHERE id = ANY ($1)`),
		pgx.RowTo[string], gone)
	if err != nil {
		return nil, err
	}
	folded := make(map[string]bool, len(natives))
	for _, native := range natives {
		folded[FoldKey(native)] = true
	}
	const statement = `
		SELECT g.line, g.native_identity
		FROM muster.aggregation_stage g
		WHERE g.run_id = $2
		  AND (SELECT a.id FROM muster.accounts a
		       WHERE a.source_id = $1 AND a.native_identity = g.native_identity) IS NULL
		ORDER BY g.place`
	rows, err := tx.Query(ctx, s.sql(statement), staged.Source, staged.Run)
	if err != nil {
		return nil, mapError(err)
	}
	var lines []int64
	var line int64
	var native string
	_, err = pgx.ForEachRow(rows, []any{&line, &native}, func() error {
		if folded[FoldKey(native)] {
			lines = append(lines, line)
		}
		return nil
	})
	return lines, mapError(err)
}

// AccountChanges says what the stage changed among the known accounts of a source.
type AccountChanges struct {
	Changed int
	Moved   int // those of Changed that now belong to another identity
	// Accounts are all that may have changed. They are locked.
	Accounts []ID
}

// UpdateChanged locks the accounts of a source that differ from the stage, by ID and FOR UPDATE, until the transaction
// ends. It brings them up to the stage, moves those whose changed keys find another identity, and requests the
// processing of the identities concerned. An account that no longer finds an identity stays where it is.
func (s *Store) UpdateChanged(ctx context.Context, tx pgx.Tx, staged *Staged, cause Cause) (AccountChanges, error) {
	const differing = `
		SELECT a.id, g.place
		FROM muster.aggregation_stage g,
		     LATERAL (SELECT id, fingerprint FROM muster.accounts
		              WHERE source_id = $1 AND native_identity = g.native_identity OFFSET 0) a
		WHERE g.run_id = $2 AND a.fingerprint <> g.fingerprint`
	accounts, places, err := collectPairs[ID, int64](ctx, tx, s.sql(differing), staged.Source, staged.Run)
	if err != nil || len(accounts) == 0 {
		return AccountChanges{}, err
	}
	// An account may have changed until it was locked: then it is compared again. The stage is not looked up row by
	// row: a connection may have the plan for that from when the stage had a few rows, which reads all of it for each.
	const statement = `
		WITH changed AS MATERIALIZED (
		    SELECT a.id, a.identity_id, a.manually_correlated, a.correlation_keys <> g.correlation_keys AS rekeyed,
		           g.name, g.attributes, g.fingerprint, g.correlation_keys, g.stable_identity
		    FROM unnest($3::uuid[], $4::bigint[]) v (id, place)
		    FULL JOIN (SELECT * FROM muster.aggregation_stage WHERE run_id = $5) g ON g.place = v.place
		    CROSS JOIN LATERAL (SELECT id, native_identity, identity_id, manually_correlated, correlation_keys,
		                               fingerprint
		                        FROM muster.accounts WHERE id = v.id OFFSET 0) a
		    WHERE coalesce(a.native_identity = g.native_identity AND a.fingerprint <> g.fingerprint, false)
		), movable AS (
		    SELECT id, correlation_keys FROM changed WHERE rekeyed AND identity_id IS NOT NULL AND NOT
		    manually_correlated
		), found AS MATERIALIZED (` + matchHead + `movable` + matchTail + `
		), owned AS MATERIALIZED (
		    SELECT c.id, CASE WHEN f.matches = 1 THEN f.identity_id ELSE c.identity_id END AS owner_id, c.identity_id,
		           c.rekeyed, c.name, c.attributes, c.fingerprint, c.correlation_keys, c.stable_identity
		    FROM changed c
		    FULL JOIN found f ON f.id = c.id
		), updated AS (
		    UPDATE muster.accounts a
		    SET name = c.name, attributes = c.attributes, fingerprint = c.fingerprint,
		        correlation_keys = c.correlation_keys, modified = $1, identity_id = c.owner_id,
		        stable_identity = c.stable_identity
		    FROM owned c
		    WHERE a.id = c.id
		), requests AS (
		    INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		    SELECT $6::uuid, row_number() OVER (), identity_id, $2::uuid, 'account changed', $1::timestamptz
		    FROM (SELECT owner_id AS identity_id FROM owned UNION SELECT identity_id FROM owned) concerned
		    WHERE identity_id IS NOT NULL
		)
		SELECT count(*), count(*) FILTER (WHERE owner_id <> identity_id),
		       array_agg(id) FILTER (WHERE owner_id IS NULL AND rekeyed)
		FROM owned`
	var batch pgx.Batch
	batch.Queue(s.sql(lockTheseAccounts), accounts)
	changes := AccountChanges{Accounts: accounts}
	var strays []ID // that have other keys now
	batch.Queue(s.sql(statement), cause.At, cause.Task, accounts, places, staged.Run, NewID()).QueryRow(
		func(row pgx.Row) error { return row.Scan(&changes.Changed, &changes.Moved, &strays) })
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return AccountChanges{}, mapError(err)
	}
	return changes, s.writeKeys(ctx, tx, strays)
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
func (s *Store) InsertNew(ctx context.Context, tx pgx.Tx, staged *Staged, profile, write ID, cause Cause) (NewAccounts,
	error,
) {
	const statement = `
		WITH fresh AS MATERIALIZED (
		    SELECT g.account_id AS id, g.place, g.identity_id, g.correlation_keys
		    FROM muster.aggregation_stage g
		    WHERE g.run_id = $5
		      AND (SELECT a.id FROM muster.accounts a
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
		    SELECT f.id, f.place, f.identity_id, m.matches,
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
		    FULL JOIN (SELECT * FROM muster.aggregation_stage WHERE run_id = $5) g ON g.place = p.place
		    WHERE coalesce(p.owner_id = p.identity_id, false)
		    ORDER BY p.identity_id
		), origins AS (
		    INSERT INTO muster.identity_keys (key, identity_id)
		    SELECT '@' || replace($1::uuid::text, '-', '') || '=' || g.native_identity, p.identity_id
		    FROM placed p
		    FULL JOIN (SELECT * FROM muster.aggregation_stage WHERE run_id = $5) g ON g.place = p.place
		    WHERE coalesce(p.owner_id = p.identity_id, false)
		), accounts AS (
		    INSERT INTO muster.accounts
		           (id, source_id, native_identity, name, identity_id, correlation_keys, attributes, fingerprint,
		           created, modified, stable_identity)
		    SELECT p.id, $1, g.native_identity, g.name, p.owner_id, g.correlation_keys, g.attributes, g.fingerprint, $3,
		           $3, g.stable_identity
		    FROM placed p
		    FULL JOIN (SELECT * FROM muster.aggregation_stage WHERE run_id = $5) g ON g.place = p.place
		    WHERE coalesce(p.id IS NOT NULL, false)
		    ORDER BY p.id -- as they will be read: a join leaves them in the order of its hashes
		), keys AS (
		    INSERT INTO muster.account_keys (key, account_id)
		    SELECT DISTINCT k.key, f.id
		    FROM (SELECT id AS placed_id FROM placed WHERE owner_id IS NULL) p
		    FULL JOIN fresh f ON f.id = p.placed_id
		    CROSS JOIN LATERAL unnest(f.correlation_keys) k (key)
		    WHERE coalesce(p.placed_id IS NOT NULL, false)
		), requests AS (
		    INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		    SELECT $6::uuid, row_number() OVER (), owner_id, $4::uuid, 'account added', $3::timestamptz
		    FROM (SELECT DISTINCT owner_id FROM placed WHERE owner_id IS NOT NULL ORDER BY owner_id) owners
		), events AS (
		    INSERT INTO muster.identity_events (write_id, number, identity_id, types, detail)
		    SELECT $7::uuid, row_number() OVER (ORDER BY identity_id), identity_id, '{IDENTITY_CREATED}',
		           jsonb_build_object('created', jsonb_build_object('accountId', replace(id::text, '-', ''),
		                                                            'sourceId', replace($1::uuid::text, '-', '')))
		    FROM placed
		    WHERE owner_id = identity_id
		)
		SELECT count(*), count(*) FILTER (WHERE owner_id IS DISTINCT FROM identity_id AND owner_id IS NOT NULL),
		       count(*) FILTER (WHERE owner_id = identity_id), count(*) FILTER (WHERE matches > 1)
		FROM placed`
	var n NewAccounts
	err := tx.QueryRow(ctx, s.sql(statement), staged.Source, profile, cause.At, cause.Task, staged.Run, NewID(),
		write).Scan(&n.Accounts, &n.Correlated, &n.Identities, &n.Ambiguous)
	return n, mapError(err)
}
