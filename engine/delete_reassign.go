package engine

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// DeleteIdentityReassigning gives everything that an identity owns to another one, as [Engine.ReassignOwned] does, and
// deletes the identity, as [Engine.DeleteIdentity] does: both or nothing. A protected identity stays, and keeps what it
// owns.
func (e *Engine) DeleteIdentityReassigning(ctx context.Context, identity, newOwner string) error {
	return e.deleteReassigning(identity, newOwner).run(ctx)
}

// DeleteIdentityReassigningTx is [Engine.DeleteIdentityReassigning] in the caller's transaction. It locks the
// configuration first, so that the caller does best to call it before its other writes.
func (e *Engine) DeleteIdentityReassigningTx(ctx context.Context, tx pgx.Tx, identity, newOwner string) error {
	return e.deleteReassigning(identity, newOwner).runIn(ctx, tx)
}

func (e *Engine) deleteReassigning(identity, newOwner string) write {
	const op = "delete the identity"
	return write{e, op, identity, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := e.reassignOwned(identity, newOwner, nil).do(ctx, tx); err != nil {
			return err
		}
		return e.deleteIdentity(identity).do(ctx, tx)
	}}
}
