package engine

import (
	"context"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/id"
)

// Observation is something that this engine did: a batch of processing, or a job of the queue.
type Observation struct {
	// Job is the kind of the job, "" for a batch.
	Job string
	// Identities is how many identities the batch looked at.
	Identities int
	Duration   time.Duration
	// Failed says that it ended with an error, and is tried again.
	Failed bool
}

// jobObserver tells of the jobs that the engine works on.
type jobObserver struct {
	river.MiddlewareDefaults
	observe func(context.Context, tenant.Observation)
}

// Work implements [rivertype.WorkerMiddleware].
func (o *jobObserver) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	begun := time.Now()
	err := work(ctx)
	o.observe(ctx, tenant.Observation{Job: job.Kind, Duration: time.Since(begun), Failed: err != nil})
	return err
}

// observers returns the middleware of the jobs.
func observers(t *tenant.Tenant) []rivertype.Middleware {
	if t.Observe == nil {
		return nil
	}
	return []rivertype.Middleware{&jobObserver{observe: t.Observe}}
}

// Queues returns the names of the queues of jobs.
func Queues() []string {
	return []string{tenant.QueueEvents, tenant.QueueBulk, tenant.QueueProvisioning, tenant.QueueAggregation,
		tenant.QueueNotification}
}

// MetricsWindow is how far back [Engine.Metrics] counts what has ended.
const MetricsWindow = 24 * time.Hour

// Metrics is the state of the tenant as monitors ask for it. Every count stops at 20,000.
type Metrics struct {
	At         time.Time         `json:"at"`
	Open       []TaskMetric      `json:"open"`  // tasks that have not ended
	Ended      []TaskMetric      `json:"ended"` // of those that were launched within [MetricsWindow]
	Operations []OperationMetric `json:"operations"`
	Requests   RequestMetric     `json:"requests"`
	Queues     []QueueMetric     `json:"queues"`
	Sources    []SourceState     `json:"sources"`
}

// TaskMetric counts tasks of one kind in one state.
type TaskMetric struct {
	Kind      string    `json:"kind"`
	State     string    `json:"state"`     // WAITING, RUNNING or HELD, or the status of tasks that have ended
	Held      int64     `json:"held"`      // those that the guard holds or held
	Confirmed int64     `json:"confirmed"` // those that somebody confirmed
	Tasks     int64     `json:"tasks"`
	Oldest    time.Time `json:"oldest"` // when the first of them was created
	// In seconds, of tasks that have ended: from their first batch to their end, and from their launch to their end.
	Ran      float64 `json:"ran"` // the sum
	RanMost  float64 `json:"ranMost"`
	Took     float64 `json:"took"` // the sum
	TookMost float64 `json:"tookMost"`
	// What they did so far.
	Identities int64 `json:"identities"`
	Changed    int64 `json:"changed"`
	Errors     int64 `json:"errors"`
}

// OperationMetric counts the operations on one source in one state: all that are open, to be done by people or parked,
// and those that were planned within [MetricsWindow] in the other states.
type OperationMetric struct {
	Source     string    `json:"source"`
	State      string    `json:"state"`
	Operations int64     `json:"operations"`
	Oldest     time.Time `json:"oldest"` // when the first of them was planned
}

// RequestMetric counts the requests for processing that wait: an identity may have several.
type RequestMetric struct {
	Requests int64      `json:"requests"`
	Oldest   *time.Time `json:"oldest"` // null if there is none
}

// QueueMetric counts the jobs of one queue in one state.
type QueueMetric struct {
	Queue string    `json:"queue"`
	State string    `json:"state"` // available, running, retryable or scheduled
	Jobs  int64     `json:"jobs"`
	Due   time.Time `json:"due"` // the first of them
}

// The states of operations that are counted wherever they began, and those counted within the window.
var (
	operationsOpen  = []string{"OPEN", "MANUAL", "PARKED"}
	operationsEnded = []string{"DONE", "FAILED", "RETRIED", "CANCELLED"}
)

// Metrics reads the state of the tenant for a monitor. What it costs is bounded, whatever there is: it reads at most
// 20,000 rows of a kind by their indexes. It may be called every few seconds. Package metrics makes a collector for
// Prometheus of it.
func (e *Engine) Metrics(ctx context.Context) (Metrics, error) {
	m := Metrics{At: e.tenant.Now()}
	err := e.readMetrics(ctx, &m)
	return m, fault.Wrap("read the metrics", "", err)
}

func (e *Engine) readMetrics(ctx context.Context, m *Metrics) error {
	since := m.At.Add(-MetricsWindow)
	open, err := e.tenant.Store.OpenTaskMetrics(ctx, e.tenant.Pool)
	if err != nil {
		return err
	}
	ended, err := e.tenant.Store.EndedTaskMetrics(ctx, e.tenant.Pool, since)
	if err != nil {
		return err
	}
	m.Open, m.Ended = taskMetrics(open), taskMetrics(ended)
	if err := e.readOperationMetrics(ctx, m, since); err != nil {
		return err
	}
	requests, err := e.tenant.Store.RequestMetrics(ctx, e.tenant.Pool)
	if err != nil {
		return err
	}
	m.Requests = RequestMetric(requests)
	queues, err := e.tenant.Store.QueueMetrics(ctx, e.tenant.Pool, e.tenant.JobSchema)
	if err != nil {
		return err
	}
	for _, q := range queues {
		m.Queues = append(m.Queues, QueueMetric(q))
	}
	m.Sources, err = e.Sources(ctx)
	return err
}

func taskMetrics(rows []store.TaskMetric) []TaskMetric {
	metrics := make([]TaskMetric, len(rows))
	for i := range rows {
		metrics[i] = TaskMetric(rows[i])
	}
	return metrics
}

func (e *Engine) readOperationMetrics(ctx context.Context, m *Metrics, since time.Time) error {
	c, err := e.tenant.CurrentConfiguration(ctx)
	if err != nil {
		return err
	}
	count := func(states []string, from store.ID) error {
		for _, state := range states {
			rows, err := e.tenant.Store.OperationMetrics(ctx, e.tenant.Pool, state, from)
			if err != nil {
				return err
			}
			for _, r := range rows {
				name := r.SourceID.String()
				if source := c.Sources[r.SourceID]; source != nil {
					name = source.Name
				}
				m.Operations = append(m.Operations, OperationMetric{name, r.State, r.Operations, r.Oldest})
			}
		}
		return nil
	}
	if err := count(operationsOpen, store.ID{}); err != nil {
		return err
	}
	return count(operationsEnded, id.First(since))
}
