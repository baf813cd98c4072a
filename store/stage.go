package store

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/muster-engine/muster/store/id"
)

// StagedAccount is an account as an aggregation read it.
type StagedAccount struct {
	// Line is its line in the source's data.
	Line           int64
	NativeIdentity string
	Name           string
	// Attributes is a JSON object without NUL characters.
	Attributes []byte
	// Fingerprint changes when anything of the account changes.
	Fingerprint ID
	// CorrelationKeys are the keys by which the account finds its identity, in the order in which they count.
	CorrelationKeys []string
}

// StageRows yields the accounts of an aggregation one by one: ok is false after the last. An account is valid until the
// next call.
type StageRows func() (account *StagedAccount, ok bool, err error)

// The limits of a block of accounts, which is compared and staged at once. An aggregation holds three blocks.
const (
	stageBlockRows  = 2048
	stageBlockBytes = 4 << 20
)

// stageAnalyzeRows is the number of rows from which a stage is analyzed. Below it the planner needs to know the size
// alone, which it knows without. Analyzing costs the same for any larger number.
const stageAnalyzeRows = 50_000

// stagedNatives are the native identities of all rows that were read. A row that is the same as its account is staged
// without its values, in aggregation_seen.
const stagedNatives = `(SELECT native_identity, line FROM pg_temp.aggregation_seen
		          UNION ALL SELECT native_identity, line FROM pg_temp.aggregation_stage)`

// Staged says how many rows a stage took.
type Staged struct {
	Rows int64
	// Differing of them are new, or differed from their account when they were compared.
	Differing int64
	Known     int64 // those of Differing that had an account
}

// Stage compares the accounts that an aggregation reads with those that the source has, and puts them into temporary
// tables, which only the transaction sees and which end with it. Of an account that has not changed only the native
// identity and the fingerprint are staged, and its attributes are not sent to the database. Another goroutine calls
// next, so that reading and comparing go on at the same time; it has ended when Stage returns. With authoritative, IDs
// are made for the identities that accounts may become.
//
// Comparing takes no locks, so an account that had not changed may have changed at the end: [Store.DemandSeen] tells.
// Where the data cannot be read again then, repeatable is false, and all accounts are staged with all their values.
func (s *Store) Stage(ctx context.Context, tx pgx.Tx, source ID, authoritative, repeatable bool, next StageRows) (
	Staged, error,
) {
	// An earlier aggregation in the same transaction may have left its tables.
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
	// The order makes the planner use the index: it has no statistics about a source without accounts.
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

// stage compares and stages blocks of accounts.
type stage struct {
	s             *Store
	tx            pgx.Tx
	source        ID
	authoritative bool
	known         bool // the source has accounts to compare with
	ids           *id.Source
	count         Staged

	// The arguments of a comparison, whose memory is used again.
	lines        []int64
	natives      []string
	fingerprints []ID
	values       []any
}

// run stages the accounts by blocks. One is read while the one before it is compared. When the reader fails, a
// statement that runs goes on, since cancelling it would end the connection.
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
			empty <- block // never waits: the channel has room for all blocks
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

// stageBlock holds accounts that were read one after the other.
type stageBlock struct {
	accounts  []StagedAccount
	documents []byte
	ends      []int // where the document of each account ends
}

func (b *stageBlock) reset() {
	clear(b.accounts)
	b.accounts, b.documents, b.ends = b.accounts[:0], b.documents[:0], b.ends[:0]
	if cap(b.documents) > 2*stageBlockBytes {
		b.documents = nil // an account was huge
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
		// The texts may be parts of the whole row, which must not stay in memory.
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

// take stages those accounts of a block that differ from what the source has, and records the others as seen.
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

// compare records the accounts of a block that have not changed as seen, and returns the places of the others.
func (g *stage) compare(ctx context.Context, block *stageBlock) ([]int, error) {
	// The subquery makes as many look-ups as the block has rows, however many accounts there are.
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

// row returns the values of an account of a block. They are valid until the next call.
func (g *stage) row(block *stageBlock, i int) ([]any, error) {
	a := &block.accounts[i]
	// The IDs are made here, though only new accounts use them: PostgreSQL makes no UUIDs of version 7 before its
	// version 18.
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

// Duplicate is a row with the native identity of an earlier row.
type Duplicate struct {
	NativeIdentity string
	Line           int64
	First          int64 // the line of the earlier row, which stays
}

// DropDuplicates removes all rows of a native identity but the first from the stage, and returns the rows that it
// removed in the order of their lines.
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

// DemandSeen returns a [RetryableError] where somebody else changed or removed an account that had not changed when it
// was compared. It looks each of these accounts up. It comes after [Store.LockSource].
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
