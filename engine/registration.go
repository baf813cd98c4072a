package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// The limits of invitations and verifications.
const (
	// InvitationTTL and VerificationTTL are how long their tokens are good: the published times.
	InvitationTTL   = 7 * 24 * time.Hour
	VerificationTTL = 2 * time.Hour
	// InviteIdentitiesMax is how many identities one call of [Engine.InviteIdentities] takes, by name or as uninvited.
	InviteIdentitiesMax = 1000
	// NotificationAttemptsMax is how often a message is tried, over some hours.
	NotificationAttemptsMax = 10
	// notificationTimeout ends the sending of a message that hangs.
	notificationTimeout = time.Minute
	// messageLease is how long a worker has a message for itself: longer than it may take to make and to send one.
	messageLease = 2 * notificationTimeout
	// sendAgain is how long after a message the same one is not sent again: a client repeated its call.
	sendAgain = time.Minute
	// tokenRetention is how long a token is remembered after it expired, so that its user is told so.
	tokenRetention = 30 * 24 * time.Hour
)

// TaskInvitation and TaskVerification are the kinds of the tasks that send messages.
const (
	TaskInvitation   = "IDENTITY_INVITATION"
	TaskVerification = "ACCOUNT_VERIFICATION"
)

// The purposes of messages and of their tokens.
const (
	PurposeInvitation   = "INVITATION"
	PurposeVerification = "VERIFICATION"
)

// The ways by which a message goes: to the work address or the personal one, with the token to be typed or as a link.
const (
	ViaEmailWork     = "EMAIL_WORK"
	ViaEmailPersonal = "EMAIL_PERSONAL"
	ViaLinkWork      = "LINK_WORK"
	ViaLinkPersonal  = "LINK_PERSONAL"
)

