package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
	"github.com/muster-engine/muster/store"
)

// The limits of a search.
const (
	SearchLimitDefault = 250
	SearchLimitMax     = 10_000
	// SearchWindow is how far a page may reach, with its offset. What lies behind is reached by searchAfter.
	SearchWindow = 10_000
	// SearchTimeDefault is how long a statement of a search may take. SearchTimeMax is the most that a request may ask
	// for.
	SearchTimeDefault = 10 * time.Second
	SearchTimeMax     = time.Minute
)

// SearchRequest is a search, in the published shape. The zero request is none: it needs a query.
type SearchRequest struct {
	// Indices are the kinds of documents. Defaults to all, as "*" does.
	Indices []string `json:"indices,omitempty"`
	// QueryType says which query is meant: SAILPOINT, the default, DSL or TEXT.
	QueryType string                  `json:"queryType,omitempty"`
	Query     *SearchText             `json:"query,omitempty"`
	QueryDSL  json.RawMessage         `json:"queryDsl,omitempty"`
	TextQuery *searchql.TextQuery     `json:"textQuery,omitempty"`
	Filters   map[string]SearchFilter `json:"filters,omitempty"`        // by field; all must be true beside the query
	TypeAhead *SearchTypeAhead        `json:"typeAheadQuery,omitempty"` // for [Engine.SearchValues]
	// AggregationType says which aggregations [Engine.SearchAggregate] carries out: DSL, the default, or SAILPOINT.
	AggregationType string          `json:"aggregationType,omitempty"`
	AggregationsDSL json.RawMessage `json:"aggregationsDsl,omitempty"`
	Aggregations    json.RawMessage `json:"aggregations,omitempty"`
	// IncludeNested says whether documents have their nested lists. Defaults to true.
	IncludeNested *bool `json:"includeNested,omitempty"`
	// QueryResultFilter says which members the documents have.
	QueryResultFilter *SearchResultFilter `json:"queryResultFilter,omitempty"`
	// Sort are the fields to sort by, with - in front for descending. Defaults to the index and the ID.
	Sort []string `json:"sort,omitempty"`
	// SearchAfter are the values of the fields of Sort in the last document of the page before.
	SearchAfter []any `json:"searchAfter,omitempty"`

	// Limit is the most documents to return, 0 to [SearchLimitMax]. Nil is [SearchLimitDefault].
	Limit *int `json:"-"`
	// Offset is how many documents to leave out first. With Limit it is at most [SearchWindow].
	Offset int `json:"-"`
	// Count asks for the number of all documents that are found.
	Count bool `json:"-"`
	// TimeLimit is how long each statement may take. Defaults to [SearchTimeDefault]; at most [SearchTimeMax].
	TimeLimit time.Duration `json:"-"`
}

// SearchFilter is a condition on a field: EXISTS, RANGE or TERMS.
type SearchFilter = searchql.Filter

// SearchText is a query string: docs/search.md has its language.
type SearchText struct {
	Query string `json:"query"`
	// Fields are those in which a word without a field is looked for. Defaults to all texts but those of nested lists.
	Fields SearchNames `json:"fields,omitempty"`
	// TimeZone is that of dates without one, such as Europe/London. Defaults to UTC.
	TimeZone string `json:"timeZone,omitempty"`
	// InnerHit asks for elements of a nested list in place of the documents.
	InnerHit *SearchInnerHit `json:"innerHit,omitempty"`
}

// SearchInnerHit says which elements of the documents that are found are the answer.
type SearchInnerHit struct {
	Query string `json:"query"`
	Type  string `json:"type"` // the nested list
}

// SearchNames are names: a list in JSON, or one text.
type SearchNames []string

// UnmarshalJSON implements [json.Unmarshaler].
func (n *SearchNames) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte{'"'}) {
		var one string
		if err := json.Unmarshal(text, &one); err != nil {
			return err
		}
		*n = nil
		if one != "" {
			*n = SearchNames{one}
		}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(n))
}

