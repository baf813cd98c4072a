package processing

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// processRequests processes the identities of requests, which must be locked: requests of the task, and maybe of other
// tasks.
func (p *Processor) processRequests(ctx context.Context, tx pgx.Tx, task store.ID, requests []store.RefreshRequest) (
	store.TaskCounts, State, error,
) {
	ids := make([]store.ID, len(requests))
	var askedBy map[store.ID]store.ID
	var others []store.ID
	for i, r := range slices.Backward(requests) { // an identity that is requested twice counts for the earlier request
		ids[i] = r.IdentityID
		if r.TaskID != task && askedBy == nil {
			askedBy = map[store.ID]store.ID{}
		}
		if r.TaskID != task && !slices.Contains(others, r.TaskID) {
			others = append(others, r.TaskID)
		}
		if askedBy != nil {
			askedBy[r.IdentityID] = r.TaskID
		}
	}
	slices.SortFunc(ids, store.ID.Compare)
	ids = slices.Compact(ids)
	b, err := p.begin(ctx, tx, task, others...)
	if err != nil {
		return store.TaskCounts{}, Open, err
	}
	t := &tally{task: task, askedBy: askedBy}
	processed, err := b.process(ctx, ids, t)
	if err != nil {
		return store.TaskCounts{}, Open, err
	}
	if processed < len(ids) { // some were deleted, and their requests are left
		if err := p.Store.DropRefreshRequests(ctx, tx, requestKeys(requests)); err != nil {
			return store.TaskCounts{}, Open, err
		}
	}
	return b.advance(ctx, t, false)
}

// ProcessIn processes identities for a task, in a transaction of the caller's. It returns what it did, and
// how far the task is.
func (p *Processor) ProcessIn(ctx context.Context, tx pgx.Tx, task store.ID, ids []store.ID) (store.TaskCounts, State,
	error,
) {
	b, err := p.begin(ctx, tx, task)
	if err != nil {
		return store.TaskCounts{}, Open, err
	}
	t := &tally{task: task}
	if _, err := b.process(ctx, ids, t); err != nil {
		return store.TaskCounts{}, Open, err
	}
	return b.advance(ctx, t, false)
}

func requestKeys(requests []store.RefreshRequest) []store.RequestKey {
	keys := make([]store.RequestKey, len(requests))
	for i, r := range requests {
		keys[i] = r.Key
	}
	return keys
}
