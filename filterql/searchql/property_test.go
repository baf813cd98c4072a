package searchql_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	sq "github.com/Masterminds/squirrel"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/folding"
	"github.com/muster-engine/muster/filterql/searchql"
	"github.com/muster-engine/muster/store/storetest"
)

var now = time.Date(2026, 11, 29, 19, 30, 15, 123456000, time.UTC)

func convertID(text string) (any, bool) {
	text = strings.ToLower(strings.ReplaceAll(text, "-", ""))
	if len(text) != 32 || strings.Trim(text, "0123456789abcdef") != "" {
		return nil, false
	}
	return text, true
}

// foldSQL is [folding.Text] as package store writes it in SQL.
func foldSQL(x string) string {
	return `normalize(replace(lower(upper(normalize(` + x + `) COLLATE "und-x-icu")), 'ς', 'σ') COLLATE "C")`
}

func text(name, column string) searchql.Field {
	return searchql.Field{Name: name, Type: filterql.String, Column: column, Key: foldSQL(column)}
}

// schema is that of the table d of this test: a column for each type, a list in a document, and a nested list.
func schema(t rapid.TB) *searchql.Schema { return schemaOf(t, false) }

// schemaOf is that schema, in which all fields of the index over words may be bare, with one for the rest of it.
func schemaOf(t rapid.TB, whole bool) *searchql.Schema {
	t.Helper()
	id := searchql.Field{Name: "id", Type: filterql.ID, Column: `replace(d.id::text, '-', '')`,
		Text: `replace(d.id::text, '-', '')`, Convert: convertID, NotNull: true, Bare: true, Indexed: true,
		Sort: `replace(d.id::text, '-', '') COLLATE "C"`}
	name := searchql.Field{Name: "name", Type: filterql.String, Column: "d.name", Key: "d.name_key", Indexed: true,
		Bare: true, Sort: "d.name_key"}
	name.Words, name.Tag, name.Beginnings = "d.words", searchql.Tag("name"), true
	city := text("attributes.city", `(d.attributes ->> 'city')`)
	city.Words, city.Tag = "d.words", searchql.Tag("attributes.city")
	city.Bare, city.Sort = true, city.Key
	tags := text("tags", `(x.value #>> '{}')`)
	tags.From = `jsonb_array_elements(d.tags) x (value) WHERE true`
	tags.Words, tags.Tag = "d.words", searchql.Tag("tags")
	tags.All = `d y CROSS JOIN LATERAL jsonb_array_elements(y.tags) x (value) WHERE true`
	state := text("state", "d.state")
	state.OneOf = states
	inner, err := searchql.NewSchema([]searchql.Field{
		text("name", "e.name"), text("source.name", "e.source"),
		{Name: "disabled", Type: filterql.Boolean, Column: "e.disabled"},
	})
	if err != nil {
		t.Fatal(err)
	}
	inner2 := searchql.List{Name: "accounts", From: "e WHERE e.document_id = d.id", Schema: inner}
	fields := []searchql.Field{
		id, name, city, tags, state,
		{Name: "count", Type: filterql.Number, Column: "d.count", Sort: "d.count"},
		{Name: "manager.id", Type: filterql.ID, Column: `replace(d.manager::text, '-', '')`,
			Text: `replace(d.manager::text, '-', '')`, Convert: convertID},
		{Name: "active", Type: filterql.Boolean, Column: "d.active", Sort: "d.active"},
		{Name: "created", Type: filterql.Time, Column: "d.created", Sort: "d.created"},
	}
	if whole {
		fields[3].Bare = true
		rest := text("attributes", `(x.value #>> '{}')`)
		rest.From, rest.Words, rest.Bare = `jsonb_path_query(d.attributes, '$.*[*]') x (value) WHERE true`, "d.words", true
		fields = append(fields, rest)
	}
	s, err := searchql.NewSchema(fields, inner2)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	texts = []string{
		"john", "John", "JOHN SMITH", "john.smith", "smith", "Smyth", "adam.archer", "ad-admin", "steve@acme.com",
		"Straße", "STRASSE", "o'neill", "a..b", ".a.", "a_b", "100%", "x\\y", "Zoë", "Zoe\u0308", "2024-03-05",
		"2024-03-05T10:00:00Z", "5", "-7.25", "0010", "sao paulo", "São  Paulo", "a b c", "", " ", "İstanbul", "ß", "a\tb\nc",
		"日本 語", "’tis", "a/b:c", "*", "?", "true",
	}
	patterns = []string{
		"j*", "*smith", "*mi*", "sm?th", "john.*", "*@acme.com", "s*e", "a?b", "??", "*a*b*", "A*", "100*", "x\\*", "s?o*",
		"*.*", "'*", "*'*", "?*", "2024*",
	}
	expressions = []string{
		"[a-c].*", "jo(hn|e)", "[^a-m]+", "s.{2,4}", "(ab?)*", "smith|smyth", ".", ".*", "[A-J]ohn", "a\\.b", "[0-9]+", "ß",
		"a\\ b", "[ -~]{1,3}", "", "()", "x|", "\\*", "[^ ]", "o'n.+",
	}
	dates = []string{
		"2024", "2024-03", "2024-03-05", "2024-03-05T10", "2024-03-05T10:00:00", "2024-03-05T10:00:00Z", "now",
		"now-2y/y", "now/M", "2024-03-05||+1d", "2024-01-31||+1M/d", "now-3w/w",
	}
	numbers = []string{"5", "-7.25", "0", "3", "10"}
	states  = []string{"ACTIVE", "IN_USE", "a.b"}
	ids     = []string{
		"018f0000000070008000000000000001", "018f0000-0000-7000-8000-000000000002", "018F0000000070008000000000000003", "x",
	}
)

