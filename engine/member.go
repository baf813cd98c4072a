package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// ListedRoleAssignment is a role assignment of some identity.
type ListedRoleAssignment struct {
	RoleAssignment
	Identity Reference `json:"identity"`
	Alias    string    `json:"alias"` // of the identity
	Email    *string   `json:"email"`
}

// ListRoleAssignments returns a page of the role assignments of all identities. They have no account targets, which
// [Engine.RoleAssignments] tells of one identity. Every field has every operator, with AnyField or without. Errors are
// those of [Engine.ListAccounts].
func (e *Engine) ListRoleAssignments(ctx context.Context, params PageParams) (Page[ListedRoleAssignment], error) {
	const op = "list role assignments"
	query, err := params.query(op, store.RoleAssignmentSchema(), byID)
	if err != nil {
		return Page[ListedRoleAssignment]{}, err
	}
	l := listing[store.ListedAssignment, ListedRoleAssignment]{op: op, params: params, query: query,
		item: func(row *store.ListedAssignment) (ListedRoleAssignment, error) {
			return ListedRoleAssignment{
				RoleAssignment: roleAssignment(&row.RoleAssignment), Alias: row.IdentityAlias, Email: row.IdentityEmail,
				Identity: Reference{Type: "IDENTITY", ID: row.IdentityID.String(), Name: row.IdentityName},
			}, nil
		},
		list: func(ctx context.Context, q store.Querier, count bool, each func(*store.ListedAssignment) error) (
			[]any, int, error,
		) {
			return e.tenant.Store.ListRoleAssignments(ctx, q, query, count, each)
		}}
	return l.page(ctx, e)
}

// RoleMember is an identity that has a role, in the published shape.
type RoleMember struct {
	ID        string  `json:"id"`
	AliasName string  `json:"aliasName"`
	Name      string  `json:"name"`
	Email     *string `json:"email"`
	// RoleAssignmentSource is ROLE_MEMBERSHIP where the membership of the role assigns it, or else where the earliest
	// assignment comes from.
	RoleAssignmentSource string             `json:"roleAssignmentSource"`
	Assignments          []MemberAssignment `json:"assignments"` // the earliest first
}

// MemberAssignment is one assignment of a role to a member. Nil dates are open.
type MemberAssignment struct {
	ID               string     `json:"id"`
	AssignmentSource string     `json:"assignmentSource"`
	AddedDate        time.Time  `json:"addedDate"`
	StartDate        *time.Time `json:"startDate"`
	RemoveDate       *time.Time `json:"removeDate"`
}

// ListRoleMembers returns a page of the identities that have a role, which is named by ID or name: by its membership or
// by request, also where the assignment begins later. With AnyField, filters and sorters name any property of the
// identities. Errors are those of [Engine.ListAccounts].
func (e *Engine) ListRoleMembers(ctx context.Context, role string, params PageParams) (Page[RoleMember], error) {
	const op = "list the members of the role"
	c, err := e.tenant.CurrentConfiguration(ctx)
	if err != nil {
		return Page[RoleMember]{}, fault.Wrap(op, role, err)
	}
	found := c.RoleByName(role)
	if found == nil {
		return Page[RoleMember]{}, &Error{Kind: NotFound, Op: op, Subject: role,
			Err: errors.New("there is no such role")}
	}
	schema := store.RoleMemberSchema(false)
	if params.AnyField {
		attributes, err := e.attributeFields(ctx)
		if err != nil {
			return Page[RoleMember]{}, fault.Wrap(op, role, err)
		}
		schema = store.RoleMemberSchema(true, attributes...)
	}
	query, err := params.query(op, schema, byID)
	if err != nil {
		return Page[RoleMember]{}, err
	}
	rows, last, total, err := e.tenant.Store.ListRoleMembers(ctx, e.tenant.Pool, found.RowID, query, params.Count)
	if err != nil {
		return Page[RoleMember]{}, fault.Wrap(op, role, err)
	}
	page := Page[RoleMember]{Items: make([]RoleMember, len(rows))}
	for i := range rows {
		page.Items[i] = memberOf(&rows[i])
	}
	page.Total, page.Next, err = pageEnd(op, params.Count, &query, total, last)
	return page, err
}

// memberOf gives a row its published shape.
func memberOf(row *store.RoleMember) RoleMember {
	m := RoleMember{ID: row.ID.String(), AliasName: row.Alias, Name: row.Name, Email: row.Email,
		Assignments: make([]MemberAssignment, len(row.Assignments))}
	for i := range row.Assignments {
		a := &row.Assignments[i]
		m.Assignments[i] = MemberAssignment{ID: a.ID.String(), AssignmentSource: a.Source,
			AddedDate: a.AddedDate.UTC(), StartDate: utc(a.StartDate), RemoveDate: utc(a.RemoveDate)}
	}
	byMembership := func(a MemberAssignment) bool { return a.AssignmentSource == store.AssignedByMembership }
	switch {
	case slices.ContainsFunc(m.Assignments, byMembership):
		m.RoleAssignmentSource = store.AssignedByMembership
	case len(m.Assignments) > 0:
		m.RoleAssignmentSource = m.Assignments[0].AssignmentSource
	}
	return m
}
