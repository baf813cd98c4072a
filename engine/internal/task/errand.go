package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// The kinds of errands: tasks that are one piece of work for one worker.
const (
	TaskAggregation = "CLOUD_ACCOUNT_AGGREGATION"
	TaskRemoval     = "CONFIGURATION_REMOVAL"
)

const (
	// errandAttemptsMax is how often an errand is begun, at most, where its worker or its database goes away.
	errandAttemptsMax = 5
	// touchEvery is how often the worker of an errand shows that it is there. It is shorter than [StalledAfter] by far.
	touchEvery = 5 * time.Second
	// silentAfter is how long a worker may not have shown itself before somebody else begins its errand.
	silentAfter = 3 * touchEvery
	// earlierWait is how long an errand waits that comes after another one, before it looks again.
	earlierWait = time.Second
)

// ErrEarlier says that another errand of the same kind comes before this one.
var ErrEarlier = errors.New("another task of the kind has to end first")

// Errand is an errand while it is carried out.
type Errand struct {
	store.Task
	Asked json.RawMessage
	// Read is how many rows it has read so far, for those who follow it. Any goroutine may set it.
	Read atomic.Int64
}

// Outcome is how an errand ended.
type Outcome struct {
	Counts   store.TaskCounts
	Messages []store.TaskMessage
	Result   any // what it did, for those who follow it
}

// LaunchErrand writes an errand and the job that carries it out. It fills in what is missing in the row. ask returns
// what the worker has to know; it is called when the row of the task is there, which its own rows may name.
func (l *Ledger) LaunchErrand(ctx context.Context, tx pgx.Tx, cause store.Cause, row *store.Task,
	ask func() (any, error),
) error {
	kind := row.Kind
	begin(row, cause)
	row.Kind = kind
	job, err := l.insertErrand(ctx, tx, row.ID)
	if err != nil {
		return err
	}
	row.JobID = &job
	if err := l.Store.AddTask(ctx, tx, row); err != nil {
		return err
	}
	asked, err := ask()
	if err != nil {
		return err
	}
	text, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	return l.Store.AddErrand(ctx, tx, row.ID, text)
}

func (l *Ledger) insertErrand(ctx context.Context, tx pgx.Tx, id store.ID) (int64, error) {
	return l.Insert(ctx, tx, tenant.RunErrand{Task: id.String()},
		&river.InsertOpts{Queue: tenant.QueueAggregation, MaxAttempts: errandAttemptsMax})
}

// InsertJobOf writes another job for a task, of whatever kind that is, and returns its ID.
func (l *Ledger) InsertJobOf(ctx context.Context, tx pgx.Tx, t *store.Task) (int64, error) {
	switch t.Kind {
	case TaskIdentityRefresh:
		return l.InsertJob(ctx, tx, t.ID, t.Everybody || t.Population >= BulkMin)
	case TaskAggregation, TaskRemoval:
		return l.insertErrand(ctx, tx, t.ID)
	default:
		return l.InsertNotify(ctx, tx, t.ID)
	}
}

// RunErrand calls do with an errand, as the actor that launched it, and shows meanwhile that a worker is there. do ends
// the errand by [Ledger.EndErrand] in the transaction of its work. Its context ends when somebody cancels the task.
// present is false where there is no such task. The error is [ErrEarlier] where do was not called because an earlier
// errand with the same target is open. A task that has ended or is held is left alone.
func (l *Ledger) RunErrand(ctx context.Context, id store.ID, do func(context.Context, *Errand) error) (present bool,
	err error,
) {
	t, err := l.Store.FindTask(ctx, l.Pool, id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil || t.Completed != nil || t.Held != nil {
		return true, err
	}
	errands, err := l.Store.Errands(ctx, l.Pool, []store.ID{id})
	if err != nil {
		return true, err
	}
	earlier, err := l.Store.EarlierErrand(ctx, l.Pool, &t)
	switch {
	case err != nil:
		return true, err
	case earlier:
		return true, ErrEarlier
	}
	errand := &Errand{Task: t, Asked: errands[id].Asked}
	ctx, cancel := context.WithCancelCause(tenant.WithActor(ctx, t.Actor()))
	if err := l.touch(ctx, errand); err != nil {
		cancel(nil)
		return true, ignoreStopped(err)
	}
	done := make(chan struct{})
	defer func() {
		cancel(nil)
		<-done
	}()
	go func() {
		defer close(done)
		l.keepTouching(ctx, errand, cancel)
	}()
	err = do(ctx, errand)
	if errors.Is(context.Cause(ctx), ErrStopped) {
		return true, nil
	}
	return true, ignoreStopped(err)
}

// OpenErrands returns the errands that wait for a worker, the oldest first: also those whose worker is gone.
func (l *Ledger) OpenErrands(ctx context.Context) ([]store.ID, error) {
	return l.Store.OpenErrands(ctx, l.Pool, l.Now().Add(-silentAfter))
}

// ignoreStopped returns no error for that of a task that has ended or is held: nothing is left to do.
func ignoreStopped(err error) error {
	if errors.Is(err, ErrStopped) {
		return nil
	}
	return err
}

// keepTouching touches an errand until the context ends, and ends the context where the task was cancelled.
func (l *Ledger) keepTouching(ctx context.Context, e *Errand, cancel context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(touchEvery):
		}
		err := l.touch(ctx, e)
		if errors.Is(err, ErrStopped) {
			cancel(ErrStopped)
			return
		}
		if err != nil && ctx.Err() == nil {
			l.Logger.WarnContext(ctx, "could not show that a worker is there", "task", e.ID.String(), "error",
				store.Reason(err))
		}
	}
}

