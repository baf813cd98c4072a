package engine

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// reasonSynchronization is the reason of the requests for identities whose attributes are synchronized.
const reasonSynchronization = "synchronization requested"

// CountIdentities counts the identities that a filter selects, and no further than most: beyond that more is true. The
// members of params that choose a page are refused.
func (e *Engine) CountIdentities(ctx context.Context, params ListParams, most int) (count int, more bool, err error) {
	const op = "count identities"
	if most < 1 {
		return 0, false, fault.Invalidf(op, "most", "%d is given where 1 or more is expected", most)
	}
	query, err := e.matchingQuery(ctx, op, params)
	if err != nil {
		return 0, false, err
	}
	count, err = e.tenant.Store.CountMatching(ctx, e.tenant.Pool, &query, most+1)
	return min(count, most), count > most, fault.Wrap(op, "", err)
}

// ProcessMatching launches a task that processes the identities which a filter selects when it is launched, however
// many those are. The members of params that choose a page are refused. Where nobody matches, the task has ended at
// once.
func (e *Engine) ProcessMatching(ctx context.Context, params ListParams) (TaskStatus, error) {
	return e.processMatching(params).run(ctx)
}

// ProcessMatchingTx is [Engine.ProcessMatching] in the caller's transaction: the task exists when that commits.
func (e *Engine) ProcessMatchingTx(ctx context.Context, tx pgx.Tx, params ListParams) (TaskStatus, error) {
	return e.processMatching(params).runIn(ctx, tx)
}

// SynchronizeMatching is [Engine.ProcessMatching] with [Engine.SynchronizeAttributes] of each, without its limit of
// calls.
func (e *Engine) SynchronizeMatching(ctx context.Context, params ListParams) (TaskStatus, error) {
	return e.synchronizeMatching(params).run(ctx)
}

// SynchronizeMatchingTx is [Engine.SynchronizeMatching] in the caller's transaction.
func (e *Engine) SynchronizeMatchingTx(ctx context.Context, tx pgx.Tx, params ListParams) (TaskStatus, error) {
	return e.synchronizeMatching(params).runIn(ctx, tx)
}

func (e *Engine) processMatching(params ListParams) writeOf[TaskStatus] {
	const op = "process the identities that match"
	return e.requestMatching(op, "Process ", reasonRequested, false, params)
}

func (e *Engine) synchronizeMatching(params ListParams) writeOf[TaskStatus] {
	const op = "synchronize the identities that match"
	return e.requestMatching(op, "Synchronize the attributes of ", reasonSynchronization, true, params)
}

// requestMatching launches a task for the identities that match. Everybody is divided among the parts of a task, unless
// they are synchronized: a part does not say that.
func (e *Engine) requestMatching(op, verb, reason string, synchronize bool, params ListParams) writeOf[TaskStatus] {
	return writeOf[TaskStatus]{e, op, "", func(ctx context.Context, tx pgx.Tx) (TaskStatus, error) {
		query, err := e.matchingQuery(ctx, op, params)
		if err != nil {
			return TaskStatus{}, err
		}
		if query.Everybody() && !synchronize {
			return e.processParts(op, everybody).do(ctx, tx)
		}
		cause := e.tenant.NewCause(ctx)
		count, err := e.tenant.Store.RequestMatching(ctx, tx, &query, reason, synchronize, cause)
		if err != nil {
			return TaskStatus{}, err
		}
		people := tenant.Plural(int(count), "identity", "identities")
		return e.launchFor(ctx, tx, cause, verb+people+" by a filter", count)
	}}
}

// launchFor launches a task for so many identities as were requested by its cause. Where there are none it has ended at
// once.
func (e *Engine) launchFor(ctx context.Context, tx pgx.Tx, cause store.Cause, description string, count int64) (
	TaskStatus, error,
) {
	task := &store.Task{Description: description, Population: count, Requested: count}
	launch := e.tasks.Launch
	if count == 0 {
		launch = e.tasks.AddEnded
	}
	if err := launch(ctx, tx, cause, task); err != nil {
		return TaskStatus{}, err
	}
	return taskStatus(task, nil), nil
}

// everybody plans the task of [Engine.ProcessAll].
func everybody(*configuration.Configuration) (*store.Task, store.ID, error) {
	return &store.Task{Description: "Process all identities", Everybody: true}, store.ID{}, nil
}

// matchingQuery makes a query of params that choose no page.
func (e *Engine) matchingQuery(ctx context.Context, op string, params ListParams) (store.IdentityQuery, error) {
	if params.After != "" || params.Limit != nil || params.Offset != 0 || params.Sorters != "" || params.Count {
		return store.IdentityQuery{}, &Error{Kind: Invalid, Op: op,
			Err: errors.New("After, Count, Limit, Offset or Sorters is given: all that match are meant, in no order")}
	}
	query, err := e.identityQuery(ctx, params)
	return query, fault.Wrap(op, "", err)
}

// invitees returns the identities that match a filter and are not registered: at most [InviteIdentitiesMax].
func (e *Engine) invitees(ctx context.Context, tx pgx.Tx, filters string) ([]store.ID, error) {
	const op = "invite identities"
	query, err := e.matchingQuery(ctx, op, ListParams{AnyField: true, DefaultFilter: NoDefault, Filters: filters})
	if err != nil {
		return nil, err
	}
	query.InvitableOnly = true
	ids, err := e.tenant.Store.MatchingIdentities(ctx, tx, &query, InviteIdentitiesMax+1)
	if err == nil && len(ids) > InviteIdentitiesMax {
		err = fault.Invalidf(op, "filters", "more than %d identities match that are not registered: narrow it down",
			InviteIdentitiesMax)
	}
	return ids, err
}
