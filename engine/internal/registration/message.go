package registration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// notificationTimeout ends the sending of a message that hangs.
const notificationTimeout = time.Minute

// messageLease is how long a worker has a message for itself: longer than it may take to make and to send one.
const messageLease = 2 * notificationTimeout

// Worker is the worker of the jobs that send messages.
type Worker struct {
	river.WorkerDefaults[tenant.SendMessages]
	*Registrar
}

// errNoTask says that a task is not there: it is not visible yet, or was forgotten.
var errNoTask = errors.New("there is no such task")

// Work tries the messages of a task once each. The queue tries again what fails, after a while that grows.
func (w *Worker) Work(ctx context.Context, job *river.Job[tenant.SendMessages]) error {
	id, known := store.IDOf(job.Args.Task)
	if !known {
		return river.JobCancel(errors.New("the job names no task"))
	}
	if w.notifier == nil {
		return river.JobSnooze(time.Minute) // another engine has one, or this one will
	}
	left, paused, more := 0, false, w.Turn()
	present, err := w.Present(ctx, job.JobRow, func() (_ bool, err error) {
		left, paused, err = w.sendTask(ctx, id, job.Attempt, more)
		if errors.Is(err, errNoTask) {
			return false, nil
		}
		return true, err
	})
	switch {
	case err == nil && !present:
		return w.Absent(ctx, job.JobRow)
	case err != nil:
		return errors.New(store.Reason(err))
	case paused:
		return river.JobSnooze(0)
	case left > 0:
		return fmt.Errorf("%d messages are tried again", left)
	}
	return nil
}

// sendTask tries the messages of a task that were tried less often than round, until more returns false: then paused is
// true if some are left. It ends the task when none is left.
func (r *Registrar) sendTask(ctx context.Context, id store.ID, round int, more func() bool) (left int, paused bool,
	err error,
) {
	if r.notifier == nil {
		return 0, false, errors.New("this engine was given no Notifier")
	}
	for {
		if !more() {
			paused = true
			break
		}
		sent, err := r.sendNext(ctx, id, round)
		if err != nil {
			return 0, false, err
		}
		if !sent {
			break
		}
	}
	left, err = r.endIfDone(ctx, id)
	return left, paused && left > 0, err
}

// endIfDone ends a task when none of its messages is left. It returns how many are; of a task that has ended before,
// none. It fails with errNoTask where there is no such task.
func (r *Registrar) endIfDone(ctx context.Context, id store.ID) (left int, err error) {
	err = r.InTx(ctx, func(tx pgx.Tx) error {
		t, err := r.Store.LockTask(ctx, tx, id)
		if errors.Is(err, store.ErrNotFound) {
			return errNoTask
		}
		if err != nil {
			return err
		}
		if left = 0; t.Completed != nil {
			return nil
		}
		if left, err = r.Store.PendingNotifications(ctx, tx, id); err != nil || left > 0 {
			return err
		}
		status := task.StatusSuccess
		if t.Errors+t.Warnings > 0 {
			status = task.StatusWarning
		}
		return r.Store.EndTask(ctx, tx, id, status, store.Actor{}, r.Now())
	})
	return left, err
}

