package task

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// runAttemptsMax is how often a job is tried, over some hours, while its task meets errors that are no identity's
// fault.
const runAttemptsMax = 10

// OperationAttemptsMax is how often an operation is tried, over some hours, before it is given up. The next
// processing of the identity opens another one while the access is still wanted.
const OperationAttemptsMax = 10

// NotificationAttemptsMax is how often a message is tried, over some hours, before it is given up.
const NotificationAttemptsMax = 10

// InsertJob writes a job that carries out a task which processes identities, and returns its ID. bulk puts it into the
// queue for long runs.
func (l *Ledger) InsertJob(ctx context.Context, tx pgx.Tx, task store.ID, bulk bool) (int64, error) {
	return l.insertJobAt(ctx, tx, task, bulk, time.Time{})
}

func (l *Ledger) insertJobAt(ctx context.Context, tx pgx.Tx, task store.ID, bulk bool, at time.Time) (int64, error) {
	options := &river.InsertOpts{Queue: tenant.QueueEvents, MaxAttempts: runAttemptsMax, ScheduledAt: at}
	if bulk {
		options.Queue = tenant.QueueBulk
	}
	return l.Insert(ctx, tx, tenant.RunTask{Task: task.String()}, options)
}

// InsertNotify writes a job that sends the messages of a task, and returns its ID.
func (l *Ledger) InsertNotify(ctx context.Context, tx pgx.Tx, task store.ID) (int64, error) {
	return l.Insert(ctx, tx, tenant.SendMessages{Task: task.String()},
		&river.InsertOpts{Queue: tenant.QueueNotification, MaxAttempts: NotificationAttemptsMax})
}

// LaunchDelivery writes a delivery for a source, and the job that carries it out. The operations that belong to it are
// written by the caller.
func (l *Ledger) LaunchDelivery(ctx context.Context, tx pgx.Tx, id, source store.ID, cause store.Cause) error {
	job, err := l.insertDelivery(ctx, tx, id)
	if err != nil {
		return err
	}
	return l.Store.AddDelivery(ctx, tx, id, source, job, cause.At)
}

func (l *Ledger) insertDelivery(ctx context.Context, tx pgx.Tx, delivery store.ID) (int64, error) {
	return l.Insert(ctx, tx, tenant.Deliver{Delivery: delivery.String()},
		&river.InsertOpts{Queue: tenant.QueueProvisioning, MaxAttempts: OperationAttemptsMax})
}

// DropJob removes the job of a task that was carried out or ended without it. A job that has its turn stays: it finds
// nothing left to do.
func (l *Ledger) DropJob(ctx context.Context, id store.ID) error {
	task, err := l.Store.FindTask(ctx, l.Pool, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || task.JobID == nil {
		return err
	}
	return l.DeleteJob(ctx, *task.JobID)
}

// DeleteJob removes a job that has nothing left to do. A job that has its turn stays.
func (l *Ledger) DeleteJob(ctx context.Context, job int64) error {
	_, err := l.Jobs.JobDelete(ctx, job)
	if errors.Is(err, rivertype.ErrNotFound) || errors.Is(err, rivertype.ErrJobRunning) {
		return nil // it had its turn, or has it now
	}
	return store.MapError(err)
}