// SearchResultFilter says which members documents have, by names with dots. The members that identify a document, and
// those of the fields to sort by, are always there.
type SearchResultFilter struct {
	Includes []string `json:"includes,omitempty"`
	Excludes []string `json:"excludes,omitempty"`
}

// SearchHit is a document as it was found, in the published shape. It belongs to the caller. Numbers of attributes are
// of the type [json.Number], with the digits that they have.
type SearchHit map[string]any

// SearchPage is what a search finds.
type SearchPage struct {
	Documents []SearchHit
	// Total is the number of all documents that are found, where it was asked for. It is the true number.
	Total *int
	// Notes say what of the request finds nothing, such as a field that does not exist.
	Notes []string
	// Scanned says that no index serves the query: all documents of the index are read, and the search ends with an
	// Unavailable error where that takes longer than its limit.
	Scanned bool
}

// search is a request that was checked.
type search struct {
	*searchBasis
	queries []store.SearchQuery // one for each index
	notes   []string
	scanned bool
	inner   *searchql.Query // for the elements of a nested list
	request *SearchRequest
	limit   int
	time    time.Duration
}

// Search returns a page of the documents that a request finds. It reads the tables as they are, so whatever has
// committed is found. A mistake in the request is an Invalid error, which wraps a [*filterql.Error] for a query.
func (e *Engine) Search(ctx context.Context, request SearchRequest) (SearchPage, error) {
	const op = "search"
	s, err := e.newSearch(ctx, op, &request, true)
	if err != nil {
		return SearchPage{}, err
	}
	page := SearchPage{Documents: []SearchHit{}, Notes: s.notes, Scanned: s.scanned}
	err = store.InSearchTx(ctx, e.tenant.Pool, s.time, func(tx pgx.Tx) error {
		if request.Count {
			total := 0
			for _, query := range s.queries {
				n, err := e.tenant.Store.SearchCount(ctx, tx, query)
				if err != nil {
					return err
				}
				total += n
			}
			page.Total = &total
		}
		found, err := e.searchKeys(ctx, tx, s)
		if err != nil {
			return err
		}
		page.Documents, err = e.searchDocuments(ctx, tx, s, found)
		return err
	})
	return page, s.wrap(op, err)
}

// SearchCount returns how many documents a request finds.
func (e *Engine) SearchCount(ctx context.Context, request SearchRequest) (int, error) {
	const op = "count by search"
	none := 0
	request.Limit, request.Offset, request.Count = &none, 0, true
	request.Sort, request.SearchAfter = nil, nil
	page, err := e.Search(ctx, request)
	if err != nil {
		return 0, fault.Wrap(op, "", err)
	}
	return *page.Total, nil
}

// SearchDocument returns the document of an index with an ID, or a NotFound error.
func (e *Engine) SearchDocument(ctx context.Context, index, id string) (SearchHit, error) {
	const op = "get a document"
	notFound := &Error{Kind: NotFound, Op: op, Subject: id, Err: store.ErrNotFound}
	basis, err := e.searchBasis(ctx)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	i := slices.IndexFunc(basis.indexes, func(x *store.SearchIndex) bool { return x.Name == index })
	if i < 0 {
		return nil, unknownIndex(op, index, basis.indexes)
	}
	parsed, err := store.ParseID(id)
	if err != nil {
		return nil, notFound
	}
	var documents map[store.ID]SearchHit
	err = store.InSearchTx(ctx, e.tenant.Pool, SearchTimeDefault, func(tx pgx.Tx) (err error) {
		documents, err = e.documentsOf(ctx, tx, basis, basis.indexes[i], []store.ID{parsed}, true)
		return err
	})
	if err != nil {
		return nil, fault.Wrap(op, id, err)
	}
	document, found := documents[parsed]
	if !found {
		return nil, notFound
	}
	return document, nil
}

