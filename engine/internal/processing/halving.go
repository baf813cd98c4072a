package processing

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// isolates reports whether an error of a batch may come from one of its identities, so that the batch is divided to
// find that one.
func isolates(ctx context.Context, err error) bool {
	var guard *task.HeldError
	var unavailable *store.UnavailableError
	var lost *store.RetryableError
	return ctx.Err() == nil && !errors.Is(err, task.ErrStopped) && !errors.As(err, &guard) &&
		!errors.As(err, &unavailable) && !errors.As(err, &lost)
}

// processHalves processes the identities of a batch that failed in two halves, which it halves again where they fail,
// until the identities at fault stand alone and get the error. Where the database ends what takes too long, the halves
// become small enough for it. An identity that takes too long alone is at fault only where others do not.
func (p *Processor) processHalves(ctx context.Context, id store.ID, requests []store.RefreshRequest, failure error) (
	store.TaskCounts, error,
) {
	h := &halving{Processor: p, task: id}
	err := h.split(ctx, requests, failure)
	for _, request := range h.slow {
		if err != nil {
			break
		}
		err = h.again(ctx, request)
	}
	return h.counts, err
}

// slowMax is how many identities in a row may take too long, each alone, before the database counts as slow.
const slowMax = 3

// halving is the work on a batch that failed.
type halving struct {
	*Processor
	task   store.ID
	counts store.TaskCounts
	works  bool // some identities could be processed
	streak int  // how many took too long since the last that could
	// slow are identities that took too long alone; timeout is the error of the last.
	slow    []store.RefreshRequest
	timeout error
}

// split processes the two halves of requests whose batch failed, or blames the only one.
func (h *halving) split(ctx context.Context, requests []store.RefreshRequest, failure error) error {
	if len(requests) == 1 {
		return h.blame(ctx, requests[0], failure)
	}
	for _, half := range [][]store.RefreshRequest{requests[:len(requests)/2], requests[len(requests)/2:]} {
		err := h.process(ctx, half)
		if err != nil && isolates(ctx, err) {
			err = h.split(ctx, half, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// process processes the identities of some requests, in a transaction of its own.
func (h *halving) process(ctx context.Context, requests []store.RefreshRequest) error {
	counts, err := tenant.TransactBatch(ctx, h.Tenant, func(tx pgx.Tx) (store.TaskCounts, error) {
		locked, err := h.Store.RelockRefreshRequests(ctx, tx, requestKeys(requests))
		if err != nil || len(locked) == 0 {
			return store.TaskCounts{}, err
		}
		counts, _, err := h.processRequests(ctx, tx, h.task, locked)
		return counts, err
	})
	if err != nil {
		return err
	}
	if counts.Identities > 0 {
		h.works, h.streak = true, 0
	}
	h.counts = task.AddCounts(h.counts, counts)
	return nil
}

// blame gives an identity that failed alone the error. One that took too long gets another chance. The error that blame
// returns ends the halving.
func (h *halving) blame(ctx context.Context, request store.RefreshRequest, failure error) error {
	if !TimedOut(failure) {
		counts, err := h.fail(ctx, h.task, request, failure)
		h.counts = task.AddCounts(h.counts, counts)
		return err
	}
	h.slow, h.timeout = append(h.slow, request), failure
	if h.streak++; h.streak == slowMax {
		return failure
	}
	return nil
}

// again gives an identity that took too long alone its other chance. It gets the error where it fails again and others
// could be processed. Otherwise the database is slow, and all of them are tried again later.
func (h *halving) again(ctx context.Context, request store.RefreshRequest) error {
	if !h.works {
		return h.timeout
	}
	err := h.process(ctx, []store.RefreshRequest{request})
	if err == nil || !isolates(ctx, err) {
		return err
	}
	if h.streak++; TimedOut(err) && h.streak >= slowMax {
		return err
	}
	counts, err := h.fail(ctx, h.task, request, err)
	h.counts = task.AddCounts(h.counts, counts)
	return err
}

// TimedOut reports whether an error says that the database ended a statement which took it too long.
func TimedOut(err error) bool {
	var timeout *store.TimeoutError
	return errors.As(err, &timeout)
}

// fail gives an identity that failed alone the error: processingState ERROR, a message of the task, and the next slot
// as its due time. It does not repeat the database's words, which may hold values.
func (p *Processor) fail(ctx context.Context, id store.ID, request store.RefreshRequest, failure error) (
	store.TaskCounts, error,
) {
	counts := store.TaskCounts{Identities: 1, Changed: 1, Errors: 1}
	reason := "the identity could not be written: " + store.Reason(failure)
	err := p.InTx(ctx, func(tx pgx.Tx) error {
		ids, err := p.Store.LockIdentities(ctx, tx, []store.ID{request.IdentityID})
		if err != nil {
			return err
		}
		now := p.Now()
		if err := p.Store.DropRefreshRequests(ctx, tx, []store.RequestKey{request.Key}); err != nil || len(ids) == 0 {
			return err
		}
		if err := p.Store.FailIdentity(ctx, tx, request.IdentityID, reason, now); err != nil {
			return err
		}
		settings, err := p.SettingsIn(ctx, tx)
		if err != nil {
			return err
		}
		due := task.NextSlot(now, settings.Location).UTC()
		if err := p.Store.RecordProcessed(ctx, tx, ids, []*time.Time{&due}, now); err != nil {
			return err
		}
		message := store.TaskMessage{Type: "ERROR", Key: messageFailed, IdentityID: request.IdentityID, Text: reason}
		_, err = p.Advance(ctx, tx, task.Advance{Guard: settings.Guard, Now: now, Done: []task.Progress{{
			Task: id, Counts: counts, Messages: []store.TaskMessage{message}}}})
		return err
	})
	return counts, err
}