// drawClause makes a condition that a schema accepts on a field.
func drawClause(t *rapid.T, s *searchql.Schema) searchql.Expr {
	fields := s.Fields()
	i := rapid.IntRange(-1, len(fields)).Draw(t, "field")
	switch {
	case i == -1:
		return drawText(t, "", false)
	case i == len(fields):
		return &searchql.Clause{Field: rapid.SampledFrom([]string{"manager", "nobody", "attributes"}).Draw(t, "object"),
			Kind: searchql.Exists}
	}
	f := fields[i]
	if rapid.IntRange(0, 9).Draw(t, "presence") == 0 {
		return &searchql.Clause{Field: f.Name, Kind: searchql.Exists}
	}
	switch f.Type {
	case filterql.Boolean:
		return &searchql.Clause{Field: f.Name, Text: rapid.SampledFrom([]string{"true", "false"}).Draw(t, "boolean")}
	case filterql.Number:
		return drawValue(t, f.Name, numbers)
	case filterql.Time:
		return drawValue(t, f.Name, dates)
	case filterql.ID:
		if rapid.Bool().Draw(t, "wildcard") {
			return &searchql.Clause{Field: f.Name, Kind: searchql.Wildcard,
				Pattern: rapid.SampledFrom([][]rune{
					{'0', '1', '8', 'F', searchql.AnyText}, {searchql.AnyText, '1'}, {searchql.AnyText, '0', searchql.AnyCharacter},
				}).Draw(t, "pattern")}
		}
		return drawValue(t, f.Name, ids)
	}
	return drawText(t, f.Name, rapid.Bool().Draw(t, "exact"))
}

// drawValue makes an equality or a range.
func drawValue(t *rapid.T, field string, values []string) searchql.Expr {
	value := rapid.SampledFrom(values)
	switch rapid.IntRange(0, 3).Draw(t, "form") {
	case 0:
		return &searchql.Clause{Field: field, Text: value.Draw(t, "value")}
	case 1:
		return &searchql.Clause{Field: field, Kind: searchql.Phrase, Text: value.Draw(t, "value")}
	default:
		return drawRange(t, field, false, value)
	}
}

func drawRange(t *rapid.T, field string, exact bool, value *rapid.Generator[string]) *searchql.Clause {
	c := &searchql.Clause{Field: field, Exact: exact, Kind: searchql.Range}
	for _, end := range []**searchql.Bound{&c.Lower, &c.Upper} {
		if rapid.IntRange(0, 4).Draw(t, "open") > 0 {
			*end = &searchql.Bound{Text: value.Draw(t, "end"), Inclusive: rapid.Bool().Draw(t, "inclusive")}
		}
	}
	return c
}

func drawText(t *rapid.T, field string, exact bool) searchql.Expr {
	c := &searchql.Clause{Field: field, Exact: exact}
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		c.Text = rapid.SampledFrom(texts).Filter(func(s string) bool { return s != "" }).Draw(t, "term")
	case 1:
		c.Kind, c.Text = searchql.Phrase, rapid.SampledFrom(texts).Draw(t, "phrase")
	case 2:
		c.Kind = searchql.Wildcard
		for _, r := range rapid.SampledFrom(patterns).Draw(t, "pattern") {
			switch r {
			case '*':
				r = searchql.AnyText
			case '?':
				r = searchql.AnyCharacter
			}
			c.Pattern = append(c.Pattern, r)
		}
	case 3:
		c.Kind, c.Text = searchql.Regexp, rapid.SampledFrom(expressions).Draw(t, "expression")
	case 4:
		c.Text, c.AnyWord = rapid.SampledFrom(texts).Draw(t, "any of")+" john", true
	default:
		if field == "" {
			c.Text = "jo"
			break
		}
		from := [][]string{texts, dates, numbers}[rapid.IntRange(0, 2).Draw(t, "of")]
		return drawRange(t, field, exact, rapid.SampledFrom(from))
	}
	return c
}

