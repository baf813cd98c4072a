package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

func (f *fixture) doctor(options engine.DoctorOptions) engine.Diagnosis {
	f.t.Helper()
	d, err := f.Doctor(f.t.Context(), options)
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

// notOK returns the checks that are not ok, as "name: example example". The servers of tests are not durable.
func notOK(d *engine.Diagnosis) []string {
	list := []string{}
	for _, c := range d.Checks {
		if c.Severity != engine.SeverityOK && c.Name != "durability" {
			list = append(list, fmt.Sprintf("%s: %s", c.Name, strings.Join(c.Examples, " ")))
		}
	}
	return list
}

// patient is a company with operations on a source, roles, messages and tasks, of which everything is done, and one that
// is still open of each.
func patient(t *testing.T) *target {
	t.Helper()
	f := newTarget(t, "")
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.AggregateText("Directory", enginetest.DirectoryHeader+"ayseu,,ayse,g;h,true\nstray,x@example.com,nobody,,true\n", engine.AggregateOptions{})
	f.settle()
	ann := f.Identity("ann").ID
	if _, err := f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{ann}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ann, Role: "Manager on duty"}); err != nil {
		t.Fatal(err)
	}
	f.Process() // opens an operation, which waits for its job
	return f
}

func TestDoctorFindsAHealthyTenantHealthy(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f := patient(t)
	d := f.doctor(engine.DoctorOptions{Thorough: true, Repair: true})
	if got := notOK(&d); len(got) > 0 || len(d.Repairs) > 0 || len(d.Checks) < 80 {
		t.Errorf("%d checks, of which %q are not ok; %+v", len(d.Checks), got, d.Repairs)
	}
	for _, c := range d.Checks {
		if c.Severity == engine.SeverityOK && (c.Count != 0 || c.Mend != "" || c.Examples == nil) {
			t.Errorf("got %+v, want c.Severity != engine.SeverityOK || c.Count == 0 && c.Mend == \"\" && c.Examples != nil", c)
		}
	}
	// Nor does it find fault with an empty one.
	empty := newFixture(t)
	if d = empty.doctor(engine.DoctorOptions{Thorough: true}); len(notOK(&d)) > 0 {
		t.Errorf("got %q, want len(notOK(&d)) <= 0", notOK(&d))
	}
}

const (
	nobody  = "11111111-1111-7111-8111-111111111111"
	nobodys = "11111111111171118111111111111111"
	bobID   = "(SELECT id FROM muster.identities WHERE alias = 'bob')"
)

// ill is a way to break a tenant: what does it, and what the doctor then finds.
type ill struct {
	name string
	do   []string
	// want are the checks that fail, each with its examples; {bob} and the like stand for IDs.
	want []string
	// repaired says that the doctor mends it; process, that processing has to go on from there.
	repaired, thorough bool
	// left are the checks that fail after the repair all the same: the constraint that was taken away.
	left []string
}

func dropped(table, constraint string) string {
	return fmt.Sprintf("ALTER TABLE muster.%s DROP CONSTRAINT %s", table, constraint)
}

func lost(objects ...string) string { return "tables: " + strings.Join(objects, " ") }

func constraintOf(table, name string) string { return "constraint " + table + " " + name }

// markedWrite keeps the ID of the write at a position.
func markedWrite(position string) string {
	return "CREATE TABLE marked AS SELECT id AS write_id FROM muster.event_writes WHERE position = " + position
}

