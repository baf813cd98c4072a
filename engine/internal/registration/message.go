package registration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// notificationTimeout ends the sending of a message that hangs.
const notificationTimeout = time.Minute

// messageLease is how long a worker has a message for itself: longer than it may take to make and to send one.
const messageLease = 2 * notificationTimeout

// Message is something that is sent to a person.
type Message struct {
	ID       string // the same each time that the same message is tried
	Purpose  string // INVITATION or VERIFICATION
	Via      string
	To       string // the address
	Identity configuration.Reference
	// Token lets its bearer register, or set a new password. It must not be logged.
	Token   string
	Expires time.Time
	Source  string // whose password is set; "" for none
}

// Notifier sends messages. It may be called at least once for a message, by many goroutines. An error must not hold the
// token or the address; it is stored and shown, and the message is tried again.
type Notifier interface {
	Notify(ctx context.Context, m *Message) error
}

// addressOf returns the address that a way leads to, "" for none.
func addressOf(s *refresh.State, via string) string {
	if via == ViaEmailPersonal || via == ViaLinkPersonal {
		return s.Attributes.Get("personalEmail").Text()
	}
	return s.Attributes.Get("email").Text()
}

type Worker struct {
	river.WorkerDefaults[tenant.SendMessages]
	*Registrar
}

// Work sends the messages of a task, each once. What fails is tried again by the queue, after a while that grows.
func (w *Worker) Work(ctx context.Context, job *river.Job[tenant.SendMessages]) error {
	id, known := store.IDOf(job.Args.Task)
	if !known {
		return river.JobCancel(errors.New("the job names no task"))
	}
	if w.notifier == nil {
		return river.JobSnooze(time.Minute) // another engine has one, or this one will
	}
	left, paused, err := w.sendTask(ctx, id, job.Attempt, w.Turn())
	switch {
	case err != nil:
		return errors.New(store.Reason(err))
	case paused:
		return river.JobSnooze(0)
	case left > 0:
		return fmt.Errorf("%d messages are tried again", left)
	}
	return nil
}

// sendTask tries the messages of a task that were tried less often than round, until more reports false, which paused
// says. It ends the task when none is left.
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
	err = r.InTx(ctx, func(tx pgx.Tx) error {
		t, err := r.Store.LockTask(ctx, tx, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && t.Completed != nil {
			left, paused = 0, false
			return nil
		}
		if err != nil {
			return err
		}
		if left, err = r.Store.PendingNotifications(ctx, tx, id); err != nil || left > 0 {
			return err
		}
		paused = false
		status := task.StatusSuccess
		if t.Errors+t.Warnings > 0 {
			status = task.StatusWarning
		}
		return r.Store.EndTask(ctx, tx, id, status, r.Now())
	})
	return left, paused && left > 0, err
}

// sendNext sends the next message of a task. sent is false when there is none.
func (r *Registrar) sendNext(ctx context.Context, id store.ID, round int) (sent bool, err error) {
	var n store.Notification
	err = r.InTx(ctx, func(tx pgx.Tx) (err error) {
		now := r.Clock()
		n, err = r.Store.ClaimNotification(ctx, tx, id, round, task.NotificationAttemptsMax, now, now.Add(messageLease))
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
	// What was sent is noted also where the engine stops meanwhile: otherwise it would be sent again.
	noting := context.WithoutCancel(ctx)
	return true, r.InTx(noting, func(tx pgx.Tx) error {
		return r.recordMessage(noting, tx, &n, failure, n.Attempts >= task.NotificationAttemptsMax)
	})
}

// takeMessage makes the message that a worker has claimed. It is nil where there is nothing to be sent: where it cannot
// be made, which is noted, and where the identity is gone or the task cancelled meanwhile.
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

// recordMessage notes what became of a message.
func (r *Registrar) recordMessage(ctx context.Context, tx pgx.Tx, n *store.Notification, failure error, last bool) error {
	now := r.Now()
	counts := store.TaskCounts{Identities: 1}
	var messages []store.TaskMessage
	state, reason := store.NotificationSent, (*string)(nil)
	switch {
	case failure == nil:
		counts.Changed = 1
		if n.Purpose == PurposeInvitation {
			if err := r.Store.MarkInvited(ctx, tx, n.IdentityID, now); err != nil {
				return err
			}
		}
	case !last:
		r.Logger.InfoContext(ctx, "a message is tried again", "message", n.ID.String(), "attempt", n.Attempts,
			"error", tenant.ReasonText(failure))
		return r.Store.RecordNotification(ctx, tx, n.ID, store.NotificationPending, store.NullText(tenant.ReasonText(failure)),
			n.Attempts, now)
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

// compose makes a message with a new token. Where that cannot be, reason says why; where the identity or the message is
// gone, the error is [store.ErrNotFound].
func (r *Registrar) compose(ctx context.Context, tx pgx.Tx, n *store.Notification) (m *Message, reason string, err error) {
	c, err := r.LockConfigurationShared(ctx, tx)
	if err != nil {
		return nil, "", err
	}
	if _, err := r.Store.LockIdentities(ctx, tx, []store.ID{n.IdentityID}); err != nil {
		return nil, "", err
	}
	row, err := r.Store.IdentityByID(ctx, tx, n.IdentityID)
	if err != nil {
		return nil, "", err
	}
	if err := r.Store.KeepNotification(ctx, tx, n.ID, n.Attempts, r.Clock().Add(messageLease)); err != nil {
		return nil, "", err
	}
	if n.Attempts > task.NotificationAttemptsMax {
		return nil, "the last attempt was cut off", nil
	}
	var state refresh.State
	if err := state.Attributes.Decode(row.Attributes); err != nil {
		return nil, "", err
	}
	via, ttl := n.Via, VerificationTTL
	if n.Purpose == PurposeInvitation {
		if row.CloudStatus != "UNREGISTERED" && row.CloudStatus != "PENDING" {
			return nil, "the identity's status is " + row.CloudStatus, nil
		}
		via, ttl = ViaLinkWork, InvitationTTL
		if p := c.ProfileByID(row.ProfileID); p != nil && p.InvitationOptions != nil &&
			p.InvitationOptions.Address == "PERSONAL" {
			via = ViaLinkPersonal
		}
	}
	address := addressOf(&state, via)
	if address == "" {
		return nil, "the identity has no address for " + via, nil
	}
	now := r.Now()
	token, digest := newToken()
	m = &Message{ID: n.ID.String(), Purpose: n.Purpose, Via: via, To: address, Token: token, Expires: now.Add(ttl),
		Identity: configuration.Reference{Type: "IDENTITY", ID: row.ID.String(), Name: row.Name}}
	if source := c.Sources[n.SourceID]; source != nil {
		m.Source = source.Name
	}
	if err := r.Store.AddToken(ctx, tx, &store.Token{Digest: digest, IdentityID: row.ID, Purpose: n.Purpose,
		SourceID: n.SourceID, Created: now, Expires: m.Expires}); err != nil {
		return nil, "", err
	}
	return m, "", nil
}

// SendPending tries every message that is to be sent, once. It is for programs that have no workers running.
func (r *Registrar) SendPending(ctx context.Context) error {
	const op = "send the messages"
	tasks, err := r.Store.NotificationTasks(ctx, r.Pool)
	if err != nil {
		return fault.Wrap(op, "", err)
	}
	for _, task := range tasks {
		if _, _, err := r.sendTask(ctx, task.ID, task.Attempts+1, func() bool { return ctx.Err() == nil }); err != nil {
			return fault.Wrap(op, task.ID.String(), err)
		}
	}
	return nil
}
