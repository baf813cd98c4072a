package engine_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

// hide takes the rows of a table away, as if the transaction that wrote them were not visible yet. It returns what makes
// them visible.
func (f *fixture) hide(table string) (show func()) {
	f.t.Helper()
	f.execute(`CREATE TABLE hidden AS TABLE muster.` + table)
	f.execute(`DELETE FROM muster.` + table)
	return func() {
		f.t.Helper()
		f.execute(`INSERT INTO muster.` + table + ` TABLE hidden`)
	}
}

// waiting is a company where one thing waits for its job, and the engine is not started.
type waiting struct {
	*fixture
	kind, table string
	done        func() bool
}

func waitingTask(t *testing.T, config engine.Config) *waiting {
	t.Helper()
	f := &fixture{enginetest.New(t, enginetest.WithConfig(config)), t}
	task, err := f.ProcessIdentities(t.Context(), []string{f.ID("bob")})
	if err != nil {
		t.Fatal(err)
	}
	return &waiting{f, "muster_run_task", "tasks", func() bool {
		status, err := f.Task(t.Context(), task.ID)
		return err == nil && status.Ended()
	}}
}

func waitingDelivery(t *testing.T, config engine.Config) *waiting {
	t.Helper()
	f := operationOpen(t, newMemory(), config)
	return &waiting{f, "muster_provision", "provisioning_batches", func() bool {
		return f.CountRows("muster.provisioning_operations WHERE state = 'DONE'") > 0
	}}
}

func waitingMessages(t *testing.T, config engine.Config) *waiting {
	t.Helper()
	var sent atomic.Int64
	config.Notifier = &post{func(context.Context, *engine.Message) error { sent.Add(1); return nil }}
	f := &fixture{enginetest.New(t, enginetest.WithConfig(config)), t}
	f.execute(`ALTER TABLE muster.notifications DROP CONSTRAINT notifications_task_fkey`)
	f.invite(engine.InviteParams{IDs: []string{f.ID("ann")}})
	return &waiting{f, "muster_send_messages", "tasks", func() bool {
		return sent.Load() == 1 && f.CountRows("muster.tasks WHERE completed IS NULL") == 0
	}}
}

// With PollOnly jobs are found, though nobody listens.
func TestPollOnly(t *testing.T) {
	t.Parallel()
	for name, pollOnly := range map[string]bool{"told": false, "asks": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !pollOnly && storetest.PollOnly() {
				t.Skip("through this pooler nobody is told")
			}
			f := waitingTask(t, engine.Config{PollOnly: pollOnly})
			f.begin()
			await(t, "the task", f.done)
			listens := f.CountRows("pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN %'")
			if (listens == 0) != pollOnly {
				t.Errorf("%d connections listen", listens)
			}
			f.stop()
		})
	}
}

var waitingKinds = map[string]func(*testing.T, engine.Config) *waiting{
	"task": waitingTask, "delivery": waitingDelivery, "messages": waitingMessages,
}

// A job that is visible before what it names waits for it, and carries it out.
func TestJobWaitsForWhatItNames(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for name, begin := range waitingKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := begin(t, engine.Config{})
			named := f.text(`SELECT args::text FROM muster_jobs.river_job WHERE kind = $1`, f.kind)
			show := f.hide(f.table)
			f.begin()
			await(t, "the job waits", func() bool {
				return f.CountRows("muster_jobs.river_job WHERE kind = $1 AND (metadata ->> 'snoozes')::int > 0", f.kind) == 1
			})
			show()
			await(t, "what waited for the job is done", f.done)
			// What was done may be followed by other work, with a job of its own.
			if n := f.CountRows("muster_jobs.river_job WHERE kind = $1 AND args = $2::jsonb", f.kind, named); n != 1 {
				t.Errorf("it had %d jobs, want the one that waited", n)
			}
			f.stop()
		})
	}
}

// A job whose task, delivery or messages are gone ends at once where its age, or an attempt before, tells that it does
// not wait for them.
func TestOldJobOfNothingEnds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for name, begin := range waitingKinds {
		for cause, change := range map[string]string{
			"age": "created_at = created_at - interval '3 minutes'", "attempt": "attempt = 1",
		} {
			t.Run(name+" "+cause, func(t *testing.T) {
				t.Parallel()
				f := begin(t, engine.Config{})
				f.hide(f.table)
				f.execute(`UPDATE muster_jobs.river_job SET ` + change)
				f.begin()
				await(t, "the job ends", func() bool {
					return f.CountRows(`muster_jobs.river_job WHERE kind = $1 AND state = 'completed'
						AND metadata ->> 'snoozes' IS NULL`, f.kind) == 1
				})
				f.stop()
			})
		}
	}
}

