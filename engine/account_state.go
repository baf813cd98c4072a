package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/store"
)

// AccountStateOptions say how an account is enabled, disabled or unlocked. The zero AccountStateOptions do what is
// needed.
type AccountStateOptions struct {
	// Force writes the state to the source even where the account looks as if it had it. To an account that is not
	// locked it adds an UNLOCK, if its source can unlock accounts. Where people carry out the operations of the source,
	// it has no effect: nothing would show that they did.
	Force bool
	// UnlockSignIn ends the lock of the identity's sign-in too. It counts for [Engine.UnlockAccount] alone.
	UnlockSignIn bool
}

// AccountTask names the task that carries out what was asked for of an account. Account activities have the same ID
// ([Engine.GetAccountActivity]).
type AccountTask struct {
	ID string `json:"id"`
}

// EnableAccount asks that an account can be used. The processing of its identity opens an operation ENABLE, unless the
// account is enabled already. It is done once, and holds against the lifecycle state that the identity is in: until the
// identity comes into another state that has an action on the source, until the account becomes somebody else's, or
// until the contrary is asked for. docs/access.md has the rule.
//
// It is a Conflict where the source cannot enable and disable accounts, where no identity has the account, and where
// the lifecycle state of the identity deletes the accounts on the source.
func (e *Engine) EnableAccount(ctx context.Context, account string, options AccountStateOptions) (AccountTask, error) {
	return e.demandOf(connector.Enable, account, options).run(ctx)
}

// EnableAccountTx is [Engine.EnableAccount] in the caller's transaction.
func (e *Engine) EnableAccountTx(ctx context.Context, tx pgx.Tx, account string, options AccountStateOptions) (
	AccountTask, error,
) {
	return e.demandOf(connector.Enable, account, options).runIn(ctx, tx)
}

// DisableAccount is [Engine.EnableAccount] for the contrary.
func (e *Engine) DisableAccount(ctx context.Context, account string, options AccountStateOptions) (AccountTask, error) {
	return e.demandOf(connector.Disable, account, options).run(ctx)
}

// DisableAccountTx is [Engine.DisableAccount] in the caller's transaction.
func (e *Engine) DisableAccountTx(ctx context.Context, tx pgx.Tx, account string, options AccountStateOptions) (
	AccountTask, error,
) {
	return e.demandOf(connector.Disable, account, options).runIn(ctx, tx)
}

// UnlockAccount asks that the lock of an account ends: an operation UNLOCK, unless the account is not locked. Errors
// are those of [Engine.EnableAccount], for sources that cannot unlock accounts.
func (e *Engine) UnlockAccount(ctx context.Context, account string, options AccountStateOptions) (AccountTask, error) {
	return e.demandOf(connector.Unlock, account, options).run(ctx)
}

// UnlockAccountTx is [Engine.UnlockAccount] in the caller's transaction.
func (e *Engine) UnlockAccountTx(ctx context.Context, tx pgx.Tx, account string, options AccountStateOptions) (
	AccountTask, error,
) {
	return e.demandOf(connector.Unlock, account, options).runIn(ctx, tx)
}

// demandWords call what can be asked for of an account, in errors and in the names of tasks.
var demandWords = map[connector.Kind]struct{ op, done string }{
	connector.Enable:  {"enable the account", "enabled"},
	connector.Disable: {"disable the account", "disabled"},
	connector.Unlock:  {"unlock the account", "unlocked"},
}