func drawExpr(t *rapid.T, s *searchql.Schema, depth int) searchql.Expr {
	form := 0
	if depth > 0 {
		form = rapid.IntRange(0, 5).Draw(t, "expression")
	}
	terms := func() []searchql.Expr {
		var list []searchql.Expr
		for range rapid.IntRange(2, 3).Draw(t, "terms") {
			list = append(list, drawExpr(t, s, depth-1))
		}
		return list
	}
	switch form {
	case 1:
		return &searchql.And{Terms: terms()}
	case 2:
		return &searchql.Or{Terms: terms()}
	case 3:
		return &searchql.Not{X: drawExpr(t, s, depth-1)}
	case 4:
		if list := s.List("accounts"); list != nil {
			return &searchql.Nested{Name: "accounts", X: drawExpr(t, list.Schema, depth-1)}
		}
		return &searchql.All{}
	default:
		return drawClause(t, s)
	}
}

// drawDocuments fills the tables d and e with random rows, and returns them as documents.
func drawDocuments(t *rapid.T, pool *pgxpool.Pool) []map[string]any {
	exec(t, pool, `DELETE FROM e`)
	exec(t, pool, `DELETE FROM d`)
	var documents []map[string]any
	some := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) > 0 }
	for i := range rapid.IntRange(1, 12).Draw(t, "documents") {
		id := fmt.Sprintf("018f00000000700080000000%08d", i+1)
		doc := map[string]any{"id": id}
		var name, city, manager, created, active, count any
		if some("named") {
			name = rapid.SampledFrom(texts).Draw(t, "name")
			doc["name"] = name
		}
		attributes := map[string]any{}
		if some("in a city") {
			city = rapid.SampledFrom(texts).Draw(t, "city")
			attributes["city"] = city
		}
		doc["attributes"] = attributes
		tags := []any{}
		for range rapid.IntRange(0, 2).Draw(t, "tags") {
			tags = append(tags, rapid.SampledFrom(texts).Draw(t, "tag"))
		}
		doc["tags"] = tags
		if some("counted") {
			count = rapid.SampledFrom([]float64{0, 3, 5, -7.25}).Draw(t, "count")
			doc["count"] = count
		}
		if some("managed") {
			manager = fmt.Sprintf("018f00000000700080000000%08d", rapid.IntRange(1, 3).Draw(t, "manager"))
			doc["manager"] = map[string]any{"id": manager}
		}
		if some("flagged") {
			active = rapid.Bool().Draw(t, "active")
			doc["active"] = active
		}
		if some("dated") {
			at := rapid.SampledFrom([]time.Time{
				now, now.Add(-time.Microsecond), time.Date(2024, 3, 5, 10, 0, 0, 0, time.UTC),
				time.Date(2024, 3, 4, 23, 30, 0, 0, time.UTC), time.Date(2024, 3, 6, 0, 0, 0, 0, time.UTC),
				time.Date(2024, 12, 31, 23, 59, 59, 999999000, time.UTC),
			}).Draw(t, "created")
			created, doc["created"] = at, at.Format(time.RFC3339Nano)
		}
		var state any
		if some("in a state") {
			state = rapid.SampledFrom(states).Draw(t, "state")
			doc["state"] = state
		}
		encodedAttributes, _ := json.Marshal(attributes)
		encodedTags, _ := json.Marshal(tags)
		var key any
		if name != nil {
			key = folding.Text(name.(string))
		}
		var words any // the index does not have those of every document
		if some("indexed") {
			words = wordsOf(doc)
		}
		exec(t, pool, `INSERT INTO d (id, name, name_key, attributes, tags, count, manager, active, created, state, words)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::tsvector)`, id, name, key, encodedAttributes,
			encodedTags, count, manager, active, created, state, words)
		accounts := []any{}
		for range rapid.IntRange(0, 2).Draw(t, "accounts") {
			name, source := rapid.SampledFrom(texts).Draw(t, "account"), rapid.SampledFrom(texts).Draw(t, "source")
			disabled := rapid.Bool().Draw(t, "disabled")
			accounts = append(accounts, map[string]any{
				"name": name, "source": map[string]any{"name": source}, "disabled": disabled,
			})
			exec(t, pool, `INSERT INTO e (document_id, name, source, disabled) VALUES ($1, $2, $3, $4)`, id, name, source,
				disabled)
		}
		doc["accounts"] = accounts
		documents = append(documents, doc)
	}
	return documents
}

