package filterql_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/muster-engine/muster/filterql"
)

// Parsing what was printed gives the same tree.
func TestPrintParseProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawExpr(t, fieldsOf(drawColumns(t)), 4)
		text := filterql.Print(e)
		if len(text) > filterql.TextMax {
			t.Skip("longer than a filter")
		}
		again, err := filterql.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !filterql.Equal(e, again) {
			t.Fatalf("%s is another tree, printed as %s", text, filterql.Print(again))
		}
		if reprinted := filterql.Print(again); reprinted != text {
			t.Fatalf("%s is printed as %s", text, reprinted)
		}
	})
}

// A filter compiles to as many arguments as placeholders, and no value is in the text.
func TestCompileProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := fieldsOf(drawColumns(t))
		filter, err := filterql.Check(drawExpr(t, fields, 4), mustSchema(t, fields...))
		if err != nil {
			t.Skip("longer than a filter")
		}
		requirePlaceholders(t, filter)
	})
}

func requirePlaceholders(t interface{ Fatalf(string, ...any) }, filter *filterql.Filter) {
	condition, arguments, err := filter.Where().ToSql()
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	if n := strings.Count(condition, "?"); n != len(arguments) {
		t.Fatalf("%s: %d placeholders and %d arguments in %s", filter, n, len(arguments), condition)
	}
	if strings.Count(condition, "(") != strings.Count(condition, ")") {
		t.Fatalf("%s: parentheses do not match in %s", filter, condition)
	}
}

// In two-valued logic a condition holds or its negation does.
func TestNegationProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := drawColumns(t)
		fields := fieldsOf(columns)
		e := drawExpr(t, fields, 3)
		schema := mustSchema(t, fields...)
		filter, err := filterql.Check(e, schema)
		if err != nil {
			t.Skip("longer than a filter")
		}
		negation, err := filterql.Check(&filterql.Not{X: e}, schema)
		if err != nil {
			t.Skip("longer than a filter")
		}
		row := map[string]any{}
		for _, c := range columns {
			row[c.field.Name], _ = c.drawValue(t)
		}
		get := func(name string) any { return row[name] }
		if filter.Eval(get) == negation.Eval(get) {
			t.Fatalf("%s and its negation are both %v for %v", filter, filter.Eval(get), row)
		}
	})
}
