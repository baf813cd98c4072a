package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// OperationsPerDayMax is how many operations on one attribute of an account, on one value of an attribute that has
// several, or on the status of an account, are carried out on one day in the tenant's time zone: 10. So many accounts
// of an identity are created on one source. Another one is PARKED, with a cause that names what wanted it before and
// what wants it now: mostly two parts of the configuration undo each other.
const OperationsPerDayMax = refresh.OperationsPerDayMax

// ParkedCauseMax is the longest cause of a parked operation, in bytes.
const ParkedCauseMax = 1000

// ParkOperation holds an operation back until [Engine.ReleaseOperation]: it is PARKED, with a cause that people read.
// While it is, nothing else is opened for the same account and attribute or value. The operation must be OPEN and not
// tried yet; otherwise the error is a Conflict, since what was tried may have happened. A parked operation that is no
// longer wanted is cancelled by the next processing, as an open one is.
func (e *Engine) ParkOperation(ctx context.Context, operation, cause string) error {
	return e.parkOperation(operation, cause).run(ctx)
}

// ParkOperationTx is [Engine.ParkOperation] in the caller's transaction.
func (e *Engine) ParkOperationTx(ctx context.Context, tx pgx.Tx, operation, cause string) error {
	return e.parkOperation(operation, cause).runIn(ctx, tx)
}

func (e *Engine) parkOperation(operation, reason string) write {
	const op = "park the operation"
	return write{e, op, operation, func(ctx context.Context, tx pgx.Tx) error {
		reason = strings.TrimSpace(reason)
		if reason == "" || len(reason) > ParkedCauseMax || !store.Storable(reason) {
			return fault.Invalidf(op, operation, "the cause must be a text of 1 to %d bytes without NUL",
				ParkedCauseMax)
		}
		row, err := e.lockOperationOf(ctx, tx, op, operation)
		if err != nil {
			return err
		}
		if row.State != store.OperationOpen || row.Begun != nil {
			return &Error{Kind: Conflict, Op: op, Subject: operation, Err: fmt.Errorf(
				"only an operation that is OPEN and was not tried yet can be parked: %s", shownState(&row))}
		}
		cause := e.tenant.NewActionCause(ctx)
		if err := e.tenant.Store.ParkOperation(ctx, tx, row.ID, reason, nil, cause); err != nil {
			return err
		}
		held, err := e.heldOperation(ctx, tx, &row, reason)
		if err != nil {
			return err
		}
		return e.addEvent(ctx, tx, cause, row.IdentityID, &event.Detail{Parked: held})
	}}
}

// heldOperation is what the history keeps of an operation that is held back, or no longer.
func (e *Engine) heldOperation(ctx context.Context, tx pgx.Tx, row *store.Operation, cause string) ([]event.Operation,
	error,
) {
	name, err := e.tenant.Store.SourceName(ctx, tx, row.SourceID)
	return []event.Operation{event.OperationOf(row, name, cause)}, err
}

// lockOperationOf locks an operation and before it its identity, as the lock order has it. Of one that has ended the
// identity may be gone.
func (e *Engine) lockOperationOf(ctx context.Context, tx pgx.Tx, op, operation string) (store.Operation, error) {
	id, _ := store.IDOf(operation)
	found, err := e.tenant.Store.FindOperation(ctx, tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return found, noOperation(op, operation)
	}
	if err != nil {
		return found, err
	}
	if found.State == store.OperationOpen || found.State == store.OperationParked {
		if _, err := e.tenant.LockIdentityShared(ctx, tx, op, found.IdentityID.String()); err != nil {
			return found, err
		}
	}
	return e.lockOperation(ctx, tx, op, operation)
}

// ReleaseOperation makes a PARKED operation OPEN again, and requests the processing of its identity, so that it is
// replaced where something else is wanted by now. It is a Conflict for an operation that is not parked, and for the
// creation of an account that waits for the first complete aggregation of its source: only that ends the waiting. Where
// it was parked because it went round, the count of the day begins again ([OperationsPerDayMax]).
func (e *Engine) ReleaseOperation(ctx context.Context, operation string) error {
	return e.releaseOperation(operation).run(ctx)
}

// ReleaseOperationTx is [Engine.ReleaseOperation] in the caller's transaction.
func (e *Engine) ReleaseOperationTx(ctx context.Context, tx pgx.Tx, operation string) error {
	return e.releaseOperation(operation).runIn(ctx, tx)
}

func (e *Engine) releaseOperation(operation string) write {
	const op = "release the operation"
	return write{e, op, operation, func(ctx context.Context, tx pgx.Tx) error {
		row, err := e.lockOperationOf(ctx, tx, op, operation)
		if err != nil {
			return err
		}
		if row.State != store.OperationParked {
			return &Error{Kind: Conflict, Op: op, Subject: operation,
				Err: fmt.Errorf("it is not parked: %s", shownState(&row))}
		}
		if row.Awaits != nil {
			return &Error{Kind: Conflict, Op: op, Subject: operation, Err: fmt.Errorf(
				"it %s: aggregate that source", store.TextOf(row.ParkedCause))}
		}
		cause, delivery := e.tenant.NewCause(ctx), store.NewID()
		if err := e.tasks.LaunchDelivery(ctx, tx, delivery, row.SourceID, cause); err != nil {
			return err
		}
		if err := e.tenant.Store.ReopenOperation(ctx, tx, row.ID, delivery, cause.At); err != nil {
			return err
		}
		held, err := e.heldOperation(ctx, tx, &row, store.TextOf(row.ParkedCause))
		if err != nil {
			return err
		}
		if err := e.addEvent(ctx, tx, cause, row.IdentityID, &event.Detail{Released: held}); err != nil {
			return err
		}
		return e.tasks.ProcessOne(ctx, tx, row.IdentityID, "Process after the release of an operation", cause)
	}}
}

func (e *Engine) lockOperation(ctx context.Context, tx pgx.Tx, op, operation string) (store.Operation, error) {
	id, known := store.IDOf(operation)
	if !known {
		return store.Operation{}, noOperation(op, operation)
	}
	row, err := e.tenant.Store.LockOperation(ctx, tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return row, noOperation(op, operation)
	}
	return row, err
}

func noOperation(op, id string) error {
	return &Error{Kind: NotFound, Op: op, Subject: id, Err: errors.New("there is no operation with this ID")}
}

// shownState says in an error what state an operation is in.
func shownState(row *store.Operation) string {
	if row.State == store.OperationOpen && row.Begun != nil {
		return "it is OPEN and was tried"
	}
	return "it is " + row.State
}
