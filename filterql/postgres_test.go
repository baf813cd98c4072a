package filterql_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	sq "github.com/Masterminds/squirrel"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store/storetest"
)

// table is a table with the rows that it has.
type table struct {
	columns []column
	rows    []map[string]any // as a host has them
}

// drawTable makes a table r of random columns and rows, with an id to break ties.
func drawTable(t *rapid.T, pool *pgxpool.Pool) *table {
	tab := &table{columns: drawColumns(t)}
	names, definitions := []string{"id"}, []string{"id integer PRIMARY KEY"}
	for _, c := range tab.columns {
		definition := c.field.Name + " " + c.sqlType
		if c.field.NotNull {
			definition += " NOT NULL"
		}
		names, definitions = append(names, c.field.Name), append(definitions, definition)
	}
	insert := sq.Insert("r").Columns(names...).PlaceholderFormat(sq.Dollar)
	for id := range rapid.IntRange(1, 20).Draw(t, "rows") {
		row, values := map[string]any{"id": id}, []any{id}
		for _, c := range tab.columns {
			host, stored := c.drawValue(t)
			row[c.field.Name] = host
			values = append(values, stored)
		}
		tab.rows = append(tab.rows, row)
		insert = insert.Values(values...)
	}
	exec(t, pool, "DROP TABLE IF EXISTS r")
	exec(t, pool, "CREATE TABLE r ("+strings.Join(definitions, ", ")+")")
	text, arguments, err := insert.ToSql()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, pool, text, arguments...)
	return tab
}

