package engine_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store/storetest"
)

// Until the server has looked at the accounts of a new source, it takes them to be one or two. No statement of an
// aggregation may be planned for so few in a way that takes the square of what they are: by a nested loop that reads
// all of something again for each row.
func TestPlansOfNewSource(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	const people = 600
	owners, _ := population(t, people, engine.Config{})
	for _, statement := range []string{
		`DELETE FROM muster.accounts WHERE source_id = (SELECT id FROM muster.sources WHERE name = 'Directory')`,
		`ALTER TABLE muster.accounts SET (autovacuum_enabled = off)`, `VACUUM ANALYZE`,
	} {
		if _, err := owners.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	config := owners.Config().Copy()
	tracer := &squareFinder{t: t}
	config.ConnConfig.Tracer = tracer
	storetest.Record(config.ConnConfig)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	eng, err := engine.New(t.Context(), pool, engine.Config{Guard: engine.Guard{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	f := fixtureOf(t, eng, pool)
	_, directory := populationTexts(people)
	renamed := strings.ReplaceAll(directory, "login", "logon") // other accounts
	moved := strings.ReplaceAll(directory, "\n", "\t\n")       // another value
	header, rows, _ := strings.Cut(directory, "\n")
	half := header + "\n" + strings.Join(strings.Split(rows, "\n")[:people/2], "\n") + "\n"
	all := engine.DeletionLimit{Percent: 100, IsPercent: true}
	for _, step := range []struct {
		text    string
		options engine.AggregateOptions
	}{
		{directory, engine.AggregateOptions{}}, // all new
		{directory, engine.AggregateOptions{}}, // all unchanged
		{half, engine.AggregateOptions{Delta: true}},
		{moved, engine.AggregateOptions{}},
		{half, engine.AggregateOptions{MaxDeletions: &all}},
		{renamed, engine.AggregateOptions{MaxDeletions: &all}},
	} {
		if _, err := f.Aggregate(t.Context(), "Directory", strings.NewReader(step.text), step.options); err != nil {
			t.Fatal(err)
		}
		f.AggregateText("Directory", step.text, step.options) // as a stream
	}
	if tracer.explained < 50 {
		t.Errorf("%d statements were explained", tracer.explained)
	}
}

// squareFinder explains each statement right before it is run, with its arguments.
type squareFinder struct {
	t         *testing.T
	explained int
}

// TraceQueryStart implements [pgx.QueryTracer].
func (s *squareFinder) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if !planned.MatchString(data.SQL) {
		return ctx
	}
	rows, err := conn.Query(ctx, "EXPLAIN (FORMAT JSON, COSTS OFF) "+data.SQL, slices.Clone(data.Args)...)
	var text []byte
	if err == nil {
		text, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[[]byte])
	}
	var plans []struct{ Plan *planNode }
	if err == nil {
		err = json.Unmarshal(text, &plans)
	}
	if err != nil {
		s.t.Errorf("%v\n%s", err, data.SQL)
		return ctx
	}
	s.explained++
	if plans[0].Plan.squares() {
		var b strings.Builder
		plans[0].Plan.write(&b, 1)
		s.t.Errorf("a nested loop reads all of something for each row:\n%s\n%s", data.SQL, b.String())
	}
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (*squareFinder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// squares reports whether the plan has a nested loop whose inner side is not found by an index, or a recursion that
// reads all of a table. A function is one of few rows for each outer one, and an aggregate one row, which an outer side
// may be too.
func (n *planNode) squares() bool {
	one := func(n *planNode) bool { return n.Type == "Aggregate" && n.Strategy == "Plain" }
	if n.Type == "Nested Loop" && !one(n.Plans[0]) && n.Plans[1].unindexed() {
		return true
	}
	if n.Type == "Recursive Union" && len(n.Plans[1].wholeTables(nil, false)) > 0 {
		return true
	}
	return slices.ContainsFunc(n.Plans, (*planNode).squares)
}

func (n *planNode) unindexed() bool {
	switch n.Type {
	case "Function Scan", "Aggregate":
		return false
	case "Seq Scan", "CTE Scan":
		return true
	case "Index Scan", "Index Only Scan", "Bitmap Index Scan":
		return n.IndexCond == ""
	}
	return slices.ContainsFunc(n.Plans, (*planNode).unindexed)
}
