package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// RoleAssignment is a role of an identity, in the published shape.
type RoleAssignment struct {
	ID                 string              `json:"id"`
	Role               Reference           `json:"role"`
	Comments           *string             `json:"comments"`
	AssignmentSource   string              `json:"assignmentSource"` // ROLE_MEMBERSHIP, or what the assigner says
	Assigner           *AssignerReference  `json:"assigner"`
	AssignedDimensions []Reference         `json:"assignedDimensions"`
	AssignmentContext  map[string]any      `json:"assignmentContext"`
	AccountTargets     []RoleAccountTarget `json:"accountTargets"`
	StartDate          *time.Time          `json:"startDate"`  // null: active at once
	RemoveDate         *time.Time          `json:"removeDate"` // null: without end
	AddedDate          time.Time           `json:"addedDate"`
}

// ByMembership reports whether the role's membership assigned it. Then the membership also takes it away.
func (a *RoleAssignment) ByMembership() bool { return a.AssignmentSource == store.AssignedByMembership }

// AssignerReference names who assigned a role. Type is UNKNOWN for the engine itself and for identities that are gone.
type AssignerReference struct {
	Type string  `json:"type"` // IDENTITY or UNKNOWN
	ID   string  `json:"id"`
	Name *string `json:"name"`
}

// RoleAccountTarget says which account of a source got the access that an access profile of the role grants.
type RoleAccountTarget struct {
	Source      Reference   `json:"source"`
	AccountInfo AccountInfo `json:"accountInfo"`
	Role        *Reference  `json:"role,omitempty"` // the access profile; nil for entitlements of the role itself
}

// RoleAssignmentRef is a role of an identity in short, in the published shape.
type RoleAssignmentRef struct {
	ID         string     `json:"id"`
	Role       Reference  `json:"role"`
	AddedDate  time.Time  `json:"addedDate"`
	StartDate  *time.Time `json:"startDate"`
	RemoveDate *time.Time `json:"removeDate"`
}

// Ref returns the assignment in short.
func (a *RoleAssignment) Ref() RoleAssignmentRef {
	return RoleAssignmentRef{ID: a.ID, Role: a.Role, AddedDate: a.AddedDate, StartDate: a.StartDate,
		RemoveDate: a.RemoveDate}
}

// AccountInfo names an account.
type AccountInfo struct {
	NativeIdentity string `json:"nativeIdentity"`
	DisplayName    string `json:"displayName"`
	UUID           string `json:"uuid"` // the account's ID
}

// roleAssignment gives a row its published shape.
func roleAssignment(row *store.RoleAssignment) RoleAssignment {
	a := RoleAssignment{
		ID: row.ID.String(), Role: Reference{Type: string(TypeRole), ID: row.RoleID.String(), Name: row.RoleName},
		Comments: row.Comments, AssignmentSource: row.Source, AssignedDimensions: []Reference{},
		Assigner: &AssignerReference{Type: "UNKNOWN"}, AccountTargets: []RoleAccountTarget{},
		StartDate: utc(row.StartDate), RemoveDate: utc(row.RemoveDate), AddedDate: row.AddedDate.UTC(),
	}
	if !row.AssignerID.IsZero() {
		a.Assigner.ID = row.AssignerID.String()
		if row.AssignerName != nil {
			a.Assigner.Type, a.Assigner.Name = "IDENTITY", row.AssignerName
		}
	}
	return a
}

// RoleAssignmentQuery narrows the roles of an identity. Where both are given, both must hold.
type RoleAssignmentQuery struct {
	RoleID   string
	RoleName string // ignoring case
}

// RoleAssignments returns the roles of an identity, the earliest first.
func (e *Engine) RoleAssignments(ctx context.Context, identity string, q RoleAssignmentQuery) ([]RoleAssignment,
	error,
) {
	const op = "list the role assignments"
	parsed, err := e.tenant.FindIdentityID(ctx, op, identity)
	if err != nil {
		return nil, err
	}
	if !store.Storable(q.RoleName) {
		return nil, fault.Invalidf(op, "RoleName", "UTF-8 text without NUL is expected")
	}
	filter := store.RoleAssignmentFilter{RoleName: q.RoleName}
	if q.RoleID != "" {
		var known bool
		if filter.RoleID, known = store.IDOf(q.RoleID); !known {
			return []RoleAssignment{}, nil
		}
	}
	rows, err := e.tenant.Store.RoleAssignments(ctx, e.tenant.Pool, parsed, filter)
	if err != nil || len(rows) == 0 {
		return []RoleAssignment{}, fault.Wrap(op, identity, err)
	}
	targets, err := e.accountTargets(ctx, parsed)
	assignments := make([]RoleAssignment, len(rows))
	for i := range rows {
		assignments[i] = roleAssignment(&rows[i])
		assignments[i].AccountTargets = append(assignments[i].AccountTargets, targets(rows[i].RoleID)...)
	}
	return assignments, fault.Wrap(op, identity, err)
}