// demandOf is the write of what somebody asks for of an account.
func (e *Engine) demandOf(kind connector.Kind, account string, options AccountStateOptions) writeOf[AccountTask] {
	words := demandWords[kind]
	return writeOf[AccountTask]{e, words.op, account, func(ctx context.Context, tx pgx.Tx) (AccountTask, error) {
		d := demanding{Engine: e, tx: tx, op: words.op, account: account, kind: kind, cause: e.tenant.NewCause(ctx)}
		if err := d.lock(ctx); err != nil {
			return AccountTask{}, err
		}
		if err := d.demandPossible(); err != nil {
			return AccountTask{}, err
		}
		kinds := []connector.Kind{kind}
		if options.Force && kind != connector.Unlock && d.source.Can(connector.Unlock) {
			kinds = append(kinds, connector.Unlock)
		}
		if err := d.put(ctx, kinds, options.Force); err != nil {
			return AccountTask{}, err
		}
		if kind == connector.Unlock && options.UnlockSignIn {
			if err := e.unlockSignIn(ctx, tx, d.identity, d.cause); err != nil {
				return AccountTask{}, err
			}
		}
		return AccountTask{ID: d.cause.Task.String()}, e.tasks.ProcessOne(ctx, tx, d.identity,
			"Process after an account was asked to be "+words.done, d.cause)
	}}
}

// demanding is a transaction that asks for something of an account.
type demanding struct {
	*Engine
	tx            pgx.Tx
	op, account   string
	kind          connector.Kind
	cause         store.Cause
	configuration *configuration.Configuration
	identity      store.ID
	state         store.IdentityState
	row           store.Account
	source        *configuration.CompiledSource
}

// lock locks the identity that has the account, and then the account.
func (d *demanding) lock(ctx context.Context) error {
	id, known := store.IDOf(d.account)
	if !known {
		return noAccount(d.op, d.account)
	}
	found, err := d.tenant.Store.FindAccount(ctx, d.tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return noAccount(d.op, d.account)
	}
	if err != nil {
		return err
	}
	if found.IdentityID.IsZero() {
		return d.conflict("no identity has the account: correlate it first")
	}
	if d.configuration, d.identity, err = d.tenant.LockIdentity(ctx, d.tx, d.op,
		found.IdentityID.String()); err != nil {
		return err
	}
	if d.row, err = d.lockOwned(ctx, d.tx, d.op, d.account, d.identity); err != nil {
		return err
	}
	states, err := d.tenant.Store.IdentityStates(ctx, d.tx, []store.ID{d.identity})
	if err != nil {
		return err
	}
	d.state, d.source = states[0], d.configuration.Sources[d.row.SourceID]
	return nil
}

func (d *demanding) conflict(format string, arguments ...any) error {
	return &Error{Kind: Conflict, Op: d.op, Subject: d.account, Err: fmt.Errorf(format, arguments...)}
}

// demandPossible fails where the source cannot do what is asked for, or the lifecycle state deletes the account.
func (d *demanding) demandPossible() error {
	feature := configuration.FeatureEnable
	if d.kind == connector.Unlock {
		feature = configuration.FeatureUnlock
	}
	if !d.source.Can(d.kind) {
		return d.conflict("the source %q cannot %s: it does not have the feature %s", d.source.Name, d.op, feature)
	}
	state := d.configuration.StateAccess(d.state.ProfileID)[d.state.LifecycleState]
	if state.Actions[d.row.SourceID] == connector.Delete {
		return d.conflict("the lifecycle state %q of the identity deletes the accounts on %q", d.state.LifecycleState,
			d.source.Name)
	}
	return nil
}

// put writes demands, and the event of them.
func (d *demanding) put(ctx context.Context, kinds []connector.Kind, forced bool) error {
	detail := event.Detail{}
	for _, kind := range kinds {
		if err := d.tenant.Store.PutDemand(ctx, d.tx, &store.AccountDemand{AccountID: d.row.ID, Kind: string(kind),
			IdentityID: d.identity, LifecycleState: d.state.LifecycleState, Forced: forced,
			Asked: d.cause.At}); err != nil {
			return err
		}
		detail.Demanded = append(detail.Demanded, event.Demanded{Operation: string(kind), Account: d.row.ID.String(),
			Source:         Reference{Type: string(TypeSource), ID: d.source.IDText, Name: d.source.Name},
			NativeIdentity: d.row.NativeIdentity, Forced: forced})
	}
	return d.addEvent(ctx, d.tx, d.cause, d.identity, &detail)
}
