package store

import (
	"context"
	"errors"
	"strconv"
	"time"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/muster-engine/muster/filterql"
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

// Identity is an identity as the list and get operations show one: with the names of what it refers to and its times.
// Processing reads and writes [IdentityState] instead. Nil pointers and zero IDs stand for null.
type Identity struct {
	ID              ID
	Name            string // the display name
	Alias           string
	Email           *string
	CloudStatus     string
	ProcessingState *string
	ProcessingError *string // why the last processing failed
	Correlated      bool    // it has an account on an authoritative source
	Protected       bool    // it cannot be deleted
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

// identityColumns are the columns of an [Identity].
var identityColumns = columns[Identity]{
	readColumn("i.id", func(i *Identity) *ID { return &i.ID }),
	readColumn("i.name", func(i *Identity) *string { return &i.Name }),
	readColumn("i.alias", func(i *Identity) *string { return &i.Alias }),
	readColumn("i.email", func(i *Identity) **string { return &i.Email }),
	readColumn("i.cloud_status", func(i *Identity) *string { return &i.CloudStatus }),
	readColumn("i.processing_state", func(i *Identity) **string { return &i.ProcessingState }),
	readColumn("i.processing_error", func(i *Identity) **string { return &i.ProcessingError }),
	readColumn("i.correlated", func(i *Identity) *bool { return &i.Correlated }),
	readColumn("i.protected", func(i *Identity) *bool { return &i.Protected }),
	readColumn("i.profile_id", func(i *Identity) *ID { return &i.ProfileID }),
	readColumn("p.authoritative_source_id", func(i *Identity) *ID { return &i.SourceID }),
	readColumn("i.lifecycle_state", func(i *Identity) **string { return &i.LifecycleState }),
	readColumn("i.lifecycle_manual", func(i *Identity) *bool { return &i.LifecycleManual }),
	readColumn("i.identity_state", func(i *Identity) **string { return &i.IdentityState }),
	readColumn("i.manager_id", func(i *Identity) *ID { return &i.ManagerID }),
	readColumn("m.name", func(i *Identity) **string { return &i.ManagerName }),
	readColumn(isManagerSQL, func(i *Identity) *bool { return &i.IsManager }),
	readColumn("i.attributes", func(i *Identity) *[]byte { return &i.Attributes }),
	readColumn("i.created", func(i *Identity) *time.Time { return &i.Created }),
	readColumn("i.modified", func(i *Identity) *time.Time { return &i.Modified }),
	readColumn(lastRefreshSQL, func(i *Identity) **time.Time { return &i.LastRefresh }),
}

// identitySelect selects identities with the columns of each.
var identitySelect = `SELECT ` + identityColumns.selected("")

const (
	profileJoin = ` LEFT JOIN muster.identity_profiles p ON p.id = i.profile_id`
	managerJoin = ` LEFT JOIN muster.identities m ON m.id = i.manager_id`
	refreshJoin = ` LEFT JOIN muster.refresh_state r ON r.identity_id = i.id`

	identityTables = `muster.identities i` + profileJoin + managerJoin + refreshJoin
)

var identities = collection[Identity]{
	table: `muster.identities i`, alias: "i", key: "id", columns: identityColumns,
	joins: []tableJoin{{"p.name_key", profileJoin}, {"m.name_key", managerJoin}, {"r.last_refresh", refreshJoin}},
	// The lateral join looks a state up for each row: in a small company the planner would read all states, which takes
	// longer.
	pageJoins: profileJoin + managerJoin + `
		LEFT JOIN LATERAL (SELECT last_refresh FROM muster.refresh_state WHERE identity_id = i.id LIMIT 1) r ON true`,
}

// lastRefreshSQL is when an identity was last processed: by itself, or in a run over all identities.
const lastRefreshSQL = `greatest(r.last_refresh, CASE WHEN i.created <= (SELECT at FROM muster.refresh_watermark)
	THEN (SELECT at FROM muster.refresh_watermark) END)`

var (
	identityByID      = identitySelect + ` FROM ` + identityTables + ` WHERE i.id = $1`
	identitiesByAlias = identitySelect + ` FROM ` + identityTables + ` WHERE i.alias_key = $1 ORDER BY i.id LIMIT $2`
)

// IdentityByID returns an identity, or [ErrNotFound].
func (s *Store) IdentityByID(ctx context.Context, q Querier, id ID) (Identity, error) {
	rows, err := q.Query(ctx, s.sql(identityByID), id)
	if err != nil {
		return Identity{}, mapError(err)
	}
	identity, err := pgx.CollectExactlyOneRow(rows, identityColumns.scan)
	return identity, mapError(err)
}

// IdentitiesByAlias returns the identities with an alias, ignoring case, at most limit, in the order of their IDs.
func (s *Store) IdentitiesByAlias(ctx context.Context, q Querier, alias string, limit int) ([]Identity, error) {
	return collect(ctx, q, s.sql(identitiesByAlias), identityColumns.scan, FoldKey(alias), limit)
}

// SharedAliases returns those of identities whose aliases, of which the folded forms are given, other identities have
// too.
func (s *Store) SharedAliases(ctx context.Context, q Querier, ids []ID, keys []string) ([]ID, error) {
	const statement = `
		SELECT v.id
		FROM unnest($1::uuid[], $2::text[]) v (id, alias_key)
		CROSS JOIN LATERAL (SELECT count(*) AS others
		                    FROM (SELECT id FROM muster.identities WHERE alias_key = v.alias_key LIMIT 2) o
		                    WHERE o.id <> v.id OFFSET 0) n
		WHERE n.others > 0`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID], ids, keys)
}

