package configuration

import (
	"errors"
	"fmt"
	"slices"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/filterql/suggest"
	"github.com/muster-engine/muster/store"
)

// CompiledRole is a role with its row and its membership: a criterion, a list of identities, or neither. It is for
// package engine.
type CompiledRole struct {
	Role
	RowID      store.ID
	Criterion  *criteria.Criterion
	text       string // the criterion in words
	Identities []store.ID
}

// criterionTextMax is how many characters of a criterion the reason of a gained or lost role repeats.
const criterionTextMax = 300

// WhyGained says why an identity that did not have the role is a member now.
func (r *CompiledRole) WhyGained() string {
	if r.Criterion != nil {
		return "its criterion holds: " + r.text
	}
	return "its list names the identity"
}

// WhyLost says why an identity that had the role does not have it any more. r is nil if the role is gone.
func (r *CompiledRole) WhyLost(loss *refresh.RoleLoss) string {
	switch {
	case loss.Expired:
		return "its remove date has come"
	case loss.RevokedBy != "":
		return fmt.Sprintf("the lifecycle state %q removes all access, and it was assigned by request", loss.RevokedBy)
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

// compileRole compiles the membership of a role.
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
		hint := ""
		criterion, err := criteria.Parse(m.Criteria, func(text string) (criteria.ID, bool) {
			source := c.SourceByName(text)
			if source == nil {
				hint = DidYouMean(text, c.plainSourceNames())
				return criteria.ID{}, false
			}
			return source.RowID, true
		})
		if err != nil {
			return nil, fmt.Errorf("membership.criteria: %w%s", err, hint)
		}
		for _, key := range criterion.Keys() {
			if key.Type == criteria.Identity && systemAttributes[key.Attribute] {
				return nil, fmt.Errorf("membership.criteria: %q is written by the system, criteria cannot read it",
					key.Attribute)
			}
		}
		criterion.CompareNames(c.isEntitlementName)
		r.Criterion, r.text = criterion, Shorten(criterion.Text(c.sourceName), criterionTextMax)
	case "IDENTITY_LIST":
		for i, reference := range m.Identities {
			member, err := store.ParseID(reference.ID)
			if err != nil {
				return nil, fmt.Errorf("membership.identities[%d].id: %w", i, err)
			}
			r.Identities = append(r.Identities, member)
		}
	}
	return r, nil
}

// repairMembership returns an error where the type of the membership is unknown, and puts it right where it is clear
// what is meant, so that the rest is judged too.
func (r *Role) repairMembership() error {
	known := []string{"STANDARD", "IDENTITY_LIST"}
	if r.Membership == nil || r.Membership.Type == "" || slices.Contains(known, r.Membership.Type) {
		return nil
	}
	kind := r.Membership.Type
	repaired := *r.Membership
	repaired.Type = suggest.Nearest(kind, known)
	r.Membership = &repaired
	if repaired.Type == "" {
		r.Membership = nil
	}
	return fmt.Errorf("membership.type: %q is unknown: STANDARD and IDENTITY_LIST are known%s", kind,
		DidYouMean(kind, known))
}

// isEntitlementName reports whether a criterion's key is an entitlement attribute that holds distinguished names.
func (c *Configuration) isEntitlementName(key criteria.Key) bool {
	source := c.Sources[key.SourceID]
	return source != nil && slices.Contains(source.Entitling(""), key.Attribute) &&
		source.Equality(key.Attribute) == attribute.DistinguishedNameMatch
}

// compileRoles compiles all roles, and the enabled ones into what calculates memberships.
func (c *Configuration) compileRoles(rows []store.Role) (faults []error) {
	var list []*criteria.Criterion
	compiled := &c.Refresh
	for _, row := range rows {
		var shape Role
		if err := DecodeObject(row.Document, &shape); err != nil {
			faults = append(faults, fmt.Errorf("role %q: %w", row.Name, err))
			continue
		}
		if err := shape.repairMembership(); err != nil {
			faults = append(faults, fmt.Errorf("role %q: %w", row.Name, err))
		}
		role, err := c.compileRole(row.ID, shape)
		if err != nil {
			faults = append(faults, fmt.Errorf("role %q: %w", row.Name, err))
			role = &CompiledRole{Role: shape, RowID: row.ID} // what it grants is judged too
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
	return faults
}

// Members returns the members of a role by its membership, as SQL takes them.
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

// MembershipOf returns a criterion as SQL takes it.
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
	if criterion.ComparesNames() {
		m.Equal = func(value string) bool {
			return attribute.DistinguishedNameMatch.Key(value) == criterion.Folded()
		}
	}
	return m
}
