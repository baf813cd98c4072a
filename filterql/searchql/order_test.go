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

// sortable is a schema with a field of each type, and one that cannot be sorted by.
func sortable(t *testing.T) *searchql.Schema {
	t.Helper()
	id := searchql.Field{Name: "id", Type: filterql.ID, Column: "d.id", Text: "d.id", Convert: convertID, NotNull: true,
		Sort: "d.id"}
	s, err := searchql.NewSchema([]searchql.Field{
		id,
		{Name: "name", Type: filterql.String, Column: "d.name", Key: "d.name_key", NotNull: true, Sort: "d.name_key"},
		{Name: "city", Type: filterql.String, Column: "d.city", Key: "d.city_key", Sort: "d.city_key"},
		{Name: "count", Type: filterql.Number, Column: "d.count", Sort: "d.count"},
		{Name: "active", Type: filterql.Boolean, Column: "d.active", Sort: "d.active"},
		{Name: "created", Type: filterql.Time, Column: "d.created", Sort: "d.created"},
		{Name: "tags", Type: filterql.String, Column: "x.tag", Key: "x.tag", From: "d.tags x (tag) WHERE true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseOrder(t *testing.T) {
	var most []string
	for i := range searchql.SortMax {
		most = append(most, fmt.Sprintf("attributes.a%d", i))
	}
	tests := []struct {
		sort    []string
		text    string
		orderBy []string
	}{
		{nil, "id", []string{"d.id"}},
		{[]string{}, "id", []string{"d.id"}},
		{[]string{"id"}, "id", []string{"d.id"}},
		{[]string{"-id"}, "-id", []string{"d.id DESC"}},
		{[]string{"name"}, "name,id", []string{"d.name_key", "d.id"}},
		{[]string{"+name"}, "name,id", []string{"d.name_key", "d.id"}},
		{[]string{" name.exact "}, "name,id", []string{"d.name_key", "d.id"}},
		{[]string{"-name"}, "-name,-id", []string{"d.name_key DESC", "d.id DESC"}},
		{[]string{"-city", "count"}, "-city,count,id", []string{"d.city_key DESC NULLS LAST", "d.count", "d.id"}},
		{[]string{"name", "-created"}, "name,-created,-id",
			[]string{"d.name_key", "d.created DESC NULLS LAST", "d.id DESC"}},
		{[]string{"-name", "id"}, "-name,id", []string{"d.name_key DESC", "d.id"}},
		{[]string{"id", "active"}, "id,active", []string{"d.id", "d.active"}},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.sort, ","), func(t *testing.T) {
			order, err := searchql.ParseOrder(test.sort, sortable(t), "id")
			if err != nil {
				t.Fatal(err)
			}
			if got := order.String(); got != test.text {
				t.Errorf("it is %s, want %s", got, test.text)
			}
			if diff := cmp.Diff(test.orderBy, order.OrderBy()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			for i, column := range order.Columns() {
				if first, _, descending := strings.Cut(test.orderBy[i], " DESC"); column != first ||
					order.Descending()[i] != descending {
					t.Errorf("the column %d is %s, downwards %v; want %s", i, column, order.Descending()[i],
						test.orderBy[i])
				}
			}
		})
	}
	t.Run("the most", func(t *testing.T) {
		all := func(name string) (searchql.Field, bool) {
			return searchql.Field{Name: name, Type: filterql.Number, Column: "x", Sort: "x"}, true
		}
		if _, err := searchql.ParseOrder(most, sortable(t).WithResolver(all), "id"); err != nil {
			t.Error(err)
		}
	})
}

func TestParseOrderFaults(t *testing.T) {
	tests := []struct {
		name     string
		sort     []string
		tieBreak string
		kind     filterql.ErrorKind
		want     string
	}{
		{"an unknown field", []string{"name", "-nobody"}, "id", filterql.Illegal,
			`there is no field "nobody" to sort by`},
		{"another case", []string{"Name"}, "id", filterql.Illegal, `there is no field "Name" to sort by`},
		{"no name", []string{""}, "id", filterql.Illegal, `there is no field "" to sort by`},
		{"two signs", []string{"--name"}, "id", filterql.Illegal, `there is no field "-name" to sort by`},
		{"both signs", []string{"+-name"}, "id", filterql.Illegal, `there is no field "-name" to sort by`},
		{"several values", []string{"tags"}, "id", filterql.Illegal, `"tags" cannot be sorted by`},
		{"a field twice", []string{"name", "-name"}, "id", filterql.Illegal, `"name" is named twice`},
		{"too many", make([]string, searchql.SortMax+1), "id", filterql.Limit, `17 fields to sort by, 16 are allowed`},
		{"nothing to break ties", nil, "key", filterql.Illegal, `the schema has no field "key" to break ties by`},
		{"a list to break ties", nil, "tags", filterql.Illegal, `the schema has no field "tags" to break ties by`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := searchql.ParseOrder(test.sort, sortable(t), test.tieBreak)
			var mistake *filterql.Error
			if !errors.As(err, &mistake) || mistake.Kind != test.kind || mistake.Msg != test.want {
				t.Fatalf("the error is %v, want %s", err, test.want)
			}
			if n := len(test.sort); n > 0 && n <= searchql.SortMax && mistake.Text != test.sort[n-1] {
				t.Errorf("the error is about %q, want %q", mistake.Text, test.sort[n-1])
			}
		})
	}
}

// What is behind a document, as SQL. Nulls come last in both directions, so nothing but nulls is behind a null.
func TestAfter(t *testing.T) {
	const id = "018f0000000070008000000000000001"
	at := time.Date(2024, 3, 5, 10, 0, 0, 500000000, time.UTC)
	tests := []struct {
		name, sort string
		values     []any
		want       string
		arguments  []any
	}{
		{"one field", "id", []any{id}, `(d.id) > (?)`, []any{id}},
		{"an id with hyphens", "id", []any{"018F0000-0000-7000-8000-000000000001"}, `(d.id) > (?)`, []any{id}},
		{"downwards", "-name,-id", []any{"Ann", id}, `(d.name_key, d.id) < (?, ?)`, []any{"ann", id}},
		{"two directions", "name,-id", []any{"STRASSE", id}, `(d.name_key > ? OR (d.name_key = ? AND (d.id < ?)))`,
			[]any{"strasse", "strasse", id}},
		{"a field that may be null", "city,id", []any{"Rio", id},
			`(d.city_key > ? OR d.city_key IS NULL OR (d.city_key = ? AND (d.id > ?)))`, []any{"rio", "rio", id}},
		{"a field that may be null, downwards", "-city", []any{"Rio"}, `(d.city_key < ? OR d.city_key IS NULL)`,
			[]any{"rio"}},
		{"null", "city,id", []any{nil, id}, `(d.city_key IS NULL AND (d.id > ?))`, []any{id}},
		{"null, downwards", "-city,id", []any{nil, id}, `(d.city_key IS NULL AND (d.id > ?))`, []any{id}},
		{"null alone", "city", []any{nil}, `(d.city_key IS NULL AND FALSE)`, nil},
		{"a number", "count", []any{-7.25}, `(d.count > ?::numeric OR d.count IS NULL)`, []any{"-7.25"}},
		{"a number of a decoder", "count", []any{json.Number("5")}, `(d.count > ?::numeric OR d.count IS NULL)`,
			[]any{"5"}},
		{"an integer", "count", []any{5}, `(d.count > ?::numeric OR d.count IS NULL)`, []any{"5"}},
		{"a long integer", "count", []any{int64(5)}, `(d.count > ?::numeric OR d.count IS NULL)`, []any{"5"}},
		{"a number as a text", "count", []any{"10"}, `(d.count > ?::numeric OR d.count IS NULL)`, []any{"10"}},
		{"a boolean", "active", []any{true}, `(d.active > ? OR d.active IS NULL)`, []any{true}},
		{"a boolean as a text", "active", []any{"true"}, `(d.active > ? OR d.active IS NULL)`, []any{true}},
		{"a false one as a text", "active", []any{"false"}, `(d.active > ? OR d.active IS NULL)`, []any{false}},
		{"a date", "created", []any{"2024-03-05T10:00:00.5Z"}, `(d.created > ? OR d.created IS NULL)`, []any{at}},
		{"a time", "created", []any{at.In(time.FixedZone("", 7200))}, `(d.created > ? OR d.created IS NULL)`,
			[]any{at}},
		{"milliseconds", "created", []any{1709632800500.0}, `(d.created > ? OR d.created IS NULL)`, []any{at}},
		{"milliseconds as a text", "created", []any{"1709632800500"}, `(d.created > ? OR d.created IS NULL)`,
			[]any{at}},
		{"parts of a millisecond", "created", []any{"1709632800500.9"}, `(d.created > ? OR d.created IS NULL)`,
			[]any{at}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			order, err := searchql.ParseOrder(strings.Split(test.sort, ","), sortable(t), "id")
			if err != nil {
				t.Fatal(err)
			}
			condition, err := order.After(test.values)
			if err != nil {
				t.Fatal(err)
			}
			text, arguments, err := condition.ToSql()
			if err != nil || text != test.want {
				t.Errorf("%s, %v\nwant %s", text, err, test.want)
			}
			if diff := cmp.Diff(test.arguments, arguments); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestAfterFaults(t *testing.T) {
	tests := []struct {
		name, sort string
		values     []any
		want       string
	}{
		{"no fields", "", []any{"x"}, `searchAfter needs the fields to sort by`},
		{"too few values", "name,id", []any{"x"}, `searchAfter has 1 values, and there are 2 fields to sort by`},
		{"a value for what breaks ties", "name", []any{"x", "y"},
			`searchAfter has 2 values, and there are 1 fields to sort by`},
		{"null of a field that has a value", "name", []any{nil}, `"" is no value of "name"`},
		{"a number for a text", "name", []any{5.0}, `"5" is no value of "name"`},
		{"a NUL", "name", []any{"a\x00"}, `"a\x00" is no value of "name"`},
		{"no id", "id", []any{"x"}, `"x" is no value of "id"`},
		{"no number", "count", []any{"many"}, `"many" is no value of "count"`},
		{"a boolean for a number", "count", []any{true}, `"true" is no value of "count"`},
		{"no boolean", "active", []any{"yes"}, `"yes" is no value of "active"`},
		{"a number for a boolean", "active", []any{1.0}, `"1" is no value of "active"`},
		{"no date", "created", []any{"2024-03-05"}, `"2024-03-05" is no value of "created"`},
		{"a list", "created", []any{[]any{}}, `"" is no value of "created"`},
		{"a year that no document has", "created", []any{"999999999999999999"},
			`"999999999999999999" is no value of "created"`},
		{"a year before all", "created", []any{-999999999999999.0}, `"-999999999999999" is no value of "created"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			order, err := searchql.ParseOrder(strings.FieldsFunc(test.sort, func(r rune) bool { return r == ',' }),
				sortable(t), "id")
			if err != nil {
				t.Fatal(err)
			}
			_, err = order.After(test.values)
			var mistake *filterql.Error
			if !errors.As(err, &mistake) || mistake.Kind != filterql.Illegal || mistake.Msg != test.want {
				t.Errorf("the error is %v, want %s", err, test.want)
			}
		})
	}
}
