package aggregation

import (
	"context"
	"errors"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// AggregateSource is [Aggregator.Aggregate] of what the source's connector reads: everything, or with options.Delta
// what changed since the last time, where the source can tell; where it cannot, everything. Entitlements that the
// source describes get their names.
func (a *Aggregator) AggregateSource(ctx context.Context, name string, options Options) (result Result, err error) {
	const op = "aggregate"
	if err := options.validate(name); err != nil {
		return Result{}, err
	}
	err = a.WithConnector(ctx, op, name, func(source *configuration.CompiledSource, c connector.Connector) (err error) {
		since := ""
		if options.Delta {
			if since, err = a.Store.SourceCursor(ctx, a.Pool, source.RowID); err != nil {
				return err
			}
		}
		result, err = a.aggregateSince(ctx, source.RowID, c, since, options)
		if since != "" && errors.Is(err, connector.ErrNoChanges) {
			result, err = a.aggregateSince(ctx, source.RowID, c, "", options)
		}
		return err
	})
	return result, err
}

// aggregateSince aggregates a source by its connector, in a transaction of its own: what changed since a cursor, or
// everything where that is "". It reads again where the transaction lost against another one.
func (a *Aggregator) aggregateSince(ctx context.Context, id store.ID, c connector.Connector, since string,
	options Options,
) (Result, error) {
	options.Delta = since != ""
	return tenant.Transact(ctx, a.Tenant, func(tx pgx.Tx) (Result, error) {
		if err := a.Store.LockReadingShared(ctx, tx, id); err != nil {
			return Result{}, err
		}
		r, err := a.begin(ctx, tx, id.String(), true, options)
		if err != nil {
			return Result{}, err
		}
		r.read = true
		if r.last, err = a.Store.LastAggregation(ctx, tx, id); err != nil {
			return Result{}, err
		}
		return r.aggregateFrom(ctx, c, since)
	})
}

// aggregateFrom aggregates what a connector reads, and records the cursor behind it.
func (r *run) aggregateFrom(ctx context.Context, c connector.Connector, since string) (Result, error) {
	cursor := ""
	next, stop := iter.Pull2(r.objectsOf(ctx, c, since, &cursor))
	defer stop()
	reader := r.reader(func() (*connector.Object, error) {
		object, err, more := next()
		if more && err == nil && object == nil {
			return nil, tenant.AtSource("aggregate", r.source.Name, errors.New("the connector returned no object"))
		}
		return object, err
	})
	reader.findings.connected = true
	if noter, is := c.(connector.Noter); is {
		reader.notes = noter.Notes
	}
	if columner, is := c.(connector.Columner); is && since == "" {
		reader.columns = columner.Columns
	}
	result, err := r.aggregate(ctx, reader)
	if err != nil || r.options.DryRun {
		return result, err
	}
	if err := r.Store.NameEntitlements(ctx, r.tx, r.source.RowID, reader.findings.names, r.Now()); err != nil {
		return result, err
	}
	return result, r.Store.RecordAggregation(ctx, r.tx, r.source.RowID, store.NullText(cursor), r.Now())
}

// errStopped ends a reading whose objects nobody takes any more.
var errStopped = errors.New("the reading was stopped")

// objectsOf returns the objects that a connector reads, one after the other. After the last it sets the cursor.
func (r *run) objectsOf(ctx context.Context, c connector.Connector, since string, cursor *string) iter.Seq2[
	*connector.Object, error,
] {
	return func(yield func(*connector.Object, error) bool) {
		next, err := c.Read(ctx, since, func(object *connector.Object) error {
			if !yield(object, nil) {
				return errStopped
			}
			return nil
		})
		*cursor = next
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, tenant.AtSource("aggregate", r.source.Name, err))
		}
	}
}
