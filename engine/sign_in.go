package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/store"
)

// The statuses of an identity that this file knows.
const (
	statusRegistered = "REGISTERED"
	statusDisabled   = "DISABLED"
	statusLocked     = "LOCKED"
)

// DisableSignIn disables the product's own account of an identity, by which the person signs in: the status is
// DISABLED, all sessions end, and no new one is opened ([Engine.OpenSession]). The accounts on sources stay as they
// are. It is done at once, so that the task which it returns has ended, and is idempotent. Tokens that somebody else
// has issued end by themselves.
func (e *Engine) DisableSignIn(ctx context.Context, identity string) (AccountTask, error) {
	return e.disableSignIn(identity).run(ctx)
}

// DisableSignInTx is [Engine.DisableSignIn] in the caller's transaction.
func (e *Engine) DisableSignInTx(ctx context.Context, tx pgx.Tx, identity string) (AccountTask, error) {
	return e.disableSignIn(identity).runIn(ctx, tx)
}

func (e *Engine) disableSignIn(identity string) writeOf[AccountTask] {
	return e.signIn("disable the sign-in", identity, func(ctx context.Context, tx pgx.Tx, id store.ID,
		cause store.Cause,
	) error {
		before, err := e.tenant.Store.DisableIdentity(ctx, tx, id, cause.At)
		if errors.Is(err, store.ErrNotFound) {
			return nil // it is disabled
		}
		if err != nil {
			return err
		}
		if _, err := e.tenant.Store.DeleteSessionsOf(ctx, tx, id.String()); err != nil {
			return err
		}
		return e.addStatus(ctx, tx, cause, id, before, statusDisabled)
	})
}

// signIn is a write to the sign-in of an identity. It is done at once: its task has ended.
func (e *Engine) signIn(op, identity string,
	do func(ctx context.Context, tx pgx.Tx, id store.ID, cause store.Cause) error,
) writeOf[AccountTask] {
	return writeOf[AccountTask]{e, op, identity, func(ctx context.Context, tx pgx.Tx) (AccountTask, error) {
		_, id, err := e.tenant.LockIdentity(ctx, tx, op, identity)
		if err != nil {
			return AccountTask{}, err
		}
		cause := e.tenant.NewCause(ctx)
		if err := do(ctx, tx, id, cause); err != nil {
			return AccountTask{}, err
		}
		return AccountTask{ID: cause.Task.String()}, e.tasks.AddEnded(ctx, tx, cause, &store.Task{
			TargetType: store.NullText("IDENTITY"), TargetID: id, Description: strings.ToUpper(op[:1]) + op[1:]})
	}}
}

// EnableSignIn ends [Engine.DisableSignIn]: the identity has the status that it had before. It does nothing for one
// that is not disabled.
func (e *Engine) EnableSignIn(ctx context.Context, identity string) (AccountTask, error) {
	return e.enableSignIn(identity).run(ctx)
}

// EnableSignInTx is [Engine.EnableSignIn] in the caller's transaction.
func (e *Engine) EnableSignInTx(ctx context.Context, tx pgx.Tx, identity string) (AccountTask, error) {
	return e.enableSignIn(identity).runIn(ctx, tx)
}

func (e *Engine) enableSignIn(identity string) writeOf[AccountTask] {
	return e.signIn("enable the sign-in", identity, func(ctx context.Context, tx pgx.Tx, id store.ID,
		cause store.Cause,
	) error {
		after, err := e.tenant.Store.EnableIdentity(ctx, tx, id, cause.At)
		if errors.Is(err, store.ErrNotFound) {
			return nil // it is not disabled
		}
		if err != nil {
			return err
		}
		return e.addStatus(ctx, tx, cause, id, statusDisabled, after)
	})
}

// unlockSignIn makes an identity whose sign-in is locked, and which is locked in the transaction, a registered one.
func (e *Engine) unlockSignIn(ctx context.Context, tx pgx.Tx, identity store.ID, cause store.Cause) error {
	unlocked, err := e.tenant.Store.SetCloudStatus(ctx, tx, identity, statusRegistered, []string{statusLocked},
		cause.At)
	if err != nil || !unlocked {
		return err
	}
	return e.addStatus(ctx, tx, cause, identity, statusLocked, statusRegistered)
}

func (e *Engine) addStatus(ctx context.Context, tx pgx.Tx, cause store.Cause, identity store.ID,
	from, to string,
) error {
	return e.addEvent(ctx, tx, cause, identity, &event.Detail{States: &event.States{
		CloudStatus: event.Changed(from, to)}})
}

// demandSignIn fails where the sign-in of an identity is disabled. A user who is no identity may sign in.
func (e *Engine) demandSignIn(ctx context.Context, tx pgx.Tx, op string, id store.ID) error {
	row, err := e.tenant.Store.IdentityByID(ctx, tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil && row.CloudStatus == statusDisabled {
		err = &Error{Kind: Forbidden, Op: op, Subject: id.String(),
			Err: errors.New("the sign-in of the identity is disabled")}
	}
	return err
}
