package store

import (
	"context"
	"errors"
	"strings"
	"time"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/migrations"
)

// The published values of an identity's states.
var (
	CloudStatuses = []string{
		"UNREGISTERED", "REGISTERED", "PENDING", "WARNING", "DISABLED", "ACTIVE", "DEACTIVATED", "TERMINATED",
		"ERROR", "LOCKED",
	}
	ProcessingStates = []string{"ERROR", "OK"}
	IdentityStates   = []string{"ACTIVE", "INACTIVE_SHORT_TERM", "INACTIVE_LONG_TERM"}
)

// Identity is a person as the list and get operations show one. Nil pointers and zero IDs stand for null.
type Identity struct {
	ID              ID
	Name            string // the display name
	Alias           string
	Email           *string
	CloudStatus     string
	ProcessingState *string
	ProcessingError *string // why the last processing failed
	Correlated      bool    // has an account on an authoritative source
	Protected       bool    // cannot be deleted
	ProfileID       ID
	SourceID        ID // the profile's authoritative source
	LifecycleState  *string
	LifecycleManual bool
	IdentityState   *string
	ManagerID       ID
	ManagerName     *string
	IsManager       bool
	Attributes      []byte // a JSON object
	Created         time.Time
	Modified        time.Time
	LastRefresh     *time.Time
}

const identityColumns = `
	i.id, i.name, i.alias, i.email, i.cloud_status, i.processing_state, i.processing_error, i.correlated, i.protected,
	i.profile_id, p.authoritative_source_id, i.lifecycle_state, i.lifecycle_manual, i.identity_state,
	i.manager_id, m.name, ` + isManagerSQL + `, i.attributes, i.created, i.modified, ` + lastRefreshSQL

// identityTables joins what the columns and the filter language's fields need. Every join is by a primary key, so the
// planner leaves out those that a statement does not use.
const identityTables = `
	muster.identities i
	LEFT JOIN muster.identity_profiles p ON p.id = i.profile_id
	LEFT JOIN muster.identities m ON m.id = i.manager_id
	LEFT JOIN muster.refresh_state r ON r.identity_id = i.id`

// lastRefreshSQL is when an identity was refreshed last: by itself, or with everybody.
const lastRefreshSQL = `greatest(r.last_refresh, CASE WHEN i.created <= (SELECT at FROM muster.refresh_watermark)
	THEN (SELECT at FROM muster.refresh_watermark) END)`

func scanIdentity(row pgx.CollectableRow) (Identity, error) {
	var i Identity
	err := row.Scan(identityTargets(&i)...)
	return i, err
}

func identityTargets(i *Identity) []any {
	return []any{
		&i.ID, &i.Name, &i.Alias, &i.Email, &i.CloudStatus, &i.ProcessingState, &i.ProcessingError, &i.Correlated,
		&i.Protected, &i.ProfileID, &i.SourceID, &i.LifecycleState, &i.LifecycleManual, &i.IdentityState,
		&i.ManagerID, &i.ManagerName, &i.IsManager, &i.Attributes, &i.Created, &i.Modified, &i.LastRefresh,
	}
}

// IdentityByID returns one identity, or [ErrNotFound].
func (s *Store) IdentityByID(ctx context.Context, q Querier, id ID) (Identity, error) {
	const statement = `SELECT ` + identityColumns + ` FROM ` + identityTables + ` WHERE i.id = $1`
	rows, err := q.Query(ctx, s.sql(statement), id)
	if err != nil {
		return Identity{}, mapError(err)
	}
	identity, err := pgx.CollectExactlyOneRow(rows, scanIdentity)
	return identity, mapError(err)
}

// IdentitiesByAlias returns the identities with an alias, ignoring case, at most limit, in the order of their IDs.
func (s *Store) IdentitiesByAlias(ctx context.Context, q Querier, alias string, limit int) ([]Identity, error) {
	const statement = `SELECT ` + identityColumns + ` FROM ` + identityTables + `
		WHERE i.alias_key = $1 ORDER BY i.id LIMIT $2`
	return collect(ctx, q, s.sql(statement), scanIdentity, FoldKey(alias), limit)
}

// IdentityQuery says which identities to list, in which order.
type IdentityQuery struct {
	Filter         *filterql.Filter   // nil: all
	Order          *filterql.Ordering // never nil; ends with the id
	CorrelatedOnly bool
	After          *filterql.Cursor // the row after which to begin; nil: the first
	Limit          int
	Offset         int
}

// IsManager reports whether an identity is the manager of another.
func (s *Store) IsManager(ctx context.Context, q Querier, id ID) (bool, error) {
	const statement = `SELECT EXISTS (SELECT FROM muster.identities WHERE manager_id = $1)`
	var is bool
	err := q.QueryRow(ctx, s.sql(statement), id).Scan(&is)
	return is, mapError(err)
}