func (l *Ledger) touch(ctx context.Context, e *Errand) error {
	err := l.InTx(ctx, func(tx pgx.Tx) error {
		return l.Store.TouchErrand(ctx, tx, e.ID, e.Read.Load(), l.Now())
	})
	if errors.Is(err, store.ErrNotFound) {
		return ErrStopped
	}
	return err
}

// EndErrand ends an errand in the transaction of its work. It fails with [ErrStopped] where the task has ended
// meanwhile: the transaction must be rolled back then.
func (l *Ledger) EndErrand(ctx context.Context, tx pgx.Tx, e *Errand, o *Outcome) error {
	result, err := json.Marshal(o.Result)
	if err != nil {
		return err
	}
	now := l.Now()
	advance := store.TaskAdvance{Task: e.ID, Counts: o.Counts, Messages: int64(len(o.Messages))}
	err = l.Store.AdvanceTask(ctx, tx, &advance, now)
	if errors.Is(err, store.ErrNotFound) {
		return ErrStopped
	}
	if err != nil {
		return err
	}
	status := StatusSuccess
	switch {
	case o.Counts.Errors > 0:
		status = StatusError
	case o.Counts.Warnings > 0:
		status = StatusWarning
	}
	if err := l.Store.EndTask(ctx, tx, e.ID, status, store.Actor{}, now); err != nil {
		return err
	}
	if err := l.Store.SetErrandResult(ctx, tx, e.ID, result); err != nil {
		return err
	}
	if err := l.Store.DropErrandText(ctx, tx, e.ID); err != nil {
		return err
	}
	return l.Store.AddTaskMessages(ctx, tx, e.ID, o.Messages, now)
}

// FailErrand ends an errand that could not be carried out.
func (l *Ledger) FailErrand(ctx context.Context, id store.ID, cause error) error {
	err := l.EndTask(ctx, id, StatusError, []store.TaskMessage{{Type: "ERROR", Key: "TASK_FAILED",
		Text: tenant.ReasonText(cause)}})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// HoldErrand holds an errand that the guard refused, until somebody confirms it.
func (l *Ledger) HoldErrand(ctx context.Context, id store.ID, reason string) error {
	err := l.InTx(ctx, func(tx pgx.Tx) error { return l.Store.HoldTask(ctx, tx, id, reason, l.Now()) })
	if err == nil {
		l.Logger.WarnContext(ctx, "a task waits for a confirmation", "task", id.String())
	}
	return err
}

// WorkErrand carries out the errand of a job, and returns how the job ends. What fails for a reason of its own ends the
// errand with the status ERROR. Where the engine stops or the database goes away, the job is tried again.
func (l *Ledger) WorkErrand(ctx context.Context, job *rivertype.JobRow, name string,
	do func(context.Context, *Errand) error,
) error {
	id, known := store.IDOf(name)
	if !known {
		return river.JobCancel(errors.New("the job names no task"))
	}
	present, err := l.Present(ctx, job, func() (bool, error) { return l.RunErrand(ctx, id, do) })
	var unavailable *store.UnavailableError
	switch {
	case err == nil && !present:
		return l.Absent(ctx, job)
	case err == nil:
		return nil
	case errors.Is(err, ErrEarlier):
		return river.JobSnooze(earlierWait)
	case errors.Is(ctx.Err(), context.Canceled):
		return river.JobSnooze(0) // another engine goes on, or this one when it is started again
	case errors.As(err, &unavailable) && job.Attempt < job.MaxAttempts:
		return errors.New(store.Reason(err))
	case ctx.Err() != nil:
		err = fmt.Errorf("it was ended after %s", ErrandTimeout)
	}
	return l.FailErrand(context.WithoutCancel(ctx), id, err)
}

// ErrandTimeout ends an errand that hangs.
const ErrandTimeout = 4 * time.Hour
