package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// Role is a role, in the published shape. Members that are not listed are kept but not read.
type Role struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Enabled    bool            `json:"enabled"` // a role that is not enabled has no members by itself
	Membership *RoleMembership `json:"membership"`
	// AccessProfiles and Entitlements are what the role grants.
	AccessProfiles []Reference            `json:"accessProfiles"`
	Entitlements   []EntitlementReference `json:"entitlements"`
}

// RoleMembership says who is a member of a role by itself.
type RoleMembership struct {
	Type       string          `json:"type"` // STANDARD or IDENTITY_LIST
	Criteria   json.RawMessage `json:"criteria"`
	Identities []Reference     `json:"identities"`
}

// configuredRole is a role with its membership: a criterion, a list, or neither.
type configuredRole struct {
	Role
	id         store.ID
	criterion  *criteria.Criterion
	text       string // of the criterion
	identities []store.ID
}

// criterionTextMax is how much of a criterion is repeated where a role is gained or lost, in characters.
const criterionTextMax = 300

// whyGained says why somebody who did not have the role is a member now.
func (r *configuredRole) whyGained() string {
	if r.criterion != nil {
		return "its criterion holds: " + r.text
	}
	return "its list names the identity"
}

// whyLost says why somebody who was a member is not any more. The role may be gone: then r is nil.
func (r *configuredRole) whyLost(expired bool) string {
	switch {
	case expired:
		return "its remove date has come"
	case r == nil:
		return "it does not exist any more"
	case !r.Enabled:
		return "it is not enabled any more"
	case r.criterion != nil:
		return "its criterion does not hold any more: " + r.text
	case r.identities != nil:
		return "its list does not name the identity any more"
	}
	return "it has no membership any more"
}

// isNone reports whether a JSON member is absent or null.
func isNone(text json.RawMessage) bool { return len(text) == 0 || string(text) == "null" }

// compileRole checks a role's membership.
func (c *configuration) compileRole(id store.ID, role Role) (*configuredRole, error) {
	r := &configuredRole{Role: role, id: id}
	m := role.Membership
	if m == nil {
		return r, nil
	}
	switch m.Type {
	case "":
		if !isNone(m.Criteria) || len(m.Identities) > 0 {
			return nil, errors.New("membership.type is missing: STANDARD or IDENTITY_LIST")
		}
	case "STANDARD":
		if isNone(m.Criteria) {
			return r, nil
		}
		criterion, err := criteria.Parse(m.Criteria, func(text string) (criteria.ID, bool) {
			source := c.sourceByName(text)
			if source == nil {
				return criteria.ID{}, false
			}
			return source.id, true
		})
		if err != nil {
			return nil, fmt.Errorf("membership.criteria: %w", err)
		}
		for _, key := range criterion.Keys() {
			if key.Type == criteria.Identity && systemAttributes[key.Attribute] {
				return nil, fmt.Errorf("membership.criteria: %q is written by the system, criteria cannot read it",
					key.Attribute)
			}
		}
		r.criterion, r.text = criterion, shorten(criterion.Text(c.sourceName), criterionTextMax)
	case "IDENTITY_LIST":
		for i, reference := range m.Identities {
			member, err := store.ParseID(reference.ID)
			if err != nil {
				return nil, fmt.Errorf("membership.identities[%d].id: %w", i, err)
			}
			r.identities = append(r.identities, member)
		}
	default:
		return nil, fmt.Errorf("membership.type: %q is unknown: STANDARD and IDENTITY_LIST are known", m.Type)
	}
	return r, nil
}

func (c *configuration) sourceName(id criteria.ID) string {
	if source := c.sources[id]; source != nil {
		return source.Name
	}
	return id.String()
}

// shorten returns at most limit characters of a text.
func shorten(s string, limit int) string {
	for i := range s {
		if limit == 0 {
			return s[:i] + "…"
		}
		limit--
	}
	return s
}

