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

// ProfilesOfRoles returns the access profiles of each role.
func (setup *SearchSetup) ProfilesOfRoles() map[ID][]ID {
	profiles := map[ID][]ID{}
	for _, p := range setup.RoleProfiles {
		profiles[p.RoleID] = append(profiles[p.RoleID], p.ProfileID)
	}
	return profiles
}

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
	Index *SearchIndex
	Where sq.Sqlizer
	// Branches are [searchql.Query.Branches]: one of them is true where Where is.
	Branches []sq.Sqlizer
	Order    *searchql.Order
	After    sq.Sqlizer // nil for the first page
	Limit    int
	Offset   int
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
	text, arguments, err := s.SearchStatement(query)
	if err != nil {
		return nil, err
	}
	return collect(ctx, q, text, func(row pgx.CollectableRow) (SearchKey, error) {
		key := SearchKey{Sort: make([]any, len(query.Order.Columns()))}
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
	w := &searchWriter{query: &query}
	if len(query.Branches) > 1 {
		w.text = `SELECT count(*) FROM (`
		w.branches(query.Index.id+` AS id`, ` UNION `, ``)
		w.text += `) b`
	} else {
		w.one(`count(*)`, query.Where, ``)
	}
	text, arguments, err := w.statement(s)
	if err != nil {
		return 0, err
	}
	var count int
	err = q.QueryRow(ctx, text, arguments...).Scan(&count)
	return count, mapError(err)
}

// SearchStatement returns the statement of a page of a query, with its arguments: the IDs of the documents, and the
// values that they are sorted by.
//
// A query with several branches is several statements, each of which has the page of its branch: each is found by an
// index of its own, which ends where the page does.
func (s *Store) SearchStatement(query SearchQuery) (string, []any, error) {
	w := &searchWriter{query: &query}
	columns := []string{query.Index.id + ` AS id`}
	for i, column := range query.Order.Columns() {
		columns = append(columns, fmt.Sprintf(`%s AS sort_%d`, column, i))
	}
	selected := strings.Join(columns, `, `)
	order := ` ORDER BY ` + strings.Join(query.Order.OrderBy(), `, `)
	page := ` LIMIT ` + strconv.Itoa(query.Limit) + ` OFFSET ` + strconv.Itoa(query.Offset)
	if len(query.Branches) > 1 {
		w.text = `SELECT * FROM (`
		w.branches(selected, ` UNION `, order+` LIMIT `+strconv.Itoa(query.Limit+query.Offset))
		var places []string
		for i, descending := range query.Order.Descending() {
			place := fmt.Sprintf(`sort_%d`, i)
			if descending {
				place += ` DESC`
			}
			places = append(places, place+` NULLS LAST`)
		}
		w.text += `) b ORDER BY ` + strings.Join(places, `, `) + page
	} else {
		w.one(selected, query.Where, order+page)
	}
	return w.statement(s)
}

// searchWriter writes the statements of a query.
type searchWriter struct {
	query     *SearchQuery
	text      string
	arguments []any
	err       error
}

// branches writes a statement for each branch.
func (w *searchWriter) branches(columns, between, rest string) {
	for i, branch := range w.query.Branches {
		if i > 0 {
			w.text += between
		}
		w.text += `(`
		w.one(columns, branch, rest)
		w.text += `)`
	}
}

// one writes the statement of the documents of which a condition is true.
func (w *searchWriter) one(columns string, condition sq.Sqlizer, rest string) {
	conditions := sq.And{condition}
	if w.query.After != nil {
		conditions = append(conditions, w.query.After)
	}
	where, arguments, err := conditions.ToSql()
	if err != nil && w.err == nil {
		w.err = err
	}
	w.arguments = append(w.arguments, arguments...)
	w.text += `SELECT ` + columns + ` FROM ` + w.query.Index.table + ` WHERE ` + where + rest
}

func (w *searchWriter) statement(s *Store) (string, []any, error) {
	if w.err != nil {
		return "", nil, w.err
	}
	text, err := sq.Dollar.ReplacePlaceholders(w.text)
	return s.dynamic(text), w.arguments, err
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

// worded says that an index over words has those of a field, under the name of one that has the same values.
func worded(column, name string, beginnings bool) func(*searchql.Field) {
	return func(f *searchql.Field) {
		f.Words, f.Beginnings = column, beginnings
		if name != "" {
			f.Tag = searchql.Tag(name)
		}
	}
}

// all has the rows of a field of all documents: see [searchql.Field.All].
func all(from string) func(*searchql.Field) {
	return func(f *searchql.Field) { f.All = from + ` WHERE TRUE` }
}

// elsewhere says that the index over words is in the rows of the values.
func elsewhere(f *searchql.Field) { f.Elsewhere = true }

// oneOf lists all values of a field.
func oneOf(values ...string) func(*searchql.Field) {
	return func(f *searchql.Field) { f.OneOf = values }
}

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

// unlessFalse is flag of a member whose default is true.
func unlessFalse(document, name string) string {
	return `coalesce(` + document + ` -> '` + name + `' <> 'false'::jsonb, true)`
}

// NewSearchIndexes returns the kinds of documents that are searched, in the order in which they are found.
func NewSearchIndexes(setup *SearchSetup) ([]*SearchIndex, error) {
	var indexes []*SearchIndex
	for _, build := range []func(*SearchSetup) (*SearchIndex, error){
		accessProfileIndex, activityIndex, entitlementIndex, eventIndex, identityIndex, roleIndex,
	} {
		index, err := build(setup)
		if err != nil {
			return nil, err
		}
		indexes = append(indexes, index)
	}
	return indexes, nil
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
