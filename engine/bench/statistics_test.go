//go:build statistics

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/migrations"
)

var (
	loadedPeople = flag.Int("people", 12_000, "number of people of the first tenant; the one beside it has a third")
	listed       = flag.Int("list", 0, "how many statements of each phase to list, those with the most blocks first")
)

// limit is how many blocks of 8 kB a statement may touch in a phase, shared, local or temporary ones, each as often as
// it is touched; or how many rows of a table all statements may read.
type limit struct{ once, call, identity float64 }

func (l limit) of(calls int64, identities int) float64 {
	return l.once + l.call*float64(calls) + l.identity*float64(identities)
}

// The limits of a statement and of a table that no line of the tables below names. A look-up in an index is some 3 to 5
// blocks; a written row touches its table and each index of it, and a foreign key looks up another row. The first call
// on a connection also reads the server's catalogue.
var (
	statementLimit = limit{once: 1_000, call: 60, identity: 30}
	rowLimit       = limit{once: 1_000, identity: 30}
)

// statementLimits are the limits of statements that may touch more, by the phase, empty for all, and a part of the
// text.
var statementLimits = []struct {
	phase, text string
	limit       limit
	reason      string
}{
	{"", "INSERT INTO muster.identities", limit{once: 1_000, call: 60, identity: 110},
		"identities, their origins and their accounts, with all indexes and foreign keys"},
	{"", "INSERT INTO muster.identity_keys (identity_id, key)", limit{once: 1_000, call: 60, identity: 120},
		"an identity has some six keys"},
	{"", "INSERT INTO muster.role_assignments", limit{once: 1_000, call: 60, identity: 120},
		"an identity has some five roles"},
	{"", "UPDATE muster.identities i SET name", limit{once: 4_000, call: 60, identity: 130},
		"the row and all indexes of it; the index over words takes some seventy more, and its list is moved at once"},
}

// rowLimits are those of tables of which more rows may be read.
var rowLimits = []struct {
	phase, table string
	limit        limit
	reason       string
}{
	{"first processing", "identities", limit{once: 1_000, identity: 120},
		"each key and each role looks its identity up, among the versions of its row"},
	{"first processing", "identity_keys", limit{once: 1_000, identity: 120},
		"an identity has some six keys, of which each is looked for and written"},
	{"processing of the second source", "identity_keys", limit{once: 1_000, identity: 60},
		"an identity has some six keys, and another one then"},
	{"", "refresh_requests", limit{once: 5_000, identity: 100},
		"an index has the entries of requests that are done until the table is vacuumed"},
}

// wholeLimits are those of rows that are read by reading a table from end to end, of tables where that takes the square:
// batch after batch it would read the requests of all.
var wholeLimits = map[string]limit{
	// Other statements do it while the table was seen empty.
	"refresh_requests": {once: 16_000, identity: 4},
}

// No statement of a load, a run, an event or a change takes more than its share of each identity, whenever the server
// took its statistics: not in an empty tenant, whose tables are taken for empty, and not beside a large one. What it
// takes is counted in blocks and rows, not in time, so a busy machine changes nothing.
func TestStatementsTakeTheirShare(t *testing.T) {
	for _, v := range vacuumings {
		t.Run(v.name, func(t *testing.T) {
			settings := maps.Clone(v.settings)
			if settings == nil {
				settings = map[string]string{}
			}
			maps.Copy(settings, map[string]string{"shared_preload_libraries": "pg_stat_statements", "fsync": "off",
				"pg_stat_statements.max": "5000", "pg_stat_statements.track_planning": "on",
				"pg_stat_statements.track": "all"})
			s, err := startPrivate(t.Context(), nil, settings)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.close(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			})
			url, pool, err := s.database(t.Context(), "share")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			if _, err := pool.Exec(t.Context(), `CREATE EXTENSION pg_stat_statements`); err != nil {
				t.Fatal(err)
			}
			newTenant(t, url, pool, migrations.SchemaDefault, *loadedPeople).live()
			newTenant(t, url, pool, "beside", *loadedPeople/3).live()
		})
	}
}

// loading is the life of a tenant whose statements are measured.
type loading struct {
	population
	t      *testing.T
	schema string
	meter  *pgx.Conn
	rows   map[string]int64 // that were read of each table until now
	wholes map[string]int64 // those of them that were read with all of the table
}

func newTenant(t *testing.T, url string, pool *pgxpool.Pool, schema string, people int) *loading {
	t.Helper()
	l := &loading{t: t, schema: schema, rows: map[string]int64{}, wholes: map[string]int64{}}
	l.population = population{company: company{people: people, seed: 1}, url: url, pool: pool,
		clock: newClock(time.Now().UTC())}
	ctx := t.Context()
	if schema != migrations.SchemaDefault {
		if _, err := migrations.Up(ctx, pool, migrations.Config{Schema: schema}); err != nil {
			t.Fatal(err)
		}
	}
	config := l.engineConfig()
	config.Schema = schema
	config.Guard = engine.Guard{} // it surveys, as it does in a tenant's life
	var err error
	if l.engine, err = engine.New(ctx, pool, config); err != nil {
		t.Fatal(err)
	}
	if l.meter, err = pgx.Connect(ctx, url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.meter.Close(context.WithoutCancel(ctx)) })
	return l
}

