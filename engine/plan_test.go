package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files again")

// plansFile has the plan of every statement of the hot paths. It says by which version of PostgreSQL: another one may
// choose another shape, and then only what [TestPlans] demands of every plan is checked.
const plansFile = "testdata/plans.txt"

const (
	// plannedPeople is how many there are, and plannedFactor how many times as many the planner believes in.
	plannedPeople = 1_000
	plannedFactor = 1_000
	// populatedMin is how many rows a table has at the least that grows with the population.
	populatedMin = plannedPeople / 4
)

// readsAll are the statements that may read a whole table of the population, with the reason. One that no statement needs
// is a fault too.
var readsAll = []struct{ table, text, reason string }{
	{"refresh_state", "WITH divided AS", "everybody is divided among the workers"},
	{"refresh_requests", "WITH divided AS", "among them those who were never processed"},
	{"refresh_requests", "SELECT id FROM (SELECT identity_id AS id FROM muster.refresh_requests",
		"everybody for whom processing is requested is part of a preview"},
	{"identities", "SELECT id FROM (SELECT identity_id AS id FROM muster.refresh_requests",
		"an attribute that is not searchable is looked at for everybody"},
	{"identities", "SELECT count(*) FROM muster.identities i WHERE (i.correlated AND i.cloud_status =",
		"a state is taken to be that of many, who are counted"},
	{"identities", "SELECT count(*) FROM muster.identities i WHERE (i.correlated AND i.correlated =",
		"nearly everybody is counted"},
	{"refresh_state", "SELECT identity_id FROM muster.refresh_state WHERE due <= $1 ORDER BY identity_id FOR",
		"a third is taken to be due where the time is not known; it is, when the plan is made"},
	{"identities", "SELECT count(*) FROM muster.identities", "the limit of the guard is a share of everybody"},
}

// The plan of each statement that the hot paths run is the one in the golden file, and reads no table of the population
// as a whole, unless it is listed why. The statements are those that an engine runs: they are taken from its
// connections, and one that is new or has another text fails the test until the file is written again with -update.
//
// The planner is made to choose as at a million identities. It takes the number of rows to be the density that pg_class
// tells, rows by pages, times the pages that a table's file has; so the density is raised, and it believes in a million
// rows in a file of some hundred pages. Of such a file everything costs less than of a true one, reading all of it most
// of all, so a plan that does not do so here does not do so there. Plans are generic, made without the values.
func TestPlans(t *testing.T) {
	t.Parallel()
	pool := administrator(t)
	fillHistory(t, pool)
	raiseDensity(t, pool)
	r := &planRecorder{t: t, plans: map[string]map[string]*planNode{}}
	// Half past an hour, because no slot may come between the looks of runSchedules, which are minutes apart.
	clock := enginetest.NewClock(time.Now().Truncate(time.Hour).Add(30 * time.Minute))
	eng := recordedEngine(t, pool, r, clock)
	for _, path := range hotPaths(t, pool, eng, clock) {
		r.path = path.name
		if err := path.run(t.Context()); err != nil {
			t.Fatalf("%s: %v", path.name, err)
		}
		r.path = ""
	}
	demandNoWholeTable(t, r, populated(t, pool), partialIndexes(t, pool))
	comparePlans(t, pool, r, plansFile)
}

