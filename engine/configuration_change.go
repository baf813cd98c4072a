package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/store"
)

// What a change of the configuration that removes objects says. Package change has their fields.
type (
	// ConfigurationRemoval is an object that goes, and what goes with it.
	ConfigurationRemoval = change.Removal
	// InUseError says that objects cannot be removed, because others name them that stay. It lists both.
	InUseError = change.InUseError
	// UsedObject is one of the objects of an [InUseError].
	UsedObject = change.UsedObject
	// Referrer is an object that names another one, and the member in which it does. For its fields see
	// [configuration.Referrer].
	Referrer = configuration.Referrer
	// RemovalHeldError says that the guard holds a removal, and why: see [Confirm].
	RemovalHeldError = change.HeldError
	// RevertError says that a revision cannot be reverted, because objects are not as it left them.
	RevertError = change.RevertError
)

// ObjectName names an object of the configuration.
type ObjectName struct {
	Type ObjectType `json:"type"`
	Name string     `json:"name"` // or its ID; of a lifecycle state its technical name
}

// ReferencesTo returns the objects of the configuration that name an object, which an ID or a name stands for, each
// with the member in which it does: in mappings, correlations, synchronization, policies, criteria, lifecycle states,
// access profiles, roles and saved transforms. What reads the object through a saved transform is not among them: that
// transform is. Who owns it says its document.
func (e *Engine) ReferencesTo(ctx context.Context, kind ObjectType, name string) ([]Referrer, error) {
	const op = "list the references"
	if err := knownType(op, kind); err != nil {
		return nil, err
	}
	rows, err := e.configurationRows(ctx)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	objects, err := exportedObjects(&rows, []ObjectType{kind})
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	object, err := pickObject(op, kind, name, objects)
	if err != nil {
		return nil, err
	}
	compiled, err := e.tenant.Compile(rows)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	key, list := keyOf(&object), []Referrer{}
	for _, link := range compiled.Links(&rows) {
		if link.To == key {
			list = append(list, link.Referrer)
		}
	}
	return list, nil
}

// keyOf returns the key of an object.
func keyOf(o *ConfigurationObject) configuration.Key {
	if id, known := store.IDOf(o.ID); known {
		return configuration.Key{Type: o.Type, ID: id}
	}
	return configuration.Key{Type: o.Type, Name: o.Name}
}

// removableType returns an error for a type whose objects cannot be removed.
func removableType(op string, kind ObjectType) error {
	if kind == TypeSettings {
		return fault.Invalidf(op, string(kind), "the settings are one object, which is always there: apply settings "+
			"that say nothing (settings: {}), and the defaults count")
	}
	return knownType(op, kind)
}

// DeleteConfiguration removes an object of the configuration, which an ID or a name stands for. It is a [Conflict] that
// wraps an [*InUseError] while another object names it: [Engine.ReferencesTo] lists these before. Its revision is like
// one of [Engine.Apply], and [Engine.RevertConfiguration] undoes it. [PreviewParams].Delete shows what it would mean.
//
//   - A source goes with its accounts, as in an aggregation that finds none, with its entitlements, and with what
//     identities were given on it. Operations that wait are cancelled; while one is being carried out, the source stays
//     (Conflict). Nothing is done on the system itself: whoever has an account or a group there keeps it.
//   - A role goes with its assignments. What it gave is taken away by operations, when those who had it are processed.
//   - The identities of a lifecycle state have none after their next processing, and lose what it gave. What it did to
//     their accounts stays.
//   - An identity profile goes with its lifecycle states, when it has no identities: these are people, whom a change of
//     the configuration does not delete.
//   - Access profiles, transforms and identity attributes that nothing names take nothing with them. A standard
//     identity attribute stays, without its definition.
//
// Where more identities lose something at once than the guard allows, it is a Conflict that wraps a
// [*RemovalHeldError], unless [Confirm] is among the options. What follows by processing is judged when it is
// processed: the guard may hold the task. Of the options [WithComment], [AtVersion] and [Confirm] count.
func (e *Engine) DeleteConfiguration(ctx context.Context, kind ObjectType, name string, options ...ApplyOption) (
	ApplyResult, error,
) {
	return e.deleteConfiguration(kind, name, options).run(ctx)
}

// DeleteConfigurationTx is [Engine.DeleteConfiguration] in the caller's transaction. It keeps other changes and runs
// waiting until that ends.
func (e *Engine) DeleteConfigurationTx(ctx context.Context, tx pgx.Tx, kind ObjectType, name string,
	options ...ApplyOption,
) (ApplyResult, error) {
	return e.deleteConfiguration(kind, name, options).runIn(ctx, tx)
}

func (e *Engine) deleteConfiguration(kind ObjectType, name string, options []ApplyOption) writeOf[ApplyResult] {
	const op = "delete from the configuration"
	return e.changeConfiguration(op, name, options, func(context.Context, pgx.Tx) (change.Change, error) {
		return askToDelete(op, ObjectName{kind, name}), nil
	})
}

