package aggregation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

type Worker struct {
	river.WorkerDefaults[tenant.AggregateSource]
	*Aggregator
}

// Timeout implements [river.Worker]: a large source takes its time.
func (*Worker) Timeout(*river.Job[tenant.AggregateSource]) time.Duration { return aggregationTimeout }

// aggregationTimeout ends an aggregation by schedule that hangs.
const aggregationTimeout = 4 * time.Hour

// aggregationAttemptsMax is how often an aggregation by schedule is begun whose worker, or whose database, goes away in
// the middle. What the source itself refuses is tried again at the next time of the schedule.
const aggregationAttemptsMax = 5

// Work aggregates a source. What fails is noted, and tried again at the next time of the schedule. Where the engine
// stops or the database goes away, it is tried again soon.
func (w *Worker) Work(ctx context.Context, job *river.Job[tenant.AggregateSource]) error {
	id, parsed := store.IDOf(job.Args.Source)
	if !parsed {
		return river.JobCancel(errors.New("the job names no source"))
	}
	result, err := w.AggregateSource(ctx, job.Args.Source, Options{Delta: true})
	var unavailable *store.UnavailableError
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled):
		return river.JobSnooze(0) // another engine goes on, or this one when it is started again
	case errors.As(err, &unavailable) && job.Attempt < job.MaxAttempts:
		return errors.New(store.Reason(err))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return w.recordAggregationError(context.WithoutCancel(ctx), id,
			fmt.Sprintf("it was ended after %s", aggregationTimeout))
	default:
		return w.recordAggregationError(ctx, id, tenant.ReasonText(err))
	}
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return w.Store.RecordAggregationResult(ctx, w.Pool, id, text)
}

// recordAggregationError notes why an aggregation by schedule failed.
func (a *Aggregator) recordAggregationError(ctx context.Context, source store.ID, reason string) error {
	a.Logger.WarnContext(ctx, "a scheduled aggregation failed", "source", source.String())
	return a.Store.RecordAggregationError(ctx, a.Pool, source, reason, a.Now())
}

// resumeAggregations gives aggregations by schedule whose worker is gone to another one. A worker shows by a lock that
// it is there while it reads and writes, but not in the moments before and after that: where it is taken for gone then,
// the source is read twice, which does no harm.
func (a *Aggregator) resumeAggregations(ctx context.Context) error {
	running, err := a.Store.RunningAggregations(ctx, a.Pool, a.JobSchema, tenant.AggregateSource{}.Kind(), task.StalledAfter)
	if err != nil {
		return err
	}
	for i := range running {
		job := &running[i]
		id, parsed := store.IDOf(job.Source)
		if !parsed {
			continue // it ends by itself
		}
		returned := false
		err := a.InTx(ctx, func(tx pgx.Tx) error {
			read, err := a.Store.IsRead(ctx, tx, id)
			if err != nil || read {
				return err
			}
			returned, err = a.Store.ReturnJob(ctx, tx, a.JobSchema, job)
			return err
		})
		if err == nil && returned && job.Attempt >= job.MaxAttempts {
			err = a.recordAggregationError(ctx, id,
				fmt.Sprintf("its worker went away in the middle, %d times", job.Attempt))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// RunAggregations launches the aggregation of the sources whose time has come. Of times that were missed one is made up
// for.
func (a *Aggregator) RunAggregations(ctx context.Context) error {
	if err := a.resumeAggregations(ctx); err != nil {
		return err
	}
	c, err := a.CurrentConfiguration(ctx)
	if err != nil {
		return err
	}
	for _, source := range c.Sources {
		expression := source.Schedule()
		if expression == "" || a.Connectors[source.Connector] == nil {
			continue
		}
		now := a.Now()
		next, err := configuration.NextAggregation(expression, now, a.Location)
		if err != nil {
			return err
		}
		latest, err := configuration.NextAggregation(expression, next, a.Location)
		if err != nil {
			return err
		}
		err = a.InTx(ctx, func(tx pgx.Tx) error {
			due, err := a.Store.TakeAggregation(ctx, tx, source.RowID, expression, now, next, latest)
			if err != nil || !due {
				return err
			}
			_, err = a.Insert(ctx, tx, tenant.AggregateSource{Source: source.RowID.String()}, &river.InsertOpts{
				Queue: tenant.QueueAggregation, MaxAttempts: aggregationAttemptsMax, UniqueOpts: river.UniqueOpts{ByArgs: true,
					ByState: []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStatePending,
						rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled}}})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
