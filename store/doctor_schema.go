package store

import (
	"context"
	_ "embed" // the list of what the migrations make
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// schemaText lists the columns, constraints and indexes that the migrations make in the tenant's schema, one on each
// line. A test keeps it true.
//
//go:embed schema.txt
var schemaText string

// schemaObjects lists the columns, constraints and indexes that exist. It leaves out the constraints that newer servers
// make from NOT NULL, because the servers choose their names.
const schemaObjects = `
	SELECT 'column ' || table_name || ' ' || column_name || ' ' || data_type
	FROM information_schema.columns
	WHERE table_schema = $1 AND table_name <> 'goose_db_version'
	UNION ALL
	SELECT 'constraint ' || r.relname || ' ' || c.conname
	FROM pg_catalog.pg_constraint c
	JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
	WHERE c.connamespace = $1::regnamespace AND c.contype <> 'n' AND r.relname <> 'goose_db_version'
	UNION ALL
	SELECT 'index ' || r.relname || ' ' || x.relname
	FROM pg_catalog.pg_index i
	JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
	JOIN pg_catalog.pg_class r ON r.oid = i.indrelid
	WHERE r.relnamespace = $1::regnamespace AND r.relname <> 'goose_db_version'`

// SchemaObjects returns the columns, constraints and indexes of the tenant's schema, in their order.
func (s *Store) SchemaObjects(ctx context.Context, q Querier) ([]string, error) {
	const statement = `SELECT o FROM (` + schemaObjects + `) t (o) ORDER BY o COLLATE "C"`
	return collect(ctx, q, statement, pgx.RowTo[string], s.schema)
}

// MissingObjects returns the columns, constraints and indexes that the migrations made and that no longer exist. A
// column of another type counts as missing.
func (s *Store) MissingObjects(ctx context.Context, q Querier) (Finding, error) {
	objects, err := s.SchemaObjects(ctx, q)
	if err != nil {
		return Finding{}, err
	}
	there := make(map[string]bool, len(objects))
	for _, o := range objects {
		there[o] = true
	}
	var missing []string
	for line := range strings.Lines(schemaText) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !there[line] {
			missing = append(missing, line)
		}
	}
	return Found(missing), nil
}

// UnvalidatedConstraints returns the constraints of the tenant's schema that were not checked against all rows, as
// table and name.
func (s *Store) UnvalidatedConstraints(ctx context.Context, q Querier) ([]string, error) {
	const statement = `
		SELECT r.relname || '.' || c.conname
		FROM pg_catalog.pg_constraint c
		JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
		WHERE c.connamespace = $1::regnamespace AND NOT c.convalidated
		ORDER BY 1`
	return collect(ctx, q, statement, pgx.RowTo[string], s.schema)
}

// ValidateConstraint checks a constraint against all rows. Its name is one of [Store.UnvalidatedConstraints].
func (s *Store) ValidateConstraint(ctx context.Context, tx pgx.Tx, name string) error {
	table, constraint, _ := strings.Cut(name, ".")
	_, err := tx.Exec(ctx, `ALTER TABLE `+pgx.Identifier{s.schema, table}.Sanitize()+
		` VALIDATE CONSTRAINT `+pgx.Identifier{constraint}.Sanitize())
	return mapError(err)
}

// InvalidIndexes returns the indexes of both schemas that the planner does not use because building them failed, as
// schema and name. It leaves out those that are being built.
func (s *Store) InvalidIndexes(ctx context.Context, q Querier, jobSchema string) ([]string, error) {
	const statement = `
		SELECT n.nspname || '.' || x.relname
		FROM pg_catalog.pg_index i
		JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
		JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
		WHERE n.nspname = ANY ($1) AND NOT (i.indisvalid AND i.indisready)
		  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
		ORDER BY 1`
	return collect(ctx, q, statement, pgx.RowTo[string], []string{s.schema, jobSchema})
}

// Reindex builds an invalid index again, or drops an index that an earlier attempt left behind. Its name is one of
// [Store.InvalidIndexes]. It must not run in a transaction.
func (s *Store) Reindex(ctx context.Context, q Querier, name string) error {
	schema, index, _ := strings.Cut(name, ".")
	quoted := pgx.Identifier{schema, index}.Sanitize()
	statement := `REINDEX INDEX CONCURRENTLY ` + quoted
	if strings.Contains(index, "_ccnew") || strings.Contains(index, "_ccold") {
		statement = `DROP INDEX CONCURRENTLY ` + quoted
	}
	_, err := q.Exec(ctx, statement)
	return mapError(err)
}

