package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
)

// SearchSetup is what the fields of documents depend on beside the tables: it comes from the configuration.
type SearchSetup struct {
	// Now is the time at which a role is held or not yet.
	Now time.Time
	// Attributes are the identity attributes that are defined.
	Attributes []AttributeField
	// RoleProfiles are the access profiles of roles, StateProfiles those of lifecycle states.
	RoleProfiles  []RoleProfile
	StateProfiles []StateProfile
	// Statuses say by which attribute, and by which value, accounts of a source are disabled.
	Statuses []SourceStatus
}

// RoleProfile is an access profile that a role grants.
type RoleProfile struct{ RoleID, ProfileID ID }

// StateProfile is an access profile that a lifecycle state of an identity profile grants.
type StateProfile struct {
	IdentityProfileID ID
	State             string
	ProfileID         ID
}

// SourceStatus is how accounts of a source say that they are disabled.
type SourceStatus struct {
	SourceID         ID
	Attribute, Value string
}

// SearchIndex is a kind of documents.
type SearchIndex struct {
	Name   string // such as identities
	Type   string // such as identity
	Schema *searchql.Schema
	table  string // with its alias
	id     string // the column that identifies a document
}

// SearchQuery says which documents of an index are found, and in which order.
type SearchQuery struct {
	Index  *SearchIndex
	Where  sq.Sqlizer
	Order  *searchql.Order
	After  sq.Sqlizer // nil for the first page
	Limit  int
	Offset int
}

// SearchKey is a document that was found.
type SearchKey struct {
	ID   ID
	Sort []any // the values that it is sorted by
}

