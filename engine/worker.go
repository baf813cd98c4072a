package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/aggregation"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/engine/internal/provisioning"
	"github.com/muster-engine/muster/engine/internal/registration"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// The times of the workers.
const (
	// jobTimeout ends a job that hangs. A batch is shorter by far.
	jobTimeout = 10 * time.Minute
	// rescueAfter is how long River waits before it runs a job again whose process is gone. [Engine.RunSchedule] does
	// not wait for that.
	rescueAfter   = 11 * time.Minute
	scheduleEvery = 30 * time.Second
	// requeueEvery is how often a started engine looks for tasks and deliveries whose job is gone, on average. Without
	// the queue, since it may be the queue that lost something.
	requeueEvery = 4 * time.Second
	pollEvery    = time.Second
)

// How many jobs of each queue one engine works on at the same time.
const (
	eventJobsMax     = 4
	bulkJobsMax      = 1
	provisionJobsMax = 4
	aggregateJobsMax = 2
	notifyJobsMax    = 2
)

// newJobs returns the client of the job queue that works on jobs when it is started. pollOnly is that of [Config].
func newJobs(e *Engine, pollOnly bool) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &processing.Worker{Processor: e.processor})
	river.AddWorker(workers, &scheduleWorker{e: e})
	river.AddWorker(workers, &provisioning.Worker{Provisioner: e.provisioner})
	river.AddWorker(workers, &aggregation.Worker{Aggregator: e.aggregator})
	river.AddWorker(workers, &registration.Worker{Registrar: e.registrar})
	river.AddWorker(workers, &errandWorker{e: e})
	periodic := river.NewPeriodicJob(river.PeriodicInterval(scheduleEvery),
		func() (river.JobArgs, *river.InsertOpts) { return tenant.RunSchedule{}, nil },
		&river.PeriodicJobOpts{RunOnStart: true})
	return river.NewClient(riverpgxv5.New(e.tenant.Pool), &river.Config{
		CompletedJobRetentionPeriod: time.Hour,
		FetchCooldown:               tenant.FetchCooldown,
		FetchPollInterval:           pollEvery,
		JobTimeout:                  jobTimeout,
		Logger:                      e.tenant.Logger,
		Middleware:                  observers(e.tenant),
		PeriodicJobs:                []*river.PeriodicJob{periodic},
		PollOnly:                    pollOnly,
		Queues: map[string]river.QueueConfig{
			tenant.QueueEvents:       {MaxWorkers: eventJobsMax},
			tenant.QueueBulk:         {MaxWorkers: bulkJobsMax},
			tenant.QueueProvisioning: {MaxWorkers: provisionJobsMax},
			tenant.QueueAggregation:  {MaxWorkers: aggregateJobsMax},
			tenant.QueueNotification: {MaxWorkers: notifyJobsMax},
		},
		RescueStuckJobsAfter: rescueAfter,
		Schema:               e.tenant.JobSchema,
		Workers:              workers,
	})
}

// Start lets the engine carry out tasks and the schedule in the background, until [Engine.Stop] is called or the
// context ends. The end of the context also ends the batches that run; they are processed again later. The pool must
// have connections to spare: one for the queue's notifications (none with Config.PollOnly), and one for each of up to 4
// small tasks, Config.Workers of a large one, 4 deliveries to sources and 2 aggregations of sources. With fewer, they
// wait for each other.
func (e *Engine) Start(ctx context.Context) error {
	const op = "start the workers"
	e.tenant.SetStopping(false)
	// What a job does is done by the actor of its task, not by the one that started the engine.
	ctx = tenant.WithActor(ctx, store.Actor{})
	if err := e.jobs.Start(ctx); err != nil {
		return fault.Wrap(op, "", store.MapError(err))
	}
	e.requeuer.start(ctx, e.requeueLost)
	err := e.presence.begin(func() (func(), error) { return e.tenant.Announce(ctx) })
	if err != nil {
		err = errors.Join(err, e.Stop(context.WithoutCancel(ctx)))
	}
	return fault.Wrap(op, "", err)
}

// Stop ends what [Engine.Start] began: the batches that run are finished, and no other begins. When the context ends
// before that, they are ended too.
func (e *Engine) Stop(ctx context.Context) error {
	const op = "stop the workers"
	e.tenant.SetStopping(true)
	defer e.presence.end()
	e.requeuer.stop()
	err := e.jobs.Stop(ctx)
	if err != nil && ctx.Err() != nil {
		err = errors.Join(err, e.jobs.StopAndCancel(context.WithoutCancel(ctx)))
	}
	return fault.Wrap(op, "", err)
}

// requeueLost gives another job to the tasks and deliveries whose job or worker is gone.
func (e *Engine) requeueLost(ctx context.Context) {
	if _, err := e.tasks.RequeueLost(ctx); err != nil && ctx.Err() == nil {
		e.tenant.Logger.WarnContext(ctx, "could not look for work without a job", "error", store.Reason(err))
	}
}

// repeater calls a function again and again in a goroutine of its own. The zero value is ready.
type repeater struct {
	mutex  sync.Mutex
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended; nil before the first start
}

// start begins the calls, unless they go on already. They end with the context or with stop. The waits between differ,
// so that many engines do not call at the same moment.
func (r *repeater) start(ctx context.Context, call func(context.Context)) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.done != nil {
		select {
		case <-r.done:
		default:
			return
		}
	}
	ctx, r.cancel = context.WithCancel(ctx)
	done := make(chan struct{})
	r.done = done
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(requeueEvery/2 + rand.N(requeueEvery)):
				call(ctx)
			}
		}
	}()
}

// stop ends the calls, and the one that goes on, and waits for its end.
func (r *repeater) stop() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.done != nil {
		r.cancel()
		<-r.done
	}
}

// scheduleWorker does what is due by the clock, as [Engine.RunSchedule].
type scheduleWorker struct {
	river.WorkerDefaults[tenant.RunSchedule]
	e *Engine
}

// Work implements [river.Worker].
func (w *scheduleWorker) Work(ctx context.Context, _ *river.Job[tenant.RunSchedule]) error {
	_, err := w.e.RunSchedule(ctx)
	return err
}
