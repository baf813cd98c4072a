package provisioning

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/store"
)

// recheckAttempts is how often a source is asked what an outdated attempt left there, and recheckWait how long it is
// left alone after the first time; the time doubles.
const (
	recheckAttempts = 5
	recheckWait     = time.Second
)

// restoredReason is the reason of the operation that enables an account again. It is stored and shown.
const restoredReason = "a worker that was paused for long disabled it again"

// lost reports whether another worker has taken the lease over by now. failure is what came of an attempt.
func (p *Provisioner) lost(ctx context.Context, t *target, failure error) bool {
	if failure == nil || errors.Is(failure, errLeaseLost) {
		return failure != nil
	}
	err := p.Store.ExtendLease(ctx, p.Pool, t.lease, p.Clock().Add(leaseTime))
	return errors.Is(err, store.ErrNotFound)
}

// recheckAll is [Provisioner.recheck], again and again where the source or the database is away for a while.
func (p *Provisioner) recheckAll(ctx context.Context, t *target, row *store.Operation, o *connector.Operation) error {
	wait := recheckWait
	for attempt := 1; ; attempt++ {
		err := p.recheck(ctx, t, row, o)
		if err == nil || attempt == recheckAttempts || ctx.Err() != nil {
			return err
		}
		p.Logger.LogAttrs(ctx, slog.LevelWarn, "what an outdated operation did is looked at again",
			slog.String("operation", row.ID.String()), slog.String("error", store.Reason(err)))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// recheck looks at the source for what an attempt did that may have come too late: this worker was paused between
// the check of its lease and the write, and another one has ended the operation since, and perhaps others after it. The
// row of the account is brought up to what the source has, access that came back with the attempt counts as given, and
// the identity is processed: that takes away what nobody grants by now, and gives again what was taken.
//
// Where the operation is open, whoever has the lease repeats it, and nothing came after it.
func (p *Provisioner) recheck(ctx context.Context, t *target, row *store.Operation, o *connector.Operation) error {
	return p.InTx(ctx, func(tx pgx.Tx) error {
		c, err := p.LockConfigurationShared(ctx, tx)
		if err != nil {
			return err
		}
		source := c.Sources[row.SourceID]
		if source == nil {
			return nil
		}
		// An operation for the identity is recorded under this lock. So the source has either what was recorded, or
		// what is recorded afterwards.
		identities, err := p.Store.LockIdentities(ctx, tx, []store.ID{row.IdentityID})
		if err != nil {
			return err
		}
		current, err := p.Store.FindOperation(ctx, tx, row.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil && current.State == store.OperationOpen {
			return nil
		}
		l := &late{Provisioner: p, tx: tx, target: t, source: source, row: row, operation: o, ended: current.Completed,
			cause: store.Cause{Task: store.NewID(), At: p.Now(), Actor: row.Actor}}
		if len(identities) > 0 {
			l.owner = identities[0]
		}
		if l.cause.Actor == (store.Actor{}) {
			l.cause.Actor = p.Actor
		}
		return l.look(ctx)
	})
}

// late is a transaction that looks at what an outdated attempt of an operation left at the source.
type late struct {
	*Provisioner
	tx        pgx.Tx
	target    *target
	source    *configuration.CompiledSource
	row       *store.Operation
	operation *connector.Operation
	ended     *time.Time // when the operation was ended by another worker
	owner     store.ID   // the identity; zero where it was deleted
	cause     store.Cause
}

func (l *late) look(ctx context.Context) error {
	account, err := l.account(ctx)
	missing := errors.Is(err, store.ErrNotFound)
	if err != nil && !missing {
		return err
	}
	effect := l.operation.Kind.Effect()
	object, err := l.atSource(ctx, &account)
	switch {
	case err != nil:
		return err
	case object == nil && !missing && effect == connector.Deletes:
		if err := l.Store.DeleteAccount(ctx, l.tx, account.ID); err != nil {
			return err
		}
		return l.process(ctx, account.IdentityID)
	case object == nil:
		return nil // an aggregation tells an account that is gone from a source that is wrong
	case missing && effect == connector.Creates:
		written := accountRow(l.source, object)
		written.ID, written.IdentityID = store.NewID(), l.owner
		if err := l.Store.AddProvisionedAccount(ctx, l.tx, written, l.cause.At); err != nil {
			return err
		}
		return l.process(ctx, l.owner)
	case missing:
		return nil
	}
	written := accountRow(l.source, object)
	written.ID = account.ID
	if written.StableIdentity == "" {
		written.StableIdentity = account.StableIdentity
	}
	if err := l.Store.UpdateAccount(ctx, l.tx, written, l.cause.At); err != nil {
		return err
	}
	if err := l.remember(ctx, &account, object); err != nil {
		return err
	}
	if err := l.enable(ctx, &account, object); err != nil {
		return err
	}
	return l.process(ctx, account.IdentityID)
}

// account locks the account of the operation as it is called now.
func (l *late) account(ctx context.Context) (store.Account, error) {
	if !l.row.AccountID.IsZero() {
		account, err := l.Store.LockAccount(ctx, l.tx, l.row.AccountID)
		if !errors.Is(err, store.ErrNotFound) {
			return account, err
		}
	}
	// One that was created, or created again by another operation under the name that the attempt wrote to.
	return l.Store.LockAccountNamed(ctx, l.tx, l.row.SourceID, l.operation.NativeIdentity)
}

// atSource returns the account as the source has it, nil where it has none. Of a connector that cannot look for single
// accounts it is what the operation makes of the account that is known.
func (l *late) atSource(ctx context.Context, account *store.Account) (found *connector.Object, err error) {
	native := l.operation.NativeIdentity
	if !account.ID.IsZero() {
		native = account.NativeIdentity
	}
	if native == "" {
		return nil, nil
	}
	finder, can := l.target.Connector.(connector.Finder)
	if !can {
		return l.assumed(account)
	}
	limited, cancel := context.WithTimeout(ctx, OperationTimeout)
	defer cancel()
	query := &connector.Query{NativeIdentity: native}
	err = finder.Find(limited, query, func(object *connector.Object) error {
		switch {
		case !query.Selects(object), account.StableIdentity != "" && object.StableIdentity != "" &&
			object.StableIdentity != account.StableIdentity:
			return nil
		case object.Fault != "":
			return errUnreadable
		}
		kept := *object
		kept.Attributes = object.Attributes.Clone()
		found = &kept
		return nil
	})
	return found, err
}

func (l *late) assumed(account *store.Account) (*connector.Object, error) {
	if account.ID.IsZero() || l.operation.Kind.Effect() == connector.Deletes {
		return nil, nil
	}
	var before attribute.Set
	if err := before.Decode(account.Attributes); err != nil {
		return nil, fmt.Errorf("account %s: %w", account.ID, err)
	}
	return objectAfter(l.source, &before, l.operation, &connector.Result{}, account.NativeIdentity), nil
}

// remember records that the account has got what the attempt added, so that it is taken away if nobody grants it.
func (l *late) remember(ctx context.Context, account *store.Account, object *connector.Object) error {
	if l.operation.Kind.Effect() != connector.Adds {
		return nil
	}
	var grants []store.AccessGrant
	for name, value := range l.operation.Attributes.All() {
		has := object.Attributes.Get(name).Strings()
		for _, text := range value.Strings() {
			if l.source.Equality(name).Find(has, text) >= 0 {
				grants = append(grants, store.AccessGrant{IdentityID: l.row.IdentityID, SourceID: l.row.SourceID,
					Attribute: name, Value: text, AccountID: account.ID})
			}
		}
	}
	if l.owner.IsZero() || account.IdentityID != l.owner {
		return l.Store.CarryGrants(ctx, l.tx, grants, l.cause)
	}
	return l.Store.AddGrants(ctx, l.tx, grants, l.cause.At)
}

// enable opens an operation that enables the account, where the attempt has disabled it after another operation enabled
// it. A processing does not do that: whom somebody disables at the source stays disabled.
func (l *late) enable(ctx context.Context, account *store.Account, object *connector.Object) error {
	policy := l.target.policy
	if l.operation.Kind != connector.Disable || l.ended == nil || policy == nil || l.owner.IsZero() ||
		account.IdentityID != l.owner || object.Attributes.Get(policy.Status).Text() != policy.Disabled {
		return nil
	}
	done, err := l.Store.DayOperations(ctx, l.tx, []store.ID{l.owner}, *l.ended)
	if err != nil {
		return err
	}
	var last *store.Operation
	for i := range done {
		o := &done[i]
		status := o.Kind == string(connector.Enable) || o.Kind == string(connector.Disable)
		if o.AccountID == account.ID && status && o.State == store.OperationDone && o.ID != l.row.ID &&
			(last == nil || o.Completed.After(*last.Completed)) {
			last = o
		}
	}
	if last == nil || last.Kind != string(connector.Enable) {
		return nil
	}
	pending, err := l.Store.PendingOperations(ctx, l.tx, []store.ID{l.owner})
	if err != nil {
		return err
	}
	for i := range pending {
		o := &pending[i]
		if o.AccountID == account.ID && o.Attribute == last.Attribute && o.Value == last.Value {
			return nil // one that is about the status will be carried out
		}
	}
	again := store.Operation{ID: store.NewID(), DeliveryID: store.NewID(), IdentityID: l.owner,
		SourceID: l.row.SourceID, AccountID: account.ID, NativeIdentity: account.NativeIdentity,
		Kind: last.Kind, Attribute: last.Attribute, Value: last.Value, Attributes: last.Attributes,
		Reason: restoredReason, Actor: l.cause.Actor, TaskID: l.cause.Task, State: store.OperationOpen,
		Created: l.cause.At}
	if err := l.Store.AddOperations(ctx, l.tx, []store.Operation{again}); err != nil {
		return err
	}
	return l.LaunchDelivery(ctx, l.tx, again.DeliveryID, again.SourceID, l.cause)
}

// process requests the processing of an identity.
func (l *late) process(ctx context.Context, identity store.ID) error {
	if identity.IsZero() {
		return nil
	}
	err := l.Store.RequestRefresh(ctx, l.tx, []store.ID{identity}, "account provisioned too late", l.cause)
	if err != nil {
		return err
	}
	return l.Launch(ctx, l.tx, l.cause, &store.Task{Population: 1,
		Description: fmt.Sprintf("Process after a late operation on %q", l.source.Name)})
}
