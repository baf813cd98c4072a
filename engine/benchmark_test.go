package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

// benchmarkRows is how many accounts the benchmarks read.
const benchmarkRows = 10_000

func benchmarkText() string {
	var b strings.Builder
	b.WriteString(enginetest.PeopleHeader)
	for i := range benchmarkRows {
		fmt.Fprintf(&b, "%d,Person %d,First%d,Last%d,p%d@example.com,D%d,%d,%d,active\n", i, i, i%500, i%3000, i, i%40, i/8, 20+i%40)
	}
	return b.String()
}

// BenchmarkAggregate compares an aggregation, for the first time and with nothing changed, with what PostgreSQL needs
// at the least: a COPY of the same accounts into a table with the same indexes.
func BenchmarkAggregate(b *testing.B) {
	text := benchmarkText()
	rate := func(b *testing.B) {
		b.ReportMetric(float64(benchmarkRows*b.N)/b.Elapsed().Seconds(), "rows/s")
	}
	aggregate := func(b *testing.B, eng *engine.Engine) {
		b.Helper()
		if _, err := eng.Aggregate(b.Context(), "HR", strings.NewReader(text), engine.AggregateOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			_, eng := benchmarkEngine(b)
			b.StartTimer()
			aggregate(b, eng)
		}
		rate(b)
	})
	b.Run("unchanged", func(b *testing.B) {
		_, eng := benchmarkEngine(b)
		aggregate(b, eng)
		for b.Loop() {
			aggregate(b, eng)
		}
		rate(b)
	})
	b.Run("copy", func(b *testing.B) {
		pool, eng := benchmarkEngine(b)
		aggregate(b, eng)
		benchmarkCopy(b, pool)
		rate(b)
	})
}

// benchmarkEngine returns an engine with the company's configuration on a database of its own.
func benchmarkEngine(b *testing.B) (*pgxpool.Pool, *engine.Engine) {
	b.Helper()
	pool := storetest.Pool(b)
	eng, err := engine.New(b.Context(), pool, engine.Config{})
	if err != nil {
		b.Fatal(err)
	}
	documents, err := engine.ReadDocuments("config", strings.NewReader(enginetest.Documents))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := eng.Apply(b.Context(), documents); err != nil {
		b.Fatal(err)
	}
	return pool, eng
}

// benchmarkCopy copies the accounts that an aggregation made, as PostgreSQL gives them, into a table like theirs.
func benchmarkCopy(b *testing.B, pool *pgxpool.Pool) {
	b.Helper()
	conn, err := pgx.ConnectConfig(b.Context(), pool.Config().ConnConfig)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close(context.Background()) })
	var rows bytes.Buffer
	if _, err := conn.PgConn().CopyTo(b.Context(), &rows, `COPY muster.accounts TO STDOUT (FORMAT binary)`); err != nil {
		b.Fatal(err)
	}
	if _, err := conn.Exec(b.Context(), `CREATE TABLE copied (LIKE muster.accounts INCLUDING ALL)`); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		if _, err := conn.Exec(b.Context(), `TRUNCATE copied`); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := conn.PgConn().CopyFrom(b.Context(), bytes.NewReader(rows.Bytes()), `COPY copied FROM STDIN (FORMAT binary)`); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkPeople returns how many people are in the population of the benchmarks of processing: MUSTER_BENCH_PEOPLE,
// or few enough for every run of CI.
func benchmarkPeople(b *testing.B) int {
	b.Helper()
	text := os.Getenv("MUSTER_BENCH_PEOPLE")
	if text == "" {
		return 5_000
	}
	people, err := strconv.Atoi(text)
	if err != nil || people < 1 {
		b.Fatalf("MUSTER_BENCH_PEOPLE must be a positive number, it is %q", text)
	}
	return people
}

// The population of the benchmarks of processing: 22 mapped attributes, two accounts each, and 100 roles, of which
// about five hold for a person.
const (
	populationAttributes = 22
	populationRoles      = 100
)