// administrator returns a pool on a population that may write what the planner is told.
func administrator(t *testing.T) *pgxpool.Pool {
	t.Helper()
	owners, _ := population(t, plannedPeople, engine.Config{Workers: 1})
	pool, err := pgxpool.New(t.Context(), storetest.AdministratorURL(t, owners))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// fillHistory writes what is empty in a population that is at rest, as it is in use: tasks that have ended, and, of
// people that are not there, requests, operations and states.
func fillHistory(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for _, statement := range []string{
		`INSERT INTO muster.tasks (id, kind, description, launcher, created, modified, completed, completion_status)
		 SELECT gen_random_uuid(), 'IDENTITY_REFRESH', 'Task', 'muster', at, at, at, 'SUCCESS'
		 FROM (SELECT now() - n * interval '1 minute' AS at FROM generate_series(1, $1::int) n) ended`,
		`INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		 SELECT md5((n / 10)::text)::uuid, n, gen_random_uuid(), md5((n / 10)::text)::uuid, 'processing requested', now()
		 FROM generate_series(1, $1::int) n`,
		`INSERT INTO muster.provisioning_operations (id, identity_id, source_id, account_id, native_identity, kind,
		        attribute, value, attributes, reason, state, created, completed)
		 SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'p' || n, 'SET_ATTRIBUTES',
		        'mail', n::text, '{}', 'role', CASE WHEN n % 100 = 0 THEN 'FAILED' ELSE 'DONE' END, now(), now()
		 FROM generate_series(1, $1::int) n`,
	} {
		if _, err := pool.Exec(t.Context(), statement, plannedPeople); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.Exec(t.Context(), `VACUUM ANALYZE`); err != nil {
		t.Fatal(err)
	}
}

// isPopulated is the condition of the tables that grow with the population, and densityOf of those and their indexes.
const (
	isPopulated = `c.relnamespace = 'muster'::regnamespace AND c.relkind = 'r' AND c.reltuples >= $1`
	densityOf   = `c.oid IN (SELECT c.oid FROM pg_class c WHERE ` + isPopulated + `) OR c.oid IN (
		SELECT x.indexrelid FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid WHERE ` + isPopulated + `)`
)

func populated(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	return storetest.Texts(t, pool, `SELECT relname::text FROM pg_class c WHERE `+isPopulated, populatedMin)
}

func partialIndexes(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	return storetest.Texts(t, pool, `SELECT c.relname::text FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid WHERE indpred IS NOT NULL`)
}

// raiseDensity makes the planner believe in a large population, and keeps the server from finding out.
func raiseDensity(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for _, table := range populated(t, pool) {
		if _, err := pool.Exec(t.Context(), `ALTER TABLE muster.`+table+` SET (autovacuum_enabled = off)`); err != nil {
			t.Fatal(err)
		}
	}
	// How much of a table is known to be visible to all depends on what else runs on the server, and all of it is so only
	// as long as its file does not grow. So it is a part.
	const raise = `
		UPDATE pg_class c SET reltuples = reltuples * $2::real,
		       relallvisible = CASE WHEN relkind = 'r' THEN relpages * 19 / 20 ELSE relallvisible END
		WHERE ` + densityOf
	if _, err := pool.Exec(t.Context(), raise, populatedMin, plannedFactor); err != nil {
		t.Fatal(err)
	}
}

// recordedEngine returns an engine on the database of pool whose statements are recorded.
func recordedEngine(t *testing.T, pool *pgxpool.Pool, r *planRecorder, c *enginetest.Clock) *engine.Engine {
	t.Helper()
	config := pool.Config().Copy()
	config.ConnConfig.Tracer = r
	storetest.Record(config.ConnConfig)
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	config.ConnConfig.RuntimeParams["max_parallel_workers_per_gather"] = "0"
	recorded, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(recorded.Close)
	eng, err := engine.New(t.Context(), recorded, engine.Config{Guard: engine.Guard{Off: true}, Workers: 1, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return eng
}

// hotPath is something that an engine does often, or over everybody.
type hotPath struct {
	name string
	run  func(context.Context) error
}

func hotPaths(t *testing.T, pool *pgxpool.Pool, eng *engine.Engine, c *enginetest.Clock) []hotPath {
	t.Helper()
	hr, directory := populationTexts(plannedPeople)
	aggregate := func(source, text string, options engine.AggregateOptions) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := eng.Aggregate(ctx, source, strings.NewReader(text), options)
			return err
		}
	}
	process := func(ctx context.Context) error {
		_, err := eng.ProcessPending(ctx, engine.ProcessOptions{})
		return err
	}
	everybody := func(ctx context.Context) error {
		task, err := eng.ProcessAll(ctx)
		if err == nil {
			_, err = eng.ProcessTask(ctx, task.ID, engine.ProcessOptions{})
		}
		return err
	}
	// Two people are new, one of whom an account waits for, and everybody else has another name.
	changed := strings.ReplaceAll(hr, "Person", "Somebody") + newPerson(hr, plannedPeople) + newPerson(hr, plannedPeople+1)
	waiting := strings.ReplaceAll(directory, "Floor", "Level") + fmt.Sprintf("late,Team 1,%d\n", plannedPeople)
	return []hotPath{
		{"aggregation, unchanged", inTurn(aggregate("HR", hr, engine.AggregateOptions{}),
			aggregate("Directory", directory, engine.AggregateOptions{}))},
		{"aggregation, changed and new", inTurn(aggregate("Directory", waiting, engine.AggregateOptions{}),
			aggregate("HR", changed, engine.AggregateOptions{}))},
		{"processing of changes", process},
		{"full run", everybody},
		{"event", inTurn(aggregate("HR", oneAccount(hr, "Changed"), engine.AggregateOptions{Delta: true}), process)},
		{"schedule", func(ctx context.Context) error { return runSchedules(ctx, pool, eng, c) }},
		{"get", func(ctx context.Context) error {
			_, err := eng.FindIdentity(ctx, "7")
			return err
		}},
		{"list", func(ctx context.Context) error { return everyList(ctx, eng) }},
		{"list of what people have", func(ctx context.Context) error { return everyCollection(ctx, eng) }},
		{"preview", func(ctx context.Context) error {
			documents, err := engine.ReadDocuments("config", strings.NewReader(fmt.Sprintf(salesRole, true, "Sales")))
			if err == nil {
				_, err = eng.Preview(ctx, engine.PreviewParams{Documents: documents},
					func(*engine.PreviewChange) error { return nil })
			}
			return err
		}},
	}
}

func inTurn(runs ...func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, run := range runs {
			if err := run(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

// newPerson returns a row like the last one of the text, of somebody else.
func newPerson(text string, id int) string {
	rows := strings.Split(strings.TrimSpace(text), "\n")
	last := rows[len(rows)-1]
	return strings.ReplaceAll(last, fmt.Sprint(len(rows)-2), fmt.Sprint(id)) + "\n"
}

// oneAccount returns the header and one row of a text, with another name.
func oneAccount(text, name string) string {
	rows := strings.SplitN(text, "\n", 3)
	return rows[0] + "\n" + strings.ReplaceAll(rows[1], "Person", name) + "\n"
}

// runSchedules looks at the clock when a slot has come, when nothing has, and when the time of somebody has.
func runSchedules(ctx context.Context, pool *pgxpool.Pool, eng *engine.Engine, c *enginetest.Clock) error {
	const due = `
		INSERT INTO muster.refresh_state (identity_id, due) SELECT min(id::text)::uuid, $1 FROM muster.identities
		ON CONFLICT ON CONSTRAINT refresh_state_pkey DO UPDATE SET due = excluded.due`
	for i, step := range []time.Duration{12 * time.Hour, time.Minute, time.Minute} {
		c.Set(c.Now().Add(step))
		if i == 2 {
			if _, err := pool.Exec(ctx, due, c.Now()); err != nil {
				return err
			}
		}
		result, err := eng.RunSchedule(ctx)
		if err == nil && len(result.Tasks) != []int{1, 0, 1}[i] {
			err = fmt.Errorf("look %d launched %d tasks", i, len(result.Tasks))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// everyCollection lists accounts, entitlements and operations in the ways that an index serves.
func everyCollection(ctx context.Context, eng *engine.Engine) error {
	person, err := eng.FindIdentity(ctx, "7")
	if err != nil {
		return err
	}
	for _, params := range []engine.AccountParams{
		{}, {Identity: person.ID}, {Source: "Directory"}, {Source: "Directory", Uncorrelated: true},
		{PageParams: engine.PageParams{Filters: fmt.Sprintf("identityId in (%s)", person.ID)}},
		{PageParams: engine.PageParams{Filters: fmt.Sprintf("id sw %q", person.ID[:8])}},
	} {
		if _, err := eng.ListAccounts(ctx, params); err != nil {
			return err
		}
	}
	held, err := eng.ListEntitlements(ctx, engine.EntitlementParams{Identity: person.ID})
	if err != nil || len(held.Items) == 0 {
		return fmt.Errorf("%d entitlements, %w", len(held.Items), err)
	}
	if _, err := eng.ListEntitlementHolders(ctx, held.Items[0].ID, engine.PageParams{}); err != nil {
		return err
	}
	for _, params := range []engine.OperationListParams{{}, {Identity: person.ID}, {States: []string{"FAILED"}}} {
		if _, err := eng.ListOperations(ctx, params); err != nil {
			return err
		}
	}
	_, err = eng.ListTasks(ctx, engine.TaskListParams{})
	return err
}

// everyList lists by every published filter and sorter: with the count, far behind the first page, and behind a cursor.
func everyList(ctx context.Context, eng *engine.Engine) error {
	list := func(params engine.ListParams) (engine.IdentityPage, error) {
		page, err := eng.ListIdentities(ctx, params)
		if err != nil {
			return page, fmt.Errorf("%+v: %w", params, err)
		}
		return page, nil
	}
	known := map[string]string{"id": `"0190163e8694739bb06f8f1b9c2d1111"`, "cloudStatus": `"LOCKED"`,
		"processingState": `"ERROR"`, "correlated": "true", "protected": "true"}
	sorters := []string{""}
	for _, f := range store.IdentitySchema(false).Fields() {
		value := known[f.Name]
		if value == "" {
			value = `"7"`
		}
		for op, format := range map[filterql.Op]string{filterql.Eq: "%s eq %s", filterql.Sw: "%s sw %s",
			filterql.In: "%s in (%s)"} {
			if !f.Ops.Has(op) {
				continue
			}
			params := engine.ListParams{Filters: fmt.Sprintf(format, f.Name, value), Count: true}
			if _, err := list(params); err != nil {
				return err
			}
		}
		if f.Sortable {
			sorters = append(sorters, f.Name, "-"+f.Name)
		}
	}
	for _, sorter := range sorters {
		for _, offset := range []int{500, 5000} {
			if _, err := list(engine.ListParams{Sorters: sorter, Offset: offset}); err != nil {
				return err
			}
		}
		page, err := list(engine.ListParams{Sorters: sorter})
		if err == nil && page.Next == "" {
			err = errors.New("there is one page only")
		}
		if err != nil {
			return err
		}
		if _, err := list(engine.ListParams{Sorters: sorter, After: page.Next}); err != nil {
			return err
		}
	}
	return nil
}

// planRecorder explains each statement right before it is run, on its connection: where the tables are that only its
// transaction has.
type planRecorder struct {
	t     *testing.T
	path  string // that runs; empty for none
	mutex sync.Mutex
	plans map[string]map[string]*planNode // by path and statement
}

// TraceQueryStart implements [pgx.QueryTracer].
func (r *planRecorder) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.record(ctx, conn, data.SQL, nil)
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (*planRecorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart implements [pgx.BatchTracer].
func (r *planRecorder) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	settings := map[string]string{} // in force in the batch, by name
	for _, q := range data.Batch.QueuedQueries {
		switch set := planSetting.FindStringSubmatch(q.SQL); {
		case set == nil:
			r.record(ctx, conn, q.SQL, settings)
		case set[2] == "DEFAULT":
			delete(settings, set[1])
		default:
			settings[set[1]] = set[2]
		}
	}
	return ctx
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (*planRecorder) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements [pgx.BatchTracer].
func (*planRecorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

var (
	// planned are the statements that have a plan. The job queue's own are its matter.
	planned     = regexp.MustCompile(`(?is)^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b.*\b(muster|pg_temp)\.`)
	parameter   = regexp.MustCompile(`\$(\d+)`)
	temporaries = regexp.MustCompile(`\bpg_temp\.`)
	// planSetting sets how statements behind it are planned.
	planSetting = regexp.MustCompile(`^SET LOCAL (enable_\w+) (?:=|TO) (\w+)$`)
)

func (r *planRecorder) record(ctx context.Context, conn *pgx.Conn, text string, settings map[string]string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.path == "" || !planned.MatchString(text) {
		return
	}
	if r.plans[r.path] == nil {
		r.plans[r.path] = map[string]*planNode{}
	}
	key := statementKey(text)
	if r.plans[r.path][key] != nil {
		return
	}
	plan, err := explain(ctx, conn, text, settings)
	if err != nil {
		r.t.Errorf("%s: %v\n%s", r.path, err, text)
		plan = &planNode{}
	}
	r.plans[r.path][key] = plan
}

// statementKey is a statement in a line: its beginning, and a sum that tells it from others.
func statementKey(text string) string {
	line := strings.Join(strings.Fields(text), " ")
	const shown = 160
	if len(line) <= shown {
		return line
	}
	return fmt.Sprintf("%s... [%.3x]", strings.ToValidUTF8(line[:shown], ""), sha256.Sum256([]byte(line)))
}

// explain returns the generic plan of a statement under settings.
func explain(ctx context.Context, conn *pgx.Conn, text string, settings map[string]string) (*planNode, error) {
	count := 0
	for _, match := range parameter.FindAllStringSubmatch(text, -1) {
		var n int
		if _, err := fmt.Sscan(match[1], &n); err != nil {
			return nil, err
		}
		count = max(count, n)
	}
	execute := "EXECUTE explained"
	if count > 0 {
		execute += "(NULL" + strings.Repeat(", NULL", count-1) + ")"
	}
	before := "SET LOCAL plan_cache_mode = force_generic_plan; " // a batch sets another
	var after string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		before += "SET LOCAL " + name + " = " + settings[name] + "; "
		after += "; SET LOCAL " + name + " TO DEFAULT"
	}
	if temporaries.MatchString(text) { // it is as large as what is read
		before += fmt.Sprintf(`UPDATE pg_class SET reltuples = reltuples * %[1]d
			WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r' AND reltuples BETWEEN %[2]d AND %[2]d * 100; `,
			plannedFactor, populatedMin)
	}
	results, err := conn.PgConn().Exec(ctx, before+"PREPARE explained AS "+text+
		"\n; EXPLAIN (FORMAT JSON, COSTS OFF) "+execute+"; DEALLOCATE explained"+after).ReadAll()
	if err != nil {
		return nil, err
	}
	var plans []struct{ Plan *planNode }
	for _, result := range results {
		if len(result.Rows) == 1 {
			if err := json.Unmarshal(result.Rows[0][0], &plans); err != nil {
				return nil, err
			}
		}
	}
	if len(plans) != 1 {
		return nil, fmt.Errorf("%d plans", len(plans))
	}
	return plans[0].Plan, nil
}

// planNode is a node of a plan, as EXPLAIN tells it.
type planNode struct {
	Type      string      `json:"Node Type"`
	Join      string      `json:"Join Type"`
	Strategy  string      `json:"Strategy"` // of an Aggregate
	Operation string      `json:"Operation"`
	Table     string      `json:"Relation Name"`
	Index     string      `json:"Index Name"`
	IndexCond string      `json:"Index Cond"`
	Plans     []*planNode `json:"Plans"`
}

// unseen are the nodes that say little, and that differ between versions.
var unseen = []string{"Gather", "Gather Merge", "Hash", "Materialize", "Memoize", "Result", "Subquery Scan"}

// aParameter is a parameter, or a value that the statement finds first, as the versions write it.
var aParameter = regexp.MustCompile(`\(?(InitPlan|SubPlan) \d+\)?\.col\d+|\$\d+`)

func (n *planNode) write(b *strings.Builder, depth int) {
	if !slices.Contains(unseen, n.Type) {
		fmt.Fprintf(b, "%s%s", strings.Repeat("  ", depth), n.Type)
		if n.Operation != "" {
			b.WriteString(" " + n.Operation)
		}
		if n.Join != "" && n.Join != "Inner" {
			b.WriteString(" " + n.Join)
		}
		if n.Table != "" {
			b.WriteString(" " + n.Table)
		}
		if n.Index != "" {
			b.WriteString(" by " + n.Index)
		}
		if n.IndexCond != "" {
			b.WriteString(" " + aParameter.ReplaceAllString(n.IndexCond, "$$"))
		}
		b.WriteByte('\n')
		depth++
	}
	for _, plan := range n.Plans {
		plan.write(b, depth)
	}
}

// wholeTables returns the tables that a plan reads from end to end. What is limited is read as far as is needed, and a
// partial index holds only what it is for.
func (n *planNode) wholeTables(partial []string, limited bool) []string {
	var tables []string
	wholeIndex := (n.Type == "Index Scan" || n.Type == "Index Only Scan") && n.IndexCond == "" && !limited &&
		!slices.Contains(partial, n.Index)
	if n.Type == "Seq Scan" || wholeIndex {
		tables = append(tables, n.Table)
	}
	sorts := n.Type == "Sort" || n.Type == "Aggregate" || n.Type == "Hash" || n.Type == "WindowAgg"
	for _, plan := range n.Plans {
		tables = append(tables, plan.wholeTables(partial, (limited || n.Type == "Limit") && !sorts)...)
	}
	return tables
}

func demandNoWholeTable(t *testing.T, r *planRecorder, population, partial []string) {
	t.Helper()
	used := make([]bool, len(readsAll))
	for _, path := range slices.Sorted(maps.Keys(r.plans)) {
		for _, text := range slices.Sorted(maps.Keys(r.plans[path])) {
			for _, table := range r.plans[path][text].wholeTables(partial, false) {
				if !slices.Contains(population, table) {
					continue
				}
				may := slices.IndexFunc(readsAll, func(s struct{ table, text, reason string }) bool {
					return s.table == table && strings.HasPrefix(text, s.text)
				})
				if may < 0 {
					t.Errorf("%s reads all of %s:\n%s", path, table, text)
					continue
				}
				used[may] = true
			}
		}
	}
	for i, s := range readsAll {
		if !used[i] {
			t.Errorf("no statement %q reads all of %s any more", s.text, s.table)
		}
	}
}

// comparePlans holds the plans against a golden file, or writes it.
func comparePlans(t *testing.T, pool *pgxpool.Pool, r *planRecorder, file string) {
	t.Helper()
	var version string
	if err := pool.QueryRow(t.Context(), `SELECT split_part(current_setting('server_version'), '.', 1)`).Scan(&version); err != nil {
		t.Fatal(err)
	}
	header := "PostgreSQL " + version + "\n"
	got := header + r.text(true)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := string(content)
	if !strings.HasPrefix(want, header) { // the statements alone
		_, want, _ = strings.Cut(want, "\n")
		want = regexp.MustCompile(`(?m)^  .*\n`).ReplaceAllString(want, "")
		got = r.text(false)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the plans are not those of %s; write it again with -update if they are as they should be: %s", file,
			diff)
	}
}

// text writes the statements by path, with their plans.
func (r *planRecorder) text(plans bool) string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(r.plans)) {
		fmt.Fprintf(&b, "\n== %s\n", path)
		for _, text := range slices.Sorted(maps.Keys(r.plans[path])) {
			fmt.Fprintf(&b, "\n%s\n", text)
			if plans {
				r.plans[path][text].write(&b, 1)
			}
		}
	}
	return b.String()
}