// sendNext sends the next message of a task. sent is false when there is none.
func (r *Registrar) sendNext(ctx context.Context, id store.ID, round int) (sent bool, err error) {
	var n store.Notification
	err = r.InTx(ctx, func(tx pgx.Tx) (err error) {
		now := r.Clock()
		n, err = r.Store.ClaimNotification(ctx, tx, id, r.EngineID, round, task.NotificationAttemptsMax, now,
			now.Add(messageLease))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m, err := r.takeMessage(ctx, &n)
	if err != nil || m == nil {
		return true, err
	}
	limited, cancel := context.WithTimeout(ctx, notificationTimeout)
	failure := r.notifier.Notify(limited, m)
	cancel()
	if err := ctx.Err(); err != nil && failure != nil {
		return true, err // the message is tried again when its lease has ended
	}
	// It is recorded also when the engine stops meanwhile: otherwise the message would be sent again.
	recording := context.WithoutCancel(ctx)
	return true, r.InTx(recording, func(tx pgx.Tx) error {
		return r.recordMessage(recording, tx, &n, failure, n.Attempts >= task.NotificationAttemptsMax)
	})
}

// takeMessage makes the message that a worker has claimed. It returns nil when there is nothing to send: the message
// cannot be made, which it records, or the identity is gone or the task was cancelled meanwhile.
func (r *Registrar) takeMessage(ctx context.Context, n *store.Notification) (m *Message, err error) {
	err = r.InTx(ctx, func(tx pgx.Tx) (err error) {
		var reason string
		m, reason, err = r.compose(ctx, tx, n)
		if errors.Is(err, store.ErrNotFound) {
			m = nil
			return nil
		}
		if err != nil || m != nil {
			return err
		}
		return r.recordMessage(ctx, tx, n, errors.New(reason), true)
	})
	return m, err
}

// recordMessage records what became of a message, with its task. After the last attempt a failure is final.
func (r *Registrar) recordMessage(ctx context.Context, tx pgx.Tx, n *store.Notification, failure error,
	last bool,
) error {
	now := r.Now()
	counts := store.TaskCounts{Identities: 1}
	var messages []store.TaskMessage
	state, reason := store.NotificationSent, (*string)(nil)
	switch {
	case failure == nil:
		counts.Changed = 1
		if n.Purpose == PurposeInvitation {
			if err := r.markInvited(ctx, tx, n, now); err != nil {
				return err
			}
		}
	case !last:
		r.Logger.InfoContext(ctx, "a message is tried again", "message", n.ID.String(), "attempt", n.Attempts,
			"error", tenant.ReasonText(failure))
		return r.Store.RecordNotification(ctx, tx, n.ID, store.NotificationPending,
			store.NullText(tenant.ReasonText(failure)), n.Attempts, now)
	default:
		counts.Errors = 1
		state, reason = store.NotificationFailed, store.NullText(tenant.ReasonText(failure))
		messages = []store.TaskMessage{{Type: "ERROR", Key: "MESSAGE_NOT_SENT", IdentityID: n.IdentityID,
			Text: "the message could not be sent: " + *reason}}
	}
	if err := r.Store.RecordNotification(ctx, tx, n.ID, state, reason, n.Attempts, now); err != nil {
		return err
	}
	advance := store.TaskAdvance{Task: n.TaskID, Counts: counts, Messages: int64(len(messages))}
	err := r.Store.AdvanceTask(ctx, tx, &advance, now)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it was cancelled meanwhile
	}
	if err != nil {
		return err
	}
	return r.Store.AddTaskMessages(ctx, tx, n.TaskID, messages, now)
}

// SendPending tries every message that waits to be sent once. It is for programs that have no workers running.
func (r *Registrar) SendPending(ctx context.Context) error {
	const op = "send the messages"
	tasks, err := r.Store.NotificationTasks(ctx, r.Pool)
	if err != nil {
		return fault.Wrap(op, "", err)
	}
	for _, task := range tasks {
		_, _, err := r.sendTask(ctx, task.ID, task.Attempts+1, func() bool { return ctx.Err() == nil })
		if err != nil && !errors.Is(err, errNoTask) {
			return fault.Wrap(op, task.ID.String(), err)
		}
	}
	return nil
}

// markInvited records that the identity has an invitation now.
func (r *Registrar) markInvited(ctx context.Context, tx pgx.Tx, n *store.Notification, now time.Time) error {
	changed, err := r.Store.MarkInvited(ctx, tx, n.IdentityID, now)
	if err != nil || !changed {
		return err
	}
	events, err := event.Append(nil, n.IdentityID, &event.Detail{States: &event.States{
		CloudStatus: event.Changed("UNREGISTERED", "PENDING")}})
	if err != nil {
		return err
	}
	cause, err := r.CauseOf(ctx, tx, n.TaskID)
	if err != nil {
		return err
	}
	return r.AddEvents(ctx, tx, cause, events)
}
