package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx" of database/sql
	"github.com/peterldowns/pgtestdb"

	"github.com/muster-engine/muster/migrations"
)

// poolMax is how many connections a test's pool has: many tests run at once on a server of 200.
const poolMax = 8

// Pool returns a pool on a database of the test's own, migrated to the latest version with the default schemas. The
// test must have given its connections back when it ends; then the pool is closed and the database dropped.
func Pool(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return open(t, ConnString(t))
}

// Empty is [Pool] with a database that has nothing in it.
func Empty(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return open(t, EmptyConnString(t))
}

// ConnString returns the URL of a database like that of [Pool]. The test must have closed its connections when it ends.
func ConnString(t testing.TB) string {
	t.Helper()
	return create(t, migrator{})
}

// EmptyConnString is [ConnString] with a database that has nothing in it.
func EmptyConnString(t testing.TB) string {
	t.Helper()
	return create(t, pgtestdb.NoopMigrator{})
}

// ExamplePool is [Pool] for an example, which has no testing.TB. The function that it returns closes the pool and drops
// the database. What fails panics, and so fails the example.
func ExamplePool() (pool *pgxpool.Pool, drop func()) {
	var e example
	pool, err := connect(context.Background(), create(&e, migrator{}))
	if err != nil {
		e.Fatalf("%v", err)
	}
	e.Cleanup(pool.Close)
	return pool, e.end
}

// example has the methods of a test that the creation of a database needs.
type example struct{ cleanups []func() }

func (e *example) Cleanup(f func())                { e.cleanups = append(e.cleanups, f) }
func (*example) Failed() bool                      { return false }
func (*example) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (*example) Helper()                           {}
func (*example) Logf(string, ...any)               {}

func (e *example) end() {
	for _, f := range slices.Backward(e.cleanups) {
		f()
	}
}

func create(t pgtestdb.TB, migrator pgtestdb.Migrator) string {
	t.Helper()
	if !stopping.Load() {
		t.Fatalf("the package's TestMain must call storetest.Main, which stops the server of the tests")
	}
	server, err := sharedServer()
	if err != nil {
		t.Fatalf("%v", err)
	}
	url, err := server.copyOf(t, migrator)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return url
}

func open(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Texts returns the texts that a query finds, one of each row.
func Texts(t testing.TB, pool *pgxpool.Pool, query string, arguments ...any) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), query, arguments...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return list
}

func connect(ctx context.Context, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = poolMax
	Record(config.ConnConfig)
	// The test's context ends before its cleanup, the pool after it.
	return pgxpool.NewWithConfig(context.WithoutCancel(ctx), config)
}

// migrator makes the template that migrated databases are copies of.
type migrator struct{}

// Hash identifies the template: databases of a lasting server that an older set of migrations made are not reused.
func (migrator) Hash() (string, error) { return migrations.Hash(), nil }

// Migrate migrates the template.
func (migrator) Migrate(ctx context.Context, _ *sql.DB, config pgtestdb.Config) error {
	pool, err := connect(ctx, config.URL())
	if err != nil {
		return err
	}
	defer pool.Close()
	_, err = migrations.Up(ctx, pool, migrations.Config{})
	return err
}
