package task

import (
	"context"
	"errors"
	"strings"
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
	// Losses are what identities lose. Surveyed says that they would lose it: a part of the task was surveyed, before
	// its first batch.
	Losses   Losses
	Surveyed bool
	// Cause is the task from which the task follows, zero for itself. Confirmed says that somebody lets it do all.
	Cause     store.ID
	Confirmed bool
}

// cause returns the task from which the task follows, itself for most.
func (p *Progress) cause() store.ID {
	if p.Cause.IsZero() {
		return p.Task
	}
	return p.Cause
}

// Advance is what a batch did for its tasks, and by what.
type Advance struct {
	Guard   configuration.Guard
	Version int64      // of the configuration; 0 where the batch cannot have losses
	Done    []Progress // by task
	Began   time.Time  // when the batch began; the zero time is Now
	Now     time.Time  // when it ends
	// Lazily says that the commit does not wait for the disk, so a crash of the server may undo the batch.
	Lazily bool
}

// Advance adds what a batch did to its tasks, ends those that have nothing left to do, and returns these. It fails with
// [ErrStopped] where one of the tasks has ended before or is held, and with a [HeldError] where the batch did more than
// the guard allows, or was the last of a survey that found more: the batch must be rolled back then.
func (l *Ledger) Advance(ctx context.Context, tx pgx.Tx, a Advance) ([]store.EndedTask, error) {
	row := store.Advance{Now: a.Now, Lazily: a.Lazily, Tasks: make([]store.TaskAdvance, len(a.Done))}
	j := judgement{Ledger: l, ctx: ctx, tx: tx, guard: a.Guard}
	loses := false
	for i := range a.Done {
		p := &a.Done[i]
		row.Tasks[i] = store.TaskAdvance{Task: p.Task, Counts: p.Counts, Messages: int64(len(p.Messages)),
			Began: a.Began}
		loses = loses || p.Surveyed || len(p.Losses) > 0
		if p.Surveyed {
			row.Surveyed = p.Task
		}
	}
	if loses {
		if err := j.watch(a.Version, a.Now); err != nil {
			return nil, err
		}
		row.Losses, row.Causes = j.added(a.Done)
	}
	advanced, err := l.Store.AdvanceTasks(ctx, tx, &row)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrStopped
	}
	if err != nil {
		return nil, err
	}
	if err := j.judge(a.Done, &advanced); err != nil {
		return nil, err
	}
	if len(j.reasons) > 0 {
		return nil, &HeldError{strings.Join(j.reasons, "; ")}
	}
	for i := range a.Done {
		if err := l.Store.AddTaskMessages(ctx, tx, a.Done[i].Task, a.Done[i].Messages, a.Now); err != nil {
			return nil, err
		}
	}
	return advanced.Ended, l.RecordEnded(ctx, tx, advanced.Ended)
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
