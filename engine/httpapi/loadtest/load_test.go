//go:build load

package loadtest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) {
	if os.Getenv(probeVariable) == "" {
		storetest.Main(m)
	}
	if err := probeMain(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

var length = flag.Duration("load", 2*time.Minute, "how long the load lasts")

// The limits that the load demands. Below heapFloor nothing is said of the heap's growth.
const (
	heapGrowthMax = 1.5
	heapFloor     = 20 << 20
	latencyMax    = 3.0
)

// TestLoad calls the API in every way, from clients that know the rate limit and clients that do not, while everybody is
// processed over and over. See docs/load.md.
func TestLoad(t *testing.T) {
	s := newServer(t)
	counts := &tally{answers: map[string]map[int]int{}}
	s.rounds(*length/8, "warm-up", counts)
	before := s.measure()
	runs := s.rounds(*length*3/8, "load", counts)
	latency := s.latencies(*length / 2)
	after := s.measure()
	t.Logf("answers\n%s", counts.table())
	t.Logf("%d runs over %d people beside the requests\n%s", runs, people, latency)
	t.Logf("heap %.1f MB after the warm-up, %.1f MB at the end; goroutines %d, %d; connections %d, %d",
		float64(before.heap)/(1<<20), float64(after.heap)/(1<<20), before.goroutines, after.goroutines,
		before.connections, after.connections)
	if after.heap > heapFloor && float64(after.heap) > heapGrowthMax*float64(before.heap) {
		t.Errorf("the heap grew more than %.1f-fold", heapGrowthMax)
	}
	if after.goroutines > before.goroutines+20 {
		t.Errorf("goroutines became more, from %d to %d", before.goroutines, after.goroutines)
	}
	if after.connections > connsMax+1 { // the queue takes one out of the pool to listen
		t.Errorf("%d connections are open, the pool may have %d", after.connections, connsMax)
	}
	s.demandDone()
	s.stop()
	s.demandNoConnections()
	if n := s.faults.count.Load(); n > 0 {
		t.Errorf("the server logged %d warnings and errors", n)
	}
}

// rounds lets everything go on at once for a while, and waits until what it left to be done is done. It returns how
// often everybody was processed.
func (s *server) rounds(length time.Duration, name string, counts *tally) int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), length)
	defer cancel()
	var group sync.WaitGroup
	runs := 0
	group.Go(func() { s.traffic(ctx, name, counts) })
	group.Go(func() { runs = s.processAll(ctx, func() {}) })
	group.Go(func() { s.aggregations(ctx) })
	group.Go(func() { s.assignments(ctx) })
	group.Wait()
	s.drain()
	return runs
}

// processAll processes everybody over and over until the context ends, and returns how often. It calls begun when the
// first run has.
func (s *server) processAll(ctx context.Context, begun func()) int {
	whole := context.WithoutCancel(ctx) // a run that was begun is finished
	for runs := 0; ; runs++ {
		if ctx.Err() != nil {
			return runs
		}
		task, err := s.ProcessAll(whole)
		if err == nil {
			task, err = s.Follow(whole, task.ID, func(task engine.TaskStatus) {
				if task.Launched != nil && begun != nil {
					begun()
					begun = nil
				}
			})
		}
		if err != nil || task.CompletionStatus == nil || *task.CompletionStatus != "SUCCESS" {
			s.t.Errorf("a run over everybody: %+v, %v", task, err)
			return runs
		}
	}
}

// aggregations change some people's department, and bring back everyone who was deleted.
func (s *server) aggregations(ctx context.Context) {
	for round := 1; ctx.Err() == nil; round++ {
		from := rand.IntN(people - 100)
		text := hrText(from, from+100, round)
		_, err := s.Aggregate(context.WithoutCancel(ctx), "HR", strings.NewReader(text), engine.AggregateOptions{Delta: true})
		if err != nil {
			s.t.Errorf("an aggregation: %v", err)
		}
		pause(ctx, time.Second)
	}
}

// assignments assign a role, revoke it, and set lifecycle states.
func (s *server) assignments(ctx context.Context) {
	whole := context.WithoutCancel(ctx)
	random := rand.New(rand.NewPCG(3, 4))
	for ctx.Err() == nil {
		id := s.somebody(random)
		assigned, err := s.AssignRole(whole, engine.AssignRoleParams{Identity: id, Role: "Lead"})
		if err == nil {
			_, err = s.SetLifecycleState(whole, id, []string{"active", ""}[random.IntN(2)])
		}
		if err == nil {
			err = s.RevokeRole(whole, id, assigned.ID)
		}
		if err != nil && engine.KindOf(err) != engine.NotFound {
			s.t.Errorf("an assignment: %v", err)
		}
		pause(ctx, 100*time.Millisecond)
	}
}

func pause(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}

// drain waits until no task is left.
func (s *server) drain() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	for {
		pending, err := s.CountTasks(ctx, engine.TaskQuery{Pending: true})
		s.must(err)
		if pending == 0 {
			return
		}
		if pause(ctx, 20*time.Millisecond); errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s.t.Fatalf("%d tasks do not end", pending)
		}
	}
}

// footprint is what the process and its database hold while nothing is asked.
type footprint struct {
	heap        uint64
	goroutines  int
	connections int
}

func (s *server) measure() footprint {
	s.t.Helper()
	runtime.GC()
	runtime.GC() // what the first one's finalizers let go
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	f := footprint{heap: memory.HeapAlloc, goroutines: runtime.NumGoroutine()}
	s.must(s.Pool.QueryRow(s.t.Context(), `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend'`).Scan(&f.connections))
	return f
}

// demandDone demands that nothing is left half done in the database.
func (s *server) demandDone() {
	s.t.Helper()
	for name, query := range map[string]string{
		"transactions are open": `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND state LIKE 'idle in transaction%'`,
		"identities wait for processing": `SELECT count(*) FROM muster.refresh_requests`,
		"identities have failed":         `SELECT count(*) FROM muster.identities WHERE processing_state = 'ERROR'`,
		"tasks have failed":              `SELECT count(*) FROM muster.tasks WHERE completion_status = 'ERROR'`,
		"deadlocks were resolved":        `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`,
	} {
		var n int
		s.must(s.Pool.QueryRow(s.t.Context(), query).Scan(&n))
		if n > 0 {
			s.t.Errorf("got %d %s, want n <= 0", n, name)
		}
	}
}

// demandNoConnections demands that the server left no connection to its database.
func (s *server) demandNoConnections() {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.url)
	s.must(err)
	defer func() { s.must(conn.Close(context.WithoutCancel(s.t.Context()))) }()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	for n := -1; n != 0; { // a backend ends a moment after its client
		s.must(conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`).Scan(&n))
	}
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }
