package provisioning

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// OperationTimeout ends an operation that its source does not answer.
const OperationTimeout = 2 * time.Minute

// leaseTime is how long a worker has a delivery without a sign of life. It is longer than an operation may take.
const leaseTime = OperationTimeout + time.Minute

// busyWait is how long a job waits for a delivery that another worker has, or that waits for another delivery.
const busyWait = 5 * time.Second

// failuresMax is the number of failures in a row after which a source is taken to be down and left alone for a while.
const failuresMax = 3

// deliveryResult says what became of the operations of a delivery.
type deliveryResult struct {
	done, failed, left int
	// busy says that another worker has the delivery, or what it waits for.
	busy bool
}

// deliver carries out the operations of a delivery that do not wait for others, until more returns false. An operation
// that fails is given up after limit attempts.
func (p *Provisioner) deliver(ctx context.Context, id store.ID, more func() bool, limit int) (result deliveryResult,
	err error,
) {
	now := p.Clock()
	source, err := p.Store.LeaseDelivery(ctx, p.Pool, id, now, now.Add(leaseTime))
	if errors.Is(err, store.ErrNotFound) {
		result.busy, err = p.Store.DeliveryIsOpen(ctx, p.Pool, id)
		return result, err
	}
	if err != nil {
		return result, err
	}
	// The lease is released also when the context has ended, so that nobody has to wait for its end.
	defer func() { err = errors.Join(err, p.Store.ReleaseDelivery(context.WithoutCancel(ctx), p.Pool, id)) }()
	operations, waiting, err := p.Store.DeliveryOperations(ctx, p.Pool, id)
	result.busy = waiting
	if err != nil || len(operations) == 0 {
		return result, err
	}
	target, err := p.openTarget(ctx, source)
	if err != nil {
		return p.failAll(ctx, operations, err, limit)
	}
	defer target.close()
	target.operations = len(operations)
	err = p.carryOutAll(ctx, id, target, operations, more, limit, &result)
	return result, err
}

// carryOutAll carries out operations in their order and counts them in result.
func (p *Provisioner) carryOutAll(ctx context.Context, delivery store.ID, t *target, operations []store.Operation,
	more func() bool, limit int, result *deliveryResult,
) error {
	stuck := map[store.ID]bool{} // the identities with an operation that is tried again: those behind it wait
	inRow := 0
	for i := range operations {
		o := &operations[i]
		if stuck[o.IdentityID] || inRow == failuresMax || !more() {
			result.left++
			continue
		}
		failure := p.carryOut(ctx, delivery, t, o)
		if err := ctx.Err(); err != nil {
			return err
		}
		if failure == nil {
			result.done++
			inRow = 0
			continue
		}
		result.failed++
		parked, err := p.recordFailure(ctx, o, failure, limit)
		if err != nil {
			return err
		}
		if !parked {
			inRow++
			stuck[o.IdentityID] = true
			result.left++
		}
	}
	return nil
}

// failAll records why operations could not be tried, because their source has no connector now.
func (p *Provisioner) failAll(ctx context.Context, operations []store.Operation, failure error, limit int) (
	result deliveryResult, err error,
) {
	ids := make([]store.ID, len(operations))
	for i := range operations {
		ids[i] = operations[i].ID
	}
	if err := p.Store.CountAttempt(ctx, p.Pool, ids); err != nil {
		return result, err
	}
	for i := range operations {
		parked, err := p.recordFailure(ctx, &operations[i], failure, limit)
		if err != nil {
			return result, err
		}
		if !parked {
			result.left++
		}
		result.failed++
	}
	return result, nil
}

// carryOut carries one operation out and records what became of the account.
func (p *Provisioner) carryOut(ctx context.Context, delivery store.ID, t *target, row *store.Operation) error {
	if err := p.Store.BeginOperation(ctx, p.Pool, row.ID, p.Now()); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil // it was cancelled meanwhile
		}
		return err
	}
	if err := p.Store.ExtendLease(ctx, p.Pool, delivery, p.Clock().Add(leaseTime)); err != nil {
		return err
	}
	operation, err := operationOf(row)
	if err != nil {
		return connector.Permanent(err)
	}
	if operation.Kind.Effect() == connector.Creates {
		if err := p.prepareCreate(ctx, t, row, operation); err != nil {
			return err
		}
	}
	limited, cancel := context.WithTimeout(ctx, OperationTimeout)
	defer cancel()
	result, err := t.Apply(limited, operation)
	if errors.Is(err, connector.ErrNoAccount) {
		// The account's row stays: only an aggregation tells an account that is gone from a source that is wrong.
		return connector.Permanent(fmt.Errorf("%w: aggregate the source", err))
	}
	if err != nil {
		return err
	}
	return p.record(ctx, t, row, operation, &result)
}

// operationOf returns an operation as a connector takes it.
func operationOf(row *store.Operation) (*connector.Operation, error) {
	kind, err := connector.ParseKind(row.Kind)
	if err != nil {
		return nil, err
	}
	o := &connector.Operation{Key: row.ID.String(), Kind: kind, NativeIdentity: row.NativeIdentity}
	return o, o.Attributes.Decode(row.Attributes)
}

// recordFailure records why an operation failed. It gives the operation up where another attempt would not help, or
// where this was the last one.
func (p *Provisioner) recordFailure(ctx context.Context, o *store.Operation, failure error, limit int) (parked bool,
	err error,
) {
	if connector.IsPermanent(failure) || o.Attempts+1 >= limit { // o was read before this attempt
		return true, p.park(ctx, o, failure)
	}
	return false, p.Store.RecordOperationError(ctx, p.Pool, o.ID, tenant.ReasonText(failure))
}
