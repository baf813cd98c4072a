package task

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Requeue gives the tasks and batches that did nothing since a time, and whose worker is gone, another job. It returns
// how many.
func (l *Ledger) Requeue(ctx context.Context, tx pgx.Tx, now, since time.Time) (int, error) {
	tasks, err := l.Store.StalledTasks(ctx, tx, l.JobSchema, now, since)
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		insert := func() (int64, error) { return l.InsertJob(ctx, tx, task.ID, false) }
		if task.Kind != TaskIdentityRefresh {
			insert = func() (int64, error) { return l.InsertNotify(ctx, tx, task.ID) }
		}
		job, err := insert()
		if err != nil {
			return 0, err
		}
		if err := l.Store.SetTaskJob(ctx, tx, task.ID, job, now); err != nil {
			return 0, err
		}
	}
	batches, err := l.Store.StalledDeliveries(ctx, tx, l.JobSchema, now, since)
	if err != nil {
		return 0, err
	}
	for _, batch := range batches {
		job, err := l.insertDelivery(ctx, tx, batch)
		if err != nil {
			return 0, err
		}
		if err := l.Store.SetDeliveryJob(ctx, tx, batch, job); err != nil {
			return 0, err
		}
	}
	return len(tasks) + len(batches), nil
}

// StalledAfter is how long a task may do nothing before another job is made for it.
const StalledAfter = time.Minute