// compileRoles compiles the roles, and the enabled ones into what calculates memberships.
func (c *configuration) compileRoles(rows []store.Role) error {
	var list []*criteria.Criterion
	compiled := &c.refresh
	for _, row := range rows {
		var shape Role
		if err := decodeObject(row.Document, &shape); err != nil {
			return fmt.Errorf("role %q: %w", row.Name, err)
		}
		role, err := c.compileRole(row.ID, shape)
		if err != nil {
			return fmt.Errorf("role %q: %w", row.Name, err)
		}
		c.roles[row.ID] = role
		if !role.Enabled || role.criterion == nil && role.identities == nil {
			continue
		}
		for _, identity := range role.identities {
			if compiled.Listed == nil {
				compiled.Listed = map[refresh.ID][]int{}
			}
			compiled.Listed[identity] = append(compiled.Listed[identity], len(compiled.Roles))
		}
		compiled.Roles = append(compiled.Roles, refresh.Role{ID: row.ID, Name: row.Name,
			Criterion: role.criterion})
		list = append(list, role.criterion)
	}
	if slices.ContainsFunc(list, func(criterion *criteria.Criterion) bool { return criterion != nil }) {
		compiled.Index = criteria.NewIndex(list)
	}
	return nil
}

func (a *application) putRole(d Document) error {
	var shape Role
	if err := decodeObject(d.Object, &shape); err != nil {
		return inputError{err}
	}
	if err := validateName(shape.Name); err != nil {
		return inputError{err}
	}
	objects := make([]store.Object, len(a.rows.Roles))
	for i, r := range a.rows.Roles {
		objects[i] = store.Object{
			ID: r.ID, Name: r.Name, Document: r.Document, Created: r.Created, Modified: r.Modified,
		}
	}
	object, at, action, err := a.place(objects, shape.ID, shape.Name, d.Object)
	if err != nil {
		return err
	}
	a.note(TypeRole, object.ID, object.Name, action)
	if action == Unchanged {
		return nil
	}
	row := store.Role{ID: object.ID, Name: object.Name, Enabled: shape.Enabled, Document: object.Document,
		Created: object.Created, Modified: object.Modified}
	if at >= 0 {
		a.rows.Roles[at] = row
	} else {
		a.rows.Roles = append(a.rows.Roles, row)
	}
	a.roles = append(a.roles, row.ID)
	if m := shape.Membership; m != nil && m.Type != "" && !shape.Enabled {
		a.result.Notes = append(a.result.Notes, fmt.Sprintf("role %q is not enabled: it has no members by itself "+
			"until enabled is true", shape.Name))
	}
	a.write(func() error { return a.e.store.PutRole(a.ctx, a.tx, row) })
	return nil
}

// markMembers marks the identities that gain or lose one of the roles that changed.
func (a *application) markMembers(after *configuration) error {
	for _, id := range a.roles {
		members := after.members(after.roles[id])
		if err := a.e.store.RequestRoleRefresh(a.ctx, a.tx, id, members, "role changed", a.cause); err != nil {
			return err
		}
	}
	return nil
}

// members returns who is a member of a role, as SQL takes it.
func (c *configuration) members(role *configuredRole) store.RoleMembers {
	switch {
	case !role.Enabled:
		return store.RoleMembers{}
	case role.criterion != nil:
		m := c.membership(role.criterion)
		return store.RoleMembers{Criterion: &m}
	default:
		return store.RoleMembers{Identities: role.identities}
	}
}

func (c *configuration) membership(criterion *criteria.Criterion) store.Membership {
	m := store.Membership{Operation: string(criterion.Operation), Value: criterion.Folded()}
	if criterion.Operation.IsGroup() {
		for _, child := range criterion.Children {
			m.Children = append(m.Children, c.membership(child))
		}
		return m
	}
	m.Attribute = criterion.Key.Attribute
	if criterion.Key.Type == criteria.Identity {
		m.Keyed = c.keyed[m.Attribute].folded
	} else {
		m.SourceID = criterion.Key.SourceID
	}
	m.Number = criterion.Number()
	return m
}
