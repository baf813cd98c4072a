package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/store"
)

// AssignedByRequest is the default of an assignment's source: somebody asked for the role.
const AssignedByRequest = "ACCESS_REQUEST"

// The limits of an assignment, in characters.
const (
	CommentsLengthMax         = 4000
	AssignmentSourceLengthMax = 128
)

// AssignRoleParams say which role an identity gets, and why.
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

func (p *AssignRoleParams) validate(op string, now time.Time) error {
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

// AssignRole gives an identity a role that its membership need not give it, and requests the processing of the
// identity. An identity has a role once from each source of assignment: assigning it again changes the comments and the
// dates, so that a call may be repeated.
func (e *Engine) AssignRole(ctx context.Context, params AssignRoleParams) (RoleAssignment, error) {
	return e.assignRole(params).run(ctx)
}

// AssignRoleTx is [Engine.AssignRole] in the caller's transaction.
func (e *Engine) AssignRoleTx(ctx context.Context, tx pgx.Tx, params AssignRoleParams) (RoleAssignment, error) {
	return e.assignRole(params).runIn(ctx, tx)
}

func (e *Engine) assignRole(p AssignRoleParams) writeOf[RoleAssignment] {
	const op = "assign the role"
	return writeOf[RoleAssignment]{e, op, p.Identity, func(ctx context.Context, tx pgx.Tx) (RoleAssignment, error) {
		cause := e.tenant.NewCause(ctx)
		if err := p.validate(op, cause.At); err != nil {
			return RoleAssignment{}, err
		}
		c, identity, err := e.tenant.LockIdentity(ctx, tx, op, p.Identity)
		if err != nil {
			return RoleAssignment{}, err
		}
		role := c.RoleByName(p.Role)
		if role == nil {
			return RoleAssignment{}, &Error{Kind: NotFound, Op: op, Subject: p.Role,
				Err: c.MissingRole(p.Role)}
		}
		row := store.RoleAssignment{ID: store.NewID(), IdentityID: identity, RoleID: role.RowID,
			Source: cmp.Or(p.Source, AssignedByRequest), Comments: store.NullText(p.Comments), AddedDate: cause.At,
			StartDate: micro(p.StartDate), RemoveDate: micro(p.RemoveDate)}
		if p.Assigner != "" {
			if row.AssignerID, err = e.tenant.LockIdentityShared(ctx, tx, op, p.Assigner); err != nil {
				return RoleAssignment{}, err
			}
		}
		id, fresh, err := e.tenant.Store.PutRoleAssignment(ctx, tx, row)
		if err != nil {
			return RoleAssignment{}, err
		}
		if fresh {
			gained := event.Role{ID: role.RowID.String(), Name: role.Name, Reason: "it was assigned by " + row.Source}
			if err := e.recordRoles(ctx, tx, identity, []event.Role{gained}, nil, cause); err != nil {
				return RoleAssignment{}, err
			}
		}
		description := fmt.Sprintf("Process after the assignment of the role %q", role.Name)
		if err := e.tasks.ProcessOne(ctx, tx, identity, description, cause); err != nil {
			return RoleAssignment{}, err
		}
		written, err := e.tenant.Store.RoleAssignment(ctx, tx, identity, id)
		return roleAssignment(&written), err
	}}
}

// recordRoles records the event of roles that an identity gained or lost.
func (e *Engine) recordRoles(ctx context.Context, tx pgx.Tx, identity store.ID, gained, lost []event.Role,
	cause store.Cause,
) error {
	// The lists are published: they are never null.
	return e.addEvent(ctx, tx, cause, identity, &event.Detail{Roles: &event.Roles{
		Gained: append([]event.Role{}, gained...), Lost: append([]event.Role{}, lost...)}})
}

// RevokeRole takes a role from an identity to which it was assigned, and requests the processing of the identity. A
// role that its membership assigned is a Conflict: it would come back, as long as the membership holds.
func (e *Engine) RevokeRole(ctx context.Context, identity, assignment string) error {
	return e.revokeRole(identity, assignment).run(ctx)
}

// RevokeRoleTx is [Engine.RevokeRole] in the caller's transaction.
func (e *Engine) RevokeRoleTx(ctx context.Context, tx pgx.Tx, identity, assignment string) error {
	return e.revokeRole(identity, assignment).runIn(ctx, tx)
}

func (e *Engine) revokeRole(identity, assignment string) write {
	const op = "revoke the role"
	return write{e, op, assignment, func(ctx context.Context, tx pgx.Tx) error {
		_, owner, err := e.tenant.LockIdentity(ctx, tx, op, identity)
		if err != nil {
			return err
		}
		id, err := store.ParseID(assignment)
		if err != nil {
			return noAssignment(op, assignment)
		}
		row, err := e.tenant.Store.RoleAssignment(ctx, tx, owner, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return noAssignment(op, assignment)
		case err != nil:
			return err
		case row.Source == store.AssignedByMembership:
			return &Error{Kind: Conflict, Op: op, Subject: assignment, Err: fmt.Errorf("the membership of the role %q "+
				"assigned it, and would again: change its criteria, or the identity", row.RoleName)}
		}
		if err := e.tenant.Store.DeleteRoleAssignment(ctx, tx, owner, id); err != nil {
			return err
		}
		cause := e.tenant.NewCause(ctx)
		lost := event.Role{ID: row.RoleID.String(), Name: row.RoleName, Reason: "it was revoked"}
		if err := e.recordRoles(ctx, tx, owner, nil, []event.Role{lost}, cause); err != nil {
			return err
		}
		description := fmt.Sprintf("Process after the revocation of the role %q", row.RoleName)
		return e.tasks.ProcessOne(ctx, tx, owner, description, cause)
	}}
}
