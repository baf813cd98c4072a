package tenant_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// newTenant returns the default tenant.
func newTenant(t *testing.T, pool *pgxpool.Pool) *tenant.Tenant {
	t.Helper()
	tables, err := tenant.New(pool, tenant.Settings{Clock: time.Now, JobSchema: "muster_jobs", Schema: "muster",
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// begin begins a transaction that is rolled back at the end of the test.
func begin(t *testing.T, pool *pgxpool.Pool) pgx.Tx {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) })
	return tx
}

// insert writes a job that is to begin at once.
func insert(t *testing.T, tables *tenant.Tenant, tx pgx.Tx) int64 {
	t.Helper()
	id, err := tables.Insert(t.Context(), tx, tenant.RunTask{Task: store.NewID().String()},
		&river.InsertOpts{Queue: tenant.QueueEvents})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Every commit with a job tells the workers, however soon after another job it was inserted, and whatever became of the
// other one's transaction.
func TestEveryCommitTellsTheWorkers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool := storetest.Pool(t)
	tables := newTenant(t, pool)
	listener, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Release()
	if _, err := listener.Exec(t.Context(), `LISTEN "muster_jobs.river_insert"`); err != nil {
		t.Fatal(err)
	}
	first, second := begin(t, pool), begin(t, pool)
	insert(t, tables, first)
	insert(t, tables, second) // within microseconds
	insert(t, tables, second)
	if err := first.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := second.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := begin(t, pool)
	insert(t, tables, last)
	if err := last.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for i := range 2 {
		told, err := listener.Conn().WaitForNotification(ctx)
		if err != nil {
			t.Fatalf("commit %d told nobody: %v", i+1, err)
		}
		if told.Payload != `{"queue": "default"}` {
			t.Errorf("commit %d told %q", i+1, told.Payload)
		}
	}
}

// A job is there for the workers that are told of it also where the engine's clock is a little ahead.
func TestJobIsDueForASlowerClock(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool := storetest.Pool(t)
	tables := newTenant(t, pool)
	tx := begin(t, pool)
	id := insert(t, tables, tx)
	var due bool
	err := tx.QueryRow(t.Context(), `
		SELECT state = 'available' AND scheduled_at <= now() - interval '0.5 seconds'
		FROM muster_jobs.river_job WHERE id = $1`, id).Scan(&due)
	if err != nil || !due {
		t.Errorf("got %t, %v: the job is not due by a clock that is half a second behind", due, err)
	}
}
