package engine

import (
	"errors"
	"reflect"
	"slices"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

// pager returns the next identities, none at the end.
type pager func(limit int) ([]store.ID, error)

// pages returns a pager over an ordered list: read returns the identities behind one of them.
func pages(read func(after store.ID, limit int) ([]store.ID, error)) pager {
	var last store.ID
	return func(limit int) ([]store.ID, error) {
		page, err := read(last, limit)
		if len(page) > 0 {
			last = page[len(page)-1]
		}
		return page, err
	}
}

// chain returns a pager over the identities of all pagers, one after the other.
func chain(pagers []pager) pager {
	return func(limit int) ([]store.ID, error) {
		for ; len(pagers) > 0; pagers = pagers[1:] {
			if page, err := pagers[0](limit); err != nil || len(page) > 0 {
				return page, err
			}
		}
		return nil, nil
	}
}

// listed returns a pager over ids.
func listed(ids []store.ID) pager {
	return func(limit int) ([]store.ID, error) {
		page := ids[:min(limit, len(ids))]
		ids = ids[len(page):]
		return page, nil
	}
}

// everybody returns the identities that a filter selects, all for nil.
func (p *preview) everybody(filter *filterql.Filter) pager {
	return pages(func(after store.ID, limit int) ([]store.ID, error) {
		return p.e.tenant.Store.IdentityIDs(p.ctx, p.tx, filter, after, limit)
	})
}

// named returns identities that all have to exist, in the order of their IDs.
func (p *preview) named(op string, ids []store.ID) (pager, error) {
	slices.SortFunc(ids, store.ID.Compare)
	for _, id := range ids {
		found, err := p.e.tenant.Store.IdentityStates(p.ctx, p.tx, []store.ID{id})
		if err == nil && len(found) == 0 {
			err = fault.NoIdentity(op, id.String())
		}
		if err != nil {
			return nil, err
		}
	}
	// In one page, whatever the size of a batch: an account name that one of them would get is taken for the others.
	return func(int) ([]store.ID, error) {
		page := ids
		ids = nil
		return page, nil
	}, nil
}

// profile returns the identities of a profile, named by ID or by name.
func (p *preview) profile(op, name string) (pager, error) {
	profile := p.before.ProfileByName(name)
	if profile == nil {
		return nil, &Error{Kind: NotFound, Op: op, Subject: name, Err: errors.New("there is no such identity profile")}
	}
	return p.part(store.TaskPart{ProfileID: profile.RowID}), nil
}

// part returns the identities of a part of a task.
func (p *preview) part(part store.TaskPart) pager {
	return func(limit int) ([]store.ID, error) {
		page, err := p.e.tenant.Store.PartIdentities(p.ctx, p.tx, &part, limit)
		if len(page) > 0 {
			part.AfterID = page[len(page)-1]
		}
		return page, err
	}
}

// task returns the identities that a task would go on to process: those of its requests, then those of its parts.
func (p *preview) task(id store.ID) (pager, error) {
	parts, err := p.e.tenant.Store.TaskParts(p.ctx, p.tx, id)
	if err != nil {
		return nil, err
	}
	pagers := []pager{pages(func(after store.ID, limit int) ([]store.ID, error) {
		return p.e.tenant.Store.TaskIdentities(p.ctx, p.tx, id, after, limit)
	})}
	for i := range parts {
		pagers = append(pagers, p.part(parts[i]))
	}
	return chain(pagers), nil
}

// concerned returns the identities for which processing may change something. It returns nil where that may be anybody:
// where the documents change something else than roles, or nothing.
func (p *preview) concerned() (pager, error) {
	others := slices.ContainsFunc(p.totals.Objects, func(o AppliedObject) bool {
		return o.Type != TypeRole || o.Action == Removed
	})
	if others || len(p.changedRoles) == 0 {
		return nil, nil
	}
	var changes []store.RoleChange
	for _, id := range p.changedRoles {
		changes = append(changes, store.RoleChange{Role: id, Members: p.proposed.Members(p.proposed.Roles[id]),
			Access: !reflect.DeepEqual(p.before.RoleAccess(id), p.proposed.RoleAccess(id))})
	}
	next := task.NextSlot(p.cause.At, p.before.Settings.Location)
	ids, err := p.e.tenant.Store.ConcernedByRoles(p.ctx, p.tx, changes, next)
	if err != nil {
		return nil, err
	}
	all, err := p.e.tenant.Store.CountPopulation(p.ctx, p.tx)
	p.totals.Identities = int(all)
	return listed(ids), err
}
