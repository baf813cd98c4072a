package engine_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

// loadPlansFile has the plan of every statement of a first load, like [plansFile].
const loadPlansFile = "testdata/plans_load.txt"

// A connection keeps the plan of a statement until the server looks at a table again, which may be after the load. So
// the plans of a first load are those of tables that are taken for empty, and none of them may take the square of what
// the tables become: by a nested loop that reads all of something again for each row, or a recursion over all rows. The plans are those of the golden
// file, which is written again with -update. Plans are generic, made without the values, at the first call of each
// statement.
func TestPlansOfFirstLoad(t *testing.T) {
	t.Parallel()
	owners := storetest.Pool(t)
	for _, table := range storetest.Texts(t, owners, `SELECT relname::text FROM pg_class
		WHERE relnamespace = 'muster'::regnamespace AND relkind = 'r'`) {
		if _, err := owners.Exec(t.Context(), `ALTER TABLE muster.`+table+` SET (autovacuum_enabled = off)`); err != nil {
			t.Fatal(err)
		}
	}
	pool, err := pgxpool.New(t.Context(), storetest.AdministratorURL(t, owners))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	r := &planRecorder{t: t, plans: map[string]map[string]*planNode{}}
	eng := recordedEngine(t, pool, r, enginetest.NewClock(time.Now().Truncate(time.Hour).Add(30*time.Minute)))
	const people = 600
	hr, directory := populationTexts(people)
	aggregate := func(source, text string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := eng.Aggregate(ctx, source, strings.NewReader(text), engine.AggregateOptions{})
			return err
		}
	}
	process := func(ctx context.Context) error {
		_, err := eng.ProcessPending(ctx, engine.ProcessOptions{})
		return err
	}
	for _, path := range []hotPath{
		{"1 configuration", func(ctx context.Context) error {
			documents, err := engine.ReadDocuments("config", strings.NewReader(populationConfig()))
			if err == nil {
				_, err = eng.Apply(ctx, documents)
			}
			return err
		}},
		{"2 first aggregation", aggregate("HR", hr)},
		{"3 first processing", process},
		{"4 second source", inTurn(aggregate("Directory", directory), process)},
		{"5 full run right after", func(ctx context.Context) error {
			task, err := eng.ProcessAll(ctx)
			if err == nil {
				_, err = eng.ProcessTask(ctx, task.ID, engine.ProcessOptions{})
			}
			return err
		}},
		{"6 event", inTurn(aggregate("HR", strings.Replace(hr, "Person 7,", "Somebody,", 1)), process)},
	} {
		r.path = path.name
		if err := path.run(t.Context()); err != nil {
			t.Fatalf("%s: %v", path.name, err)
		}
		r.path = ""
	}
	for _, path := range slices.Sorted(maps.Keys(r.plans)) {
		for _, text := range slices.Sorted(maps.Keys(r.plans[path])) {
			if plan := r.plans[path][text]; plan.squares() {
				var b strings.Builder
				plan.write(&b, 1)
				t.Errorf("%s: a nested loop or a recursion reads all of something:\n%s\n%s", path, text, b.String())
			}
		}
	}
	comparePlans(t, pool, r, loadPlansFile)
}
