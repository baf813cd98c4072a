package provisioning

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// record records what an operation did to the account, in one transaction with the end of the operation, its event and
// the request for the next processing of the identity.
func (p *Provisioner) record(ctx context.Context, t *target, row *store.Operation, o *connector.Operation,
	result *connector.Result,
) error {
	native := result.NativeIdentity
	if native == "" {
		native = o.NativeIdentity
	}
	if native == "" || len(native) > configuration.NativeIdentityLengthMax || !store.Storable(native) {
		return connector.Permanent(fmt.Errorf("the connector returned no native identity of 1 to %d bytes",
			configuration.NativeIdentityLengthMax))
	}
	for _, name := range o.Volatile { // secrets are not stored
		o.Attributes.Delete(name)
	}
	return p.inTx(ctx, t.lease, func(tx pgx.Tx) error {
		// The source may be configured in another way by now than when the delivery began.
		c, err := p.LockConfigurationShared(ctx, tx)
		if err != nil {
			return err
		}
		source := c.Sources[row.SourceID]
		if source == nil {
			source = t.source
		}
		identities, err := p.Store.LockIdentities(ctx, tx, []store.ID{row.IdentityID})
		if err != nil {
			return err
		}
		var owner store.ID // of a new account; nobody if the identity was deleted meanwhile
		if len(identities) > 0 {
			owner = identities[0]
		}
		account, conflict, err := p.putAccount(ctx, tx, source, row, owner, o, result, native)
		if err != nil {
			return err
		}
		if err := p.Store.HoldLease(ctx, tx, t.lease); err != nil {
			return leaseError(err)
		}
		end := store.OperationEnd{ID: row.ID, State: store.OperationDone, AccountID: account, NativeIdentity: native}
		if conflict != "" {
			end.State, end.Error = store.OperationFailed, &conflict
		}
		return p.finish(ctx, tx, t, row, &end, identities)
	})
}

// end ends an operation that was not carried out, since nothing is left to do for it.
func (p *Provisioner) end(ctx context.Context, t *target, row *store.Operation, end *store.OperationEnd) error {
	return p.inTx(ctx, t.lease, func(tx pgx.Tx) error {
		identities, err := p.Store.LockIdentities(ctx, tx, []store.ID{row.IdentityID})
		if err != nil {
			return err
		}
		if err := p.Store.HoldLease(ctx, tx, t.lease); err != nil {
			return leaseError(err)
		}
		return p.finish(ctx, tx, t, row, end, identities)
	})
}

// finish records the end of an operation, with its event where it was carried out or linked an account, and requests
// the processing of its identity where it was not given up. The caller holds the lease.
func (p *Provisioner) finish(ctx context.Context, tx pgx.Tx, t *target, row *store.Operation, end *store.OperationEnd,
	identities []store.ID,
) error {
	now := p.Now()
	// Where its identity was deleted meanwhile, the operation has ended already; what was done at the source is history
	// all the same.
	if _, err := p.Store.FinishOperation(ctx, tx, end, now); err != nil || end.State == store.OperationFailed {
		return err
	}
	linked := store.TextOf(end.Outcome) == outcomeLinked
	if end.State == store.OperationDone && (end.Outcome == nil || linked) {
		events, err := event.Append(nil, row.IdentityID, &event.Detail{Provisioned: []event.Provisioned{{
			Operation: row.Kind, Source: referenceTo(t.source), NativeIdentity: end.NativeIdentity,
			Attribute: row.Attribute, Value: row.Value, Reason: row.Reason, Linked: linked}}})
		if err != nil {
			return err
		}
		if err := p.AddEvents(ctx, tx, store.Cause{Task: row.TaskID, At: now, Actor: row.Actor}, events); err != nil {
			return err
		}
		if !row.AccountID.IsZero() { // what was asked for of the account is done
			if err := p.Store.MeetDemand(ctx, tx, row, now); err != nil {
				return err
			}
		}
	}
	return p.followUp(ctx, tx, t, row, identities)
}

// followUpDelay is how long the processing after an operation waits for the operations that follow, so that they share
// a task. After the first of several operations it does not wait, since mostly that is the only one.
const followUpDelay = time.Second

// followUp requests the processing of an identity whose account was changed for an actor: by the task of the operation
// before for the same actor if it goes on, otherwise by a new task. The lock on the task keeps it from ending
// meanwhile.
func (p *Provisioner) followUp(ctx context.Context, tx pgx.Tx, t *target, row *store.Operation,
	identities []store.ID,
) error {
	if len(identities) == 0 {
		return nil // the identity was deleted
	}
	actor := row.Actor
	if actor == (store.Actor{}) {
		actor = p.Actor // of an operation from before actors were recorded
	}
	before := t.tasks[actor]
	cause := store.Cause{Task: before, At: p.Now(), Actor: actor}
	task, err := p.Store.LockTask(ctx, tx, before)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	goesOn := err == nil && task.Completed == nil && task.Held == nil
	if !goesOn {
		cause.Task = store.NewID()
	}
	if err := p.Store.RequestRefresh(ctx, tx, identities, "account provisioned", cause); err != nil || goesOn {
		return err
	}
	var at time.Time
	if !before.IsZero() {
		at = cause.At.Add(followUpDelay)
	}
	first, err := p.Store.CauseOfTask(ctx, tx, row.TaskID) // for the guard, what follows adds to what that task did
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	t.tasks[actor] = cause.Task // if the transaction is rolled back, the task is not found
	return p.LaunchAt(ctx, tx, cause, &store.Task{Population: int64(t.operations), CauseID: first.Task,
		Description: fmt.Sprintf("Process after provisioning to %q", t.source.Name)}, at)
}

// giveUp gives an operation up. The identity is due at the next slot; its processing opens another operation if that is
// still wanted.
func (p *Provisioner) giveUp(ctx context.Context, lease *store.Lease, row *store.Operation, failure error) error {
	reason := tenant.ReasonText(failure)
	return p.inTx(ctx, lease, func(tx pgx.Tx) error {
		identities, err := p.Store.LockIdentities(ctx, tx, []store.ID{row.IdentityID})
		if err != nil {
			return err
		}
		if err := p.Store.HoldLease(ctx, tx, lease); err != nil {
			return leaseError(err)
		}
		ended, err := p.Store.FinishOperation(ctx, tx, &store.OperationEnd{ID: row.ID, State: store.OperationFailed,
			Error: &reason}, p.Now())
		if err != nil || !ended || len(identities) == 0 {
			return err
		}
		settings, err := p.SettingsIn(ctx, tx)
		if err != nil {
			return err
		}
		return p.Store.MakeDue(ctx, tx, row.IdentityID, task.NextSlot(p.Now(), settings.Location).UTC())
	})
}
