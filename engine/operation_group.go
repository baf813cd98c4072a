package engine

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// OperationCount counts operations of one source, kind and state with the same class of error.
type OperationCount struct {
	Source Reference `json:"source"`
	Kind   string    `json:"kind"`
	State  string    `json:"state"`
	// ErrorClass is the error with … for what it quotes and for its numbers, which differ from one account to the
	// next; at most 500 characters of it, and empty where there was no error.
	ErrorClass string    `json:"errorClass"`
	Operations int       `json:"operations"`
	Identities int       `json:"identities"` // that these are for
	Latest     time.Time `json:"latest"`     // when the last of them was opened
}

// OperationCounts counts the operations that q selects, without its Offset: the largest counts first, at most q.Limit
// of them. It reads each of these operations: select states of which there are few, such as FAILED.
func (e *Engine) OperationCounts(ctx context.Context, q OperationQuery) ([]OperationCount, error) {
	const op = "count the operations"
	if q.Limit == 0 {
		q.Limit = OperationsMax
	}
	if q.Limit < 0 || q.Limit > OperationsMax || q.Offset != 0 {
		return nil, fault.Invalidf(op, "", "limit %d and offset %d: a limit of 1 to %d and no offset are allowed",
			q.Limit, q.Offset, OperationsMax)
	}
	filter, err := e.operationFilter(ctx, op, &q)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	rows, err := e.tenant.Store.OperationGroups(ctx, e.tenant.Pool, filter, q.Limit)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	counts := make([]OperationCount, len(rows))
	for i := range rows {
		r := &rows[i]
		source := Reference{Type: string(TypeSource), ID: r.SourceID.String(), Name: r.SourceName}
		counts[i] = OperationCount{Source: source, Kind: r.Kind, State: r.State, ErrorClass: r.ErrorClass,
			Operations: int(r.Operations), Identities: int(r.Identities), Latest: r.Latest.UTC()}
	}
	return counts, nil
}

// RetryParams say which failed operations are tried again. The zero RetryParams are all.
type RetryParams struct {
	Source     string // by ID or name
	Kind       string
	ErrorClass string // as [OperationCount] has it
}

// RetryOperations launches a task that processes those for whom an operation failed. What is still wanted is opened
// again, and the failed operation is RETRIED; what is not is CANCELLED. Where nothing failed, the task has ended at
// once.
func (e *Engine) RetryOperations(ctx context.Context, params RetryParams) (TaskStatus, error) {
	return e.retryOperations(params).run(ctx)
}

// RetryOperationsTx is [Engine.RetryOperations] in the caller's transaction.
func (e *Engine) RetryOperationsTx(ctx context.Context, tx pgx.Tx, params RetryParams) (TaskStatus, error) {
	return e.retryOperations(params).runIn(ctx, tx)
}

func (e *Engine) retryOperations(params RetryParams) writeOf[TaskStatus] {
	const op = "try the operations again"
	return writeOf[TaskStatus]{e, op, params.Source, func(ctx context.Context, tx pgx.Tx) (TaskStatus, error) {
		for member, text := range map[string]string{"Kind": params.Kind, "ErrorClass": params.ErrorClass} {
			if !store.Storable(text) {
				return TaskStatus{}, fault.Invalidf(op, member, "a text without NUL is expected")
			}
		}
		filter, err := e.operationFilter(ctx, op, &OperationQuery{Source: params.Source})
		if err != nil {
			return TaskStatus{}, err
		}
		cause := e.tenant.NewCause(ctx)
		count, err := e.tenant.Store.RequestRetry(ctx, tx, filter.SourceID, params.Kind, params.ErrorClass,
			"failed operations are tried again", cause)
		if err != nil {
			return TaskStatus{}, err
		}
		people := tenant.Plural(int(count), "identity", "identities")
		return e.launchFor(ctx, tx, cause, "Try failed operations of "+people+" again", count)
	}}
}
