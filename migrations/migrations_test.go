package migrations_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store/storetest"
)

var tenant = migrations.Config{Schema: "acme", JobSchema: "acme_work"}

// objects describes everything in the schemas of a tenant, so that two states can be compared.
func objects(t *testing.T, pool *pgxpool.Pool, config migrations.Config) []string {
	t.Helper()
	const question = `
		SELECT n.nspname || ' ' || c.relkind::text || ' ' || c.relname
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = ANY ($1)
		UNION ALL
		SELECT n.nspname || ' constraint ' || o.conname || ' ' || pg_get_constraintdef(o.oid)
		FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace
		WHERE n.nspname = ANY ($1)
		UNION ALL
		SELECT table_schema || ' column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
		FROM information_schema.columns
		WHERE table_schema = ANY ($1)
		ORDER BY 1`
	return storetest.Texts(t, pool, question, []string{config.Schema, config.JobSchema})
}

func up(t *testing.T, pool *pgxpool.Pool, config migrations.Config) []migrations.Migration {
	t.Helper()
	steps, err := migrations.Up(t.Context(), pool, config)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func TestUpDownUp(t *testing.T) {
	pool := storetest.Empty(t)
	if steps := up(t, pool, tenant); len(steps) != len(migrations.Steps()) {
		t.Errorf("%d steps were taken, there are %d", len(steps), len(migrations.Steps()))
	}
	before := objects(t, pool, tenant)
	if !slices.Contains(before, "acme_work r river_job") || !slices.Contains(before, "acme r identities") {
		t.Errorf("tables are missing: %s", before)
	}
	if steps := up(t, pool, tenant); len(steps) != 0 {
		t.Errorf("a second time took %d steps", len(steps))
	}
	for _, step := range slices.Backward(migrations.Steps()) { // numbers may be left out
		version := step.Version
		if err := check(t, pool); (err == nil) != (version == migrations.Latest()) {
			t.Errorf("version %d: check says %v", version, err)
		}
		steps, err := migrations.Down(t.Context(), pool, tenant)
		if err != nil || len(steps) != 1 || steps[0].Version != version {
			t.Fatalf("down from %d: %v, %v", version, steps, err)
		}
	}
	if steps, err := migrations.Down(t.Context(), pool, tenant); err != nil || len(steps) != 0 {
		t.Errorf("down from nothing: %v, %v", steps, err)
	}
	for _, object := range objects(t, pool, tenant) {
		if !strings.Contains(object, "goose_db_version") {
			t.Errorf("left behind: %s", object)
		}
	}
	up(t, pool, tenant)
	if diff := cmp.Diff(before, objects(t, pool, tenant)); diff != "" {
		t.Errorf("up, down and up again is not up: %s, want %q", diff, "")
	}
}

func check(t *testing.T, pool *pgxpool.Pool) error {
	t.Helper()
	return migrations.Check(t.Context(), pool, tenant)
}

func TestTo(t *testing.T) {
	pool := storetest.Empty(t)
	for _, version := range []int64{0, 2, 4, 4, 1, 3, 0, 0} {
		if _, err := migrations.To(t.Context(), pool, tenant, version); err != nil {
			t.Fatal(err)
		}
		if got, err := migrations.Version(t.Context(), pool, tenant); err != nil || got != version {
			t.Errorf("version %d, %v, want %d", got, err, version)
		}
	}
	if _, err := migrations.To(t.Context(), pool, tenant, migrations.Latest()+1); err == nil {
		t.Error("a version that does not exist was taken")
	}
}

// Two migrators at once: one works, the other waits and finds nothing to do. Two tenants do not wait for each other.
func TestUpAtOnce(t *testing.T) {
	pool := storetest.Empty(t)
	configs := []migrations.Config{tenant, tenant, {Schema: "other"}, {Schema: "other"}}
	taken := make([]int, len(configs))
	var group sync.WaitGroup
	for i, config := range configs {
		group.Go(func() {
			own, err := pgxpool.New(t.Context(), pool.Config().ConnString())
			if err != nil {
				t.Error(err)
				return
			}
			defer own.Close()
			steps, err := migrations.Up(t.Context(), own, config)
			if err != nil {
				t.Error(err)
			}
			taken[i] = len(steps)
		})
	}
	group.Wait()
	all := len(migrations.Steps())
	if taken[0]+taken[1] != all || taken[2]+taken[3] != all {
		t.Errorf("steps taken: %v, want %d for each tenant", taken, all)
	}
}

func TestCheck(t *testing.T) {
	pool := storetest.Empty(t)
	err := check(t, pool)
	if !errors.Is(err, migrations.ErrTooOld) || !strings.Contains(err.Error(), "`muster migrate up --schema acme --job-schema acme_work`") {
		t.Errorf("an empty database: %v", err)
	}
	up(t, pool, tenant)
	if err := check(t, pool); err != nil {
		t.Error(err)
	}
	if _, err := pool.Exec(t.Context(), `INSERT INTO acme.goose_db_version (version_id, is_applied) VALUES (1000, true)`); err != nil {
		t.Fatal(err)
	}
	err = check(t, pool)
	if !errors.Is(err, migrations.ErrTooNew) || !strings.Contains(err.Error(), "upgrade Muster") {
		t.Errorf("a newer schema: %v", err)
	}
	if _, err := migrations.Up(t.Context(), pool, tenant); !errors.Is(err, migrations.ErrTooNew) {
		t.Errorf("up on a newer schema: %v", err)
	}
}

func TestJobSchemaOfSomebodyElse(t *testing.T) {
	pool := storetest.Empty(t)
	up(t, pool, tenant)
	_, err := migrations.Up(t.Context(), pool, migrations.Config{Schema: "other", JobSchema: tenant.JobSchema})
	if err == nil || !strings.Contains(err.Error(), "choose another job schema") {
		t.Errorf("a job schema was shared: %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	for _, test := range []struct {
		config migrations.Config
		want   string
	}{
		{migrations.Config{}, ""},
		{migrations.Config{Schema: "tenant_1"}, ""},
		{migrations.Config{Schema: "Tenant"}, "lower-case letters"},
		{migrations.Config{Schema: "a; DROP TABLE x"}, "lower-case letters"},
		{migrations.Config{Schema: "1a"}, "lower-case letters"},
		{migrations.Config{Schema: strings.Repeat("a", 42)}, "longer than 41"},
		{migrations.Config{JobSchema: strings.Repeat("a", 47)}, "longer than 46"},
		{migrations.Config{Schema: "a", JobSchema: "a"}, "must differ"},
	} {
		err := test.config.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.config, err, test.want)
		}
	}
}