// SearchStatement returns the SQL that finds the documents of a request about one index, with its arguments.
func (e *Engine) SearchStatement(ctx context.Context, request SearchRequest) (string, []any, error) {
	const op = "explain a search"
	s, err := e.newSearch(ctx, op, &request, true)
	if err != nil {
		return "", nil, err
	}
	if len(s.queries) != 1 {
		return "", nil, fault.Invalidf(op, "indices", "one index is expected, these are %d", len(s.queries))
	}
	text, arguments, err := e.tenant.Store.SearchStatement(s.queries[0])
	return text, arguments, fault.Wrap(op, "", err)
}

// wrap makes of an error of the database one that says what can be done.
func (s *search) wrap(op string, err error) error {
	var timeout *store.TimeoutError
	if !errors.As(err, &timeout) {
		return fault.Wrap(op, "", err)
	}
	if s.scanned {
		err = &scannedError{err}
	}
	advice := "ask for less, or for fewer documents"
	if s.scanned {
		advice = "no index serves the query: name a field that has one, such as id or name.exact, or allow more time"
	}
	err = fmt.Errorf("it was ended at its limit of %s: %s: %w", s.time, advice, err)
	return &Error{Kind: Unavailable, Op: op, Err: err}
}

// scannedError says that a search which no index serves ended at its time limit.
type scannedError struct{ error }

func (e *scannedError) Unwrap() error { return e.error }

// SearchScanned reports whether an error is that of a search which no index serves and which ended at its time limit:
// the same search will end there again.
func SearchScanned(err error) bool {
	var scanned *scannedError
	return errors.As(err, &scanned)
}

func unknownIndex(op, name string, indexes []*store.SearchIndex) error {
	names := make([]string, len(indexes))
	for i, index := range indexes {
		names[i] = index.Name
	}
	return fault.Invalidf(op, "indices", "there is no index %q: %s are there", name, strings.Join(names, ", "))
}

// newSearch checks a request. With queried it must have a query.
func (e *Engine) newSearch(ctx context.Context, op string, request *SearchRequest, queried bool) (*search, error) {
	s := &search{request: request, limit: SearchLimitDefault, time: SearchTimeDefault}
	if request.Limit != nil {
		s.limit = *request.Limit
	}
	if request.TimeLimit != 0 {
		s.time = request.TimeLimit
	}
	switch {
	case s.limit < 0 || s.limit > SearchLimitMax:
		return nil, fault.Invalidf(op, "limit", "%d is given where 0 to %d is allowed", s.limit, SearchLimitMax)
	case request.Offset < 0:
		return nil, fault.Invalidf(op, "offset", "%d is given where 0 or more is allowed", request.Offset)
	case request.Offset+s.limit > SearchWindow:
		return nil, fault.Invalidf(op, "offset", "offset and limit reach to %d, %d is allowed: go on by searchAfter",
			request.Offset+s.limit, SearchWindow)
	case s.time < 0 || s.time > SearchTimeMax:
		return nil, fault.Invalidf(op, "timeLimit", "%s is given where at most %s is allowed", s.time, SearchTimeMax)
	case len(request.SearchAfter) > 0 && len(request.Sort) == 0:
		return nil, fault.Invalidf(op, "searchAfter", "it needs sort, with the fields whose values it has")
	case len(request.SearchAfter) > 0 && request.Offset > 0:
		return nil, fault.Invalidf(op, "searchAfter", "it and an offset exclude each other")
	}
	var err error
	if s.searchBasis, err = e.searchBasis(ctx); err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	indexes, err := chosenIndexes(op, request.Indices, s.indexes)
	if err != nil {
		return nil, err
	}
	expression, err := request.expression(op, queried)
	if err != nil {
		return nil, err
	}
	options := searchql.Options{Now: s.setup.Now}
	if request.Query != nil {
		if len(request.Query.Fields) > 0 {
			options.Fields = request.Query.Fields
		}
		if options.Zone, err = zoneOf(request.Query.TimeZone); err != nil {
			return nil, fault.Invalidf(op, "query.timeZone", "%w", err)
		}
	}
	if err := s.compile(op, indexes, expression, options); err != nil {
		return nil, err
	}
	return s, s.compileInner(op, indexes, options)
}

