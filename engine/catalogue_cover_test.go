package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// versionTable is that of the migrations, which are the only ones to read and write it.
const versionTable = "goose_db_version"

// columnsOf returns the columns that the catalogue has of a table.
func (c *covered) columns() []string {
	columns := strings.Fields(c.gone + " " + c.masked + " " + c.refused + " " + c.reported + " " + c.none)
	slices.Sort(columns)
	return slices.Compact(columns)
}

// is returns the condition that a row is the person's.
func (c *covered) is() string {
	if c.hers == "" && slices.Contains(c.columns(), "identity_id") {
		return "identity_id = $1"
	}
	if c.hers == "" {
		return "$1::uuid IS NULL"
	}
	return c.hers + " AND $1::uuid IS NOT NULL"
}

// schemaColumns returns "table.column" for every column of the tenant's schema, each with its type.
func schemaColumns(t *testing.T, pool *pgxpool.Pool) map[string]string {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		SELECT c.relname || '.' || a.attname, a.atttypid::regtype::text
		FROM pg_attribute a
		JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = 'muster'::regnamespace AND c.relkind NOT IN ('i', 'I', 'S') AND a.attnum > 0
		  AND NOT a.attisdropped AND c.relname <> $1`, versionTable)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]string{}
	var name, kind string
	if _, err := pgx.ForEachRow(rows, []any{&name, &kind}, func() error {
		columns[name] = kind
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return columns
}

// undeclared returns what the catalogue lacks, and what it has that does not exist.
func undeclared(columns map[string]string) (missing, gone []string) {
	declared := map[string]string{}
	for i := range catalogue {
		for _, column := range catalogue[i].columns() {
			declared[catalogue[i].table+"."+column] = ""
		}
	}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		if _, ok := declared[name]; !ok {
			missing = append(missing, name)
		}
		delete(declared, name)
	}
	return missing, slices.Sorted(maps.Keys(declared))
}

// Each table and each column stands in the catalogue, and nothing else does.
func TestCatalogueIsComplete(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	missing, gone := undeclared(schemaColumns(t, f.Pool))
	for _, name := range missing {
		t.Errorf("%s is new: say in catalogue_test.go what erase, purge and doctor do about it", name)
	}
	for _, name := range gone {
		t.Errorf("catalogue_test.go has %s, which does not exist", name)
	}
	seen := map[string]bool{}
	for i := range catalogue {
		c := &catalogue[i]
		if seen[c.table] {
			t.Errorf("%s is declared twice", c.table)
		}
		seen[c.table] = true
		told := strings.Fields(c.gone + " " + c.masked + " " + c.refused + " " + c.reported)
		for _, column := range strings.Fields(c.none) {
			if slices.Contains(told, column) {
				t.Errorf("%s.%s is said to tell of a person, and not to", c.table, column)
			}
		}
		if (c.old == "") == (c.stays == "") {
			t.Errorf("%s: either a purge removes old rows, or a reason says why they stay", c.table)
		}
		if (c.checks == "") == (c.unread == "") {
			t.Errorf("%s: either checks of the doctor read it, or a reason says why none does", c.table)
		}
		if (c.reported == "") != (c.why == "") {
			t.Errorf("%s: what is left has a reason, and nothing else has", c.table)
		}
	}
	// What a migration adds is found.
	f.executeAll("CREATE TABLE muster.souvenirs (id uuid)", "ALTER TABLE muster.tasks ADD COLUMN requester text",
		"ALTER TABLE muster.engines DROP COLUMN host", "CREATE VIEW muster.people AS SELECT name FROM muster.identities")
	missing, gone = undeclared(schemaColumns(t, f.Pool))
	if diff := cmp.Diff([]string{"people.name", "souvenirs.id", "tasks.requester", "engines.host"}, append(missing, gone...)); diff != "" {
		t.Errorf("of a changed schema the catalogue says: %s", diff)
	}
}

// everything is [zelda] with a row in each table, but for those that nobody sees.
func everything(t *testing.T, options ...enginetest.Option) (f *target, id string) {
	t.Helper()
	f, id = zelda(t, options...)
	ctx, ann := t.Context(), f.Identity("ann").ID
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f.ApplyText(`transforms: [{name: Lower, type: lower, attributes: {}}]`)
	aggregate := func() {
		t.Helper()
		_, err := f.StartAggregation(ctx, "Directory", strings.NewReader(enginetest.DirectoryHeader+"later,l@example.com,nobody,,true\n"),
			engine.AggregateOptions{Delta: true})
		must(err)
	}
	aggregate()
	must(f.RegisterOwned(ctx, engine.OwnedObject{Kind: "APPLICATION", ID: "a", Name: "CRM", Owner: ann}))
	f.AggregateText("Directory", enginetest.DirectoryHeader+"stray,x@example.com,nobody,,true\nzelda,,zquist77,,true\n",
		engine.AggregateOptions{})
	f.Process()
	_, err := f.AggregateSource(ctx, "Files", engine.AggregateOptions{})
	must(err)
	for range 2 {
		_, err = f.InviteIdentities(ctx, engine.InviteParams{IDs: []string{ann, f.Identity("bob").ID}})
		must(err)
		f.send()
	}
	for _, slot := range []string{"08:00", "20:00"} {
		f.execute(`INSERT INTO muster.schedule_slots (slot, begun, task_id, identities)
			SELECT now()::date - interval '1 day' + $1::interval, now(), id, 0 FROM muster.tasks LIMIT 1`, slot)
	}
	f.execute(`INSERT INTO muster.engines (id, host, process, version, started, seen, settings)
		VALUES (gen_random_uuid(), 'host', 1, 'v', now(), now(), '{}')`)
	for _, told := range []string{id, ann} {
		f.execute(`INSERT INTO muster.configuration_jobs (id, kind, status, description, message, result, created, completed, expires)
			VALUES (gen_random_uuid(), 'EXPORT', 'COMPLETE', '', '', '{"owner": "' || $1::text || '"}', now(), now(), now() + interval '1 day')`, told)
	}
	for _, user := range []string{id, ann} {
		_, err = f.OpenSession(ctx, engine.Session{UserID: user, UserName: "user " + user[:8], Levels: []string{"HELPDESK"}})
		must(err)
	}
	for _, key := range []string{"one", "another"} {
		_, err = f.ClaimForm(ctx, key)
		must(err)
	}
	f.execute(`INSERT INTO muster.credentials (identity_id, hash, changed)
		SELECT id, '$argon2id$v=19$m=19456,t=2,p=1$x$x', now() FROM muster.identities WHERE id IN ($1, $2)`, id, ann)
	for _, name := range []string{"bob", "ayse", "nobody"} {
		if _, err = f.SignIn(engine.WithAddress(ctx, "192.0.2.7"), name, "wrong"); engine.KindOf(err) != engine.Forbidden {
			t.Errorf("a wrong password of %s: %v", name, err)
		}
	}
	f.execute(`UPDATE muster.attempts SET identity_id = $1 WHERE key = (SELECT key FROM muster.attempts ORDER BY key LIMIT 1)`, id)
	f.execute(`INSERT INTO muster.entitlements (id, source_id, attribute, value, name, created, modified)
		SELECT gen_random_uuid(), id, 'groups', 'a', 'A', now(), now() FROM muster.sources WHERE name = 'Files'`)
	f.execute(`UPDATE muster.provisioning_operations SET state = 'PARKED', parked = now(), parked_cause = 'an audit', parker_via = 'host'
		WHERE id = (SELECT id FROM muster.provisioning_operations WHERE state = 'DONE' AND identity_id <> $1 LIMIT 1)`, id)
	f.execute(`INSERT INTO muster.identity_lookups (key, reader_id, found_id)
		SELECT gen_random_uuid(), r.id, f.id FROM muster.identities r, muster.identities f
		WHERE r.id IN ($1, $2) AND f.id IN ($1, $2) AND r.id <> f.id`, id, ann)
	_, err = f.ProcessIdentities(ctx, []string{id, ann})
	must(err)
	_, err = f.ProcessAll(ctx)
	must(err)
	aggregate()
	f.execute(`INSERT INTO muster.carried_access (account_id, source_id, attribute, value, identity_id, since)
		SELECT a.id, a.source_id, 'groups', v.value, v.owner_id, now()
		FROM muster.accounts a, (VALUES ('a', $1::uuid), ('b', $2::uuid)) v (value, owner_id)
		WHERE a.identity_id = $1 OR a.native_identity = 'stray'`, id, ann)
	f.execute(`INSERT INTO muster.account_demands (account_id, kind, identity_id, lifecycle_state, forced, asked)
		SELECT id, 'ENABLE', identity_id, 'active', false, now() FROM muster.accounts WHERE identity_id IS NOT NULL`)
	f.execute(`INSERT INTO muster.vanished_accounts (id, source_id, native_identity, stable_identity, identity_id, vanished)
		SELECT gen_random_uuid(), a.source_id, a.native_identity || ' before', NULL, a.identity_id, now()
		FROM muster.accounts a WHERE a.identity_id IS NOT NULL`)
	must(f.CountStatistics(ctx))
	return f, id
}

// subject is whom the tests of the catalogue erase.
type subject struct{ id, name string }

// value returns an SQL literal by which a column of a type tells of the person: by the ID, where it is a column of IDs.
func (p *subject) value(column, kind string) string {
	text := "of " + p.name
	if strings.HasSuffix(column, "_id") && p.id != "" {
		text = p.id
	}
	switch kind {
	case "uuid":
		return "'" + p.id + "'"
	case "jsonb":
		return fmt.Sprintf(`coalesce(%s, '{}') || '{"planted": {"id": "%s", "name": "%s"}}'`, column, p.id, p.name)
	case "uuid[]":
		return "ARRAY['" + p.id + "']::uuid[]"
	case "text[]":
		return "ARRAY['" + text + "']"
	}
	return "'" + text + "'"
}

// plant writes a value into a column of one row for which a condition holds, in which $1 is the person's ID.
func plant(t *testing.T, q store.Querier, c *covered, column, value, where, id string) {
	t.Helper()
	statement := fmt.Sprintf(`UPDATE muster.%[1]s SET %[2]s = %[3]s WHERE ctid = (
		SELECT ctid FROM muster.%[1]s WHERE %[4]s ORDER BY ctid LIMIT 1)`, c.table, column, value, where)
	tag, err := q.Exec(t.Context(), statement, id)
	if err != nil {
		t.Fatalf("%s.%s: %v", c.table, column, err)
	}
	if tag.RowsAffected() != 1 {
		t.Fatalf("%s has no row where %s, so that the test shows nothing of it", c.table, where)
	}
}

// tellingColumns returns the columns of the tenant's schema and of that of its jobs, whatever their types, in which a
// term stands. Case does not count.
func (f *fixture) tellingColumns(terms ...string) []string {
	f.t.Helper()
	for i, term := range terms {
		terms[i] = regexp.QuoteMeta(term)
	}
	type column struct{ Schema, Table, Name string }
	rows, err := f.Pool.Query(f.t.Context(), `SELECT table_schema::text, table_name::text, column_name::text
		FROM information_schema.columns WHERE table_schema IN ('muster', 'muster_jobs') ORDER BY 1, 2, 3`)
	if err != nil {
		f.t.Fatal(err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	if err != nil {
		f.t.Fatal(err)
	}
	var found []string
	for _, c := range columns {
		if f.CountRows(fmt.Sprintf(`%s.%s t WHERE t.%s::text ~* $1`, c.Schema, c.Table, c.Name),
			strings.Join(terms, "|")) > 0 {
			found = append(found, c.Schema+"."+c.Table+"."+c.Name)
		}
	}
	return found
}

// An erasure does with each column what the catalogue says, and its report tells it.
func TestCatalogueErasure(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f, id := everything(t)
	ctx := t.Context()
	// Uncorrelated accounts alone have such rows, but for a moment.
	f.execute(`INSERT INTO muster.account_keys (account_id, key) SELECT id, 'k' FROM muster.accounts WHERE identity_id = $1`, id)
	f.execute(`INSERT INTO muster.account_entitlements (account_id, entitlement_id) SELECT id, $2 FROM muster.accounts WHERE identity_id = $1`,
		id, store.NewID())
	her := subject{id, "Zelda Quistgaard"}
	kinds := schemaColumns(t, f.Pool)
	all := append(terms(id), "a planted text")
	all = append(all, strings.Fields(f.text(`SELECT string_agg(id::text, ' ') FROM muster.accounts WHERE identity_id = $1`, id))...)
	declared := func(list func(*covered) string) (names []string) {
		for i := range catalogue {
			c := &catalogue[i]
			for _, column := range strings.Fields(list(c)) {
				if !c.uncommitted {
					names = append(names, "muster."+c.table+"."+column)
				}
			}
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	// What ordinary work wrote of her is in no column that is said not to tell of anybody.
	none := declared(func(c *covered) string { return c.none })
	for _, name := range f.tellingColumns(slices.Clone(all)...) {
		if slices.Contains(none, name) || strings.HasPrefix(name, "muster_jobs.") {
			t.Errorf("%s tells of her, and is said not to tell of anybody", name)
		}
	}

	for i := range catalogue {
		c := &catalogue[i]
		if c.uncommitted {
			if n := f.CountRows("muster." + c.table); n > 0 {
				t.Errorf("%d rows of %s can be seen", n, c.table)
			}
			continue
		}
		for _, column := range strings.Fields(c.refused) {
			rollback := errors.New("rolled back")
			err := pgx.BeginFunc(ctx, f.Pool, func(tx pgx.Tx) error {
				plant(t, tx, c, column, her.value(column, kinds[c.table+"."+column]), "$1::uuid IS NOT NULL", id)
				_, err := f.EraseIdentityTx(ctx, tx, id, engine.EraseOptions{Accounts: true})
				if engine.KindOf(err) != engine.Conflict {
					t.Errorf("%s.%s has her ID, and the erasure says %v", c.table, column, err)
				}
				return rollback
			})
			if !errors.Is(err, rollback) {
				t.Fatal(err)
			}
		}
		for _, column := range strings.Fields(c.gone) {
			kind := kinds[c.table+"."+column]
			told := fmt.Sprintf("muster.%s WHERE %s AND %s::text ~* '%s'", c.table, c.is(), column, strings.Join(all, "|"))
			if slices.Contains([]string{"text", "jsonb", "text[]"}, kind) && f.CountRows(told, id) == 0 {
				p := subject{id, "a planted text"}
				plant(t, f.Pool, c, column, p.value(column, kind), c.is(), id)
			} else if f.CountRows("muster."+c.table+" WHERE "+c.is(), id) == 0 {
				t.Errorf("no row of %s is hers, so that the test shows nothing of it", c.table)
			}
		}
		for _, column := range strings.Fields(c.masked + " " + c.reported) {
			others := "(" + c.is() + ") IS NOT TRUE"
			if c.others != "" {
				others += " AND " + strings.ReplaceAll(c.others, "{column}", column)
			}
			p := her
			if slices.Contains(strings.Fields(c.reported), column) {
				p.id = "" // which is refused, or masked
			}
			plant(t, f.Pool, c, column, p.value(column, kinds[c.table+"."+column]), others, id)
		}
	}

	before := map[string]int{}
	for i := range catalogue {
		before[catalogue[i].table] = f.CountRows("muster."+catalogue[i].table+" WHERE ("+catalogue[i].is()+") IS NOT TRUE", id)
	}
	erasure, err := f.EraseIdentity(ctx, id, engine.EraseOptions{Accounts: true})
	if err != nil {
		t.Fatal(err)
	}
	reported := declared(func(c *covered) string { return c.reported })
	if diff := cmp.Diff(reported, f.tellingColumns(all...)); diff != "" {
		t.Errorf("the columns that tell of her after the erasure (-as the catalogue says +in fact): %s", diff)
	}
	var left []string
	for _, trace := range erasure.Left {
		left = append(left, trace.Table+"."+trace.Column)
	}
	slices.Sort(left)
	if diff := cmp.Diff(reported, left); diff != "" {
		t.Errorf("the columns that the erasure reports (-as the catalogue says +in fact): %s", diff)
	}
	rows := map[string]bool{}
	for _, r := range erasure.Rows {
		rows[fmt.Sprint(r.Table, r.Emptied)] = true
	}
	for i := range catalogue {
		c := &catalogue[i]
		if c.gone != "" && !c.uncommitted && !rows[c.table+"false"] || c.masked != "" && !rows[c.table+"true"] {
			t.Errorf("the erasure does not report what it did to %s: %+v", c.table, erasure.Rows)
		}
		if now := f.CountRows("muster." + c.table); now < before[c.table] {
			t.Errorf("%d rows of others are left of %s, want %d", now, c.table, before[c.table])
		}
	}
}

// A purge removes the rows that the catalogue says are old, and no others.
func TestCataloguePurge(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f, id := everything(t)
	// Everything that is done has a task that can be old.
	f.settle()
	f.send()
	if _, err := f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{id}}); err != nil {
		t.Fatal(err)
	}
	f.send()
	if _, err := f.Events(t.Context(), "", 1); err != nil { // gives the events their positions
		t.Fatal(err)
	}
	const kept = 60 * 24 * time.Hour
	before := time.Now().Add(-kept)
	for i := range catalogue {
		if age := catalogue[i].age; age != "" {
			f.execute(age, before)
		}
	}
	// Of the operations that ended, some ended in each way.
	for _, change := range []string{"state = 'RETRIED'", "state = 'CANCELLED'", "state = 'FAILED'",
		"state = 'FAILED', identity_id = gen_random_uuid()"} {
		tag, err := f.Pool.Exec(t.Context(), `UPDATE muster.provisioning_operations SET `+change+`
			WHERE id = (SELECT id FROM muster.provisioning_operations WHERE state = 'DONE' AND completed < $1 LIMIT 1)`, before)
		if err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("%s: %v, %v", change, tag, err)
		}
	}
	// contents returns the rows of a table for which a condition on t holds.
	contents := func(c *covered, condition string) []string {
		t.Helper()
		return storetest.Texts(t, f.Pool, "SELECT t::text FROM muster."+c.table+" t WHERE $1::timestamptz IS NOT NULL AND ("+
			condition+") ORDER BY 1", before)
	}
	young := make([][]string, len(catalogue))
	for i := range catalogue {
		c := &catalogue[i]
		if c.old == "" {
			young[i] = contents(c, "true")
			continue
		}
		young[i] = contents(c, "("+c.old+") IS NOT TRUE")
		if old := contents(c, c.old); len(old) == 0 || len(young[i]) == 0 {
			t.Errorf("of %s %d rows are old and %d are not, so that the test shows nothing of it", c.table, len(old), len(young[i]))
		}
	}
	if _, err := f.Purge(t.Context(), engine.PurgeOptions{Events: kept, Operations: kept, Slots: kept,
		Statistics: kept, Tasks: kept, Vanished: kept}); err != nil {
		t.Fatal(err)
	}
	for i := range catalogue {
		c := &catalogue[i]
		if c.table == "event_positions" { // it has the last position that was purged
			continue
		}
		if diff := cmp.Diff(young[i], contents(c, "true")); diff != "" {
			t.Errorf("%s after the purge (-as the catalogue says +in fact): %s", c.table, diff)
		}
	}
}

// sentStatements collects what is sent by the connections of a pool.
type sentStatements struct {
	mutex sync.Mutex
	texts strings.Builder
}

func (s *sentStatements) add(text string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.texts.WriteString(text + "\n")
}

// reads reports whether a statement names a table.
func (s *sentStatements) reads(table string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return regexp.MustCompile(`\bmuster\.` + table + `\b`).MatchString(s.texts.String())
}

func (s *sentStatements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.add(data.SQL)
	return ctx
}

func (*sentStatements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (s *sentStatements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	for _, q := range data.Batch.QueuedQueries {
		s.add(q.SQL)
	}
	return ctx
}

func (*sentStatements) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (*sentStatements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// The doctor reads the tables that the catalogue says, and has the checks that it names.
func TestCatalogueDoctor(t *testing.T) {
	t.Parallel()
	f := patient(t)
	config := f.Pool.Config()
	var sent sentStatements
	config.ConnConfig.Tracer = &sent
	storetest.Record(config.ConnConfig)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	eng, err := engine.New(t.Context(), pool, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	sent.texts.Reset()
	d, err := eng.Doctor(t.Context(), engine.DoctorOptions{Thorough: true})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, check := range d.Checks {
		names = append(names, check.Name)
	}
	for i := range catalogue {
		c := &catalogue[i]
		for _, check := range strings.Fields(c.checks) {
			if !slices.Contains(names, check) {
				t.Errorf("%s: the doctor has no check %s", c.table, check)
			}
		}
		if reads := sent.reads(c.table); reads != (c.unread == "") {
			t.Errorf("that the doctor reads %s is %t, and the catalogue says %t", c.table, reads, c.unread == "")
		}
	}
	// What is checked table by table is said of each table.
	for _, name := range names {
		kind, of, _ := strings.Cut(name, ":")
		if kind != "reference" && kind != "unique" {
			continue
		}
		table, _, _ := strings.Cut(of, ".")
		if !slices.ContainsFunc(catalogue, func(c covered) bool {
			return c.table == table && slices.Contains(strings.Fields(c.checks), name)
		}) {
			t.Errorf("the catalogue does not say of %s that %s reads it", table, name)
		}
	}
}

// demandGranted fails the test unless a role has what an engine needs, on each table of the catalogue and all others of
// a tenant, and nothing else.
func demandGranted(t *testing.T, pool *pgxpool.Pool, schema, role string) {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		SELECT n.nspname || '.' || c.relname, c.relkind = 'S',
		       (SELECT string_agg(p, ' ' ORDER BY p)
		        FROM unnest(CASE c.relkind WHEN 'S' THEN ARRAY['SELECT', 'UPDATE', 'USAGE'] ELSE
		                    ARRAY['DELETE', 'INSERT', 'REFERENCES', 'SELECT', 'TRIGGER', 'TRUNCATE', 'UPDATE'] END) p
		        WHERE CASE c.relkind WHEN 'S' THEN has_sequence_privilege($2, c.oid, p)
		              ELSE has_table_privilege($2, c.oid, p) END)
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')`, []string{schema, schema + "_jobs"}, role)
	if err != nil {
		t.Fatal(err)
	}
	granted := map[string]bool{}
	var name string
	var sequence bool
	var privileges *string
	if _, err := pgx.ForEachRow(rows, []any{&name, &sequence, &privileges}, func() error {
		want := "DELETE INSERT SELECT UPDATE"
		switch {
		case sequence:
			want = "SELECT UPDATE USAGE"
		case name == schema+"."+versionTable, name == schema+"_jobs.river_migration":
			want = "SELECT"
		}
		granted[name] = true
		if privileges == nil || *privileges != want {
			t.Errorf("on %s the role has %v, want %s", name, privileges, want)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for i := range catalogue {
		if !granted[schema+"."+catalogue[i].table] {
			t.Errorf("%s.%s is not there", schema, catalogue[i].table)
		}
	}
}

// foreignObjects are the objects of the tenant's schema that its backup, its move to another server or another name, or
// a distributed schema would lose or break, and those that point out of it.
const foreignObjects = `
	WITH n AS (SELECT 'muster'::regnamespace::oid AS oid)
	SELECT 'relation ' || relname || ' of kind ' || relkind::text FROM pg_class, n
	WHERE relnamespace = n.oid AND relkind NOT IN ('r', 'i', 'S')
	UNION ALL
	SELECT 'inherited table ' || relname FROM pg_class c, n
	WHERE relnamespace = n.oid AND relkind = 'r' AND (relhassubclass OR relispartition)
	UNION ALL
	SELECT 'trigger ' || tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid, n
	WHERE c.relnamespace = n.oid AND NOT tgisinternal
	UNION ALL
	SELECT 'rule ' || rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class, n WHERE c.relnamespace = n.oid
	UNION ALL
	SELECT 'policy ' || polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid, n WHERE c.relnamespace = n.oid
	UNION ALL
	SELECT 'function ' || proname FROM pg_proc, n WHERE pronamespace = n.oid
	UNION ALL
	SELECT 'type ' || typname FROM pg_type t, n
	WHERE typnamespace = n.oid AND typtype <> 'c' AND typcategory <> 'A'
	UNION ALL
	SELECT 'collation ' || collname FROM pg_collation, n WHERE collnamespace = n.oid
	UNION ALL
	SELECT 'operator ' || oprname FROM pg_operator, n WHERE oprnamespace = n.oid
	UNION ALL
	SELECT 'statistics ' || stxname FROM pg_statistic_ext, n WHERE stxnamespace = n.oid
	UNION ALL
	SELECT 'foreign key ' || conname || ' between schemas'
	FROM pg_constraint c JOIN pg_class f ON f.oid = c.confrelid JOIN pg_class r ON r.oid = c.conrelid, n
	WHERE (r.relnamespace = n.oid) <> (f.relnamespace = n.oid)
	UNION ALL
	SELECT DISTINCT 'column ' || c.relname || '.' || a.attname || ' of a type or a collation of ' || o.nspname
	FROM pg_attribute a
	JOIN pg_class c ON c.oid = a.attrelid
	JOIN pg_type t ON t.oid = a.atttypid
	LEFT JOIN pg_collation l ON l.oid = a.attcollation
	JOIN pg_namespace o ON o.oid IN (t.typnamespace, l.collnamespace), n
	WHERE c.relnamespace = n.oid AND a.attnum > 0 AND NOT a.attisdropped AND o.nspname <> 'pg_catalog'
	UNION ALL
	SELECT 'function ' || p.proname || ' of another schema, which ' || pg_describe_object(d.classid, d.objid, 0) || ' calls'
	FROM pg_depend d
	JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
	JOIN pg_namespace o ON o.oid = p.pronamespace, n
	WHERE o.nspname <> 'pg_catalog' AND d.classid IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_class'::regclass)
	  AND coalesce((SELECT adrelid FROM pg_attrdef WHERE oid = d.objid), (SELECT conrelid FROM pg_constraint WHERE oid = d.objid),
	               d.objid) IN (SELECT oid FROM pg_class WHERE relnamespace = n.oid)
	UNION ALL
	SELECT 'index ' || c.relname || ' by operators of ' || o.nspname
	FROM pg_index i
	JOIN pg_class c ON c.oid = i.indexrelid
	JOIN pg_opclass k ON k.oid = ANY (i.indclass::oid[])
	JOIN pg_namespace o ON o.oid = k.opcnamespace, n
	WHERE c.relnamespace = n.oid AND o.nspname <> 'pg_catalog'
	ORDER BY 1`

// The tenant's schema has tables, their indexes and their sequences alone, and stands on its own.
func TestSchemaStandsAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if list := storetest.Texts(t, f.Pool, foreignObjects); len(list) > 0 {
		t.Errorf("the schema has %q", list)
	}
	f.executeAll("CREATE VIEW muster.people AS SELECT name FROM muster.identities",
		"CREATE FUNCTION muster.one() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
		"CREATE TYPE muster.mood AS ENUM ('good')", "CREATE DOMAIN public.word AS text",
		"CREATE FUNCTION public.two() RETURNS text LANGUAGE sql AS 'SELECT ''two'''",
		"ALTER TABLE muster.tasks ADD COLUMN requester public.word, ADD COLUMN owner text DEFAULT public.two()",
		"CREATE TABLE public.departments (id uuid PRIMARY KEY)",
		"ALTER TABLE muster.tasks ADD CONSTRAINT tasks_department FOREIGN KEY (target_id) REFERENCES public.departments",
		"CREATE TRIGGER touched BEFORE UPDATE ON muster.tasks EXECUTE FUNCTION suppress_redundant_updates_trigger()")
	want := []string{
		"column tasks.requester of a type or a collation of public", "foreign key tasks_department between schemas",
		"function one", "function two of another schema, which default value for column owner of table muster.tasks calls",
		"relation people of kind v", "rule _RETURN", "trigger touched", "type mood",
	}
	if diff := cmp.Diff(want, storetest.Texts(t, f.Pool, foreignObjects)); diff != "" {
		t.Errorf("of what was added: %s", diff)
	}
}

// A backup has each row of each table, and a tenant can be moved to another server and to another name of its schemas.
func TestCatalogueBackup(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dump, restore := program(t, "pg_dump"), program(t, "pg_restore")
	from, fromURL := ownServer(t)
	if _, err := migrations.Up(t.Context(), from, migrations.Config{}); err != nil {
		t.Fatal(err)
	}
	before, _ := everything(t, enginetest.WithPool(from))
	for i := range catalogue {
		if c := &catalogue[i]; !c.uncommitted && before.CountRows("muster."+c.table) == 0 {
			t.Errorf("%s has no row, so that the test shows nothing of it", c.table)
		}
	}
	file := filepath.Join(t.TempDir(), "muster.dump")
	command(t, dump, "--format=custom", "--file="+file, "-n", "muster", "-n", "muster_jobs", "--dbname="+fromURL)
	to, toURL := ownServer(t)
	command(t, restore, "--exit-on-error", "--dbname="+toURL, file)
	after := fixtureOf(t, nil, to)
	if diff := cmp.Diff(before.everyRow(), after.everyRow()); diff != "" {
		t.Errorf("the rows after the restore: %s", diff)
	}
	s, err := store.New("muster")
	if err != nil {
		t.Fatal(err)
	}
	objects := func(pool *pgxpool.Pool) []string {
		t.Helper()
		list, err := s.SchemaObjects(t.Context(), pool)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if diff := cmp.Diff(objects(from), objects(to)); diff != "" {
		t.Errorf("the tables after the restore: %s", diff)
	}
	for _, statement := range documentedSQL(t, "Moving a tenant") {
		after.execute(strings.NewReplacer("acme", "muster", "globex", "moved").Replace(statement))
	}
	if done, err := migrations.Up(t.Context(), to, migrations.Config{Schema: "moved"}); err != nil || len(done) > 0 {
		t.Errorf("got %+v and the error %v, want no step", done, err)
	}
	moved := engineOn(t, to, "moved")
	if d := moved.doctor(engine.DoctorOptions{Thorough: true}); len(notOK(&d)) > 0 {
		t.Errorf("under another name the doctor finds %q", notOK(&d))
	}
	if result := moved.Process(); result.Identities == 0 {
		t.Errorf("what waited is processed under another name: %+v", result)
	}
}
