package store

import (
	"context"
	"errors"
	"strings"
	"time"

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
	// StableIdentity survives a renaming at the source; "" where the source has none.
	StableIdentity string
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

// stagedNatives are the native identities of all rows that run $1 has read. A row that is the same as its account is
// staged without its values, in aggregation_seen.
const stagedNatives = `(SELECT u.native_identity, u.place, u.line
		           FROM muster.aggregation_seen b,
		                unnest(b.native_identities, b.places, b.lines) u (native_identity, place, line)
		           WHERE b.run_id = $1
		          UNION ALL
		          SELECT native_identity, place, line FROM muster.aggregation_stage WHERE run_id = $1)`

// Staged says which rows a stage took, and how many.
type Staged struct {
	// Run names the rows in the stage, and Source is the source whose accounts they are.
	Run, Source ID
	Rows        int64
	// Differing of them are new, or differed from their account when they were compared.
	Differing int64
	Known     int64 // those of Differing that had an account
	Stable    int64 // those of Differing that have a stable identity
}

// Stage compares the accounts that an aggregation reads with those that the source has, and puts them into the tables
// of the stage, where other transactions do not see them: [Store.EndStage] must remove them before the transaction
// ends. Of an account that has not changed only the native identity and the fingerprint are staged, and its attributes
// are not sent to the database. Another goroutine calls next, so that reading and comparing go on at the same time; it
// has ended when Stage returns. With authoritative, IDs are made for the identities that accounts may become.
//
// Comparing takes no locks, so an account that had not changed may have changed at the end: [Store.DemandSeen] tells.
// Where the data cannot be read again then, repeatable is false, and all accounts are staged with all their values.
//
// Where Stage fails, it leaves no rows.
func (s *Store) Stage(ctx context.Context, tx pgx.Tx, source ID, authoritative, repeatable bool, next StageRows) (
	Staged, error,
) {
	stage := stage{
		s: s, tx: tx, source: source, ids: id.NewSource(), authoritative: authoritative,
		count: Staged{Run: NewID(), Source: source},
	}
	// The order makes the planner use the index: it has no statistics about a source without accounts.
	const known = `
		SELECT true FROM muster.accounts WHERE source_id = $1 ORDER BY source_id, native_identity LIMIT 1`
	if repeatable {
		err := tx.QueryRow(ctx, s.sql(known), source).Scan(&stage.known)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return Staged{}, mapError(err)
		}
	}
	if err := stage.run(ctx, next); err != nil {
		s.AbandonStage(ctx, tx, stage.count.Run)
		return Staged{}, err
	}
	return stage.count, nil
}

// EndStage removes the rows of a run from the stage.
func (s *Store) EndStage(ctx context.Context, tx pgx.Tx, run ID) error {
	var batch pgx.Batch
	batch.Queue(s.sql(`DELETE FROM muster.aggregation_seen WHERE run_id = $1`), run)
	batch.Queue(s.sql(`DELETE FROM muster.aggregation_stage WHERE run_id = $1`), run)
	return mapError(tx.SendBatch(ctx, &batch).Close())
}

// abandonTimeout is how long [Store.AbandonStage] waits for the server.
const abandonTimeout = 10 * time.Second

// AbandonStage is [Store.EndStage] for a run that failed. The caller may commit the transaction nevertheless, even
// where its context has ended. Where the transaction is lost, the rows are lost with it, so an error needs no report.
func (s *Store) AbandonStage(ctx context.Context, tx pgx.Tx, run ID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	_ = s.EndStage(ctx, tx, run)
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
	before        int64 // how many rows were read before the block

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
		kept.StableIdentity = strings.Clone(account.StableIdentity)
		b.accounts = append(b.accounts, kept)
	}
	return true, nil
}

func (a *StagedAccount) size() int {
	size := len(a.NativeIdentity) + len(a.Name) + len(a.StableIdentity) + len(a.Attributes)
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
	g.before = g.count.Rows
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
		"run_id", "place", "line", "native_identity", "name", "name_key", "attributes", "fingerprint",
		"correlation_keys", "account_id", "identity_id", "stable_identity",
	}
	_, err := g.tx.CopyFrom(ctx, pgx.Identifier{g.s.schema, "aggregation_stage"}, columns,
		pgx.CopyFromSlice(len(differing), func(i int) ([]any, error) { return g.row(block, differing[i]) }))
	return mapError(err)
}