var ills = []ill{
	{
		name: "an account of nobody", repaired: true,
		do: []string{dropped("accounts", "accounts_identity_fkey"),
			"UPDATE muster.accounts SET identity_id = '" + nobody + "' WHERE name = 'ayseu'"},
		want: []string{lost(constraintOf("accounts", "accounts_identity_fkey")), "reference:accounts.identity_id: {account ayseu}"},
		left: []string{lost(constraintOf("accounts", "accounts_identity_fkey"))},
	},
	{
		name: "an account of no source",
		do: []string{dropped("accounts", "accounts_source_fkey"),
			"UPDATE muster.accounts SET source_id = '" + nobody + "' WHERE name = 'stray'"},
		want: []string{lost(constraintOf("accounts", "accounts_source_fkey")), "reference:accounts.source_id: {account stray}"},
	},
	{
		name: "an account that is there twice",
		do: []string{dropped("accounts", "accounts_native_identity_unique"),
			`INSERT INTO muster.accounts SELECT 'ffffffff-ffff-7fff-bfff-ffffffffffff', source_id, native_identity, name, NULL, false, '{}',
			 attributes, fingerprint, created, modified FROM muster.accounts WHERE name = 'stray'`},
		want: []string{lost(constraintOf("accounts", "accounts_native_identity_unique"), "index accounts accounts_native_identity_unique"),
			"unique:accounts: ffffffffffff7fffbfffffffffffffff"},
	},
	{
		name: "a manager who is not there", repaired: true,
		do: []string{dropped("identities", "identities_manager_fkey"),
			"UPDATE muster.identities SET manager_id = '" + nobody + "' WHERE alias = 'bob'"},
		want: []string{lost(constraintOf("identities", "identities_manager_fkey")), "reference:identities.manager_id: {bob}", "manager: {bob}"},
		left: []string{lost(constraintOf("identities", "identities_manager_fkey"))},
	},
	{
		name: "somebody who is their own manager", repaired: true,
		do: []string{dropped("identities", "identities_not_own_manager"),
			"UPDATE muster.identities SET manager_id = id WHERE alias = 'bob'"},
		want: []string{lost(constraintOf("identities", "identities_not_own_manager")), "rule:identities_not_own_manager: {bob}", "manager: {bob}"},
		left: []string{lost(constraintOf("identities", "identities_not_own_manager"))},
	},
	{
		name: "another manager than the one that is found", repaired: true,
		do:   []string{"UPDATE muster.identities SET manager_id = (SELECT id FROM muster.identities WHERE alias = 'ann') WHERE alias = 'bob'"},
		want: []string{"manager: {bob}"},
	},
	{
		name: "an address without its folded form", repaired: true,
		do: []string{dropped("identities", "identities_email_key"),
			"UPDATE muster.identities SET email_key = NULL WHERE alias = 'bob'"},
		want: []string{lost(constraintOf("identities", "identities_email_key")), "rule:identities_email_key: {bob}"},
		left: []string{lost(constraintOf("identities", "identities_email_key"))},
	},
	{
		name: "a status that is not published",
		do: []string{dropped("identities", "identities_cloud_status"),
			"UPDATE muster.identities SET cloud_status = 'GONE' WHERE alias = 'bob'"},
		want: []string{lost(constraintOf("identities", "identities_cloud_status")), "rule:identities_cloud_status: {bob}"},
	},
	{
		name: "an assignment that ends before it begins",
		do: []string{dropped("role_assignments", "role_assignments_dates"),
			"UPDATE muster.role_assignments SET start_date = '2030-01-02', remove_date = '2030-01-01' WHERE assignment_source = 'ACCESS_REQUEST'"},
		want: []string{lost(constraintOf("role_assignments", "role_assignments_dates")), "rule:role_assignments_dates: {assignment ACCESS_REQUEST}"},
	},
	{
		name: "a task that has ended and not ended",
		do: []string{dropped("tasks", "tasks_completed"),
			"UPDATE muster.tasks SET completion_status = NULL WHERE id = (SELECT min(id::text)::uuid FROM muster.tasks)"},
		want: []string{lost(constraintOf("tasks", "tasks_completed")), "rule:tasks_completed: {first task}"},
	},
	{
		name: "an operation that is open twice", repaired: true,
		do: []string{"DROP INDEX muster.provisioning_operations_open",
			`INSERT INTO muster.provisioning_operations SELECT 'ffffffff-ffff-7fff-bfff-ffffffffffff', batch_id, identity_id, source_id,
			 account_id, native_identity, kind, attribute, value, attributes, reason, state, 0, NULL, created, NULL, NULL
			 FROM muster.provisioning_operations WHERE state = 'OPEN'`},
		want: []string{lost("index provisioning_operations provisioning_operations_open"),
			"unique:provisioning_operations: ffffffffffff7fffbfffffffffffffff"},
		left: []string{lost("index provisioning_operations provisioning_operations_open")},
	},
	{
		name: "a membership that is there twice", repaired: true,
		do: []string{dropped("role_assignments", "role_assignments_unique"),
			`INSERT INTO muster.role_assignments SELECT 'ffffffff-ffff-7fff-bfff-ffffffffffff', identity_id, role_id, assignment_source, NULL,
			 NULL, '{}', added_date, NULL, NULL FROM muster.role_assignments WHERE identity_id = ` + bobID},
		want: []string{lost(constraintOf("role_assignments", "role_assignments_unique"), "index role_assignments role_assignments_unique"),
			"unique:role_assignments: ffffffffffff7fffbfffffffffffffff"},
		left: []string{lost(constraintOf("role_assignments", "role_assignments_unique"), "index role_assignments role_assignments_unique")},
	},
	{
		name: "two roles of one name",
		do: []string{dropped("roles", "roles_name_unique"), `INSERT INTO muster.roles SELECT 'ffffffff-ffff-7fff-bfff-ffffffffffff', name, name_key,
			 false, document, created, modified FROM muster.roles WHERE name = 'Seller'`},
		want: []string{lost(constraintOf("roles", "roles_name_unique"), "index roles roles_name_unique"),
			"unique:roles: ffffffffffff7fffbfffffffffffffff"},
	},
	{
		name: "an identity that is correlated and is not", repaired: true,
		do:   []string{"UPDATE muster.identities SET correlated = false WHERE alias = 'bob'"},
		want: []string{"correlated: {bob}"},
	},
	{
		name: "an identity that nobody will calculate", repaired: true,
		do:   []string{"DELETE FROM muster.refresh_state WHERE identity_id = " + bobID},
		want: []string{"identity-refresh: {bob}"},
	},
	{
		name: "an identity that was calculated by a clock that was ahead", repaired: true,
		do:   []string{"UPDATE muster.refresh_state SET last_refresh = now() + interval '1 year' WHERE identity_id = " + bobID},
		want: []string{"refresh-future: {bob}"},
	},
	{
		name: "an error that nobody tries again", repaired: true,
		do:   []string{"UPDATE muster.identities SET processing_state = 'ERROR' WHERE alias = 'dee'"},
		want: []string{"error-due: {dee}"},
	},
	{
		name: "an account that was not given to whom it finds", repaired: true,
		do:   []string{"UPDATE muster.accounts SET identity_id = NULL WHERE name = 'ayseu'"},
		want: []string{"account-keys: {account ayseu}", "late-correlation: {account ayseu}"},
	},
	{
		name: "a request without a task", repaired: true,
		do: []string{"INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at) SELECT id, 1, id, '" + nobody +
			"', 'x', now() + interval '1 hour' FROM muster.identities WHERE alias = 'bob'"},
		want: []string{"request-task: {bob}"},
	},
	{
		name: "a request that is older than the processing", repaired: true,
		do: []string{"UPDATE muster.refresh_state SET last_refresh = now() - interval '1 hour'",
			`INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
			 SELECT i.id, 1, i.id, t.id, 'x', now() - interval '2 hours' FROM muster.identities i, muster.tasks t
			 WHERE i.alias = 'bob' AND t.completed IS NULL`},
		want: []string{"request-stale: {bob}"},
	},
	{
		name: "a task whose job was discarded", repaired: true,
		do: []string{"UPDATE muster.tasks SET modified = now() - interval '1 hour' WHERE completed IS NULL",
			`UPDATE muster_jobs.river_job SET state = 'discarded', finalized_at = now()
			 WHERE id = (SELECT job_id FROM muster.tasks WHERE completed IS NULL)`},
		want: []string{"task-job: {open task}"},
	},
	{
		name: "a part of a task that has ended", repaired: true,
		do:   []string{"INSERT INTO muster.task_parts (task_id, part, size) SELECT min(id::text)::uuid, 1, 1 FROM muster.tasks"},
		want: []string{"task-part: {first task}"},
	},
	{
		name: "a text of a task that has ended", repaired: true,
		do:   []string{"INSERT INTO muster.errand_texts (task_id, piece, data) SELECT min(id::text)::uuid, 0, 'x' FROM muster.tasks"},
		want: []string{"task-part: {first task}"},
	},
	{
		name: "a task that is held for long",
		do:   []string{"UPDATE muster.tasks SET held = now() - interval '2 days', held_reason = 'x' WHERE completed IS NULL"},
		want: []string{"task-held: {open task}"},
	},
	{
		name: "nobody looks at the clock",
		do:   []string{"UPDATE muster.refresh_state SET due = now() - interval '1 hour' WHERE identity_id = " + bobID},
		want: []string{"due: {bob}"},
	},
	{
		name: "an operation of no batch", repaired: true,
		do:   []string{"UPDATE muster.provisioning_operations SET batch_id = NULL WHERE state = 'OPEN'"},
		want: []string{"operation-batch: {open operation}"},
	},
	{
		name: "a batch whose job is gone", repaired: true,
		do: []string{"UPDATE muster.provisioning_batches SET created = now() - interval '1 hour'",
			"DELETE FROM muster_jobs.river_job WHERE kind = 'muster_provision'"},
		want: []string{"batch-job: {batch}"},
	},
	{
		name: "a batch whose lease is long over", repaired: true,
		do:   []string{"UPDATE muster.provisioning_batches SET leased = now() - interval '1 hour'"},
		want: []string{"batch-lease: {batch}"},
	},
	{
		name: "an operation that is open for long",
		do:   []string{"UPDATE muster.provisioning_operations SET created = now() - interval '2 days' WHERE state = 'OPEN'"},
		want: []string{"operation-open: {open operation}"},
	},
	{
		name: "a message of a task that has ended", repaired: true,
		do:   []string{"UPDATE muster.tasks SET completed = now(), completion_status = 'ERROR' WHERE completed IS NULL"},
		want: []string{"notification-task: {message}"},
	},
	{
		name: "a message whose lease is long over", repaired: true,
		do:   []string{"UPDATE muster.notifications SET leased = now() - interval '1 hour'"},
		want: []string{"notification-lease: {message}"},
	},
	{
		name: "a key of nobody", repaired: true,
		do: []string{dropped("identity_keys", "identity_keys_identity_fkey"),
			"INSERT INTO muster.identity_keys VALUES ('x=y', '" + nobody + "')"},
		want: []string{lost(constraintOf("identity_keys", "identity_keys_identity_fkey")), "reference:identity_keys.identity_id: " + nobodys},
		left: []string{lost(constraintOf("identity_keys", "identity_keys_identity_fkey"))},
	},
	{
		name: "an object that nobody owns",
		do: []string{dropped("owned_objects", "owned_objects_owner_fkey"),
			"INSERT INTO muster.owned_objects VALUES ('X', '1', '', '" + nobody + "', now(), now())"},
		want: []string{lost(constraintOf("owned_objects", "owned_objects_owner_fkey")), "reference:owned_objects.owner_id: " + nobodys},
	},
	{
		name: "two writes at one position", repaired: true,
		do: []string{markedWrite(`(SELECT position FROM muster.event_writes WHERE position > 1 ORDER BY position LIMIT 1)`),
			"UPDATE muster.event_writes SET events = events + 1 WHERE position = 1"},
		want: []string{"event-position: {mark}"},
	},
	{
		name: "positions above the last one", repaired: true,
		do: []string{markedWrite(`(SELECT max(position) FROM muster.event_writes)`),
			"UPDATE muster.event_positions SET last = last - 1"},
		want: []string{"event-position: {mark}"},
	},
	{
		name: "events that their write does not have", repaired: true,
		do:   []string{markedWrite("1"), "UPDATE muster.event_writes SET events = events - 1 WHERE position = 1"},
		want: []string{"event-number: {mark}"},
	},
	{
		name: "events without a write", repaired: true,
		do:   []string{markedWrite("1"), "DELETE FROM muster.event_writes WHERE position = 1"},
		want: []string{"event-number: {mark}"},
	},
	{
		name: "a write that nobody numbered", repaired: true,
		do: []string{"UPDATE muster.event_writes SET position = NULL, at = at - interval '1 hour' WHERE position = 1",
			"CREATE TABLE marked AS SELECT id AS write_id FROM muster.event_writes WHERE position IS NULL"},
		want: []string{"event-pending: {mark}"},
	},
	{
		name: "no place of the positions", repaired: true,
		do:   []string{"DELETE FROM muster.event_positions"},
		want: []string{"singleton: event_positions"},
	},
	{
		name: "no state of the statistics", repaired: true,
		do:   []string{"DELETE FROM muster.statistics_state"},
		want: []string{"singleton: statistics_state"},
	},
	{
		name: "numbers of a day that was not counted", repaired: true,
		do: []string{"INSERT INTO muster.daily_statistics VALUES ('FAILED', '2026-01-31', gen_random_uuid(), '', '', 1)",
			"INSERT INTO muster.statistics_days VALUES ('FAILED', '2999-01-31', now())"},
		want: []string{"statistics-day: FAILED 2026-01-31 FAILED 2999-01-31"},
	},
	{
		name: "changes of positions that nobody gave", repaired: true,
		do:   []string{"UPDATE muster.statistics_state SET through = 1000000, counted = now(), due = now()"},
		want: []string{"statistics-position: position 1000000"},
	},
	{
		name: "nobody counts any more",
		do:   []string{"UPDATE muster.statistics_state SET counted = now(), due = '2026-01-31 08:00Z'"},
		want: []string{"statistics-late: due 2026-01-31T08:00:00Z"},
	},
	{
		name: "a sequence that is behind", repaired: true,
		do:   []string{"SELECT setval('muster.configuration_version', 1)", "SELECT setval(pg_get_serial_sequence('muster.event_writes', 'sequence'), 1)"},
		want: []string{"sequence: configuration_version event_writes"},
	},
	{
		name: "no watermark", repaired: true,
		do:   []string{"DELETE FROM muster.refresh_watermark"},
		want: []string{"singleton: refresh_watermark"},
	},
	{
		name: "no configuration", repaired: true,
		do:   []string{"DELETE FROM muster.configuration"},
		want: []string{"singleton: configuration"},
	},
	{
		name: "a configuration that does not compile",
		do:   []string{`UPDATE muster.roles SET document = '{"membership": {"type": "STANDARD", "criteria": {"operation": "?"}}}' WHERE name = 'Seller'`},
		want: []string{"configuration: version 3"}, // the first is that of the settings
	},
	{
		name: "a folded name that is another", repaired: true,
		do:   []string{"UPDATE muster.roles SET name_key = 'x' WHERE name = 'Seller'"},
		want: []string{"folded-names: {role Seller}"},
	},
	{
		name: "a constraint that was not validated", repaired: true,
		do: []string{dropped("role_assignments", "role_assignments_dates"),
			"ALTER TABLE muster.role_assignments ADD CONSTRAINT role_assignments_dates CHECK (remove_date > start_date) NOT VALID"},
		want: []string{"constraints: role_assignments.role_assignments_dates"},
	},
	{
		name: "a constraint that cannot be validated",
		do: []string{dropped("role_assignments", "role_assignments_dates"),
			"UPDATE muster.role_assignments SET start_date = '2030-01-02', remove_date = '2030-01-01' WHERE assignment_source = 'ACCESS_REQUEST'",
			"ALTER TABLE muster.role_assignments ADD CONSTRAINT role_assignments_dates CHECK (remove_date > start_date) NOT VALID"},
		want: []string{"constraints: role_assignments.role_assignments_dates", "rule:role_assignments_dates: {assignment ACCESS_REQUEST}"},
	},
	{
		name: "an index and a column that are gone",
		do:   []string{"DROP INDEX muster.identities_alias", "ALTER TABLE muster.identities DROP COLUMN user_levels"},
		want: []string{lost("column identities user_levels ARRAY", "index identities identities_alias")},
	},
	{
		name: "the jobs of another tenant",
		do:   []string{"COMMENT ON SCHEMA muster_jobs IS 'jobs of Muster in schema other'"},
		want: []string{"job-schema-owner: muster_jobs"},
	},
	{
		name: "job tables of another version",
		do:   []string{"INSERT INTO muster_jobs.river_migration (line, version) VALUES ('main', 99)"},
		want: []string{"job-schema-version: version 99"},
	},
	{
		name: "tables of another version",
		do:   []string{"INSERT INTO muster.goose_db_version (version_id, is_applied) VALUES (99, true)"},
		want: []string{"schema-version: version 99"},
	},
	{
		name: "keys of other values", repaired: true, thorough: true,
		do:   []string{"UPDATE muster.identity_keys SET key = 'department=board' WHERE key = 'department=sales' AND identity_id = " + bobID},
		want: []string{"identity-keys: {bob}"},
	},
	{
		name: "folded columns of other values", repaired: true, thorough: true,
		do: []string{"UPDATE muster.identities SET name_key = 'x', lastname_key = NULL WHERE alias = 'bob'",
			"UPDATE muster.identities SET alias_key = 'X' WHERE alias = 'dee'"},
		want: []string{"folded-columns: {bob} {dee}"},
	},
	{
		name: "an account's keys of other values", repaired: true, thorough: true,
		do:   []string{"UPDATE muster.accounts SET correlation_keys = '{x}' WHERE name = 'stray'"},
		want: []string{"account-keys: {account stray}", "correlation-keys: {account stray}"},
	},
	{
		name: "an uncorrelated account without the rows of its keys", repaired: true,
		do:   []string{"DELETE FROM muster.account_keys"},
		want: []string{"account-keys: {account stray}"},
	},
	{
		name: "rows of keys that are not those of the account", repaired: true,
		do: []string{"UPDATE muster.account_keys SET key = key || 'x'",
			"INSERT INTO muster.account_keys (key, account_id) SELECT 'y', id FROM muster.accounts WHERE name = 'ayseu'"},
		want: []string{"account-keys: {account ayseu} {account stray}"},
	},
	{
		name: "an account without the rows of its entitlements", repaired: true,
		do: []string{`DELETE FROM muster.account_entitlements k USING muster.accounts a
			WHERE a.id = k.account_id AND a.name = 'ayseu'`},
		want: []string{"account-entitlements: {account ayseu}"},
	},
	{
		name: "an account with a row of what it does not hold", repaired: true,
		do: []string{`INSERT INTO muster.account_entitlements (account_id, entitlement_id)
			SELECT a.id, e.id FROM muster.accounts a JOIN muster.entitlements e ON e.source_id = a.source_id
			WHERE a.name = 'stray' AND e.value = 'g'`},
		want: []string{"account-entitlements: {account stray}"},
	},
	{
		name: "an entitlement that is gone", repaired: true,
		do:   []string{`DELETE FROM muster.entitlements WHERE value = 'h'`},
		want: []string{"account-entitlements: {account ayseu}"},
	},
	{
		name: "rows that an aggregation left", repaired: true,
		do: []string{`INSERT INTO muster.aggregation_seen (run_id, place, places, lines, native_identities, fingerprints)
			VALUES ('` + nobody + `', 0, '{1}', '{1}', '{x}', '{` + nobody + `}')`},
		want: []string{"aggregation-stage: " + strings.ReplaceAll(nobody, "-", "")},
	},
}

