//go:build crash

package crashtest

import (
	"context"
	"maps"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// The phases in which something is killed.
const (
	phaseAggregation  = "aggregation"
	phaseProcessing   = "processing"
	phaseProvisioning = "provisioning"
	phaseMail         = "mail"
)

var phases = []string{phaseAggregation, phaseProcessing, phaseProvisioning, phaseMail}

// phaseOf tells the phase of the calling goroutine by the engine's function that it is in, "" for none. A function that
// gets another name here is a phase that is never hit, which fails the suite.
func phaseOf() string {
	var counters [96]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters[:])])
	for {
		frame, more := frames.Next()
		if name, ok := strings.CutPrefix(frame.Function, "github.com/muster-engine/muster/engine/internal/"); ok {
			switch name {
			case "aggregation.(*Aggregator).AggregateSource":
				return phaseAggregation
			case "processing.(*Work).batch":
				return phaseProcessing
			case "provisioning.(*Provisioner).deliver":
				return phaseProvisioning
			case "registration.(*Registrar).sendTask":
				return phaseMail
			}
		}
		if !more {
			return ""
		}
	}
}

// The kinds of kills.
const (
	killWorker     = "worker SIGKILL"
	killPostmaster = "postmaster SIGKILL"
	killImmediate  = "immediate stop"
	// pause stops a worker for longer than its leases, which others take over, and lets it go on.
	pause = "worker SIGSTOP"
)

// strike says when something is to be killed or paused: a time after so many steps of a phase in one worker.
type strike struct {
	ID    int
	Kind  string
	Phase string
	After int
	Delay time.Duration
	// Moves is for how many moves of the clock a pause lasts at most. One that lasts for several goes on, where nothing
	// is left to do, in the next round: what the worker does then may be outdated.
	Moves int
}

// meter counts the steps of a worker's phases, and strikes. A step is the beginning or the end of a statement, of an
// operation of a connector, or of the sending of a message.
type meter struct {
	report func(report)
	now    func() time.Time // the clock of the company

	mutex  sync.Mutex
	steps  map[string]int
	begun  map[*time.Time]bool // what has begun and not ended
	strike *strike
}

// activeMax is how long something that has begun counts as going on: pgx does not tell the end of a statement whose
// connection was found dead at its beginning.
const activeMax = 3 * time.Second

// begin counts the beginning of something. The end that it returns counts that.
func (m *meter) begin(phase, point string) (end func()) {
	now := time.Now()
	m.mutex.Lock()
	m.begun[&now] = true
	m.mutex.Unlock()
	m.step(phase, "before "+point)
	return func() {
		m.mutex.Lock()
		delete(m.begun, &now)
		m.mutex.Unlock()
		m.step(phase, "after "+point)
	}
}

// step counts a step. At that of the strike the worker tells the parent, and kills itself where it is the one to die.
func (m *meter) step(phase, point string) {
	m.mutex.Lock()
	m.steps[phase]++
	var due *strike
	if m.strike != nil && m.strike.Phase == phase {
		if m.strike.After--; m.strike.After <= 0 {
			due, m.strike = m.strike, nil
		}
	}
	m.mutex.Unlock()
	if due == nil {
		return
	}
	hit := func() {
		m.report(report{Struck: &struck{ID: due.ID, Kind: due.Kind, Phase: phase, Point: point, Moves: due.Moves,
			At: m.now()}})
		switch due.Kind {
		case killWorker:
			_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL) // it does not return
		case pause:
			_ = syscall.Kill(syscall.Getpid(), syscall.SIGSTOP) // it returns when the parent lets it go on
		}
	}
	if due.Delay == 0 {
		hit()
		return
	}
	time.AfterFunc(due.Delay, hit) // the work goes on until then
}

func (m *meter) arm(s *strike) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.strike = s
}

func (m *meter) read() (steps map[string]int, active int) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for begun := range m.begun {
		if time.Since(*begun) < activeMax {
			active++
		}
	}
	return maps.Clone(m.steps), active
}

// tracer makes a step of the beginning and the end of every statement of a phase.
type tracer struct{ meter *meter }

type tracedKey struct{}

func (t *tracer) begin(ctx context.Context, statement string) context.Context {
	phase := phaseOf()
	if phase == "" {
		return ctx
	}
	statement, _, _ = strings.Cut(strings.TrimSpace(statement), "\n")
	return context.WithValue(ctx, tracedKey{}, t.meter.begin(phase, statement))
}

func (t *tracer) end(ctx context.Context) {
	if end, ok := ctx.Value(tracedKey{}).(func()); ok {
		end()
	}
}

// TraceQueryStart implements [pgx.QueryTracer].
func (t *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return t.begin(ctx, data.SQL)
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (t *tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) { t.end(ctx) }

// TraceCopyFromStart implements [pgx.CopyFromTracer].
func (t *tracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	return t.begin(ctx, "COPY")
}

// TraceCopyFromEnd implements [pgx.CopyFromTracer].
func (t *tracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromEndData) {
	t.end(ctx)
}