// compare records the accounts of a block that have not changed as seen, and returns the places of the others.
func (g *stage) compare(ctx context.Context, block *stageBlock) ([]int, error) {
	// The subquery makes as many look-ups as the block has rows, however many accounts there are.
	const statement = `
		WITH incoming AS MATERIALIZED (
		    SELECT u.nth, u.line, u.native_identity, u.fingerprint,
		           u.fingerprint = (SELECT a.fingerprint FROM muster.accounts a
		                            WHERE a.source_id = $1 AND a.native_identity = u.native_identity) AS same
		    FROM unnest($2::bigint[], $3::text[], $4::uuid[]) WITH ORDINALITY u (line, native_identity, fingerprint,
		         nth)
		), noted AS (
		    INSERT INTO muster.aggregation_seen (run_id, place, places, lines, native_identities, fingerprints)
		    SELECT $5::uuid, $6::bigint, array_agg($6::bigint + nth), array_agg(line), array_agg(native_identity),
		           array_agg(fingerprint)
		    FROM incoming
		    WHERE same
		    HAVING count(*) > 0
		)
		SELECT nth - 1, same IS NOT NULL FROM incoming WHERE same IS NOT TRUE ORDER BY nth`
	g.lines, g.natives, g.fingerprints = g.lines[:0], g.natives[:0], g.fingerprints[:0]
	for i := range block.accounts {
		a := &block.accounts[i]
		g.lines = append(g.lines, a.Line)
		g.natives = append(g.natives, a.NativeIdentity)
		g.fingerprints = append(g.fingerprints, a.Fingerprint)
	}
	rows, err := g.tx.Query(ctx, g.s.sql(statement), g.source, g.lines, g.natives, g.fingerprints,
		g.count.Run, g.before)
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
	if a.StableIdentity != "" {
		g.count.Stable++
	}
	g.values = append(g.values[:0], g.count.Run, g.before+int64(i)+1, a.Line, a.NativeIdentity, a.Name, FoldKey(a.Name),
		block.document(i), a.Fingerprint, a.CorrelationKeys, account, identity, NullText(a.StableIdentity))
	return g.values, nil
}

// Duplicate is a row with the native identity of an earlier row.
type Duplicate struct {
	NativeIdentity string
	Place          int64 // among all rows that were read, from 1
	Line           int64 // 0 where the source has no lines
	First          int64 // the line of the earlier row, which stays
}

// DropDuplicates removes all rows of a native identity but the first from the stage, and returns the rows that it
// removed in the order in which they were read.
func (s *Store) DropDuplicates(ctx context.Context, tx pgx.Tx, run ID) ([]Duplicate, error) {
	const several = `
		SELECT native_identity, min(place)
		FROM ` + stagedNatives + ` r
		GROUP BY native_identity
		HAVING count(*) > 1`
	natives, firsts, err := collectPairs[string, int64](ctx, tx, s.sql(several), run)
	if err != nil || len(natives) == 0 {
		return nil, err
	}
	const later = `
		SELECT r.native_identity, r.place, r.line, coalesce(f.line, 0)
		FROM unnest($2::text[], $3::bigint[]) v (native_identity, first)
		FULL JOIN ` + stagedNatives + ` r ON r.native_identity = v.native_identity
		FULL JOIN ` + stagedNatives + ` f ON f.place = v.first
		WHERE coalesce(r.place > v.first, false)
		ORDER BY r.place`
	duplicates, err := collect(ctx, tx, s.sql(later), pgx.RowToStructByPos[Duplicate], run, natives, firsts)
	if err != nil {
		return nil, err
	}
	places := make([]int64, len(duplicates))
	for i := range duplicates {
		places[i] = duplicates[i].Place
	}
	const unsee = `
		UPDATE muster.aggregation_seen
		SET lines = ARRAY (SELECT v FROM unnest(lines, places) u (v, place) WHERE place <> ALL ($2)),
		    native_identities = ARRAY (SELECT v FROM unnest(native_identities, places) u (v, place)
		                               WHERE place <> ALL ($2)),
		    fingerprints = ARRAY (SELECT v FROM unnest(fingerprints, places) u (v, place) WHERE place <> ALL ($2)),
		    places = ARRAY (SELECT v FROM unnest(places) u (v) WHERE v <> ALL ($2))
		WHERE run_id = $1 AND places && $2`
	var batch pgx.Batch
	batch.Queue(s.sql(unsee), run, places)
	batch.Queue(s.sql(`DELETE FROM muster.aggregation_stage WHERE run_id = $1 AND place = ANY ($2)`), run, places)
	return duplicates, mapError(tx.SendBatch(ctx, &batch).Close())
}

// DemandSeen returns a [RetryableError] where somebody else changed or removed an account that had not changed when it
// was compared. It looks each of these accounts up. It comes after [Store.LockSource].
func (s *Store) DemandSeen(ctx context.Context, tx pgx.Tx, staged *Staged) error {
	const statement = `
		SELECT EXISTS (
		    SELECT 1
		    FROM muster.aggregation_seen b,
		         unnest(b.native_identities, b.fingerprints) g (native_identity, fingerprint)
		    WHERE b.run_id = $2
		      AND (SELECT a.fingerprint FROM muster.accounts a
		           WHERE a.source_id = $1 AND a.native_identity = g.native_identity) IS DISTINCT FROM g.fingerprint)`
	var changed bool
	if err := tx.QueryRow(ctx, s.sql(statement), staged.Source, staged.Run).Scan(&changed); err != nil {
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
