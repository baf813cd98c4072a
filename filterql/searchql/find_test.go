package searchql_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
)

// indexed is a schema whose fields have an index.
func indexed(t *testing.T) *searchql.Schema {
	t.Helper()
	inner, err := searchql.NewSchema([]searchql.Field{
		{Name: "id", Type: filterql.ID, Column: "e.id", Text: "e.id", Convert: convertID, Indexed: true},
		{Name: "name", Type: filterql.String, Column: "e.name", Key: "e.name_key"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := searchql.NewSchema([]searchql.Field{
		{Name: "id", Type: filterql.ID, Column: "d.id", Text: "d.id::text", Convert: convertID, Indexed: true},
		{Name: "name", Type: filterql.String, Column: "d.name", Key: "d.name_key", Indexed: true},
		{Name: "city", Type: filterql.String, Column: "d.city", Key: "d.city_key"},
		{Name: "tags", Type: filterql.String, Column: "x.tag", Key: "x.tag", From: "d.tags x (tag) WHERE true"},
		{Name: "count", Type: filterql.Number, Column: "d.count", Indexed: true},
		{Name: "created", Type: filterql.Time, Column: "d.created", Indexed: true, NotNull: true},
		{Name: "active", Type: filterql.Boolean, Column: "d.active", Indexed: true},
	}, searchql.List{Name: "access", From: "e WHERE e.d = d.id", Indexed: true, Schema: inner},
		searchql.List{Name: "accounts", From: "f WHERE f.d = d.id", Schema: inner})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The beginning of a whole value is a range of the index over the folded text, up to the first text behind all that
// begin so. Its last character is left out: what follows may be composed with it in the folded text.
func TestBeginningIsARangeOfTheIndex(t *testing.T) {
	const maxRune = "\U0010ffff"
	tests := []struct {
		text      string
		want      string
		arguments []any
	}{
		{`name.exact:Ab*`, `(d.name_key >= ? AND d.name_key < ? AND d.name LIKE ?)`, []any{"a", "b", "Ab%"}},
		{`name.exact:ABC?e`, `(d.name_key >= ? AND d.name_key < ? AND d.name LIKE ?)`, []any{"ab", "ac", "ABC_e"}},
		{`name.exact:az\_b*`, `(d.name_key >= ? AND d.name_key < ? AND d.name LIKE ?)`, []any{"az_", "az`", `az\_b%`}},
		{`name.exact:a*`, `(d.name LIKE ?)`, []any{"a%"}},
		{`name.exact:*ab`, `(d.name LIKE ?)`, []any{"%ab"}},
		{`city.exact:ab*`, `(d.city LIKE ?)`, []any{"ab%"}},
		{"name.exact:a\ud7ffb*", `(d.name_key >= ? AND d.name_key < ? AND d.name LIKE ?)`,
			[]any{"a\ud7ff", "a\ue000", "a\ud7ffb%"}},
		{"name.exact:a" + maxRune + "b*", `(d.name_key >= ? AND d.name_key < ? AND d.name LIKE ?)`,
			[]any{"a" + maxRune, "b", "a" + maxRune + "b%"}},
		{"name.exact:" + maxRune + "b*", `(d.name_key >= ? AND d.name LIKE ?)`, []any{maxRune, maxRune + "b%"}},
		{`id:018F*`, `(d.id::text LIKE ?)`, []any{"018f%"}},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			query, err := searchql.ParseQuery(test.text, indexed(t), searchql.Options{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			got, arguments, err := query.Where().ToSql()
			if err != nil || got != test.want {
				t.Errorf("%s, %v\nwant %s", got, err, test.want)
			}
			if diff := cmp.Diff(test.arguments, arguments); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// SQL of negations, ranges and IDs.
func TestWhere(t *testing.T) {
	at := func(text string) time.Time {
		instant, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return instant
	}
	// The words of a text are long in SQL, so they are taken from the query of one word.
	one, err := searchql.ParseQuery("city:x", indexed(t), searchql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	words, _, err := one.Where().ToSql()
	words = strings.TrimSuffix(strings.TrimPrefix(words, "(d.city_key LIKE ? AND "), " LIKE ?)")
	if err != nil || !strings.HasPrefix(words, "regexp_replace(") || !strings.HasSuffix(words, ")") {
		t.Fatal(words, err)
	}
	const id1, id2 = "018f0000000070008000000000000001", "018f0000000070008000000000000002"
	tests := []struct {
		text      string
		want      string
		arguments []any
	}{
		{`*`, `TRUE`, nil},
		{`nobody:x`, `FALSE`, nil},
		{`id:x`, `FALSE`, nil},
		{`id:` + id1, `d.id = ?`, []any{id1}},
		{`id:(` + id1 + ` OR ` + id2 + `)`, `d.id = ANY (?)`, []any{[]string{id1, id2}}},
		{`NOT _exists_:city`, `d.city IS NULL`, nil},
		{`NOT name.exact:Ann`, `((d.name_key = ? AND d.name = ?)) IS NOT TRUE`, []any{"ann", "Ann"}},
		{`NOT @accounts(_exists_:name)`, `NOT EXISTS (SELECT 1 FROM f WHERE f.d = d.id AND e.name IS NOT NULL)`, nil},
		{`_exists_:created`, `TRUE`, nil},
		{`active:FALSE`, `d.active = FALSE`, nil},
		{`count:>=5`, `(d.count >= ?::numeric)`, []any{"5.000000000000000000"}},
		{`count:[* TO *]`, `(d.count IS NOT NULL)`, nil},
		{`created:{2024 TO 2025-02}`, `(d.created >= ? AND d.created < ?)`,
			[]any{at("2025-01-01T00:00:00Z"), at("2025-02-01T00:00:00Z")}},
		{`city.exact:[a TO b}`, `((d.city) COLLATE "C" >= ? AND (d.city) COLLATE "C" < ?)`, []any{"a", "b"}},
		{`city:[A TO B]`, `(d.city_key >= ? AND d.city_key <= ?)`, []any{"a", "b"}},
		{`id:[0 TO A}`, `((d.id::text) COLLATE "C" >= ? AND (d.id::text) COLLATE "C" < ?)`, []any{"0", "a"}},
		{`id:/0.*/`, `d.id::text ~ ?`, []any{"^(?:(?:0)(?:.)*)$"}},
		{`_exists_:tags`, `EXISTS (SELECT 1 FROM d.tags x (tag) WHERE true AND x.tag IS NOT NULL)`, nil},
		{`NOT _exists_:tags`, `(EXISTS (SELECT 1 FROM d.tags x (tag) WHERE true AND x.tag IS NOT NULL)) IS NOT TRUE`,
			nil},
		{`tags.exact:A`, `EXISTS (SELECT 1 FROM d.tags x (tag) WHERE true AND (x.tag = ?))`, []any{"A"}},
		{`city:*@Acme.com`, `d.city_key LIKE ?`, []any{"%@acme.com"}},
		{`city:a\ b?`, `d.city_key LIKE ?`, []any{"a b_"}},
		{`city:John`, `(d.city_key LIKE ? AND WORDS LIKE ?)`, []any{"%john%", "% john %"}},
		{`city:"a_b 100"`, `(d.city_key LIKE ? AND WORDS LIKE ?)`, []any{`%a\_b%`, `% a\_b 100 %`}},
		{`city:Jo*`, `(d.city_key LIKE ? AND WORDS LIKE ?)`, []any{"%jo%", "% jo%"}},
		{`city:*Jo`, `(d.city_key LIKE ? AND WORDS LIKE ?)`, []any{"%jo%", "%jo %"}},
		{`city:*a_b*`, `(d.city_key LIKE ? AND WORDS LIKE ?)`, []any{`%a\_b%`, `%a\_b%`}},
		{`city:J?h*n.s`, `(d.city_key LIKE ? AND WORDS ~ ?)`, []any{"%n.s%", ` j[^ ]h[^ ]*n\.s `}},
		{`city:??`, `(WORDS ~ ?)`, []any{" [^ ][^ ] "}},
		{`city:/J.n/`, `WORDS ~ ?`, []any{" (?:(?:j)(?:[^\\U00000020-\\U00000020])(?:n)) "}},
		{`city.exact:/J.n\./`, `d.city ~ ?`, []any{`^(?:(?:J)(?:.)(?:n)(?:\.))$`}},
		{`city:[2024 TO now]`, `(d.city ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)*$' AND ` +
			`((d.city) COLLATE "C" >= ? AND (d.city) COLLATE "C" <= ?))`, []any{"2024-01-01",
			"2026-11-29T19:30:15.123456"}},
		{`city:>=-1.5`,
			`((CASE WHEN d.city ~ '^[+-]{0,1}[0-9]{1,18}(\.[0-9]{1,18}){0,1}$' THEN (d.city)::numeric END) ` +
				`>= ?::numeric)`, []any{"-1.5"}},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			query, err := searchql.ParseQuery(test.text, indexed(t), searchql.Options{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			got, arguments, err := query.Where().ToSql()
			if want := strings.ReplaceAll(test.want, "WORDS", words); err != nil || got != want {
				t.Errorf("%s, %v\nwant %s", got, err, want)
			}
			if diff := cmp.Diff(test.arguments, arguments); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// Which queries an index serves: docs/search.md has the list.
func TestServedByAnIndex(t *testing.T) {
	for text, want := range map[string]bool{
		`id:x`: true, `id:01*`: false, `count:5`: true, `created:>2024`: true, `active:true`: false,
		`city.exact:x`:     false,
		`name.exact:/a.*/`: false, `name:"x"`: false, `name.exact:ab*`: true, `name.exact:a?c`: false,
		`@access(id:018f0000000070008000000000000001)`: true,
		`@access(name:x)`: false,
		`@access(*)`:      false,
		`@accounts(id:018f0000000070008000000000000001)`: false,
		`id:x OR count:5`: true,
		`NOT id:x`:        false,
		`_exists_:name`:   false,
	} {
		query, err := searchql.ParseQuery(text, indexed(t), searchql.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if got := query.Served(); got != want {
			t.Errorf("%s is served: %v, want %v", text, got, want)
		}
	}
}

// What an evaluator finds in a document: also in lists, in objects, and in values of their own types.
func TestEval(t *testing.T) {
	var decoded map[string]any
	if err := json.Unmarshal([]byte(`{"name":"5","count":-7.5,"tags":[null,"a",["b"]],"created":"2024-03-05T10:00:00Z",
		"attributes":{"city":["Rio",{"part":"Sul"}]},"active":false,"manager":null}`), &decoded); err != nil {
		t.Fatal(err)
	}
	typed := map[string]any{"name": json.Number("5"), "count": 7, "created": time.Date(2024, 3, 5, 0, 0, 0, 0,
		time.UTC),
		"tags": []any{true, int64(12), 1.5, time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)}, "attributes": "x"}
	tests := []struct {
		text           string
		decoded, typed bool
	}{
		{`name:5`, true, true},
		{`name:[4 TO 5.5]`, true, true},
		{`name:{5 TO *]`, false, false},
		{`name:[* TO 5]`, true, true},
		{`name:[a TO b]`, false, false},
		{`count:<0`, true, false},
		{`count:7`, false, true},
		{`tags:(b OR 12)`, true, true},
		{`tags:12`, false, true},
		{`tags.exact:true`, false, true},
		{`tags.exact:(a OR 1.5)`, true, true},
		{`tags.exact:[A TO Z]`, false, false},
		{`name.exact:?`, true, true},
		{`name:*\\-*`, false, false},
		{`tags:[1.2 TO 2]`, false, true},
		{`tags:[2024-01-02 TO 2024-01-02]`, false, true},
		{`tags:[2024-01-03 TO *]`, false, false},
		{`attributes.city:rio`, true, false},
		{`attributes.city:sul`, true, false},
		{`_exists_:attributes.city`, true, false},
		{`_exists_:attributes`, true, false},
		{`_exists_:manager`, false, false},
		{`active:false`, true, false},
		{`created:2024-03-05`, true, true},
		{`created:>2024-03-05`, false, false},
		{`@accounts(name:x)`, false, false},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			query, err := searchql.ParseQuery(test.text, schema(t), searchql.Options{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			if got := query.Eval(decoded); got != test.decoded {
				t.Errorf("it finds the decoded document: %v, want %v", got, test.decoded)
			}
			if got := query.Eval(typed); got != test.typed {
				t.Errorf("it finds the typed document: %v, want %v", got, test.typed)
			}
		})
	}
}

func TestNoDates(t *testing.T) {
	for _, text := range []string{
		"2024||", "2024-13", "2024-02-30", "20240305", "02/12/2024", "now/", "now/7d", "now*7d", "now+7", "now+7x",
		"now+12345678d", "now+", "2024-01-01|+1d", "now7d", "2024-03-05T25", "9999||+1y", "0000||-1d", "",
		"2024-03-05 10:00",
	} {
		c := &searchql.Clause{Field: "created", Kind: searchql.Phrase, Text: text}
		_, err := searchql.Check(c, schema(t), searchql.Options{Now: now})
		var mistake *filterql.Error
		if !errors.As(err, &mistake) || mistake.Msg != fmt.Sprintf("%q is no date, which \"created\" is", text) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A value of a wrong type is a fault at its place.
func TestWrongValues(t *testing.T) {
	tests := []struct{ text, msg, at string }{
		{`count:[1 TO x]`, `"x" is no number, which "count" is`, `x`},
		{`count:>x`, `"x" is no number, which "count" is`, `x`},
		{`count:1e3`, `"1e3" is no number, which "count" is`, `count:1e3`},
		{`count:/5/`, `a regular expression is not for a number, which "count" is`, `count:/5/`},
		{`created:[x TO 2024]`, `"x" is no date, which "created" is`, `x`},
		{`created:2024*`, `a wildcard is not for a date-time, which "created" is`, `created:2024*`},
		{`active:t*`, `a wildcard is not for a boolean, which "active" is`, `active:t*`},
		{`created:x`, `"x" is no date, which "created" is`, `created:x`},
		{`name:a AND (NOT count:x OR name:b)`, `"x" is no number, which "count" is`, `count:x`},
		{`@accounts(disabled:x)`, `"x" is no boolean, which "disabled" is`, `disabled:x`},
		{`name:"a`, `the phrase has no closing quote`, `"a`},
		{`/a{/`, `regular expression: a repetition that has no numbers`, `/a{/`},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			_, err := searchql.ParseQuery(test.text, schema(t), searchql.Options{Now: now})
			var mistake *filterql.Error
			if !errors.As(err, &mistake) || mistake.Msg != test.msg ||
				mistake.Text[mistake.Pos:mistake.End] != test.at {
				t.Errorf("the error is %v, want %s at %s", err, test.msg, test.at)
			}
		})
	}
	for _, field := range []string{"count", "created"} { // by hand
		c := &searchql.Clause{Field: field, Kind: searchql.Range, Upper: &searchql.Bound{Text: "soon"}}
		_, err := searchql.Check(c, schema(t), searchql.Options{Now: now})
		var mistake *filterql.Error
		if !errors.As(err, &mistake) || mistake.Text != "soon" {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestUnknownLists(t *testing.T) {
	plain, err := searchql.NewSchema([]searchql.Field{{Name: "count", Type: filterql.Number, Column: "d.count"}})
	if err != nil {
		t.Fatal(err)
	}
	e := &searchql.Nested{Name: "groups", X: &searchql.All{}}
	for hint, s := range map[string]*searchql.Schema{
		"there are @access, @accounts": indexed(t), "these documents have none": plain,
	} {
		_, err := searchql.Check(e, s, searchql.Options{})
		var mistake *filterql.Error
		if !errors.As(err, &mistake) || mistake.Text != "groups" || mistake.Hint != hint ||
			mistake.Msg != `there is no nested list "groups"` {
			t.Errorf("%v, want the hint %s", err, hint)
		}
	}
	if _, err := searchql.Check(nil, plain, searchql.Options{}); err == nil {
		t.Error("no expression is no error")
	}
	query, err := searchql.ParseQuery(`accounts:x`, indexed(t), searchql.Options{})
	want := `"accounts" is part of a nested list, which is searched by @accounts(...:...): it finds nothing here`
	if err != nil || strings.Join(query.Notes(), "") != want {
		t.Errorf("%v, %q", err, query.Notes())
	}
}
