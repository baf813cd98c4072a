package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// preview is one call of [Engine.Preview].
type preview struct {
	e        *Engine
	ctx      context.Context //nolint:containedctx // it lives as long as the call that the context belongs to
	tx       pgx.Tx
	cause    store.Cause
	before   *configuration.Configuration // as it is
	proposed *configuration.Configuration // as the documents would make it
	// overlay is what others would read of identities; nil where that stays as it is.
	overlay *overlay
	// changedRoles are the roles that the documents change.
	changedRoles []store.ID
	totals       PreviewTotals
	attributes   map[string]*AttributeTotal
	roles        map[store.ID]*RoleTotal
	lifecycle    map[[2]string]int
	operations   map[[2]string]int // by source and operation
	counts       store.TaskCounts
	losses       task.Losses
	removed      []task.Loss // those of losses that come with removed objects
	// of is the task that is previewed; nil for none.
	of          *store.Task
	trace       bool
	synchronize bool
}

// preview previews the processing of the identities that choose returns.
func (e *Engine) preview(ctx context.Context, params *PreviewParams, each func(*PreviewChange) error,
	choose func(*preview) (pager, error),
) (PreviewTotals, error) {
	const op = "preview"
	p := &preview{
		e: e, ctx: ctx, cause: store.Cause{At: e.tenant.Now()}, attributes: map[string]*AttributeTotal{},
		roles: map[store.ID]*RoleTotal{}, lifecycle: map[[2]string]int{}, operations: map[[2]string]int{},
		trace: params.Trace, synchronize: params.Synchronize,
	}
	err := store.InPreviewTx(ctx, e.tenant.Pool, func(tx pgx.Tx) error {
		p.tx = tx
		if err := p.propose(params); err != nil {
			return err
		}
		if err := p.foresee(choose); err != nil {
			return err
		}
		next, err := choose(p)
		if err != nil {
			return err
		}
		if err := p.run(next, func(b *processing.Calculated) error { return p.show(b, each) }); err != nil {
			return err
		}
		return p.judge()
	})
	if err != nil {
		return p.totals, fault.Wrap(op, "", err)
	}
	p.sum()
	return p.totals, nil
}

// request returns what the parameters ask for, of the configuration as it is.
func (p *preview) request(params *PreviewParams, present *change.Present) (change.Request, error) {
	const op = "preview"
	o, err := changeOptions(op, params.Options)
	if err != nil {
		return change.Request{}, err
	}
	asked := 0
	for _, given := range []bool{len(params.Documents) > 0, params.Delete != ObjectName{}, params.Revert != 0} {
		if given {
			asked++
		}
	}
	request := change.Request{Documents: params.Documents, Prune: o.PrunedTypes(params.Documents)}
	switch {
	case asked > 1:
		err = fault.Invalidf(op, "", "documents, an object to delete and a revision to revert exclude each other")
	case params.Delete != ObjectName{}:
		request, err = askToDelete(op, params.Delete)(present)
	case params.Revert != 0:
		var ask change.Change
		if ask, err = p.e.askToRevert(p.ctx, p.tx, op, params.Revert); err == nil {
			request, err = ask(present)
		}
	}
	request.Accept, request.Compile = true, p.e.tenant.Compile
	return request, err
}

// propose compiles the configuration as it is and as it would be.
func (p *preview) propose(params *PreviewParams) error {
	var present change.Present
	var err error
	if present.Rows, err = p.e.tenant.Store.LoadConfiguration(p.ctx, p.tx); err != nil {
		return err
	}
	if present.Before, err = p.e.tenant.Compile(present.Rows); err != nil {
		return err
	}
	p.before, p.totals.Version = present.Before, present.Rows.Version
	request, err := p.request(params, &present)
	if err != nil {
		return err
	}
	proposal, err := change.Propose(present.Rows, p.before, &request, p.cause.At)
	if err != nil {
		return err
	}
	slices.SortStableFunc(proposal.Rows.Profiles, func(a, b store.Profile) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), a.Created.Compare(b.Created), a.ID.Compare(b.ID))
	})
	if p.proposed, err = p.e.tenant.Compile(proposal.Rows); err == nil {
		err = p.proposed.Check()
	}
	if err != nil {
		return &Error{Kind: Invalid, Op: "preview", Subject: change.PlacesOf(request.Documents), Err: err}
	}
	p.changedRoles = proposal.Roles
	p.totals.LeftOut, p.totals.Lacking = proposal.Losses, proposal.Lacking
	if params.Revert != 0 {
		p.totals.Lacking = nil // a revision puts back what there was
	}
	p.totals.Objects, p.totals.Notes = []AppliedObject{}, append(proposal.Notes,
		proposal.NotesOn(p.proposed, p.e.tenant.Connectors)...)
	for _, object := range proposal.Objects {
		if object.Action != Unchanged {
			p.totals.Objects = append(p.totals.Objects, object)
		}
	}
	return p.remove(proposal)
}

// remove finds out what goes with the objects that the proposal removes.
func (p *preview) remove(proposal *change.Proposal) error {
	removals, losses, err := p.e.applier.CountRemovals(p.ctx, p.tx, proposal)
	if err != nil {
		return err
	}
	p.totals.Removals = removals
	p.losses = task.Losses{}
	for loss, identities := range losses {
		if loss.Kind != store.LossRole { // those are calculated
			p.losses[loss], p.removed = identities, append(p.removed, loss)
		}
	}
	p.proposed.Refresh.RemovedRoles = proposal.Removed.Roles
	return nil
}

// run calculates identities under the proposed configuration.
func (p *preview) run(next pager, visit func(*processing.Calculated) error) error {
	for {
		page, err := next(p.e.tenant.BatchSize)
		if err != nil || len(page) == 0 {
			return err
		}
		var synchronize []store.ID
		if p.synchronize {
			synchronize = page
		}
		batch := p.e.processor.ReadOnly(p.tx, p.proposed, p.cause.At)
		if p.overlay != nil {
			batch.Overlay = p.overlay
		}
		read, err := batch.Read(p.ctx, page, synchronize)
		if err != nil {
			return err
		}
		calculated, err := read.Calculate()
		if err != nil {
			return err
		}
		if err := visit(calculated); err != nil {
			return err
		}
	}
}

// show adds the changes of a batch to the totals and passes them on.
func (p *preview) show(b *processing.Calculated, each func(*PreviewChange) error) error {
	if err := b.FindManagers(p.ctx); err != nil {
		return err
	}
	if err := b.LimitOperations(p.ctx); err != nil {
		return err
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		processing.Count(&p.counts, c)
		processing.AddLosses(&p.losses, c, &b.Snapshots[i], p.proposed)
		p.add(c)
		gone := b.Snapshots[i].Gone
		if !c.Differs() {
			if len(gone) == 0 {
				continue
			}
			p.counts.Changed++
		}
		shown := p.change(c, &b.Snapshots[i])
		if err := each(&shown); err != nil {
			return err
		}
	}
	return nil
}
