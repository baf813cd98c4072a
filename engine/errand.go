package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/engine/internal/aggregation"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// errandWorker carries out the tasks that are one piece of work, as jobs.
type errandWorker struct {
	river.WorkerDefaults[tenant.RunErrand]
	e *Engine
}

// Timeout implements [river.Worker]: a large source takes its time.
func (*errandWorker) Timeout(*river.Job[tenant.RunErrand]) time.Duration { return task.ErrandTimeout }

// Work implements [river.Worker].
func (w *errandWorker) Work(ctx context.Context, job *river.Job[tenant.RunErrand]) error {
	return w.e.tasks.WorkErrand(ctx, job.JobRow, job.Args.Task, w.e.carry)
}

// carry carries out an errand.
func (e *Engine) carry(ctx context.Context, errand *task.Errand) error {
	switch errand.Kind {
	case TaskAggregation:
		return e.aggregator.Carry(ctx, errand)
	case TaskRemoval:
		return e.applier.Carry(ctx, errand)
	}
	return fmt.Errorf("this engine does not know tasks of the kind %s", errand.Kind)
}

// errEarlier says that another errand of the same kind comes before one.
var errEarlier = task.ErrEarlier

// isErrand reports whether the tasks of a kind are one piece of work.
func isErrand(kind string) bool { return kind == TaskAggregation || kind == TaskRemoval }

// runErrands carries out the errands that wait, in the calling goroutine. It leaves alone those that a worker has, and
// those that wait for one of these. It adds what it did to the result.
func (e *Engine) runErrands(ctx context.Context, result *ProcessResult) error {
	open, err := e.tasks.OpenErrands(ctx)
	if err != nil {
		return err
	}
	for _, id := range open {
		row, err := e.runErrand(ctx, id)
		if errors.Is(err, errEarlier) {
			continue
		}
		if err != nil {
			return err
		}
		if row.Held != nil {
			result.Held = append(result.Held, id.String())
		}
		if store.TextOf(row.CompletionStatus) == task.StatusError {
			result.Failed = append(result.Failed, id.String())
		}
		result.Tasks = append(result.Tasks, id.String())
	}
	return nil
}

// runErrand carries out an errand in the calling goroutine, and returns its task.
func (e *Engine) runErrand(ctx context.Context, id store.ID) (store.Task, error) {
	_, err := e.tasks.RunErrand(ctx, id, e.carry)
	if err != nil && !errors.Is(err, errEarlier) {
		err = e.failErrand(ctx, id, err)
	}
	if err == nil {
		err = e.tasks.DropJob(ctx, id)
	}
	if err != nil {
		return store.Task{}, err
	}
	return e.tenant.Store.FindTask(ctx, e.tenant.Pool, id)
}

// failErrand ends an errand that failed for a reason of its own. Otherwise it returns the reason: the database is away,
// or the caller gave up.
func (e *Engine) failErrand(ctx context.Context, id store.ID, cause error) error {
	var unavailable *store.UnavailableError
	if ctx.Err() != nil || errors.As(cause, &unavailable) {
		return cause
	}
	return e.tasks.FailErrand(ctx, id, cause)
}

// addErrand adds to the status of a task what an errand is about and what it did.
func (e *Engine) addErrand(ctx context.Context, row *store.Task, status *TaskStatus) error {
	if !isErrand(row.Kind) {
		return nil
	}
	errands, err := e.tenant.Store.Errands(ctx, e.tenant.Pool, []store.ID{row.ID})
	if err != nil {
		return err
	}
	errand := errands[row.ID]
	return describeErrand(row, &errand, status)
}

// describeErrand adds to the status of a task what is known of its errand.
func describeErrand(row *store.Task, errand *store.Errand, status *TaskStatus) error {
	if row.Kind == TaskRemoval {
		return decodeResult(errand.Result, &status.Attributes.Removal)
	}
	var asked aggregation.Asked
	if err := json.Unmarshal(errand.Asked, &asked); err != nil {
		return err
	}
	status.describeAggregation(&asked, store.TextOf(row.TargetName))
	if row.Launched != nil && row.Completed == nil {
		progress := fmt.Sprintf("Started: %d rows read", errand.Done)
		status.Progress = &progress
	}
	var result *aggregation.Result
	if err := decodeResult(errand.Result, &result); err != nil || result == nil {
		return err
	}
	published := aggregateResult(result)
	status.Attributes.Aggregation = &published
	return nil
}

// describeAggregation says what an aggregation is about.
func (t *TaskStatus) describeAggregation(asked *aggregation.Asked, source string) {
	t.Attributes.AppID, t.Attributes.OptimizedAggregation = source, "enabled"
	if asked.Options.Unchanged {
		t.Attributes.OptimizedAggregation = "disabled"
	}
}

// decodeResult decodes what an errand did, which is nothing before its end.
func decodeResult[T any](text json.RawMessage, into **T) error {
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, into)
}
