package tenant

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/store"
)

// Deliver is the job that carries out a delivery.
type Deliver struct {
	Delivery string `json:"batch"`
}

// Kind implements [river.JobArgs].
func (Deliver) Kind() string { return "muster_provision" }

// SendMessages is the job that sends the messages of a task.
type SendMessages struct {
	Task string `json:"task"`
}

// Kind implements [river.JobArgs].
func (SendMessages) Kind() string { return "muster_send_messages" }

// AggregateSource is the job that aggregates a source by its connector.
type AggregateSource struct {
	Source string `json:"source" river:"unique"`
}

// Kind implements [river.JobArgs].
func (AggregateSource) Kind() string { return "muster_aggregate_source" }

// The queues of jobs: one for what concerns few identities, one for long runs, so that these do not hold up those.
const (
	QueueEvents = river.QueueDefault
	QueueBulk   = "bulk"
	// QueueProvisioning is for what waits for sources.
	QueueProvisioning = "provisioning"
	QueueAggregation  = "aggregation"
	QueueNotification = "notification"
)

// Insert writes a job and returns its ID.
func (t *Tenant) Insert(ctx context.Context, tx pgx.Tx, args river.JobArgs, options *river.InsertOpts) (int64, error) {
	inserted, err := t.Jobs.InsertTx(ctx, tx, args, options)
	if err != nil {
		return 0, store.MapError(err)
	}
	return inserted.Job.ID, nil
}

// FetchCooldown is the least time between two looks for jobs: most of an event's latency.
const FetchCooldown = 5 * time.Millisecond

// turnMax is how long a job works on its task before it lets others have a turn.
const turnMax = 20 * time.Second

// RunTask is the job that carries out a task.
type RunTask struct {
	Task string `json:"task"`
}

// Kind implements [river.JobArgs].
func (RunTask) Kind() string { return "muster_run_task" }

// RunSchedule is the job that does what is due by the clock.
type RunSchedule struct{}

// Kind implements [river.JobArgs].
func (RunSchedule) Kind() string { return "muster_run_schedule" }

// SetStopping says whether jobs end their turn as soon as they can.
func (t *Tenant) SetStopping(stopping bool) { t.stopping.Store(stopping) }

// Turn returns what tells a job whether to go on, or to let others have a turn.
func (t *Tenant) Turn() func() bool {
	end := time.Now().Add(turnMax)
	return func() bool { return time.Now().Before(end) && !t.stopping.Load() }
}
