package aggregation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// aggregationTimeout ends an aggregation by schedule that hangs.
const aggregationTimeout = 4 * time.Hour

// aggregationAttemptsMax is how often an aggregation by schedule is begun, at most, where its worker or its database
// goes away in the middle. After an error of the source it is begun again at the next time of the schedule.
const aggregationAttemptsMax = 5

// Worker aggregates sources by their schedules, as jobs.
type Worker struct {
	river.WorkerDefaults[tenant.AggregateSource]
	*Aggregator
}

// Timeout implements [river.Worker]: a large source takes its time.
func (*Worker) Timeout(*river.Job[tenant.AggregateSource]) time.Duration { return aggregationTimeout }

// Work aggregates a source. Where that fails, it records why, and the source is aggregated again at the next time of
// the schedule. Where the engine stops or the database goes away, the job is tried again soon.
func (w *Worker) Work(ctx context.Context, job *river.Job[tenant.AggregateSource]) error {
	id, parsed := store.IDOf(job.Args.Source)
	if !parsed {
		return river.JobCancel(errors.New("the job names no source"))
	}
	ctx = tenant.WithActor(ctx, tenant.ScheduleActor)
	began := w.Now()
	result, err := w.AggregateSource(ctx, job.Args.Source, Options{Delta: true})
	var unavailable *store.UnavailableError
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled):
		return river.JobSnooze(0) // another engine goes on, or this one when it is started again
	case errors.As(err, &unavailable) && job.Attempt < job.MaxAttempts:
		return errors.New(store.Reason(err))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return w.recordError(context.WithoutCancel(ctx), id, began,
			fmt.Sprintf("it was ended after %s", aggregationTimeout))
	default:
		return w.recordError(ctx, id, began, tenant.ReasonText(err))
	}
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return w.Store.RecordAggregationResult(ctx, w.Pool, id, text)
}

// recordError records why an aggregation by schedule failed that began at a time. Where the source was aggregated since
// then, the error says nothing of it any more.
func (a *Aggregator) recordError(ctx context.Context, source store.ID, began time.Time, reason string) error {
	a.Logger.WarnContext(ctx, "a scheduled aggregation failed", "source", source.String())
	return a.Store.RecordAggregationError(ctx, a.Pool, source,
		&store.AggregationFailure{Began: began, Failed: a.Now(), Reason: reason})
}

// resume gives the jobs of aggregations whose worker is gone to other workers. A worker shows by the reading lock that
// it is there while it reads and writes, but not in the moments before and after that. Where it is taken for gone then,
// the source is read twice, which does no harm.
func (a *Aggregator) resume(ctx context.Context) error {
	running, err := a.Store.RunningAggregations(ctx, a.Pool, a.JobSchema, tenant.AggregateSource{}.Kind(),
		task.StalledAfter)
	if err != nil {
		return err
	}
	for i := range running {
		if err := a.resumeJob(ctx, &running[i]); err != nil {
			return err
		}
	}
	return nil
}

// resumeJob returns a job to the queue unless its source is being read. Where the job was tried often enough, it ends,
// and the error is recorded.
func (a *Aggregator) resumeJob(ctx context.Context, job *store.RunningJob) error {
	source, parsed := store.IDOf(job.Source)
	if !parsed {
		return nil // it ends by itself
	}
	returned, err := tenant.Transact(ctx, a.Tenant, func(tx pgx.Tx) (bool, error) {
		locked, err := a.Store.TryLockReading(ctx, tx, source)
		if err != nil || !locked {
			return false, err
		}
		return a.Store.ReturnJob(ctx, tx, a.JobSchema, job)
	})
	if err != nil || !returned || job.Attempt < job.MaxAttempts {
		return err
	}
	return a.recordError(ctx, source, a.Now().Add(-job.Since),
		fmt.Sprintf("its worker went away in the middle, %d times", job.Attempt))
}
