package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/muster-engine/muster/store"
)

// The times of the workers.
const (
	// turnMax is how long a job works on its task before it lets others have a turn.
	turnMax = 20 * time.Second
	// jobTimeout ends a job that hangs. A batch is shorter by far.
	jobTimeout = 10 * time.Minute
	// rescueAfter is when River runs a job again whose process is gone. [Engine.RunSchedule] does not wait for that.
	rescueAfter   = 11 * time.Minute
	scheduleEvery = 30 * time.Second
	// fetchCooldown is the least time between two looks for jobs: most of an event's latency.
	fetchCooldown = 5 * time.Millisecond
	pollEvery     = time.Second
	// runAttemptsMax is how often a job is tried whose task meets errors that concern no identity: for some hours.
	runAttemptsMax = 10
	// eventJobsMax and bulkJobsMax are how many jobs of each queue one engine works on at the same time.
	eventJobsMax     = 4
	bulkJobsMax      = 1
	provisionJobsMax = 4
	aggregateJobsMax = 2
	notifyJobsMax    = 2
)

// runTask is the job that carries out a task.
type runTask struct {
	Task string `json:"task"`
}

func (runTask) Kind() string { return "muster_run_task" }

// runSchedule is the job that does what is due by the clock.
type runSchedule struct{}

func (runSchedule) Kind() string { return "muster_run_schedule" }

// newJobs returns the client of the job queue. It inserts jobs at once, and works them when it is started.
func newJobs(e *Engine) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &taskWorker{e: e})
	river.AddWorker(workers, &scheduleWorker{e: e})
	river.AddWorker(workers, &provisionWorker{e: e})
	river.AddWorker(workers, &aggregateWorker{e: e})
	river.AddWorker(workers, &notifyWorker{e: e})
	periodic := river.NewPeriodicJob(river.PeriodicInterval(scheduleEvery),
		func() (river.JobArgs, *river.InsertOpts) { return runSchedule{}, nil },
		&river.PeriodicJobOpts{RunOnStart: true})
	return river.NewClient(riverpgxv5.New(e.pool), &river.Config{
		CompletedJobRetentionPeriod: time.Hour,
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           pollEvery,
		JobTimeout:                  jobTimeout,
		Logger:                      e.config.Logger,
		PeriodicJobs:                []*river.PeriodicJob{periodic},
		Queues: map[string]river.QueueConfig{
			queueEvents: {MaxWorkers: eventJobsMax}, queueBulk: {MaxWorkers: bulkJobsMax},
			queueProvisioning: {MaxWorkers: provisionJobsMax}, queueAggregation: {MaxWorkers: aggregateJobsMax},
			queueNotification: {MaxWorkers: notifyJobsMax},
		},
		RescueStuckJobsAfter: rescueAfter,
		Schema:               e.config.JobSchema,
		Workers:              workers,
	})
}

// Start lets the engine carry out tasks and the schedule in the background, until [Engine.Stop] is called or the
// context ends, which also ends the batches that run; they are done again later. The pool must have connections to
// spare: one for the queue's notifications, and one for each of up to 4 small tasks, Config.Workers of a large one, 4
// batches of operations on sources and 2 aggregations of sources. With fewer, they wait for each other.
func (e *Engine) Start(ctx context.Context) error {
	e.stopping.Store(false)
	return wrap("start the workers", "", store.MapError(e.jobs.Start(ctx)))
}

// Stop ends what [Engine.Start] began: the batches that run are finished, and no other is begun. When the context ends
// before that, they are ended too.
func (e *Engine) Stop(ctx context.Context) error {
	const op = "stop the workers"
	e.stopping.Store(true)
	err := e.jobs.Stop(ctx)
	if err != nil && ctx.Err() != nil {
		err = errors.Join(err, e.jobs.StopAndCancel(context.WithoutCancel(ctx)))
	}
	return wrap(op, "", err)
}

// turn returns what tells a job whether to go on, or to let others have a turn.
func (e *Engine) turn() func() bool {
	end := time.Now().Add(turnMax)
	return func() bool { return time.Now().Before(end) && !e.stopping.Load() }
}

type taskWorker struct {
	river.WorkerDefaults[runTask]
	e *Engine
}

// Work carries out a task for a turn.
func (w *taskWorker) Work(ctx context.Context, job *river.Job[runTask]) error {
	id, err := store.ParseID(job.Args.Task)
	if err != nil {
		return river.JobCancel(fmt.Errorf("the job names no task: %w", err))
	}
	turn := &work{e: w.e, task: id, together: true, more: w.e.turn(),
		report: func(store.TaskCounts) error { return nil }}
	state, err := turn.do(ctx)
	switch {
	case err == nil && state == taskOpen:
		return river.JobSnooze(0)
	case err == nil:
		return nil
	case job.Attempt < job.MaxAttempts || ctx.Err() != nil:
		return errors.New(store.Reason(err))
	}
	message := store.TaskMessage{Type: "ERROR", Key: "TASK_FAILED",
		Text: fmt.Sprintf("the task was given up after %d attempts: %s", job.Attempt, store.Reason(err))}
	if err := w.e.endTask(ctx, id, statusError, []store.TaskMessage{message}); err != nil &&
		!errors.Is(err, store.ErrNotFound) {
		return err
	}
	return errors.New(message.Text)
}

type scheduleWorker struct {
	river.WorkerDefaults[runSchedule]
	e *Engine
}

// Work does what is due by the clock.
func (w *scheduleWorker) Work(ctx context.Context, _ *river.Job[runSchedule]) error {
	_, err := w.e.RunSchedule(ctx)
	return err
}