// identify puts IDs into what is wanted.
func (f *fixture) identify(wants []string) []string {
	f.t.Helper()
	var list []string
	for _, want := range wants {
		for {
			before, rest, found := strings.Cut(want, "{")
			if !found {
				break
			}
			name, after, _ := strings.Cut(rest, "}")
			kind, key, _ := strings.Cut(name, " ")
			query := map[string]string{
				"bob": "SELECT id FROM muster.identities WHERE alias = 'bob'", "dee": "SELECT id FROM muster.identities WHERE alias = 'dee'",
				"account": "SELECT id FROM muster.accounts WHERE name = '" + key + "'", "role": "SELECT id FROM muster.roles WHERE name = '" + key + "'",
				"assignment": "SELECT id FROM muster.role_assignments WHERE assignment_source = '" + key + "'",
				"first":      "SELECT min(id::text) AS id FROM muster.tasks", "batch": "SELECT id FROM muster.provisioning_batches",
				"message": "SELECT id FROM muster.notifications", "mark": "SELECT write_id AS id FROM marked",
			}[kind]
			switch name {
			case "open task":
				query = "SELECT id FROM muster.tasks WHERE completed IS NULL"
			case "open operation":
				query = "SELECT id FROM muster.provisioning_operations WHERE state = 'OPEN'"
			}
			id := f.text("SELECT replace(x.id::text, '-', '') FROM (" + query + ") x")
			want = before + id + after
		}
		list = append(list, want)
	}
	return list
}