// Message is something that is sent to a person.
type Message struct {
	ID       string // the same each time that the same message is tried
	Purpose  string // INVITATION or VERIFICATION
	Via      string
	To       string // the address
	Identity Reference
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

// newToken returns a token of 256 random bits and its digest.
func newToken() (token string, digest []byte) {
	var bits [32]byte
	if _, err := rand.Read(bits[:]); err != nil {
		panic(err) // it never fails
	}
	token = base64.RawURLEncoding.EncodeToString(bits[:])
	sum := sha256.Sum256([]byte(token))
	return token, sum[:]
}

// InviteParams say whom to invite.
type InviteParams struct {
	IDs []string
	// Uninvited, where no IDs are given, invites correlated identities that are UNREGISTERED, at most
	// [InviteIdentitiesMax]: those first for whom it was never tried.
	Uninvited bool
}

// InviteIdentities launches a task that invites identities to register, by a message with a token that is good for
// [InvitationTTL]; a new one revokes the one before. Only who is not registered is invited: of others the task has a
// warning. Who is to be invited already, or was within a minute, is not invited again. The message goes to the address
// that the identity profile's invitation options say, by default the one of work. An identity whose message was sent is
// PENDING. When one of the identities does not exist, the error says which, and nothing is launched.
func (e *Engine) InviteIdentities(ctx context.Context, params InviteParams) (TaskStatus, error) {
	var task TaskStatus
	err := e.inTx(ctx, func(tx pgx.Tx) (err error) {
		task, err = e.inviteIdentitiesTx(ctx, tx, params)
		return err
	})
	return task, wrap("invite identities", "", err)
}

// InviteIdentitiesTx is [Engine.InviteIdentities] in the caller's transaction.
func (e *Engine) InviteIdentitiesTx(ctx context.Context, tx pgx.Tx, params InviteParams) (TaskStatus, error) {
	task, err := e.inviteIdentitiesTx(ctx, tx, params)
	return task, wrap("invite identities", "", err)
}

func (e *Engine) inviteIdentitiesTx(ctx context.Context, tx pgx.Tx, params InviteParams) (TaskStatus, error) {
	row, messages, err := e.inviteIdentities(ctx, tx, params)
	return taskStatus(&row, messages), err
}

func (e *Engine) inviteIdentities(ctx context.Context, tx pgx.Tx, params InviteParams) (store.Task, []store.TaskMessage, error) {
	wanted, err := e.invitees(ctx, tx, params)
	if err != nil {
		return store.Task{}, nil, err
	}
	now := e.now()
	task := &store.Task{ID: store.NewID(), Kind: TaskInvitation, Population: int64(len(wanted)),
		Description: fmt.Sprintf("Invite %s", plural(len(wanted), "identity", "identities"))}
	var messages []store.TaskMessage
	var list []store.Notification
	recent, err := e.store.RecentNotifications(ctx, tx, wanted, PurposeInvitation, now.Add(-sendAgain))
	if err != nil {
		return store.Task{}, nil, err
	}
	for _, id := range wanted {
		row, err := e.store.IdentityByID(ctx, tx, id)
		if err != nil {
			return store.Task{}, nil, err
		}
		switch {
		case row.CloudStatus != "UNREGISTERED" && row.CloudStatus != "PENDING":
			messages = append(messages, store.TaskMessage{Type: "WARN", Key: "IDENTITY_NOT_INVITED", IdentityID: id,
				Text: "the identity was not invited: its status is " + row.CloudStatus})
		case slices.ContainsFunc(recent, func(n store.Notification) bool { return n.IdentityID == id }):
			messages = append(messages, store.TaskMessage{Type: "INFO", Key: "IDENTITY_INVITED_BEFORE", IdentityID: id,
				Text: "the identity was invited a moment ago"})
		default:
			list = append(list, store.Notification{ID: store.NewID(), TaskID: task.ID, IdentityID: id,
				Purpose: PurposeInvitation})
		}
	}
	return e.launchMessages(ctx, tx, task, list, messages, now)
}

// invitees returns the identities to be invited, each once. They are locked, so that of two calls at once the second
// sees what the first asked for.
func (e *Engine) invitees(ctx context.Context, tx pgx.Tx, params InviteParams) ([]store.ID, error) {
	const op = "invite identities"
	var wanted []store.ID
	var nobodys []string
	var err error
	switch {
	case len(params.IDs) > 0:
		wanted, nobodys, err = parseIDs(op, params.IDs, InviteIdentitiesMax)
	case params.Uninvited:
		wanted, err = e.store.UninvitedIdentities(ctx, tx, InviteIdentitiesMax)
	default:
		err = invalidAs(Missing, op, "ids", "identities are expected, or uninvited as true")
	}
	if err != nil {
		return nil, err
	}
	locked, err := e.store.LockIdentities(ctx, tx, wanted)
	if err != nil {
		return nil, err
	}
	if len(params.IDs) == 0 {
		return locked, nil
	}
	return wanted, demandAll(op, wanted, locked, nobodys)
}

// launchMessages writes a task that sends messages, and its job.
func (e *Engine) launchMessages(ctx context.Context, tx pgx.Tx, row *store.Task, list []store.Notification,
	messages []store.TaskMessage, now time.Time,
) (store.Task, []store.TaskMessage, error) {
	row.Created, row.Modified, row.Launcher = now, now, e.launcher(ctx)
	job, err := e.insertNotify(ctx, tx, row.ID)
	if err != nil {
		return store.Task{}, nil, err
	}
	row.JobID = &job
	if err := e.store.AddTask(ctx, tx, row); err != nil {
		return store.Task{}, nil, err
	}
	if err := e.store.AddNotifications(ctx, tx, list, now); err != nil {
		return store.Task{}, nil, err
	}
	kept := messages[:min(TaskMessagesMax, len(messages))]
	if err := e.store.AddTaskMessages(ctx, tx, row.ID, kept, now); err != nil {
		return store.Task{}, nil, err
	}
	var warnings int64
	for i := range messages {
		if messages[i].Type == "WARN" {
			warnings++
		}
	}
	if len(messages) > 0 {
		advance := store.TaskAdvance{Task: row.ID, Counts: store.TaskCounts{Warnings: warnings},
			Messages: int64(len(messages))}
		if err := e.store.AdvanceTask(ctx, tx, &advance, now); err != nil {
			return store.Task{}, nil, err
		}
	}
	written, err := e.store.FindTask(ctx, tx, row.ID)
	return written, kept, err
}

// VerificationParams say how a person proves who they are before they set a new password.
type VerificationParams struct {
	Source string // whose password it is, by name or ID; "" for the host's own
	Via    string // one of the constants
}

// SendVerification sends an identity a token, good for [VerificationTTL], by which it sets a new password; a new one
// revokes the one before. What is asked for again while it waits, or within a minute, is sent once. It is a Conflict
// where the identity has no account on the source, or no such address.
func (e *Engine) SendVerification(ctx context.Context, identity string, params VerificationParams) error {
	err := e.inTx(ctx, func(tx pgx.Tx) error { return e.sendVerification(ctx, tx, identity, params) })
	return wrap("send the verification", identity, err)
}

// SendVerificationTx is [Engine.SendVerification] in the caller's transaction.
func (e *Engine) SendVerificationTx(ctx context.Context, tx pgx.Tx, identity string, params VerificationParams) error {
	return wrap("send the verification", identity, e.sendVerification(ctx, tx, identity, params))
}

func (e *Engine) sendVerification(ctx context.Context, tx pgx.Tx, identity string, params VerificationParams) error {
	const op = "send the verification"
	if !slices.Contains([]string{ViaEmailWork, ViaEmailPersonal, ViaLinkWork, ViaLinkPersonal}, params.Via) {
		return invalid(op, "via", "%q is unknown: %s, %s, %s and %s are known", params.Via, ViaEmailWork,
			ViaEmailPersonal, ViaLinkWork, ViaLinkPersonal)
	}
	c, id, err := e.lockForWrite(ctx, tx, op, identity)
	if err != nil {
		return err
	}
	row, err := e.store.IdentityByID(ctx, tx, id)
	if err != nil {
		return err
	}
	var state refresh.State
	if err := state.Attributes.Decode(row.Attributes); err != nil {
		return err
	}
	if addressOf(&state, params.Via) == "" {
		return &Error{Kind: Conflict, Op: op, Subject: identity,
			Err: fmt.Errorf("the identity has no address for %s", params.Via)}
	}
	m := store.Notification{ID: store.NewID(), TaskID: store.NewID(), IdentityID: id,
		Purpose: PurposeVerification, Via: params.Via}
	if params.Source != "" {
		source := c.sourceByName(params.Source)
		if source == nil {
			return &Error{Kind: NotFound, Op: op, Subject: params.Source, Err: errors.New("there is no such source")}
		}
		accounts, err := e.store.AccountsOf(ctx, tx, []store.ID{id})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(accounts, func(a store.Account) bool { return a.SourceID == source.id }) {
			return &Error{Kind: Conflict, Op: op, Subject: identity,
				Err: fmt.Errorf("the identity has no account on the source %q", source.Name)}
		}
		m.SourceID = source.id
	}
	now := e.now()
	recent, err := e.store.RecentNotifications(ctx, tx, []store.ID{id}, PurposeVerification, now.Add(-sendAgain))
	if err != nil || slices.ContainsFunc(recent, func(n store.Notification) bool {
		return n.Via == m.Via && n.SourceID == m.SourceID
	}) {
		return err
	}
	task := &store.Task{ID: m.TaskID, Kind: TaskVerification, Population: 1, TargetType: store.NullText("IDENTITY"),
		TargetID: id, Description: "Send a verification"}
	_, _, err = e.launchMessages(ctx, tx, task, []store.Notification{m}, nil, now)
	return err
}

// addressOf returns the address that a way leads to, "" for none.
func addressOf(s *refresh.State, via string) string {
	if via == ViaEmailPersonal || via == ViaLinkPersonal {
		return s.Attributes.Get("personalEmail").Text()
	}
	return s.Attributes.Get("email").Text()
}

// sendMessages is the job that sends the messages of a task.
type sendMessages struct {
	Task string `json:"task"`
}

// Kind implements [river.JobArgs].
func (sendMessages) Kind() string { return "muster_send_messages" }

func (e *Engine) insertNotify(ctx context.Context, tx pgx.Tx, task store.ID) (int64, error) {
	return e.insert(ctx, tx, sendMessages{Task: task.String()},
		&river.InsertOpts{Queue: queueNotification, MaxAttempts: NotificationAttemptsMax})
}

type notifyWorker struct {
	river.WorkerDefaults[sendMessages]
	e *Engine
}

// Work sends the messages of a task, each once. What fails is tried again by the queue, after a while that grows.
func (w *notifyWorker) Work(ctx context.Context, job *river.Job[sendMessages]) error {
	id, known := store.IDOf(job.Args.Task)
	if !known {
		return river.JobCancel(errors.New("the job names no task"))
	}
	if w.e.config.Notifier == nil {
		return river.JobSnooze(time.Minute) // another engine has one, or this one will
	}
	left, paused, err := w.e.sendTask(ctx, id, job.Attempt, w.e.turn())
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
func (e *Engine) sendTask(ctx context.Context, id store.ID, round int, more func() bool) (left int, paused bool,
	err error,
) {
	if e.config.Notifier == nil {
		return 0, false, errors.New("this engine was given no Notifier")
	}
	for {
		if !more() {
			paused = true
			break
		}
		sent, err := e.sendNext(ctx, id, round)
		if err != nil {
			return 0, false, err
		}
		if !sent {
			break
		}
	}
	err = e.inTx(ctx, func(tx pgx.Tx) error {
		t, err := e.store.LockTask(ctx, tx, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && t.Completed != nil {
			left, paused = 0, false
			return nil
		}
		if err != nil {
			return err
		}
		if left, err = e.store.PendingNotifications(ctx, tx, id); err != nil || left > 0 {
			return err
		}
		paused = false
		status := statusSuccess
		if t.Errors+t.Warnings > 0 {
			status = statusWarning
		}
		return e.store.EndTask(ctx, tx, id, status, e.now())
	})
	return left, paused && left > 0, err
}

// sendNext sends the next message of a task. sent is false when there is none.
func (e *Engine) sendNext(ctx context.Context, id store.ID, round int) (sent bool, err error) {
	var n store.Notification
	err = e.inTx(ctx, func(tx pgx.Tx) (err error) {
		now := e.config.Now()
		n, err = e.store.ClaimNotification(ctx, tx, id, round, NotificationAttemptsMax, now, now.Add(messageLease))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m, err := e.takeMessage(ctx, &n)
	if err != nil || m == nil {
		return true, err
	}
	limited, cancel := context.WithTimeout(ctx, notificationTimeout)
	failure := e.config.Notifier.Notify(limited, m)
	cancel()
	if err := ctx.Err(); err != nil && failure != nil {
		return true, err // the message is tried again when its lease has ended
	}
	// What was sent is noted also where the engine stops meanwhile: otherwise it would be sent again.
	noting := context.WithoutCancel(ctx)
	return true, e.inTx(noting, func(tx pgx.Tx) error {
		return e.noteMessage(noting, tx, &n, failure, n.Attempts >= NotificationAttemptsMax)
	})
}

// takeMessage makes the message that a worker has claimed. It is nil where there is nothing to be sent: where it cannot
// be made, which is noted, and where the identity is gone or the task cancelled meanwhile.
func (e *Engine) takeMessage(ctx context.Context, n *store.Notification) (m *Message, err error) {
	err = e.inTx(ctx, func(tx pgx.Tx) (err error) {
		var reason string
		m, reason, err = e.compose(ctx, tx, n)
		if errors.Is(err, store.ErrNotFound) {
			m = nil
			return nil
		}
		if err != nil || m != nil {
			return err
		}
		return e.noteMessage(ctx, tx, n, errors.New(reason), true)
	})
	return m, err
}

// noteMessage notes what became of a message.
func (e *Engine) noteMessage(ctx context.Context, tx pgx.Tx, n *store.Notification, failure error, last bool) error {
	now := e.now()
	counts := store.TaskCounts{Identities: 1}
	var messages []store.TaskMessage
	state, reason := store.NotificationSent, (*string)(nil)
	switch {
	case failure == nil:
		counts.Changed = 1
		if n.Purpose == PurposeInvitation {
			if err := e.store.MarkInvited(ctx, tx, n.IdentityID, now); err != nil {
				return err
			}
		}
	case !last:
		e.config.Logger.InfoContext(ctx, "a message is tried again", "message", n.ID.String(), "attempt", n.Attempts,
			"error", reasonText(failure))
		return e.store.NoteNotification(ctx, tx, n.ID, store.NotificationPending, store.NullText(reasonText(failure)),
			n.Attempts, now)
	default:
		counts.Errors = 1
		state, reason = store.NotificationFailed, store.NullText(reasonText(failure))
		messages = []store.TaskMessage{{Type: "ERROR", Key: "MESSAGE_NOT_SENT", IdentityID: n.IdentityID,
			Text: "the message could not be sent: " + *reason}}
	}
	if err := e.store.NoteNotification(ctx, tx, n.ID, state, reason, n.Attempts, now); err != nil {
		return err
	}
	advance := store.TaskAdvance{Task: n.TaskID, Counts: counts, Messages: int64(len(messages))}
	err := e.store.AdvanceTask(ctx, tx, &advance, now)
	if errors.Is(err, store.ErrNotFound) {
		return nil // it was cancelled meanwhile
	}
	if err != nil {
		return err
	}
	return e.store.AddTaskMessages(ctx, tx, n.TaskID, messages, now)
}

// compose makes a message with a new token. Where that cannot be, reason says why; where the identity or the message is
// gone, the error is [store.ErrNotFound].
func (e *Engine) compose(ctx context.Context, tx pgx.Tx, n *store.Notification) (m *Message, reason string, err error) {
	c, err := e.configurationIn(ctx, tx)
	if err != nil {
		return nil, "", err
	}
	if _, err := e.store.LockIdentities(ctx, tx, []store.ID{n.IdentityID}); err != nil {
		return nil, "", err
	}
	row, err := e.store.IdentityByID(ctx, tx, n.IdentityID)
	if err != nil {
		return nil, "", err
	}
	if err := e.store.KeepNotification(ctx, tx, n.ID, n.Attempts, e.config.Now().Add(messageLease)); err != nil {
		return nil, "", err
	}
	if n.Attempts > NotificationAttemptsMax {
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
		if p := c.profileByID(row.ProfileID); p != nil && p.InvitationOptions != nil &&
			p.InvitationOptions.Address == "PERSONAL" {
			via = ViaLinkPersonal
		}
	}
	address := addressOf(&state, via)
	if address == "" {
		return nil, "the identity has no address for " + via, nil
	}
	now := e.now()
	token, digest := newToken()
	m = &Message{ID: n.ID.String(), Purpose: n.Purpose, Via: via, To: address, Token: token, Expires: now.Add(ttl),
		Identity: Reference{Type: "IDENTITY", ID: row.ID.String(), Name: row.Name}}
	if source := c.sources[n.SourceID]; source != nil {
		m.Source = source.Name
	}
	if err := e.store.AddToken(ctx, tx, &store.Token{Digest: digest, IdentityID: row.ID, Purpose: n.Purpose,
		SourceID: n.SourceID, Created: now, Expires: m.Expires}); err != nil {
		return nil, "", err
	}
	return m, "", nil
}

// SendPending tries every message that is to be sent, once. It is for programs that have no workers running.
func (e *Engine) SendPending(ctx context.Context) error {
	const op = "send the messages"
	tasks, err := e.store.NotificationTasks(ctx, e.pool)
	if err != nil {
		return wrap(op, "", err)
	}
	for _, task := range tasks {
		if _, _, err := e.sendTask(ctx, task.ID, task.Attempts+1, func() bool { return ctx.Err() == nil }); err != nil {
			return wrap(op, task.ID.String(), err)
		}
	}
	return nil
}

// RedeemInvitation registers the identity whose invitation the token is, and returns it. A token is good once: one that
// is not known, was used, was replaced or has expired is Forbidden.
func (e *Engine) RedeemInvitation(ctx context.Context, token string) (Identity, error) {
	var identity Identity
	err := e.inTx(ctx, func(tx pgx.Tx) (err error) {
		identity, err = e.redeemInvitation(ctx, tx, token)
		return err
	})
	return identity, wrap("redeem the invitation", "", err)
}

// RedeemInvitationTx is [Engine.RedeemInvitation] in the caller's transaction. The token is good again where that is
// rolled back.
func (e *Engine) RedeemInvitationTx(ctx context.Context, tx pgx.Tx, token string) (Identity, error) {
	identity, err := e.redeemInvitation(ctx, tx, token)
	return identity, wrap("redeem the invitation", "", err)
}

func (e *Engine) redeemInvitation(ctx context.Context, tx pgx.Tx, token string) (Identity, error) {
	t, err := e.useToken(ctx, tx, "redeem the invitation", token, PurposeInvitation)
	if err != nil {
		return Identity{}, err
	}
	if _, err := e.store.SetCloudStatus(ctx, tx, t.IdentityID, "REGISTERED", []string{"UNREGISTERED", "PENDING"},
		e.now()); err != nil {
		return Identity{}, err
	}
	row, err := e.store.IdentityByID(ctx, tx, t.IdentityID)
	if err != nil {
		return Identity{}, err
	}
	return identityOf(&row)
}

// useToken finds a token that is good, and notes that it was used. The identity is locked before the token, as it is
// where a new token revokes the one before.
func (e *Engine) useToken(ctx context.Context, tx pgx.Tx, op, token, purpose string) (store.Token, error) {
	sum := sha256.Sum256([]byte(token))
	t, err := e.store.FindToken(ctx, tx, sum[:])
	if err == nil {
		if _, err := e.store.LockIdentities(ctx, tx, []store.ID{t.IdentityID}); err != nil {
			return t, err
		}
		t, err = e.store.LockToken(ctx, tx, sum[:])
	}
	refused := func(text string) error { return &Error{Kind: Forbidden, Op: op, Err: errors.New(text)} }
	switch now := e.now(); {
	case errors.Is(err, store.ErrNotFound):
		return t, refused("the token is not known")
	case err != nil:
		return t, err
	case subtle.ConstantTimeCompare(t.Digest, sum[:]) != 1 || t.Purpose != purpose:
		return t, refused("the token is not known")
	case t.Used != nil:
		return t, refused("the token was used already")
	case t.Revoked != nil:
		return t, refused("the token was replaced by a newer one, or revoked")
	case !t.Expires.After(now):
		return t, refused("the token has expired")
	default:
		return t, e.store.UseToken(ctx, tx, t.Digest, now)
	}
}

// RedeemVerification sets a new password for the identity whose verification the token is, on the source that the
// verification named, through its connector, and returns the identity. Without a source the password is the host's to
// set. A token is good once: where the source cannot be reached, it can be tried again, unless it was revoked
// meanwhile.
//
// It has no twin in a caller's transaction: the password is set on the source between two transactions, and no
// rolling back would take it from there.
func (e *Engine) RedeemVerification(ctx context.Context, token, password string) (Identity, error) {
	const op = "redeem the verification"
	var used store.Token
	err := e.inTx(ctx, func(tx pgx.Tx) (err error) {
		used, err = e.useToken(ctx, tx, op, token, PurposeVerification)
		return err
	})
	if err != nil {
		return Identity{}, wrap(op, "", err)
	}
	if !used.SourceID.IsZero() {
		if err := e.SetPassword(ctx, used.IdentityID.String(), used.SourceID.String(), password); err != nil {
			return Identity{}, errors.Join(wrap(op, "", err), e.returnToken(context.WithoutCancel(ctx), &used))
		}
	}
	return e.GetIdentity(ctx, used.IdentityID.String())
}

// returnToken makes a token good again whose use did not succeed.
func (e *Engine) returnToken(ctx context.Context, t *store.Token) error {
	return e.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := e.store.LockIdentities(ctx, tx, []store.ID{t.IdentityID}); err != nil {
			return err
		}
		return e.store.ReturnToken(ctx, tx, t.Digest)
	})
}

// ResetIdentity ends the registration of an identity: its status is UNREGISTERED, its user levels are removed, its open
// tokens are revoked, and messages that wait to be sent to it are cancelled. It can be invited again at once.
func (e *Engine) ResetIdentity(ctx context.Context, identity string) error {
	err := e.inTx(ctx, func(tx pgx.Tx) error { return e.resetIdentity(ctx, tx, identity) })
	return wrap("reset the identity", identity, err)
}

// ResetIdentityTx is [Engine.ResetIdentity] in the caller's transaction.
func (e *Engine) ResetIdentityTx(ctx context.Context, tx pgx.Tx, identity string) error {
	return wrap("reset the identity", identity, e.resetIdentity(ctx, tx, identity))
}

func (e *Engine) resetIdentity(ctx context.Context, tx pgx.Tx, identity string) error {
	_, id, err := e.lockForWrite(ctx, tx, "reset the identity", identity)
	if err != nil {
		return err
	}
	now := e.now()
	if _, err := e.store.SetCloudStatus(ctx, tx, id, "UNREGISTERED", nil, now); err != nil {
		return err
	}
	if err := e.store.SetUserLevels(ctx, tx, id, nil, now); err != nil {
		return err
	}
	if err := e.store.RevokeTokens(ctx, tx, id, now); err != nil {
		return err
	}
	return e.store.CancelNotificationsOf(ctx, tx, id, now)
}

// SetUserLevels replaces what an identity may do beyond a user, as ORG_ADMIN or HELPDESK. The host decides what they
// mean; [Engine.ResetIdentity] removes them.
func (e *Engine) SetUserLevels(ctx context.Context, identity string, levels []string) error {
	err := e.inTx(ctx, func(tx pgx.Tx) error { return e.setUserLevels(ctx, tx, identity, levels) })
	return wrap("set the user levels", identity, err)
}

// SetUserLevelsTx is [Engine.SetUserLevels] in the caller's transaction.
func (e *Engine) SetUserLevelsTx(ctx context.Context, tx pgx.Tx, identity string, levels []string) error {
	return wrap("set the user levels", identity, e.setUserLevels(ctx, tx, identity, levels))
}

func (e *Engine) setUserLevels(ctx context.Context, tx pgx.Tx, identity string, levels []string) error {
	const op = "set the user levels"
	for _, level := range levels {
		if level == "" || len(level) > 64 || !store.Storable(level) {
			return invalid(op, "levels", "1 to 64 bytes without NUL are expected")
		}
	}
	_, id, err := e.lockForWrite(ctx, tx, op, identity)
	if err != nil {
		return err
	}
	return e.store.SetUserLevels(ctx, tx, id, levels, e.now())
}

// UserLevels returns what an identity may do beyond a user.
func (e *Engine) UserLevels(ctx context.Context, identity string) ([]string, error) {
	const op = "get the user levels"
	id, known := store.IDOf(identity)
	var levels []string
	err := store.ErrNotFound
	if known {
		levels, err = e.store.UserLevels(ctx, e.pool, id)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = noIdentity(op, identity)
	}
	return levels, wrap(op, identity, err)
}
