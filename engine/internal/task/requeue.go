package task

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// StalledAfter is how long a task may do nothing before another job is made for it.
const StalledAfter = time.Minute

// Requeue gives another job to the tasks and deliveries that did nothing since a time and have no job that waits: their
// worker is gone. It returns how many these are.
func (l *Ledger) Requeue(ctx context.Context, tx pgx.Tx, now, since time.Time) (int, error) {
	tasks, err := l.requeueTasks(ctx, tx, now, since)
	if err != nil {
		return 0, err
	}
	deliveries, err := l.requeueDeliveries(ctx, tx, now, since)
	return tasks + deliveries, err
}

func (l *Ledger) requeueTasks(ctx context.Context, tx pgx.Tx, now, since time.Time) (int, error) {
	stalled, err := l.Store.LockStalledTasks(ctx, tx, l.JobSchema, now, since)
	if err != nil {
		return 0, err
	}
	for _, task := range stalled {
		job, err := l.insertJobOf(ctx, tx, task)
		if err != nil {
			return 0, err
		}
		if err := l.Store.SetTaskJob(ctx, tx, task.ID, job, now); err != nil {
			return 0, err
		}
	}
	return len(stalled), nil
}

// insertJobOf writes a job of the kind that carries out a task.
func (l *Ledger) insertJobOf(ctx context.Context, tx pgx.Tx, task store.StalledTask) (int64, error) {
	if task.Kind != TaskIdentityRefresh {
		return l.InsertNotify(ctx, tx, task.ID)
	}
	return l.InsertJob(ctx, tx, task.ID, false)
}

func (l *Ledger) requeueDeliveries(ctx context.Context, tx pgx.Tx, now, since time.Time) (int, error) {
	stalled, err := l.Store.LockStalledDeliveries(ctx, tx, l.JobSchema, now, since)
	if err != nil {
		return 0, err
	}
	for _, delivery := range stalled {
		job, err := l.insertDelivery(ctx, tx, delivery)
		if err != nil {
			return 0, err
		}
		if err := l.Store.SetDeliveryJob(ctx, tx, delivery, job); err != nil {
			return 0, err
		}
	}
	return len(stalled), nil
}
