package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/muster-engine/muster/store/id"
)

// StagedAccount is an account as an aggregation read it.
type StagedAccount struct {
	// Line is where the source's data has it.
	Line           int64
	NativeIdentity string
	Name           string
	// Attributes is a JSON object without NUL characters.
	Attributes []byte
	// Fingerprint changes when anything of the account does.
	Fingerprint ID
	// CorrelationKeys are the keys by which the account finds its identity, the most telling first.
	CorrelationKeys []string
}

// StageRows yields the accounts of an aggregation one by one: ok is false after the last. The account is valid until
// the next one is asked for.
type StageRows func() (account *StagedAccount, ok bool, err error)

// The limits of a block of accounts, which is compared and staged at once: an aggregation holds three of them.
const (
	stageBlockRows  = 2048
	stageBlockBytes = 4 << 20
)

// stageAnalyzeRows is from how many rows on the planner must know more of a stage than its size, which it knows without
// its being analyzed. That costs the same for any more rows.
const stageAnalyzeRows = 50_000

// stagedNatives are the native identities of all rows that were read. Of a row that is as the account was when it was
// read, no more than that is kept.
const stagedNatives = `(SELECT native_identity, line FROM pg_temp.aggregation_seen
		          UNION ALL SELECT native_identity, line FROM pg_temp.aggregation_stage)`

// The statements about the accounts of a source must not be planned by how many the planner takes them to be. Of a
// source that is new it knows that it has hardly any, until the server has looked at them again, and would choose
// nested loops over what are a million, which take the square. So two things are joined that are both as many as the
// accounts, or the rows of a stage, by a full join, which cannot be done by nested loops: also where each row of the
// one is one of the other, or where a condition, under a coalesce that hides from the planner what it means, makes it
// another join.

// anySource is $1, a source, of which the planner does not use what it knows. It takes it to be as large as others.
const anySource = `(SELECT $1::uuid)`

// Staged says how many rows a stage took.
type Staged struct {
	Rows int64
	// Differing of them are new, or were not as their accounts were when they were read.
	Differing int64
	Known     int64 // of those that differ, the ones that there was an account of
}

// Stage keeps the accounts that an aggregation reads beside those that the source is known to have, in tables that only
// the transaction sees and that go with it. An account that is as it is known is noted only; what is kept of it was
// not sent to the database. next is called by another goroutine, so that reading and comparing go on at the same time,
// and not any more after Stage returned. The identifiers that authoritative accounts need for their identities are made
// where authoritative is set.
//
// Comparing takes no locks, so an account that is noted may be another one at the end: [Store.DemandSeen] tells. Where
// the data cannot be read again then, repeatable is false, and all accounts are staged with what is kept of them.
func (s *Store) Stage(ctx context.Context, tx pgx.Tx, source ID, authoritative, repeatable bool, next StageRows) (
	Staged, error,
) {
	// Those of an aggregation before it in the transaction are dropped.
	const create = `
		DROP TABLE IF EXISTS pg_temp.aggregation_seen, pg_temp.aggregation_stage;
		CREATE TEMPORARY TABLE aggregation_seen (
		    line             bigint                NOT NULL,
		    native_identity  text COLLATE "C"      NOT NULL,
		    fingerprint      uuid                  NOT NULL
		) ON COMMIT DROP;
		CREATE TEMPORARY TABLE aggregation_stage (
		    line             bigint                NOT NULL,
		    native_identity  text COLLATE "C"      NOT NULL,
		    name             text COLLATE "C"      NOT NULL,
		    name_key         text COLLATE "C"      NOT NULL,
		    attributes       jsonb                 NOT NULL,
		    fingerprint      uuid                  NOT NULL,
		    correlation_keys text[] COLLATE "C"    NOT NULL,
		    account_id       uuid                  NOT NULL,
		    identity_id      uuid
		) ON COMMIT DROP`
	if _, err := tx.Exec(ctx, create); err != nil {
		return Staged{}, mapError(err)
	}
	stage := stage{s: s, tx: tx, source: source, ids: id.NewSource(), authoritative: authoritative}
	// The order makes the planner look into the index, where a source without accounts has no statistics.
	const known = `
		SELECT true FROM muster.accounts WHERE source_id = $1 ORDER BY source_id, native_identity LIMIT 1`
	if repeatable {
		err := tx.QueryRow(ctx, s.sql(known), source).Scan(&stage.known)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return Staged{}, mapError(err)
		}
	}
	if err := stage.run(ctx, next); err != nil || stage.count.Rows < stageAnalyzeRows {
		return stage.count, err
	}
	_, err := tx.Exec(ctx, `
		ANALYZE pg_temp.aggregation_seen (native_identity), pg_temp.aggregation_stage (native_identity, account_id)`)
	return stage.count, mapError(err)
}

