package engine

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/store"
)

// CorrelateAccount gives an account to an identity by hand, whatever correlation finds: it stays the identity's until
// [Engine.ReleaseAccount]. An account that is another identity's goes over to this one. The processing of both is
// requested. Where the account is the identity's already, it only becomes manually correlated.
func (e *Engine) CorrelateAccount(ctx context.Context, account, identity string) error {
	return e.correlateAccount(account, identity).run(ctx)
}

// CorrelateAccountTx is [Engine.CorrelateAccount] in the caller's transaction.
func (e *Engine) CorrelateAccountTx(ctx context.Context, tx pgx.Tx, account, identity string) error {
	return e.correlateAccount(account, identity).runIn(ctx, tx)
}

func (e *Engine) correlateAccount(account, identity string) write {
	const op = "correlate the account"
	return write{e, op, account, func(ctx context.Context, tx pgx.Tx) error {
		owner, err := e.lockOwners(ctx, tx, op, account, identity)
		if err != nil {
			return err
		}
		a, err := e.lockOwned(ctx, tx, op, account, owner.before)
		if err != nil || a.IdentityID == owner.after && a.ManuallyCorrelated {
			return err
		}
		cause := e.tenant.NewCause(ctx)
		if err := e.tenant.Store.GiveAccount(ctx, tx, a.ID, owner.after, cause.At); err != nil {
			return err
		}
		return e.accountMoved(ctx, tx, accountMove{account: &a, to: owner.after, manually: true,
			description: "Process after an account was correlated by hand"}, cause)
	}}
}

// ReleaseAccount takes an account from its identity and leaves it to correlation again: where its keys find one
// identity, it becomes that one's at once, which may be the same one. Otherwise it is uncorrelated. The processing of
// everybody concerned is requested. It is a Conflict where the account is uncorrelated.
func (e *Engine) ReleaseAccount(ctx context.Context, account string) error {
	return e.releaseAccount(account).run(ctx)
}

// ReleaseAccountTx is [Engine.ReleaseAccount] in the caller's transaction. It ends with waiting for all transactions
// that change identities now, so that the caller does best to call it last.
func (e *Engine) ReleaseAccountTx(ctx context.Context, tx pgx.Tx, account string) error {
	return e.releaseAccount(account).runIn(ctx, tx)
}

func (e *Engine) releaseAccount(account string) write {
	const op = "release the account"
	return write{e, op, account, func(ctx context.Context, tx pgx.Tx) error {
		owner, err := e.lockOwners(ctx, tx, op, account, "")
		if err != nil {
			return err
		}
		a, err := e.lockOwned(ctx, tx, op, account, owner.before)
		if err != nil {
			return err
		}
		if a.IdentityID.IsZero() {
			return &Error{Kind: Conflict, Op: op, Subject: account, Err: errors.New("no identity has the account")}
		}
		cause := e.tenant.NewCause(ctx)
		found, err := e.tenant.Store.ReleaseAccount(ctx, tx, a.ID, cause)
		if err != nil {
			return err
		}
		return e.accountMoved(ctx, tx, accountMove{account: &a, to: found,
			description: "Process after an account was released"}, cause)
	}}
}

// owners are who has an account before and after a write; zero for nobody.
type owners struct{ before, after store.ID }

// lockOwners takes the locks of a write to the identity of an account, in their order: the configuration and the
// deletion lock shared, and who has the account and who gets it FOR KEY SHARE.
func (e *Engine) lockOwners(ctx context.Context, tx pgx.Tx, op, account, identity string) (owners, error) {
	var o owners
	id, known := store.IDOf(account)
	if !known {
		return o, noAccount(op, account)
	}
	if _, err := e.tenant.LockConfigurationShared(ctx, tx); err != nil {
		return o, err
	}
	if err := e.tenant.Store.LockDeletionsShared(ctx, tx); err != nil {
		return o, err
	}
	found, err := e.tenant.Store.FindAccount(ctx, tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return o, noAccount(op, account)
	}
	if err != nil {
		return o, err
	}
	o.before = found.IdentityID
	var names []string
	if !o.before.IsZero() {
		names = append(names, o.before.String())
	}
	if identity != "" {
		names = append(names, identity)
	}
	if len(names) == 0 {
		return o, nil
	}
	locked, err := e.tenant.LockIdentitiesShared(ctx, tx, op, names, len(names))
	if err != nil {
		return o, err
	}
	if identity != "" {
		o.after = locked[len(locked)-1]
	}
	return o, nil
}

// lockOwned locks an account that an identity has, or nobody. Where that has changed meanwhile, the transaction has to
// begin again.
func (e *Engine) lockOwned(ctx context.Context, tx pgx.Tx, op, account string, owner store.ID) (store.Account, error) {
	id, _ := store.IDOf(account)
	a, err := e.tenant.Store.LockAccount(ctx, tx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return a, noAccount(op, account)
	case err == nil && a.IdentityID != owner:
		err = &store.RetryableError{Err: errors.New("the account became somebody else's meanwhile")}
	}
	return a, err
}

// accountMove is an account that goes from the identity that its row names, or nobody, to another one, or nobody.
type accountMove struct {
	account     *store.Account
	to          store.ID
	manually    bool
	description string // of the task that processes both
}

// accountMoved writes what happened to those who had an account and have it now, and has them processed.
func (e *Engine) accountMoved(ctx context.Context, tx pgx.Tx, m accountMove, cause store.Cause) error {
	name, err := e.tenant.Store.SourceName(ctx, tx, m.account.SourceID)
	if err != nil {
		return err
	}
	from, moved := m.account.IdentityID, []event.Account{event.AccountOf(m.account, name, m.manually)}
	none := []event.Account{}
	details := map[store.ID]*event.Detail{from: {Accounts: &event.Accounts{Gained: none, Lost: moved, Kept: none}},
		m.to: {Accounts: &event.Accounts{Gained: moved, Lost: none, Kept: none}}}
	if from == m.to {
		details[from].Accounts = &event.Accounts{Gained: none, Lost: none, Kept: moved}
	}
	delete(details, store.ID{})
	concerned := slices.SortedFunc(maps.Keys(details), store.ID.Compare)
	var events []store.Event
	for _, id := range concerned {
		if events, err = event.Append(events, id, details[id]); err != nil {
			return err
		}
	}
	if err := e.tenant.AddEvents(ctx, tx, cause, events); err != nil {
		return err
	}
	if err := e.tenant.Store.RequestRefresh(ctx, tx, concerned, "account changed hands", cause); err != nil {
		return err
	}
	_, _, err = e.tasks.LaunchRequested(ctx, tx, cause, m.description, nil)
	return err
}
