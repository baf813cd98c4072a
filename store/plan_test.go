package store_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// planRows is how many identities the plans are made over. It is enough for the planner to choose as it does at a
// million, which MUSTER_TEST_PLAN_ROWS=1000000 shows.
func planRows(t *testing.T) int {
	t.Helper()
	text := os.Getenv("MUSTER_TEST_PLAN_ROWS")
	if text == "" {
		return 50_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// population fills the table as a company does: names that recur, states that are rare.
const population = `
	INSERT INTO muster.identities (id, name, name_key, alias, alias_key, email, email_key, firstname_key, lastname_key,
	       cloud_status, processing_state, correlated, protected, attributes, created, modified)
	SELECT gen_random_uuid(), 'Person ' || n, 'person ' || n, 'p' || n, 'p' || n, 'p' || n || '@example.com',
	       'p' || n || '@example.com', 'first' || n % 1000, 'last' || n % 20000,
	       CASE WHEN n % 100 = 0 THEN 'LOCKED' WHEN n % 3 = 0 THEN 'ACTIVE' ELSE 'UNREGISTERED' END,
	       CASE WHEN n % 500 = 0 THEN 'ERROR' END, n % 50 <> 0, n % 1000 = 0, '{}', now(), now()
	FROM generate_series(1, $1::int) n`

// Every filter and every sorter that the Identities API publishes is served by an index, under a plan that does not
// know the values: with one, no page reads the population.
func TestPublishedFiltersAndSortersUseIndexes(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	ctx := t.Context()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, statement := range []string{
		population, `ANALYZE muster.identities`, `SET plan_cache_mode = force_generic_plan`,
	} {
		arguments := []any{}
		if strings.Contains(statement, "$1") {
			arguments = append(arguments, planRows(t))
		}
		if _, err := conn.Exec(ctx, statement, arguments...); err != nil {
			t.Fatal(err)
		}
	}
	schema := store.IdentitySchema(false)
	values := map[string]string{
		"id": `"0190163e8694739bb06f8f1b9c2d1111"`, "cloudStatus": `"LOCKED"`, "processingState": `"ERROR"`, "correlated": "false", "protected": "true",
	}
	for _, f := range schema.Fields() {
		value := values[f.Name]
		if value == "" {
			value = `"p1"`
		}
		for _, op := range []filterql.Op{filterql.Eq, filterql.Sw, filterql.In} {
			if !f.Ops.Has(op) {
				continue
			}
			filter := fmt.Sprintf("%s %s %s", f.Name, op, value)
			if op == filterql.In {
				filter = fmt.Sprintf("%s in (%s,%s)", f.Name, value, value)
			}
			demandIndex(t, conn.Conn(), s, schema, filter, "")
		}
		if f.Sortable {
			demandIndex(t, conn.Conn(), s, schema, "", f.Name)
			demandIndex(t, conn.Conn(), s, schema, "", "-"+f.Name)
		}
	}
	demandIndex(t, conn.Conn(), s, schema, "", "")
}

func demandIndex(t *testing.T, conn *pgx.Conn, s *store.Store, schema *filterql.Schema, filters, sorters string) {
	t.Helper()
	name := "filters=" + filters + "&sorters=" + sorters
	query := store.IdentityQuery{Limit: 250, CorrelatedOnly: filters == ""}
	var err error
	if filters != "" {
		if query.Filter, err = filterql.ParseFilter(filters, schema); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if query.Order, err = filterql.ParseOrdering(sorters, schema, "id"); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	text, arguments, err := s.ListStatement(query)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	plan := genericPlan(t, conn, text, arguments)
	if strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "Index") {
		t.Errorf("%s reads without an index:\n%s\n%s", name, text, plan)
	}
	if filters == "" && regexp.MustCompile(`"Node Type": "Sort"`).MatchString(plan) {
		t.Errorf("%s sorts the population:\n%s\n%s", name, text, plan)
	}
}

// genericPlan returns the plan of a prepared statement.
func genericPlan(t *testing.T, conn *pgx.Conn, text string, arguments []any) string {
	t.Helper()
	ctx := t.Context()
	if _, err := conn.Exec(ctx, "PREPARE plan AS "+text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	execute := "plan"
	if len(arguments) > 0 {
		literals := make([]string, len(arguments))
		for i, argument := range arguments {
			literals[i] = literal(t, argument)
		}
		execute += "(" + strings.Join(literals, ", ") + ")"
	}
	var plan json.RawMessage
	if err := conn.QueryRow(ctx, "EXPLAIN (FORMAT JSON) EXECUTE "+execute).Scan(&plan); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if _, err := conn.Exec(ctx, "DEALLOCATE plan"); err != nil {
		t.Fatal(err)
	}
	return string(plan)
}

func literal(t *testing.T, argument any) string {
	t.Helper()
	switch v := argument.(type) {
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case bool:
		return strconv.FormatBool(v)
	case store.ID:
		return "'" + v.String() + "'"
	case []store.ID:
		texts := make([]string, len(v))
		for i := range v {
			texts[i] = v[i].String()
		}
		return "'{" + strings.Join(texts, ",") + "}'"
	}
	t.Fatalf("an argument of type %T", argument)
	return ""
}

// BenchmarkListIdentities lists the first page, and one far behind it.
func BenchmarkListIdentities(b *testing.B) {
	pool := storetest.Pool(b)
	s, err := store.New("muster")
	if err != nil {
		b.Fatal(err)
	}
	const people = 50_000
	if _, err := pool.Exec(b.Context(), population, people); err != nil {
		b.Fatal(err)
	}
	if _, err := pool.Exec(b.Context(), `VACUUM ANALYZE`); err != nil {
		b.Fatal(err)
	}
	order, err := filterql.ParseOrdering("name", store.IdentitySchema(false), "id")
	if err != nil {
		b.Fatal(err)
	}
	for _, offset := range []int{0, people / 2} {
		b.Run(fmt.Sprintf("offset=%d", offset), func(b *testing.B) {
			query := store.IdentityQuery{Order: order, CorrelatedOnly: true, Limit: filterql.LimitMax, Offset: offset}
			for b.Loop() {
				rows := 0
				_, _, err := s.ListIdentities(b.Context(), pool, query, false, func(*store.Identity) error {
					rows++
					return nil
				})
				if err != nil || rows != query.Limit {
					b.Fatal(rows, err)
				}
			}
		})
	}
}