// ListIdentities returns a page of identities, and beside each row the values that a cursor to it is made of.
func (s *Store) ListIdentities(ctx context.Context, q Querier, query IdentityQuery) ([]Identity, [][]any, error) {
	page := sq.Select("i.id").From(strings.TrimSpace(identityTables)).OrderBy(query.Order.OrderBy()...)
	page = s.where(page, query).Limit(uint64(query.Limit))
	if query.Offset > 0 {
		// As a parameter: every text is prepared, and kept by each connection.
		page = page.Suffix("OFFSET ?", query.Offset)
	}
	if query.After != nil {
		page = page.Where(query.Order.After(query.After))
	}
	// The page is found by what it is selected and ordered by: the columns of rows that are not on it are never made.
	statement := sq.Select(identityColumns).From(strings.TrimSpace(identityTables)).PlaceholderFormat(sq.Dollar).
		Where(sq.Expr("i.id IN (?)", page)).OrderBy(query.Order.OrderBy()...)
	keys := query.Order.Columns()
	statement = statement.Columns(keys...)
	text, arguments, err := statement.ToSql()
	if err != nil {
		return nil, nil, err
	}
	rows, err := q.Query(ctx, s.dynamic(text), arguments...)
	if err != nil {
		return nil, nil, mapError(err)
	}
	var identities []Identity
	var cursors [][]any
	for rows.Next() {
		var identity Identity
		values := make([]any, len(keys))
		targets := identityTargets(&identity)
		for i := range values {
			targets = append(targets, &values[i])
		}
		if err := rows.Scan(targets...); err != nil {
			rows.Close()
			return nil, nil, mapError(err)
		}
		identities = append(identities, identity)
		cursors = append(cursors, values)
	}
	return identities, cursors, mapError(rows.Err())
}

// CountIdentities returns how many identities a query selects, leaving its page aside.
func (s *Store) CountIdentities(ctx context.Context, q Querier, query IdentityQuery) (int, error) {
	statement := sq.Select("count(*)").From(strings.TrimSpace(identityTables)).PlaceholderFormat(sq.Dollar)
	text, arguments, err := s.where(statement, query).ToSql()
	if err != nil {
		return 0, err
	}
	var count int
	err = q.QueryRow(ctx, s.dynamic(text), arguments...).Scan(&count)
	return count, mapError(err)
}

// IdentityIDs returns the identities that a filter selects, by ID, after a given one. A nil filter selects all.
func (s *Store) IdentityIDs(ctx context.Context, q Querier, filter *filterql.Filter, after ID, limit int) ([]ID,
	error,
) {
	statement := sq.Select("i.id").From(strings.TrimSpace(identityTables)).PlaceholderFormat(sq.Dollar)
	statement = s.where(statement, IdentityQuery{Filter: filter}).Where("(?::uuid IS NULL OR i.id > ?)", after, after)
	text, arguments, err := statement.OrderBy("i.id").Limit(uint64(limit)).ToSql()
	if err != nil {
		return nil, err
	}
	return collect(ctx, q, s.dynamic(text), pgx.RowTo[ID], arguments...)
}

func (s *Store) where(statement sq.SelectBuilder, query IdentityQuery) sq.SelectBuilder {
	if query.CorrelatedOnly {
		statement = statement.Where("i.correlated")
	}
	if query.Filter != nil {
		statement = statement.Where(query.Filter.Where())
	}
	return statement
}

// dynamic is [Store.sql] for statements of many shapes, which are not kept.
func (s *Store) dynamic(statement string) string {
	if s.schema == migrations.SchemaDefault {
		return statement
	}
	return strings.ReplaceAll(statement, migrations.SchemaDefault+".", s.schema+".")
}

// ListStatement returns the statement that lists a query's page and its arguments, for those who want to see it.
func (s *Store) ListStatement(query IdentityQuery) (string, []any, error) {
	statement := sq.Select("i.id", "i.name").From(strings.TrimSpace(identityTables)).PlaceholderFormat(sq.Dollar)
	statement = s.where(statement, query).OrderBy(query.Order.OrderBy()...).Limit(uint64(query.Limit))
	text, arguments, err := statement.ToSql()
	return s.dynamic(text), arguments, err
}

// IdentityCounts are counts over all identities.
type IdentityCounts struct {
	Identities, Correlated, Managers, Managed, Errors int
}

// CountIdentityStates counts. It reads every identity.
func (s *Store) CountIdentityStates(ctx context.Context, q Querier) (IdentityCounts, error) {
	const statement = `
		SELECT count(*), count(*) FILTER (WHERE correlated), count(DISTINCT manager_id), count(manager_id),
		       count(*) FILTER (WHERE processing_state = 'ERROR')
		FROM muster.identities`
	var c IdentityCounts
	err := q.QueryRow(ctx, s.sql(statement)).Scan(&c.Identities, &c.Correlated, &c.Managers, &c.Managed, &c.Errors)
	return c, mapError(err)
}

// ReportsOf returns the identities that have an identity as their manager.
func (s *Store) ReportsOf(ctx context.Context, q Querier, manager ID) ([]ID, error) {
	return collect(ctx, q, s.sql(`SELECT id FROM muster.identities WHERE manager_id = $1 ORDER BY id`), pgx.RowTo[ID],
		manager)
}

// DeleteIdentity removes an identity. Its accounts stay, uncorrelated, its reports lose their manager, and its history
// stays; what it was given and its roles go with it. It returns [ErrNotFound] when there is none, and a
// [RetryableError] where it became the owner of something that the transaction does not see yet.
func (s *Store) DeleteIdentity(ctx context.Context, tx pgx.Tx, id ID) error {
	tag, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.identities WHERE id = $1`), id)
	err = oneRow(tag, err)
	var conflict *ConflictError
	if errors.As(err, &conflict) && conflict.Constraint == "owned_objects_owner_fkey" {
		return &RetryableError{conflict}
	}
	return err
}

// ProtectIdentity says whether an identity is protected from being deleted. It returns [ErrNotFound] when there is
// none.
func (s *Store) ProtectIdentity(ctx context.Context, tx pgx.Tx, id ID, protected bool, now time.Time) error {
	const statement = `UPDATE muster.identities SET protected = $2, modified = $3 WHERE id = $1`
	tag, err := tx.Exec(ctx, s.sql(statement), id, protected, now)
	return oneRow(tag, err)
}
