package store

import (
	"context"
	"time"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql"
)

// taskIDs lists the IDs of tasks: their columns are read of those that are on the page.
var taskIDs = collection[ID]{
	table: `muster.tasks t`, alias: "t", key: "id",
	columns: columns[ID]{readColumn("t.id", func(id *ID) *ID { return id })},
}

// TaskListQuery says which tasks to list.
type TaskListQuery struct {
	ListQuery
	Since   time.Time // only those created at or after it
	Pending bool      // only those that have not ended
}

func (q *TaskListQuery) conditions() []sq.Sqlizer {
	conditions := []sq.Sqlizer{sq.Expr("t.created >= ?", q.Since)}
	if q.Pending {
		conditions = append(conditions, sq.Expr("t.completed IS NULL"))
	}
	return conditions
}

// ListTasks lists tasks as [Store.ListIdentities] lists identities. A task that is removed meanwhile is left out.
func (s *Store) ListTasks(ctx context.Context, q Querier, query TaskListQuery, count bool) (
	page []Task, last []any, total int, err error,
) {
	ids := []ID{}
	last, total, err = taskIDs.list(ctx, s, q, &query.ListQuery, query.conditions(), count, func(id *ID) error {
		ids = append(ids, *id)
		return nil
	})
	if err != nil || len(ids) == 0 {
		return nil, last, total, err
	}
	const statement = `
		SELECT ` + taskColumns + `
		FROM unnest($1::uuid[]) WITH ORDINALITY v (id, nth)
		JOIN muster.tasks t ON t.id = v.id
		ORDER BY v.nth`
	page, err = collect(ctx, q, s.sql(statement), pgx.RowToStructByName[Task], ids)
	return page, last, total, err
}

// TaskSchema returns the fields by which tasks are filtered and sorted: those that the API publishes, from version 2026
// on with the launcher, and with anyField every other property too, with all operators.
func TaskSchema(anyField, since2026 bool) *filterql.Schema {
	switch {
	case anyField:
		return anyTasks
	case since2026:
		return publishedTasks2026
	}
	return publishedTasks
}

// QueuedTask is the type that every task has beside the kind of its definition.
const QueuedTask = "QUEUED_TASK"

var (
	publishedTasks     = mustSchema(taskFields())
	publishedTasks2026 = mustSchema(append(taskFields(),
		unsorted(notNull(textField("launcher", "t.launcher", opsListed)))))
	anyTasks = mustSchema(anyOps(append(taskFields(),
		notNull(stateField("kind", "t.kind", 0)),
		notNull(textField("description", "t.description", 0)),
		notNull(textField("launcher", "t.launcher", 0)),
		notNull(textField("actor.id", "t.actor_id", 0)),
		notNull(textField("actor.via", "t.actor_via", 0)),
		stateField("target.type", "t.target_type", 0, "APPLICATION", "IDENTITY"),
		idField("target.id", "t.target_id", 0),
		textField("target.name", "t.target_name", 0),
		flagField("held", "(t.held IS NOT NULL)", 0),
		flagField("everybody", "t.everybody", 0),
		notNull(timeField("modified", "t.modified", 0)),
		timeField("launched", "t.launched", 0),
		timeField("completed", "t.completed", 0),
		countField("identities", "t.identities"),
		countField("changed", "t.changed"),
		countField("errors", "t.errors"),
		countField("warnings", "t.warnings"),
	)))
)

func countField(name, column string) filterql.Field {
	return filterql.Field{Name: name, Type: filterql.Number, Column: column, NotNull: true}
}

// taskFields returns the fields of tasks that the API publishes, with the operators that it allows on each.
func taskFields() []filterql.Field {
	return []filterql.Field{
		unsorted(notNull(idField("id", "t.id", opsListed))),
		unsorted(idField("sourceId", "(CASE WHEN t.target_type = 'APPLICATION' THEN t.target_id END)", opsListed)),
		// A task is of the type that all have, and of that of its definition.
		within(notNull(stateField("type", "ty.type", opsListed)),
			`EXISTS (SELECT 1 FROM (VALUES (t.kind), ('`+QueuedTask+`')) ty (type) WHERE`),
		unsorted(stateField("completionStatus", "t.completion_status", opsListed|filterql.OpsOf(filterql.IsNull),
			"SUCCESS", "WARNING", "ERROR", "TERMINATED", "TEMPERROR")),
		notNull(timeField("created", "t.created", 0)),
	}
}