// wordsOf returns what an index over words has of a document.
func wordsOf(doc map[string]any) string {
	var lexemes searchql.Lexemes
	for _, field := range []string{"name", "attributes.city", "tags"} {
		for _, value := range searchql.Values(doc, field) {
			lexemes.Add(folding.Text(value.(string)), searchql.Tag(field), field == "name")
		}
	}
	text, _ := lexemes.Text()
	return text
}

func exec(t rapid.TB, pool *pgxpool.Pool, statement string, arguments ...any) {
	t.Helper()
	if _, err := pool.Exec(context.Background(), statement, arguments...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

const tables = `
	CREATE TABLE d (id uuid PRIMARY KEY, name text COLLATE "C", name_key text COLLATE "C", attributes jsonb, tags jsonb,
	    count double precision, manager uuid, active boolean, created timestamptz, state text COLLATE "C", words tsvector);
	CREATE TABLE e (document_id uuid, name text COLLATE "C", source text COLLATE "C", disabled boolean)`

// The documents that the SQL finds are those that Eval finds, and a tree that is printed parses to itself.
func TestFoundDocumentsProperty(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool := storetest.Empty(t)
	exec(t, pool, tables)
	rapid.Check(t, func(t *rapid.T) {
		s := schemaOf(t, rapid.Bool().Draw(t, "every field of the index is bare"))
		documents := drawDocuments(t, pool)
		for range 8 {
			e := drawExpr(t, s, 3)
			query, err := searchql.Check(e, s, searchql.Options{Now: now})
			if err != nil {
				t.Fatalf("%s: %v", searchql.Print(e), err)
			}
			want := []string{}
			for _, document := range documents {
				if query.Eval(document) {
					want = append(want, document["id"].(string))
				}
			}
			if diff := cmp.Diff(want, findBranches(t, pool, query)); diff != "" {
				t.Fatalf("%s by its branches\n-evaluated +selected\n%s", searchql.Print(e), diff)
			}
			if diff := cmp.Diff(want, find(t, pool, query)); diff != "" {
				text, arguments, _ := query.Where().ToSql()
				t.Fatalf("%s\n%s\n%q\n-evaluated +selected\n%s", searchql.Print(e), text, arguments, diff)
			}
		}
	})
}

// findBranches returns what the branches of a query find together.
func findBranches(t rapid.TB, pool *pgxpool.Pool, query *searchql.Query) []string {
	t.Helper()
	found := []string{}
	for _, branch := range query.Branches() {
		found = append(found, findWhere(t, pool, branch)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func find(t rapid.TB, pool *pgxpool.Pool, query *searchql.Query) []string {
	t.Helper()
	return findWhere(t, pool, query.Where())
}

func findWhere(t rapid.TB, pool *pgxpool.Pool, where sq.Sqlizer) []string {
	t.Helper()
	statement := sq.Select(`replace(d.id::text, '-', '')`).From("d").Where(where).OrderBy("d.id")
	text, arguments, err := statement.PlaceholderFormat(sq.Dollar).ToSql()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := pool.Query(context.Background(), text, append([]any{pgx.QueryExecModeDescribeExec}, arguments...)...)
	if err == nil {
		var ids []string
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		if err == nil {
			return slices.Clip(append([]string{}, ids...))
		}
	}
	t.Fatalf("%s %q: %v", text, arguments, err)
	return nil
}

// A tree of clauses parses to itself when it is printed.
func TestPrintProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawExpr(t, schema(t), 3)
		if !printable(e) {
			t.Skip("no text means this")
		}
		text := searchql.Print(e)
		again, err := searchql.Parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := searchql.Print(again); got != text {
			t.Fatalf("%s\nbecomes %s", text, got)
		}
	})
}

// printable reports whether a tree has a text. A term of any words comes only from a query in JSON, and an empty one
// from nowhere; a double negation is none.
func printable(e searchql.Expr) bool {
	switch e := e.(type) {
	case *searchql.And:
		return !slices.ContainsFunc(e.Terms, func(x searchql.Expr) bool { return !printable(x) })
	case *searchql.Or:
		return !slices.ContainsFunc(e.Terms, func(x searchql.Expr) bool { return !printable(x) })
	case *searchql.Not:
		_, twice := e.X.(*searchql.Not)
		return !twice && printable(e.X)
	case *searchql.Nested:
		return printable(e.X)
	case *searchql.Clause:
		return !e.AnyWord && (e.Kind != searchql.Regexp || !strings.HasSuffix(e.Text, `\`))
	}
	return true
}
