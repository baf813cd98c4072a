package engine_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
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
func scheduled(t *testing.T, pool *pgxpool.Pool, s *stubborn, c *enginetest.Clock) *fixture {
	t.Helper()
	c.Set(time.Date(2026, 3, 2, 10, 10, 0, 0, time.UTC))
	f := fixtureOf(t, stubbornOn(t, pool, s, engine.Config{Now: c.Now}), pool)
	f.ApplyText(enginetest.Documents)
	f.ApplyText(memoryConfig)
	f.look()
	c.Set(time.Date(2026, 3, 2, 10, 30, 0, 0, time.UTC))
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

// aMinutePasses lets the queue's jobs be a minute older: it goes by the server's clock.
func (f *fixture) aMinutePasses() {
	f.t.Helper()
	f.execute(`UPDATE muster_jobs.river_job SET attempted_at = attempted_at - interval '61 seconds' WHERE state = 'running'`)
}

// aggregatedOne reports whether an aggregation by schedule has added one account.
func (f *fixture) aggregatedOne() bool {
	f.t.Helper()
	return f.CountRows("muster.source_aggregations WHERE result ->> 'added' = '1'") == 1
}

// A worker goes away while it reads a source by its schedule: another one goes on within two looks at the clock, and
// not while the first is there.
func TestScheduledAggregationOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	l := newLine(t)
	hanging, goOn := make(chan struct{}), make(chan struct{})
	var c enginetest.Clock
	lost := scheduled(t, l.pool, &stubborn{read: func(_ context.Context, each func(*connector.Object) error) error {
		close(hanging)
		<-goOn
		return each(account("ann"))
	}}, &c)
	lost.begin()
	<-hanging
	other := storetestPool(t, l.pool)
	f := fixtureOf(t, stubbornOn(t, other, &stubborn{read: func(_ context.Context, each func(*connector.Object) error) error {
		return each(account("ann"))
	}}, engine.Config{Now: c.Now}), other)
	f.look()
	f.aMinutePasses()
	f.look()
	if running := f.aggregationJobs("running"); running != 1 {
		t.Errorf("the aggregation was taken from a worker that is there: %d run, want 1", running)
	}
	l.cut(true)
	eventually(t, "the server sees that the worker is gone", func() bool {
		f.look()
		return f.aggregationJobs("available") == 1
	})
	f.begin()
	eventually(t, "the aggregation", f.aggregatedOne)
	f.stop()
	// What went away comes to itself, and changes nothing any more.
	l.cut(false)
	close(goOn)
	lost.stop()
	if n := f.accounts(); n != 1 {
		t.Errorf("there are %d accounts, want 1", n)
	}
}

// A source whose aggregation ends the worker every time is left alone until the next time of its schedule, and says so.
func TestScheduledAggregationThatKillsWorkers(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	var c enginetest.Clock
	f := scheduled(t, l.pool, &stubborn{}, &c)
	f.look()
	for range 5 {
		if waiting := f.aggregationJobs("available"); waiting != 1 {
			t.Fatalf("%d aggregations wait", waiting)
		}
		f.execute(`UPDATE muster_jobs.river_job SET state = 'running', attempt = attempt + 1, attempted_at = now()
			WHERE kind = 'muster_aggregate_source'`)
		f.look()
		if running := f.aggregationJobs("running"); running != 1 {
			t.Fatalf("%d aggregations run", running)
		}
		f.aMinutePasses()
		f.look()
	}
	states, err := f.Sources(t.Context())
	if err != nil || states[2].Failed == nil || states[2].Error != "its worker went away in the middle, 5 times" {
		t.Errorf("got %+v, %v, want err == nil && states[2].Failed != nil && states[2].Error == \"its worker went away in the middle, 5 times\"", states, err)
	}
	c.Set(c.Now().Add(time.Hour))
	f.look()
	if waiting := f.aggregationJobs("available"); waiting != 1 {
		t.Errorf("an hour later %d aggregations wait, want 1", waiting)
	}
}

