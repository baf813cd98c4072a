package migrations

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// The step that migrates River's tables, and their version afterwards. A later version of River's tables needs a later
// step of ours.
const (
	jobStep     = 4
	jobStepName = "00004_jobs"
	jobVersion  = 8
)

// jobMigration runs outside goose's transaction, because River's steps cannot all share one. It may be repeated: it
// skips the steps that River has applied.
func jobMigration(pool *pgxpool.Pool, config Config) *goose.Migration {
	up := func(ctx context.Context, _ *sql.DB) error {
		if err := createSchema(ctx, pool, config.JobSchema); err != nil {
			return err
		}
		if err := claimJobSchema(ctx, pool, config); err != nil {
			return err
		}
		return migrateJobs(ctx, pool, config, rivermigrate.DirectionUp, jobVersion)
	}
	down := func(ctx context.Context, _ *sql.DB) error {
		if err := migrateJobs(ctx, pool, config, rivermigrate.DirectionDown, -1); err != nil {
			return err
		}
		_, err := pool.Exec(ctx, "COMMENT ON SCHEMA "+config.JobSchema+" IS NULL")
		return err
	}
	return goose.NewGoMigration(jobStep, &goose.GoFunc{RunDB: up}, &goose.GoFunc{RunDB: down})
}

// JobVersion returns the version of River's tables that this library needs.
func JobVersion() int { return jobVersion }

// JobSchemaComment returns the comment that says which tenant owns a job schema.
func JobSchemaComment(config Config) string {
	return "jobs of Muster in schema " + config.WithDefaults().Schema
}

func migrateJobs(ctx context.Context, pool *pgxpool.Pool, config Config, direction rivermigrate.Direction,
	version int,
) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: discard,
		Schema: config.JobSchema})
	if err != nil {
		return fmt.Errorf("job tables: %w", err)
	}
	if _, err := migrator.Migrate(ctx, direction, &rivermigrate.MigrateOpts{TargetVersion: version}); err != nil {
		return fmt.Errorf("job tables in schema %q: %w", config.JobSchema, err)
	}
	return nil
}

// claimJobSchema records the owner of a job schema in the schema's comment, and refuses a schema of another owner: the
// workers of two tenants, or of a host that runs River itself, would take each other's jobs.
func claimJobSchema(ctx context.Context, pool *pgxpool.Pool, config Config) error {
	claim := JobSchemaComment(config)
	var comment string
	var used bool
	const question = `
		SELECT coalesce(obj_description(n.oid, 'pg_namespace'), ''),
		       EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'river_job')
		FROM pg_catalog.pg_namespace n
		WHERE n.nspname = $1`
	if err := pool.QueryRow(ctx, question, config.JobSchema).Scan(&comment, &used); err != nil {
		return fmt.Errorf("look at schema %q: %w", config.JobSchema, err)
	}
	if used && comment != claim {
		return fmt.Errorf("schema %q holds the jobs of another owner (its comment is %q): choose another job schema",
			config.JobSchema, comment)
	}
	_, err := pool.Exec(ctx, "COMMENT ON SCHEMA "+config.JobSchema+" IS '"+claim+"'")
	return err
}
