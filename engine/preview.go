package engine

import (
	"context"
	"strings"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

// PreviewParams say what to preview, and for which identities. The zero PreviewParams preview the processing of
// everybody as things are now.
type PreviewParams struct {
	// Documents are a configuration that is not applied: objects that are not in them stay as they are.
	Documents []Document
	// Options say how the documents would be applied: [Prune] counts.
	Options []ApplyOption
	// Delete is an object whose removal is previewed: see [Engine.DeleteConfiguration]. Its type is "" for none.
	Delete ObjectName
	// Revert is the version of a revision whose reversal is previewed: see [Engine.RevertConfiguration]. 0 is none.
	Revert int64
	// IDs are the identities, at most [ProcessIdentitiesMax]; empty for all that Filters select.
	IDs []string
	// Filters is a filter in the V3 syntax over any field; empty for everybody.
	Filters string
	// Profile is an identity profile whose identities are to be previewed, by ID or by name; empty for any.
	Profile string
	// Everybody calculates everybody also where the documents change nothing but roles. Without it only the identities
	// are calculated then for which processing may change something: those that gain or lose one of the roles, that
	// have one that grants something else, whose processing is requested, or that are due at the next slot.
	Everybody bool
	// Task is the ID of a task: the preview is of what the task would go on to do. It excludes Documents, Delete,
	// Revert, IDs and Filters.
	Task string
	// Synchronize previews as if the synchronization of the attributes were asked for, so also for identities that are
	// long-term inactive.
	Synchronize bool
	// Trace adds the steps by which each value is calculated, and why each criterion holds or not.
	Trace bool
}

// Preview calculates what processing would change under a configuration that is not applied, in a transaction that can
// only read. It calls each with the changes of each identity that would change, by ID, and returns the totals; each
// must not keep what it is given. An error of each ends the preview. Accounts keep the identities that they have: what
// another correlation would find is not part of a preview. Values made by chance differ from those that processing
// will make.
func (e *Engine) Preview(ctx context.Context, params PreviewParams, each func(*PreviewChange) error) (PreviewTotals,
	error,
) {
	const op = "preview"
	if params.Task != "" {
		return e.previewTask(ctx, &params, each)
	}
	var filter *filterql.Filter
	if strings.TrimSpace(params.Filters) != "" {
		schema, err := e.identitySchema(ctx, true)
		if err != nil {
			return PreviewTotals{}, fault.Wrap(op, "", err)
		}
		if filter, err = filterql.ParseFilter(params.Filters, schema); err != nil {
			return PreviewTotals{}, fault.Wrap(op, "", err)
		}
	}
	var ids []store.ID
	if len(params.IDs) > 0 {
		wanted, nobodys, err := tenant.ParseIDs(op, params.IDs, ProcessIdentitiesMax)
		if err == nil {
			err = tenant.NoIdentities(op, nobodys)
		}
		if err != nil {
			return PreviewTotals{}, err
		}
		ids = wanted
	}
	return e.preview(ctx, &params, each, func(p *preview) (pager, error) {
		switch {
		case params.Profile != "":
			return p.profile(op, params.Profile)
		case ids != nil:
			return p.named(op, ids)
		case filter == nil && !params.Everybody && !params.Synchronize:
			if next, err := p.concerned(); err != nil || next != nil {
				return next, err
			}
		}
		return p.everybody(filter), nil
	})
}

// previewTask is a preview of what a task would go on to do: of one that is held, before it is confirmed.
func (e *Engine) previewTask(ctx context.Context, params *PreviewParams, each func(*PreviewChange) error) (
	PreviewTotals, error,
) {
	const op = "preview the task"
	if len(params.Documents)+len(params.IDs) > 0 || params.Filters != "" || params.Revert != 0 ||
		params.Delete != (ObjectName{}) {
		return PreviewTotals{}, fault.Invalidf(op, "",
			"a task is previewed by itself, without documents, IDs and filters")
	}
	task, err := e.tasks.FindTask(ctx, op, params.Task)
	if err != nil {
		return PreviewTotals{}, err
	}
	return e.preview(ctx, params, each, func(p *preview) (pager, error) {
		p.of = &task
		return p.task(task.ID)
	})
}
