package engine

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/internal/registration"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// The limits of invitations and verifications.
const (
	// InvitationTTL and VerificationTTL are how long their tokens are good where the tenant's settings do not say
	// otherwise: 7 days and 2 hours, the published times.
	InvitationTTL   = configuration.InvitationLifetimeDefault
	VerificationTTL = configuration.VerificationLifetimeDefault
	// InviteIdentitiesMax is how many identities one call of [Engine.InviteIdentities] takes, by ID or as uninvited: at
	// most 1,000.
	InviteIdentitiesMax = registration.InviteIdentitiesMax
	// NotificationAttemptsMax is how often a message is tried, over some hours: 10 times.
	NotificationAttemptsMax = task.NotificationAttemptsMax
)

// TaskInvitation and TaskVerification are the kinds of the tasks that send messages.
const (
	TaskInvitation   = registration.TaskInvitation   // IDENTITY_INVITATION
	TaskVerification = registration.TaskVerification // ACCOUNT_VERIFICATION
)

// The purposes of messages and of their tokens.
const (
	PurposeInvitation   = registration.PurposeInvitation   // INVITATION
	PurposeVerification = registration.PurposeVerification // VERIFICATION
)

// The ways by which a message goes: to the work address or the personal one, with the token to be typed or as a link.
const (
	ViaEmailWork     = registration.ViaEmailWork     // EMAIL_WORK
	ViaEmailPersonal = registration.ViaEmailPersonal // EMAIL_PERSONAL
	ViaLinkWork      = registration.ViaLinkWork      // LINK_WORK
	ViaLinkPersonal  = registration.ViaLinkPersonal  // LINK_PERSONAL
)

// InviteParams say which identities to invite.
type InviteParams struct {
	IDs []string
	// Uninvited, where no IDs are given, invites correlated identities that are UNREGISTERED, at most
	// [InviteIdentitiesMax]. Those for whom it was never tried come first.
	Uninvited bool
	// Filters, where neither is given, invites the identities that match a filter over any field and are not
	// registered: at most [InviteIdentitiesMax], more are an Invalid error.
	Filters string
}

// VerificationParams say how a person proves who they are before they set a new password.
type VerificationParams struct {
	Source string // whose password it is, by name or ID; "" for the host's own
	Via    string // one of the constants
}

// InviteIdentities launches a task that invites identities to register, by a message with a token that is good for
// [InvitationTTL]; a new one revokes the one before. Only an identity that is not registered is invited: for others the
// task has a warning. An identity whose invitation waits to be sent, or was sent within a minute, is not invited again.
// The message goes to the address that the identity profile's invitation options say, by default the one of work. An
// identity whose message was sent is PENDING. When one of the identities does not exist, the error says which, and
// nothing is launched.
func (e *Engine) InviteIdentities(ctx context.Context, params InviteParams) (TaskStatus, error) {
	return e.inviteIdentities(params).run(ctx)
}

// InviteIdentitiesTx is [Engine.InviteIdentities] in the caller's transaction.
func (e *Engine) InviteIdentitiesTx(ctx context.Context, tx pgx.Tx, params InviteParams) (TaskStatus, error) {
	return e.inviteIdentities(params).runIn(ctx, tx)
}

func (e *Engine) inviteIdentities(params InviteParams) writeOf[TaskStatus] {
	return writeOf[TaskStatus]{e, "invite identities", "", func(ctx context.Context, tx pgx.Tx) (TaskStatus, error) {
		wanted := registration.InviteParams{IDs: params.IDs, Uninvited: params.Uninvited}
		if params.Filters != "" {
			if len(params.IDs) > 0 || params.Uninvited {
				return TaskStatus{}, fault.Invalidf("invite identities", "filters",
					"IDs, Uninvited and Filters exclude each other")
			}
			wanted.Select = func() ([]store.ID, error) { return e.invitees(ctx, tx, params.Filters) }
		}
		row, messages, err := e.registrar.InviteIdentities(ctx, tx, wanted)
		return taskStatus(&row, messages), err
	}}
}

