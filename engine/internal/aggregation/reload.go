package aggregation

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// Reload reads the account of a source that has a native identity, and merges it as an aggregation of changes does. It
// returns the ID of the task that processes who is concerned, or of one that has ended where nothing changed.
func (a *Aggregator) Reload(ctx context.Context, op string, source store.ID, native string) (task string, err error) {
	of, err := a.Tenant.SourceNamed(ctx, op, source.String())
	if err != nil {
		return "", err
	}
	if a.Tenant.Connectors[of.Connector] == nil {
		return "", &fault.Error{Kind: fault.Conflict, Op: op, Subject: of.Name, Err: fmt.Errorf(
			"the connector %q reads no single accounts: aggregate the source", of.Connector)}
	}
	err = a.WithConnector(ctx, op, source.String(), func(s *configuration.CompiledSource, c connector.Connector) error {
		finder, can := c.(connector.Finder)
		if !can {
			return &fault.Error{Kind: fault.Conflict, Op: op, Subject: s.Name, Err: fmt.Errorf(
				"the connector %q cannot look for single accounts: aggregate the source", s.Connector)}
		}
		task, err = tenant.Transact(ctx, a.Tenant, func(tx pgx.Tx) (string, error) {
			return a.reload(ctx, tx, op, source, finder, native)
		})
		return err
	})
	return task, err
}

func (a *Aggregator) reload(ctx context.Context, tx pgx.Tx, op string, source store.ID, finder connector.Finder,
	native string,
) (string, error) {
	if err := a.Store.LockReadingShared(ctx, tx, source); err != nil {
		return "", err
	}
	r, err := a.begin(ctx, tx, source.String(), true, Options{Delta: true})
	if err != nil {
		return "", err
	}
	r.read = true
	if r.last, err = a.Store.LastAggregation(ctx, tx, source); err != nil {
		return "", err
	}
	object, err := findOne(ctx, finder, r.source, native)
	if err != nil {
		return "", err
	}
	if object == nil {
		return "", &fault.Error{Kind: fault.Conflict, Op: op, Subject: r.source.Name,
			Err: errors.New("the source has " +
				"no account with this native identity: aggregate the source, which tells whether it is gone or has " +
				"another name")}
	}
	result, err := r.aggregate(ctx, r.reader(func() (*connector.Object, error) {
		next := object
		object = nil
		return next, nil
	}))
	if err != nil || result.Task != "" {
		return result.Task, err
	}
	cause := a.NewCause(ctx)
	return cause.Task.String(), a.AddEnded(ctx, tx, cause, &store.Task{TargetType: store.NullText("APPLICATION"),
		TargetID: source, TargetName: &r.source.Name,
		Description: fmt.Sprintf("Reload of an account on %q: nothing has changed", r.source.Name)})
}

// findOne returns the account of a source that has a native identity, nil where there is none.
func findOne(ctx context.Context, finder connector.Finder, source *configuration.CompiledSource, native string) (
	found *connector.Object, err error,
) {
	query := &connector.Query{NativeIdentity: native}
	err = finder.Find(ctx, query, func(object *connector.Object) error {
		if query.Selects(object) && found == nil {
			kept := *object
			kept.Attributes = object.Attributes.Clone()
			found = &kept
		}
		return nil
	})
	return found, tenant.AtSource("aggregate", source.Name, err)
}
