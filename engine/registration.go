package engine

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/registration"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// The limits of invitations and verifications.
const (
	// InvitationTTL and VerificationTTL are how long their tokens are good: 7 days and 2 hours, the published times.
	InvitationTTL   = registration.InvitationTTL
	VerificationTTL = registration.VerificationTTL
	// InviteIdentitiesMax is how many identities one call of [Engine.InviteIdentities] takes, by name or as uninvited: 1,000.
	InviteIdentitiesMax = registration.InviteIdentitiesMax
	// NotificationAttemptsMax is how often a message is tried, over some hours: 10 times.
	NotificationAttemptsMax = task.NotificationAttemptsMax
)

// TaskInvitation and TaskVerification are the kinds of the tasks that send messages.
const (
	TaskInvitation   = registration.TaskInvitation
	TaskVerification = registration.TaskVerification
)

// The purposes of messages and of their tokens.
const (
	PurposeInvitation   = registration.PurposeInvitation
	PurposeVerification = registration.PurposeVerification
)

// The ways by which a message goes: to the work address or the personal one, with the token to be typed or as a link.
const (
	ViaEmailWork     = registration.ViaEmailWork
	ViaEmailPersonal = registration.ViaEmailPersonal
	ViaLinkWork      = registration.ViaLinkWork
	ViaLinkPersonal  = registration.ViaLinkPersonal
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

// notifierOf returns a host's notifier as the room of registration calls it, nil where there is none.
func notifierOf(n Notifier) registration.Notifier {
	if n == nil {
		return nil
	}
	return notifier{n}
}

type notifier struct{ Notifier }

// Notify implements [registration.Notifier].
func (n notifier) Notify(ctx context.Context, m *registration.Message) error {
	return n.Notifier.Notify(ctx, (*Message)(m))
}

// InviteParams say whom to invite.
type InviteParams struct {
	IDs []string
	// Uninvited, where no IDs are given, invites correlated identities that are UNREGISTERED, at most
	// [InviteIdentitiesMax]: those first for whom it was never tried.
	Uninvited bool
}

// VerificationParams say how a person proves who they are before they set a new password.
type VerificationParams struct {
	Source string // whose password it is, by name or ID; "" for the host's own
	Via    string // one of the constants
}

// InviteIdentities launches a task that invites identities to register, by a message with a token that is good for
// [InvitationTTL]; a new one revokes the one before. Only who is not registered is invited: of others the task has a
// warning. Who is to be invited already, or was within a minute, is not invited again. The message goes to the address
// that the identity profile's invitation options say, by default the one of work. An identity whose message was sent is
// PENDING. When one of the identities does not exist, the error says which, and nothing is launched.
func (e *Engine) InviteIdentities(ctx context.Context, params InviteParams) (TaskStatus, error) {
	var task TaskStatus
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) (err error) {
		task, err = e.inviteIdentitiesTx(ctx, tx, params)
		return err
	})
	return task, fault.Wrap("invite identities", "", err)
}

// InviteIdentitiesTx is [Engine.InviteIdentities] in the caller's transaction.
func (e *Engine) InviteIdentitiesTx(ctx context.Context, tx pgx.Tx, params InviteParams) (TaskStatus, error) {
	task, err := e.inviteIdentitiesTx(ctx, tx, params)
	return task, fault.Wrap("invite identities", "", err)
}

func (e *Engine) inviteIdentitiesTx(ctx context.Context, tx pgx.Tx, params InviteParams) (TaskStatus, error) {
	row, messages, err := e.registrar.InviteIdentities(ctx, tx, registration.InviteParams(params))
	return taskStatus(&row, messages), err
}

// SendVerification sends an identity a token, good for [VerificationTTL], by which it sets a new password; a new one
// revokes the one before. What is asked for again while it waits, or within a minute, is sent once. It is a Conflict
// where the identity has no account on the source, or no such address.
func (e *Engine) SendVerification(ctx context.Context, identity string, params VerificationParams) error {
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) error {
		return e.registrar.SendVerification(ctx, tx, identity,
			registration.VerificationParams(params))
	})
	return fault.Wrap("send the verification", identity, err)
}

// SendVerificationTx is [Engine.SendVerification] in the caller's transaction.
func (e *Engine) SendVerificationTx(ctx context.Context, tx pgx.Tx, identity string, params VerificationParams) error {
	return fault.Wrap("send the verification", identity, e.registrar.SendVerification(ctx, tx, identity,
		registration.VerificationParams(params)))
}

// RedeemInvitation registers the identity whose invitation the token is, and returns it. A token is good once: one that
// is not known, was used, was replaced or has expired is Forbidden.
func (e *Engine) RedeemInvitation(ctx context.Context, token string) (Identity, error) {
	var identity Identity
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) (err error) {
		identity, err = e.redeemInvitation(ctx, tx, token)
		return err
	})
	return identity, fault.Wrap("redeem the invitation", "", err)
}