// live goes through what happens to a tenant, first of all to one that is empty.
func (l *loading) live() {
	hundredth := len(l.everyNth(100))
	process := func(ctx context.Context) error {
		_, err := l.engine.ProcessPending(ctx, engine.ProcessOptions{})
		return err
	}
	aggregate := func(source string, text []byte) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := l.aggregate(ctx, source, text, engine.AggregateOptions{})
			return err
		}
	}
	full := func(ctx context.Context) error {
		_, err := l.fullRun(ctx, 0)
		return err
	}
	const events = 10
	for _, p := range []struct {
		name       string
		identities int // that it is about
		work       func(context.Context) error
	}{
		{"configuration", 1, func(ctx context.Context) error {
			_, err := l.apply(ctx, l.config())
			return err
		}},
		{"first aggregation", l.people, aggregate(registerSource, l.register(l.everyNth(1), false))},
		{"first processing", l.people, process},
		{"second source", l.people, aggregate(directorySource, l.directory())},
		{"processing of the second source", l.people, process},
		{"full run right after", l.people, full},
		{"unchanged", l.people, aggregate(registerSource, l.register(l.everyNth(1), false))},
		{"third source", l.people, aggregate(badgeSource, l.badges(false))},
		{"processing of the third source", l.people, process},
		{"1 % changed", l.people, aggregate(badgeSource, l.badges(true))},
		{"processing of 1 %", hundredth, process},
		{"events", events, func(ctx context.Context) error { return l.events(ctx, events, l.changedValue) }},
		{"other managers", events, func(ctx context.Context) error { return l.events(ctx, events, l.otherManager) }},
		{"changed role", 2 * l.cohortSize(), func(ctx context.Context) error {
			_, err := l.changeRole(ctx, l.cohortRole(cohortAttribute, 1), 2*l.cohortSize())
			return err
		}},
		{"full run", l.people, full},
	} {
		l.measure(p.name, p.identities, p.work)
	}
}

// changedValue returns the account of a person with another value.
func (l *loading) changedValue(person int) []byte { return l.register([]int{person}, true) }

// otherManager is [loading.changedValue] with another manager too.
func (l *loading) otherManager(person int) []byte {
	return bytes.Replace(l.changedValue(person), fmt.Appendf(nil, ",%d,active", person/8),
		fmt.Appendf(nil, ",%d,active", person/8-1), 1)
}

