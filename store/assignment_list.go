package store

import (
	"context"
	"time"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql"
)

// ListedAssignment is a role assignment with the names of what it is about.
type ListedAssignment struct {
	RoleAssignment
	IdentityName, IdentityAlias string
	IdentityEmail               *string
}

const (
	assignedRoleJoin     = ` JOIN muster.roles ro ON ro.id = ra.role_id`
	assignedIdentityJoin = ` JOIN muster.identities idn ON idn.id = ra.identity_id`
	assignerJoin         = ` LEFT JOIN muster.identities asg ON asg.id = ra.assigner_id`
)

// listedAssignmentColumns are the columns of a [ListedAssignment].
var listedAssignmentColumns = columns[ListedAssignment]{
	readColumn("ra.id", func(a *ListedAssignment) *ID { return &a.ID }),
	readColumn("ra.identity_id", func(a *ListedAssignment) *ID { return &a.IdentityID }),
	readColumn("ra.role_id", func(a *ListedAssignment) *ID { return &a.RoleID }),
	readColumn("ro.name", func(a *ListedAssignment) *string { return &a.RoleName }),
	readColumn("ra.assignment_source", func(a *ListedAssignment) *string { return &a.Source }),
	readColumn("ra.assigner_id", func(a *ListedAssignment) *ID { return &a.AssignerID }),
	readColumn("asg.name", func(a *ListedAssignment) **string { return &a.AssignerName }),
	readColumn("ra.comments", func(a *ListedAssignment) **string { return &a.Comments }),
	readColumn("ra.document", func(a *ListedAssignment) *[]byte { return &a.Document }),
	readColumn("ra.added_date", func(a *ListedAssignment) *time.Time { return &a.AddedDate }),
	readColumn("ra.start_date", func(a *ListedAssignment) **time.Time { return &a.StartDate }),
	readColumn("ra.remove_date", func(a *ListedAssignment) **time.Time { return &a.RemoveDate }),
	readColumn("idn.name", func(a *ListedAssignment) *string { return &a.IdentityName }),
	readColumn("idn.alias", func(a *ListedAssignment) *string { return &a.IdentityAlias }),
	readColumn("idn.email", func(a *ListedAssignment) **string { return &a.IdentityEmail }),
}

var assignments = collection[ListedAssignment]{
	table: `muster.role_assignments ra`, alias: "ra", key: "id", columns: listedAssignmentColumns,
	joins: []tableJoin{{"ro.", assignedRoleJoin}, {"idn.", assignedIdentityJoin}, {"asg.", assignerJoin}},
}

// ListRoleAssignments lists role assignments of all identities as [Store.ListIdentities] lists identities.
func (s *Store) ListRoleAssignments(ctx context.Context, q Querier, query ListQuery, count bool,
	each func(*ListedAssignment) error,
) (last []any, total int, err error) {
	return assignments.list(ctx, s, q, &query, nil, count, each)
}

// RoleAssignmentSchema returns the fields by which role assignments are filtered and sorted, with all operators: the
// API publishes none.
func RoleAssignmentSchema() *filterql.Schema { return assignmentSchema }

var assignmentSchema = mustSchema(anyOps([]filterql.Field{
	notNull(idField("id", "ra.id", 0)),
	notNull(idField("role.id", "ra.role_id", 0)),
	notNull(keyField("role.name", "ro.name_key", 0)),
	notNull(idField("identity.id", "ra.identity_id", 0)),
	notNull(keyField("identity.name", "idn.name_key", 0)),
	notNull(keyField("identity.alias", "idn.alias_key", 0)),
	keyField("identity.email", "idn.email_key", 0),
	notNull(stateField("assignmentSource", "ra.assignment_source", 0, AssignedByMembership, AssignedByRequest)),
	idField("assigner.id", "ra.assigner_id", 0),
	keyField("assigner.name", "asg.name_key", 0),
	textField("comments", "ra.comments", 0),
	notNull(timeField("addedDate", "ra.added_date", 0)),
	timeField("startDate", "ra.start_date", 0),
	timeField("removeDate", "ra.remove_date", 0),
}))

// RoleMember is an identity that has a role, however often it was assigned.
type RoleMember struct {
	ID          ID
	Alias, Name string
	Email       *string
	Assignments []MemberAssignment // the earliest first
}

// MemberAssignment is one assignment of a role to a member.
type MemberAssignment struct {
	ID                    ID
	Source                string
	AddedDate             time.Time
	StartDate, RemoveDate *time.Time
}

var members = collection[RoleMember]{
	table: `muster.identities i`, alias: "i", key: "id", columns: columns[RoleMember]{
		readColumn("i.id", func(m *RoleMember) *ID { return &m.ID }),
		readColumn("i.alias", func(m *RoleMember) *string { return &m.Alias }),
		readColumn("i.name", func(m *RoleMember) *string { return &m.Name }),
		readColumn("i.email", func(m *RoleMember) **string { return &m.Email }),
	},
	joins: identities.joins,
}

// ListRoleMembers lists the identities that have a role, as [Store.ListIdentities] lists identities. A member whose
// assignments end meanwhile has none.
func (s *Store) ListRoleMembers(ctx context.Context, q Querier, role ID, query ListQuery, count bool) (
	page []RoleMember, last []any, total int, err error,
) {
	conditions := []sq.Sqlizer{
		sq.Expr(`i.id IN (SELECT ra.identity_id FROM muster.role_assignments ra WHERE ra.role_id = ?)`, role),
	}
	last, total, err = members.list(ctx, s, q, &query, conditions, count, func(m *RoleMember) error {
		page = append(page, *m)
		return nil
	})
	if err != nil || len(page) == 0 {
		return page, last, total, err
	}
	ids := make([]ID, len(page))
	at := make(map[ID]*RoleMember, len(page))
	for i := range page {
		ids[i], at[page[i].ID] = page[i].ID, &page[i]
	}
	const statement = `
		SELECT ra.identity_id, ra.id, ra.assignment_source, ra.added_date, ra.start_date, ra.remove_date
		FROM unnest($2::uuid[]) v (id),
		     LATERAL (SELECT * FROM muster.role_assignments WHERE role_id = $1 AND identity_id = v.id OFFSET 0) ra
		ORDER BY ra.added_date, ra.id`
	type row struct {
		IdentityID ID
		MemberAssignment
	}
	scan := func(r pgx.CollectableRow) (found row, err error) {
		err = r.Scan(&found.IdentityID, &found.ID, &found.Source, &found.AddedDate, &found.StartDate, &found.RemoveDate)
		return found, err
	}
	rows, err := collect(ctx, q, s.sql(statement), scan, role, ids)
	for _, r := range rows {
		member := at[r.IdentityID]
		member.Assignments = append(member.Assignments, r.MemberAssignment)
	}
	return page, last, total, err
}

// publishedMembers are the fields that the API publishes for the members of a role.
var publishedMembers = mustSchema([]filterql.Field{
	notNull(idField("id", "i.id", opsListed)),
	notNull(keyField("aliasName", "i.alias_key", filterql.OpsOf(filterql.Eq, filterql.Sw))),
	keyField("email", "i.email_key", filterql.OpsOf(filterql.Eq, filterql.Sw)),
	notNull(keyField("name", "i.name_key", filterql.OpsOf(filterql.Eq, filterql.Sw, filterql.Co))),
})
