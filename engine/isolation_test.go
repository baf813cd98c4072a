package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store/storetest"
)

// tenantOf returns an engine on a schema of its own in a database.
func tenantOf(t *testing.T, pool *pgxpool.Pool, schema string) *target {
	t.Helper()
	if _, err := migrations.Up(t.Context(), pool, migrations.Config{Schema: schema}); err != nil {
		t.Fatal(err)
	}
	return engineOn(t, pool, schema)
}

func engineOn(t *testing.T, pool *pgxpool.Pool, schema string) *target {
	t.Helper()
	f := &target{folder: t.TempDir()}
	eng, err := engine.New(t.Context(), pool, engine.Config{Schema: schema, BatchSize: 3, Workers: 1,
		Guard:      engine.Guard{Off: true},
		Connectors: map[string]connector.Factory{"delimited-file": delimited.New}})
	if err != nil {
		t.Fatal(err)
	}
	f.fixture = fixtureOf(t, eng, pool)
	return f
}

// live lets a tenant do everything that tenants do: its people have its name. It returns what goes wrong, so that it
// can run beside others.
func (f *target) live(name string) error {
	ctx := f.t.Context()
	people := strings.NewReplacer("example.com", name+".example", "Sales", name+" Sales").Replace(enginetest.People)
	if err := os.WriteFile(f.path(), []byte(targetHeader), 0o600); err != nil {
		return err
	}
	for _, text := range []string{enginetest.Documents, strings.ReplaceAll(fmt.Sprintf(targetConfig, f.folder), "stringValue: Sales",
		"stringValue: "+name+" Sales")} {
		documents, err := engine.ReadDocuments("config.yaml", strings.NewReader(text))
		if err != nil {
			return err
		}
		if _, err := f.Apply(ctx, documents); err != nil {
			return err
		}
	}
	if _, err := f.AggregateSource(ctx, "Files", engine.AggregateOptions{}); err != nil {
		return err
	}
	settle := func() error {
		for range 6 {
			if _, err := f.ProcessPending(ctx, engine.ProcessOptions{}); err != nil {
				return err
			}
			if _, err := f.ProvisionPending(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	for _, text := range []string{people, strings.Replace(people, "Board", name+" Sales", 1), people} {
		if _, err := f.Aggregate(ctx, "HR", onlyReader{strings.NewReader(text)}, engine.AggregateOptions{}); err != nil {
			return err
		}
		if err := settle(); err != nil {
			return err
		}
		page, err := f.ListIdentities(ctx, engine.ListParams{Filters: `email co "` + name + `"`, Count: true, AnyField: true})
		if err != nil {
			return err
		}
		if len(page.Identities) != 5 || *page.Total != 5 {
			return fmt.Errorf("%d identities are listed, %d counted", len(page.Identities), *page.Total)
		}
	}
	ann, err := f.FindIdentity(ctx, "ann")
	if err != nil {
		return err
	}
	if _, err := f.AssignRole(ctx, engine.AssignRoleParams{Identity: ann.ID, Role: "Manager on duty"}); err != nil {
		return err
	}
	if _, err := f.RunSchedule(ctx); err != nil {
		return err
	}
	if _, err := f.ProcessAll(ctx); err != nil {
		return err
	}
	return settle()
}

// What differs from run to run, and from tenant to tenant without having crossed: IDs, times, numbers of transactions.
var fleeting = regexp.MustCompile(`[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|` +
	`\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(\+00(:00)?| UTC|Z)?`)

// contents returns what the tables of a tenant hold, without what is fleeting, sorted.
func (f *target) contents(schema string) []string {
	f.t.Helper()
	var names [][2]string
	var name [2]string
	tables, err := f.Pool.Query(f.t.Context(), `SELECT schemaname::text, tablename::text FROM pg_tables WHERE schemaname = ANY ($1)
		AND tablename NOT IN ('goose_db_version', 'river_migration')`, []string{schema, schema + "_jobs"})
	if err == nil {
		_, err = pgx.ForEachRow(tables, []any{&name[0], &name[1]}, func() error {
			names = append(names, name)
			return nil
		})
	}
	if err != nil {
		f.t.Fatal(err)
	}
	var list []string
	for _, name := range names {
		rows, err := f.Pool.Query(f.t.Context(), `SELECT (to_jsonb(t) - 'id' - 'sequence' - 'position' - 'number' - 'job_id' - 'fingerprint' - 'unique_key')::text
			FROM `+pgx.Identifier(name[:]).Sanitize()+` t`)
		if err != nil {
			f.t.Fatal(err)
		}
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			f.t.Fatal(err)
		}
		for _, text := range texts {
			text = strings.ReplaceAll(text, f.folder, "FOLDER")
			list = append(list, name[1]+" "+fleeting.ReplaceAllString(text, "?"))
		}
	}
	slices.Sort(list)
	return list
}

// Two tenants in one database live at the same time, and each is then as if it had been alone.
func TestTenantsDoNotMeet(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool := storetest.Empty(t)
	names := []string{"acme", "globex"}
	together, alone := make([]*target, len(names)), make([]*target, len(names))
	for i, name := range names {
		together[i], alone[i] = tenantOf(t, pool, name), tenantOf(t, storetest.Empty(t), name)
	}
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() {
			if err := together[i].live(name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	group.Wait()
	for i, name := range names {
		if err := alone[i].live(name); err != nil {
			t.Fatalf("%s alone: %v", name, err)
		}
		got, want := together[i].contents(name), alone[i].contents(name)
		if diff := cmp.Diff(want, got); diff != "" || len(got) < 100 {
			t.Errorf("%s is not as it is alone (%d rows): %s", name, len(got), diff)
		}
		other := names[1-i]
		for _, row := range got {
			if strings.Contains(row, other) {
				t.Errorf("%s has something of %s: %s", name, other, row)
			}
		}
		text, err := os.ReadFile(filepath.Join(together[i].folder, "accounts.csv"))
		if err != nil || !strings.Contains(string(text), name+".example") || strings.Contains(string(text), other) {
			t.Errorf("%s on its source: %s, %v", name, text, err)
		}
		if d := together[i].doctor(engine.DoctorOptions{Thorough: true}); len(notOK(&d)) > 0 {
			t.Errorf("got %s: %q, want len(notOK(&d)) <= 0", name, notOK(&d))
		}
	}
}

// The workers of two tenants in one database take no job of the other's: the task of each is carried out by its own.
func TestWorkersOfTenantsDoNotMeet(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool := storetest.Empty(t)
	acme, globex := tenantOf(t, pool, "acme"), tenantOf(t, pool, "globex")
	for name, f := range map[string]*target{"acme": acme, "globex": globex} {
		if err := f.live(name); err != nil {
			t.Fatal(err)
		}
	}
	waiting, err := globex.ProcessAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := acme.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		task, err := acme.ProcessAll(t.Context())
		if err == nil {
			task, err = acme.Wait(t.Context(), task.ID)
		}
		if err != nil || task.Attributes.IdentityCount != 5 {
			t.Errorf("got %+v and the error %v, want Attributes.IdentityCount 5", task, err)
		}
	}
	if task, err := globex.Task(t.Context(), waiting.ID); err != nil || task.Launched != nil {
		t.Errorf("another tenant's worker began the task: %+v, %v", task, err)
	}
	if err := globex.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if task, err := globex.Wait(t.Context(), waiting.ID); err != nil || task.Attributes.IdentityCount != 5 {
		t.Errorf("got %+v and the error %v, want Attributes.IdentityCount 5", task, err)
	}
	for _, f := range []*target{acme, globex} {
		if err := f.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```")

// documentedSQL returns the statements of the first SQL block under a heading of docs/operating.md.
func documentedSQL(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	block := sqlBlock.FindStringSubmatch(section)
	if !found || block == nil {
		t.Fatalf("docs/operating.md has no SQL under %q", heading)
	}
	var statements []string
	for statement := range strings.SplitSeq(block[1], ";") {
		if statement = strings.TrimSpace(statement); statement != "" {
			statements = append(statements, statement)
		}
	}
	return statements
}

// A role with what the documentation says runs an engine, sees nothing of another tenant, and makes and changes no
// table. The tables belong to another role, which migrates.
func TestRunTimeRole(t *testing.T) {
	t.Parallel()
	owner, run, stranger := storetest.NewRole(t), storetest.NewRole(t), storetest.NewRole(t)
	pool := storetest.Empty(t)
	f := fixtureOf(t, nil, pool)
	names := strings.NewReplacer("DATABASE identities", `DATABASE "`+f.text("SELECT current_database()")+`"`, "acme_owner", owner.Name,
		"acme_run", run.Name)
	for _, statement := range documentedSQL(t, "Roles and rights") {
		f.executeAll(names.Replace(statement))
	}
	tenantOf(t, pool, "globex")
	config := migrations.Config{Schema: "acme"}
	owners := owner.As(t, pool)
	if err := migrations.Grant(t.Context(), owners, config, run.Name); err == nil || !strings.Contains(err.Error(), "is not migrated") {
		t.Errorf("granted before there is anything: %v", err)
	}
	if _, err := migrations.Up(t.Context(), owners, config); err != nil {
		t.Fatal(err)
	}
	running := run.As(t, pool)
	if _, err := engine.New(t.Context(), running, engine.Config{Schema: "acme"}); err == nil {
		t.Error("an engine runs without any right")
	}
	for range 2 { // again it changes nothing
		if err := migrations.Grant(t.Context(), owners, config, run.Name); err != nil {
			t.Fatal(err)
		}
	}
	demandGranted(t, pool, "acme", run.Name)
	if err := migrations.Grant(t.Context(), owners, config, "nobody at all"); err == nil || !strings.Contains(err.Error(), "CREATE ROLE") {
		t.Errorf("granted to nobody: %v", err)
	}
	acme := engineOn(t, running, "acme")
	if err := acme.live("acme"); err != nil {
		t.Fatal(err)
	}
	if err := acme.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	task, err := acme.ProcessAll(t.Context())
	if err == nil {
		task, err = acme.Wait(t.Context(), task.ID)
	}
	if err != nil || task.Attributes.IdentityCount != 5 {
		t.Errorf("got %+v and the error %v, want Attributes.IdentityCount 5", task, err)
	}
	if err := acme.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := acme.doctor(engine.DoctorOptions{Thorough: true, Repair: true}); len(notOK(&d)) > 0 {
		t.Errorf("got %q, want len(notOK(&d)) <= 0", notOK(&d))
	}
	for _, statement := range []string{
		"SELECT FROM globex.identities", "SELECT FROM globex_jobs.river_job", "DELETE FROM globex.tasks", "TRUNCATE acme.tasks",
		"CREATE TABLE acme.own ()", "CREATE TABLE acme_jobs.own ()", "CREATE TABLE public.own ()", "CREATE SCHEMA own",
		"ALTER TABLE acme.tasks ADD COLUMN own text", "ALTER TABLE acme.tasks DISABLE TRIGGER ALL", "DROP TABLE acme.tasks",
		"DROP INDEX acme.identities_alias", "INSERT INTO acme.goose_db_version (version_id, is_applied) VALUES (99, true)",
		"UPDATE acme_jobs.river_migration SET version = 99", "DROP SCHEMA acme CASCADE", "COMMENT ON SCHEMA acme_jobs IS 'x'",
		"SET ROLE " + owner.Name,
	} {
		_, err := running.Exec(t.Context(), statement)
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != "42501" {
			t.Errorf("got %s: %v, want errors.As(err, &pgErr) && pgErr.Code == \"42501\"", statement, err)
		}
	}
	if err := stranger.As(t, pool).Ping(t.Context()); err == nil {
		t.Error("a role that was given nothing connects")
	}
	// What is missing is told.
	for _, revoked := range []string{"DELETE ON acme.tasks", "UPDATE ON SEQUENCE acme.configuration_version"} {
		if _, err := owners.Exec(t.Context(), "REVOKE "+revoked+" FROM "+run.Name); err != nil {
			t.Fatal(err)
		}
	}
	d := acme.doctor(engine.DoctorOptions{})
	if diff := cmp.Diff([]string{"privileges: acme.configuration_version acme.tasks"}, notOK(&d)); diff != "" {
		t.Errorf("what the doctor finds: %s", diff)
	}
}

// journal keeps the errors of a log.
type journal struct {
	slog.Handler
	mutex sync.Mutex
	lines []string
}

func (j *journal) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (j *journal) Handle(_ context.Context, record slog.Record) error {
	line := record.Message
	record.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.lines = append(j.lines, line)
	return nil
}

func (j *journal) WithAttrs([]slog.Attr) slog.Handler { return j }

func (j *journal) WithGroup(string) slog.Handler { return j }

// holds reports whether a line has a text in it.
func (j *journal) holds(text string) bool {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return slices.ContainsFunc(j.lines, func(line string) bool { return strings.Contains(line, text) })
}

// idle is a job of no use.
type idle struct{}

func (idle) Kind() string { return "idle" }

// The queue rebuilds its indexes every night. A role that runs engines may not: an error is logged, the queue goes on,
// and nothing half built is left. From PostgreSQL 17 on it may, where that was granted.
func TestReindexAsRunTimeRole(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	owner, run := storetest.NewRole(t), storetest.NewRole(t)
	pool := storetest.Empty(t)
	f := fixtureOf(t, nil, pool)
	f.executeAll(`GRANT ALL ON DATABASE "` + f.text("SELECT current_database()") + `" TO ` + owner.Name)
	owners, running := owner.As(t, pool), run.As(t, pool)
	config := migrations.Config{Schema: "acme"}
	if _, err := migrations.Up(t.Context(), owners, config); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Grant(t.Context(), owners, config, run.Name); err != nil {
		t.Fatal(err)
	}
	acme := engineOn(t, running, "acme")
	const refused = "must be owner"
	night := func(ended func(*journal) bool) {
		t.Helper()
		log := &journal{Handler: slog.DiscardHandler}
		workers := river.NewWorkers()
		river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[idle]) error { return nil }))
		client, err := river.NewClient(riverpgxv5.New(running), &river.Config{Schema: "acme_jobs", Logger: slog.New(log),
			Queues: map[string]river.QueueConfig{"other": {MaxWorkers: 1}}, Workers: workers,
			ReindexerSchedule: river.PeriodicInterval(time.Second)})
		if err == nil {
			err = client.Start(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		await(t, "the end of a night", func() bool { return ended(log) })
		if err := client.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	built := func() string {
		return f.text(`SELECT string_agg(relfilenode::text, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'i'
			AND relnamespace = 'acme_jobs'::regnamespace AND relname NOT LIKE '%\_pkey'`)
	}
	before := built()
	night(func(log *journal) bool { return log.holds(refused) || log.holds("permission denied") })
	if after := built(); after != before {
		t.Errorf("indexes were rebuilt: %s, before %s", after, before)
	}
	if d := acme.doctor(engine.DoctorOptions{}); len(notOK(&d)) > 0 {
		t.Errorf("got %q, want len(notOK(&d)) <= 0", notOK(&d))
	}
	if f.number(`SELECT current_setting('server_version_num')::int`) < 170000 {
		return
	}
	if _, err := owners.Exec(t.Context(), `GRANT MAINTAIN ON ALL TABLES IN SCHEMA acme_jobs TO `+run.Name); err != nil {
		t.Fatal(err)
	}
	night(func(log *journal) bool {
		if log.holds("reindex") {
			t.Fatalf("with the right to maintain: %q", log.lines)
		}
		return built() != before
	})
}
