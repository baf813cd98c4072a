package migrations

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// The default names of the schemas, and the limits of names.
const (
	SchemaDefault    = "muster"
	JobSchemaSuffix  = "_jobs"
	SchemaLengthMax  = 41 // leaves room for the default name of the job schema
	JobSchemaLenMax  = 46 // River's limit: a notification topic has the schema and a name in PostgreSQL's 63 bytes
	versionTableName = "goose_db_version"
)

// MinServerVersion is the oldest supported PostgreSQL, as server_version_num.
const MinServerVersion = 150000

//go:embed *.sql
var files embed.FS

// Config has the names of one tenant's schemas. The zero Config means the defaults.
type Config struct {
	// JobSchema is the schema of the job queue's tables. It belongs to one tenant, whose engines work its jobs.
	// Defaults to the name of Schema followed by "_jobs".
	JobSchema string

	// Schema is the schema of the tenant's data. Defaults to "muster".
	Schema string
}

// WithDefaults returns c with the defaults filled in.
func (c Config) WithDefaults() Config {
	if c.Schema == "" {
		c.Schema = SchemaDefault
	}
	if c.JobSchema == "" {
		c.JobSchema = c.Schema + JobSchemaSuffix
	}
	return c
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// Validate returns an error if a name is wrong. Only lower-case letters, digits and underscores are allowed, so that a
// name means the same with and without quotes.
func (c Config) Validate() error {
	c = c.WithDefaults()
	for _, name := range []struct {
		field, text string
		most        int
	}{{"Schema", c.Schema, SchemaLengthMax}, {"JobSchema", c.JobSchema, JobSchemaLenMax}} {
		switch {
		case !schemaName.MatchString(name.text):
			return fmt.Errorf("%s %q must be lower-case letters, digits and underscores, and not begin with a digit",
				name.field, name.text)
		case len(name.text) > name.most:
			return fmt.Errorf("%s %q is longer than %d characters", name.field, name.text, name.most)
		}
	}
	if c.Schema == c.JobSchema {
		return fmt.Errorf("JobSchema must differ from Schema, both are %q", c.Schema)
	}
	return nil
}

// Migration is one step of the schema and its state.
type Migration struct {
	Version int64
	Name    string
	// Applied is the time of the step; zero if it is pending.
	Applied time.Time
	// Duration is the duration of the step; set only in the results of a run.
	Duration time.Duration
}

// Up migrates the schemas to the latest version and returns the steps that it took, if any. It creates missing schemas.
// The pool needs two connections: one holds the lock.
func Up(ctx context.Context, pool *pgxpool.Pool, config Config) ([]Migration, error) {
	return run(ctx, pool, config, func(p *goose.Provider) ([]*goose.MigrationResult, error) { return p.Up(ctx) })
}

// Down undoes the newest step, and drops its data.
func Down(ctx context.Context, pool *pgxpool.Pool, config Config) ([]Migration, error) {
	return run(ctx, pool, config, func(p *goose.Provider) ([]*goose.MigrationResult, error) {
		result, err := p.Down(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return []*goose.MigrationResult{result}, nil
	})
}

// To migrates the schemas up or down to version. Version 0 is before the first step. Going down drops the data of each
// step.
func To(ctx context.Context, pool *pgxpool.Pool, config Config, version int64) ([]Migration, error) {
	if version < 0 || version > Latest() {
		return nil, fmt.Errorf("there is no version %d: versions go from 0 to %d", version, Latest())
	}
	return run(ctx, pool, config, func(p *goose.Provider) ([]*goose.MigrationResult, error) {
		current, err := p.GetDBVersion(ctx)
		if err != nil {
			return nil, err
		}
		switch {
		case version < current:
			return p.DownTo(ctx, version)
		case version > current:
			return p.UpTo(ctx, version)
		}
		return nil, nil
	})
}

// Status returns all steps of this library, oldest first, with their times. It changes nothing.
func Status(ctx context.Context, pool *pgxpool.Pool, config Config) ([]Migration, error) {
	config = config.WithDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if _, err := Version(ctx, pool, config); err != nil {
		return nil, err
	}
	applied, err := appliedSteps(ctx, pool, config)
	if err != nil {
		return nil, err
	}
	var steps []Migration
	for _, step := range Steps() {
		step.Applied = applied[step.Version]
		steps = append(steps, step)
	}
	return steps, nil
}

func run(ctx context.Context, pool *pgxpool.Pool, config Config,
	move func(*goose.Provider) ([]*goose.MigrationResult, error),
) (steps []Migration, err error) {
	config = config.WithDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if pool.Config().MaxConns < 2 {
		return nil, errors.New("migrating needs a pool of at least two connections: one holds the lock")
	}
	if err := checkServer(ctx, pool); err != nil {
		return nil, err
	}
	if err := createSchema(ctx, pool, config.Schema); err != nil {
		return nil, err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := newProvider(db, pool, config)
	if err != nil {
		return nil, err
	}
	current, err := provider.GetDBVersion(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the version of schema %q: %w", config.Schema, hinted(err))
	}
	if current > Latest() {
		return nil, tooNew(config, current)
	}
	results, err := move(provider)
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		results = partial.Applied
		err = fmt.Errorf("migration %s: %w", stepName(partial.Failed.Source), partial.Err)
	}
	for _, result := range results {
		steps = append(steps, Migration{
			Version: result.Source.Version, Name: stepName(result.Source),
			Applied: time.Now(), Duration: result.Duration,
		})
	}
	return steps, hinted(err)
}

func newProvider(db *sql.DB, pool *pgxpool.Pool, config Config) (*goose.Provider, error) {
	// The lock is per tenant, so that many tenants of one database can migrate at the same time.
	hash := fnv.New64a()
	hash.Write([]byte("muster migrations of " + config.Schema))
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(int64(hash.Sum64())), lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, schemaFS{files, config.Schema},
		goose.WithTableName(config.Schema+"."+versionTableName),
		goose.WithSessionLocker(locker),
		goose.WithGoMigrations(jobMigration(pool, config)),
		goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(discard),
	)
}

// checkServer refuses a server that is too old and a database that is not UTF-8.
func checkServer(ctx context.Context, pool *pgxpool.Pool) error {
	var version int
	var encoding, text string
	const question = `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
		current_setting('server_version')`
	if err := pool.QueryRow(ctx, question).Scan(&version, &encoding, &text); err != nil {
		return fmt.Errorf("ask the server for its version: %w", hinted(err))
	}
	if version < MinServerVersion {
		return fmt.Errorf("PostgreSQL %s is too old: version %d or later is needed", text, MinServerVersion/10000)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s: it must be UTF8 (CREATE DATABASE ... ENCODING 'UTF8')",
			encoding)
	}
	return nil
}

// createSchema creates a schema if it does not exist. CREATE SCHEMA IF NOT EXISTS would need rights that the role may
// lack for good reason. If two sessions create the schema at once, one gets an error of the catalogue's index.
func createSchema(ctx context.Context, pool *pgxpool.Pool, name string) error {
	var exists bool
	const question = `SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)`
	if err := pool.QueryRow(ctx, question, name).Scan(&exists); err != nil {
		return fmt.Errorf("look for schema %q: %w", name, err)
	}
	if exists {
		return nil
	}
	_, err := pool.Exec(ctx, "CREATE SCHEMA "+name)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && (pgErr.Code == "42P06" || pgErr.Code == "23505") {
		return nil // another session was first
	}
	if err != nil {
		return fmt.Errorf("create schema %q: %w", name, err)
	}
	return nil
}

// Hash returns a digest of all migrations, for test benches that store a migrated template.
func Hash() string {
	digest := sha256.New()
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		panic(err) // the pattern is constant
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(err) // the file is embedded
		}
		fmt.Fprintf(digest, "%s %d\n", name, len(text))
		digest.Write(text)
	}
	fmt.Fprintf(digest, "jobs %d", jobVersion)
	return hex.EncodeToString(digest.Sum(nil)[:16])
}
