package filterql_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/filterql"
)

func TestWhere(t *testing.T) {
	text := filterql.Field{Type: filterql.String, Collate: `"C"`, Fold: filterql.Fold}
	number := filterql.Field{Type: filterql.Number}
	boolean := filterql.Field{Type: filterql.Boolean, NotNull: true}
	instant := filterql.Field{Type: filterql.Time}
	id := filterql.Field{Type: filterql.ID, Convert: func(text string) (any, bool) { return len(text), len(text) < 5 }}
	tags := filterql.Field{Type: filterql.String, Multi: true, Fold: filterql.Fold}
	fields := map[string]filterql.Field{"s": text, "n": number, "b": boolean, "t": instant, "id": id, "tags": tags}
	var list []filterql.Field
	for name, f := range fields {
		f.Name, f.Column, f.Ops = name, name, filterql.AllOps(f)
		list = append(list, f)
	}
	schema := mustSchema(t, list...)
	day := func(text string) time.Time {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	tests := []struct {
		filter, want string
		arguments    []any
	}{
		{`s eq "Ab"`, `s = ?`, []any{"ab"}},
		{`s ne "Ab"`, `s IS DISTINCT FROM ?`, []any{"ab"}},
		{`not s eq "Ab"`, `s IS DISTINCT FROM ?`, []any{"ab"}},
		{`not s ne "Ab"`, `s = ?`, []any{"ab"}},
		{`b ne true`, `b <> TRUE`, []any{}},
		{`s sw "Ab"`, `s COLLATE "C" >= ? AND s COLLATE "C" < ?`, []any{"ab", "ac"}},
		{`s sw ""`, `s COLLATE "C" >= ?`, []any{""}},
		{"s sw \"a\U0010FFFF\"", `s COLLATE "C" >= ? AND s COLLATE "C" < ?`, []any{"a\U0010FFFF", "b"}},
		{"s sw \"\U0010FFFF\U0010FFFF\"", `s COLLATE "C" >= ?`, []any{"\U0010FFFF\U0010FFFF"}},
		{"s sw \"\uD7FF\"", `s COLLATE "C" >= ? AND s COLLATE "C" < ?`, []any{"\uD7FF", "\uE000"}},
		{`not s sw "a" and b eq true`, `(s COLLATE "C" >= ? AND s COLLATE "C" < ?) IS NOT TRUE AND b = TRUE`,
			[]any{"a", "b"}},
		{`s co "50%_\\?"`, `s LIKE ?`, []any{`%50\%\_\\?%`}},
		{`s gt "b"`, `s COLLATE "C" > ?`, []any{"b"}},
		{`s in ("A","b")`, `s = ANY (?)`, []any{[]string{"a", "b"}}},
		{`pr s`, `s IS NOT NULL`, []any{}},
		{`not pr s`, `s IS NULL`, []any{}},
		{`s isnull`, `s IS NULL`, []any{}},
		{`n ge 7`, `n >= ?::bigint`, []any{int64(7)}},
		{`n ge 9`, `n >= ?::bigint`, []any{int64(9)}},
		{`n ge 2.2250738585072014e-308`, `n >= ?::numeric`, []any{"2.2250738585072014e-308"}}, // the least that is allowed
		{`n ge 7.5`, `n >= ?::numeric`, []any{"7.5"}},
		{`n eq 9223372036854775808`, `n = ?::numeric`, []any{"9223372036854775808"}},
		{`n in (1,2)`, `n = ANY (?::bigint[])`, []any{[]int64{1, 2}}},
		{`n in (1,2.5)`, `n = ANY (?::numeric[])`, []any{[]string{"1", "2.5"}}},
		{`t gt 2018`, `t >= ?`, []any{day("2019-01-01")}},
		{`t ge 2018`, `t >= ?`, []any{day("2018-01-01")}},
		{`t lt 2018-12-18`, `t < ?`, []any{day("2018-12-18")}},
		{`t le 2018-12-18`, `t < ?`, []any{day("2018-12-19")}},
		{`t eq 2018`, `t >= ? AND t < ?`, []any{day("2018-01-01"), day("2019-01-01")}},
		{`t ne 2018`, `(t >= ? AND t < ?) IS NOT TRUE`, []any{day("2018-01-01"), day("2019-01-01")}},
		{`t le 2018-12-18T00:00:00Z`, `t <= ?`, []any{day("2018-12-18")}},
		{`t eq 2018-12-18T01:00:00+01:00`, `t = ?`, []any{day("2018-12-18")}},
		{`t in (2018-12-18T00:00:00Z,2018)`, `(t = ANY (?) OR t >= ? AND t < ?)`,
			[]any{[]time.Time{day("2018-12-18")}, day("2018-01-01"), day("2019-01-01")}},
		{`t in (2017,2018)`, `(t >= ? AND t < ? OR t >= ? AND t < ?)`,
			[]any{day("2017-01-01"), day("2018-01-01"), day("2018-01-01"), day("2019-01-01")}},
		{`id eq "abc"`, `id = ?`, []any{3}},
		{`id eq "abcde"`, `FALSE`, []any{}},
		{`id ne "abcde"`, `TRUE`, []any{}},
		{`not id in ("abcde")`, `TRUE`, []any{}},
		{`id in ("a","abcde","ab")`, `id = ANY (?)`, []any{[]int{1, 2}}},
		{`tags ca ("A","b")`, `tags @> ?::text[]`, []any{[]string{"a", "b"}}},
		{`pr tags`, `cardinality(tags) > 0`, []any{}},
		{`tags isnull`, `coalesce(cardinality(tags), 0) = 0`, []any{}},
		{`b eq true or n eq 1`, `(b = TRUE OR n = ?::bigint)`, []any{int64(1)}},
		{`b eq true and (n eq 1 or n eq 2)`, `b = TRUE AND (n = ?::bigint OR n = ?::bigint)`, []any{int64(1), int64(2)}},
		{`not not (b eq true or n eq 1)`, `(b = TRUE OR n = ?::bigint)`, []any{int64(1)}},
		{`not (b eq true or n eq 1)`, `(b = TRUE OR n = ?::bigint) IS NOT TRUE`, []any{int64(1)}},
		{`not (b eq true and n eq 1) or pr s`, `((b = TRUE AND n = ?::bigint) IS NOT TRUE OR s IS NOT NULL)`,
			[]any{int64(1)}},
	}
	for _, test := range tests {
		t.Run(test.filter, func(t *testing.T) {
			filter, err := filterql.ParseFilter(test.filter, schema)
			if err != nil {
				t.Fatal(err)
			}
			condition, arguments, err := filter.Where().ToSql()
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
