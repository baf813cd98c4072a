package store

import (
	"context"
	"errors"

	"time"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql"
)

// An account activity is what the engine did for one identity in one task. It is told by the operations that the task
// planned for the identity, and where somebody asked for something, by the event of that: there is no table of its own.
//
//	who asked for it                                  the ID of the activity
//	somebody, by a write with an event of its own     that of its task
//	anything else                                     that of the first operation
//
// So the ID of each operation finds the activity that it is part of ([Store.ActivityOf]), such as the IDs of the search
// documents of operations.

// The published types of account activities. An activity without a request has that of its first operation.
const (
	ActivityLifecycle = "LifecycleStateChange"
	ActivityState     = "AccountStateUpdate"
)

// AccountActivity is an activity without its operations.
type AccountActivity struct {
	ID            ID
	IdentityID    ID
	IdentityName  *string // nil where the identity is gone
	TaskID        ID      // zero for an operation from before tasks were recorded
	Type          string
	Created       time.Time
	Modified      time.Time
	RequesterID   string // of the actor, in its face's words
	RequesterName string
	TaskCompleted *time.Time // when the task ended; nil where it goes on, or is gone
	TaskStatus    *string
	TaskGone      bool
}

const (
	// activityRequested is the condition that somebody asked by a write with an event v of its own, w.
	activityRequested = `w.task_id IS NOT NULL AND ('IDENTITY_ACCOUNT_DEMANDED' = ANY (v.types)
		OR 'IDENTITY_LIFECYCLE_STATE_SET' = ANY (v.types) AND v.detail #>> '{lifecycleState,state}' IS NOT NULL)`

	activityTable = `(
	SELECT o.id, o.identity_id, o.task_id, ` + activityTypeSQL + ` AS type, o.created, o.actor_id, o.actor_name
	FROM muster.provisioning_operations o
	WHERE NOT EXISTS (SELECT 1 FROM muster.provisioning_operations e
	                  WHERE e.identity_id = o.identity_id AND e.task_id = o.task_id AND e.id < o.id)
	  AND NOT EXISTS (SELECT 1 FROM muster.event_writes w JOIN muster.identity_events v ON v.write_id = w.id
	                  WHERE w.task_id = o.task_id AND v.identity_id = o.identity_id AND ` + activityRequested + `)
	UNION ALL
	SELECT w.task_id, v.identity_id, w.task_id, CASE WHEN 'IDENTITY_ACCOUNT_DEMANDED' = ANY (v.types)
	       THEN '` + ActivityState + `' ELSE '` + ActivityLifecycle + `' END, w.at, w.actor_id, w.actor_name
	FROM muster.event_writes w
	JOIN muster.identity_events v ON v.write_id = w.id
	WHERE ` + activityRequested + `) act`

	activityIdentityJoin = ` LEFT JOIN muster.identities idn ON idn.id = act.identity_id`
	activityTaskJoin     = ` LEFT JOIN muster.tasks tsk ON tsk.id = act.task_id`

	// activityChangedSQL is when an activity changed last: when one of its operations did.
	activityChangedSQL = `coalesce((SELECT max(` + operationModifiedSQL + `) FROM muster.provisioning_operations o
		WHERE o.identity_id = act.identity_id AND (o.task_id = act.task_id OR o.id = act.id)), act.created)`
)

var activities = collection[AccountActivity]{
	table: activityTable, alias: "act", key: "id", columns: columns[AccountActivity]{
		readColumn("act.id", func(a *AccountActivity) *ID { return &a.ID }),
		readColumn("act.identity_id", func(a *AccountActivity) *ID { return &a.IdentityID }),
		readColumn("idn.name", func(a *AccountActivity) **string { return &a.IdentityName }),
		readColumn("act.task_id", func(a *AccountActivity) *ID { return &a.TaskID }),
		readColumn("act.type", func(a *AccountActivity) *string { return &a.Type }),
		readColumn("act.created", func(a *AccountActivity) *time.Time { return &a.Created }),
		readColumn(activityChangedSQL, func(a *AccountActivity) *time.Time { return &a.Modified }),
		readColumn("act.actor_id", func(a *AccountActivity) *string { return &a.RequesterID }),
		readColumn("act.actor_name", func(a *AccountActivity) *string { return &a.RequesterName }),
		readColumn("tsk.completed", func(a *AccountActivity) **time.Time { return &a.TaskCompleted }),
		readColumn("tsk.completion_status", func(a *AccountActivity) **string { return &a.TaskStatus }),
		readColumn("(tsk.id IS NULL)", func(a *AccountActivity) *bool { return &a.TaskGone }),
	},
	joins: []tableJoin{{"idn.", activityIdentityJoin}, {"tsk.", activityTaskJoin}},
}

// ActivityQuery says which account activities to list. Zero fields beside those of the ListQuery do not narrow.
type ActivityQuery struct {
	ListQuery
	IdentityID ID     // for whom it was done
	Requester  string // the ID of the actor who asked for it
	Regarding  ID     // either of the two
}

