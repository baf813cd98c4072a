package shapetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store/storetest"
)

// kind is where a table is.
type kind int

const (
	ofNothing kind = iota // it is another query of the statement
	ofData                // the tenant's, on a worker
	ofJobs                // the queue's, on the coordinator
	ofSession             // a temporary one
	ofServer              // one of a server's catalogues
)

const temporarySchema = "pg_temp"

// catalogue is what a server and the migrated schemas say.
type catalogue struct {
	volatile map[string]bool           // by the name of the function
	tables   map[string]kind           // by the name of the table
	filled   map[string][]filledColumn // by the name of the table
	schemas  map[kind]string
}

// filledColumn is a column whose value another node would give, where no statement gives one.
type filledColumn struct {
	name     string
	identity bool
}

func readCatalogue(t *testing.T, pool *pgxpool.Pool) *catalogue {
	t.Helper()
	config := migrations.Config{}.WithDefaults()
	c := &catalogue{volatile: map[string]bool{}, tables: map[string]kind{}, filled: map[string][]filledColumn{},
		schemas: map[kind]string{ofData: config.Schema, ofJobs: config.JobSchema}}
	for _, name := range storetest.Texts(t, pool, `SELECT DISTINCT proname::text FROM pg_proc
		WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v' AND prokind IN ('f', 'p')`) {
		c.volatile[name] = true
	}
	for kind, schema := range c.schemas {
		for _, name := range storetest.Texts(t, pool, `SELECT relname::text FROM pg_class
			WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')`, schema) {
			c.tables[name] = kind
		}
	}
	for name := range c.tables {
		c.readColumns(t, pool, name)
	}
	return c
}

func (c *catalogue) readColumns(t *testing.T, pool *pgxpool.Pool, table string) {
	t.Helper()
	if c.tables[table] != ofData {
		return
	}
	rows, err := pool.Query(t.Context(), `
		SELECT a.attname::text, a.attidentity <> '', coalesce(pg_get_expr(d.adbin, d.adrelid), 'NULL')
		FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = ($1 || '.' || $2)::regclass AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY a.attnum`, c.schemas[ofData], table)
	if err != nil {
		t.Fatal(err)
	}
	var column filledColumn
	var value string
	if _, err := pgx.ForEachRow(rows, []any{&column.name, &column.identity, &value}, func() error {
		s, err := parse("SELECT " + value)
		if err != nil {
			return err
		}
		foreign := func(name string) bool {
			return c.volatile[name] || slices.ContainsFunc(orders, func(o string) bool { return strings.HasPrefix(name, o) })
		}
		if column.identity || slices.ContainsFunc(functions(s.tree), foreign) {
			c.filled[table] = append(c.filled[table], column)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// kind of a table that a statement names.
func (c *catalogue) kind(table *pg.RangeVar) kind {
	switch table.Schemaname {
	case temporarySchema:
		return ofSession
	case "pg_catalog", "information_schema":
		return ofServer
	case "":
		if strings.HasPrefix(table.Relname, "pg_") {
			return ofServer
		}
		return ofNothing
	case c.schemas[ofData]:
		return ofData
	case c.schemas[ofJobs]:
		return ofJobs
	}
	return c.tables[table.Relname] // of a tenant whose schema has another name
}

// concerns reports whether a statement names a table of a kind.
func (c *catalogue) concerns(s *statement, k kind) bool {
	return slices.ContainsFunc(all[*pg.RangeVar](s.tree), func(table *pg.RangeVar) bool { return c.kind(table) == k })
}

// normal returns the text of a statement with the default names of the schemas.
func (c *catalogue) normal(s *statement) string {
	text := s.text
	for _, table := range all[*pg.RangeVar](s.tree) {
		k := c.kind(table)
		if to := c.schemas[k]; to != "" && to != table.Schemaname {
			text = strings.ReplaceAll(text, table.Schemaname+".", to+".")
			text = strings.ReplaceAll(text, `"`+table.Schemaname+`".`, to+".")
		}
	}
	return text
}

// withShaped returns a pool on a database that has tables for the examples too.
func withShaped(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := storetest.Pool(t)
	for _, statement := range []string{
		`CREATE TABLE muster.shaped (id bigint GENERATED ALWAYS AS IDENTITY, name text)`,
		`CREATE TABLE muster.shaped_default (id uuid DEFAULT gen_random_uuid(), name text)`,
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return pool
}
