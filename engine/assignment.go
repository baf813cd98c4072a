package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// AssignedByRequest is the assignment source of a role that somebody asked for, where nothing else is said.
const AssignedByRequest = "ACCESS_REQUEST"

// The limits of an assignment, in characters.
const (
	CommentsLengthMax         = 4000
	AssignmentSourceLengthMax = 128
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

// ByMembership reports whether the role's membership assigned it, and takes it away.
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
	return RoleAssignmentRef{a.ID, a.Role, a.AddedDate, a.StartDate, a.RemoveDate}
}

// AccountInfo names an account.
type AccountInfo struct {
	NativeIdentity string `json:"nativeIdentity"`
	DisplayName    string `json:"displayName"`
	UUID           string `json:"uuid"` // the account's ID
}

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

// AssignRoleParams say which role an identity is to have, and why.
type AssignRoleParams struct {
	Identity string // the ID
	Role     string // the ID or the name
	// Source says where the assignment comes from. Defaults to [AssignedByRequest]; ROLE_MEMBERSHIP is the engine's.
	Source   string
	Assigner string // the ID of the identity that assigned it; "" for none
	Comments string
	// StartDate is when the role takes effect, nil for at once; RemoveDate is when it ends, nil for never. Both hold to
	// the minute while an engine works.
	StartDate, RemoveDate *time.Time
}

// AssignRole gives an identity a role that its membership need not give it, and marks the identity for processing. An
// identity has a role once from each source of assignment: assigning it again changes the comments and the dates, so
// that a call may be repeated.
func (e *Engine) AssignRole(ctx context.Context, params AssignRoleParams) (RoleAssignment, error) {
	var assigned RoleAssignment
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) (err error) {
		assigned, err = e.assignRole(ctx, tx, params)
		return err
	})
	return assigned, fault.Wrap("assign the role", params.Identity, err)
}

// AssignRoleTx is [Engine.AssignRole] in the caller's transaction.
func (e *Engine) AssignRoleTx(ctx context.Context, tx pgx.Tx, params AssignRoleParams) (RoleAssignment, error) {
	assigned, err := e.assignRole(ctx, tx, params)
	return assigned, fault.Wrap("assign the role", params.Identity, err)
}

func (p *AssignRoleParams) validate(now time.Time) error {
	const op = "assign the role"
	switch {
	case p.Source == store.AssignedByMembership:
		return fault.Invalidf(op, "Source", "%s is what the engine gives to members: use another, as %s", p.Source,
			AssignedByRequest)
	case len([]rune(p.Source)) > AssignmentSourceLengthMax || !store.Storable(p.Source):
		return fault.Invalidf(op, "Source", "at most %d characters without NUL are allowed", AssignmentSourceLengthMax)
	case len([]rune(p.Comments)) > CommentsLengthMax || !store.Storable(p.Comments):
		return fault.Invalidf(op, "Comments", "at most %d characters without NUL are allowed", CommentsLengthMax)
	case p.RemoveDate != nil && !p.RemoveDate.After(now):
		return fault.Invalidf(op, "RemoveDate", "%s has passed: it must lie ahead", p.RemoveDate.Format(time.RFC3339))
	case p.RemoveDate != nil && p.StartDate != nil && !p.RemoveDate.After(*p.StartDate):
		return fault.Invalidf(op, "RemoveDate", "%s is not after the start date %s", p.RemoveDate.Format(time.RFC3339),
			p.StartDate.Format(time.RFC3339))
	}
	return nil
}

