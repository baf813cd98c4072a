package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// outcomeLinked is the outcome of a creation that found the account. It is stored and shown.
const outcomeLinked = "linked to the account that was there already"

// foundMax is how many accounts of the source may fit one identity before that is taken for a fault.
const foundMax = 20

// The reasons why an account that is there is not linked to the identity for which one was to be created.
var (
	errOwned = connector.Permanent(errors.New(
		"the source has this account already, and it belongs to another identity"))
	errStranger = connector.Permanent(errors.New("the source has an account with this native identity already, and " +
		"its correlation does not find the identity: correlate it by hand, or give the new account another name"))
	errAmbiguous = connector.Permanent(errors.New("the source has an account that fits this identity and others as " +
		"well: correlate it by hand"))
	errUnreadable = connector.Permanent(errors.New("the source has an account that may be the identity's and cannot " +
		"be read: aggregate the source"))
	errBusy    = errors.New("an account that fits the identity is being aggregated")
	errRenamed = errors.New("the source has an account that fits under another name than before: aggregate the source")
)

// await parks the creation of an account on a source that was never read completely, unless it was tried already: who
// has an account there is not known. The first complete aggregation requests the processing of the identity, which
// opens the creation again if nobody was found.
func (p *Provisioner) await(ctx context.Context, t *target, row *store.Operation) (waits bool, err error) {
	if t.complete || row.Begun != nil {
		return false, nil
	}
	if t.complete, err = p.Store.SourceComplete(ctx, p.Pool, row.SourceID); err != nil || t.complete {
		return false, err
	}
	cause := store.Cause{At: p.Now(), Actor: p.Actor}
	return true, p.inTx(ctx, t.lease, func(tx pgx.Tx) error {
		if _, err := p.Store.LockIdentities(ctx, tx, []store.ID{row.IdentityID}); err != nil {
			return err
		}
		locked, err := p.Store.LockOperation(ctx, tx, row.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && locked.State != store.OperationOpen {
			return nil // it was cancelled or parked meanwhile
		}
		if err != nil {
			return err
		}
		if err := p.Store.HoldLease(ctx, tx, t.lease); err != nil {
			return leaseError(err)
		}
		why := refresh.AwaitCause(t.source.Name)
		if err := p.Store.ParkOperation(ctx, tx, row.ID, why, store.NullText(store.AwaitsAggregation),
			cause); err != nil {
			return err
		}
		events, err := event.Append(nil, row.IdentityID,
			&event.Detail{Parked: []event.Operation{event.OperationOf(row, t.source.Name, why)}})
		if err != nil {
			return err
		}
		return p.AddEvents(ctx, tx, cause, events)
	})
}

// create creates an account unless there is one: it looks in the accounts that are known and then at the source, since
// what was true when the operation was planned may be so no longer. An account that it finds is linked, if it is the
// identity's.
//
// An earlier attempt may have created the account. Then the connector is asked again where only it can complete what
// was cut off: the password.
func (p *Provisioner) create(ctx context.Context, t *target, row *store.Operation, o *connector.Operation) error {
	t.nameCreated(o)
	again := row.Begun != nil
	if !again || !t.givesPassword() {
		if linked, err := p.look(ctx, t, row, o); err != nil || linked {
			return err
		}
		// Looking may have taken long. Whoever has taken the lease over meanwhile creates the account.
		if err := p.Store.ExtendLease(ctx, p.Pool, t.lease, p.Clock().Add(leaseTime)); err != nil {
			return leaseError(err)
		}
	}
	// Only now: the identity is calculated for them.
	if err := p.addSecrets(ctx, t, row, o); err != nil {
		return err
	}
	result, err := t.Apply(ctx, o)
	if errors.Is(err, connector.ErrExists) {
		// Somebody created it since, or it has other attributes.
		if linked, err := p.look(ctx, t, row, o); err != nil || linked {
			return err
		}
	}
	if err != nil {
		return err
	}
	if result.NativeIdentity != "" {
		o.NativeIdentity = result.NativeIdentity
	}
	return p.record(ctx, t, row, o, &result)
}

// look looks for the account that is to be created, and links it where it is the identity's. It returns an error where
// an account is there that cannot be linked.
func (p *Provisioner) look(ctx context.Context, t *target, row *store.Operation, o *connector.Operation) (bool, error) {
	linked, values, err := p.lookAtAccounts(ctx, t, row, o)
	if err != nil || linked {
		return linked, err
	}
	finder, can := t.Connector.(connector.Finder)
	if !can {
		return false, nil
	}
	query := &connector.Query{NativeIdentity: o.NativeIdentity, Values: values}
	var found []*connector.Object
	err = finder.Find(ctx, query, func(object *connector.Object) error {
		if !query.Selects(object) {
			return nil
		}
		if object.Fault != "" {
			return errUnreadable
		}
		if len(found) == foundMax {
			return errAmbiguous
		}
		kept := *object
		kept.Attributes = object.Attributes.Clone()
		found = append(found, &kept)
		return nil
	})
	if err != nil {
		return false, err
	}
	for _, object := range found {
		linked, err := p.lookAt(ctx, t, row, object)
		if err != nil || linked {
			return linked, err
		}
	}
	return false, nil
}

// looking is a transaction that looks for the account of an identity on a source and links it.
type looking struct {
	*Provisioner
	tx         pgx.Tx
	target     *target
	row        *store.Operation
	source     *configuration.CompiledSource
	attributes attribute.Set // of the identity
	keys       []string      // by which accounts find the identity
	cause      store.Cause
}

// looks runs do in a transaction with the locks of a correlation. Where the identity is gone, it does nothing.
func (p *Provisioner) looks(ctx context.Context, t *target, row *store.Operation,
	do func(l *looking) (linked bool, err error),
) (linked bool, err error) {
	err = p.inTx(ctx, t.lease, func(tx pgx.Tx) error {
		c, err := p.LockConfigurationShared(ctx, tx)
		if err != nil {
			return err
		}
		if err := p.Store.LockCorrelationShared(ctx, tx); err != nil {
			return err
		}
		if _, err := p.Store.LockIdentities(ctx, tx, []store.ID{row.IdentityID}); err != nil {
			return err
		}
		l := &looking{Provisioner: p, tx: tx, target: t, row: row, source: c.Sources[row.SourceID],
			cause: store.Cause{Task: store.NewID(), At: p.Now(), Actor: row.Actor}}
		if l.source == nil {
			l.source = t.source
		}
		if l.cause.Actor == (store.Actor{}) {
			l.cause.Actor = p.Actor
		}
		states, err := p.Store.IdentityStates(ctx, tx, []store.ID{row.IdentityID})
		if err != nil {
			return err
		}
		if len(states) == 0 {
			return connector.Permanent(errors.New("the identity does not exist any more"))
		}
		if err := l.attributes.Decode(states[0].Attributes); err != nil {
			return err
		}
		l.keys = c.IdentityKeys(&l.attributes)
		linked, err = do(l)
		return err
	})
	return linked, err
}

// lookAtAccounts looks in the accounts that are known. It also returns by which values of the source's accounts one of
// the identity is found there.
func (p *Provisioner) lookAtAccounts(ctx context.Context, t *target, row *store.Operation, o *connector.Operation) (
	linked bool, values []connector.QueryValue, err error,
) {
	linked, err = p.looks(ctx, t, row, func(l *looking) (bool, error) {
		values = l.values()
		if linked, err := l.correlated(ctx); err != nil || linked {
			return linked, err
		}
		return l.named(ctx, o.NativeIdentity)
	})
	return linked, values, err
}

// values returns by which values an account of the source finds the identity.
func (l *looking) values() []connector.QueryValue {
	var values []connector.QueryValue
	for _, a := range l.source.Assignments() {
		for _, text := range l.attributes.Get(a.Property).Strings() {
			if text != "" {
				values = append(values, connector.QueryValue{Attribute: a.Value, Value: text,
					Exact: a.IgnoreCase != nil && !*a.IgnoreCase})
			}
		}
	}
	return values
}

// correlated links the account that the identity has, or gets by its keys now.
func (l *looking) correlated(ctx context.Context) (bool, error) {
	requested, err := l.Store.CorrelateKeys(ctx, l.tx, l.keys, l.cause)
	if err != nil {
		return false, err
	}
	accounts, err := l.Store.AccountsOf(ctx, l.tx, []store.ID{l.row.IdentityID})
	if err != nil {
		return false, err
	}
	at := slices.IndexFunc(accounts, func(a store.Account) bool { return a.SourceID == l.source.RowID })
	if at >= 0 {
		return true, l.link(ctx, &accounts[at])
	}
	if requested > 0 { // accounts of other sources
		if err := l.Launch(ctx, l.tx, l.cause, &store.Task{Population: int64(requested),
			Description: fmt.Sprintf("Process after provisioning to %q", l.source.Name)}); err != nil {
			return false, err
		}
	}
	// An account that fits and was not correlated fits others too, or is locked by an aggregation.
	matches, err := l.Store.FittingAccount(ctx, l.tx, l.source.RowID, l.keys)
	switch {
	case err != nil || matches == 0:
		return false, err
	case matches > 1:
		return false, errAmbiguous
	}
	return false, errBusy
}

// named links the account that has the native identity of the new one, if it is nobody's. One whose correlation looks
// for somebody else is not linked: a name alone does not make it the identity's.
func (l *looking) named(ctx context.Context, native string) (bool, error) {
	if native == "" {
		return false, nil
	}
	account, err := l.Store.LockAccountNamed(ctx, l.tx, l.source.RowID, native)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case !account.IdentityID.IsZero(): // not the identity's, whose accounts were looked at
		return false, errOwned
	}
	var attributes attribute.Set
	if err := attributes.Decode(account.Attributes); err != nil {
		return false, err
	}
	if l.source.Correlates(native, &attributes) {
		return false, errStranger
	}
	if err := l.Store.GiveAccount(ctx, l.tx, account.ID, l.row.IdentityID, l.cause.At); err != nil {
		return false, err
	}
	return true, l.link(ctx, &account)
}