// SendVerification sends an identity a token, good for [VerificationTTL], by which it sets a new password; a new one
// revokes the one before. The same verification is sent once where it is asked for again while it waits, or within a
// minute. It is a Conflict where the identity has no account on the source, or no such address.
func (e *Engine) SendVerification(ctx context.Context, identity string, params VerificationParams) error {
	return e.sendVerification(identity, params).run(ctx)
}

// SendVerificationTx is [Engine.SendVerification] in the caller's transaction.
func (e *Engine) SendVerificationTx(ctx context.Context, tx pgx.Tx, identity string, params VerificationParams) error {
	return e.sendVerification(identity, params).runIn(ctx, tx)
}

func (e *Engine) sendVerification(identity string, params VerificationParams) write {
	return write{e, "send the verification", identity, func(ctx context.Context, tx pgx.Tx) error {
		return e.registrar.SendVerification(ctx, tx, identity, registration.VerificationParams(params))
	}}
}

// RedeemInvitation registers the identity to which an invitation's token was sent, and returns it. It is for hosts that
// sign people in by their own means: [Engine.Register] sets a password too. A token is good once: one that is not
// known, was used, was replaced or has expired is Forbidden, and wraps the error of a token that says which.
func (e *Engine) RedeemInvitation(ctx context.Context, token string) (Identity, error) {
	return e.redeemInvitation(token).run(ctx)
}

// RedeemInvitationTx is [Engine.RedeemInvitation] in the caller's transaction. If that is rolled back, the token is
// good again.
func (e *Engine) RedeemInvitationTx(ctx context.Context, tx pgx.Tx, token string) (Identity, error) {
	return e.redeemInvitation(token).runIn(ctx, tx)
}

func (e *Engine) redeemInvitation(token string) writeOf[Identity] {
	const op = "redeem the invitation"
	return writeOf[Identity]{e, op, "", func(ctx context.Context, tx pgx.Tx) (Identity, error) {
		row, err := e.redeem(ctx, tx, op, token)
		if err != nil {
			return Identity{}, err
		}
		return identityOf(&row)
	}}
}

// redeem uses the token of an invitation, and registers the identity to which it was sent.
func (e *Engine) redeem(ctx context.Context, tx pgx.Tx, op, token string) (store.Identity, error) {
	t, err := e.registrar.UseToken(ctx, tx, op, token, PurposeInvitation)
	if err != nil {
		return store.Identity{}, err
	}
	before, err := e.tenant.Store.IdentityByID(ctx, tx, t.IdentityID)
	if err != nil {
		return store.Identity{}, err
	}
	cause := e.tenant.NewActionCause(ctx)
	from := []string{"UNREGISTERED", "PENDING"}
	_, err = e.tenant.Store.SetCloudStatus(ctx, tx, t.IdentityID, "REGISTERED", from, cause.At)
	if err != nil {
		return store.Identity{}, err
	}
	row, err := e.tenant.Store.IdentityByID(ctx, tx, t.IdentityID)
	if err != nil {
		return store.Identity{}, err
	}
	return row, e.addEvent(ctx, tx, cause, t.IdentityID, &event.Detail{Registered: &event.Registered{
		CloudStatus: event.Changed(before.CloudStatus, row.CloudStatus)}})
}

// RedeemVerification sets a new password for the identity to which a verification's token was sent, and returns the
// identity. The source that the verification named gets the password by its connector. Without a source it is the
// password by which the identity signs in to Muster: one that [CheckPassword] refuses is Invalid, the token stays good,
// and its sessions end. An empty password sets none there: it is for hosts that keep passwords by their own means. A
// token is good once: where the source cannot be reached, it can be tried again, unless it was revoked meanwhile.
// Attempts from one address are limited where the context names it: see [WithAddress].
//
// It has no twin in a caller's transaction: the password is set on the source between two transactions, and no
// rolling back would take it from there.
func (e *Engine) RedeemVerification(ctx context.Context, token, password string) (Identity, error) {
	return limited(ctx, e, verifyOp, func() (Identity, error) { return e.redeemVerification(ctx, token, password) })
}

