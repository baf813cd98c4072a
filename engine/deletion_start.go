package engine

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// DeletionsMax is how many objects one call of [Engine.StartDeletion] takes.
const DeletionsMax = 1000

// StartDeletion launches a task that removes objects of one type from the configuration, all together, as
// [Engine.DeleteConfiguration] removes one. Each is named by its ID or its name. It fails at once where one of them is
// not there (NotFound), is used by an object that stays (a Conflict that wraps an [*InUseError]), or is an identity
// profile with identities. Where the guard holds the removal, the task waits for [Engine.ConfirmTask]. A worker of any
// process carries it out; what is removed in the meantime is left out. Of the options [WithComment] and [Confirm]
// count.
func (e *Engine) StartDeletion(ctx context.Context, kind ObjectType, names []string, options ...ApplyOption) (
	TaskStatus, error,
) {
	return e.startDeletion(kind, names, options).run(ctx)
}

// StartDeletionTx is [Engine.StartDeletion] in the caller's transaction: the task exists when that commits.
func (e *Engine) StartDeletionTx(ctx context.Context, tx pgx.Tx, kind ObjectType, names []string,
	options ...ApplyOption,
) (TaskStatus, error) {
	return e.startDeletion(kind, names, options).runIn(ctx, tx)
}

func (e *Engine) startDeletion(kind ObjectType, names []string, options []ApplyOption) writeOf[TaskStatus] {
	const op = "start the deletion"
	return writeOf[TaskStatus]{e, op, "", func(ctx context.Context, tx pgx.Tx) (TaskStatus, error) {
		o, err := changeOptions(op, options)
		if err == nil {
			err = removableType(op, kind)
		}
		if err == nil && (len(names) == 0 || len(names) > DeletionsMax) {
			err = fault.Invalidf(op, "", "%d objects are given: 1 to %d are allowed", len(names), DeletionsMax)
		}
		if err != nil {
			return TaskStatus{}, err
		}
		objects, err := e.removable(ctx, tx, op, kind, names)
		if err != nil {
			return TaskStatus{}, err
		}
		asked := change.AskedRemoval{Type: kind, Comment: o.Comment, Confirm: o.Confirm}
		for i := range objects {
			if objects[i].ID != "" {
				asked.Objects = append(asked.Objects, objects[i].ID)
			} else {
				asked.Objects = append(asked.Objects, objects[i].Name)
			}
		}
		row := &store.Task{Kind: TaskRemoval, Description: fmt.Sprintf("Delete %s of the type %s",
			tenant.Plural(len(objects), "object", "objects"), kind)}
		if len(objects) == 1 {
			row.Description = fmt.Sprintf("Delete %s %q", kind, objects[0].Name)
		}
		if id, known := store.IDOf(objects[0].ID); known && kind == TypeSource && len(objects) == 1 {
			row.TargetType, row.TargetID, row.TargetName = store.NullText("APPLICATION"), id, &objects[0].Name
		}
		err = e.tasks.LaunchErrand(ctx, tx, e.tenant.NewCause(ctx), row, func() (any, error) { return &asked, nil })
		if err != nil {
			return TaskStatus{}, err
		}
		return taskStatus(row, nil), nil
	}}
}

// removable returns the objects that names stand for, each once, which can be removed. It locks the configuration FOR
// SHARE.
func (e *Engine) removable(ctx context.Context, tx pgx.Tx, op string, kind ObjectType, names []string) (
	[]ConfigurationObject, error,
) {
	before, err := e.tenant.LockConfigurationShared(ctx, tx)
	if err != nil {
		return nil, err
	}
	present := change.Present{Before: before}
	if present.Rows, err = e.tenant.Store.LoadConfiguration(ctx, tx); err != nil {
		return nil, err
	}
	all, err := exportedObjects(&present.Rows, []ObjectType{kind})
	if err != nil {
		return nil, err
	}
	var objects []ConfigurationObject
	var keys []configuration.Key
	seen := map[configuration.Key]bool{}
	for _, name := range names {
		object, err := pickObject(op, kind, name, all)
		if err != nil {
			return nil, err
		}
		if key := keyOf(&object); !seen[key] {
			seen[key] = true
			objects, keys = append(objects, object), append(keys, key)
		}
	}
	return objects, e.applier.CheckRemoval(ctx, tx, &present, keys)
}
