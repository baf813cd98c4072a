package filterql_test

import (
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/filterql"
)

func TestParseSorters(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"none", "", ""},
		{"blanks", " \t", ""},
		{"prefix and nothing", "sorters=", ""},
		{"one", "name", "name"},
		{"descending", "-owner.name", "-owner.name"},
		{"several", "type,-modified,iplanet-am-user-alias-list", "type,-modified,iplanet-am-user-alias-list"},
		{"blanks around", " type ,\t-modified ", "type,-modified"},
		{"prefix", "sorters=-name", "-name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sorters, err := filterql.ParseSorters(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if sorters.String() != test.want {
				t.Errorf("got %s, want %s", sorters, test.want)
			}
		})
	}
}

func TestOrderBy(t *testing.T) {
	tests := []struct {
		sorters string
		orderBy []string
		text    string
	}{
		{"", []string{"p.id"}, "id"},
		{"id", []string{"p.id"}, "id"},
		{"-id,email", []string{"p.id DESC"}, "-id"},
		{"firstname", []string{"p.firstname_key", "p.id"}, "firstname,id"},
		{"-firstname", []string{"p.firstname_key DESC NULLS LAST", "p.id DESC"}, "-firstname,-id"},
		{"-email,created", []string{"p.email_key DESC", "p.created", "p.id"}, "-email,created,id"},
		{"email,-id,created", []string{"p.email_key", "p.id DESC"}, "email,-id"},
	}
	for _, test := range tests {
		t.Run(test.sorters, func(t *testing.T) {
			order, err := filterql.ParseOrdering(test.sorters, people(t), "id")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.orderBy, order.OrderBy()); diff != "" {
				t.Error(diff)
			}
			if order.String() != test.text {
				t.Errorf("got %s, want %s", order, test.text)
			}
		})
	}
}

func TestSortersByHand(t *testing.T) {
	sorters := filterql.Sorters{
		{Field: filterql.Name{Text: "email"}}, {Field: filterql.Name{Text: "groups"}, Descending: true},
	}
	_, err := sorters.Check(people(t), "id")
	var e *filterql.Error
	if !errors.As(err, &e) || e.Text != "email,-groups" || e.Text[e.Pos:e.End] != "groups" {
		t.Errorf("got %v, want an error at groups", err)
	}
	if _, err := sorters[:1].Check(people(t), "nothing"); err == nil {
		t.Error("a tie-break that is no field is no error")
	}
}

