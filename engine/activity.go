package engine

import (
	"context"
	"errors"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// OperationListParams say which operations to list. All members that are not zero must hold.
type OperationListParams struct {
	PageParams
	Identity string   // its ID
	Source   string   // its ID or name
	States   []string // one of them
}

// ListOperations returns a page of operations, the latest first unless sorters say otherwise. Without AnyField the
// fields are those that the API publishes for account activities. Errors are those of [Engine.ListAccounts].
//
// Indexes serve the operations of an identity, those in a state, and the order of the IDs, which is that of their
// creation. Other filters and sorters read all operations that the others leave.
func (e *Engine) ListOperations(ctx context.Context, params OperationListParams) (Page[Operation], error) {
	const op = "list the operations"
	filter, err := e.operationFilter(ctx, op, &OperationQuery{Identity: params.Identity, Source: params.Source,
		States: params.States})
	if err != nil {
		return Page[Operation]{}, fault.Wrap(op, "", err)
	}
	query := store.OperationListQuery{OperationFilter: filter}
	query.ListQuery, err = params.query(op, store.OperationSchema(params.AnyField), newest)
	if err != nil {
		return Page[Operation]{}, err
	}
	l := listing[store.ListedOperation, Operation]{op: op, params: params.PageParams, query: query.ListQuery,
		item: operationOf,
		list: func(ctx context.Context, q store.Querier, count bool, each func(*store.ListedOperation) error) (
			[]any, int, error,
		) {
			return e.tenant.Store.ListOperations(ctx, q, query, count, each)
		}}
	return l.page(ctx, e)
}

// GetOperation returns the operation with an ID. A text that is no ID is not found.
func (e *Engine) GetOperation(ctx context.Context, id string) (Operation, error) {
	const op = "get the operation"
	parsed, known := store.IDOf(id)
	if !known {
		return Operation{}, noOperation(op, id)
	}
	row, err := e.tenant.Store.ListedOperationByID(ctx, e.tenant.Pool, parsed)
	if errors.Is(err, store.ErrNotFound) {
		return Operation{}, noOperation(op, id)
	}
	if err != nil {
		return Operation{}, fault.Wrap(op, id, err)
	}
	operation, err := operationOf(&row)
	return operation, fault.Wrap(op, id, err)
}

// TaskListParams say which tasks to list.
type TaskListParams struct {
	PageParams
	Pending bool // only those that have not ended
	// Since2026 lets the filter name the launcher too, as the API publishes it from version 2026 on.
	Since2026 bool
}

// ListTasks returns a page of tasks without their messages, the latest first unless sorters say otherwise. Those that
// were created longer than [TaskRetention] ago are left out. Errors are those of [Engine.ListAccounts].
func (e *Engine) ListTasks(ctx context.Context, params TaskListParams) (Page[TaskStatus], error) {
	const op = "list the tasks"
	query := store.TaskListQuery{Since: e.tenant.Now().Add(-TaskRetention), Pending: params.Pending}
	var err error
	query.ListQuery, err = params.query(op, store.TaskSchema(params.AnyField, params.Since2026), newestTask)
	if err != nil {
		return Page[TaskStatus]{}, err
	}
	rows, last, total, err := e.tenant.Store.ListTasks(ctx, e.tenant.Pool, query, params.Count)
	if err != nil {
		return Page[TaskStatus]{}, fault.Wrap(op, "", err)
	}
	page := Page[TaskStatus]{Items: make([]TaskStatus, len(rows))}
	for i := range rows {
		page.Items[i] = taskStatus(&rows[i], nil)
	}
	page.Total, page.Next, err = pageEnd(op, params.Count, &query.ListQuery, total, last)
	return page, err
}