func zoneOf(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || strings.EqualFold(name, "local") {
		return nil, fmt.Errorf("there is no time zone %q: a name such as Europe/London is expected", name)
	}
	return zone, nil
}

// chosenIndexes returns the indexes of a request, each once.
func chosenIndexes(op string, names []string, all []*store.SearchIndex) ([]*store.SearchIndex, error) {
	if len(names) == 0 || slices.Contains(names, "*") {
		return all, nil
	}
	var chosen []*store.SearchIndex
	for _, name := range names {
		i := slices.IndexFunc(all, func(x *store.SearchIndex) bool { return x.Name == name })
		if i < 0 {
			return nil, unknownIndex(op, name, all)
		}
		if !slices.Contains(chosen, all[i]) {
			chosen = append(chosen, all[i])
		}
	}
	return chosen, nil
}

// expression returns the query and the filters of a request as one tree.
func (r *SearchRequest) expression(op string, queried bool) (searchql.Expr, error) {
	var query searchql.Expr
	var err error
	switch kind := strings.ToUpper(r.QueryType); {
	case kind == "DSL" || kind == "" && r.Query == nil && len(r.QueryDSL) > 0:
		if len(r.QueryDSL) == 0 {
			return nil, fault.Invalidf(op, "queryDsl", "it is missing, and the queryType is DSL")
		}
		if query, err = searchql.ParseDSL(r.QueryDSL); err != nil {
			return nil, invalidSearch(op, "queryDsl", err)
		}
	case kind == "TEXT" || kind == "" && r.Query == nil && r.TextQuery != nil:
		if r.TextQuery == nil {
			return nil, fault.Invalidf(op, "textQuery", "it is missing, and the queryType is TEXT")
		}
		if query, err = r.TextQuery.Expr(); err != nil {
			return nil, fault.Invalidf(op, "textQuery", "%w", err)
		}
	case kind == "" || kind == "SAILPOINT":
		if r.Query == nil {
			if queried {
				return nil, fault.Invalidf(op, "query", `query.query is missing: "*" finds everything`)
			}
			query = &searchql.All{}
			break
		}
		if query, err = searchql.Parse(r.Query.Query); err != nil {
			return nil, invalidSearch(op, "query", err)
		}
	case kind == "TYPEAHEAD":
		return nil, fault.Invalidf(op, "queryType", "TYPEAHEAD finds values and no documents: ask for values")
	default:
		return nil, fault.Invalidf(op, "queryType", "%q is unknown: SAILPOINT, DSL, TEXT and TYPEAHEAD are known",
			r.QueryType)
	}
	if len(r.Filters) == 0 {
		return query, nil
	}
	and := &searchql.And{Terms: []searchql.Expr{query}}
	for _, field := range slices.Sorted(maps.Keys(r.Filters)) {
		x, err := r.Filters[field].Expr(field)
		if err != nil {
			return nil, fault.Invalidf(op, "filters."+field, "%w", err)
		}
		and.Terms = append(and.Terms, x)
	}
	return and, nil
}

// invalidSearch wraps a mistake in a query. One of the query language keeps its place.
func invalidSearch(op, subject string, err error) error {
	var mistake *filterql.Error
	if errors.As(err, &mistake) {
		return fault.Wrap(op, subject, err)
	}
	return fault.Invalidf(op, subject, "%w", err)
}