// Whatever is broken, exactly that is found, by its ID, and mended where that is said.
func TestDoctorFindsAndMends(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for _, test := range ills {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := patient(t)
			if _, err := f.Events(t.Context(), "", 1); err != nil { // numbers them
				t.Fatal(err)
			}
			f.executeAll(test.do...)
			want := f.identify(test.want)
			options := engine.DoctorOptions{Thorough: test.thorough}
			d := f.doctor(options)
			got := notOK(&d)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			options.Repair = true
			d = f.doctor(options)
			left := f.identify(test.left)
			if !test.repaired {
				left = want
			}
			if got = notOK(&d); len(got) != len(left) || !slices.Equal(got, left) && test.repaired {
				t.Fatalf("after the repair %q are left, want %q; %+v", got, left, d.Repairs)
			}
			if mended := len(d.Repairs) > 0 && d.Repairs[0].Error == ""; mended != test.repaired {
				t.Errorf("got %+v, want mended == test.repaired", d.Repairs)
			}
			// Again there is nothing to do, and what was requested is processed like anything else.
			if d = f.doctor(options); test.repaired && len(d.Repairs) > 0 {
				t.Errorf("a second repair does something: %+v", d.Repairs)
			}
			if !test.repaired {
				return
			}
			f.Process()
			if d = f.doctor(engine.DoctorOptions{Thorough: true}); !slices.Equal(notOK(&d), left) {
				t.Errorf("after processing %q are left", notOK(&d))
			}
		})
	}
}