func (q *ActivityQuery) conditions() []sq.Sqlizer {
	var conditions []sq.Sqlizer
	if !q.IdentityID.IsZero() {
		conditions = append(conditions, sq.Expr("act.identity_id = ?", q.IdentityID))
	}
	if q.Requester != "" {
		conditions = append(conditions, sq.Expr("act.actor_id = ?", q.Requester))
	}
	if !q.Regarding.IsZero() {
		conditions = append(conditions, sq.Expr("(act.identity_id = ? OR act.actor_id = ?)", q.Regarding,
			q.Regarding.String()))
	}
	return conditions
}

// ListActivities lists account activities as [Store.ListIdentities] lists identities.
func (s *Store) ListActivities(ctx context.Context, q Querier, query ActivityQuery, count bool,
	each func(*AccountActivity) error,
) (last []any, total int, err error) {
	return activities.list(ctx, s, q, &query.ListQuery, query.conditions(), count, each)
}

// ActivityOf returns the account activity that has an ID, or that an operation with the ID is part of, or
// [ErrNotFound].
func (s *Store) ActivityOf(ctx context.Context, q Querier, id ID) (AccountActivity, error) {
	row, err := activities.row(ctx, s, q, id)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return row, err
	}
	o, err := s.FindOperation(ctx, q, id)
	if err != nil {
		return row, err
	}
	const statement = `
		SELECT act.id FROM ` + activityTable + `
		WHERE act.identity_id = $1 AND act.task_id = $2`
	var found ID
	if err := q.QueryRow(ctx, s.sql(statement), o.IdentityID, o.TaskID).Scan(&found); err != nil {
		return row, mapError(err)
	}
	return activities.row(ctx, s, q, found)
}

// ActivityOperations returns the operations of account activities, by activity and ID. The lists are parallel.
func (s *Store) ActivityOperations(ctx context.Context, q Querier, list []AccountActivity) (map[ID][]Operation, error) {
	ids, identities, tasks := make([]ID, len(list)), make([]ID, len(list)), make([]ID, len(list))
	for i := range list {
		ids[i], identities[i], tasks[i] = list[i].ID, list[i].IdentityID, list[i].TaskID
	}
	type part struct {
		activity ID
		Operation
	}
	scan := func(row pgx.CollectableRow) (p part, err error) {
		err = row.Scan(append([]any{&p.activity}, operationColumns.targets(&p.Operation)...)...)
		return p, err
	}
	parts, err := collect(ctx, q, s.sql(activityOperations), scan, ids, identities, tasks)
	operations := map[ID][]Operation{}
	for i := range parts {
		operations[parts[i].activity] = append(operations[parts[i].activity], parts[i].Operation)
	}
	return operations, err
}

var activityOperations = `
	SELECT v.id, ` + operationColumns.selected("o.") + `
	FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) v (id, identity_id, task_id)
	JOIN muster.provisioning_operations o ON o.identity_id = v.identity_id AND (o.task_id = v.task_id OR o.id = v.id)
	ORDER BY v.id, o.id`

// ActivitySchema returns the fields by which account activities are filtered and sorted: those that the API publishes,
// and with anyField every other property too, with all operators.
func ActivitySchema(anyField bool) *filterql.Schema {
	if anyField {
		return anyActivities
	}
	return publishedActivities
}

var (
	publishedActivities = mustSchema(activityFields())
	anyActivities       = mustSchema(anyOps(append(activityFields(),
		notNull(idField("identity.id", "act.identity_id", 0)),
		keyField("identity.name", "idn.name_key", 0),
		keyField("identity.alias", "idn.alias_key", 0),
		notNull(textField("requester.id", "act.actor_id", 0)),
		notNull(textField("requester.name", "act.actor_name", 0)),
		idField("task", "act.task_id", 0),
	)))
)

// activityFields returns the fields of account activities that the API publishes, with the operators that it allows.
func activityFields() []filterql.Field {
	return activityFieldsOf("act.id", "act.type", "act.created", activityChangedSQL)
}

// activityFieldsOf returns the published fields of account activities, over these columns.
func activityFieldsOf(id, activityType, created, modified string) []filterql.Field {
	times := filterql.OpsOf(filterql.Gt, filterql.Lt, filterql.Ge, filterql.Le, filterql.Eq, filterql.In, filterql.Ne,
		filterql.IsNull)
	kind := textField("type", activityType, filterql.OpsOf(filterql.Eq, filterql.In, filterql.Ge, filterql.Gt,
		filterql.Le, filterql.Lt, filterql.Ne, filterql.IsNull, filterql.Sw))
	// The published list of types may grow, so that a type that no activity has is no mistake.
	return []filterql.Field{
		{Name: "id", Type: filterql.ID, Column: id, NotNull: true, Convert: convertID, Prefix: prefixedIDs},
		notNull(kind),
		notNull(timeField("created", created, times)),
		notNull(timeField("modified", modified, times)),
	}
}
