package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/filterql/searchql"
	"github.com/muster-engine/muster/store"
)

// The limits of aggregations.
const (
	SearchBucketsDefault = 10
	SearchBucketsMax     = 10_000
	// SearchStatementsMax is how many statements one request of aggregations sends: one for each that it has, and for
	// those inside a bucket one for each bucket.
	SearchStatementsMax  = 1000
	searchDepthMax       = 10
	typeAheadSizeDefault = 100
	typeAheadSizeMax     = 1000
)

// SearchTypeAhead asks for the values of a field that have a word which begins with the last word of Query.
type SearchTypeAhead struct {
	Query string `json:"query"`
	Field string `json:"field"`
	// NestedType is the nested list that has the field; empty for none.
	NestedType string `json:"nestedType,omitempty"`
	// Size is the most values. Defaults to 100; at most 1000.
	Size int `json:"size,omitempty"`
	// Sort is asc or desc, the default; SortByValue sorts by the value in place of how many documents have it.
	Sort        string `json:"sort,omitempty"`
	SortByValue bool   `json:"sortByValue,omitempty"`
}

// SearchAggregation is what [Engine.SearchAggregate] finds.
type SearchAggregation struct {
	// Aggregations are the results by name, in the shape that the product has: a bucket aggregation has buckets, each
	// with key and doc_count, a metric value, and a nested list and a filter doc_count with what is inside.
	Aggregations map[string]any
	SearchPage
}

// figure is a calculation over documents, with those that go over its parts.
type figure struct {
	name        string
	kind        string // nested, filter, terms, or the name of a metric
	field       string
	condition   searchql.Expr // of a filter
	size, least int
	inner       []figure
}

// SearchAggregate calculates over all documents of one index that a request finds: numbers of values, and values with
// how many documents have them. A request without a query is about all documents. The page of documents is as in
// [Engine.Search].
func (e *Engine) SearchAggregate(ctx context.Context, request SearchRequest) (SearchAggregation, error) {
	const op = "aggregate"
	list, err := request.aggregations()
	if err != nil {
		return SearchAggregation{}, fault.Invalidf(op, "aggregations", "%w", err)
	}
	s, err := e.newSearch(ctx, op, &request, false)
	if err != nil {
		return SearchAggregation{}, err
	}
	if len(s.queries) != 1 {
		return SearchAggregation{}, fault.Invalidf(op, "indices", "one index is expected, these are %d", len(s.queries))
	}
	result := SearchAggregation{SearchPage: SearchPage{Documents: []SearchHit{}, Notes: s.notes, Scanned: true}}
	var invalid error
	err = store.InSearchTx(ctx, e.tenant.Pool, s.time, func(tx pgx.Tx) error {
		c := &calculation{Engine: e, tx: tx, s: s}
		var err error
		if result.Aggregations, err = c.all(ctx, s.queries[0].Scope(), list); err != nil {
			invalid = c.invalid
			return err
		}
		found, err := e.searchKeys(ctx, tx, s)
		if err != nil {
			return err
		}
		result.Documents, err = e.searchDocuments(ctx, tx, s, found)
		return err
	})
	if invalid != nil {
		return SearchAggregation{}, fault.Invalidf(op, "aggregations", "%w", invalid)
	}
	result.Notes = s.notes
	return result, s.wrap(op, err)
}

// calculation is the carrying out of aggregations.
type calculation struct {
	*Engine
	tx         pgx.Tx
	s          *search
	statements int
	invalid    error // what is wrong with the request
}

func (c *calculation) wrong(format string, arguments ...any) error {
	c.invalid = fmt.Errorf(format, arguments...)
	return c.invalid
}

// all carries out aggregations over the same documents.
func (c *calculation) all(ctx context.Context, scope store.SearchScope, list []figure) (map[string]any, error) {
	results := map[string]any{}
	for i := range list {
		result, err := c.one(ctx, scope, &list[i])
		if err != nil {
			return nil, err
		}
		results[list[i].name] = result
	}
	return results, nil
}

// within adds the results of aggregations over a part of the documents to its own.
func (c *calculation) within(ctx context.Context, scope store.SearchScope, a *figure, own map[string]any) (any, error) {
	inner, err := c.all(ctx, scope, a.inner)
	maps.Copy(own, inner)
	return own, err
}

