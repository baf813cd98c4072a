package tenant

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/muster-engine/muster/store"
)

// The queues of jobs. Long runs have a queue of their own, so that jobs about a few identities do not wait for them.
const (
	QueueEvents       = river.QueueDefault // tasks about few identities, and the schedule
	QueueBulk         = "bulk"             // tasks about many identities
	QueueProvisioning = "provisioning"     // deliveries, which wait for sources
	QueueAggregation  = "aggregation"      // also other errands
	QueueNotification = "notification"
)

// RunTask is the job that carries out a task that processes identities.
type RunTask struct {
	Task string `json:"task"`
}

// Kind implements [river.JobArgs].
func (RunTask) Kind() string { return "muster_run_task" }

// RunSchedule is the job that does what is due by the clock.
type RunSchedule struct{}

// Kind implements [river.JobArgs].
func (RunSchedule) Kind() string { return "muster_run_schedule" }

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

// RunErrand is the job that carries out a task which is one piece of work: an aggregation or a removal.
type RunErrand struct {
	Task string `json:"task"`
}

// Kind implements [river.JobArgs].
func (RunErrand) Kind() string { return "muster_run_errand" }

// AggregateSource is the job that aggregates a source by its connector.
type AggregateSource struct {
	Source string `json:"source" river:"unique"`
}

// Kind implements [river.JobArgs].
func (AggregateSource) Kind() string { return "muster_aggregate_source" }

// Insert writes a job and returns its ID. The job exists when the transaction commits, and the commit tells the
// workers: none of them waits for its next look at the queue.
//
// Each insertion has a client of its own, which costs some tens of microseconds. River's client tells the workers of a
// queue at most once within FetchCooldown, whatever becomes of the transaction that told them. With one client for all,
// a job would wait for a look at the queue where another transaction inserted one just before, and committed earlier or
// was rolled back. PostgreSQL itself drops what one transaction tells twice.
func (t *Tenant) Insert(ctx context.Context, tx pgx.Tx, args river.JobArgs, options *river.InsertOpts) (int64, error) {
	client, err := t.newClient()
	if err != nil {
		return 0, err
	}
	inserted, err := client.InsertTx(ctx, tx, args, options)
	if err != nil {
		return 0, store.MapError(err)
	}
	return inserted.Job.ID, nil
}

// newClient returns a client that works on no jobs.
func (t *Tenant) newClient() (*river.Client[pgx.Tx], error) {
	return river.NewClient(t.queue, &river.Config{
		Hooks:  []rivertype.Hook{&backdate{}},
		ID:     "muster", // nobody sees it; River would ask for the name of the host
		Logger: t.Logger,
		Schema: t.JobSchema,
	})
}

// clockSkew is how far the clock of an engine may be ahead of the database's without a delay of its jobs.
const clockSkew = time.Second

// backdate makes a job that is to begin at once due a little earlier. River takes the time from the engine's clock and
// compares it with the database's. Where the engine is ahead, even by less than a network takes, the workers that are
// told of the job would not find it yet, and would wait for their next look at the queue.
type backdate struct{ river.HookDefaults }

// InsertBegin implements [rivertype.HookInsertBegin].
func (*backdate) InsertBegin(_ context.Context, params *rivertype.JobInsertParams) error {
	if params.State == rivertype.JobStateAvailable && params.ScheduledAt == nil {
		at := time.Now().Add(-clockSkew)
		params.ScheduledAt = &at
	}
	return nil
}

// FetchCooldown is the least time between two looks for jobs: most of an event's latency.
const FetchCooldown = 5 * time.Millisecond

// turnMax is how long a job works before it lets others have a turn.
const turnMax = 20 * time.Second

// SetStopping sets whether all jobs end their turn as soon as they can.
func (t *Tenant) SetStopping(stopping bool) { t.stopping.Store(stopping) }

// Turn begins the turn of a job. It returns a function that reports whether the turn goes on: for 20 seconds, unless
// the engine stops.
func (t *Tenant) Turn() func() bool {
	end := time.Now().Add(turnMax)
	return func() bool { return time.Now().Before(end) && !t.stopping.Load() }
}
