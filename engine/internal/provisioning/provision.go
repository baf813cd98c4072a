package provisioning

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// OperationTimeout ends an operation that its source does not answer.
const OperationTimeout = 2 * time.Minute

// leaseTime is how long a worker has a batch without a sign of life. It is longer than an operation may take.
const leaseTime = OperationTimeout + time.Minute

// busyWait is when a job looks again at a batch that another worker has, or that waits for another batch.
const busyWait = 5 * time.Second

// deliveryResult says what became of a batch of operations.
type deliveryResult struct {
	done, failed, left int
	// busy says that another worker has the batch, or what it waits for.
	busy bool
}

// failuresMax is after how many failures in a row a source is taken to be down, and left alone for a while.
const failuresMax = 3

// deliver does the operations of a batch that can be done now, until more reports false. What does not succeed is given
// up when it was tried limit times.
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
	// Also when the work ends because the context did: nobody should wait for the lease.
	defer func() { err = errors.Join(err, p.Store.ReleaseDelivery(context.WithoutCancel(ctx), p.Pool, id)) }()
	operations, waiting, err := p.Store.DeliveryOperations(ctx, p.Pool, id)
	result.busy = waiting
	if err != nil || len(operations) == 0 {
		return result, err
	}
	target, err := p.openTarget(ctx, source)
	if err != nil {
		return p.unreachable(ctx, operations, err, limit)
	}
	defer target.close()
	target.operations = len(operations)
	stuck := map[store.ID]bool{} // identities with an operation that did not succeed: those behind it wait
	inRow := 0
	for i := range operations {
		o := &operations[i]
		if stuck[o.IdentityID] || inRow == failuresMax || !more() {
			result.left++
			continue
		}
		failure := p.do(ctx, id, target, o)
		if err := ctx.Err(); err != nil {
			return result, err
		}
		if failure == nil {
			result.done++
			inRow = 0
			continue
		}
		result.failed++
		parked, err := p.recordFailure(ctx, o, failure, limit)
		if err != nil {
			return result, err
		}
		if !parked {
			inRow++
			stuck[o.IdentityID] = true
			result.left++
		}
	}
	return result, nil
}

// recordFailure keeps why an operation did not succeed, and gives it up if trying again does not help or was tried often
// enough.
func (p *Provisioner) recordFailure(ctx context.Context, o *store.Operation, failure error, limit int) (parked bool,
	err error,
) {
	if connector.IsPermanent(failure) || o.Attempts+1 >= limit { // o was read before this attempt
		return true, p.park(ctx, o, failure)
	}
	return false, p.Store.RecordOperationError(ctx, p.Pool, o.ID, tenant.ReasonText(failure))
}

// unreachable keeps why the operations of a batch could not even be tried.
func (p *Provisioner) unreachable(ctx context.Context, operations []store.Operation, failure error, limit int) (
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

// do carries one operation out, and notes what became of the account. The identity is processed again, so that what
// follows from it happens.
func (p *Provisioner) do(ctx context.Context, batch store.ID, t *target, row *store.Operation) error {
	if err := p.Store.BeginOperation(ctx, p.Pool, row.ID, p.Now()); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil // it was cancelled since
		}
		return err
	}
	if err := p.Store.ExtendLease(ctx, p.Pool, batch, p.Clock().Add(leaseTime)); err != nil {
		return err
	}
	operation, err := operationOf(row)
	if err != nil {
		return connector.Permanent(err)
	}
	if operation.Kind == connector.Create {
		if err := p.prepareCreate(ctx, t, row, operation); err != nil {
			return err
		}
	}
	limited, cancel := context.WithTimeout(ctx, OperationTimeout)
	defer cancel()
	result, err := t.Apply(limited, operation)
	if errors.Is(err, connector.ErrNoAccount) {
		// The account is not forgotten here: an aggregation is what tells one that is gone from a source that is wrong.
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

// ProvisionResult says what [Engine.ProvisionPending] did.
type ProvisionResult struct {
	Done   int `json:"done"`
	Failed int `json:"failed"` // attempts
	Open   int `json:"open"`   // operations that are still to be done
}

// ProvisionPending tries every operation that is open, once. It is for programs that have no workers running; any
// number of callers may do it at the same time, beside workers. The identities whose accounts it changes are marked for
// processing.
func (p *Provisioner) ProvisionPending(ctx context.Context) (ProvisionResult, error) {
	const op = "provision"
	var total ProvisionResult
	batches, err := p.Store.OpenDeliveries(ctx, p.Pool)
	if err != nil {
		return total, fault.Wrap(op, "", err)
	}
	for _, id := range batches {
		result, err := p.deliver(ctx, id, func() bool { return ctx.Err() == nil }, math.MaxInt)
		total.Done += result.done
		total.Failed += result.failed
		if err != nil {
			return total, fault.Wrap(op, "", err)
		}
	}
	open, err := p.Store.CountOperations(ctx, p.Pool, store.OperationOpen)
	total.Open = int(open)
	return total, fault.Wrap(op, "", err)
}