func (c *calculation) one(ctx context.Context, scope store.SearchScope, a *figure) (any, error) {
	if c.statements++; c.statements > SearchStatementsMax {
		return nil, c.wrong("they take more than %d statements: ask for fewer buckets", SearchStatementsMax)
	}
	if a.kind == "nested" {
		list := scope.Schema().List(a.field)
		if list == nil {
			return nil, c.wrong("%s: there is no nested list %q", a.name, a.field)
		}
		scope = scope.Nested(list)
		return c.counted(ctx, scope, a)
	}
	if a.kind == "filter" {
		query, err := searchql.Check(c.relative(scope, a.condition), scope.Schema(),
			searchql.Options{Now: c.s.setup.Now})
		if err != nil {
			return nil, c.wrong("%s: %w", a.name, err)
		}
		c.s.notes = append(c.s.notes, query.Notes()...)
		return c.counted(ctx, scope.Where(query.Where()), a)
	}
	scope, field := c.field(scope, a.field)
	f, known := scope.Schema().Field(field)
	if a.kind == "terms" {
		buckets := []any{}
		if !known {
			c.s.notes = append(c.s.notes, fmt.Sprintf("there is no field %q: it has no values", a.field))
			return map[string]any{"buckets": buckets}, nil
		}
		rows, err := c.tenant.Store.SearchBuckets(ctx, c.tx, scope, &f, a.size, a.least)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			bucket, err := c.within(ctx, row.Scope, a, map[string]any{"key": row.Key, "doc_count": row.Count})
			if err != nil {
				return nil, err
			}
			buckets = append(buckets, bucket)
		}
		return map[string]any{"buckets": buckets}, nil
	}
	if !known {
		return nil, c.wrong("%s: there is no field %q", a.name, a.field)
	}
	value, err := c.tenant.Store.SearchMetric(ctx, c.tx, scope, &f, a.kind)
	var unfit *store.MetricError
	if errors.As(err, &unfit) {
		return nil, c.wrong("%s: %w", a.name, err)
	}
	result := map[string]any{"value": nil}
	if value != nil {
		result["value"] = *value
	}
	return result, err
}

func (c *calculation) counted(ctx context.Context, scope store.SearchScope, a *figure) (any, error) {
	count, err := c.tenant.Store.SearchScopeCount(ctx, c.tx, scope)
	if err != nil {
		return nil, err
	}
	return c.within(ctx, scope, a, map[string]any{"doc_count": count})
}

// field returns the name of a field in what is counted. One of a nested list may have its name in front; @list.field
// goes into the list by itself.
func (c *calculation) field(scope store.SearchScope, name string) (store.SearchScope, string) {
	name = strings.TrimSuffix(name, ".exact")
	if list, rest, ok := strings.Cut(strings.TrimPrefix(name, "@"), "."); ok && strings.HasPrefix(name, "@") {
		if scope.List == nil && scope.Schema().List(list) != nil {
			scope = scope.Nested(scope.Schema().List(list))
		}
		return scope, rest
	}
	if scope.List != nil {
		name = strings.TrimPrefix(name, scope.List.Name+".")
	}
	return scope, name
}

// relative leaves the name of the nested list out of the field of a filter.
func (c *calculation) relative(scope store.SearchScope, x searchql.Expr) searchql.Expr {
	clause, ok := x.(*searchql.Clause)
	if !ok || scope.List == nil {
		return x
	}
	copied := *clause
	copied.Field = strings.TrimPrefix(clause.Field, scope.List.Name+".")
	return &copied
}

// publishedAggregation is an aggregation in the product's own form.
type publishedAggregation struct {
	Nested *struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Field string `json:"field"`
	} `json:"nested"`
	Metric *struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Field string `json:"field"`
	} `json:"metric"`
	Filter *struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Field string `json:"field"`
		Value string `json:"value"`
	} `json:"filter"`
	Bucket *struct {
		Name        string `json:"name"`
		Type        string `json:"type"`
		Field       string `json:"field"`
		Size        int    `json:"size"`
		MinDocCount int    `json:"minDocCount"`
	} `json:"bucket"`
	SubAggregation *publishedAggregation `json:"subAggregation"`
}

