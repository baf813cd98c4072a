package processing

import (
	"context"
	"errors"
	"fmt"

	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// Worker carries out the tasks that process identities, as jobs.
type Worker struct {
	river.WorkerDefaults[tenant.RunTask]
	*Processor
}

// Work carries out a task for a turn. Where the task is open after that, the job waits for its next turn. After the
// last attempt that fails, the task ends with the status ERROR. A task that is not visible yet is waited for.
func (w *Worker) Work(ctx context.Context, job *river.Job[tenant.RunTask]) error {
	id, err := store.ParseID(job.Args.Task)
	if err != nil {
		return river.JobCancel(fmt.Errorf("the job names no task: %w", err))
	}
	turn := &Work{Processor: w.Processor, task: id, together: true, more: w.Turn(),
		report: func(store.TaskCounts) error { return nil }}
	state := Open
	present, err := w.Present(ctx, job.JobRow, func() (_ bool, err error) {
		state, err = turn.Do(ctx)
		return state != Absent, err
	})
	switch {
	case err == nil && !present:
		return w.Absent(ctx, job.JobRow)
	case err == nil && state == Open:
		return river.JobSnooze(0)
	case err == nil:
		return nil
	case job.Attempt < job.MaxAttempts || ctx.Err() != nil:
		return errors.New(store.Reason(err))
	}
	message := store.TaskMessage{Type: "ERROR", Key: "TASK_FAILED",
		Text: fmt.Sprintf("the task was given up after %d attempts: %s", job.Attempt, store.Reason(err))}
	if err := w.EndTask(ctx, id, task.StatusError, []store.TaskMessage{message}); err != nil &&
		!errors.Is(err, store.ErrNotFound) {
		return err
	}
	return errors.New(message.Text)
}