// compile checks the query and the order against each index. Where there are several, one that does not have what they
// name is left out, with a note, unless that is so for all.
func (s *search) compile(op string, indexes []*store.SearchIndex, expression searchql.Expr, options searchql.Options,
) error {
	var first error
	for _, index := range indexes {
		query, err := searchql.Check(expression, index.Schema, options)
		subject := "query"
		var order *searchql.Order
		if err == nil {
			subject = "sort"
			order, err = searchql.ParseOrder(s.request.Sort, index.Schema, "id")
		}
		if err != nil {
			var mistake *filterql.Error
			if len(indexes) > 1 && errors.As(err, &mistake) && mistake.Kind == filterql.Illegal {
				first = cmp.Or(first, invalidSearch(op, subject, err))
				s.notes = append(s.notes, fmt.Sprintf("%s is left out: %s", index.Name, mistake.Msg))
				continue
			}
			return invalidSearch(op, subject, err)
		}
		q := store.SearchQuery{Index: index, Where: query.Where(), Branches: query.Branches(), Order: order,
			Limit: s.limit, Offset: s.request.Offset}
		if len(s.request.SearchAfter) > 0 {
			if q.After, err = order.After(s.request.SearchAfter); err != nil {
				return invalidSearch(op, "searchAfter", err)
			}
		}
		for _, note := range query.Notes() {
			if len(indexes) > 1 {
				note = index.Name + ": " + note
			}
			s.notes = append(s.notes, note)
		}
		s.scanned = s.scanned || !query.Served()
		s.queries = append(s.queries, q)
	}
	if len(s.queries) == 0 {
		return first
	}
	return nil
}

// compileInner checks the query for the elements of a nested list.
func (s *search) compileInner(op string, indexes []*store.SearchIndex, options searchql.Options) error {
	if s.request.Query == nil || s.request.Query.InnerHit == nil {
		return nil
	}
	hit := s.request.Query.InnerHit
	if len(indexes) != 1 || indexes[0].Schema.List(hit.Type) == nil {
		return fault.Invalidf(op, "query.innerHit.type", "%q is no nested list of one index", hit.Type)
	}
	options.Fields = nil
	inner, err := searchql.ParseQuery(hit.Query, indexes[0].Schema.List(hit.Type).Schema, options)
	if err != nil {
		return invalidSearch(op, "query.innerHit.query", err)
	}
	s.inner = inner
	s.notes = append(s.notes, inner.Notes()...)
	return nil
}

// foundKey is a document that was found, with its index.
type foundKey struct {
	store.SearchKey
	query int
}

// searchKeys returns the page of documents, of all indexes in one order.
func (e *Engine) searchKeys(ctx context.Context, tx pgx.Tx, s *search) ([]foundKey, error) {
	if s.limit == 0 {
		return nil, nil
	}
	var found []foundKey
	for i, query := range s.queries {
		if len(s.queries) > 1 { // each may have all of the page, and all before it
			query.Limit, query.Offset = query.Limit+query.Offset, 0
		}
		keys, err := e.tenant.Store.SearchKeys(ctx, tx, query)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			found = append(found, foundKey{key, i})
		}
	}
	if len(s.queries) == 1 {
		return found, nil
	}
	if len(s.request.Sort) > 0 {
		descending := s.queries[0].Order.Descending()
		slices.SortStableFunc(found, func(a, b foundKey) int { return compareKeys(a.Sort, b.Sort, descending) })
	}
	found = found[min(s.request.Offset, len(found)):]
	return found[:min(s.limit, len(found))], nil
}

