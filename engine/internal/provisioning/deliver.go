package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	lease, err := p.Store.LeaseDelivery(ctx, p.Pool, id, p.EngineID, now, now.Add(leaseTime))
	if errors.Is(err, store.ErrNotFound) {
		result.busy, err = p.Store.DeliveryIsOpen(ctx, p.Pool, id)
		return result, err
	}
	if err != nil {
		return result, err
	}
	// The lease is released also when the context has ended, so that nobody has to wait for its end.
	defer func() { err = errors.Join(err, p.Store.ReleaseDelivery(context.WithoutCancel(ctx), p.Pool, &lease)) }()
	operations, waiting, err := p.Store.DeliveryOperations(ctx, p.Pool, id)
	result.busy = waiting
	if err != nil || len(operations) == 0 {
		return result, err
	}
	target, err := p.openTarget(ctx, lease.SourceID)
	if err != nil {
		return p.failAll(ctx, &lease, operations, err, limit)
	}
	defer target.close()
	target.lease, target.operations = &lease, len(operations)
	err = p.carryOutAll(ctx, target, operations, more, limit, &result)
	if errors.Is(err, errLeaseLost) {
		result.busy = true
		return result, nil
	}
	return result, err
}

// errLeaseLost says that this worker was paused for longer than its lease, and that another one has taken it over. What
// is left of the delivery is the other one's, and so is the operation that was under way: it finds out by the
// operation's key what became of it.
var errLeaseLost = errors.New("another worker has taken the lease over")

// errUnchecked says that this worker carried an operation out after another one had taken it over, and could not look
// at what came of that.
var errUnchecked = errors.New("an operation was carried out too late, and its account could not be read: aggregate " +
	"the source")

// leaseError turns a lease that was not found into [errLeaseLost].
func leaseError(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return errLeaseLost
	}
	return err
}

// carryOutAll carries out operations in their order and counts them in result. Where an account is to get a name that
// another one has, the others come first: one of them may free the name.
func (p *Provisioner) carryOutAll(ctx context.Context, t *target, operations []store.Operation, more func() bool,
	limit int, result *deliveryResult,
) error {
	stuck := map[store.ID]bool{} // the identities with an operation that is tried again: those behind it wait
	inRow := 0
	var taken []refused
	for i := range operations {
		o := &operations[i]
		if stuck[o.IdentityID] || inRow == failuresMax || !more() {
			result.left++
			continue
		}
		failure, err := p.tryOne(ctx, t, o)
		switch {
		case err != nil:
			return err
		case failure == nil:
			result.done++
			inRow = 0
			continue
		case renames(o) && errors.Is(failure, connector.ErrExists):
			taken = append(taken, refused{o, failure})
			continue
		}
		givenUp, err := p.recordFailure(ctx, t.lease, o, failure, limit)
		if err != nil {
			return err
		}
		result.failed++
		if !givenUp {
			inRow++
			stuck[o.IdentityID] = true
			result.left++
		}
	}
	return p.carryOutTaken(ctx, t, taken, more, limit, result)
}

// tryOne carries out an operation. failure is why it failed; err ends the delivery.
func (p *Provisioner) tryOne(ctx context.Context, t *target, o *store.Operation) (failure, err error) {
	failure = p.carryOut(ctx, t, o)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if errors.Is(failure, errLeaseLost) || errors.Is(failure, errUnchecked) {
		return nil, failure
	}
	return failure, nil
}

// renames reports whether an operation may give an account another name.
func renames(o *store.Operation) bool {
	kind, err := connector.ParseKind(o.Kind)
	return err == nil && kind.Effect() == connector.Sets
}

// refused is an operation that failed, and why.
type refused struct {
	operation *store.Operation
	failure   error
}

// carryOutTaken carries out operations whose names were taken, as long as one of them succeeds, and so may free the
// name that the next one gives: in a chain of accounts, each of which gets the name of the next. Those that are left
// fail.
func (p *Provisioner) carryOutTaken(ctx context.Context, t *target, taken []refused, more func() bool, limit int,
	result *deliveryResult,
) error {
	for progress := true; progress; {
		progress = false
		for i := 0; i < len(taken) && more(); i++ {
			failure, err := p.tryOne(ctx, t, taken[i].operation)
			if err != nil {
				return err
			}
			if taken[i].failure = failure; failure == nil {
				result.done++
				progress = true
				taken = slices.Delete(taken, i, i+1)
				i--
			}
		}
	}
	for _, r := range taken {
		givenUp, err := p.recordFailure(ctx, t.lease, r.operation, r.failure, limit)
		if err != nil {
			return err
		}
		result.failed++
		if !givenUp {
			result.left++
		}
	}
	return nil
}