// InSearchTx is [InTx] for a search: it sees the database as it is when it begins, and only reads. A statement that
// takes longer than limit ends with a [TimeoutError].
func InSearchTx(ctx context.Context, b Beginner, limit time.Duration, work func(tx pgx.Tx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	timeout := `SET LOCAL statement_timeout = ` + strconv.FormatInt(max(limit.Milliseconds(), 1), 10)
	return inTxWith(ctx, b, options, work, plannedAnew, notCompiled, timeout)
}

// SearchKeys returns the documents on a page of a query, in its order.
func (s *Store) SearchKeys(ctx context.Context, q Querier, query SearchQuery) ([]SearchKey, error) {
	order := query.Order.Columns()
	text, arguments, err := s.searchStatement(query.Index.id+`, `+strings.Join(order, `, `), query,
		` ORDER BY `+strings.Join(query.Order.OrderBy(), `, `)+` LIMIT `+strconv.Itoa(query.Limit)+
			` OFFSET `+strconv.Itoa(query.Offset))
	if err != nil {
		return nil, err
	}
	return collect(ctx, q, text, func(row pgx.CollectableRow) (SearchKey, error) {
		key := SearchKey{Sort: make([]any, len(order))}
		targets := []any{&key.ID}
		for i := range key.Sort {
			targets = append(targets, &key.Sort[i])
		}
		err := row.Scan(targets...)
		return key, err
	}, arguments...)
}

// SearchCount returns how many documents a query finds, on all pages.
func (s *Store) SearchCount(ctx context.Context, q Querier, query SearchQuery) (int, error) {
	query.After = nil
	text, arguments, err := s.searchStatement(`count(*)`, query, ``)
	if err != nil {
		return 0, err
	}
	var count int
	err = q.QueryRow(ctx, text, arguments...).Scan(&count)
	return count, mapError(err)
}

// searchStatement selects columns of the documents that a query finds.
func (s *Store) searchStatement(columns string, query SearchQuery, rest string) (string, []any, error) {
	conditions := sq.And{query.Where}
	if query.After != nil {
		conditions = append(conditions, query.After)
	}
	where, arguments, err := conditions.ToSql()
	if err != nil {
		return "", nil, err
	}
	text, err := sq.Dollar.ReplacePlaceholders(`SELECT ` + columns + ` FROM ` + query.Index.table + ` WHERE ` + where +
		rest)
	return s.dynamic(text), arguments, err
}

// SearchStatement returns the statement of a page of a query, with its arguments, to be shown.
func (s *Store) SearchStatement(query SearchQuery) (string, []any, error) {
	return s.searchStatement(query.Index.id, query, ` ORDER BY `+strings.Join(query.Order.OrderBy(), `, `)+` LIMIT `+
		strconv.Itoa(query.Limit))
}

// uuidText is a UUID as it is shown.
func uuidText(column string) string { return `replace((` + column + `)::text, '-', '') COLLATE "C"` }

// Fields of the search language.
func searchID(name, column string) searchql.Field {
	return searchql.Field{Name: name, Type: filterql.ID, Column: column, Convert: convertID, Text: uuidText(column)}
}

func searchText(name, column string) searchql.Field {
	return searchql.Field{Name: name, Type: filterql.String, Column: column, Key: foldSQL(column)}
}

// searchKeyed is a text beside which a column has its key.
func searchKeyed(name, column, key string) searchql.Field {
	return searchql.Field{Name: name, Type: filterql.String, Column: column, Key: key, Fold: FoldKey}
}

// searchWord is a text of ASCII letters that a program chooses, such as a state.
func searchWord(name, column string) searchql.Field {
	return searchql.Field{Name: name, Type: filterql.String, Column: column, Key: `lower(` + column + `)`,
		Sort: `lower(` + column + `)`}
}

func searchFlag(name, column string) searchql.Field {
	return searchql.Field{Name: name, Type: filterql.Boolean, Column: column, Sort: column}
}

func searchTime(name, column string) searchql.Field {
	return searchql.Field{Name: name, Type: filterql.Time, Column: column, Sort: column}
}

func searchNumber(name, column string) searchql.Field {
	return searchql.Field{Name: name, Type: filterql.Number, Column: column, Sort: column, NotNull: true}
}

// with changes a field.
func with(f searchql.Field, change ...func(*searchql.Field)) searchql.Field {
	for _, c := range change {
		c(&f)
	}
	return f
}

func bare(f *searchql.Field)      { f.Bare = true }
func indexed(f *searchql.Field)   { f.Indexed = true }
func neverNull(f *searchql.Field) { f.NotNull = true }

// sorted lets documents be sorted by the field itself.
func sorted(f *searchql.Field) {
	switch f.Type {
	case filterql.String:
		f.Sort = f.Key
	default:
		f.Sort = f.Column
	}
}

// in says that the values of a field are in other rows, of which there is one at most; documents are sorted by it.
func in(from string) func(*searchql.Field) {
	return func(f *searchql.Field) {
		value := f.Column
		if f.Type == filterql.String {
			value = f.Key
		}
		f.From, f.Sort = from, `(SELECT `+value+` FROM `+from+`)`
	}
}

// each says that the values of a field are in other rows, of which there may be many.
func each(from string) func(*searchql.Field) {
	return func(f *searchql.Field) { f.From = from }
}

// member returns a text of a row that is a JSON object.
func member(document, name string) string { return `(` + document + ` ->> '` + name + `')` }

func flag(document, name string) string {
	return `coalesce(` + document + ` -> '` + name + `' = 'true'::jsonb, false)`
}

// NewSearchIndexes returns the kinds of documents that are searched, in the order in which they are found.
func NewSearchIndexes(setup *SearchSetup) ([]*SearchIndex, error) {
	var indexes []*SearchIndex
	for _, build := range []func(*SearchSetup) (*SearchIndex, error){
		accessProfileIndex, activityIndex, entitlementIndex, identityIndex, roleIndex,
	} {
		index, err := build(setup)
		if err != nil {
			return nil, err
		}
		indexes = append(indexes, index)
	}
	return indexes, nil
}

// accessRows are what identities have: entitlements of their accounts, roles that they hold, and the access profiles of
// these and of their lifecycle states.
func (setup *SearchSetup) accessRows() string {
	const (
		null = `NULL::text COLLATE "C"`
		// The columns of a configured object c.
		object = `c.id, c.name, c.name_key, (c.document ->> 'description') AS description`
		owner  = `(c.document -> 'owner' ->> 'id') AS owner_id, (c.document -> 'owner' ->> 'name') AS owner_name`
	)
	profile := `'ACCESS_PROFILE'::text COLLATE "C", ` + object + `, s.id, s.name, s.name_key, ` + null + `, ` + null +
		`, false, ` + owner + `, coalesce(c.document -> 'enabled' <> 'false'::jsonb, true), ` +
		flag(`c.document`, `requestable`)
	// The source of an access profile is named by its ID, or by its name.
	const profileTables = ` JOIN muster.access_profiles c ON c.id = g.profile_id
		LEFT JOIN LATERAL (
		    SELECT s.id, s.name, s.name_key FROM muster.sources s
		    WHERE s.id::text = lower(c.document -> 'source' ->> 'id')
		       OR replace(s.id::text, '-', '') = lower(c.document -> 'source' ->> 'id')
		       OR s.name = c.document -> 'source' ->> 'name'
		    ORDER BY s.id LIMIT 1) s ON true`
	held := `(a.start_date IS NULL OR a.start_date <= '` + setup.Now.UTC().Format(time.RFC3339Nano) + `'::timestamptz)`
	rows := `(SELECT a.identity_id, 'ENTITLEMENT'::text COLLATE "C" AS type, e.id, e.name, ` + foldSQL(`e.name`) +
		` AS name_key, (e.document ->> 'description') AS description, s.id AS source_id, s.name AS source_name,
		    s.name_key AS source_key, e.attribute, e.value, ` + flag(`e.document`, `privileged`) + ` AS privileged,
		    (e.document -> 'owner' ->> 'id') AS owner_id, (e.document -> 'owner' ->> 'name') AS owner_name,
		    true AS enabled, ` + flag(`e.document`, `requestable`) + ` AS requestable, NULL::timestamptz AS remove_date
		FROM muster.accounts a
		JOIN muster.account_entitlements k ON k.account_id = a.id
		JOIN muster.entitlements e ON e.id = k.entitlement_id
		JOIN muster.sources s ON s.id = e.source_id
		WHERE a.identity_id IS NOT NULL
		UNION ALL
		SELECT a.identity_id, 'ROLE'::text COLLATE "C", ` + object + `, NULL::uuid, ` + null + `, ` + null + `, ` +
		null + `, ` + null + `, false, ` + owner + `, c.enabled, ` + flag(`c.document`, `requestable`) + `,
		    a.remove_date
		FROM muster.role_assignments a
		JOIN muster.roles c ON c.id = a.role_id
		WHERE ` + held
	if len(setup.RoleProfiles) > 0 {
		roles, profiles := make([]ID, len(setup.RoleProfiles)), make([]ID, len(setup.RoleProfiles))
		for i, p := range setup.RoleProfiles {
			roles[i], profiles[i] = p.RoleID, p.ProfileID
		}
		rows += `
		UNION ALL
		SELECT a.identity_id, ` + profile + `, a.remove_date
		FROM muster.role_assignments a
		JOIN unnest(` + idList(roles) + `, ` + idList(profiles) + `) g (role_id, profile_id) ON g.role_id = a.role_id` +
			profileTables + `
		WHERE ` + held
	}
	if len(setup.StateProfiles) > 0 {
		var given []string
		for _, p := range setup.StateProfiles {
			given = append(given, fmt.Sprintf(`('%s'::uuid, %s, '%s'::uuid)`, p.IdentityProfileID, literal(p.State),
				p.ProfileID))
		}
		rows += `
		UNION ALL
		SELECT a.id, ` + profile + `, NULL::timestamptz
		FROM muster.identities a
		JOIN (VALUES ` + strings.Join(given, `, `) + `) g (identity_profile_id, state, profile_id)
		  ON g.identity_profile_id = a.profile_id AND g.state = a.lifecycle_state` + profileTables
	}
	return rows + `)`
}

// idList returns IDs as an array in SQL.
func idList(ids []ID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return `'{` + strings.Join(texts, `,`) + `}'::uuid[]`
}

// literal returns a text of the configuration in SQL. A question mark is written twice, as squirrel wants it.
func literal(text string) string {
	return `'` + strings.NewReplacer(`'`, `''`, `?`, `??`).Replace(text) + `'`
}

// accountRows are the accounts a of identities, with their source s and whether they are disabled.
func (setup *SearchSetup) accountRows() string {
	disabled := `false`
	join := ``
	if len(setup.Statuses) > 0 {
		var given []string
		for _, status := range setup.Statuses {
			given = append(given, fmt.Sprintf(`('%s'::uuid, %s, %s)`, status.SourceID, literal(status.Attribute),
				literal(status.Value)))
		}
		join = ` LEFT JOIN (VALUES ` + strings.Join(given, `, `) + `) t (source_id, attribute, value)
		  ON t.source_id = a.source_id`
		disabled = `coalesce(a.attributes ->> t.attribute = t.value, false)`
	}
	return `(SELECT a.identity_id, a.id, a.name, a.native_identity, a.source_id, s.name AS source_name,
		    s.name_key AS source_key, (s.document ->> 'connector') AS source_type, ` + disabled + ` AS disabled,
		    coalesce(a.attributes ->> 'IIQLocked' = 'true', false) AS locked, a.manually_correlated, a.attributes,
		    a.created, a.modified
		FROM muster.accounts a
		JOIN muster.sources s ON s.id = a.source_id` + join + `)`
}