func populationConfig() string {
	var b strings.Builder
	b.WriteString("identityAttributes:\n")
	for i := range populationAttributes - 8 {
		fmt.Fprintf(&b, "  - {name: extra%d, displayName: Extra %d, type: string}\n", i, i)
	}
	b.WriteString(`sources:
  - name: HR
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: id
        displayAttribute: name
        attributes: [{name: id}, {name: name}, {name: first}, {name: last}, {name: mail}, {name: mgr}, {name: state}`)
	for i := range populationAttributes - 8 {
		fmt.Fprintf(&b, ", {name: extra%d}", i)
	}
	b.WriteString(`]
    managerCorrelationMapping: {accountAttributeName: mgr, identityAttributeName: uid}
  - name: Directory
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: sam
        attributes: [{name: sam}, {name: groups, isMulti: true, isEntitlement: true}, {name: emp}]
    accountCorrelationConfig:
      attributeAssignments: [{property: uid, value: emp, operation: EQ}]
identityProfiles:
  - name: Employees
    authoritativeSource: {type: SOURCE, name: HR}
    lifecycleStates:
      - {name: Active, technicalName: active, identityState: ACTIVE}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
`)
	mapping := func(attribute, source, from string) {
		fmt.Fprintf(&b, "        - {identityAttributeName: %s, transformDefinition: {type: accountAttribute, "+
			"attributes: {sourceName: %s, attributeName: %s}}}\n", attribute, source, from)
	}
	for attribute, from := range map[string]string{"uid": "id", "displayName": "name", "firstname": "first",
		"lastname": "last", "email": "mail", "identificationNumber": "id", "cloudLifecycleState": "state"} {
		mapping(attribute, "HR", from)
	}
	mapping("login", "Directory", "sam")
	for i := range populationAttributes - 8 {
		mapping(fmt.Sprintf("extra%d", i), "HR", fmt.Sprintf("extra%d", i))
	}
	b.WriteString("roles:\n")
	for i := range populationRoles {
		fmt.Fprintf(&b, `  - name: Role %[1]d
    enabled: true
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.extra%[2]d}, stringValue: value %[3]d}
`, i, i%5, i/5)
	}
	return b.String()
}

// populationTexts returns the accounts of a population on its two sources.
func populationTexts(people int) (authoritative, correlating string) {
	var hr, directory strings.Builder
	hr.WriteString("id,name,first,last,mail,mgr,state")
	for i := range populationAttributes - 8 {
		fmt.Fprintf(&hr, ",extra%d", i)
	}
	hr.WriteByte('\n')
	directory.WriteString("sam,groups,emp\n")
	for i := range people {
		fmt.Fprintf(&hr, "%d,Person %d,First%d,Last%d,p%d@example.com,%d,active", i, i, i%500, i%3000, i, i/8)
		for k := range populationAttributes - 8 {
			fmt.Fprintf(&hr, ",value %d", (i/(k+1))%20)
		}
		hr.WriteByte('\n')
		fmt.Fprintf(&directory, "login%d,Team %d;Floor %d,%d\n", i, i%50, i%7, i)
	}
	return hr.String(), directory.String()
}

