package filterql_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/muster-engine/muster/filterql"
)

var fuzzSeeds = []string{
	`firstname sw "john" and (email sw "joe" or correlated eq false)`, `not (a eq 1 or b eq 2) and pr c`,
	`filters=a in ("x",'y',z,1)`,
	`created gt 2018 or created le 2018-12-18T23:05:55.123Z`, `groups ca ("a")and groups isnull`, `a eq "\"\\"`,
	`a eq O'Neill`,
	`name eq "日本語 🙂"`, `((((`, `a eq "`, "a\u00a0eq 1", "a eq \xff", `not not not`, `age ge -1.5e10`,
	`id eq ""`, `rank eq 1`, `a eq \`,
}

func FuzzParse(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := filterql.Parse(text)
		if err != nil {
			requireSoundError(t, text, err)
			return
		}
		if e.Pos() < 0 || e.Pos() >= e.End() || e.End() > len(text) {
			t.Fatalf("%q is at %d to %d", text, e.Pos(), e.End())
		}
		printed := filterql.Print(e)
		again, err := filterql.Parse(printed)
		if err != nil {
			var limit *filterql.Error
			if errors.As(err, &limit) && limit.Kind == filterql.Limit && len(printed) > filterql.TextMax {
				return // quotes and blanks made it too long
			}
			t.Fatalf("%q is printed as %q: %v", text, printed, err)
		}
		if !filterql.Equal(e, again) {
			t.Fatalf("%q is printed as %q, another tree", text, printed)
		}
	})
}

// requireSoundError checks what every error promises.
func requireSoundError(t *testing.T, text string, err error) {
	var e *filterql.Error
	if !errors.As(err, &e) {
		t.Fatalf("%q: %v has no position", text, err)
	}
	if e.Text != text || e.Pos < 0 || e.Pos > e.End || e.End > len(text) || e.Msg == "" {
		t.Fatalf("got %q: %+v, want e.Text == text && e.Pos >= 0 && e.Pos <= e.End && e.End <= len(text) && e.Msg != \"\"", text, e)
	}
	if strings.ContainsAny(e.Error(), "\n\r\t\x00") || !utf8.ValidString(e.Error()) {
		t.Fatalf("%q: %q is not one line", text, e.Error())
	}
	rendered := e.Render()
	if !utf8.ValidString(rendered) || strings.Count(rendered, "\n") > 3 || !strings.Contains(rendered, "^") {
		t.Fatalf("%q: rendered as %q", text, rendered)
	}
}

func FuzzSorters(f *testing.F) {
	seeds := []string{
		"", "email", "-created,firstname", "sorters=email, -id", ",", "-", "a b", "a desc", "é", "email,email",
	}
	for _, seed := range seeds {
		f.Add(seed)
	}
	schema := people(f)
	f.Fuzz(func(t *testing.T, text string) {
		sorters, err := filterql.ParseSorters(text)
		if err != nil {
			requireSoundError(t, text, err)
			return
		}
		again, err := filterql.ParseSorters(sorters.String())
		if err != nil || again.String() != sorters.String() {
			t.Fatalf("%q is printed as %q: %v", text, sorters, err)
		}
		order, err := sorters.Check(schema, "id")
		if err != nil {
			requireSoundError(t, text, err)
			return
		}
		terms := order.OrderBy()
		if len(terms) != len(order.Columns()) || !strings.HasPrefix(terms[len(terms)-1], "p.id") {
			t.Fatalf("%q is sorted by %q", text, terms)
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add(seed)
	}
	schema := people(f).WithResolver(func(name string) (filterql.Field, bool) {
		field := filterql.Field{Name: name, Type: filterql.Type(len(name) % 5), Column: "r.c"}
		field.Ops = filterql.AllOps(field)
		return field, true
	})
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := filterql.ParseFilter(text, schema)
		if err != nil {
			requireSoundError(t, text, err)
			return
		}
		requirePlaceholders(t, filter)
		filter.Eval(func(string) any { return nil })
		filter.Eval(func(string) any { return "a" })
	})
}

func FuzzCursor(f *testing.F) {
	order, err := filterql.ParseOrdering("email,-created,rank", people(f), "id")
	if err != nil {
		f.Fatal(err)
	}
	for _, values := range [][]any{{"a", nil, 1, "7"}, {"", nil, nil, ""}} {
		text, err := order.Cursor(values)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cursor, err := order.ParseCursor(text)
		if err != nil {
			requireSoundError(t, text, err)
			return
		}
		condition, arguments, err := order.After(cursor).ToSql()
		if err != nil || strings.Count(condition, "?") != len(arguments) {
			t.Fatalf("%q: %s with %v: %v", text, condition, arguments, err)
		}
	})
}
