package filterql_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/muster-engine/muster/filterql"
)

func TestNewSchemaRefuses(t *testing.T) {
	valid := filterql.Field{Name: "name", Column: "name"}
	change := func(f func(*filterql.Field)) []filterql.Field {
		field := valid
		f(&field)
		return []filterql.Field{field}
	}
	tests := []struct {
		name   string
		fields []filterql.Field
		want   string
	}{
		{"no name", change(func(f *filterql.Field) { f.Name = "" }), "name"},
		{"a keyword", change(func(f *filterql.Field) { f.Name = "not" }), "keyword"},
		{"a blank", change(func(f *filterql.Field) { f.Name = "first name" }), "letters"},
		{"no column", change(func(f *filterql.Field) { f.Column = "" }), "column"},
		{"no type", change(func(f *filterql.Field) { f.Type = 99 }), "type 99"},
		{"a list of numbers", change(func(f *filterql.Field) { f.Type, f.Multi = filterql.Number, true }), "multi-valued"},
		{"a sortable list", change(func(f *filterql.Field) { f.Multi, f.Sortable = true, true }), "sort"},
		{"a folded number", change(func(f *filterql.Field) { f.Type, f.Fold = filterql.Number, filterql.Fold }), "folded"},
		{"a converted string", change(func(f *filterql.Field) { f.Convert = parseUUID }), "converted"},
		{"a collated number", change(func(f *filterql.Field) { f.Type, f.Collate = filterql.Number, `"C"` }), "collation"},
		{"a prefix of a number",
			change(func(f *filterql.Field) { f.Type, f.Ops = filterql.Number, filterql.OpsOf(filterql.Sw) }), "sw"},
		{"all of a single value", change(func(f *filterql.Field) { f.Ops = filterql.OpsOf(filterql.Ca) }), "ca"},
		{"twice", []filterql.Field{valid, valid}, "twice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := filterql.NewSchema(test.fields...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestResolver(t *testing.T) {
	listed := filterql.Field{Name: "name", Column: "listed", Ops: filterql.OpsOf(filterql.Eq)}
	schema := mustSchema(t, listed).WithResolver(func(name string) (filterql.Field, bool) {
		field := filterql.Field{Name: name, Column: "resolved", Ops: filterql.OpsOf(filterql.Eq)}
		if name == "broken" {
			field.Column = ""
		}
		return field, strings.HasPrefix(name, "attributes.") || name == "broken" || name == "name"
	})
	for name, want := range map[string]string{"name": "listed", "attributes.x": "resolved", "broken": "", "other": ""} {
		field, found := schema.Field(name)
		if found != (want != "") || field.Column != want {
			t.Errorf("%s: got %q, want %q", name, field.Column, want)
		}
	}
	if fields := schema.Fields(); len(fields) != 1 || fields[0].Name != "name" {
		t.Errorf("the listed fields are %v", fields)
	}
}

// A tree that was put together by hand keeps the rules of the syntax, and its errors point into its printed form.
func TestCheckByHand(t *testing.T) {
	comparison := func(field string, op filterql.Op, values ...filterql.Value) filterql.Expr {
		return &filterql.Comparison{Field: filterql.Name{Text: field}, Op: op, Values: values}
	}
	x := filterql.Value{Text: "x"}
	parsed, err := filterql.Parse(`email eq "a"`)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		e    filterql.Expr
		want string // in the text of the error, at its place; empty for none
	}{
		{"right", comparison("email", filterql.Eq, x), ""},
		{"beside a parsed one", &filterql.And{Terms: []filterql.Expr{parsed, comparison("email", filterql.Eq, x)}}, ""},
		{"unknown field", &filterql.And{Terms: []filterql.Expr{parsed, comparison("e", filterql.Eq, x)}}, "e"},
		{"no number", &filterql.Not{X: comparison("age", filterql.Eq, x)}, `"x"`},
		{"two values", comparison("email", filterql.Eq, x, x), `"x"`},
		{"a field that is none", comparison("a b", filterql.Eq, x), "b"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := filterql.Check(test.e, people(t))
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *filterql.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an error with a position", err)
			}
			if got := e.Text[e.Pos:e.End]; got != test.want {
				t.Errorf("the error points to %s: %v", got, err)
			}
		})
	}
	incomplete := []filterql.Expr{
		&filterql.And{}, &filterql.Or{}, comparison("email", filterql.Eq), comparison("email", filterql.In),
	}
	for _, e := range incomplete {
		if _, err := filterql.Check(e, people(t)); err == nil {
			t.Errorf("%#v: no error", e)
		}
	}
}
