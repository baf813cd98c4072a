package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store/storetest"
)

// benchmarkRows is how many accounts the benchmarks read.
const benchmarkRows = 10_000

func benchmarkText() string {
	var b strings.Builder
	b.WriteString(hrHeader)
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
	documents, err := engine.ReadDocuments("config", strings.NewReader(companyConfig))
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
