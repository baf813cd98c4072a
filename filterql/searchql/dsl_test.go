package searchql_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
)

// What a query in JSON means is shown by the text of its tree.
func TestParseDSL(t *testing.T) {
	tests := []struct{ name, dsl, tree string }{
		{"everything", `{"match_all":{}}`, `*`},
		{"everything, with a boost", `{"match_all":{"boost":1.2}}`, `*`},
		{"one word", `{"match":{"name":"john"}}`, `name:john`},
		{"a word with options", `{"match":{"name":{"query":"john","operator":"OR","boost":2}}}`, `name:john`},
		{"all words", `{"match":{"name":{"query":"john smith","operator":"and"}}}`, `name:john AND name:smith`},
		{"all words of a whole value", `{"match":{"name.exact":{"query":"john smith","operator":"and"}}}`,
			`name.exact:john\ smith`},
		{"a number", `{"match":{"count":5}}`, `count:5`},
		{"a boolean", `{"term":{"active":true}}`, `active:"true"`},
		{"a phrase", `{"match_phrase":{"name":"john smith"}}`, `name:"john smith"`},
		{"a phrase with options", `{"match_phrase":{"name":{"query":"john smith","boost":1}}}`, `name:"john smith"`},
		{"a term", `{"term":{"name":"john"}}`, `name:"john"`},
		{"a term of a whole value", `{"term":{"name.exact":{"value":"John","boost":3}}}`, `name.exact:"John"`},
		{"terms", `{"terms":{"name":["a",5,true]}}`, `name:"a" OR name:"5" OR name:"true"`},
		{"a beginning", `{"prefix":{"name":"jo*"}}`, `name:jo\**`},
		{"a beginning with options", `{"prefix":{"name":{"value":"jo"}}}`, `name:jo*`},
		{"wildcards", `{"wildcard":{"name":"j?h*"}}`, `name:j?h*`},
		{"wildcards by value", `{"wildcard":{"name":{"value":"j*"}}}`, `name:j*`},
		{"wildcards by their own name", `{"wildcard":{"name.exact":{"wildcard":"j*","boost":1}}}`, `name.exact:j*`},
		{"a regular expression", `{"regexp":{"name":"jo.+"}}`, `name:/jo.+/`},
		{"a regular expression with options", `{"regexp":{"name":{"value":"jo.+"}}}`, `name:/jo.+/`},
		{"a range with its ends", `{"range":{"count":{"gte":1,"lte":5}}}`, `count:["1" TO "5"]`},
		{"a range without its ends", `{"range":{"count":{"gt":1,"lt":5,"boost":2}}}`, `count:{"1" TO "5"}`},
		{"a range that is open above", `{"range":{"created":{"gte":"now-7d/d"}}}`, `created:["now-7d/d" TO *]`},
		{"a range that is open below", `{"range":{"created":{"lt":"2024"}}}`, `created:[* TO "2024"}`},
		{"presence", `{"exists":{"field":"manager"}}`, `_exists_:manager`},
		{"presence of a whole value", `{"exists":{"field":"name.exact"}}`, `_exists_:name`},
		{"ids", `{"ids":{"values":["a","b"]}}`, `id:"a" OR id:"b"`},
		{"a query string", `{"query_string":{"query":"name:a AND NOT b"}}`, `name:a AND (NOT b)`},
		{"must", `{"bool":{"must":[{"match":{"name":"a"}},{"match":{"name":"b"}}]}}`, `name:a AND name:b`},
		{"one query in place of a list", `{"bool":{"filter":{"match":{"name":"a"}},"must_not":{"match":{"name":"b"}}}}`,
			`name:a AND (NOT name:b)`},
		{"must and filter", `{"bool":{"must":[{"match":{"name":"a"}}],"filter":[{"match":{"name":"b"}}],"boost":1}}`,
			`name:a AND name:b`},
		{"should alone", `{"bool":{"should":[{"match":{"name":"a"}},{"match":{"name":"b"}}]}}`, `(name:a OR name:b)`},
		{"should beside must not", `{"bool":{"should":[{"match":{"name":"a"}}],"must_not":[{"match":{"name":"b"}}]}}`,
			`(name:a) AND (NOT name:b)`},
		{"should beside must says nothing",
			`{"bool":{"must":[{"match":{"name":"a"}}],"should":[{"match":{"name":"b"}}]}}`,
			`name:a`},
		{"should beside must, and asked for",
			`{"bool":{"must":[{"match":{"name":"a"}}],"should":[{"match":{"name":"b"}}],"minimum_should_match":1}}`,
			`name:a AND (name:b)`},
		{"should as a text, and not asked for",
			`{"bool":{"should":[{"match":{"name":"b"}}],"minimum_should_match":"0","must_not":{"match":{"name":"a"}}}}`,
			`(NOT name:a)`},
		{"a nested list",
			`{"nested":{"path":"accounts","query":{"term":{"accounts.source.name":"HR"}},"score_mode":"avg"}}`,
			`@accounts(source.name:"HR")`},
		{"a nested list with bool",
			`{"nested":{"path":"accounts","query":{"bool":{"must":[{"term":{"accounts.name.exact":"x"}},
			{"exists":{"field":"accounts.disabled"}}]}}}}`, `@accounts(name.exact:"x" AND _exists_:disabled)`},
		{"the fields of the element", `{"nested":{"path":"accounts","query":{"term":{"name":"x"}}}}`,
			`@accounts(name:"x")`},
		{"an element", `{"nested":{"path":"accounts","query":{"exists":{"field":"accounts"}}}}`, `@accounts(*)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := searchql.ParseDSL([]byte(test.dsl))
			if err != nil {
				t.Fatal(err)
			}
			if got := searchql.Print(e); got != test.tree {
				t.Errorf("%s\nmeans %s\nwant  %s", test.dsl, got, test.tree)
			}
		})
	}
}

func TestParseDSLFaults(t *testing.T) {
	terms := func(n int) string { return `["x"` + strings.Repeat(`,"x"`, n-1) + `]` }
	tests := []struct{ name, dsl, want string }{
		{"no JSON", `{`, `queryDsl: an object is expected`},
		{"null", `null`, `queryDsl: an object is expected`},
		{"no kind", `{}`, `queryDsl: an object with one member is expected, this has 0`},
		{"everything, and more", `{"match_all":{"field":"x"}}`, `queryDsl.match_all.field: there is no such member`},
		{"everything, as a list", `{"match_all":[]}`, `queryDsl.match_all: an object is expected`},
		{"two fields", `{"match":{"a":"x","b":"y"}}`,
			`queryDsl.match: an object with one member is expected, this has 2`},
		{"no field", `{"match":{"":"x"}}`, `queryDsl.match.: the name of the field is missing`},
		{"a field that is only a suffix", `{"term":{".exact":"x"}}`,
			`queryDsl.term..exact: the name of the field is missing`},
		{"no text", `{"match":{"name":{"operator":"or"}}}`, `queryDsl.match.name: query is missing, or is no text`},
		{"an object for the text", `{"term":{"name":{"value":{}}}}`,
			`queryDsl.term.name: value is missing, or is no text`},
		{"no pattern", `{"wildcard":{"name":{}}}`, `queryDsl.wildcard.name: wildcard is missing, or is no text`},
		{"an empty pattern", `{"wildcard":{"name":""}}`, `queryDsl.wildcard.name: the text is empty`},
		{"an unknown operator", `{"match":{"name":{"query":"x","operator":"xor"}}}`,
			`queryDsl.match.name.operator: and, or or is expected`},
		{"an operator that is no text", `{"match":{"name":{"query":"x","operator":["and"]}}}`,
			`queryDsl.match.name.operator: and, or or is expected`},
		{"an operator of a term", `{"term":{"name":{"value":"x","operator":"and"}}}`,
			`queryDsl.term.name.operator: there is no such member`},
		{"a NUL", `{"term":{"name":"a\u0000"}}`, `queryDsl.term.name: NUL character`},
		{"an object among terms", `{"terms":{"name":["a",{}]}}`,
			`queryDsl.terms.name: a list of texts, numbers or booleans is expected`},
		{"a range of a text", `{"range":{"count":5}}`, `queryDsl.range.count: an object is expected`},
		{"an end that is null", `{"range":{"count":{"gte":null}}}`, `queryDsl.range.count.gte: one value is expected`},
		{"bool of a list", `{"bool":[]}`, `queryDsl.bool: an object is expected`},
		{"a fault in a list", `{"bool":{"should":[{"match_all":{}},{"match":{"name":null}}]}}`,
			`queryDsl.bool.should[1].match.name: a text or an object is expected`},
		{"a fault in one query", `{"bool":{"must_not":{"like":{}}}}`,
			`queryDsl.bool.must_not[0].like: there is no such query`},
		{"a number of should", `{"bool":{"should":[],"minimum_should_match":2}}`,
			`queryDsl.bool.minimum_should_match: 0 or 1 is expected`},
		{"a number of should that is none", `{"bool":{"should":[],"minimum_should_match":[1]}}`,
			`queryDsl.bool.minimum_should_match: 0 or 1 is expected`},
		{"nested of a list", `{"nested":[]}`, `queryDsl.nested: an object is expected`},
		{"no path", `{"nested":{"query":{"match_all":{}}}}`, `queryDsl.nested: path and query are expected`},
		{"a fault in a nested query", `{"nested":{"path":"accounts","query":{"a":1}}}`,
			`queryDsl.nested.query.a: there is no such query`},
		{"a nested query, and more", `{"nested":{"path":"accounts","query":{"match_all":{}},"inner_hits":{}}}`,
			`queryDsl.nested.inner_hits: there is no such member`},
		{"presence of a text", `{"exists":"name"}`, `queryDsl.exists: an object is expected`},
		{"presence, and more", `{"exists":{"field":"name","boost":1}}`,
			`queryDsl.exists: an object with the member field is expected`},
		{"a query string as a text", `{"query_string":"x"}`, `queryDsl.query_string: an object is expected`},
		{"no query string", `{"query_string":{}}`, `queryDsl.query_string: query is missing`},
		{"a query string, and more", `{"query_string":{"query":"x","default_field":"name"}}`,
			`queryDsl.query_string.default_field: there is no such member`},
		{"a query string with a fault", `{"query_string":{"query":"name:"}}`, `the value is missing`},
		{"ids of a list", `{"ids":["x"]}`, `queryDsl.ids: an object is expected`},
		{"no ids", `{"ids":{"value":["x"]}}`, `queryDsl.ids.values: a list of texts is expected`},
		{"ids, and more", `{"ids":{"values":["x"],"type":"y"}}`, `queryDsl.ids.type: there is no such member`},
		{"ids that are numbers", `{"ids":{"values":[1]}}`, `queryDsl.ids.values: a list of texts is expected`},
		{"too many terms", `{"terms":{"name":` + terms(searchql.ClausesMax) + `}}`,
			`queryDsl.terms.name: more than 1024 clauses`},
		{"too many ids", `{"ids":{"values":` + terms(searchql.ClausesMax) + `}}`,
			`queryDsl.ids: more than 1024 clauses`},
		{"too many queries", `{"bool":{"must":[` + strings.Repeat(`{"match_all":{}},`, searchql.ClausesMax) +
			`{"match_all":{}}]}}`, `queryDsl.bool.must[1023]: more than 1024 clauses`},
		{"too many clauses in two query strings", `{"bool":{"must":[{"query_string":{"query":"` +
			strings.Repeat("a ", 1000) + `"}},{"query_string":{"query":"` + strings.Repeat("a ", 1000) + `"}}]}}`,
			`more than 1024 clauses`},
		{"a query string that is too deep where it stands", strings.Repeat(`{"bool":{"must":`, 30) +
			`{"query_string":{"query":"` + strings.Repeat("(", 30) + "a" + strings.Repeat(")", 30) + `"}}` +
			strings.Repeat(`}}`, 30), `more than 50 levels`},
		{"too long", strings.Repeat(" ", searchql.TextMax+1), `the query has 65537 bytes, 65536 are allowed`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := searchql.ParseDSL([]byte(test.dsl)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %s", err, test.want)
			}
		})
	}
}

// What is at a limit is allowed.
func TestParseDSLLimits(t *testing.T) {
	terms := `["x"` + strings.Repeat(`,"x"`, searchql.ClausesMax-2) + `]` // one less: the query around them counts too
	for name, dsl := range map[string]string{
		"terms": `{"terms":{"name":` + terms + `}}`,
		"ids":   `{"ids":{"values":` + terms + `}}`,
		"queries": `{"bool":{"must":[` + strings.Repeat(`{"match_all":{}},`, searchql.ClausesMax-2) +
			`{"match_all":{}}]}}`,
		"levels": strings.Repeat(`{"bool":{"must":`, searchql.DepthMax) + `{"match_all":{}}` +
			strings.Repeat(`}}`, searchql.DepthMax),
		"a query string": `{"query_string":{"query":"` + strings.Repeat("a ", searchql.ClausesMax) + `"}}`,
		"bytes":          `{"match_all":{}}` + strings.Repeat(" ", searchql.TextMax-len(`{"match_all":{}}`)),
	} {
		if _, err := searchql.ParseDSL([]byte(dsl)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// people are documents of the schema of this test, by their names.
var people = map[string]map[string]any{
	"John Smith": {
		"id": "018f0000000070008000000000000001", "name": "John Smith", "count": 5.0,
		"created": "2024-03-05T10:00:00Z", "active": true,
		"attributes": map[string]any{"city": "São Paulo"},
		"accounts": []any{map[string]any{"name": "jsmith", "source": map[string]any{"name": "HR"},
			"disabled": false}},
	},
	"john.smith": {
		"name": "john.smith", "count": 6.0, "created": "2025-01-01T00:00:00Z",
		"attributes": map[string]any{"city": "Rio"},
		"accounts":   []any{map[string]any{"name": "js", "source": map[string]any{"name": "AD"}, "disabled": true}},
	},
	"Smith, Ann": {"name": "Smith, Ann", "tags": []any{"a", "John"}},
	"--":         {"name": "--"},
}

// found returns the names of the people that an expression finds, one a line.
func found(t *testing.T, e searchql.Expr) string {
	t.Helper()
	query, err := searchql.Check(e, schema(t), searchql.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := query.Where().ToSql(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(people)) {
		if query.Eval(people[name]) {
			names = append(names, name)
		}
	}
	return strings.Join(names, "\n")
}

func TestDSLFinds(t *testing.T) {
	tests := []struct{ name, dsl, want string }{
		{"one word is enough", `{"match":{"name":"ann smith"}}`, "John Smith\nSmith, Ann"},
		{"all words, in any order", `{"match":{"name":{"query":"ann smith","operator":"and"}}}`, "Smith, Ann"},
		{"a phrase has an order", `{"match_phrase":{"name":"ann smith"}}`, ""},
		{"a text without a word", `{"match":{"name":{"query":"--","operator":"and"}}}`, ""},
		{"a whole value has its letter case", `{"term":{"name.exact":"john smith"}}`, ""},
		{"a whole value", `{"match":{"name.exact":{"query":"John Smith","operator":"and"}}}`, "John Smith"},
		{"a match of a whole value has no words", `{"match":{"name.exact":"John Smith"}}`, "John Smith"},
		{"a word of a list", `{"term":{"tags":"john"}}`, "Smith, Ann"},
		{"bool of nothing", `{"bool":{}}`, "--\nJohn Smith\nSmith, Ann\njohn.smith"},
		{"an element has all of it", `{"nested":{"path":"accounts","query":{"bool":{"must":[
			{"term":{"accounts.disabled":false}},{"term":{"accounts.source.name":"hr"}}]}}}}`, "John Smith"},
		{"an end of a range", `{"range":{"count":{"gt":5}}}`, "john.smith"},
		{"a range of dates", `{"range":{"created":{"lte":"2024-03-05"}}}`, "John Smith"},
		{"a range without ends", `{"range":{"count":{}}}`, "John Smith\njohn.smith"},
		{"no ids", `{"ids":{"values":[]}}`, ""},
		{"an id in another form", `{"ids":{"values":["018F0000-0000-7000-8000-000000000001"]}}`, "John Smith"},
		{"one of several ids", `{"match":{"id":"x 018f0000000070008000000000000001"}}`, "John Smith"},
		{"ids that are none", `{"ids":{"values":["x"]}}`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := searchql.ParseDSL([]byte(test.dsl))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, found(t, e)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestFilter(t *testing.T) {
	between := func(lower, upper *searchql.FilterBound) *searchql.FilterRange {
		return &searchql.FilterRange{Lower: lower, Upper: upper}
	}
	tests := []struct {
		name, field string
		filter      searchql.Filter
		tree, want  string
	}{
		{"presence", "count", searchql.Filter{Type: "EXISTS"}, `_exists_:count`, "John Smith\njohn.smith"},
		{"presence, in small letters", "count", searchql.Filter{Type: "exists"}, `_exists_:count`,
			"John Smith\njohn.smith"},
		{"absence", "count", searchql.Filter{Type: "EXISTS", Exclude: true}, `NOT _exists_:count`, "--\nSmith, Ann"},
		{"presence in an element", "@accounts.source.name", searchql.Filter{Type: "EXISTS"},
			`@accounts(_exists_:source.name)`, "John Smith\njohn.smith"},
		{"an end is left out by default", "count", searchql.Filter{Type: "RANGE",
			Range: between(&searchql.FilterBound{Value: "5"}, nil)}, `count:{"5" TO *]`, "john.smith"},
		{"an end that is part of it", "count", searchql.Filter{Type: "RANGE",
			Range: between(nil, &searchql.FilterBound{Value: "5", Inclusive: true})}, `count:[* TO "5"]`, "John Smith"},
		{"both ends", "created", searchql.Filter{Type: "RANGE", Range: between(
			&searchql.FilterBound{Value: "2024-03-05", Inclusive: true}, &searchql.FilterBound{Value: "2025"})},
			`created:["2024-03-05" TO "2025"}`, "John Smith"},
		{"all but a range", "count", searchql.Filter{Type: "RANGE", Exclude: true,
			Range: between(&searchql.FilterBound{Value: "5"}, nil)}, `NOT count:{"5" TO *]`,
			"--\nJohn Smith\nSmith, Ann"},
		{"whole values", "name", searchql.Filter{Type: "TERMS", Terms: []string{"John Smith", "smith, ann"}},
			`name.exact:"John Smith" OR name.exact:"smith, ann"`, "John Smith"},
		{"whole values, with the suffix", "name.exact", searchql.Filter{Type: "TERMS", Terms: []string{"--"}},
			`name.exact:"--"`, "--"},
		{"booleans", "active", searchql.Filter{Type: "TERMS", Terms: []string{"true"}}, `active.exact:"true"`,
			"John Smith"},
		{"all but an element", "@accounts.disabled", searchql.Filter{Type: "TERMS", Terms: []string{"true"},
			Exclude: true},
			`NOT @accounts(disabled.exact:"true")`, "--\nJohn Smith\nSmith, Ann"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := test.filter.Expr(test.field)
			if err != nil {
				t.Fatal(err)
			}
			if got := searchql.Print(e); got != test.tree {
				t.Errorf("it means %s\nwant     %s", got, test.tree)
			}
			if diff := cmp.Diff(test.want, found(t, e)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestFilterFaults(t *testing.T) {
	for name, test := range map[string]struct {
		field  string
		filter searchql.Filter
		want   string
	}{
		"no type":      {"name", searchql.Filter{}, `the type "" is unknown: EXISTS, RANGE and TERMS are known`},
		"another type": {"name", searchql.Filter{Type: "LIKE"}, `the type "LIKE" is unknown`},
		"no range":     {"name", searchql.Filter{Type: "RANGE"}, `a RANGE needs range with lower, upper or both`},
		"a range of none": {"name", searchql.Filter{Type: "RANGE", Range: &searchql.FilterRange{}},
			`lower, upper or both`},
		"no terms": {"name", searchql.Filter{Type: "TERMS"}, `TERMS has 0 terms, 1 to 1024 are allowed`},
		"too many terms": {"name", searchql.Filter{Type: "TERMS", Terms: make([]string, 1025)},
			`TERMS has 1025 terms`},
		"no field":         {"", searchql.Filter{Type: "EXISTS"}, `the name of the field is missing`},
		"a list, no field": {"@accounts", searchql.Filter{Type: "TERMS", Terms: []string{"x"}}, `the field is missing`},
	} {
		if _, err := test.filter.Expr(test.field); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	if _, err := (searchql.Filter{Type: "TERMS", Terms: make([]string, 1024)}).Expr("name"); err != nil {
		t.Errorf("the most terms: %v", err)
	}
}

func TestTextQuery(t *testing.T) {
	names := []string{"name", "attributes.city"}
	tests := []struct {
		name  string
		query searchql.TextQuery
		want  string
	}{
		{"the beginning of a value", searchql.TextQuery{Terms: []string{"john"}, Fields: names},
			"John Smith\njohn.smith"},
		{"not that of a word", searchql.TextQuery{Terms: []string{"smith"}, Fields: names}, "Smith, Ann"},
		{"a part of a value", searchql.TextQuery{Terms: []string{"n sm"}, Fields: names, Contains: true}, "John Smith"},
		{"signs are characters", searchql.TextQuery{Terms: []string{"*"}, Fields: names, Contains: true}, ""},
		{"all terms, in any field", searchql.TextQuery{Terms: []string{"JOHN", "são"}, Fields: names}, "John Smith"},
		{"one term is enough", searchql.TextQuery{Terms: []string{"-", "rio"}, Fields: names, MatchAny: true},
			"--\njohn.smith"},
		{"the suffix of a field", searchql.TextQuery{Terms: []string{"jOHN "}, Fields: []string{"name.exact"}},
			"John Smith"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := test.query.Expr()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, found(t, e)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestTextQueryFaults(t *testing.T) {
	const both, noText = "textQuery needs terms and fields, at most 1024 of both multiplied",
		"textQuery has a term that is empty, or is no text"
	many := strings.Split(strings.Repeat("x,", 31)+"x", ",") // 32
	for name, test := range map[string]struct {
		query searchql.TextQuery
		want  string
	}{
		"no terms":      {searchql.TextQuery{Fields: []string{"name"}}, both},
		"no fields":     {searchql.TextQuery{Terms: []string{"x"}}, both},
		"the most":      {searchql.TextQuery{Terms: many, Fields: many}, ""},
		"more":          {searchql.TextQuery{Terms: many, Fields: append(many[:32:32], "x")}, both},
		"an empty term": {searchql.TextQuery{Terms: []string{"a", ""}, Fields: []string{"name"}}, noText},
		"a NUL":         {searchql.TextQuery{Terms: []string{"a\x00"}, Fields: []string{"name"}}, noText},
		"a longer term": {searchql.TextQuery{Terms: []string{strings.Repeat("x", 65537)}, Fields: []string{"name"}},
			noText},
		"a longest term": {searchql.TextQuery{Terms: []string{strings.Repeat("x", 65536)}, Fields: []string{"name"}},
			""},
	} {
		if _, err := test.query.Expr(); fmt.Sprint(err) != test.want && (err != nil || test.want != "") {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// A NUL, which PostgreSQL does not have in a text, is a fault wherever it comes from.
func TestNULIsNoValue(t *testing.T) {
	const nul = "a\x00"
	for name, e := range map[string]searchql.Expr{
		"a term":    &searchql.Clause{Field: "name", Text: nul},
		"a phrase":  &searchql.Clause{Field: "name", Exact: true, Kind: searchql.Phrase, Text: nul},
		"anywhere":  &searchql.Clause{Text: nul},
		"a pattern": &searchql.Clause{Field: "name", Kind: searchql.Wildcard, Pattern: []rune(nul)},
		"an end":    &searchql.Clause{Field: "name", Kind: searchql.Range, Lower: &searchql.Bound{Text: nul}},
		"the other": &searchql.Clause{Field: "name", Kind: searchql.Range, Upper: &searchql.Bound{Text: nul}},
	} {
		_, err := searchql.Check(e, schema(t), searchql.Options{Now: now})
		var mistake *filterql.Error
		if !errors.As(err, &mistake) || mistake.Kind != filterql.Illegal || mistake.Msg != "NUL character" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
