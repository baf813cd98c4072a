//go:build statistics

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
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

// limit is how many blocks of 8 kB a statement may touch, shared, local or temporary, and how often the same one again.
type limit struct {
	call, identity float64
}

// The limits of a statement and of a table that no line of the tables below names. A look-up in an index is some 3 to 5
// blocks; a written row touches its table and each index of it, and a foreign key looks up another row.
var (
	statementLimit = limit{call: 60, identity: 30}
	rowLimit       = limit{call: 4_000, identity: 40} // of the rows that are read of a table; the calls are one
)

// statementLimits are the limits of statements that may touch more, by the phase, empty for all, and a part of the text.
var statementLimits = []struct {
	phase, text string
	limit       limit
	reason      string
}{}

// rowLimits are those of tables of which more rows may be read.
var rowLimits = []struct {
	phase, table string
	limit        limit
	reason       string
}{}

// No statement of a load, a run, an event or a change takes more than its share of each identity, whenever the server
// took its statistics: not in an empty tenant, whose tables are taken for empty, and not beside a large one. What it takes
// is counted in blocks and rows, not in time, so a busy machine changes nothing.
func TestStatementsTakeTheirShare(t *testing.T) {
	for _, v := range vacuumings {
		t.Run(v.name, func(t *testing.T) {
			settings := maps.Clone(v.settings)
			if settings == nil {
				settings = map[string]string{}
			}
			maps.Copy(settings, map[string]string{"shared_preload_libraries": "pg_stat_statements", "fsync": "off",
				"pg_stat_statements.max": "5000", "pg_stat_statements.track_planning": "on"})
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
}

func newTenant(t *testing.T, url string, pool *pgxpool.Pool, schema string, people int) *loading {
	t.Helper()
	l := &loading{t: t, schema: schema, rows: map[string]int64{}}
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
		{"events", events, func(ctx context.Context) error { return l.events(ctx, events) }},
		{"changed role", 2 * l.cohortSize(), func(ctx context.Context) error {
			_, err := l.changeRole(ctx, l.cohortRole(cohortAttribute, 1), 2*l.cohortSize())
			return err
		}},
		{"full run", l.people, full},
	} {
		l.measure(p.name, p.identities, p.work)
	}
}

// events changes one account after another, and processes each.
func (l *loading) events(ctx context.Context, count int) error {
	for i := range count {
		result, err := l.aggregate(ctx, registerSource, l.register([]int{l.people - 1 - i}, true),
			engine.AggregateOptions{Delta: true})
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
	text        string
	calls, rows int64
	blocks      int64
}

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
		text := strings.Join(strings.Fields(s.text), " ")
		if i < *listed {
			l.t.Logf("%s, %s: %d blocks, %.1f for each identity, %d calls, %d rows: %.150s", l.schema, name, s.blocks,
				float64(s.blocks)/float64(identities), s.calls, s.rows, text)
		}
		most := limitOf(name, text)
		if bound := most.call*float64(s.calls) + most.identity*float64(identities); float64(s.blocks) > bound {
			l.t.Errorf("%s, %s: %d blocks are touched, at most %.0f may be: %g for each of %d calls, %g for each of %d "+
				"identities\n%s", l.schema, name, s.blocks, bound, most.call, s.calls, most.identity, identities, text)
		}
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
		SELECT query, calls, rows, shared_blks_hit + shared_blks_read + local_blks_hit + local_blks_read +
		       temp_blks_read + temp_blks_written
		FROM pg_stat_statements
		WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query NOT LIKE '%pg_stat_%'
		ORDER BY 4 DESC`
	rows, err := l.meter.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[share])
}

// demandRows holds the rows that were read of each table, by its indexes and as a whole, against their limits, and returns
// the most for an identity.
func (l *loading) demandRows(name string, identities int) string {
	l.t.Helper()
	ctx := l.t.Context()
	if err := l.flush(ctx); err != nil {
		l.t.Fatal(err)
	}
	const query = `
		SELECT t.relname::text, coalesce(t.seq_tup_read, 0) + coalesce(
		       (SELECT sum(i.idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid), 0)::bigint
		FROM pg_stat_user_tables t
		WHERE t.schemaname = $1`
	rows, err := l.meter.Query(ctx, query, l.schema)
	if err != nil {
		l.t.Fatal(err)
	}
	var table, most string
	var read, highest int64
	if _, err := pgx.ForEachRow(rows, []any{&table, &read}, func() error {
		fresh := read - l.rows[table]
		l.rows[table] = read
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
		if bound := may.call + may.identity*float64(identities); float64(fresh) > bound {
			l.t.Errorf("%s, %s: %d rows of %s are read, at most %.0f may be: %g, and %g for each of %d identities", l.schema,
				name, fresh, table, bound, may.call, may.identity, identities)
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

// Every special limit names something, once.
func TestSpecialLimits(t *testing.T) {
	var names []string
	for _, s := range statementLimits {
		names = append(names, s.phase+": "+s.text)
		if s.reason == "" || s.limit.call < statementLimit.call || s.text == "" {
			t.Errorf("%+v has no reason, no text, or less than the default", s)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(statementLimits) {
		t.Error("two special limits are for the same")
	}
}
