package searchql_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
)

func TestNewSchemaFaults(t *testing.T) {
	a := searchql.Field{Name: "a", Type: filterql.Number, Column: "d.a"}
	list := searchql.List{Name: "accounts"}
	tests := []struct {
		name   string
		fields []searchql.Field
		lists  []searchql.List
		want   string
	}{
		{"no name", []searchql.Field{{Column: "x"}}, nil, `field "": the name is wrong`},
		{"a dot at the end", []searchql.Field{{Name: "a."}}, nil, `field "a.": the name is wrong`},
		{"a dot in front", []searchql.Field{{Name: ".a"}}, nil, `field ".a": the name is wrong`},
		{"two dots", []searchql.Field{{Name: "a..b"}}, nil, `field "a..b": the name is wrong`},
		{"a sign", []searchql.Field{{Name: "a'b"}}, nil, `field "a'b": the name is wrong`},
		{"no column", []searchql.Field{{Name: "a-1.b_C", Type: filterql.Number}}, nil,
			`field "a-1.b_C": the column is missing`},
		{"a text without a key", []searchql.Field{{Name: "a", Type: filterql.String, Column: "d.a"}}, nil,
			`field "a": a text needs a key`},
		{"an id that nothing makes", []searchql.Field{{Name: "a", Type: filterql.ID, Column: "d.a", Text: "d.a"}}, nil,
			`field "a": an id needs Convert and Text`},
		{"an id without a text", []searchql.Field{{Name: "a", Type: filterql.ID, Column: "d.a", Convert: convertID}},
			nil,
			`field "a": an id needs Convert and Text`},
		{"a field twice", []searchql.Field{a, a}, nil, `field "a" is given twice`},
		{"a list twice", []searchql.Field{a}, []searchql.List{list, list}, `list "accounts" is given twice`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := searchql.NewSchema(test.fields, test.lists...); fmt.Sprint(err) != test.want {
				t.Errorf("the error is %v, want %s", err, test.want)
			}
		})
	}
}

func TestSchemaFields(t *testing.T) {
	s := schema(t).WithResolver(func(name string) (searchql.Field, bool) {
		switch name {
		case "attributes.badge":
			return searchql.Field{Name: name, Type: filterql.Number, Column: "d.badge"}, true
		case "attributes.broken":
			return searchql.Field{Name: name}, true
		}
		if strings.ContainsAny(name, `' "`) {
			t.Errorf("the resolver is asked for %q", name)
		}
		return searchql.Field{}, false
	})
	for name, want := range map[string]string{
		"name": "d.name", "attributes.badge": "d.badge", "attributes.broken": "", "attributes.other": "", "Name": "",
		`attributes.'"`: "", "": "",
	} {
		if f, ok := s.Field(name); f.Column != want || ok != (want != "") {
			t.Errorf("%q has the column %q, %v; want %q", name, f.Column, ok, want)
		}
	}
	if _, ok := schema(t).Field("attributes.badge"); ok {
		t.Error("a schema without a resolver resolves a name")
	}
	var names []string
	for _, f := range s.Fields() {
		names = append(names, f.Name)
	}
	want := []string{"id", "name", "attributes.city", "tags", "state", "count", "manager.id", "active", "created"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if !slices.Equal(s.Lists(), []string{"accounts"}) || s.List("accounts") == nil || s.List("groups") != nil {
		t.Errorf("the lists are %v", s.Lists())
	}
	// A field that is resolved is searched like a listed one.
	query, err := searchql.ParseQuery("attributes.badge:7 AND _exists_:attributes.badge", s, searchql.Options{})
	if err != nil || len(query.Notes()) > 0 || !query.Eval(map[string]any{"attributes": map[string]any{"badge": 7}}) {
		t.Errorf("%v %v", query, err)
	}
}

// Fold makes of what is looked for the text that Key holds.
func TestFieldFold(t *testing.T) {
	s, err := searchql.NewSchema([]searchql.Field{{Name: "code", Type: filterql.String, Column: "c", Key: "k",
		Indexed: true, Fold: strings.ToUpper}})
	if err != nil {
		t.Fatal(err)
	}
	query, err := searchql.ParseQuery("code:a1", s, searchql.Options{})
	if err != nil || !query.Eval(map[string]any{"code": "A1"}) {
		t.Fatalf("%v", err)
	}
	if _, arguments, _ := query.Where().ToSql(); !slices.Equal(arguments, []any{"%A1%", "% A1 %"}) {
		t.Errorf("the arguments are %q", arguments)
	}
}

// Fields are what a word alone is looked for in, in place of those that the schema marks.
func TestOptionsFields(t *testing.T) {
	document := map[string]any{"name": "john", "tags": []any{"ann"}, "count": 5.0}
	tests := []struct {
		text   string
		fields []string
		found  bool
		notes  []string
	}{
		{"jo", nil, true, nil},
		{"an", nil, false, nil},
		{"an", []string{"tags"}, true, nil},
		{"jo", []string{"tags.exact"}, false, nil},
		{"jo", []string{"tags", "name.exact"}, true, nil},
		{"jo", []string{}, false, nil},
		{"5", []string{"count"}, false, nil}, // a word is looked for in texts and IDs
		{"jo", []string{"names"}, false, []string{`there is no field "names": it finds nothing (did you mean name?)`}},
	}
	for _, test := range tests {
		t.Run(test.text+" "+strings.Join(test.fields, " "), func(t *testing.T) {
			query, err := searchql.ParseQuery(test.text, schema(t), searchql.Options{Now: now, Fields: test.fields})
			if err != nil {
				t.Fatal(err)
			}
			if got := query.Eval(document); got != test.found {
				t.Errorf("it is found: %v, want %v", got, test.found)
			}
			if diff := cmp.Diff(test.notes, query.Notes()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
