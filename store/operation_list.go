package store

import (
	"context"

	sq "github.com/Masterminds/squirrel"

	"github.com/muster-engine/muster/filterql"
)

const (
	operationSourceJoin   = ` JOIN muster.sources src ON src.id = o.source_id`
	operationIdentityJoin = ` LEFT JOIN muster.identities idn ON idn.id = o.identity_id`

	activityTypeSQL = `(CASE o.kind WHEN 'SET_ATTRIBUTES' THEN 'AccountAttributeUpdate'
		WHEN 'ENABLE' THEN 'AccountStateUpdate' WHEN 'DISABLE' THEN 'AccountStateUpdate'
		WHEN 'UNLOCK' THEN 'AccountStateUpdate'
		WHEN 'SET_PASSWORD' THEN 'CloudPasswordRequest' ELSE 'CloudAutomated' END)`
	operationModifiedSQL = `greatest(o.created, o.begun, o.parked, o.released, o.completed)`
)

// listedOperationColumns are the columns of a [ListedOperation].
var listedOperationColumns = append(
	embedded(operationColumns, "o.", func(o *ListedOperation) *Operation { return &o.Operation }),
	readColumn("idn.name", func(o *ListedOperation) **string { return &o.IdentityName }),
	readColumn("src.name", func(o *ListedOperation) *string { return &o.SourceName }),
)

var operations = collection[ListedOperation]{
	table: `muster.provisioning_operations o`, alias: "o", key: "id", columns: listedOperationColumns,
	joins: []tableJoin{{"src.", operationSourceJoin}, {"idn.", operationIdentityJoin}},
}

// OperationListQuery says which operations to list. Zero fields beside those of the ListQuery do not narrow.
type OperationListQuery struct {
	ListQuery
	OperationFilter
}

func (q *OperationListQuery) conditions() []sq.Sqlizer {
	var conditions []sq.Sqlizer
	if !q.IdentityID.IsZero() {
		conditions = append(conditions, sq.Expr("o.identity_id = ?", q.IdentityID))
	}
	if !q.SourceID.IsZero() {
		conditions = append(conditions, sq.Expr("o.source_id = ?", q.SourceID))
	}
	if len(q.States) > 0 {
		conditions = append(conditions, sq.Expr("o.state = ANY (?)", q.States))
	}
	return conditions
}

// ListOperations lists operations as [Store.ListIdentities] lists identities.
func (s *Store) ListOperations(ctx context.Context, q Querier, query OperationListQuery, count bool,
	each func(*ListedOperation) error,
) (last []any, total int, err error) {
	return operations.list(ctx, s, q, &query.ListQuery, query.conditions(), count, each)
}

// ListedOperationByID returns an operation, or [ErrNotFound].
func (s *Store) ListedOperationByID(ctx context.Context, q Querier, id ID) (ListedOperation, error) {
	return operations.row(ctx, s, q, id)
}

// OperationSchema returns the fields by which operations are filtered and sorted: those that the API publishes for
// account activities, and with anyField every other property too, with all operators.
func OperationSchema(anyField bool) *filterql.Schema {
	if anyField {
		return anyOperations
	}
	return publishedOperations
}

var (
	publishedOperations = mustSchema(operationFields())
	anyOperations       = mustSchema(anyOps(append(operationFields(),
		notNull(stateField("operation", "o.kind", 0)),
		notNull(stateField("kind", "o.kind", 0)),
		notNull(stateField("state", "o.state", 0, OperationOpen, OperationManual, OperationParked, OperationDone,
			OperationFailed, OperationRetried, OperationCancelled)),
		notNull(idField("identity.id", "o.identity_id", 0)),
		keyField("identity.name", "idn.name_key", 0),
		keyField("identity.alias", "idn.alias_key", 0),
		notNull(idField("source.id", "o.source_id", 0)),
		notNull(keyField("source.name", "src.name_key", 0)),
		idField("account.id", "o.account_id", 0),
		notNull(textField("nativeIdentity", "o.native_identity", 0)),
		notNull(textField("attribute", "o.attribute", 0)),
		notNull(textField("value", "o.value", 0)),
		notNull(textField("reason", "o.reason", 0)),
		notNull(textField("actor.id", "o.actor_id", 0)),
		notNull(textField("actor.name", "o.actor_name", 0)),
		notNull(textField("actor.via", "o.actor_via", 0)),
		idField("task", "o.task_id", 0),
		filterql.Field{Name: "attempts", Type: filterql.Number, Column: "o.attempts", NotNull: true},
		textField("error", "o.error", 0),
		textField("outcome", "o.outcome", 0),
		timeField("begun", "o.begun", 0),
		timeField("completed", "o.completed", 0),
		timeField("parked", "o.parked", 0),
		timeField("released", "o.released", 0),
	)))
)

// operationFields returns the fields of account activities that the API publishes, with the operators that it allows.
func operationFields() []filterql.Field {
	return activityFieldsOf("o.id", activityTypeSQL, "o.created", operationModifiedSQL)
}