func TestAfter(t *testing.T) {
	at := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600))
	tests := []struct {
		sorters   string
		values    []any
		want      string
		arguments []any
	}{
		{"", []any{"7"}, `(p.id) > (?)`, []any{"7"}},
		{"-email", []any{"ada", "7"}, `(p.email_key, p.id) < (?, ?)`, []any{"ada", "7"}},
		{"email,-id", []any{"ada", "7"}, `p.email_key >= ? AND (p.email_key > ? OR (p.email_key = ? AND (p.id < ?)))`,
			[]any{"ada", "ada", "ada", "7"}},
		{"-created", []any{at, "7"}, `(p.created < ? OR p.created IS NULL OR (p.created = ? AND (p.id < ?)))`,
			[]any{at.UTC(), at.UTC(), "7"}},
		{"created", []any{nil, "7"}, `(p.created IS NULL AND (p.id > ?))`, []any{"7"}},
		{"rank", []any{int32(3), "7"}, `(p.rank > ?::bigint OR p.rank IS NULL OR (p.rank = ?::bigint AND (p.id > ?)))`,
			[]any{int64(3), int64(3), "7"}},
		{"rank", []any{0.125, "7"}, `(p.rank > ?::numeric OR p.rank IS NULL OR (p.rank = ?::numeric AND (p.id > ?)))`,
			[]any{"0.125", "0.125", "7"}},
		{"rank", []any{math.Inf(-1), "7"},
			`(p.rank > ?::numeric OR p.rank IS NULL OR (p.rank = ?::numeric AND (p.id > ?)))`,
			[]any{"-Infinity", "-Infinity", "7"}},
		{"rank", []any{math.Inf(1), "7"},
			`(p.rank > ?::numeric OR p.rank IS NULL OR (p.rank = ?::numeric AND (p.id > ?)))`,
			[]any{"Infinity", "Infinity", "7"}},
		{"rank", []any{float32(0.25), [16]byte{15: 255}},
			`(p.rank > ?::numeric OR p.rank IS NULL OR (p.rank = ?::numeric AND (p.id > ?)))`,
			[]any{"0.25", "0.25", "00000000-0000-0000-0000-0000000000ff"}},
	}
	for _, test := range tests {
		t.Run(test.sorters, func(t *testing.T) {
			order, err := filterql.ParseOrdering(test.sorters, people(t), "id")
			if err != nil {
				t.Fatal(err)
			}
			text, err := order.Cursor(test.values)
			if err != nil {
				t.Fatal(err)
			}
			cursor, err := order.ParseCursor(text)
			if err != nil {
				t.Fatal(err)
			}
			condition, arguments, err := order.After(cursor).ToSql()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, condition); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.arguments, arguments); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseCursorRefuses(t *testing.T) {
	schema := people(t)
	order := func(sorters string) *filterql.Ordering {
		o, err := filterql.ParseOrdering(sorters, schema, "id")
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	cursor := func(sorters string, values ...any) string {
		text, err := order(sorters).Cursor(values)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	sound := cursor("-email", "ada", "7")
	forge := func(old, replacement string) string {
		decoded, err := base64.RawURLEncoding.DecodeString(sound)
		if err != nil {
			t.Fatal(err)
		}
		forged := strings.Replace(string(decoded), old, replacement, 1)
		if forged == string(decoded) {
			t.Fatalf("%s is not in %s", old, decoded)
		}
		return base64.RawURLEncoding.EncodeToString([]byte(forged))
	}
	tests := []struct {
		name, sorters, text, want string
		kind                      filterql.ErrorKind
	}{
		{"other sorters", "email", sound, `belongs to the order "-email,-id", and not to "email,id"`, filterql.Illegal},
		{"no base64", "-email", "ü", "no cursor", filterql.Syntax},
		{"empty", "-email", "", "no cursor", filterql.Syntax},
		{"cut", "-email", sound[:len(sound)-4], "no cursor", filterql.Syntax},
		{"another value", "-email", forge("ada", "eve"), "no cursor", filterql.Syntax},
		{"another order", "email", forge("-email,-id", "email,id"), "no cursor", filterql.Syntax},
		{"a value less", "-email", forge(`"ada",`, ""), "no cursor", filterql.Syntax},
		{"too long", "-email", strings.Repeat("A", filterql.CursorMax+1), "65537 bytes", filterql.Limit},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := order(test.sorters).ParseCursor(test.text)
			var e *filterql.Error
			if !errors.As(err, &e) || e.Kind != test.kind || !strings.Contains(e.Msg, test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
	if _, err := order("-email").ParseCursor(sound); err != nil {
		t.Errorf("the sound one: %v", err)
	}
}

// The longest cursor can be made and read; one byte more is too long.
func TestCursorLimit(t *testing.T) {
	order, err := filterql.ParseOrdering("email", people(t), "id")
	if err != nil {
		t.Fatal(err)
	}
	short, err := order.Cursor([]any{"", "7"})
	if err != nil {
		t.Fatal(err)
	}
	room := base64.RawURLEncoding.DecodedLen(filterql.CursorMax) - base64.RawURLEncoding.DecodedLen(len(short))
	text, err := order.Cursor([]any{strings.Repeat("x", room), "7"})
	if err != nil || len(text) != filterql.CursorMax {
		t.Fatalf("got %d bytes and %v, want a cursor of %d bytes", len(text), err, filterql.CursorMax)
	}
	if _, err := order.ParseCursor(text); err != nil {
		t.Error(err)
	}
	if _, err := order.Cursor([]any{strings.Repeat("x", room+1), "7"}); !errors.Is(err, filterql.ErrCursorTooLong) {
		t.Errorf("got %v, want %v", err, filterql.ErrCursorTooLong)
	}
}

func TestCursorRefuses(t *testing.T) {
	tests := []struct {
		name, sorters string
		values        []any
		want          string
	}{
		{"too few values", "created", []any{"7"}, "2 values, 1"},
		{"null where none can be", "email", []any{nil, "7"}, "null"},
		{"a text for a time", "created", []any{"yesterday", "7"}, "date-time"},
		{"a type that is unknown", "email", []any{struct{}{}, "7"}, "struct"},
		{"a very long text", "email", []any{strings.Repeat("x", filterql.CursorMax), "7"}, "too long"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			order, err := filterql.ParseOrdering(test.sorters, people(t), "id")
			if err != nil {
				t.Fatal(err)
			}
			_, err = order.Cursor(test.values)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}
