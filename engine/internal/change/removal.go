package change

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// Removed are the objects that go, by type.
type Removed struct {
	AccessProfiles, LifecycleStates, Profiles, Roles, Sources, Transforms []store.ID
	IdentityAttributes                                                    []string
}

// UsedObject is an object that cannot be removed, because others name it.
type UsedObject struct {
	Type      configuration.ObjectType `json:"type"`
	ID        string                   `json:"id,omitempty"` // identity attributes have none
	Name      string                   `json:"name"`
	Referrers []configuration.Referrer `json:"referrers"`
}

// InUseError says that objects cannot be removed, because others name them that stay.
type InUseError struct{ Objects []UsedObject }

func (e *InUseError) Error() string {
	var texts []string
	for i := range e.Objects {
		o := &e.Objects[i]
		var users []string
		for _, r := range o.Referrers {
			users = append(users, fmt.Sprintf("%s %q (%s)", words(r.Type), r.Name, r.Path))
		}
		texts = append(texts, fmt.Sprintf("the %s %q is used by %s", words(o.Type), o.Name,
			strings.Join(users, ", ")))
	}
	return strings.Join(texts, "; ")
}

// keyOf returns the key of an object.
func keyOf(kind configuration.ObjectType, id store.ID, name string) configuration.Key {
	if id.IsZero() {
		return configuration.Key{Type: kind, Name: name}
	}
	return configuration.Key{Type: kind, ID: id}
}

// removeAll takes away the objects that a request removes, and those that it prunes. It fails with an [*InUseError]
// where an object that stays names one of them. The lifecycle states of a profile go with it.
func (p *Proposal) removeAll(request *Request) error {
	rows := objectRows(&p.Rows)
	gone := map[configuration.Key]bool{}
	for _, key := range request.Remove {
		at := slices.IndexFunc(rows, func(r objectRow) bool { return r.key() == key })
		if at < 0 {
			return fault.Invalidf("apply", key.Name, "there is no such object any more")
		}
		if p.touched[key] {
			return fault.Invalidf("apply", rows[at].name, "the documents have the %s that is to be removed",
				words(key.Type))
		}
		gone[key] = true
	}
	for i := range rows {
		if key := rows[i].key(); slices.Contains(request.Prune, key.Type) && !p.touched[key] {
			gone[key] = true
		}
	}
	for i := range p.Rows.LifecycleStates {
		l := &p.Rows.LifecycleStates[i]
		if gone[configuration.Key{Type: configuration.TypeIdentityProfile, ID: l.ProfileID}] {
			gone[configuration.Key{Type: configuration.TypeLifecycleState, ID: l.ID}] = true
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := p.demandUnused(request, rows, gone); err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b objectRow) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), a.id.Compare(b.id))
	})
	for i := range rows {
		if gone[rows[i].key()] {
			p.Removed.add(&rows[i])
			p.record(rows[i].kind, rows[i].id, rows[i].name, configuration.Removed)
		}
	}
	p.dropRows()
	return nil
}

// demandUnused fails where an object that stays names one that goes.
func (p *Proposal) demandUnused(request *Request, rows []objectRow, gone map[configuration.Key]bool) error {
	compiled, err := request.Compile(p.Rows)
	if err != nil {
		return &fault.Error{Kind: fault.Invalid, Op: "apply", Subject: PlacesOf(request.Documents), Err: err}
	}
	used := map[configuration.Key][]configuration.Referrer{}
	for _, link := range compiled.Links(&p.Rows) {
		if gone[link.To] && !gone[link.From] && !isStandard(link.To) {
			used[link.To] = append(used[link.To], link.Referrer)
		}
	}
	if len(used) == 0 {
		return nil
	}
	refusal := &InUseError{}
	for i := range rows {
		if referrers := used[rows[i].key()]; referrers != nil {
			refusal.Objects = append(refusal.Objects, UsedObject{Type: rows[i].kind, ID: rows[i].id.String(),
				Name: rows[i].name, Referrers: referrers})
		}
	}
	slices.SortFunc(refusal.Objects, func(a, b UsedObject) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return &fault.Error{Kind: fault.Conflict, Op: "remove from the configuration", Err: refusal}
}

// isStandard reports whether an object is an identity attribute that every tenant has, also without a definition.
func isStandard(key configuration.Key) bool {
	return key.Type == configuration.TypeIdentityAttribute && configuration.IsStandardAttribute(key.Name)
}

// Any reports whether an object goes.
func (r *Removed) Any() bool {
	return len(r.AccessProfiles)+len(r.LifecycleStates)+len(r.Profiles)+len(r.Roles)+len(r.Sources)+
		len(r.Transforms)+len(r.IdentityAttributes) > 0
}

func (r *Removed) add(row *objectRow) {
	switch row.kind {
	case configuration.TypeAccessProfile:
		r.AccessProfiles = append(r.AccessProfiles, row.id)
	case configuration.TypeIdentityAttribute:
		r.IdentityAttributes = append(r.IdentityAttributes, row.name)
	case configuration.TypeIdentityProfile:
		r.Profiles = append(r.Profiles, row.id)
	case configuration.TypeLifecycleState:
		r.LifecycleStates = append(r.LifecycleStates, row.id)
	case configuration.TypeRole:
		r.Roles = append(r.Roles, row.id)
	case configuration.TypeSource:
		r.Sources = append(r.Sources, row.id)
	case configuration.TypeTransform:
		r.Transforms = append(r.Transforms, row.id)
	default:
		panic(fmt.Sprintf("change: objects of the type %s cannot be removed", row.kind))
	}
}

// dropRows takes the rows of the removed objects away. The identities of a profile that loses a lifecycle state are
// processed.
func (p *Proposal) dropRows() {
	r, c := &p.Removed, &p.Rows
	drop := func(objects []store.Object, ids []store.ID) []store.Object {
		return slices.DeleteFunc(objects, func(o store.Object) bool { return slices.Contains(ids, o.ID) })
	}
	c.AccessProfiles, c.Sources = drop(c.AccessProfiles, r.AccessProfiles), drop(c.Sources, r.Sources)
	c.Transforms = drop(c.Transforms, r.Transforms)
	c.IdentityAttributes = slices.DeleteFunc(c.IdentityAttributes, func(a store.IdentityAttribute) bool {
		return slices.Contains(r.IdentityAttributes, a.Name)
	})
	c.LifecycleStates = slices.DeleteFunc(c.LifecycleStates, func(l store.LifecycleState) bool {
		if !slices.Contains(r.LifecycleStates, l.ID) {
			return false
		}
		p.profiles[l.ProfileID] = true
		return true
	})
	c.Profiles = slices.DeleteFunc(c.Profiles, func(o store.Profile) bool { return slices.Contains(r.Profiles, o.ID) })
	c.Roles = slices.DeleteFunc(c.Roles, func(o store.Role) bool { return slices.Contains(r.Roles, o.ID) })
	c.Entitlements = slices.DeleteFunc(slices.Clone(c.Entitlements), func(e store.Entitlement) bool {
		return slices.Contains(r.Sources, e.SourceID)
	})
}