// aggregations reads the aggregations of a request.
func (r *SearchRequest) aggregations() ([]figure, error) {
	switch strings.ToUpper(r.AggregationType) {
	case "SAILPOINT":
	case "", "DSL":
		if len(r.AggregationsDSL) == 0 && len(r.Aggregations) > 0 && r.AggregationType == "" {
			break
		}
		if len(r.AggregationsDSL) == 0 {
			return nil, errors.New("aggregationsDsl is missing, and the aggregationType is DSL")
		}
		return dslAggregations(r.AggregationsDSL, 0)
	default:
		return nil, fmt.Errorf("the aggregationType %q is unknown: DSL and SAILPOINT are known", r.AggregationType)
	}
	var published publishedAggregation
	decoder := json.NewDecoder(bytes.NewReader(r.Aggregations))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&published); err != nil {
		return nil, err
	}
	return published.list(0)
}

// list returns the aggregations, from the outermost on: nested, filter, bucket, and inside of it the metric and the
// next one.
func (p *publishedAggregation) list(depth int) ([]figure, error) {
	if depth > searchDepthMax {
		return nil, fmt.Errorf("more than %d levels", searchDepthMax)
	}
	var inner []figure
	if p.SubAggregation != nil {
		sub, err := p.SubAggregation.list(depth + 1)
		if err != nil {
			return nil, err
		}
		inner = sub
	}
	if m := p.Metric; m != nil {
		kind := strings.ToUpper(m.Type)
		if kind == "" {
			kind = "UNIQUE_COUNT"
		}
		inner = append(inner, figure{name: m.Name, kind: kind, field: m.Field})
	}
	if b := p.Bucket; b != nil {
		if b.Type != "" && !strings.EqualFold(b.Type, "TERMS") {
			return nil, fmt.Errorf("the type %q of a bucket is unknown: TERMS is known", b.Type)
		}
		a := figure{name: b.Name, kind: "terms", field: b.Field, inner: inner}
		if err := a.bound(b.Size, b.MinDocCount); err != nil {
			return nil, err
		}
		inner = []figure{a}
	}
	if f := p.Filter; f != nil {
		if f.Type != "" && !strings.EqualFold(f.Type, "TERM") {
			return nil, fmt.Errorf("the type %q of a filter is unknown: TERM is known", f.Type)
		}
		inner = []figure{{name: f.Name, kind: "filter", inner: inner, condition: &searchql.Clause{
			Field: strings.TrimSuffix(f.Field, ".exact"), Exact: true, Kind: searchql.Phrase, Text: f.Value}}}
	}
	if n := p.Nested; n != nil {
		list := n.Field
		if list == "" {
			list = n.Type
		}
		inner = []figure{{name: n.Name, kind: "nested", field: strings.TrimPrefix(list, "@"), inner: inner}}
	}
	if len(inner) == 0 {
		return nil, errors.New("nested, filter, bucket or metric is expected")
	}
	for i := range inner {
		if inner[i].name == "" {
			return nil, errors.New("each needs a name")
		}
	}
	return inner, nil
}

// bound sets how many buckets there are at most, and how often a value of one occurs at least.
func (a *figure) bound(size, least int) error {
	a.size, a.least = size, max(least, 1)
	if size == 0 {
		a.size = SearchBucketsDefault
	}
	if a.size < 1 || a.size > SearchBucketsMax || least < 0 {
		return fmt.Errorf("%s: the size is %d, 1 to %d is allowed", a.name, size, SearchBucketsMax)
	}
	return nil
}

// dslMetrics are the metrics of the product's index, with ours.
var dslMetrics = map[string]string{"cardinality": "UNIQUE_COUNT", "value_count": "COUNT", "avg": "AVG", "sum": "SUM",
	"min": "MIN", "max": "MAX"}