func (e *Engine) assignRole(ctx context.Context, tx pgx.Tx, p AssignRoleParams) (RoleAssignment, error) {
	const op = "assign the role"
	cause := store.Cause{Task: store.NewID(), At: e.tenant.Now()}
	if err := p.validate(cause.At); err != nil {
		return RoleAssignment{}, err
	}
	if p.Source == "" {
		p.Source = AssignedByRequest
	}
	c, identity, err := e.tenant.LockIdentity(ctx, tx, op, p.Identity)
	if err != nil {
		return RoleAssignment{}, err
	}
	role := c.RoleByName(p.Role)
	if role == nil {
		return RoleAssignment{}, &Error{Kind: NotFound, Op: op, Subject: p.Role,
			Err: errors.New("there is no role with this ID or name")}
	}
	row := store.RoleAssignment{ID: store.NewID(), IdentityID: identity, RoleID: role.RowID, Source: p.Source,
		Comments: store.NullText(p.Comments), AddedDate: cause.At, StartDate: micro(p.StartDate),
		RemoveDate: micro(p.RemoveDate)}
	if p.Assigner != "" {
		found, err := e.tenant.LockIdentityShared(ctx, tx, op, p.Assigner)
		if err != nil {
			return RoleAssignment{}, err
		}
		row.AssignerID = found
	}
	id, fresh, err := e.tenant.Store.PutRoleAssignment(ctx, tx, row)
	if err != nil {
		return RoleAssignment{}, err
	}
	if fresh {
		if err := e.recordRoles(ctx, tx, identity, event.Roles{Lost: []event.Role{}, Gained: []event.Role{
			{ID: role.RowID.String(), Name: role.Name, Reason: "it was assigned by " + p.Source}}}, cause.At); err != nil {
			return RoleAssignment{}, err
		}
	}
	if err := e.tasks.ProcessOne(ctx, tx, identity, fmt.Sprintf("Process after the assignment of the role %q", role.Name),
		cause); err != nil {
		return RoleAssignment{}, err
	}
	written, err := e.tenant.Store.RoleAssignment(ctx, tx, identity, id)
	return roleAssignment(&written), err
}

// micro is a time at the precision that PostgreSQL keeps.
func micro(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	cut := t.UTC().Truncate(time.Microsecond)
	return &cut
}

func (e *Engine) recordRoles(ctx context.Context, tx pgx.Tx, identity store.ID, detail event.Roles, at time.Time) error {
	events, err := event.Append(nil, [16]byte(identity), EventRolesChanged, detail)
	if err != nil {
		return err
	}
	return e.tenant.Store.AddEvents(ctx, tx, events, at)
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

// accountTargets returns what tells which accounts of an identity have what a role grants.
func (e *Engine) accountTargets(ctx context.Context, identity store.ID) (func(role store.ID) []RoleAccountTarget,
	error,
) {
	none := func(store.ID) []RoleAccountTarget { return nil }
	c, err := e.tenant.CurrentConfiguration(ctx)
	if err != nil || c.Refresh.Access == nil {
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
			if grant.Profile != (refresh.ID{}) {
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
		return RoleAssignment{}, &Error{Kind: NotFound, Op: op, Subject: assignment, Err: errNoAssignment}
	}
	row, err := e.tenant.Store.RoleAssignment(ctx, e.tenant.Pool, owner, id)
	if errors.Is(err, store.ErrNotFound) {
		return RoleAssignment{}, &Error{Kind: NotFound, Op: op, Subject: assignment, Err: errNoAssignment}
	}
	if err != nil {
		return RoleAssignment{}, fault.Wrap(op, assignment, err)
	}
	targets, err := e.accountTargets(ctx, owner)
	found := roleAssignment(&row)
	found.AccountTargets = append(found.AccountTargets, targets(row.RoleID)...)
	return found, fault.Wrap(op, assignment, err)
}

var errNoAssignment = errors.New("the identity has no role assignment with this ID")

// RevokeRole takes a role from an identity that was assigned to it, and marks the identity for processing. What a
// role's membership assigned is a Conflict: it would come back, as long as the membership holds.
func (e *Engine) RevokeRole(ctx context.Context, identity, assignment string) error {
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) error { return e.revokeRole(ctx, tx, identity, assignment) })
	return fault.Wrap("revoke the role", assignment, err)
}

// RevokeRoleTx is [Engine.RevokeRole] in the caller's transaction.
func (e *Engine) RevokeRoleTx(ctx context.Context, tx pgx.Tx, identity, assignment string) error {
	return fault.Wrap("revoke the role", assignment, e.revokeRole(ctx, tx, identity, assignment))
}

