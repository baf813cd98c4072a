package configuration

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

// CompiledRole is a role with its membership: a criterion, a list, or neither.
type CompiledRole struct {
	Role
	RowID      store.ID
	Criterion  *criteria.Criterion
	text       string // of the criterion
	Identities []store.ID
}

// criterionTextMax is how much of a criterion is repeated where a role is gained or lost, in characters.
const criterionTextMax = 300

// WhyGained says why somebody who did not have the role is a member now.
func (r *CompiledRole) WhyGained() string {
	if r.Criterion != nil {
		return "its criterion holds: " + r.text
	}
	return "its list names the identity"
}

// WhyLost says why somebody who was a member is not any more. The role may be gone: then r is nil.
func (r *CompiledRole) WhyLost(expired bool) string {
	switch {
	case expired:
		return "its remove date has come"
	case r == nil:
		return "it does not exist any more"
	case !r.Enabled:
		return "it is not enabled any more"
	case r.Criterion != nil:
		return "its criterion does not hold any more: " + r.text
	case r.Identities != nil:
		return "its list does not name the identity any more"
	}
	return "it has no membership any more"
}

// isNone reports whether a JSON member is absent or null.
func isNone(text json.RawMessage) bool { return len(text) == 0 || string(text) == "null" }

// compileRole checks a role's membership.
func (c *Configuration) compileRole(id store.ID, role Role) (*CompiledRole, error) {
	r := &CompiledRole{Role: role, RowID: id}
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
			source := c.SourceByName(text)
			if source == nil {
				return criteria.ID{}, false
			}
			return source.RowID, true
		})
		if err != nil {
			return nil, fmt.Errorf("membership.criteria: %w", err)
		}
		for _, key := range criterion.Keys() {
			if key.Type == criteria.Identity && SystemAttributes[key.Attribute] {
				return nil, fmt.Errorf("membership.criteria: %q is written by the system, criteria cannot read it",
					key.Attribute)
			}
		}
		r.Criterion, r.text = criterion, Shorten(criterion.Text(c.sourceName), criterionTextMax)
	case "IDENTITY_LIST":
		for i, reference := range m.Identities {
			member, err := store.ParseID(reference.ID)
			if err != nil {
				return nil, fmt.Errorf("membership.identities[%d].id: %w", i, err)
			}
			r.Identities = append(r.Identities, member)
		}
	default:
		return nil, fmt.Errorf("membership.type: %q is unknown: STANDARD and IDENTITY_LIST are known", m.Type)
	}
	return r, nil
}

// compileRoles compiles the roles, and the enabled ones into what calculates memberships.
func (c *Configuration) compileRoles(rows []store.Role) error {
	var list []*criteria.Criterion
	compiled := &c.Refresh
	for _, row := range rows {
		var shape Role
		if err := DecodeObject(row.Document, &shape); err != nil {
			return fmt.Errorf("role %q: %w", row.Name, err)
		}
		role, err := c.compileRole(row.ID, shape)
		if err != nil {
			return fmt.Errorf("role %q: %w", row.Name, err)
		}
		c.Roles[row.ID] = role
		if !role.Enabled || role.Criterion == nil && role.Identities == nil {
			continue
		}
		for _, identity := range role.Identities {
			if compiled.Listed == nil {
				compiled.Listed = map[refresh.ID][]int{}
			}
			compiled.Listed[identity] = append(compiled.Listed[identity], len(compiled.Roles))
		}
		compiled.Roles = append(compiled.Roles, refresh.Role{ID: row.ID, Name: row.Name,
			Criterion: role.Criterion})
		list = append(list, role.Criterion)
	}
	if slices.ContainsFunc(list, func(criterion *criteria.Criterion) bool { return criterion != nil }) {
		compiled.Index = criteria.NewIndex(list)
	}
	return nil
}

// Members returns who is a member of a role, as SQL takes it.
func (c *Configuration) Members(role *CompiledRole) store.RoleMembers {
	switch {
	case !role.Enabled:
		return store.RoleMembers{}
	case role.Criterion != nil:
		m := c.MembershipOf(role.Criterion)
		return store.RoleMembers{Criterion: &m}
	default:
		return store.RoleMembers{Identities: role.Identities}
	}
}

func (c *Configuration) MembershipOf(criterion *criteria.Criterion) store.Membership {
	m := store.Membership{Operation: string(criterion.Operation), Value: criterion.Folded()}
	if criterion.Operation.IsGroup() {
		for _, child := range criterion.Children {
			m.Children = append(m.Children, c.MembershipOf(child))
		}
		return m
	}
	m.Attribute = criterion.Key.Attribute
	if criterion.Key.Type == criteria.Identity {
		m.Keyed = c.Keyed[m.Attribute].folded
	} else {
		m.SourceID = criterion.Key.SourceID
	}
	m.Number = criterion.Number()
	return m
}