// What has lost its job gets another one by the next look, and only one. What has a job that waits or runs gets none.
func TestLostJobIsReplaced(t *testing.T) {
	t.Parallel()
	states := []struct {
		name, change string
		after        time.Duration // from the launch to the look
		lost         bool
	}{
		{"deleted", `DELETE FROM muster_jobs.river_job`, 4 * time.Second, true},
		{"deleted just now", `DELETE FROM muster_jobs.river_job`, 2 * time.Second, false},
		{"completed", `UPDATE muster_jobs.river_job SET state = 'completed', finalized_at = now()`, 4 * time.Second, true},
		{"cancelled", `UPDATE muster_jobs.river_job SET state = 'cancelled', finalized_at = now()`, 4 * time.Second, true},
		{"discarded", `UPDATE muster_jobs.river_job SET state = 'discarded', finalized_at = now()`, 4 * time.Second, true},
		{"available", `UPDATE muster_jobs.river_job SET state = 'available', finalized_at = NULL`, 10 * time.Minute, false},
		{"retryable", `UPDATE muster_jobs.river_job SET state = 'retryable', finalized_at = NULL`, 10 * time.Minute, false},
		{"scheduled", `UPDATE muster_jobs.river_job SET state = 'scheduled', finalized_at = NULL`, 10 * time.Minute, false},
		{"running", `UPDATE muster_jobs.river_job SET state = 'running', finalized_at = NULL, attempted_at = now()`, 4 * time.Second, false},
		{"just begun", `UPDATE muster_jobs.river_job SET state = 'running', finalized_at = NULL, attempted_at = now()`, 2 * time.Minute, false},
		{"its worker is gone", `UPDATE muster_jobs.river_job SET state = 'running', attempted_at = now() - interval '61 seconds'`,
			61 * time.Second, true},
	}
	for name, begin := range waitingKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c enginetest.Clock
			c.Set(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
			f := begin(t, engine.Config{Now: c.Now})
			other, err := engine.New(t.Context(), f.Pool, engine.Config{Now: c.Now})
			if err != nil {
				t.Fatal(err)
			}
			f.look() // begins the slot
			for _, state := range states {
				f.execute(`UPDATE muster.tasks SET modified = $1 WHERE completed IS NULL`, c.Now())
				f.execute(`UPDATE muster.provisioning_batches SET created = $1`, c.Now())
				f.execute(state.change)
				before := f.text(`SELECT coalesce(max(id), 0)::text FROM muster_jobs.river_job`)
				c.Advance(state.after)
				var group sync.WaitGroup
				for _, eng := range []*engine.Engine{f.Engine, other, f.Engine, other} {
					group.Go(func() {
						if _, err := eng.RunSchedule(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
				group.Wait()
				want := 0
				if state.lost {
					want = 1
				}
				if n := f.CountRows(`muster_jobs.river_job WHERE id > $1::bigint AND kind = $2`, before, f.kind); n != want {
					t.Errorf("%s: %d jobs more, want %d", state.name, n, want)
				}
			}
		})
	}
}

// A started engine carries out what had lost its job, without a look at the clock by the queue.
func TestStartedEngineReplacesLostJob(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for name, begin := range waitingKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := begin(t, engine.Config{})
			f.execute(`DELETE FROM muster_jobs.river_job`)
			// The queue's own look is due no more than once.
			f.begin()
			begun := time.Now()
			await(t, "what had lost its job is done", f.done)
			if took := time.Since(begun); took > 25*time.Second {
				t.Errorf("it took %s: the queue's own look did it", took)
			}
			t.Logf("done after %s", time.Since(begun).Round(time.Millisecond))
			f.stop()
		})
	}
}

// No statement names both the data schema and the job schema.
func TestNoStatementNamesBothSchemas(t *testing.T) {
	t.Parallel()
	r := &bothSchemas{}
	config, err := pgxpool.ParseConfig(storetest.ConnString(t))
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.Tracer = r
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	f := &fixture{enginetest.New(t, enginetest.WithPool(pool)), t}
	for _, alias := range []string{"bob", "dee"} {
		if _, err := f.ProcessIdentities(t.Context(), []string{f.ID(alias)}); err != nil {
			t.Fatal(err)
		}
	}
	f.execute(`DELETE FROM muster_jobs.river_job WHERE id = (SELECT min(id) FROM muster_jobs.river_job)`)
	f.execute(`UPDATE muster.tasks SET modified = modified - interval '1 minute'`)
	f.look()
	f.doctor(engine.DoctorOptions{Repair: true, Thorough: true})
	f.Process()
	for _, statement := range r.found {
		t.Errorf("it names both schemas: %s", statement)
	}
	if r.data == 0 || r.jobs == 0 {
		t.Errorf("%d statements name the data schema, and %d the job schema", r.data, r.jobs)
	}
}

// bothSchemas finds the statements that name the data schema and the job schema.
type bothSchemas struct {
	mutex      sync.Mutex
	data, jobs int
	found      []string
}

func (r *bothSchemas) record(statement string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	data, jobs := strings.Contains(statement, "muster."), strings.Contains(statement, "muster_jobs.")
	if data {
		r.data++
	}
	if jobs {
		r.jobs++
	}
	if data && jobs {
		r.found = append(r.found, statement)
	}
}

// TraceQueryStart implements [pgx.QueryTracer].
func (r *bothSchemas) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.record(data.SQL)
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (*bothSchemas) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart implements [pgx.BatchTracer].
func (*bothSchemas) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (r *bothSchemas) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	r.record(data.SQL)
}

// TraceBatchEnd implements [pgx.BatchTracer].
func (*bothSchemas) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}