// IdentityQuery says which identities to list, in which order.
type IdentityQuery struct {
	Filter         *filterql.Filter   // nil: all
	Order          *filterql.Ordering // never nil; ends with the id
	CorrelatedOnly bool
	OrphanedOnly   bool
	InvitableOnly  bool             // those who are not registered
	After          *filterql.Cursor // the page begins behind this row; nil: with the first
	Limit          int
	Offset         int
}

// ListIdentities calls each with the identities on a page, in order. The next call overwrites the identity, and an
// error ends the list. Where the page is full, last has the values from which a cursor behind it is made. With count it
// also returns how many identities the query selects on all pages, in the same round trip.
func (s *Store) ListIdentities(ctx context.Context, q Querier, query IdentityQuery, count bool,
	each func(*Identity) error,
) (last []any, total int, err error) {
	return identities.list(ctx, s, q, query.list(), query.conditions(), count, each)
}

// list returns the part of the query that is the same for all collections.
func (q *IdentityQuery) list() *ListQuery {
	return &ListQuery{Filter: q.Filter, Order: q.Order, After: q.After, Limit: q.Limit, Offset: q.Offset}
}

// conditions narrow the identities beside the filter.
func (q *IdentityQuery) conditions() []sq.Sqlizer {
	var conditions []sq.Sqlizer
	if q.CorrelatedOnly {
		conditions = append(conditions, sq.Expr("i.correlated"))
	}
	if q.OrphanedOnly {
		conditions = append(conditions, sq.Expr(isOrphanedSQL))
	}
	if q.InvitableOnly {
		conditions = append(conditions, sq.Expr("i.cloud_status IN ('UNREGISTERED', 'PENDING')"))
	}
	return conditions
}

// IdentityIDs returns the identities that a filter selects, by ID, after a given one. A nil filter selects all.
func (s *Store) IdentityIDs(ctx context.Context, q Querier, filter *filterql.Filter, after ID, limit int) ([]ID,
	error,
) {
	where, arguments, err := whereOf(filter, []sq.Sqlizer{sq.Expr("(?::uuid IS NULL OR i.id > ?)", after, after)})
	if err != nil {
		return nil, err
	}
	text, err := sq.Dollar.ReplacePlaceholders(`SELECT i.id FROM ` + identities.tablesFor(where) + where +
		` ORDER BY i.id LIMIT ` + strconv.Itoa(limit))
	if err != nil {
		return nil, err
	}
	return collect(ctx, q, s.dynamic(text), pgx.RowTo[ID], arguments...)
}

// ListStatement returns the statement that lists the page of a query, and its arguments, to be shown.
func (s *Store) ListStatement(query IdentityQuery) (string, []any, error) {
	return identities.selected(s, "i.id, i.name", query.list(), query.conditions())
}

// IdentityCounts are counts over all identities.
type IdentityCounts struct {
	Identities, Correlated, Managers, Managed, Errors int
}

// CountIdentityStates counts over all identities. It reads every identity.
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

