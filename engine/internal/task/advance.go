package task

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// ErrStopped says that a task has ended or is held, so that its batch must not be committed.
var ErrStopped = errors.New("the task has ended or is held")

// Progress is what a batch did for one task.
type Progress struct {
	Task     store.ID
	Counts   store.TaskCounts
	Messages []store.TaskMessage
}

// Advance adds what a batch did to its tasks, which must be ordered by ID, ends those that have nothing left to do, and
// returns these. It fails with [ErrStopped] where one of the tasks has ended before or is held, and with a [HeldError]
// where the batch did more than the guard allows, which is that of the batch's configuration: the batch must be rolled
// back then. With lazily the commit does not
// wait for the disk, so a crash of the server may undo the batch.
func (l *Ledger) Advance(ctx context.Context, tx pgx.Tx, guard configuration.Guard, done []Progress, now time.Time,
	lazily bool,
) ([]store.EndedTask, error) {
	advances := make([]store.TaskAdvance, len(done))
	for i := range done {
		advances[i] = store.TaskAdvance{Task: done[i].Task, Counts: done[i].Counts,
			Messages: int64(len(done[i].Messages))}
	}
	guards, ended, err := l.Store.AdvanceTasks(ctx, tx, advances, now, lazily)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrStopped
	}
	if err != nil {
		return nil, err
	}
	for i := range done {
		if err := CheckGuard(guard, &guards[i], &done[i].Counts); err != nil {
			return nil, err
		}
		err := l.Store.AddTaskMessages(ctx, tx, done[i].Task, done[i].Messages, now)
		if err != nil {
			return nil, err
		}
	}
	return ended, l.RecordEnded(ctx, tx, ended)
}

// RecordEnded records what follows from the end of tasks: after a run over everybody, all identities that were there
// when it was created count as processed.
func (l *Ledger) RecordEnded(ctx context.Context, tx pgx.Tx, ended []store.EndedTask) error {
	for _, task := range ended {
		if !task.Everybody {
			continue
		}
		if err := l.Store.RaiseWatermark(ctx, tx, task.Created); err != nil {
			return err
		}
	}
	return nil
}