func TestStatus(t *testing.T) {
	pool := storetest.Empty(t)
	if _, err := migrations.To(t.Context(), pool, tenant, 2); err != nil {
		t.Fatal(err)
	}
	steps, err := migrations.Status(t.Context(), pool, tenant)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		if step.Applied.IsZero() != (step.Version > 2) {
			t.Errorf("step %s: applied %v", step.Name, step.Applied)
		}
	}
}

// A population from before gets the rows of what its accounts hold, and the entitlements that were missing.
func TestEntitlementsOfAPopulation(t *testing.T) {
	pool := storetest.Empty(t)
	if _, err := migrations.To(t.Context(), pool, tenant, 8); err != nil {
		t.Fatal(err)
	}
	const id = `'00000000-0000-0000-0000-00000000000`
	for _, statement := range []string{
		`INSERT INTO acme.sources (id, name, name_key, document, created, modified) VALUES
		 (` + id + `1', 'A', 'a', '{"schemas": [{"name": "group", "attributes": [{"name": "title", "isEntitlement": true}]},
		   {"name": "account", "attributes": [{"name": "groups", "isMulti": true, "isEntitlement": true}, {"name": "level", "isEntitlement": true},
		    {"name": "title"}, {"name": "mail", "isEntitlement": false}]}]}', now(), now()),
		 (` + id + `2', 'B', 'b', '{"schemas": [{"attributes": [{"name": "groups", "isEntitlement": true}]}]}', now(), now()),
		 (` + id + `3', 'C', 'c', '{}', now(), now()), (` + id + `4', 'D', 'd', '{"schemas": null}', now(), now()),
		 (` + id + `5', 'E', 'e', '{"schemas": [{"name": "account"}]}', now(), now())`,
		`INSERT INTO acme.entitlements (id, source_id, attribute, value, name, created, modified) VALUES
		 (` + id + `1', ` + id + `1', 'groups', 'g', 'G', now(), now()), (` + id + `2', ` + id + `1', 'title', 'Boss', 'B', now(), now())`,
		`INSERT INTO acme.accounts (id, source_id, native_identity, name, attributes, fingerprint, created, modified)
		 SELECT md5(s.name || a.name)::uuid, s.id, a.name, a.name, a.attributes::jsonb, s.id, now(), now()
		 FROM acme.sources s, (VALUES ('list', '{"groups": ["g", "h", "g"], "title": "Boss", "mail": "m", "level": 7}'),
		   ('text', '{"groups": "G"}'), ('none', '{"title": "g", "groups": null}'), ('long', '{"groups": ["' || repeat('x', 2001) || '"]}')) a (name, attributes)`,
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"A list groups=g G", "A list groups=h h", "A list level=7 7", "A text groups=G G", "B list groups=g g", "B list groups=h h", "B text groups=G G"}
	for range 2 { // again after a way back
		if _, err := migrations.To(t.Context(), pool, tenant, 9); err != nil {
			t.Fatal(err)
		}
		rows, err := pool.Query(t.Context(), `
			SELECT (s.name || ' ' || a.name || ' ' || e.attribute || '=' || e.value || ' ' || e.name) COLLATE "C"
			FROM acme.account_entitlements k JOIN acme.accounts a ON a.id = k.account_id
			JOIN acme.entitlements e ON e.id = k.entitlement_id JOIN acme.sources s ON s.id = a.source_id AND s.id = e.source_id
			ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("got %q, want %q, %v", got, want, err)
		}
		var found, versions int
		if err := pool.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE substr(id::text, 15, 1) = '7') FROM acme.entitlements`).Scan(&found, &versions); err != nil || found != 8 || versions != 6 {
			t.Errorf("%d entitlements, of which %d are new, want 8 and 6, %v", found, versions, err)
		}
		if _, err := migrations.To(t.Context(), pool, tenant, 8); err != nil {
			t.Fatal(err)
		}
	}
}

