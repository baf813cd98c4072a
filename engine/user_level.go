package engine

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/store"
)

// SetUserLevels replaces the user levels of an identity: what it may do beyond a user, as ORG_ADMIN or HELPDESK. The
// host decides what they mean; [Engine.ResetIdentity] removes them.
func (e *Engine) SetUserLevels(ctx context.Context, identity string, levels []string) error {
	return e.setUserLevels(identity, levels).run(ctx)
}

// SetUserLevelsTx is [Engine.SetUserLevels] in the caller's transaction.
func (e *Engine) SetUserLevelsTx(ctx context.Context, tx pgx.Tx, identity string, levels []string) error {
	return e.setUserLevels(identity, levels).runIn(ctx, tx)
}

func (e *Engine) setUserLevels(identity string, levels []string) write {
	const op = "set the user levels"
	return write{e, op, identity, func(ctx context.Context, tx pgx.Tx) error {
		for _, level := range levels {
			if level == "" || len(level) > 64 || !store.Storable(level) {
				return fault.Invalidf(op, "levels", "1 to 64 bytes without NUL are expected")
			}
		}
		_, id, err := e.tenant.LockIdentity(ctx, tx, op, identity)
		if err != nil {
			return err
		}
		before, err := e.tenant.Store.UserLevels(ctx, tx, id)
		if err != nil {
			return err
		}
		cause := e.tenant.NewActionCause(ctx)
		if err := e.tenant.Store.SetUserLevels(ctx, tx, id, levels, cause.At); err != nil {
			return err
		}
		return e.addEvent(ctx, tx, cause, id, &event.Detail{UserLevels: event.LevelsChanged(before, levels)})
	}}
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