// DeleteIdentity locks an identity FOR UPDATE, and its accounts by ID and FOR UPDATE, until the transaction ends. It
// removes the identity, with its roles. Its accounts stay, uncorrelated, and carry what it was given. Its reports lose
// their manager, and its history stays. It returns [ErrNotFound] when there is none, and a
// [RetryableError] where the identity became the owner of something that the transaction does not see yet.
func (s *Store) DeleteIdentity(ctx context.Context, tx pgx.Tx, id ID, now time.Time) error {
	// Whoever makes it an owner, or gives it an account, has a key share of it until the commit. After the lock, the
	// next statements see what they wrote, and nobody else can.
	var owns bool
	var accounts []ID
	var batch pgx.Batch
	batch.Queue(s.sql(`SELECT id FROM muster.identities WHERE id = $1 FOR UPDATE`), id)
	batch.Queue(s.sql(`SELECT id FROM muster.accounts WHERE identity_id = $1 ORDER BY id FOR UPDATE`), id).Query(
		func(rows pgx.Rows) (err error) {
			accounts, err = pgx.CollectRows(rows, pgx.RowTo[ID])
			return err
		})
	batch.Queue(s.sql(`SELECT EXISTS (SELECT 1 FROM muster.owned_objects WHERE owner_id = $1)`), id).QueryRow(
		func(row pgx.Row) error { return row.Scan(&owns) })
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return mapError(err)
	}
	if owns {
		return &RetryableError{errors.New("the identity became the owner of something meanwhile")}
	}
	var removal pgx.Batch
	var tag pgconn.CommandTag
	removal.Queue(s.sql(carryAllGrants), id, now)
	removal.Queue(s.sql(`DELETE FROM muster.identities WHERE id = $1`), id).Exec(func(ct pgconn.CommandTag) error {
		tag = ct
		return nil
	})
	if len(accounts) > 0 { // the removal has left them uncorrelated
		s.queueKeys(&removal, accounts)
	}
	return oneRow(tag, tx.SendBatch(ctx, &removal).Close())
}

// ProtectIdentity locks an identity FOR NO KEY UPDATE until the transaction ends, and sets whether it is protected from
// being deleted. It reports whether that is a change, and returns [ErrNotFound] when there is no such identity.
func (s *Store) ProtectIdentity(ctx context.Context, tx pgx.Tx, id ID, protected bool, now time.Time) (changed bool,
	err error,
) {
	const lock = `SELECT protected <> $2 FROM muster.identities WHERE id = $1 FOR NO KEY UPDATE`
	if err := tx.QueryRow(ctx, s.sql(lock), id, protected).Scan(&changed); err != nil || !changed {
		return false, mapError(err)
	}
	const statement = `UPDATE muster.identities SET protected = $2, modified = $3 WHERE id = $1`
	_, err = tx.Exec(ctx, s.sql(statement), id, protected, now)
	return true, mapError(err)
}

// NamedID is the name of what an ID stands for.
type NamedID struct {
	ID   ID
	Name string
}

// IdentityNames returns the names of those of the identities that exist.
func (s *Store) IdentityNames(ctx context.Context, q Querier, ids []ID) ([]NamedID, error) {
	return collect(ctx, q, s.sql(`SELECT id, name FROM muster.identities WHERE id = ANY($1)`),
		pgx.RowToStructByPos[NamedID], ids)
}

// StateCount is how many identities of a profile are in a lifecycle state, "" for none.
type StateCount struct {
	ProfileID ID
	State     string
	Count     int
}

// CountStates counts the identities of each profile by lifecycle state. It reads all identities.
func (s *Store) CountStates(ctx context.Context, q Querier) ([]StateCount, error) {
	const statement = `
		SELECT profile_id, coalesce(lifecycle_state, ''), count(*)
		FROM muster.identities
		WHERE profile_id IS NOT NULL
		GROUP BY 1, 2`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[StateCount])
}

// PendingProfiles returns the profiles of which an identity waits to be processed.
func (s *Store) PendingProfiles(ctx context.Context, q Querier) ([]ID, error) {
	const statement = `
		SELECT p.id
		FROM muster.identity_profiles p
		WHERE EXISTS (
		    SELECT 1
		    FROM muster.refresh_requests r
		    JOIN muster.identities i ON i.id = r.identity_id
		    WHERE i.profile_id = p.id)`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID])
}