func exec(t rapid.TB, pool *pgxpool.Pool, statement string, arguments ...any) {
	t.Helper()
	// The tables change under their names, so no statement may be kept.
	arguments = append([]any{pgx.QueryExecModeExec}, arguments...)
	if strings.HasPrefix(statement, "INSERT") {
		arguments[0] = pgx.QueryExecModeDescribeExec
	}
	if _, err := pool.Exec(context.Background(), statement, arguments...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// query runs a statement as a prepared one and returns its rows.
func query(t rapid.TB, pool *pgxpool.Pool, statement sq.SelectBuilder) [][]any {
	t.Helper()
	text, arguments, err := statement.PlaceholderFormat(sq.Dollar).ToSql()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := pool.Query(context.Background(), text, append([]any{pgx.QueryExecModeDescribeExec}, arguments...)...)
	if err != nil {
		t.Fatalf("%s %v: %v", text, arguments, err)
	}
	defer rows.Close()
	var result [][]any
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		result = append(result, values)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s %v: %v", text, arguments, err)
	}
	return result
}

func ids(rows [][]any) []int {
	list := []int{}
	for _, row := range rows {
		list = append(list, int(row[0].(int32)))
	}
	return list
}

// The rows that the SQL selects are those that Eval selects, and PostgreSQL prepares every statement.
func TestSelectedRowsProperty(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool := storetest.Empty(t)
	rapid.Check(t, func(t *rapid.T) {
		tab := drawTable(t, pool)
		fields := fieldsOf(tab.columns)
		schema := mustSchema(t, fields...)
		for range 10 {
			filter, err := filterql.Check(drawExpr(t, fields, 3), schema)
			if err != nil {
				t.Skip("longer than a filter")
			}
			want := []int{}
			for id, row := range tab.rows {
				if filter.Eval(func(name string) any { return row[name] }) {
					want = append(want, id)
				}
			}
			got := ids(query(t, pool, sq.Select("r.id").From("r").Where(filter.Where()).OrderBy("r.id")))
			if !slices.Equal(got, want) {
				condition, arguments, _ := filter.Where().ToSql()
				t.Fatalf("%s: SQL selects %v, Eval %v of %v\n%s %v", filter, got, want, tab.rows, condition, arguments)
			}
		}
	})
}

// Beside conditions of the host's, a filter is one condition.
func TestWhereBesideOthers(t *testing.T) {
	pool := storetest.Empty(t)
	schema := mustSchema(t, filterql.Field{
		Name: "n", Type: filterql.Number, Column: "r.n", Ops: filterql.OpsOf(filterql.Eq),
	})
	exec(t, pool, "CREATE TABLE r (id integer, n bigint)")
	exec(t, pool, "INSERT INTO r VALUES (1, 1), (2, 2), (3, 1)")
	for _, text := range []string{`n eq 1 or n eq 2`, `not not (n eq 1 or n eq 2)`} {
		filter, err := filterql.ParseFilter(text, schema)
		if err != nil {
			t.Fatal(err)
		}
		got := ids(query(t, pool, sq.Select("r.id").From("r").Where("r.id > ?", 1).Where(filter.Where()).OrderBy("r.id")))
		if diff := cmp.Diff([]int{2, 3}, got); diff != "" {
			t.Errorf("got %s: %s, want diff == \"\"", text, diff)
		}
		got = ids(query(t, pool, sq.Select("r.id").From("r").Where(sq.And{filter.Where(), sq.Eq{"r.id": 1}})))
		if diff := cmp.Diff([]int{1}, got); diff != "" {
			t.Errorf("got %s: %s, want diff == \"\"", text, diff)
		}
	}
}

// Paging by cursors visits every row once, in the order of the list.
func TestKeysetProperty(t *testing.T) {
	pool := storetest.Empty(t)
	rapid.Check(t, func(t *rapid.T) {
		tab := drawTable(t, pool)
		id := filterql.Field{Name: "id", Type: filterql.Number, Column: "r.id", NotNull: true, Sortable: true}
		schema := mustSchema(t, append(fieldsOf(tab.columns), id)...)
		order, err := filterql.ParseOrdering(drawSorters(t, append(fieldsOf(tab.columns), id)), schema, "id")
		if err != nil {
			t.Fatal(err)
		}
		list := sq.Select("r.id").From("r").OrderBy(order.OrderBy()...)
		want := ids(query(t, pool, list))
		requireNullsLast(t, tab, order, want)

		page := list.Columns(order.Columns()...).Limit(uint64(rapid.IntRange(1, 5).Draw(t, "limit")))
		next, got := page, []int{}
		for len(got) <= len(want) {
			rows := query(t, pool, next)
			if len(rows) == 0 {
				break
			}
			got = append(got, ids(rows)...)
			text, err := order.Cursor(rows[len(rows)-1][1:])
			if err != nil {
				t.Fatal(err)
			}
			cursor, err := order.ParseCursor(text)
			if err != nil {
				t.Fatal(err)
			}
			next = page.Where(order.After(cursor))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("got %s: %s, want diff == \"\"", order, diff)
		}
	})
}

func drawSorters(t *rapid.T, fields []filterql.Field) string {
	fields = slices.DeleteFunc(fields, func(f filterql.Field) bool { return !f.Sortable })
	fields = rapid.Permutation(fields).Draw(t, "sorters")[:rapid.IntRange(0, min(len(fields), 4)).Draw(t, "number")]
	var sorters filterql.Sorters
	for _, f := range fields {
		sorters = append(sorters, filterql.Sorter{
			Field: filterql.Name{Text: f.Name}, Descending: rapid.Bool().Draw(t, "descending"),
		})
	}
	return sorters.String()
}

// requireNullsLast checks what the first column's order can be told by without another database.
func requireNullsLast(t *rapid.T, tab *table, order *filterql.Ordering, list []int) {
	first := order.Orders()[0].Field.Name
	nulls := 0
	for _, id := range list {
		switch {
		case tab.rows[id][first] == nil:
			nulls++
		case nulls > 0:
			t.Fatalf("%s: a null comes before a value", order)
		}
	}
}

// foldSQL is what Fold promises to be.
const foldSQL = `replace(lower(upper(%s COLLATE "und-x-icu") COLLATE "und-x-icu"), 'ς', 'σ')`

func TestFoldIsThatOfPostgreSQL(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool := storetest.Empty(t)
	const statement = `
		SELECT c, %s
		FROM (SELECT chr(n) AS c FROM generate_series(1, 1114111) n WHERE n NOT BETWEEN 55296 AND 57343) s`
	rows, err := pool.Query(t.Context(), fmt.Sprintf(statement, fmt.Sprintf(foldSQL, "c")))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var c, want string
		if err := rows.Scan(&c, &want); err != nil {
			t.Fatal(err)
		}
		r := []rune(c)[0]
		if !assigned(r) {
			continue // ICU may know a later version of Unicode
		}
		seen++
		if got := filterql.Fold(c); got != want {
			t.Errorf("Fold(%q) = %+q, PostgreSQL makes it %+q (%U)", c, got, want, r)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if seen < 100_000 {
		t.Errorf("only %d characters were compared", seen)
	}
}

// assigned reports whether the package unicode knows r.
func assigned(r rune) bool {
	return unicode.In(r,
		unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co)
}

// The mappings of ICU look at the letters around, those of Fold do not.
func TestFoldOfWordsProperty(t *testing.T) {
	pool := storetest.Empty(t)
	letters := []rune("aAiIıİßẞſsSΑαΣσςϚ.'ﬀŉǰΐΰևᾀᾼῼÅåÅΩωK\u0307\u0301\u0345\u00ad日 -")
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringOfN(rapid.SampledFrom(letters), 0, 12, -1), 20, 20).Draw(t, "words")
		folded := query(t, pool, sq.Select().Column(fmt.Sprintf(foldSQL, "w")).
			FromSelect(sq.Select().Column("unnest(?::text[]) AS w", words), "s"))
		for i, word := range words {
			if got, want := filterql.Fold(word), folded[i][0].(string); got != want {
				t.Fatalf("Fold(%+q) = %+q, PostgreSQL makes it %+q", word, got, want)
			}
		}
	})
}
