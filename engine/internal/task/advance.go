package task

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// Progress is what a batch did for one task.
type Progress struct {
	Task     store.ID
	Counts   store.TaskCounts
	Messages []store.TaskMessage
}

// RecordEnded notes what it means that tasks came to their end.
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

// ErrStopped says that a task has ended or is held, so that its batch must not be committed.
var ErrStopped = errors.New("the task has ended or is held")

func AddCounts(a, b store.TaskCounts) store.TaskCounts {
	return store.TaskCounts{
		Identities: a.Identities + b.Identities, Changed: a.Changed + b.Changed, Errors: a.Errors + b.Errors,
		Warnings: a.Warnings + b.Warnings, Correlated: a.Correlated + b.Correlated,
		RolesGained: a.RolesGained + b.RolesGained, RolesLost: a.RolesLost + b.RolesLost,
		Operations: a.Operations + b.Operations,
		RoleLosers: a.RoleLosers + b.RoleLosers, LifecycleChanged: a.LifecycleChanged + b.LifecycleChanged,
		Deactivated: a.Deactivated + b.Deactivated,
	}
}

// Advance adds what was done to tasks, ends those of which nothing is left, and returns them. It refuses when one of
// them has ended before or is held, or when it is more than the guard allows.
func (l *Ledger) Advance(ctx context.Context, tx pgx.Tx, done []Progress, now time.Time, lazily bool) (
	[]store.EndedTask, error,
) {
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
		if err := CheckGuard(l.Guard, &guards[i], &done[i].Counts); err != nil {
			return nil, err
		}
		messages := done[i].Messages
		kept := int(guards[i].Messages) - len(messages)
		room := max(TaskMessagesMax-kept, 0)
		err := l.Store.AddTaskMessages(ctx, tx, done[i].Task, messages[:min(room, len(messages))], now)
		if err != nil {
			return nil, err
		}
	}
	return ended, l.RecordEnded(ctx, tx, ended)
}