// failAll records why operations could not be tried, because their source has no connector now.
func (p *Provisioner) failAll(ctx context.Context, lease *store.Lease, operations []store.Operation, failure error,
	limit int,
) (result deliveryResult, err error) {
	ids := make([]store.ID, len(operations))
	for i := range operations {
		ids[i] = operations[i].ID
	}
	if err := p.Store.CountAttempt(ctx, p.Pool, lease, ids); err != nil {
		return result, err
	}
	for i := range operations {
		givenUp, err := p.recordFailure(ctx, lease, &operations[i], failure, limit)
		if err != nil {
			return result, err
		}
		if !givenUp {
			result.left++
		}
		result.failed++
	}
	return result, nil
}

// carryOut carries one operation out and records what became of the account. An operation that nothing is left to do
// for, since its account is gone or another's, or was there already, ends here too, and one that must wait is parked:
// neither is a failure.
func (p *Provisioner) carryOut(ctx context.Context, t *target, row *store.Operation) error {
	if err := p.Store.ExtendLease(ctx, p.Pool, t.lease, p.Clock().Add(leaseTime)); err != nil {
		return leaseError(err)
	}
	operation, err := operationOf(row)
	if err != nil {
		return connector.Permanent(err)
	}
	creates := operation.Kind.Effect() == connector.Creates
	if creates {
		if waits, err := p.await(ctx, t, row); err != nil || waits {
			return err
		}
	} else if ended, err := p.resolve(ctx, t, row, operation); err != nil || ended {
		return err
	}
	if err := p.Store.BeginOperation(ctx, p.Pool, t.lease, row.ID, p.Now()); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil // it was cancelled or parked meanwhile
		}
		return err
	}
	failure := p.attempt(ctx, t, row, operation)
	if !p.lost(ctx, t, failure) {
		return failure
	}
	if err := p.recheckAll(ctx, t, row, operation); err != nil {
		return fmt.Errorf("%w: %w", errUnchecked, err)
	}
	return errLeaseLost
}

// attempt carries an operation out that has begun, and records what became of the account.
func (p *Provisioner) attempt(ctx context.Context, t *target, row *store.Operation, o *connector.Operation) error {
	limited, cancel := context.WithTimeout(ctx, OperationTimeout)
	defer cancel()
	if o.Kind.Effect() == connector.Creates {
		return p.create(limited, t, row, o)
	}
	result, err := t.Apply(limited, o)
	if errors.Is(err, connector.ErrNoAccount) {
		// The account's row stays: only an aggregation tells an account that is gone from a source that is wrong.
		return connector.Permanent(fmt.Errorf("%w: aggregate the source", err))
	}
	if err != nil {
		return err
	}
	return p.record(ctx, t, row, o, &result)
}

// The outcomes of operations that were not carried out, since nothing is left to do. They are stored and shown.
const (
	outcomeGone  = "the account is gone"
	outcomeMoved = "the account is not the identity's any more"
)

// resolve names the account of an operation as it is now: what was planned, perhaps long ago, may be another account's
// name by then. It ends an operation whose account is gone or has moved to another identity, and requests the
// processing of the identity.
func (p *Provisioner) resolve(ctx context.Context, t *target, row *store.Operation, o *connector.Operation) (
	ended bool, err error,
) {
	account, err := p.Store.FindAccount(ctx, p.Pool, row.AccountID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		end := store.OperationEnd{ID: row.ID, State: store.OperationCancelled, Outcome: store.NullText(outcomeGone)}
		if o.Kind.Effect() == connector.Deletes {
			end.State = store.OperationDone
		}
		return true, p.end(ctx, t, row, &end)
	case err != nil:
		return false, err
	case account.IdentityID != row.IdentityID:
		return true, p.end(ctx, t, row, &store.OperationEnd{ID: row.ID, State: store.OperationCancelled,
			Outcome: store.NullText(outcomeMoved)})
	}
	o.NativeIdentity, o.StableIdentity = account.NativeIdentity, account.StableIdentity
	return false, nil
}

// operationOf returns an operation as a connector takes it, without the account.
func operationOf(row *store.Operation) (*connector.Operation, error) {
	kind, err := connector.ParseKind(row.Kind)
	if err != nil {
		return nil, err
	}
	o := &connector.Operation{Key: row.ID.String(), Kind: kind}
	return o, o.Attributes.Decode(row.Attributes)
}

// recordFailure records why an operation failed. It gives the operation up where another attempt would not help, or
// where this was the last one.
func (p *Provisioner) recordFailure(ctx context.Context, lease *store.Lease, o *store.Operation, failure error,
	limit int,
) (givenUp bool, err error) {
	if connector.IsPermanent(failure) || o.Attempts+1 >= limit { // o was read before this attempt
		return true, p.giveUp(ctx, lease, o, failure)
	}
	return false, p.Store.RecordOperationError(ctx, p.Pool, lease, o.ID, tenant.ReasonText(failure))
}