// While workers work and data changes, the doctor finds no fault with what is on its way.
func TestDoctorBesideWorkers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f := patient(t)
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	moved := strings.ReplaceAll(enginetest.People, "Sales,ayse", "Board,ann")
	for i := range 8 { // fewer than what is parked
		text := enginetest.People
		if i%2 == 0 {
			text = moved
		}
		f.AggregateText("HR", text, engine.AggregateOptions{})
		if _, err := f.ProcessAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			d := f.doctor(engine.DoctorOptions{Thorough: true})
			for _, text := range notOK(&d) {
				t.Error(text)
			}
		}
	}
	if err := f.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The clock of the process is compared with the server's.
func TestDoctorComparesClocks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, test := range []struct {
		skew time.Duration
		want engine.Severity
	}{
		{0, engine.SeverityOK}, {time.Second, engine.SeverityOK}, {10 * time.Second, engine.SeverityWarning},
		{-10 * time.Second, engine.SeverityWarning}, {2 * time.Minute, engine.SeverityFailure}, {-time.Hour, engine.SeverityFailure},
	} {
		now := func() time.Time { return time.Now().Add(test.skew) }
		eng, err := engine.New(t.Context(), f.Pool, engine.Config{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		d, err := eng.Doctor(t.Context(), engine.DoctorOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if c := d.Checks[0]; c.Name != "clock" || c.Severity != test.want {
			t.Errorf("a clock that is off by %s: %+v", test.skew, c)
		}
	}
}

// Slots that were not begun, though there was somebody to process, are found. How late one is counts from its time.
func TestDoctorLooksAtSlots(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var c enginetest.Clock
	eng, err := engine.New(t.Context(), f.Pool, engine.Config{Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	f.Engine = eng
	day := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	found := func(hour, minute int) string {
		t.Helper()
		c.Set(day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute))
		d := f.doctor(engine.DoctorOptions{})
		var slots []string
		for _, text := range notOK(&d) {
			if strings.HasPrefix(text, "slot") {
				slots = append(slots, text)
			}
		}
		return strings.Join(slots, "; ")
	}
	run := func() {
		t.Helper()
		if _, err := f.RunSchedule(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := found(9, 0); got != "" {
		t.Errorf("without anybody: %s, want %q", got, "")
	}
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	for _, step := range []struct {
		hour, minute int
		want         string
		run          bool
	}{
		{9, 30, "", false}, // the slot of 08:00 was before the first identity
		{20, 5, "", false},
		{20, 15, "slot: 2026-05-04T20:00:00Z", true},
		{20, 16, "", false},
		{33, 0, "slot: 2026-05-05T08:00:00Z", false},
		{45, 0, "slot: 2026-05-05T20:00:00Z; slot-missed: 2026-05-05T08:00:00Z", true},
		{45, 1, "slot-missed: 2026-05-05T08:00:00Z", false},
	} {
		if got := found(step.hour, step.minute); got != step.want {
			t.Errorf("after %d:%02d: %q, want %q", step.hour, step.minute, got, step.want)
		}
		if step.run {
			run()
		}
	}
}

// An index whose building failed is built again, as soon as the rows allow it.
func TestDoctorRebuildsIndexes(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann := f.Identity("ann").ID
	for _, id := range []string{"1", "2"} {
		if err := f.RegisterOwned(t.Context(), engine.OwnedObject{Kind: "X", ID: id, Name: "same", Owner: ann}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Pool.Exec(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY extra ON muster.owned_objects (name)"); err == nil {
		t.Fatal("the index was built over what is there twice")
	}
	d := f.doctor(engine.DoctorOptions{Repair: true})
	if got := notOK(&d); !slices.Equal(got, []string{"indexes: muster.extra"}) ||
		d.Severity != engine.SeverityFailure || len(d.Repairs) == 0 || d.Repairs[0].Error != "contradicts the rule extra_ccnew" {
		t.Errorf("got %q, %+v, want slices.Equal(got, []string{\"indexes: muster.extra\"}) && d.Severity == engine.SeverityFailure && len(d.Repairs) != 0 && d.Repairs[0].Error == \"contradicts the rule extra_ccnew\"", got, d.Repairs)
	}
	if err := f.ForgetOwned(t.Context(), "X", "2"); err != nil {
		t.Fatal(err)
	}
	d = f.doctor(engine.DoctorOptions{Repair: true})
	if got := notOK(&d); len(got) > 0 || len(d.Repairs) != 1 {
		t.Errorf("got %q, %+v, want len(got) <= 0 && len(d.Repairs) == 1", got, d.Repairs)
	}
	if f.CountRows("pg_index WHERE indexrelid = 'muster.extra'::regclass AND indisvalid") != 1 {
		t.Error("the index is not valid")
	}
}

// Settings of the role that hurt are found.
func TestDoctorLooksAtSettings(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	database := f.text("SELECT current_database()")
	for _, setting := range []string{"default_transaction_isolation = 'repeatable read'", "statement_timeout = '10s'",
		"idle_in_transaction_session_timeout = '1s'"} {
		f.executeAll(`ALTER DATABASE "` + database + `" SET ` + setting)
	}
	f.Pool.Reset()
	d := f.doctor(engine.DoctorOptions{})
	want := []string{"isolation: default_transaction_isolation", "statement-timeout: statement_timeout",
		"idle-timeout: idle_in_transaction_session_timeout"}
	if got := notOK(&d); !slices.Equal(got, want) {
		t.Errorf("got %q, want slices.Equal(got, want)", got)
	}
}

func TestDoctorTakesNoNonsense(t *testing.T) {
	t.Parallel()
	_, err := newFixture(t).Doctor(t.Context(), engine.DoctorOptions{Timeout: -1})
	demandKind(t, err, engine.Invalid, "negative")
}
