package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// account returns an account of the source Memory.
func account(login string) *connector.Object {
	return &connector.Object{NativeIdentity: login,
		Attributes: attribute.SetOf(map[string]attribute.Value{"login": attribute.String(login)})}
}

// stubbornOn returns an engine whose source Memory is a stubborn connector.
func stubbornOn(t *testing.T, pool *pgxpool.Pool, s *stubborn, config engine.Config) *engine.Engine {
	t.Helper()
	config.Connectors = map[string]connector.Factory{
		"memory": func(context.Context, connector.Config) (connector.Connector, error) { return s, nil }}
	eng, err := engine.New(t.Context(), pool, config)
	if err != nil {
		t.Fatal(err)
	}
	return eng
}

// scheduled is a company whose source Memory is aggregated every half past.
func scheduled(t *testing.T, pool *pgxpool.Pool, s *stubborn, c *clock) *fixture {
	t.Helper()
	c.set(time.Date(2026, 3, 2, 10, 10, 0, 0, time.UTC))
	f := &fixture{stubbornOn(t, pool, s, engine.Config{Now: c.now}), t, pool}
	f.apply(companyConfig)
	f.apply(memoryConfig)
	f.look()
	c.set(time.Date(2026, 3, 2, 10, 30, 0, 0, time.UTC))
	return f
}

func (f *fixture) look() {
	f.t.Helper()
	if _, err := f.RunSchedule(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) begin() {
	f.t.Helper()
	if err := f.Start(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) stop() {
	f.t.Helper()
	if err := f.Stop(context.WithoutCancel(f.t.Context())); err != nil {
		f.t.Error(err)
	}
}

func (f *fixture) execute(statement string, arguments ...any) {
	f.t.Helper()
	if _, err := f.pool.Exec(f.t.Context(), statement, arguments...); err != nil {
		f.t.Fatal(err)
	}
}

// aMinutePasses lets the queue's jobs be a minute older: it goes by the server's clock.
func (f *fixture) aMinutePasses() {
	f.t.Helper()
	f.execute(`UPDATE muster_jobs.river_job SET attempted_at = attempted_at - interval '61 seconds' WHERE state = 'running'`)
}

const (
	runningAggregations = `SELECT count(*) FROM muster_jobs.river_job WHERE kind = 'muster_aggregate_source' AND state = 'running'`
	waitingAggregations = `SELECT count(*) FROM muster_jobs.river_job WHERE kind = 'muster_aggregate_source' AND state = 'available'`
	scheduledResult     = `SELECT count(*) FROM muster.source_aggregations WHERE result ->> 'added' = '1'`
)

// A worker goes away while it reads a source by its schedule: another one goes on within two looks at the clock, and
// not while the first is there.
func TestScheduledAggregationOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	hanging, goOn := make(chan struct{}), make(chan struct{})
	var c clock
	lost := scheduled(t, l.pool, &stubborn{read: func(_ context.Context, each func(*connector.Object) error) error {
		close(hanging)
		<-goOn
		return each(account("1"))
	}}, &c)
	lost.begin()
	<-hanging
	other := storetestPool(t, l.pool)
	f := &fixture{stubbornOn(t, other, &stubborn{read: func(_ context.Context, each func(*connector.Object) error) error {
		return each(account("1"))
	}}, engine.Config{Now: c.now}), t, other}
	f.look()
	f.aMinutePasses()
	f.look()
	if running := f.count(runningAggregations); running != 1 {
		t.Errorf("the aggregation was taken from a worker that is there: %d run", running)
	}
	l.cut(true)
	eventually(t, "the server sees that the worker is gone", func() bool {
		f.look()
		return f.count(waitingAggregations) == 1
	})
	f.begin()
	eventually(t, "the aggregation", func() bool { return f.count(scheduledResult) == 1 })
	f.stop()
	// What went away comes to itself, and changes nothing any more.
	l.cut(false)
	close(goOn)
	lost.stop()
	if n := f.count(`SELECT count(*) FROM muster.accounts`); n != 1 {
		t.Errorf("there are %d accounts", n)
	}
}

// A source whose aggregation ends the worker every time is left alone until the next time of its schedule, and says so.
func TestScheduledAggregationThatKillsWorkers(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	var c clock
	f := scheduled(t, l.pool, &stubborn{}, &c)
	f.look()
	for range 5 {
		if waiting := f.count(waitingAggregations); waiting != 1 {
			t.Fatalf("%d aggregations wait", waiting)
		}
		f.execute(`UPDATE muster_jobs.river_job SET state = 'running', attempt = attempt + 1, attempted_at = now()
			WHERE kind = 'muster_aggregate_source'`)
		f.look()
		if running := f.count(runningAggregations); running != 1 {
			t.Fatalf("%d aggregations run", running)
		}
		f.aMinutePasses()
		f.look()
	}
	states, err := f.Sources(t.Context())
	if err != nil || states[2].Failed == nil || states[2].Error != "its worker went away in the middle, 5 times" {
		t.Errorf("%+v, %v", states, err)
	}
	c.set(c.now().Add(time.Hour))
	f.look()
	if waiting := f.count(waitingAggregations); waiting != 1 {
		t.Errorf("an hour later %d aggregations wait", waiting)
	}
}

// An engine that is stopped leaves the aggregation that it had begun to the next one.
func TestScheduledAggregationOutlivesAStop(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	hanging := make(chan struct{}, 1)
	var first atomic.Bool
	var c clock
	f := scheduled(t, l.pool, &stubborn{read: func(ctx context.Context, each func(*connector.Object) error) error {
		if first.CompareAndSwap(false, true) {
			hanging <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
		return each(account("1"))
	}}, &c)
	f.begin()
	<-hanging
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if waiting := f.count(waitingAggregations); waiting != 1 {
		t.Errorf("%d aggregations wait", waiting)
	}
	f.begin()
	eventually(t, "the aggregation", func() bool { return f.count(scheduledResult) == 1 })
	f.stop()
}