// stage takes blocks of accounts.
type stage struct {
	s             *Store
	tx            pgx.Tx
	source        ID
	authoritative bool
	known         bool // the source has accounts to compare with
	ids           *id.Source
	count         Staged

	// The arguments of a comparison, used again.
	lines        []int64
	natives      []string
	fingerprints []ID
	values       []any
}

// run stages the accounts by blocks, one of which is read while the one before it is compared. A reader that fails ends
// no statement, since that would end the connection too.
func (g *stage) run(outer context.Context, next StageRows) error {
	group, ctx := errgroup.WithContext(outer)
	full, empty := make(chan *stageBlock), make(chan *stageBlock, 3)
	for range cap(empty) {
		empty <- &stageBlock{}
	}
	group.Go(func() error {
		defer close(full)
		return readBlocks(ctx, next, full, empty)
	})
	group.Go(func() error {
		for block := range full {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := g.take(outer, block); err != nil {
				return err
			}
			block.reset()
			empty <- block // never waits: there is room for all
		}
		return nil
	})
	return group.Wait()
}

// readBlocks fills blocks until there are no more accounts.
func readBlocks(ctx context.Context, next StageRows, full, empty chan *stageBlock) error {
	for more := true; more; {
		var block *stageBlock
		select {
		case block = <-empty:
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		if more, err = block.fill(ctx, next); err != nil {
			return err
		}
		select {
		case full <- block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// stageBlock is a number of accounts that were read one after the other.
type stageBlock struct {
	accounts  []StagedAccount
	documents []byte
	ends      []int // where the document of each account ends
}

func (b *stageBlock) reset() {
	clear(b.accounts)
	b.accounts, b.documents, b.ends = b.accounts[:0], b.documents[:0], b.ends[:0]
	if cap(b.documents) > 2*stageBlockBytes {
		b.documents = nil // of one huge account
	}
}

// fill reads accounts until the block is full. It reports whether there may be more.
func (b *stageBlock) fill(ctx context.Context, next StageRows) (bool, error) {
	size := 0
	for len(b.accounts) < stageBlockRows && size < stageBlockBytes {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		account, ok, err := next()
		if err != nil || !ok {
			return false, err
		}
		size += account.size()
		b.documents = append(b.documents, account.Attributes...)
		b.ends = append(b.ends, len(b.documents))
		kept := *account
		// The texts may be parts of the whole row, of which most may not be kept.
		kept.NativeIdentity, kept.Name = strings.Clone(account.NativeIdentity), strings.Clone(account.Name)
		b.accounts = append(b.accounts, kept)
	}
	return true, nil
}

func (a *StagedAccount) size() int {
	size := len(a.NativeIdentity) + len(a.Name) + len(a.Attributes)
	for _, key := range a.CorrelationKeys {
		size += len(key)
	}
	return size
}

// document returns the attributes of an account of the block.
func (b *stageBlock) document(i int) []byte {
	start := 0
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.documents[start:b.ends[i]]
}

// take stages those accounts of a block that are not known as they are.
func (g *stage) take(ctx context.Context, block *stageBlock) error {
	g.count.Rows += int64(len(block.accounts))
	var differing []int
	if g.known {
		var err error
		if differing, err = g.compare(ctx, block); err != nil || len(differing) == 0 {
			return err
		}
	} else {
		for i := range block.accounts {
			differing = append(differing, i)
		}
	}
	g.count.Differing += int64(len(differing))
	columns := []string{
		"line", "native_identity", "name", "name_key", "attributes", "fingerprint", "correlation_keys", "account_id",
		"identity_id",
	}
	_, err := g.tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", "aggregation_stage"}, columns,
		pgx.CopyFromSlice(len(differing), func(i int) ([]any, error) { return g.row(block, differing[i]) }))
	return mapError(err)
}

// compare notes the accounts of a block that are known as they are, and returns the places of the others.
func (g *stage) compare(ctx context.Context, block *stageBlock) ([]int, error) {
	// The subquery is what keeps a block to as many look-ups as it has rows, however many accounts there are.
	const statement = `
		WITH incoming AS MATERIALIZED (
		    SELECT u.place, u.line, u.native_identity, u.fingerprint,
		           u.fingerprint = (SELECT a.fingerprint FROM muster.accounts a
		                            WHERE a.source_id = $1 AND a.native_identity = u.native_identity) AS same
		    FROM unnest($2::bigint[], $3::text[], $4::uuid[]) WITH ORDINALITY u (line, native_identity, fingerprint,
		         place)
		), noted AS (
		    INSERT INTO pg_temp.aggregation_seen (line, native_identity, fingerprint)
		    SELECT line, native_identity, fingerprint FROM incoming WHERE same
		)
		SELECT place - 1, same IS NOT NULL FROM incoming WHERE same IS NOT TRUE ORDER BY place`
	g.lines, g.natives, g.fingerprints = g.lines[:0], g.natives[:0], g.fingerprints[:0]
	for i := range block.accounts {
		a := &block.accounts[i]
		g.lines = append(g.lines, a.Line)
		g.natives = append(g.natives, a.NativeIdentity)
		g.fingerprints = append(g.fingerprints, a.Fingerprint)
	}
	rows, err := g.tx.Query(ctx, g.s.sql(statement), g.source, g.lines, g.natives, g.fingerprints)
	if err != nil {
		return nil, mapError(err)
	}
	var differing []int
	var place int
	var known bool
	_, err = pgx.ForEachRow(rows, []any{&place, &known}, func() error {
		differing = append(differing, place)
		if known {
			g.count.Known++
		}
		return nil
	})
	return differing, mapError(err)
}

// row returns the values of an account of a block, valid until the next row is asked for.
func (g *stage) row(block *stageBlock, i int) ([]any, error) {
	a := &block.accounts[i]
	// The identifiers are made here though only new accounts come to use them: PostgreSQL makes none of version 7
	// before its version 18.
	account, err := g.ids.Next()
	if err != nil {
		return nil, err
	}
	var identity ID
	if g.authoritative {
		if identity, err = g.ids.Next(); err != nil {
			return nil, err
		}
	}
	g.values = append(g.values[:0], a.Line, a.NativeIdentity, a.Name, FoldKey(a.Name), block.document(i), a.Fingerprint,
		a.CorrelationKeys, account, identity)
	return g.values, nil
}

// Duplicate is a row whose native identity an earlier row has already.
type Duplicate struct {
	NativeIdentity string
	Line           int64
	First          int64 // the line of the row that is kept
}

// DropDuplicates removes from the stage every row but the first of a native identity and returns those it removed, in
// the order of their lines.
func (s *Store) DropDuplicates(ctx context.Context, tx pgx.Tx) ([]Duplicate, error) {
	const statement = `
		WITH several AS (
		    SELECT native_identity, min(line) AS first
		    FROM ` + stagedNatives + ` r
		    GROUP BY native_identity
		    HAVING count(*) > 1
		), dropped AS (
		    DELETE FROM pg_temp.aggregation_stage g
		    USING several
		    WHERE g.native_identity = several.native_identity AND g.line > several.first
		    RETURNING g.native_identity, g.line, several.first
		), forgotten AS (
		    DELETE FROM pg_temp.aggregation_seen g
		    USING several
		    WHERE g.native_identity = several.native_identity AND g.line > several.first
		    RETURNING g.native_identity, g.line, several.first
		)
		SELECT native_identity, line, first FROM (SELECT * FROM dropped UNION ALL SELECT * FROM forgotten) d
		ORDER BY line`
	return collect(ctx, tx, statement, pgx.RowToStructByPos[Duplicate])
}

// DemandSeen returns a [RetryableError] where an account that is noted to be as it is known is not any more: somebody
// else changed or removed it since it was compared. It looks each of them up. It comes after [Store.LockSource].
func (s *Store) DemandSeen(ctx context.Context, tx pgx.Tx, source ID) error {
	const statement = `
		SELECT EXISTS (
		    SELECT FROM pg_temp.aggregation_seen g
		    WHERE (SELECT a.fingerprint FROM muster.accounts a
		           WHERE a.source_id = $1 AND a.native_identity = g.native_identity) IS DISTINCT FROM g.fingerprint)`
	var changed bool
	if err := tx.QueryRow(ctx, s.sql(statement), source).Scan(&changed); err != nil {
		return mapError(err)
	}
	return demandSeen(changed)
}

func demandSeen(changed bool) error {
	if changed {
		return &RetryableError{errors.New("accounts of the source were changed by another aggregation meanwhile")}
	}
	return nil
}

// BeginReading shows, until the transaction ends, that somebody reads a source by its connector. Any number may.
func (s *Store) BeginReading(ctx context.Context, tx pgx.Tx, source ID) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock_shared", readingLock, s.schema+source.String())
}

// IsRead reports whether somebody reads a source by its connector. Where nobody does, nobody begins to before the
// transaction ends.
func (s *Store) IsRead(ctx context.Context, tx pgx.Tx, source ID) (bool, error) {
	var free bool
	err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1, hashtext($2))`, readingLock,
		s.schema+source.String()).Scan(&free)
	return !free, mapError(err)
}

// LockSource keeps other aggregations of a source waiting until the transaction ends. It returns [ErrNotFound] for a
// source that is not there.
func (s *Store) LockSource(ctx context.Context, tx pgx.Tx, source ID) error {
	// The source's row is not locked: every new account's foreign key would look at that lock.
	if err := s.advisoryLock(ctx, tx, "pg_advisory_xact_lock", sourceLock, s.schema+source.String()); err != nil {
		return err
	}
	var id ID
	err := tx.QueryRow(ctx, s.sql(`SELECT id FROM muster.sources WHERE id = $1`), source).Scan(&id)
	return mapError(err)
}

// SourceAccounts are counts over the accounts of a source.
type SourceAccounts struct {
	Accounts   int
	Correlated int // have an identity
	Vanished   int // are not in the stage
}

// CountVanished counts the accounts of a source beside its stage. The accounts whose native identities are given count
// as staged. It is [Store.DemandSeen] too, for as many accounts as the source has.
//
// The planner may know nothing yet of the accounts of a new source, and take them to be one or two. A full join cannot
// be done by nested loops, which would take the square of their number.
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

// nonNil makes a nil list an empty one: an array parameter that is NULL compares with nothing.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// removeGone stands behind the common table gone, with the IDs of accounts: it removes them, asks for the refresh of
// the identities that had them, and counts.
const removeGone = `, removed AS (
		    DELETE FROM muster.accounts a USING gone WHERE a.id = gone.id RETURNING a.identity_id
		), requests AS (
		    INSERT INTO muster.refresh_requests (identity_id, task_id, reason, requested_at)
		    SELECT DISTINCT identity_id, $4::uuid, 'account removed', $3::timestamptz
		    FROM removed WHERE identity_id IS NOT NULL
		)
		SELECT count(*) FROM removed`

// DeleteVanished removes the accounts of a source that are not in the stage and asks for the refresh of the identities
// that had them. It returns how many accounts it removed.
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

// DeleteNamed removes the accounts of a source that are said to be gone, and of which the stage has nothing, and asks
// for the refresh of the identities that had them. It returns how many there were.
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

// matchHead and matchTail stand around the name of a table with the columns id and correlation_keys. Of each row's keys
// the first that finds any identity counts; matches says how many it found.
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

// AccountChanges says what the stage changed among the known accounts of a source.
type AccountChanges struct {
	Changed int
	Moved   int // of the changed, those that now belong to another identity
}

// UpdateChanged brings the accounts of a source up to the stage where they differ, moves those whose changed keys find
// another identity, and asks for the refresh of the identities concerned. An account that no longer finds an identity
// stays where it is.
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

// NewAccounts says what became of the accounts that the stage has and the source had not.
type NewAccounts struct {
	Accounts   int
	Correlated int // found their identity
	Identities int // became an identity
	Ambiguous  int // several identities fit, so that none was taken
}

// InsertNew adds the accounts of the stage that the source does not have yet. Each is correlated to the one identity
// that the first telling of its keys finds. On an authoritative source (profile is not zero) one that finds none
// becomes an identity of that profile; elsewhere it stays uncorrelated, as one does that finds several. The identities
// concerned are asked to be refreshed.
func (s *Store) InsertNew(ctx context.Context, tx pgx.Tx, source, profile ID, cause Cause) (NewAccounts, error) {
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
		    INSERT INTO muster.identity_events (identity_id, type, detail, at)
		    SELECT identity_id, 'IDENTITY_CREATED',
		           jsonb_build_object('accountId', replace(id::text, '-', ''),
		                              'sourceId', replace($1::uuid::text, '-', '')), $3
		    FROM placed
		    WHERE owner_id = identity_id
		)
		SELECT count(*), count(*) FILTER (WHERE owner_id IS DISTINCT FROM identity_id AND owner_id IS NOT NULL),
		       count(*) FILTER (WHERE owner_id = identity_id), count(*) FILTER (WHERE matches > 1)
		FROM placed`
	var n NewAccounts
	err := tx.QueryRow(ctx, s.sql(statement), source, profile, cause.At, cause.Task).Scan(&n.Accounts, &n.Correlated,
		&n.Identities, &n.Ambiguous)
	return n, mapError(err)
}

// AdoptUncorrelated makes identities of a profile of the accounts given, which are uncorrelated: of those whose keys
// find nobody. It returns how many.
func (s *Store) AdoptUncorrelated(ctx context.Context, tx pgx.Tx, source, profile ID, accounts []CorrelationInput,
	cause Cause,
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
		    INSERT INTO muster.identity_events (identity_id, type, detail, at)
		    SELECT identity_id, 'IDENTITY_CREATED',
		           jsonb_build_object('accountId', replace(id::text, '-', ''),
		                              'sourceId', replace($1::uuid::text, '-', '')), $6
		    FROM orphans
		)
		SELECT count(*) FROM orphans`
	ids, identities, keys := make([]ID, len(accounts)), make([]ID, len(accounts)), make([]string, len(accounts))
	for i, a := range accounts {
		ids[i], identities[i], keys[i] = a.AccountID, NewID(), FoldKey(a.Name)
	}
	var count int
	err := tx.QueryRow(ctx, s.sql(statement), source, profile, ids, keys, identities, cause.At, cause.Task).Scan(
		&count)
	return count, mapError(err)
}

// The advisory locks of a tenant. Their numbers are arbitrary but fixed.
const (
	// correlationLock orders aggregations and refreshes: whichever of the two commits last sees the other's accounts or
	// identities, so that no pair that belongs together is missed.
	correlationLock = 1836413811
	// keyLock orders the refreshes that change by what identities are found, or by what they look for their managers.
	keyLock = 1836413812
	// sourceLock keeps two aggregations of a source apart.
	sourceLock = 1836413813
	// deletionLock keeps deletions of identities and aggregations apart: either waits for rows that the other has, an
	// aggregation for the identities that its accounts find, a deletion for the accounts that the identity has.
	deletionLock = 1836413814
	// readingLock is shared by those who read a source by its connector, from the beginning of the reading to the end
	// of the transaction: it falls with the process, and so tells who is still there.
	readingLock = 1836413815
)

// advisoryLock takes a lock on what subject names, until the transaction ends. Two subjects may share a lock by chance,
// and then wait for each other.
func (s *Store) advisoryLock(ctx context.Context, tx pgx.Tx, function string, lock int32, subject string) error {
	_, err := tx.Exec(ctx, `SELECT `+function+`($1, hashtext($2))`, lock, subject)
	return mapError(err)
}

// ShareCorrelation is taken at the start of a transaction that changes identities. Any number may hold it at once.
func (s *Store) ShareCorrelation(ctx context.Context, tx pgx.Tx) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock_shared", correlationLock, s.schema)
}

// KeepIdentities is taken by an aggregation before it touches accounts: until it ends, no identity is deleted.
func (s *Store) KeepIdentities(ctx context.Context, tx pgx.Tx) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock_shared", deletionLock, s.schema)
}

// BeginDeletion is taken by a transaction that deletes an identity, before its other locks but that of the
// configuration. It waits for the aggregations that have read their data.
func (s *Store) BeginDeletion(ctx context.Context, tx pgx.Tx) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock", deletionLock, s.schema)
}

// CorrelateSource gives the uncorrelated accounts of a source to the identities that their keys find, and asks for
// their refresh. It is the last thing that a transaction which added accounts does: it waits for the transactions
// that change identities now. It returns how many accounts it correlated.
func (s *Store) CorrelateSource(ctx context.Context, tx pgx.Tx, source ID, cause Cause) (int, error) {
	if err := s.advisoryLock(ctx, tx, "pg_advisory_xact_lock", correlationLock, s.schema); err != nil {
		return 0, err
	}
	const candidates = `
		        SELECT id FROM muster.accounts
		        WHERE source_id = ` + anySource + ` AND identity_id IS NULL AND correlation_keys <> '{}'`
	return s.correlate(ctx, tx, candidates, "", source, cause)
}

// CorrelateKeys gives the uncorrelated accounts that have one of the keys to the identities that their keys find, and
// asks for their refresh. It returns how many accounts it correlated.
func (s *Store) CorrelateKeys(ctx context.Context, tx pgx.Tx, keys []string, cause Cause) (int, error) {
	if len(keys) == 0 {
		return 0, nil
	}
	const candidates = `SELECT id FROM muster.accounts WHERE identity_id IS NULL AND correlation_keys && $1::text[]`
	// An account that an aggregation holds is left to that aggregation, which correlates again before it commits.
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
