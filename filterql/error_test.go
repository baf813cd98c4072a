package filterql_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/filterql"
)

// people is the schema of the tests that need but one.
func people(t testing.TB) *filterql.Schema {
	t.Helper()
	schema, err := filterql.NewSchema(
		filterql.Field{Name: "id", Type: filterql.ID, Ops: filterql.OpsOf(filterql.Eq, filterql.In), Column: "p.id",
			NotNull: true},
		filterql.Field{Name: "firstname", Type: filterql.String, Ops: filterql.OpsOf(filterql.Eq, filterql.Sw),
			Column: "p.firstname_key", Fold: filterql.Fold, Sortable: true},
		filterql.Field{Name: "email", Type: filterql.String, Ops: filterql.AllOps(filterql.Field{}), Column: "p.email_key",
			Fold: filterql.Fold, NotNull: true, Sortable: true},
		filterql.Field{Name: "age", Type: filterql.Number, Ops: filterql.AllOps(filterql.Field{Type: filterql.Number}),
			Column: "p.age"},
		filterql.Field{Name: "correlated", Type: filterql.Boolean, Ops: filterql.OpsOf(filterql.Eq), Column: "p.correlated"},
		filterql.Field{Name: "created", Type: filterql.Time, Ops: filterql.AllOps(filterql.Field{Type: filterql.Time}),
			Column: "p.created", Sortable: true},
		filterql.Field{Name: "groups", Type: filterql.String, Multi: true, Ops: filterql.AllOps(filterql.Field{Multi: true}),
			Column: "p.groups", Fold: filterql.Fold},
		filterql.Field{Name: "rank", Type: filterql.Number, Column: "p.rank", Sortable: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestErrors compares whole rendered errors. testdata/errors.txtar has a section for each; its name begins with what
// reads the text (filter, field or sorters), and its first line is the text, quoted as in Go.
func TestErrors(t *testing.T) {
	const golden = "testdata/errors.txtar"
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	schema := people(t)
	read := map[string]func(string) error{
		"filter":  func(text string) error { _, err := filterql.Parse(text); return err },
		"field":   func(text string) error { _, err := filterql.ParseFilter(text, schema); return err },
		"sorters": func(text string) error { _, err := filterql.ParseOrdering(text, schema, "id"); return err },
	}
	var written bytes.Buffer
	names := map[string]bool{}
	for i, section := range strings.Split("\n"+string(data), "\n-- ") {
		if i == 0 {
			fmt.Fprint(&written, strings.TrimPrefix(section, "\n"))
			continue
		}
		name, rest, _ := strings.Cut(section, " --\n")
		quotedText, want, _ := strings.Cut(rest, "\n")
		t.Run(name, func(t *testing.T) {
			if names[name] {
				t.Fatal("the name is used twice")
			}
			names[name] = true
			text, err := strconv.Unquote(quotedText)
			if err != nil {
				t.Fatalf("%s: %v", quotedText, err)
			}
			reader, _, _ := strings.Cut(name, ":")
			err = read[reader](text)
			var e *filterql.Error
			if !errors.As(err, &e) {
				t.Fatalf("%s: got %v, want an error", text, err)
			}
			requireSoundError(t, text, err)
			got := fmt.Sprintf("%s\n%s\n", e.Kind, e.Render())
			fmt.Fprintf(&written, "\n-- %s --\n%s\n%s", name, quotedText, got)
			if *update {
				return
			}
			if diff := cmp.Diff(strings.TrimRight(want, "\n"), strings.TrimRight(got, "\n")); diff != "" {
				t.Error(diff)
			}
			if strings.ContainsAny(e.Error(), "\n\t") {
				t.Errorf("%q is not one line", e.Error())
			}
		})
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(golden, written.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestErrorIsOneLine(t *testing.T) {
	_, err := filterql.Parse("name eq \"ä\"\nand b rt 1")
	want := `position 19: unknown operator "rt"; operators are eq, ne, gt, ge, lt, le, co, sw, in, ca, isnull`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A mistake at the end of a line is shown under this line.
func TestRenderAtEndOfLine(t *testing.T) {
	e := filterql.Error{Text: "ab\ncd", Pos: 2, End: 2, Msg: "wrong"}
	if got, want := e.Render(), "line 1, position 3: wrong\n  ab\n    ^"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The caret is under the mistake, however many columns the characters before it take.
func TestRenderColumns(t *testing.T) {
	const (
		// The first and the last characters of the wide blocks that have one there, and one inside of each.
		wide = "\u1100\u115F\u2E80あ\uA4C6\uA960\uA97C\uAC00가\uD7A3\uF900\uFE30\uFE6B\uFF01Ａ\uFF60\uFFE0\uFFE6" +
			"\U0001F300🙂\U0001F64F\U0001F680🚗\U0001F900🤠\U0001F9FF\U00020000𠀁"
		narrow = "aéЖ\u10FF\u1160\u303F\uA4D0\uD7B0\uFF61\uFFE8\u200B\U0001F650\U0001F8A0"
	)
	columns := map[string]int{"e\u0301": 1}
	for _, r := range wide {
		columns[string(r)] = 2
	}
	for _, r := range narrow {
		columns[string(r)] = 1
	}
	for before, want := range columns {
		e := filterql.Error{Text: before + "x", Pos: len(before), End: len(before) + 1, Msg: "wrong"}
		if got, want := e.Render(), "\n  "+strings.Repeat(" ", want)+"^"; !strings.HasSuffix(got, want) {
			t.Errorf("behind %+q: got %q, want it to end with %q", before, got, want)
		}
	}
}

// A hint names at most twenty fields, and says how many others there are.
func TestHintOfFields(t *testing.T) {
	const twenty = "fields are a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t"
	for count, want := range map[int]string{0: "there are no such fields", 20: twenty, 23: twenty + " and 3 more"} {
		var fields []filterql.Field
		for i := range count {
			name := string(rune('a' + i))
			fields = append(fields, filterql.Field{Name: name, Column: name, Ops: filterql.OpsOf(filterql.Eq)})
		}
		_, err := filterql.ParseFilter("other eq 1", mustSchema(t, fields...))
		var e *filterql.Error
		if !errors.As(err, &e) || e.Hint != want {
			t.Errorf("%d fields: got %v, want the hint %q", count, err, want)
		}
	}
}

// An Error that was put together by hand may point anywhere.
func TestRenderOutsideOfTheText(t *testing.T) {
	for _, e := range []filterql.Error{{Pos: -1, End: 99}, {Text: "ab", Pos: 7, End: 3}, {Text: "ab", Pos: 1, End: 0}} {
		e.Msg = "wrong"
		if !strings.Contains(e.Render(), "^") || !strings.HasPrefix(e.Error(), "position ") {
			t.Errorf("got %+v: %s, want strings.Contains(e.Render(), \"^\") && strings.HasPrefix(e.Error(), \"position \")", e, e.Render())
		}
	}
}