const verifyOp = "redeem the verification"

func (e *Engine) redeemVerification(ctx context.Context, token, password string) (Identity, error) {
	const op = verifyOp
	used, err := tenant.Transact(ctx, e.tenant, func(tx pgx.Tx) (store.Token, error) {
		used, err := e.registrar.UseToken(ctx, tx, op, token, PurposeVerification)
		if err != nil {
			return used, err
		}
		if err := e.addEvent(ctx, tx, e.tenant.NewActionCause(ctx), used.IdentityID,
			&event.Detail{Verified: &event.Verified{Source: used.SourceID.String()}}); err != nil {
			return used, err
		}
		if !used.SourceID.IsZero() || password == "" {
			return used, nil
		}
		row, err := e.tenant.Store.IdentityByID(ctx, tx, used.IdentityID)
		if err != nil {
			return used, err
		}
		return used, e.setPassword(ctx, tx, op, &row, password)
	})
	if err != nil {
		return Identity{}, fault.Wrap(op, "", err)
	}
	identity := used.IdentityID.String()
	if !used.SourceID.IsZero() {
		if err := e.provisioner.SetPassword(ctx, identity, used.SourceID.String(), password); err != nil {
			// The caller may have given up. The token is good again in any case.
			returned := e.registrar.ReturnToken(context.WithoutCancel(ctx), &used)
			return Identity{}, errors.Join(fault.Wrap(op, "", err), returned)
		}
	}
	return e.GetIdentity(ctx, identity)
}

// ResetIdentity ends the registration of an identity: its status is UNREGISTERED, its password and its user levels are
// removed, its open tokens are revoked, its sessions end, and messages that wait to be sent to it are cancelled. It can
// be invited again at once. One whose sign-in is disabled is refused as a Conflict.
func (e *Engine) ResetIdentity(ctx context.Context, identity string) error {
	return e.resetIdentity(identity).run(ctx)
}

// ResetIdentityTx is [Engine.ResetIdentity] in the caller's transaction.
func (e *Engine) ResetIdentityTx(ctx context.Context, tx pgx.Tx, identity string) error {
	return e.resetIdentity(identity).runIn(ctx, tx)
}

func (e *Engine) resetIdentity(identity string) write {
	const op = "reset the identity"
	return write{e, op, identity, func(ctx context.Context, tx pgx.Tx) error {
		_, id, err := e.tenant.LockIdentity(ctx, tx, op, identity)
		if err != nil {
			return err
		}
		before, err := e.tenant.Store.IdentityByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if before.CloudStatus == statusDisabled {
			return &Error{Kind: Conflict, Op: op, Subject: identity,
				Err: errors.New("the sign-in of the identity is disabled: enable it first")}
		}
		levels, err := e.tenant.Store.UserLevels(ctx, tx, id)
		if err != nil {
			return err
		}
		cause := e.tenant.NewActionCause(ctx)
		now := cause.At
		if err := e.addEvent(ctx, tx, cause, id, &event.Detail{Reset: &event.Reset{
			CloudStatus: event.Changed(before.CloudStatus, "UNREGISTERED"),
			UserLevels:  event.LevelsChanged(levels, nil),
		}}); err != nil {
			return err
		}
		if _, err := e.tenant.Store.SetCloudStatus(ctx, tx, id, "UNREGISTERED", nil, now); err != nil {
			return err
		}
		if err := e.tenant.Store.SetUserLevels(ctx, tx, id, nil, now); err != nil {
			return err
		}
		if err := e.tenant.Store.RevokeTokens(ctx, tx, id, now); err != nil {
			return err
		}
		if _, err := e.tenant.Store.DeleteSessionsOf(ctx, tx, id.String()); err != nil {
			return err
		}
		if err := e.tenant.Store.CancelNotificationsOf(ctx, tx, id, now); err != nil {
			return err
		}
		return e.deletePassword(ctx, tx, id)
	}}
}

// SendPending tries once to send every message that waits. It is for programs that have no workers running.
func (e *Engine) SendPending(ctx context.Context) error { return e.registrar.SendPending(ctx) }