// DeleteConfigurationObjects is [Engine.DeleteConfiguration] of several objects: all of them are removed, or none.
// Objects that name each other may go together.
func (e *Engine) DeleteConfigurationObjects(ctx context.Context, objects []ObjectName, options ...ApplyOption) (
	ApplyResult, error,
) {
	return e.deleteConfigurationObjects(objects, options).run(ctx)
}

// DeleteConfigurationObjectsTx is [Engine.DeleteConfigurationObjects] in the caller's transaction. It keeps other
// changes and runs waiting until that ends.
func (e *Engine) DeleteConfigurationObjectsTx(ctx context.Context, tx pgx.Tx, objects []ObjectName,
	options ...ApplyOption,
) (ApplyResult, error) {
	return e.deleteConfigurationObjects(objects, options).runIn(ctx, tx)
}

func (e *Engine) deleteConfigurationObjects(objects []ObjectName, options []ApplyOption) writeOf[ApplyResult] {
	const op = "delete from the configuration"
	return e.changeConfiguration(op, "", options, func(context.Context, pgx.Tx) (change.Change, error) {
		return askToDelete(op, objects...), nil
	})
}

// askToDelete asks for the removal of objects.
func askToDelete(op string, names ...ObjectName) change.Change {
	return func(present *change.Present) (change.Request, error) {
		var request change.Request
		for _, name := range names {
			if err := removableType(op, name.Type); err != nil {
				return request, err
			}
			objects, err := exportedObjects(&present.Rows, []ObjectType{name.Type})
			if err != nil {
				return request, err
			}
			object, err := pickObject(op, name.Type, name.Name, objects)
			if err != nil {
				return request, err
			}
			if key := keyOf(&object); !slices.Contains(request.Remove, key) {
				request.Remove = append(request.Remove, key)
			}
		}
		return request, nil
	}
}

// RevertConfiguration undoes a change of the configuration, by a new revision: what it updated or removed becomes what
// it was, with the same IDs, and what it created is removed, under the rules of [Engine.DeleteConfiguration]. It is a
// [Conflict] that wraps a [*RevertError] where an object is not as the change left it: changes since then are reverted
// first. What a removal took from people does not come back by itself: a source that is there again is aggregated
// again, and roles are assigned by their membership, or by hand. Of the options [WithComment], [AtVersion] and
// [Confirm] count.
func (e *Engine) RevertConfiguration(ctx context.Context, version int64, options ...ApplyOption) (ApplyResult, error) {
	return e.revertConfiguration(version, options).run(ctx)
}

// RevertConfigurationTx is [Engine.RevertConfiguration] in the caller's transaction. It keeps other changes and runs
// waiting until that ends.
func (e *Engine) RevertConfigurationTx(ctx context.Context, tx pgx.Tx, version int64, options ...ApplyOption) (
	ApplyResult, error,
) {
	return e.revertConfiguration(version, options).runIn(ctx, tx)
}

func (e *Engine) revertConfiguration(version int64, options []ApplyOption) writeOf[ApplyResult] {
	const op = "revert the configuration"
	return e.changeConfiguration(op, "", append(options[:len(options):len(options)], Replace()),
		func(ctx context.Context, tx pgx.Tx) (change.Change, error) {
			return e.askToRevert(ctx, tx, op, version)
		})
}

// askToRevert asks for what undoes a revision.
func (e *Engine) askToRevert(ctx context.Context, tx pgx.Tx, op string, version int64) (change.Change, error) {
	_, objects, err := e.tenant.Store.Revision(ctx, tx, version)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noRevision(op)
	}
	return change.Revert(version, objects), err
}

func noRevision(op string) error {
	return &Error{Kind: NotFound, Op: op, Err: errors.New("no revision made this version of the configuration")}
}

// changeConfiguration is a change of the configuration by anything but documents. ask reads what it needs.
func (e *Engine) changeConfiguration(op, subject string, options []ApplyOption,
	ask func(context.Context, pgx.Tx) (change.Change, error),
) writeOf[ApplyResult] {
	return writeOf[ApplyResult]{e, op, subject, func(ctx context.Context, tx pgx.Tx) (ApplyResult, error) {
		o, err := changeOptions(op, options)
		if err == nil && (len(o.Prune) > 0 || o.PruneGiven || o.AcceptLosses) {
			err = fault.Invalidf(op, "", "types are pruned, and losses accepted, where documents are applied")
		}
		if err != nil {
			return ApplyResult{}, err
		}
		asked, err := ask(ctx, tx)
		if err != nil {
			return ApplyResult{}, err
		}
		result, err := e.applier.Change(ctx, tx, asked, o)
		if err != nil || o.Task == "" || result.Task != "" {
			return ApplyResult(result), err
		}
		cause := e.tenant.NewCause(ctx)
		err = e.tasks.AddEnded(ctx, tx, cause, &store.Task{Description: o.Task})
		result.Task = cause.Task.String()
		return ApplyResult(result), err
	}}
}