// An aggregation by schedule that fails after another one has succeeded leaves no error behind: what it says is outdated.
func TestScheduledAggregationFailsBehindASuccess(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	hanging, goOn := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	var c enginetest.Clock
	f := scheduled(t, storetest.Pool(t), &stubborn{read: func(_ context.Context, each func(*connector.Object) error) error {
		if first.CompareAndSwap(false, true) {
			close(hanging)
			<-goOn
			return errors.New("the source hung up")
		}
		return each(account("ann"))
	}}, &c)
	f.begin()
	<-hanging
	c.Set(c.Now().Add(time.Minute))
	if _, err := f.AggregateSource(t.Context(), "Memory", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Set(c.Now().Add(time.Minute))
	close(goOn)
	eventually(t, "the end of the first", func() bool { return f.aggregationJobs("completed") == 1 })
	f.stop()
	states, err := f.Sources(t.Context())
	if err != nil || states[2].Last == nil || states[2].Failed != nil || states[2].Error != "" {
		t.Errorf("got %+v, %v, want a success and no error", states, err)
	}
}

// An engine that is stopped leaves the aggregation that it had begun to the next one.
func TestScheduledAggregationOutlivesAStop(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	l := newLine(t)
	hanging := make(chan struct{}, 1)
	var first atomic.Bool
	var c enginetest.Clock
	f := scheduled(t, l.pool, &stubborn{read: func(ctx context.Context, each func(*connector.Object) error) error {
		if first.CompareAndSwap(false, true) {
			hanging <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
		return each(account("ann"))
	}}, &c)
	f.begin()
	<-hanging
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if waiting := f.aggregationJobs("available"); waiting != 1 {
		t.Errorf("%d aggregations wait, want 1", waiting)
	}
	f.begin()
	eventually(t, "the aggregation", f.aggregatedOne)
	f.stop()
}

// A source that does not stop is refused at a limit, and its objects take no memory meanwhile. The test measures the
// heap, and so runs alone.
func TestConnectorReturnsTooMuch(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	const most, heapMost = 1_000_000, 64 << 20
	groups := false
	read := 0
	f := newStubborn(t, &stubborn{read: func(_ context.Context, each func(*connector.Object) error) error {
		object := account("")
		for read = 0; ; read++ {
			if object.NativeIdentity = strconv.Itoa(read); groups {
				object.Type = "group"
			}
			if err := each(object); err != nil {
				return err
			}
		}
	}})
	highest := watchHeap(t)
	_, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{MaxObjects: most})
	demandKind(t, err, engine.Conflict, "there are more than 1000000 objects: nothing was changed")
	if grown := highest(); grown > heapMost {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	if read != most {
		t.Errorf("%d objects were read", read)
	}
	groups = true
	_, err = f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{MaxObjects: 1000})
	demandKind(t, err, engine.Conflict, "there are more than 1000 objects")
	_, err = f.Aggregate(t.Context(), "HR", strings.NewReader(enginetest.People), engine.AggregateOptions{MaxObjects: 4})
	demandKind(t, err, engine.Conflict, "there are more than 4 objects")
	if n := f.number(`SELECT (SELECT count(*) FROM muster.accounts) + (SELECT count(*) FROM muster.entitlements)`); n != 0 {
		t.Errorf("%d rows were kept, want 0", n)
	}
	if result := f.AggregateText("HR", enginetest.People, engine.AggregateOptions{MaxObjects: 5}); result.Added != 5 {
		t.Errorf("got %+v, want Added 5", result)
	}
}

// watchHeap returns what tells by how much the heap has grown at most.
func watchHeap(t *testing.T) (highest func() uint64) {
	t.Helper()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	before, most := heap(), uint64(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			most = max(most, heap())
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		t.Logf("the heap grew by at most %d KiB", (max(most, before)-before)>>10)
		return max(most, before) - before
	}
}

// A source that does not answer holds up the caller until its context ends, and workers on other sources not at all.
func TestConnectorHangs(t *testing.T) {
	t.Parallel()
	hanging := make(chan struct{}, 10)
	hang := func(ctx context.Context) error {
		hanging <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	answers := true // the first reading, without which no account is created
	f := newStubborn(t, &stubborn{
		read: func(ctx context.Context, _ func(*connector.Object) error) error {
			if answers {
				return nil
			}
			return hang(ctx)
		},
		apply: func(ctx context.Context, _ *connector.Operation) (connector.Result, error) {
			return connector.Result{}, hang(ctx)
		},
	})
	readOnce(t, f.Company, "Files")
	answers = false
	limited := func(do func(ctx context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		var stop sync.WaitGroup
		stop.Go(func() {
			<-hanging
			cancel()
		})
		if err := do(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("what hangs ends in %v", err)
		}
		stop.Wait()
	}
	limited(func(ctx context.Context) error {
		_, err := f.AggregateSource(ctx, "Files", engine.AggregateOptions{})
		return err
	})
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	for len(hanging) > 0 {
		<-hanging
	}
	limited(func(ctx context.Context) error {
		_, err := f.ProvisionPending(ctx)
		return err
	})
	// The operations are open, and the batch is nobody's.
	if n := f.CountRows(`muster.provisioning_batches WHERE leased IS NULL`); n == 0 {
		t.Error("the batch is held by nobody who is there")
	}
	f.begin()
	<-hanging
	// While a worker hangs on the source, the rest goes on.
	result := f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Board", "Sales"), engine.AggregateOptions{})
	if task, err := f.Wait(t.Context(), result.Task); err != nil || *task.CompletionStatus == "ERROR" {
		t.Errorf("got %+v and the error %v, want CompletionStatus other than ERROR", task, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 100*time.Millisecond)
	defer cancel()
	if err := f.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a worker that hangs is stopped with %v", err)
	}
	if n := f.CountRows(`muster.provisioning_operations WHERE state <> 'OPEN'`); n != 0 {
		t.Errorf("%d operations are not open, want 0", n)
	}
}