// The messages of tasks from before stay, one row each with its identity, and on the way back too.
func TestTaskMessagesOfAPopulation(t *testing.T) {
	pool := storetest.Empty(t)
	if _, err := migrations.To(t.Context(), pool, tenant, 9); err != nil {
		t.Fatal(err)
	}
	const ann, task = `'0197a3c2-f220-7b6c-9d33-e5f7091a2b3c'`, `'0197a3c2-f220-7b6c-9d33-e5f7091a2b3d'`
	for _, statement := range []string{
		`INSERT INTO acme.tasks (id, kind, description, launcher, created, modified, everybody, population, actor_id, actor_via)
		 VALUES (` + task + `, 'IDENTITY_REFRESH', '', '', now(), now(), false, 0, '', '')`,
		`INSERT INTO acme.task_messages (id, task_id, type, key, identity_id, text, at)
		 SELECT md5(n::text)::uuid, ` + task + `, 'WARN', 'k', CASE WHEN n < 3 THEN ` + ann + `::uuid END, 'no mail', now()
		 FROM generate_series(1, 3) n`,
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // again after a way back
		for _, test := range []struct {
			version      int64
			column, want string
		}{
			{10, "count || ' ' || examples::text", "1 {0197a3c2-f220-7b6c-9d33-e5f7091a2b3c},1 {0197a3c2-f220-7b6c-9d33-e5f7091a2b3c},1 {}"},
			{9, "coalesce(identity_id::text, '')", "0197a3c2-f220-7b6c-9d33-e5f7091a2b3c,0197a3c2-f220-7b6c-9d33-e5f7091a2b3c,"},
		} {
			if _, err := migrations.To(t.Context(), pool, tenant, test.version); err != nil {
				t.Fatal(err)
			}
			var got string
			if err := pool.QueryRow(t.Context(), `SELECT string_agg(`+test.column+`, ',' ORDER BY length(`+test.column+`) DESC)
				FROM acme.task_messages WHERE text = 'no mail'`).Scan(&got); err != nil || got != test.want {
				t.Errorf("version %d has %q, %v, want %q", test.version, got, err, test.want)
			}
		}
	}
}