// lookAt links an account that the source has and that no aggregation has read yet. Its row is added as an aggregation
// would add it.
func (p *Provisioner) lookAt(ctx context.Context, t *target, row *store.Operation, object *connector.Object) (bool,
	error,
) {
	if object.NativeIdentity == "" || len(object.NativeIdentity) > configuration.NativeIdentityLengthMax {
		return false, errUnreadable
	}
	return p.looks(ctx, t, row, func(l *looking) (bool, error) {
		if err := l.unread(ctx, object); err != nil {
			return false, err
		}
		added := accountRow(l.source, object)
		added.ID = store.NewID()
		if err := l.Store.AddProvisionedAccount(ctx, l.tx, added, l.cause.At); err != nil {
			return false, err
		}
		linked, err := l.correlated(ctx)
		if err != nil || linked {
			return linked, err
		}
		return l.named(ctx, object.NativeIdentity)
	})
}

// unread returns an error where the row of an account that the source has is there already: looking at the rows did
// not link it.
func (l *looking) unread(ctx context.Context, object *connector.Object) error {
	if object.StableIdentity != "" {
		known, err := l.Store.FindAccountStable(ctx, l.tx, l.source.RowID, object.StableIdentity)
		switch {
		case err == nil && !known.IdentityID.IsZero():
			return errOwned
		case err == nil:
			return errRenamed
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	known, err := l.Store.FindAccountNamed(ctx, l.tx, l.source.RowID, object.NativeIdentity)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case !known.IdentityID.IsZero():
		return errOwned
	}
	return errRenamed // what is known of the account is not what the source has
}

// link ends the operation with the account that was found, and requests the processing of the identity.
func (l *looking) link(ctx context.Context, account *store.Account) error {
	if err := l.Store.HoldLease(ctx, l.tx, l.target.lease); err != nil {
		return leaseError(err)
	}
	end := &store.OperationEnd{ID: l.row.ID, State: store.OperationDone, AccountID: account.ID,
		NativeIdentity: account.NativeIdentity, Outcome: store.NullText(outcomeLinked)}
	if l.madeBefore(account) {
		end.Outcome = nil
		// As if that attempt had been recorded: it is the identity's whatever a correlation would find.
		if err := l.Store.GiveAccount(ctx, l.tx, account.ID, l.row.IdentityID, l.cause.At); err != nil {
			return err
		}
	}
	return l.finish(ctx, l.tx, l.target, l.row, end, []store.ID{l.row.IdentityID})
}

// madeBefore reports whether an account is what an earlier attempt of the operation created.
func (l *looking) madeBefore(account *store.Account) bool {
	var wanted, have attribute.Set
	if l.row.Begun == nil || wanted.Decode(l.row.Attributes) != nil || have.Decode(account.Attributes) != nil {
		return false
	}
	for name, value := range wanted.All() {
		if value.Text() != "" && have.Get(name).Text() != value.Text() {
			return false
		}
	}
	return true
}
