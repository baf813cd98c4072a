package task

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// The completion statuses that a task gets.
const (
	StatusSuccess    = "SUCCESS"
	StatusWarning    = "WARNING"
	StatusError      = "ERROR"
	StatusTerminated = "TERMINATED"
	StatusTempError  = "TEMPERROR" // only somebody who ends a task by hand gives it
)

// EndTask ends a task before all of it is done, in two transactions: the first keeps batches from committing, the
// second ([Ledger.Release]) needs what they have locked. Where the second fails, the schedule repeats it. The error is
// [store.ErrNotFound] where the task has ended already. A task that is terminated was cancelled by the actor of the
// context.
func (l *Ledger) EndTask(ctx context.Context, id store.ID, status string, messages []store.TaskMessage) error {
	var canceller store.Actor
	if status == StatusTerminated {
		canceller = l.ActorOf(ctx)
	}
	return l.EndTaskBy(ctx, id, status, canceller, l.Now(), messages)
}

// EndTaskBy is [Ledger.EndTask] for an actor who ends the task by hand, at a time; the zero Actor for nobody.
func (l *Ledger) EndTaskBy(ctx context.Context, id store.ID, status string, by store.Actor, at time.Time,
	messages []store.TaskMessage,
) error {
	err := l.InTx(ctx, func(tx pgx.Tx) error {
		if err := l.Store.EndTask(ctx, tx, id, status, by, at); err != nil {
			return err
		}
		return l.Store.AddTaskMessages(ctx, tx, id, messages, at)
	})
	if err != nil {
		return err
	}
	return l.Release(ctx, id)
}

// Release drops what an ended task did not come to: its parts, its messages and its text. The identities of its
// requests are due at the next slot instead. It waits for the batches that hold some of these.
func (l *Ledger) Release(ctx context.Context, id store.ID) error {
	return l.InTx(ctx, func(tx pgx.Tx) error {
		if err := l.Store.DropTaskParts(ctx, tx, id); err != nil {
			return err
		}
		if err := l.Store.DropErrandText(ctx, tx, id); err != nil {
			return err
		}
		if err := l.Store.CancelNotifications(ctx, tx, id, l.Now()); err != nil {
			return err
		}
		settings, err := l.SettingsIn(ctx, tx)
		if err != nil {
			return err
		}
		_, err = l.Store.ReleaseRefreshRequests(ctx, tx, id, NextSlot(l.Now(), settings.Location).UTC())
		return err
	})
}