// RedeemInvitationTx is [Engine.RedeemInvitation] in the caller's transaction. The token is good again where that is
// rolled back.
func (e *Engine) RedeemInvitationTx(ctx context.Context, tx pgx.Tx, token string) (Identity, error) {
	identity, err := e.redeemInvitation(ctx, tx, token)
	return identity, fault.Wrap("redeem the invitation", "", err)
}

func (e *Engine) redeemInvitation(ctx context.Context, tx pgx.Tx, token string) (Identity, error) {
	t, err := e.registrar.UseToken(ctx, tx, "redeem the invitation", token, PurposeInvitation)
	if err != nil {
		return Identity{}, err
	}
	if _, err := e.tenant.Store.SetCloudStatus(ctx, tx, t.IdentityID, "REGISTERED", []string{"UNREGISTERED", "PENDING"},
		e.tenant.Now()); err != nil {
		return Identity{}, err
	}
	row, err := e.tenant.Store.IdentityByID(ctx, tx, t.IdentityID)
	if err != nil {
		return Identity{}, err
	}
	return identityOf(&row)
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
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) (err error) {
		used, err = e.registrar.UseToken(ctx, tx, op, token, PurposeVerification)
		return err
	})
	if err != nil {
		return Identity{}, fault.Wrap(op, "", err)
	}
	if !used.SourceID.IsZero() {
		if err := e.provisioner.SetPassword(ctx, used.IdentityID.String(), used.SourceID.String(), password); err != nil {
			return Identity{}, errors.Join(fault.Wrap(op, "", err), e.registrar.ReturnToken(context.WithoutCancel(ctx), &used))
		}
	}
	return e.GetIdentity(ctx, used.IdentityID.String())
}

// ResetIdentity ends the registration of an identity: its status is UNREGISTERED, its user levels are removed, its open
// tokens are revoked, and messages that wait to be sent to it are cancelled. It can be invited again at once.
func (e *Engine) ResetIdentity(ctx context.Context, identity string) error {
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) error { return e.resetIdentity(ctx, tx, identity) })
	return fault.Wrap("reset the identity", identity, err)
}

// ResetIdentityTx is [Engine.ResetIdentity] in the caller's transaction.
func (e *Engine) ResetIdentityTx(ctx context.Context, tx pgx.Tx, identity string) error {
	return fault.Wrap("reset the identity", identity, e.resetIdentity(ctx, tx, identity))
}

func (e *Engine) resetIdentity(ctx context.Context, tx pgx.Tx, identity string) error {
	_, id, err := e.tenant.LockIdentity(ctx, tx, "reset the identity", identity)
	if err != nil {
		return err
	}
	now := e.tenant.Now()
	if _, err := e.tenant.Store.SetCloudStatus(ctx, tx, id, "UNREGISTERED", nil, now); err != nil {
		return err
	}
	if err := e.tenant.Store.SetUserLevels(ctx, tx, id, nil, now); err != nil {
		return err
	}
	if err := e.tenant.Store.RevokeTokens(ctx, tx, id, now); err != nil {
		return err
	}
	return e.tenant.Store.CancelNotificationsOf(ctx, tx, id, now)
}

// SetUserLevels replaces what an identity may do beyond a user, as ORG_ADMIN or HELPDESK. The host decides what they
// mean; [Engine.ResetIdentity] removes them.
func (e *Engine) SetUserLevels(ctx context.Context, identity string, levels []string) error {
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) error { return e.setUserLevels(ctx, tx, identity, levels) })
	return fault.Wrap("set the user levels", identity, err)
}

// SetUserLevelsTx is [Engine.SetUserLevels] in the caller's transaction.
func (e *Engine) SetUserLevelsTx(ctx context.Context, tx pgx.Tx, identity string, levels []string) error {
	return fault.Wrap("set the user levels", identity, e.setUserLevels(ctx, tx, identity, levels))
}

func (e *Engine) setUserLevels(ctx context.Context, tx pgx.Tx, identity string, levels []string) error {
	const op = "set the user levels"
	for _, level := range levels {
		if level == "" || len(level) > 64 || !store.Storable(level) {
			return fault.Invalidf(op, "levels", "1 to 64 bytes without NUL are expected")
		}
	}
	_, id, err := e.tenant.LockIdentity(ctx, tx, op, identity)
	if err != nil {
		return err
	}
	return e.tenant.Store.SetUserLevels(ctx, tx, id, levels, e.tenant.Now())
}

// UserLevels returns what an identity may do beyond a user.
func (e *Engine) UserLevels(ctx context.Context, identity string) ([]string, error) {
	const op = "get the user levels"
	id, known := store.IDOf(identity)
	var levels []string
	err := store.ErrNotFound
	if known {
		levels, err = e.tenant.Store.UserLevels(ctx, e.tenant.Pool, id)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = fault.NoIdentity(op, identity)
	}
	return levels, fault.Wrap(op, identity, err)
}

// SendPending tries every message that is to be sent, once. It is for programs that have no workers running.
func (e *Engine) SendPending(ctx context.Context) error { return e.registrar.SendPending(ctx) }