// population returns an engine with a population that was processed.
func population(b testing.TB, people int, config engine.Config) (*pgxpool.Pool, *engine.Engine) {
	b.Helper()
	pool := storetest.Pool(b)
	config.Guard.Off = true
	eng, err := engine.New(b.Context(), pool, config)
	if err != nil {
		b.Fatal(err)
	}
	documents, err := engine.ReadDocuments("config", strings.NewReader(populationConfig()))
	if err == nil {
		_, err = eng.Apply(b.Context(), documents)
	}
	if err != nil {
		b.Fatal(err)
	}
	hr, directory := populationTexts(people)
	for _, source := range []struct{ name, text string }{{"HR", hr}, {"Directory", directory}} {
		if _, err := eng.Aggregate(b.Context(), source.name, strings.NewReader(source.text),
			engine.AggregateOptions{}); err != nil {
			b.Fatal(err)
		}
		if _, err := eng.ProcessPending(b.Context(), engine.ProcessOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := pool.Exec(b.Context(), `VACUUM ANALYZE`); err != nil {
		b.Fatal(err)
	}
	return pool, eng
}

// BenchmarkProcessAll compares a run over everybody that finds nothing to change with the bare reading of the same
// rows: identities, accounts and assignments as the server sends them, by as many connections, decoding nothing.
func BenchmarkProcessAll(b *testing.B) {
	people := benchmarkPeople(b)
	pool, eng := population(b, people, engine.Config{})
	rate := func(b *testing.B) {
		b.ReportMetric(float64(people*b.N)/b.Elapsed().Seconds(), "identities/s")
	}
	b.Run("process", func(b *testing.B) {
		for b.Loop() {
			task, err := eng.ProcessAll(b.Context())
			if err == nil {
				task, err = eng.ProcessTask(b.Context(), task.ID, engine.ProcessOptions{})
			}
			if err != nil {
				b.Fatal(err)
			}
			if task.Attributes.IdentityCount != int64(people) || task.Attributes.ChangedCount != 0 {
				b.Fatalf("got %+v, want task.Attributes.IdentityCount == int64(people) && task.Attributes.ChangedCount == 0", task.Attributes)
			}
		}
		rate(b)
	})
	b.Run("stream", func(b *testing.B) {
		for b.Loop() {
			var group errgroup.Group
			for half := range engine.WorkersDefault {
				group.Go(func() error { return stream(b.Context(), pool, half, engine.WorkersDefault) })
			}
			if err := group.Wait(); err != nil {
				b.Fatal(err)
			}
		}
		rate(b)
	})
}

// stream reads one share of the rows that processing reads, and throws them away.
func stream(ctx context.Context, pool *pgxpool.Pool, share, shares int) error {
	const bounds = `SELECT id FROM muster.identities ORDER BY id OFFSET (SELECT count(*) * $1::int / $2::int FROM muster.identities) LIMIT 1`
	var from string
	if err := pool.QueryRow(ctx, bounds, share, shares).Scan(&from); err != nil {
		return err
	}
	to := "ffffffff-ffff-ffff-ffff-ffffffffffff"
	if share+1 < shares {
		if err := pool.QueryRow(ctx, bounds, share+1, shares).Scan(&to); err != nil {
			return err
		}
	}
	for _, query := range []string{
		`SELECT id, name, alias, email, processing_state, processing_error, correlated, profile_id, lifecycle_state,
		        lifecycle_manual, identity_state, manager_id, manager_key, attributes
		 FROM muster.identities WHERE id >= $1 AND id < $2 ORDER BY id`,
		`SELECT id, source_id, native_identity, name, identity_id, attributes, created
		 FROM muster.accounts WHERE identity_id >= $1 AND identity_id < $2 ORDER BY identity_id, id`,
		`SELECT id, identity_id, role_id FROM muster.role_assignments WHERE identity_id >= $1 AND identity_id < $2
		 ORDER BY identity_id`,
	} {
		rows, err := pool.Query(ctx, query, from, to)
		if err != nil {
			return err
		}
		for rows.Next() {
			_ = rows.RawValues()
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkScheduleNothingDue compares a scheduled run over a population in which nothing is due with the index
// look-up that finds that out.
func BenchmarkScheduleNothingDue(b *testing.B) {
	var c enginetest.Clock
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	c.Set(start)
	pool, eng := population(b, benchmarkPeople(b), engine.Config{Now: c.Now})
	b.Run("schedule", func(b *testing.B) {
		for b.Loop() {
			start = start.Add(12 * time.Hour) // the next slot
			c.Set(start)
			result, err := eng.RunSchedule(b.Context())
			if err != nil || result.Slot.IsZero() {
				b.Fatal(result, err)
			}
			for _, task := range result.Tasks {
				if _, err := eng.ProcessTask(b.Context(), task, engine.ProcessOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("quiet", func(b *testing.B) { // between two slots
		for b.Loop() {
			if _, err := eng.RunSchedule(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("lookup", func(b *testing.B) {
		for b.Loop() {
			var due int
			err := pool.QueryRow(b.Context(), `SELECT count(*) FROM muster.refresh_state WHERE due <= $1`, start).Scan(&due)
			if err != nil || due != 0 {
				b.Fatal(due, err)
			}
		}
	})
}