// dslAggregations reads aggregations in the JSON of the product's index.
func dslAggregations(text json.RawMessage, depth int) ([]figure, error) {
	if depth > searchDepthMax {
		return nil, fmt.Errorf("more than %d levels", searchDepthMax)
	}
	var named map[string]map[string]json.RawMessage
	if err := json.Unmarshal(text, &named); err != nil {
		return nil, errors.New("an object of aggregations is expected")
	}
	var list []figure
	for _, name := range slices.Sorted(maps.Keys(named)) {
		a := figure{name: name}
		for _, kind := range slices.Sorted(maps.Keys(named[name])) {
			body := named[name][kind]
			var err error
			switch kind {
			case "aggs", "aggregations":
				a.inner, err = dslAggregations(body, depth+1)
			default:
				if a.kind != "" {
					err = fmt.Errorf("it is both %s and %s", a.kind, kind)
					break
				}
				err = a.read(kind, body)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		if a.kind == "" {
			return nil, fmt.Errorf("%s: terms, nested, filter or a metric is expected", name)
		}
		list = append(list, a)
	}
	return list, nil
}

// read reads the body of one aggregation.
func (a *figure) read(kind string, body json.RawMessage) error {
	if kind == "filter" {
		condition, err := searchql.ParseDSL(body)
		a.kind, a.condition = kind, condition
		return err
	}
	var given struct {
		Field       string `json:"field"`
		Path        string `json:"path"`
		Size        int    `json:"size"`
		MinDocCount int    `json:"min_doc_count"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&given); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	a.field = given.Field
	switch {
	case kind == "terms":
		a.kind = kind
		return a.bound(given.Size, given.MinDocCount)
	case kind == "nested":
		a.kind, a.field = kind, given.Path
	case dslMetrics[kind] != "":
		a.kind = dslMetrics[kind]
	default:
		return fmt.Errorf("there is no aggregation %q: terms, nested, filter, cardinality, value_count, avg, sum, "+
			"min and max are known", kind)
	}
	return nil
}

// SearchValues returns the values of a field that the typeAheadQuery of a request asks for.
func (e *Engine) SearchValues(ctx context.Context, request SearchRequest) ([]string, error) {
	const op = "complete"
	ask := request.TypeAhead
	if ask == nil {
		return nil, fault.Invalidf(op, "typeAheadQuery", "it is missing")
	}
	words := searchql.Words(store.Fold(ask.Query))
	size := ask.Size
	if size == 0 {
		size = typeAheadSizeDefault
	}
	switch {
	case len(words) == 0:
		return nil, fault.Invalidf(op, "typeAheadQuery.query", "a word is expected")
	case size < 1 || size > typeAheadSizeMax:
		return nil, fault.Invalidf(op, "typeAheadQuery.size", "%d is given where 1 to %d is allowed", size,
			typeAheadSizeMax)
	}
	request.QueryType, request.Query = "", nil
	s, err := e.newSearch(ctx, op, &request, false)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	err = store.InSearchTx(ctx, e.tenant.Pool, s.time, func(tx pgx.Tx) error {
		for _, query := range s.queries {
			scope := query.Scope()
			if ask.NestedType != "" {
				list := scope.Schema().List(ask.NestedType)
				if list == nil {
					continue
				}
				scope = scope.Nested(list)
			}
			f, known := scope.Schema().Field(strings.TrimPrefix(ask.Field, ask.NestedType+"."))
			if !known {
				continue
			}
			pattern := append([]rune(words[len(words)-1]), searchql.AnyText)
			x := &searchql.Clause{Field: f.Name, Kind: searchql.Wildcard, Pattern: pattern}
			checked, err := searchql.Check(x, scope.Schema(), searchql.Options{Now: s.setup.Now})
			if err != nil {
				return fault.Invalidf(op, "typeAheadQuery.field", "%w", err)
			}
			buckets, err := e.tenant.Store.SearchBuckets(ctx, tx, scope.Where(checked.Where()), &f, SearchBucketsMax, 1)
			if err != nil {
				return err
			}
			for _, b := range buckets {
				if hasWord(b.Key, words[len(words)-1]) { // another value of the document may have it
					counts[b.Key] += b.Count
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.wrap(op, err)
	}
	values := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		order := counts[a] - counts[b]
		if ask.SortByValue || order == 0 {
			order = strings.Compare(a, b)
		}
		if !strings.EqualFold(ask.Sort, "asc") {
			order = -order
		}
		return order
	})
	return values[:min(size, len(values))], nil
}

// hasWord reports whether a text has a word that begins like another one.
func hasWord(text, beginning string) bool {
	return slices.ContainsFunc(searchql.Words(store.Fold(text)), func(word string) bool {
		return strings.HasPrefix(word, beginning)
	})
}