func (e *Engine) revokeRole(ctx context.Context, tx pgx.Tx, identity, assignment string) error {
	const op = "revoke the role"
	_, owner, err := e.tenant.LockIdentity(ctx, tx, op, identity)
	if err != nil {
		return err
	}
	id, err := store.ParseID(assignment)
	if err != nil {
		return &Error{Kind: NotFound, Op: op, Subject: assignment, Err: errNoAssignment}
	}
	row, err := e.tenant.Store.RoleAssignment(ctx, tx, owner, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return &Error{Kind: NotFound, Op: op, Subject: assignment, Err: errNoAssignment}
	case err != nil:
		return err
	case row.Source == store.AssignedByMembership:
		return &Error{Kind: Conflict, Op: op, Subject: assignment, Err: fmt.Errorf("the membership of the role %q "+
			"assigned it, and would again: change its criteria, or the identity", row.RoleName)}
	}
	if err := e.tenant.Store.DeleteRoleAssignment(ctx, tx, owner, id); err != nil {
		return err
	}
	cause := store.Cause{Task: store.NewID(), At: e.tenant.Now()}
	if err := e.recordRoles(ctx, tx, owner, event.Roles{Gained: []event.Role{}, Lost: []event.Role{
		{ID: row.RoleID.String(), Name: row.RoleName, Reason: "it was revoked"}}}, cause.At); err != nil {
		return err
	}
	return e.tasks.ProcessOne(ctx, tx, owner, fmt.Sprintf("Process after the revocation of the role %q", row.RoleName), cause)
}

// SetLifecycleState sets the lifecycle state of an identity by hand, by its ID, technical name or name: it holds
// whatever is calculated, until another one is set. The empty state ends that: what is calculated holds again. The
// identity is marked for processing, which gives the state its effects.
func (e *Engine) SetLifecycleState(ctx context.Context, identity, state string) error {
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) error { return e.setLifecycleState(ctx, tx, identity, state) })
	return fault.Wrap("set the lifecycle state", identity, err)
}

// SetLifecycleStateTx is [Engine.SetLifecycleState] in the caller's transaction.
func (e *Engine) SetLifecycleStateTx(ctx context.Context, tx pgx.Tx, identity, state string) error {
	return fault.Wrap("set the lifecycle state", identity, e.setLifecycleState(ctx, tx, identity, state))
}

func (e *Engine) setLifecycleState(ctx context.Context, tx pgx.Tx, identity, state string) error {
	const op = "set the lifecycle state"
	c, id, err := e.tenant.LockIdentity(ctx, tx, op, identity)
	if err != nil {
		return err
	}
	rows, err := e.tenant.Store.IdentityStates(ctx, tx, []store.ID{id})
	if err != nil {
		return err
	}
	before := &rows[0]
	technical, description := before.LifecycleState, "Process after the lifecycle state was left to itself"
	if state != "" {
		profile := c.ProfileByID(before.ProfileID)
		if profile == nil {
			return &Error{Kind: Conflict, Op: op, Subject: identity,
				Err: errors.New("the identity has no identity profile, and so no lifecycle states")}
		}
		if technical = profile.StateByName(state); technical == "" {
			return &Error{Kind: NotFound, Op: op, Subject: state, Err: fmt.Errorf("the identity profile %q has no "+
				"such lifecycle state: those are %s", profile.Name, strings.Join(profile.StateNames(), ", "))}
		}
		description = fmt.Sprintf("Process after the lifecycle state %q was set", technical)
	}
	cause := store.Cause{Task: store.NewID(), At: e.tenant.Now()}
	if err := e.tenant.Store.SetLifecycleState(ctx, tx, id, store.NullText(technical), state != "", cause.At); err != nil {
		return err
	}
	if change := event.Changed(before.LifecycleState, technical); change != nil {
		events, err := event.Append(nil, [16]byte(id), EventStateChanged, event.States{LifecycleState: change})
		if err != nil {
			return err
		}
		if err := e.tenant.Store.AddEvents(ctx, tx, events, cause.At); err != nil {
			return err
		}
	}
	return e.tasks.ProcessOne(ctx, tx, id, description, cause)
}