// accountTargets returns a function that says which accounts of an identity have what a role grants.
func (e *Engine) accountTargets(ctx context.Context, identity store.ID) (func(role store.ID) []RoleAccountTarget,
	error,
) {
	none := func(store.ID) []RoleAccountTarget { return nil }
	c, err := e.tenant.CurrentConfiguration(ctx)
	if err != nil || c.Refresh.Access.Idle {
		return none, err
	}
	rows, err := e.tenant.Store.AccountsOf(ctx, e.tenant.Pool, []store.ID{identity})
	if err != nil {
		return none, err
	}
	given, err := e.tenant.Store.GrantsOf(ctx, e.tenant.Pool, []store.ID{identity})
	if err != nil {
		return none, err
	}
	accounts := make([]refresh.Account, len(rows))
	for i := range rows {
		if accounts[i], err = c.Account(&rows[i], new(attribute.Set)); err != nil {
			return none, err
		}
	}
	return func(role store.ID) []RoleAccountTarget {
		var targets []RoleAccountTarget
		for _, grant := range c.RoleAccess(role) {
			account := holder(accounts, given, &grant.Entitlement)
			source := c.Sources[grant.SourceID]
			if account == nil || source == nil {
				continue
			}
			target := RoleAccountTarget{
				Source: Reference{Type: string(TypeSource), ID: source.RowID.String(), Name: source.Name},
				AccountInfo: AccountInfo{NativeIdentity: account.NativeIdentity, DisplayName: account.Name,
					UUID: account.RowID.String()},
			}
			if !grant.Profile.IsZero() {
				target.Role = &Reference{Type: string(TypeAccessProfile), ID: grant.Profile.String(),
					Name: grant.ProfileName}
			}
			if !slices.ContainsFunc(targets, func(other RoleAccountTarget) bool {
				return other.AccountInfo == target.AccountInfo && other.Source == target.Source &&
					(other.Role == nil) == (target.Role == nil) && (other.Role == nil || *other.Role == *target.Role)
			}) {
				targets = append(targets, target)
			}
		}
		return targets
	}, nil
}

// holder returns the account that has an entitlement: the one that was given it, if there are several.
func holder(accounts []refresh.Account, given []store.AccessGrant, e *refresh.Entitlement) *refresh.Account {
	var found *refresh.Account
	for i := range accounts {
		a := &accounts[i]
		if a.SourceID != e.SourceID || !slices.Contains(a.Attributes.Get(e.Attribute).Strings(), e.Value) {
			continue
		}
		for k := range given {
			g := &given[k]
			if g.AccountID == a.RowID && g.Attribute == e.Attribute && g.Value == e.Value {
				return a
			}
		}
		if found == nil {
			found = a
		}
	}
	return found
}

// RoleAssignment returns one role assignment of an identity.
func (e *Engine) RoleAssignment(ctx context.Context, identity, assignment string) (RoleAssignment, error) {
	const op = "get the role assignment"
	owner, err := e.tenant.FindIdentityID(ctx, op, identity)
	if err != nil {
		return RoleAssignment{}, err
	}
	id, known := store.IDOf(assignment)
	if !known {
		return RoleAssignment{}, noAssignment(op, assignment)
	}
	row, err := e.tenant.Store.RoleAssignment(ctx, e.tenant.Pool, owner, id)
	if errors.Is(err, store.ErrNotFound) {
		return RoleAssignment{}, noAssignment(op, assignment)
	}
	if err != nil {
		return RoleAssignment{}, fault.Wrap(op, assignment, err)
	}
	targets, err := e.accountTargets(ctx, owner)
	found := roleAssignment(&row)
	found.AccountTargets = append(found.AccountTargets, targets(row.RoleID)...)
	return found, fault.Wrap(op, assignment, err)
}

// noAssignment says that an identity has no role assignment with an ID.
func noAssignment(op, assignment string) error {
	return &Error{Kind: NotFound, Op: op, Subject: assignment,
		Err: errors.New("the identity has no role assignment with this ID")}
}
