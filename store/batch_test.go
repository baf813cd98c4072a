package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// The settings of a batch hold in its transaction and no longer, and the isolation and the access are those asked for.
func TestBatchSettings(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	conn := acquire(t, pool)
	settings := func(q store.Querier) string {
		t.Helper()
		return oneText(t, q, `SELECT concat_ws(' ', current_setting('plan_cache_mode'), current_setting('jit'),
			current_setting('enable_seqscan'), current_setting('enable_sort'), current_setting('transaction_isolation'), current_setting('transaction_read_only'))`)
	}
	const outside = "auto on on on read committed off"
	task := store.NewID()
	for name, c := range map[string]struct {
		begin func(context.Context, store.Beginner, func(pgx.Tx) error) error // a batch where it is nil
		work  func(context.Context, pgx.Tx) error
		want  string
	}{
		"batch":   {want: "force_custom_plan off off on read committed off"},
		"preview": {begin: store.InPreviewTx, want: "force_custom_plan off on on repeatable read on"},
		"claim": {work: func(ctx context.Context, tx pgx.Tx) error {
			_, err := s.ClaimRefreshRequests(ctx, tx, task, 10)
			return err
		}, want: "force_custom_plan off off on read committed off"},
		"page": {work: func(ctx context.Context, tx pgx.Tx) error {
			_, err := s.PartIdentities(ctx, tx, &store.TaskPart{}, 10)
			return err
		}, want: "force_custom_plan off off on read committed off"},
		"requests of many": {work: func(ctx context.Context, tx pgx.Tx) error {
			_, err := s.TakeRefreshRequests(ctx, tx, []store.ID{task}, false)
			return err
		}, want: "force_custom_plan off off on read committed off"},
		"requests of few": {work: func(ctx context.Context, tx pgx.Tx) error {
			_, err := s.TakeRefreshRequests(ctx, tx, []store.ID{task}, true)
			return err
		}, want: "auto off off on read committed off"},
	} {
		if c.begin == nil {
			c.begin = store.InBatchTx
		}
		err := c.begin(t.Context(), conn, func(tx pgx.Tx) error {
			if c.work != nil {
				if err := c.work(t.Context(), tx); err != nil {
					return err
				}
			}
			if got := settings(tx); got != c.want {
				t.Errorf("%s: the settings are %q, want %q", name, got, c.want)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := settings(conn); got != outside {
			t.Errorf("after %s the settings are %q, want %q", name, got, outside)
		}
	}
}

// A deletion, which may be part of a host's transaction, leaves the host's settings as they are.
func TestTakingRequestsKeepsTheHostsSettings(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	err := store.InTx(t.Context(), pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		const host = `SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)`
		if _, err := tx.Exec(t.Context(), host); err != nil {
			return err
		}
		if _, err := s.TakeRefreshRequests(t.Context(), tx, []store.ID{store.NewID()}, false); err != nil {
			return err
		}
		const now = `SELECT current_setting('enable_seqscan') || ' ' || current_setting('plan_cache_mode')`
		if got := oneText(t, tx, now); got != "off force_generic_plan" {
			t.Errorf("the host's settings are %q, want %q", got, "off force_generic_plan")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// batchPeople is how many identities batches read their share of. Each has two accounts, five roles, six keys, a state
// and a request of the one task, and every other one another request, of an earlier task.
const batchPeople = 4_000

// A batch reads what belongs to its identities and no more, though the server has never looked at the tables, or last
// when they were nearly empty, and the connection has its plans from then.
func TestBatchReadsItsShare(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for name, c := range map[string]struct {
		early   int  // people when the server looks at the tables
		kept    bool // whether the connection has plans from then, that were made outside of batches
		few     bool // whether the batch is one of few identities
		preview bool // whether it is a preview
	}{
		"tables never looked at, a preview":           {preview: true},
		"tables looked at when small, a preview":      {early: 12, kept: true, preview: true},
		"tables never looked at":                      {},
		"tables looked at when small, plans kept":     {early: 12, kept: true},
		"tables never looked at, few identities":      {few: true},
		"tables looked at when small, few identities": {early: 12, few: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBatches(t)
			b.few, b.begin = c.few, store.InBatchTx
			if c.preview {
				b.begin = store.InPreviewTx
			}
			rounds := 8 // a connection keeps a plan from the sixth call on
			if c.early == 0 {
				rounds = 0
			} else {
				b.fill(1, c.early)
				b.exec(`VACUUM ANALYZE`)
			}
			for range rounds {
				for _, read := range b.reads() {
					switch {
					case c.few:
						b.count(read.work)
					case c.kept:
						b.plain(read.work)
					}
				}
			}
			b.fill(c.early+1, batchPeople)
			if rounds = 1; c.few { // their plans are kept
				rounds = 8
			}
			for range rounds {
				for _, read := range b.reads() {
					if read.writes && c.preview {
						continue
					}
					whole, found := b.count(read.work)
					if whole > 0 || found > read.most {
						t.Fatalf("%s: %d rows are read with all of a table and %d by an index, want none and at most %d", read.name,
							whole, found, read.most)
					}
				}
			}
		})
	}
}

type batches struct {
	t     *testing.T
	conn  *pgxpool.Conn
	s     *store.Store
	ids   []store.ID // of a batch of 40
	keys  []string   // of them
	task  store.ID
	few   bool
	begin func(context.Context, store.Beginner, func(pgx.Tx) error) error
}

func newBatches(t *testing.T) *batches {
	t.Helper()
	pool := storetest.Pool(t)
	b := &batches{t: t, s: newStore(t), conn: acquire(t, pool)}
	for _, table := range []string{"identities", "accounts", "role_assignments", "identity_keys", "refresh_state", "refresh_requests"} {
		b.exec(`ALTER TABLE muster.` + table + ` SET (autovacuum_enabled = off)`)
	}
	b.exec(`INSERT INTO muster.sources (id, name, name_key, document, created, modified)
		VALUES ('00000000-0000-7000-8000-000000000001', 'HR', 'hr', '{}', now(), now())`)
	b.exec(`INSERT INTO muster.roles (id, name, name_key, enabled, document, created, modified)
		SELECT ` + numbered("n") + `, 'Role ' || n, 'role ' || n, true, '{}', now(), now() FROM generate_series(1, 5) n`)
	b.task = b.id(2)
	for n := 1; n <= batchPeople && len(b.ids) < 40; n += 3 {
		b.ids, b.keys = append(b.ids, b.id(n)), append(b.keys, fmt.Sprintf("key1=%d", n))
	}
	return b
}

// numbered is the ID of a number.
func numbered(n string) string {
	return `('00000000-0000-7000-8000-' || lpad(to_hex(` + n + `), 12, '0'))::uuid`
}

func (b *batches) id(n int) store.ID {
	b.t.Helper()
	id, err := store.ParseID(fmt.Sprintf("0000000000007000800000%010x", n))
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func (b *batches) exec(statement string, arguments ...any) {
	b.t.Helper()
	if _, err := b.conn.Exec(b.t.Context(), statement, arguments...); err != nil {
		b.t.Fatalf("%s: %v", statement, err)
	}
}

func (b *batches) fill(first, last int) {
	b.t.Helper()
	people := ` FROM generate_series($1::int, $2::int) n`
	for _, statement := range []string{
		`INSERT INTO muster.identities (id, name, name_key, alias, alias_key, correlated, manager_key, attributes, created, modified)
		 SELECT ` + numbered("n") + `, 'Person ' || n, 'person ' || n, 'p' || n, 'p' || n, true, 'key1=' || n / 8, '{}', now(), now()` + people,
		`INSERT INTO muster.accounts (id, source_id, native_identity, name, identity_id, attributes, fingerprint, created, modified)
		 SELECT gen_random_uuid(), '00000000-0000-7000-8000-000000000001', n || '/' || k, 'p' || n, ` + numbered("n") + `, '{}',
		        gen_random_uuid(), now(), now()` + people + `, generate_series(1, 2) k`,
		`INSERT INTO muster.role_assignments (id, identity_id, role_id, assignment_source, added_date)
		 SELECT gen_random_uuid(), ` + numbered("n") + `, ` + numbered("k") + `, 'ROLE', now()` + people + `, generate_series(1, 5) k`,
		`INSERT INTO muster.identity_keys (identity_id, key)
		 SELECT ` + numbered("n") + `, 'key' || k || '=' || n` + people + `, generate_series(1, 6) k`,
		`INSERT INTO muster.refresh_state (identity_id, last_refresh) SELECT ` + numbered("n") + `, now()` + people,
		`INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		 SELECT ` + numbered("k") + `, n, ` + numbered("n") + `, ` + numbered("k") + `, 'test', now()` + people + `, generate_series(1, 2) k
		 WHERE k = 2 OR n % 2 = 0`,
	} {
		b.exec(statement, first, last)
	}
}

type batchRead struct {
	name   string
	most   int64 // rows that may be read by indexes
	writes bool  // or locks
	work   func(context.Context, pgx.Tx) error
}

func (b *batches) reads() []batchRead {
	took := func(count int, err error) error {
		if err == nil && count == 0 {
			return errors.New("nothing was read")
		}
		return err
	}
	ignore := store.SnapshotReader{Account: func(*store.Account) error { return nil },
		Assignment: func(*store.HeldRole) error { return nil }, Identity: func(*store.IdentityState) error { return nil }}
	// Each row that is found by an index of several tables counts for each of them.
	return []batchRead{
		{"claim", 60, true, func(ctx context.Context, tx pgx.Tx) error {
			list, err := b.s.ClaimRefreshRequests(ctx, tx, b.task, 50)
			return took(len(list), err)
		}},
		{"page", 60, false, func(ctx context.Context, tx pgx.Tx) error {
			list, err := b.s.PartIdentities(ctx, tx, &store.TaskPart{AfterID: b.id(5)}, 50)
			return took(len(list), err)
		}},
		{"requests", 40 * 4, true, func(ctx context.Context, tx pgx.Tx) error {
			_, err := b.s.TakeRefreshRequests(ctx, tx, b.ids, false)
			return err
		}},
		{"snapshots", 40 * (2 + 5 + 1 + 1), false, func(ctx context.Context, tx pgx.Tx) error {
			return b.s.ReadSnapshots(ctx, tx, b.ids, ignore)
		}},
		{"keys", 40 * 6, false, func(ctx context.Context, tx pgx.Tx) error {
			list, err := b.s.IdentityKeys(ctx, tx, b.ids)
			return took(len(list), err)
		}},
		{"identities by keys", 40, false, func(ctx context.Context, tx pgx.Tx) error {
			list, err := b.s.FindByKeys(ctx, tx, b.keys)
			return took(len(list), err)
		}},
		{"holders of keys", 40, false, func(ctx context.Context, tx pgx.Tx) error {
			list, err := b.s.KeyHolders(ctx, tx, b.keys, 1000)
			return took(len(list), err)
		}},
		{"managed", 40 * 8, true, func(ctx context.Context, tx pgx.Tx) error {
			return b.s.RequestManagedRefresh(ctx, tx, b.keys, b.ids[:1], 0, store.Cause{Task: b.task, At: time.Now()})
		}},
	}
}

// plain does work outside of a batch, and rolls it back.
func (b *batches) plain(work func(context.Context, pgx.Tx) error) {
	b.t.Helper()
	back := errors.New("back")
	err := store.InTx(b.t.Context(), b.conn, pgx.TxOptions{}, func(tx pgx.Tx) error {
		return errors.Join(work(b.t.Context(), tx), back)
	})
	if !errors.Is(err, back) || strings.Contains(err.Error(), "\n") {
		b.t.Fatal(err)
	}
}

// count returns how many rows of all tables a batch reads, and rolls it back.
func (b *batches) count(work func(context.Context, pgx.Tx) error) (whole, found int64) {
	b.t.Helper()
	ctx := b.t.Context()
	read := func(tx pgx.Tx) (whole, found int64) { // by what the session has not told the server yet
		b.t.Helper()
		const rows = `SELECT sum(seq_tup_read)::bigint, coalesce(sum(idx_tup_fetch), 0)::bigint
			FROM pg_stat_xact_user_tables WHERE schemaname = 'muster'`
		if err := tx.QueryRow(ctx, rows).Scan(&whole, &found); err != nil {
			b.t.Fatal(err)
		}
		return whole, found
	}
	back := errors.New("back")
	err := b.begin(ctx, b.conn, func(tx pgx.Tx) error {
		if b.few {
			if _, err := b.s.TakeRefreshRequests(ctx, tx, nil, true); err != nil {
				return err
			}
		}
		wholeBefore, foundBefore := read(tx)
		if err := work(ctx, tx); err != nil {
			return err
		}
		whole, found = read(tx)
		whole, found = whole-wholeBefore, found-foundBefore
		return back
	})
	if !errors.Is(err, back) {
		b.t.Fatal(err)
	}
	return whole, found
}

func oneText(t *testing.T, q store.Querier, query string) string {
	t.Helper()
	var text string
	if err := q.QueryRow(t.Context(), query).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func acquire(t *testing.T, pool *pgxpool.Pool) *pgxpool.Conn {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Release)
	return conn
}