// compareKeys compares documents of several indexes by the values that they are sorted by, as the database does.
func compareKeys(a, b []any, descending []bool) int {
	for i := range descending {
		if a[i] == nil || b[i] == nil { // nulls come last
			if (a[i] == nil) != (b[i] == nil) {
				return map[bool]int{true: 1, false: -1}[a[i] == nil]
			}
			continue
		}
		order := compareValues(a[i], b[i])
		if descending[i] {
			order = -order
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

// compareValues compares values as a driver scans them.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case time.Time:
		if b, ok := b.(time.Time); ok {
			return a.Compare(b)
		}
	case [16]byte:
		if b, ok := b.([16]byte); ok {
			return bytes.Compare(a[:], b[:])
		}
	case int64:
		if b, ok := b.(int64); ok {
			return int(min(max(a-b, -1), 1))
		}
	case bool:
		if b, ok := b.(bool); ok && a != b {
			return map[bool]int{true: 1, false: -1}[a]
		}
		return 0
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// searchDocuments returns the documents that were found, in their order, as the request wants them.
func (e *Engine) searchDocuments(ctx context.Context, tx pgx.Tx, s *search, found []foundKey) ([]SearchHit, error) {
	nested := s.request.IncludeNested == nil || *s.request.IncludeNested || s.inner != nil
	documents := make([]map[store.ID]SearchHit, len(s.queries))
	for i := range s.queries {
		var ids []store.ID
		for _, key := range found {
			if key.query == i {
				ids = append(ids, key.ID)
			}
		}
		if len(ids) == 0 {
			continue
		}
		var err error
		if documents[i], err = e.documentsOf(ctx, tx, s.searchBasis, s.queries[i].Index, ids, nested); err != nil {
			return nil, err
		}
	}
	hits := make([]SearchHit, 0, len(found))
	for _, key := range found {
		document, there := documents[key.query][key.ID]
		switch {
		case !there:
		case s.inner != nil:
			hits = append(hits, s.innerHits(document)...)
		default:
			hits = append(hits, s.request.QueryResultFilter.apply(document, s.request.Sort))
		}
	}
	return hits, nil
}

// innerHits returns the elements of a nested list of a document that the inner query finds.
func (s *search) innerHits(document SearchHit) []SearchHit {
	list, _ := document[s.request.Query.InnerHit.Type].([]any)
	var hits []SearchHit
	for _, element := range list {
		object, ok := element.(map[string]any)
		if !ok || !s.inner.Eval(object) {
			continue
		}
		hit := SearchHit(maps.Clone(object))
		hit["_type"], hit["_originalType"] = s.request.Query.InnerHit.Type, document["_type"]
		hits = append(hits, s.request.QueryResultFilter.apply(hit, nil))
	}
	return hits
}

// keptMembers are the members that identify a document.
var keptMembers = []string{"id", "_type", "type", "_version", "_originalType"}

// apply returns a document with the members that are asked for.
func (f *SearchResultFilter) apply(document SearchHit, sort []string) SearchHit {
	if f == nil || len(f.Includes)+len(f.Excludes) == 0 {
		return document
	}
	kept := slices.Clone(keptMembers)
	for _, name := range sort {
		kept = append(kept, strings.TrimSuffix(strings.TrimLeft(name, "+-"), ".exact"))
	}
	return prune(document, "", f.Includes, f.Excludes, kept)
}

// prune leaves out of an object what is not included, and what is excluded.
func prune(object map[string]any, path string, includes, excludes, kept []string) map[string]any {
	pruned := map[string]any{}
	for name, value := range object {
		full := path + name
		keep := within(full, kept)
		if !keep && within(full, excludes) {
			continue
		}
		if !keep && len(includes) > 0 && !within(full, includes) {
			if !above(full, includes) && !above(full, kept) {
				continue
			}
		}
		switch v := value.(type) {
		case map[string]any:
			value = prune(v, full+".", includes, excludes, kept)
		case []any:
			list := make([]any, len(v))
			for i := range v {
				list[i] = v[i]
				if inner, ok := v[i].(map[string]any); ok {
					list[i] = prune(inner, full+".", includes, excludes, kept)
				}
			}
			value = list
		}
		pruned[name] = value
	}
	return pruned
}

// within reports whether a name is one of the names, or below one.
func within(name string, names []string) bool {
	return slices.ContainsFunc(names, func(given string) bool {
		given = strings.TrimSuffix(given, ".*")
		return given == "*" || name == given || strings.HasPrefix(name, given+".")
	})
}

// above reports whether one of the names is below a name.
func above(name string, names []string) bool {
	return slices.ContainsFunc(names, func(given string) bool { return strings.HasPrefix(given, name+".") })
}