// Server is what matters about the server and the session.
type Server struct {
	Version      int    // as server_version_num
	Encoding     string // of the database
	ICU          bool   // it has the collation by which texts are folded
	Isolation    string // the default of transactions
	ReadOnly     bool
	Durable      bool // what was committed survives a crash
	Autovacuum   bool
	Statement    time.Duration // after this time a statement is ended, 0 for never
	Idle         time.Duration // after this time an idle transaction is ended, 0 for never
	Now          time.Time     // when the server answered
	JobVersion   int           // of River's tables
	JobsOf       string        // the comment of their schema
	LongRunning  []string      // process IDs of transactions of this database that have been open for an hour
	Unprivileged []string      // tables and sequences on which the role lacks a privilege that an engine needs
}

// Server asks the server.
func (s *Store) Server(ctx context.Context, q Querier, jobSchema string) (Server, error) {
	const statement = `
		SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
		       EXISTS (SELECT 1 FROM pg_catalog.pg_collation WHERE collname = 'und-x-icu'),
		       (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'default_transaction_isolation'),
		       pg_is_in_recovery() OR
		           (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only') = 'on',
		       current_setting('fsync')::bool AND current_setting('full_page_writes')::bool
		           AND current_setting('synchronous_commit') <> 'off',
		       current_setting('autovacuum')::bool,
		       (SELECT reset_val::int FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'),
		       (SELECT reset_val::int FROM pg_catalog.pg_settings WHERE name = 'idle_in_transaction_session_timeout'),
		       coalesce(obj_description($1::regnamespace, 'pg_namespace'), ''),
		       ARRAY(SELECT pid::text FROM pg_catalog.pg_stat_activity
		             WHERE datname = current_database() AND backend_type = 'client backend'
		               AND xact_start < now() - interval '1 hour'
		             ORDER BY xact_start LIMIT 10)`
	var v Server
	var statementLimit, idleLimit int64
	err := q.QueryRow(ctx, statement, jobSchema).Scan(&v.Version, &v.Encoding, &v.ICU, &v.Isolation, &v.ReadOnly,
		&v.Durable, &v.Autovacuum, &statementLimit, &idleLimit, &v.JobsOf, &v.LongRunning)
	if err != nil {
		return v, mapError(err)
	}
	v.Statement, v.Idle = time.Duration(statementLimit)*time.Millisecond, time.Duration(idleLimit)*time.Millisecond
	version := `SELECT coalesce(max(version), 0) FROM ` + jobSchema + `.river_migration WHERE line = 'main'`
	if err = q.QueryRow(ctx, version).Scan(&v.JobVersion); err != nil {
		return v, fmt.Errorf("the version of the job tables: %w", mapError(err))
	}
	const privileges = `
		SELECT n.nspname || '.' || c.relname
		FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p')
		  AND c.relname NOT IN ('goose_db_version', 'river_migration')
		  AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
		           AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
		UNION ALL
		SELECT n.nspname || '.' || c.relname
		FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = ANY ($1) AND c.relkind = 'S'
		  AND NOT (has_sequence_privilege(c.oid, 'USAGE') AND has_sequence_privilege(c.oid, 'SELECT')
		           AND has_sequence_privilege(c.oid, 'UPDATE'))
		ORDER BY 1`
	v.Unprivileged, err = collect(ctx, q, privileges, pgx.RowTo[string], []string{s.schema, jobSchema})
	return v, err
}

// ServerTime returns what the server's clock shows.
func (s *Store) ServerTime(ctx context.Context, q Querier) (time.Time, error) {
	var now time.Time
	err := q.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now)
	return now, mapError(err)
}

// SlotsSince returns the slots from a time on that have begun.
func (s *Store) SlotsSince(ctx context.Context, q Querier, since time.Time) ([]time.Time, error) {
	const statement = `SELECT slot FROM muster.schedule_slots WHERE slot >= $1 ORDER BY slot`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[time.Time], since)
}

// FirstIdentity returns when the first identity was created, the zero time where there is none.
func (s *Store) FirstIdentity(ctx context.Context, q Querier) (time.Time, error) {
	var first *time.Time
	err := q.QueryRow(ctx, s.sql(`SELECT min(created) FROM muster.identities`)).Scan(&first)
	if err != nil || first == nil {
		return time.Time{}, mapError(err)
	}
	return *first, nil
}
