package provisioning

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// SetPassword sets the password of the accounts that an identity has on a source, named by ID or by name, at once and
// by the source's connector. The password is not stored.
func (p *Provisioner) SetPassword(ctx context.Context, identity, source, password string) error {
	const op = "set the password"
	id, known := store.IDOf(identity)
	if !known {
		return fault.NoIdentity(op, identity)
	}
	if password == "" {
		return fault.Invalidf(op, identity, "the password is empty")
	}
	return p.WithConnector(ctx, op, source, func(s *configuration.CompiledSource, c connector.Connector) error {
		accounts, err := p.Store.AccountsOf(ctx, p.Pool, []store.ID{id})
		if err != nil {
			return err
		}
		accounts = slices.DeleteFunc(accounts, func(a store.Account) bool { return a.SourceID != s.RowID })
		if len(accounts) == 0 {
			return &fault.Error{Kind: fault.NotFound, Op: op, Subject: identity,
				Err: fmt.Errorf("the identity has no account on the source %q", s.Name)}
		}
		for i := range accounts {
			native := accounts[i].NativeIdentity
			if _, err := c.Apply(ctx, &connector.Operation{Key: store.NewID().String(), Kind: connector.SetPassword,
				NativeIdentity: native, StableIdentity: accounts[i].StableIdentity, Password: password}); err != nil {
				return tenant.AtSource(op, identity, err)
			}
			if err := p.recordPassword(ctx, id, s, native); err != nil {
				return err
			}
		}
		return nil
	})
}

// recordPassword writes the event that the password of an account was set.
func (p *Provisioner) recordPassword(ctx context.Context, identity store.ID, source *configuration.CompiledSource,
	native string,
) error {
	events, err := event.Append(nil, identity, &event.Detail{Provisioned: []event.Provisioned{{
		Operation: string(connector.SetPassword), Source: referenceTo(source), NativeIdentity: native,
		Reason: "a password was set"}}})
	if err != nil {
		return err
	}
	cause := store.Cause{At: p.Now(), Actor: p.ActorOf(ctx)}
	return p.InTx(ctx, func(tx pgx.Tx) error { return p.AddEvents(ctx, tx, cause, events) })
}

// referenceTo names a source, as events show it.
func referenceTo(source *configuration.CompiledSource) configuration.Reference {
	return configuration.Reference{Type: string(configuration.TypeSource), ID: source.IDText, Name: source.Name}
}
