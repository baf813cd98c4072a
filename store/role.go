package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Role is a role: its document is in the published shape.
type Role struct {
	ID       ID
	Name     string
	Enabled  bool
	Document []byte
	Created  time.Time
	Modified time.Time
}

// PutRole writes a role, new or not.
func (s *Store) PutRole(ctx context.Context, tx pgx.Tx, r Role) error {
	const statement = `
		INSERT INTO muster.roles (id, name, name_key, enabled, document, created, modified)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id)
		DO UPDATE SET name = excluded.name, name_key = excluded.name_key, enabled = excluded.enabled,
		       document = excluded.document, modified = excluded.modified`
	_, err := tx.Exec(ctx, s.sql(statement), r.ID, r.Name, Fold(r.Name), r.Enabled, r.Document, r.Created, r.Modified)
	return mapError(err)
}

// Roles returns all roles by name.
func (s *Store) Roles(ctx context.Context, q Querier) ([]Role, error) {
	const statement = `SELECT id, name, enabled, document, created, modified FROM muster.roles ORDER BY name_key`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[Role])
}

// RoleAssignment says that an identity has a role, and why. Nil dates are open: active at once, without end.
type RoleAssignment struct {
	ID         ID
	IdentityID ID
	RoleID     ID
	RoleName   string // only read
	Source     string // ACCESS_REQUEST, ROLE_MEMBERSHIP, or a host's own
	AssignerID ID
	// AssignerName is only read, nil when there is no assigner or it is gone.
	AssignerName *string
	Comments     *string
	Document     []byte // the rest of the published shape: dimensions and context
	AddedDate    time.Time
	StartDate    *time.Time
	RemoveDate   *time.Time
}

const assignmentColumns = `
	a.id, a.identity_id, a.role_id, r.name AS role_name, a.assignment_source AS source, a.assigner_id,
	g.name AS assigner_name, a.comments, a.document, a.added_date, a.start_date, a.remove_date`

const assignmentTables = `
	muster.role_assignments a
	JOIN muster.roles r ON r.id = a.role_id
	LEFT JOIN muster.identities g ON g.id = a.assigner_id`

// AddRoleAssignment writes a new assignment. An identity has a role once from each source of assignment; a second one
// is a [ConflictError].
func (s *Store) AddRoleAssignment(ctx context.Context, tx pgx.Tx, a RoleAssignment) error {
	const statement = `
		INSERT INTO muster.role_assignments
		       (id, identity_id, role_id, assignment_source, assigner_id, comments, document, added_date, start_date,
		       remove_date)
		VALUES ($1, $2, $3, $4, $5, $6, coalesce($7::jsonb, '{}'), $8, $9, $10)`
	_, err := tx.Exec(ctx, s.sql(statement), a.ID, a.IdentityID, a.RoleID, a.Source, a.AssignerID, a.Comments,
		a.Document,
		a.AddedDate, a.StartDate, a.RemoveDate)
	return mapError(err)
}

// PutRoleAssignment writes an assignment. If the identity has the role from the same source of assignment already, that
// assignment gets the assigner, the comments and the dates. It returns the ID of the assignment, and whether it is new.
func (s *Store) PutRoleAssignment(ctx context.Context, tx pgx.Tx, a RoleAssignment) (id ID, fresh bool, err error) {
	const statement = `
		INSERT INTO muster.role_assignments AS old
		       (id, identity_id, role_id, assignment_source, assigner_id, comments, document, added_date, start_date,
		       remove_date)
		VALUES ($1, $2, $3, $4, $5, $6, coalesce($7::jsonb, '{}'), $8, $9, $10)
		ON CONFLICT (identity_id, role_id, assignment_source)
		DO UPDATE SET assigner_id = excluded.assigner_id, comments = excluded.comments,
		       start_date = excluded.start_date, remove_date = excluded.remove_date
		RETURNING old.id, old.id = $1`
	err = tx.QueryRow(ctx, s.sql(statement), a.ID, a.IdentityID, a.RoleID, a.Source, a.AssignerID, a.Comments,
		a.Document, a.AddedDate, a.StartDate, a.RemoveDate).Scan(&id, &fresh)
	return id, fresh, mapError(err)
}

// RoleAssignmentFilter narrows the assignments of an identity. All fields that are not zero must hold.
type RoleAssignmentFilter struct {
	RoleID   ID
	RoleName string // ignoring case
}

// RoleAssignments returns the assignments of an identity, the earliest first.
func (s *Store) RoleAssignments(ctx context.Context, q Querier, identity ID,
	filter RoleAssignmentFilter,
) ([]RoleAssignment, error) {
	const statement = `
		SELECT ` + assignmentColumns + `
		FROM ` + assignmentTables + `
		WHERE a.identity_id = $1
		  AND ($2::uuid IS NULL OR a.role_id = $2)
		  AND ($3 = '' OR r.name_key = $3)
		ORDER BY a.added_date, a.id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByName[RoleAssignment],
		identity, filter.RoleID, Fold(filter.RoleName))
}

// RoleAssignment returns one assignment of an identity, or [ErrNotFound].
func (s *Store) RoleAssignment(ctx context.Context, q Querier, identity, assignment ID) (RoleAssignment, error) {
	const statement = `
		SELECT ` + assignmentColumns + `
		FROM ` + assignmentTables + `
		WHERE a.identity_id = $1 AND a.id = $2`
	rows, err := q.Query(ctx, s.sql(statement), identity, assignment)
	if err != nil {
		return RoleAssignment{}, mapError(err)
	}
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[RoleAssignment])
	return found, mapError(err)
}

// DeleteRoleAssignment removes one assignment of an identity. It returns [ErrNotFound] when there is none.
func (s *Store) DeleteRoleAssignment(ctx context.Context, tx pgx.Tx, identity, assignment ID) error {
	const statement = `DELETE FROM muster.role_assignments WHERE identity_id = $1 AND id = $2`
	tag, err := tx.Exec(ctx, s.sql(statement), identity, assignment)
	return oneRow(tag, err)
}

// HeldRole is an assignment as processing sees it.
type HeldRole struct {
	ID         ID
	IdentityID ID
	RoleID     ID
	Source     string
	StartDate  *time.Time
	RemoveDate *time.Time
}

// AddMemberships assigns roles by their membership. The assignments must not exist yet.
func (s *Store) AddMemberships(ctx context.Context, tx pgx.Tx, identities, roles []ID, now time.Time) error {
	if len(identities) == 0 {
		return nil
	}
	const statement = `
		INSERT INTO muster.role_assignments (id, identity_id, role_id, assignment_source, added_date)
		SELECT v.id, v.identity_id, v.role_id, $4, $5
		FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) v (id, identity_id, role_id)`
	ids := make([]ID, len(identities))
	for i := range ids {
		ids[i] = NewID()
	}
	_, err := tx.Exec(ctx, s.sql(statement), ids, identities, roles, AssignedByMembership, now)
	return mapError(err)
}

// DeleteAssignments removes assignments.
func (s *Store) DeleteAssignments(ctx context.Context, tx pgx.Tx, ids []ID) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.role_assignments WHERE id = ANY ($1)`), ids)
	return mapError(err)
}
