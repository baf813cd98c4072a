package provisioning

import (
	"context"
	"errors"
	"fmt"

	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// Worker is the worker of the jobs that carry out deliveries.
type Worker struct {
	river.WorkerDefaults[tenant.Deliver]
	*Provisioner
}

// Work carries out the operations of a delivery. The queue tries again what fails, after a while that grows.
func (w *Worker) Work(ctx context.Context, job *river.Job[tenant.Deliver]) error {
	id, err := store.ParseID(job.Args.Delivery)
	if err != nil {
		return river.JobCancel(fmt.Errorf("the job names no delivery: %w", err))
	}
	var current int64 // the job that the delivery names, 0 where it is not there
	present, err := w.Present(ctx, job.JobRow, func() (_ bool, err error) {
		current, err = w.Store.DeliveryJob(ctx, w.Pool, id)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		return current >= job.ID, err
	})
	switch {
	case err != nil:
		return errors.New(store.Reason(err))
	case !present: // the delivery is done, or what names this job is not visible yet
		return w.Absent(ctx, job.JobRow)
	case current > job.ID:
		return nil // this job was taken for lost, and comes back after it was replaced
	}
	limit := task.OperationAttemptsMax // the attempts of a job that this one replaced count too
	if job.Attempt >= job.MaxAttempts {
		limit = 1
	}
	result, err := w.deliver(ctx, id, w.Turn(), limit)
	switch {
	case err != nil:
		return errors.New(store.Reason(err))
	case result.failed > 0 && result.left > 0:
		return fmt.Errorf("%d operations are tried again", result.left)
	case result.busy:
		return river.JobSnooze(busyWait)
	case result.left > 0:
		return river.JobSnooze(0)
	}
	return nil
}
