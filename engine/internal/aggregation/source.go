package aggregation

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// AggregateSource is [Engine.Aggregate] of what the source's connector reads: everything, or with options.Delta what
// changed since the last time, where the source can tell; where it cannot, everything. Entitlements that the source
// describes get their names.
func (a *Aggregator) AggregateSource(ctx context.Context, name string, options Options) (Result, error) {
	const op = "aggregate"
	var result Result
	if err := options.validate(name); err != nil {
		return result, err
	}
	err := a.WithConnector(ctx, op, name, func(source *configuration.CompiledSource, c connector.Connector) error {
		since := ""
		if options.Delta {
			cursor, err := a.Store.SourceCursor(ctx, a.Pool, source.RowID)
			if err != nil {
				return err
			}
			since = cursor
		}
		err := a.aggregateFrom(ctx, source.RowID, c, since, options, &result)
		if since != "" && errors.Is(err, connector.ErrNoChanges) {
			err = a.aggregateFrom(ctx, source.RowID, c, "", options, &result)
		}
		return err
	})
	return result, err
}

// errStopped ends a reading that nobody follows any more.
var errStopped = errors.New("the reading was stopped")

// objectsOf returns the objects that a connector reads, one after the other, and the cursor behind them.
func objectsOf(ctx context.Context, c connector.Connector, since string, cursor *string) iter.Seq2[*connector.Object,
	error] {
	return func(yield func(*connector.Object, error) bool) {
		next, err := c.Read(ctx, since, func(object *connector.Object) error {
			if !yield(object, nil) {
				return errStopped
			}
			return nil
		})
		*cursor = next
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// aggregateFrom reads a source by its connector, in one transaction, and again where that lost against another one.
func (a *Aggregator) aggregateFrom(ctx context.Context, id store.ID, c connector.Connector, since string,
	options Options, result *Result,
) error {
	return a.InTx(ctx, func(tx pgx.Tx) error {
		if err := a.Store.LockReadingShared(ctx, tx, id); err != nil {
			return err
		}
		configuration, source, err := a.sourceFor(ctx, tx, id.String())
		if err != nil {
			return err
		}
		cursor := ""
		next, stop := iter.Pull2(objectsOf(ctx, c, since, &cursor))
		defer stop()
		names := map[store.EntitlementValue]string{}
		var gone []string
		var reading *reading
		others := 0 // objects that are no accounts
		objects := func() (*connector.Object, error) {
			for ; ; others++ {
				if reading.count+others > reading.most {
					return nil, reading.tooMany()
				}
				object, err, more := next()
				switch {
				case !more:
					return nil, io.EOF
				case err != nil:
					return nil, tenant.AtSource("aggregate", source.Name, err)
				case object.Type != "" && object.Type != connector.AccountObject:
					for _, attribute := range source.Entitling(object.Type) {
						names[store.EntitlementValue{Attribute: attribute, Value: object.NativeIdentity}] = object.Name
					}
				case object.Deleted:
					gone = append(gone, object.NativeIdentity)
				default:
					return object, nil
				}
			}
		}
		reading = a.newReading(source, objects, options)
		reading.repeatable = true
		options.Delta = since != ""
		*result, err = a.aggregateRead(ctx, tx, configuration.Version, source, reading, options,
			func() []string { return gone })
		if err != nil {
			return err
		}
		if err := a.Store.NameEntitlements(ctx, tx, source.RowID, names, a.Now()); err != nil {
			return err
		}
		return a.Store.RecordAggregation(ctx, tx, source.RowID, store.NullText(cursor), a.Now())
	})
}