// events changes one account after another, and processes each.
func (l *loading) events(ctx context.Context, count int, account func(person int) []byte) error {
	for i := range count {
		result, err := l.aggregate(ctx, registerSource, account(l.people-1-i), engine.AggregateOptions{Delta: true})
		if err == nil && result.Changed != 1 {
			err = fmt.Errorf("%d accounts changed where one should", result.Changed)
		}
		if err == nil {
			_, err = l.engine.ProcessPending(ctx, engine.ProcessOptions{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// share is what a statement took in a phase.
type share struct {
	Text                       string
	Calls, Rows, Blocks, Plans int64
}

// checksKey reports whether a statement is the server's check of a foreign key, which it carries out for each row.
func (s share) checksKey() bool { return strings.HasPrefix(s.Text, "SELECT $2 FROM ONLY") }

// keyPlansMax is how many checks of a foreign key may be planned: some for each connection, until its plan is kept.
func (s share) keyPlansMax() int64 { return 200 + s.Calls/20 }

func (l *loading) measure(name string, identities int, work func(context.Context) error) {
	l.t.Helper()
	ctx := l.t.Context()
	if _, err := l.meter.Exec(ctx, `SELECT pg_stat_statements_reset()`); err != nil {
		l.t.Fatal(err)
	}
	began := time.Now()
	if err := work(ctx); err != nil {
		l.t.Fatalf("%s, %s: %v", l.schema, name, err)
	}
	took := time.Since(began)
	statements, err := l.readStatements(ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	for i, s := range statements {
		text := strings.Join(strings.Fields(s.Text), " ")
		if i < *listed {
			l.t.Logf("%s, %s: %d blocks, %.1f for each identity, %d calls, %d plans, %d rows: %.150s", l.schema, name,
				s.Blocks, float64(s.Blocks)/float64(identities), s.Calls, s.Plans, s.Rows, text)
		}
		most := limitOf(name, strings.ReplaceAll(text, l.schema+".", migrations.SchemaDefault+"."))
		if s.checksKey() && s.Plans > s.keyPlansMax() {
			l.t.Errorf("%s, %s: %d of %d checks of a foreign key are planned where at most %d may be\n%s", l.schema, name,
				s.Plans, s.Calls, s.keyPlansMax(), text)
		}
		if bound := most.of(s.Calls, identities); float64(s.Blocks) > bound {
			l.t.Errorf("%s, %s: %d blocks are touched where at most %.0f may be: %g, %g for each of %d calls, %g for each "+
				"of %d identities\n%s", l.schema, name, s.Blocks, bound, most.once, most.call, s.Calls, most.identity,
				identities, text)
		}
	}
	if *listed > 0 {
		l.listCompiled(ctx, name)
	}
	read := l.demandRows(name, identities)
	l.t.Logf("%s, %s: %s, %d statements, most rows read: %s", l.schema, name, took.Round(time.Millisecond),
		len(statements), read)
}

func limitOf(phase, text string) limit {
	for _, special := range statementLimits {
		if (special.phase == "" || special.phase == phase) && strings.Contains(text, special.text) {
			return special.limit
		}
	}
	return statementLimit
}

// readStatements returns what the statements have taken, those of most blocks first.
func (l *loading) readStatements(ctx context.Context) ([]share, error) {
	const query = `
		SELECT query, sum(calls)::bigint, sum(rows)::bigint, sum(shared_blks_hit + shared_blks_read + local_blks_hit +
		       local_blks_read + temp_blks_read + temp_blks_written)::bigint, sum(plans)::bigint
		FROM pg_stat_statements
		WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query NOT LIKE '%pg_stat_%'
		GROUP BY query
		ORDER BY 4 DESC`
	rows, err := l.meter.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[share])
}

// listCompiled lists the statements that the server has compiled, and how long the compiling took: PostgreSQL 15 and
// later tell it.
func (l *loading) listCompiled(ctx context.Context, name string) {
	l.t.Helper()
	const query = `
		SELECT query, jit_functions, jit_generation_time + jit_inlining_time + jit_optimization_time + jit_emission_time,
		       total_exec_time
		FROM pg_stat_statements
		WHERE jit_functions > 0`
	var version int
	if err := l.meter.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		l.t.Fatal(err)
	}
	if version < 150_000 {
		return
	}
	rows, err := l.meter.Query(ctx, query)
	if err != nil {
		l.t.Fatal(err)
	}
	var text string
	var functions int64
	var compiling, total float64
	if _, err := pgx.ForEachRow(rows, []any{&text, &functions, &compiling, &total}, func() error {
		l.t.Logf("%s, %s: compiled %d functions in %.0f of %.0f ms: %.100s", l.schema, name, functions, compiling, total,
			strings.Join(strings.Fields(text), " "))
		return nil
	}); err != nil {
		l.t.Fatal(err)
	}
}

// demandRows holds the rows that were read of each table, by its indexes and as a whole, against their limits, and
// returns the most for an identity.
func (l *loading) demandRows(name string, identities int) string {
	l.t.Helper()
	ctx := l.t.Context()
	if err := l.flush(ctx); err != nil {
		l.t.Fatal(err)
	}
	const query = `
		SELECT t.relname::text, coalesce(t.seq_tup_read, 0), coalesce(
		       (SELECT sum(i.idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid), 0)::bigint
		FROM pg_stat_user_tables t
		WHERE t.schemaname = $1 AND t.n_tup_ins >= $2 -- it grows with the people`
	rows, err := l.meter.Query(ctx, query, l.schema, l.people/4)
	if err != nil {
		l.t.Fatal(err)
	}
	var table, most string
	var whole, found, highest int64
	if _, err := pgx.ForEachRow(rows, []any{&table, &whole, &found}, func() error {
		fresh, freshWhole := whole+found-l.rows[table], whole-l.wholes[table]
		l.rows[table], l.wholes[table] = whole+found, whole
		if may, ok := wholeLimits[table]; ok && float64(freshWhole) > may.of(1, identities) {
			l.t.Errorf("%s, %s: %d rows of %s are read with all of the table where at most %.0f may be: %g, and %g for each "+
				"of %d identities", l.schema, name, freshWhole, table, may.of(1, identities), may.once, may.identity, identities)
		}
		if fresh > highest {
			highest, most = fresh, fmt.Sprintf("%d of %s, %.1f for each identity", fresh, table,
				float64(fresh)/float64(identities))
		}
		may := rowLimit
		for _, special := range rowLimits {
			if (special.phase == "" || special.phase == name) && special.table == table {
				may = special.limit
			}
		}
		if bound := may.of(1, identities); float64(fresh) > bound {
			l.t.Errorf("%s, %s: %d rows of %s are read where at most %.0f may be: %g, and %g for each of %d identities",
				l.schema, name, fresh, table, bound, may.once, may.identity, identities)
		}
		return nil
	}); err != nil {
		l.t.Fatal(err)
	}
	return most
}

// flush makes the connections tell the server what they have counted, and the meter read it.
func (l *loading) flush(ctx context.Context) error {
	var faults []error
	for _, conn := range l.pool.AcquireAllIdle(ctx) {
		_, err := conn.Exec(ctx, `SELECT pg_stat_force_next_flush()`, pgx.QueryExecModeSimpleProtocol)
		faults = append(faults, err)
		conn.Release()
	}
	_, err := l.meter.Exec(ctx, `SELECT pg_stat_clear_snapshot()`)
	return errors.Join(append(faults, err)...)
}
