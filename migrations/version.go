package migrations

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
)

// Errors of [Check]. The error that wraps them names the schema, both versions and the command that helps.
var (
	ErrTooOld = errors.New("schema too old")
	ErrTooNew = errors.New("schema too new")
)

// Steps returns all steps of this library, oldest first.
func Steps() []Migration {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		panic(err) // the pattern is constant
	}
	steps := []Migration{{Version: jobStep, Name: jobStepName}}
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			panic("migrations: " + name + " has no version in its name")
		}
		steps = append(steps, Migration{Version: version, Name: strings.TrimSuffix(name, ".sql")})
	}
	slices.SortFunc(steps, func(a, b Migration) int { return int(a.Version - b.Version) })
	return steps
}

// Latest returns the newest version, which this library needs.
func Latest() int64 {
	steps := Steps()
	return steps[len(steps)-1].Version
}

func stepName(source *goose.Source) string {
	if source.Version == jobStep {
		return jobStepName
	}
	return strings.TrimSuffix(path.Base(source.Path), ".sql")
}

// Version returns the version of the schema, or 0 before the first migration.
func Version(ctx context.Context, pool *pgxpool.Pool, config Config) (int64, error) {
	applied, err := appliedSteps(ctx, pool, config.WithDefaults())
	if err != nil {
		return 0, err
	}
	var version int64
	for step := range applied {
		version = max(version, step)
	}
	return version, nil
}

// appliedSteps returns the time of each applied step. It also works if the schema does not exist, and needs only the
// right to read.
func appliedSteps(ctx context.Context, pool *pgxpool.Pool, config Config) (map[int64]time.Time, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	var exists bool
	table := config.Schema + "." + versionTableName
	if err := pool.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, table).Scan(&exists); err != nil {
		return nil, fmt.Errorf("look for the version of schema %q: %w", config.Schema, hinted(err))
	}
	if !exists {
		return nil, nil
	}
	// goose writes timestamps of the session's time zone into a column without one.
	rows, err := pool.Query(ctx,
		`SELECT version_id, tstamp::timestamptz FROM `+table+` WHERE is_applied AND version_id > 0`)
	if err != nil {
		return nil, fmt.Errorf("read the version of schema %q: %w", config.Schema, hinted(err))
	}
	applied := map[int64]time.Time{}
	var version int64
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&version, &at}, func() error {
		applied[version] = at
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the version of schema %q: %w", config.Schema, hinted(err))
	}
	return applied, nil
}

// hinted says what to do about an error that a pooler in transaction mode causes: a statement that was prepared on one
// connection of the server is not there on another one, or is there already.
func hinted(err error) error {
	const noStatement, statementThere = "26000", "42P05"
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (refused.Code == noStatement || refused.Code == statementThere) {
		return fmt.Errorf("a pooler in transaction mode stands before the database: migrate against the server "+
			"itself: %w", err)
	}
	return err
}

// Check returns an error if the schema does not have the version that this library needs. The error wraps [ErrTooOld]
// or [ErrTooNew] and says what to do.
func Check(ctx context.Context, pool *pgxpool.Pool, config Config) error {
	config = config.WithDefaults()
	version, err := Version(ctx, pool, config)
	switch {
	case err != nil:
		return err
	case version < Latest():
		return fmt.Errorf("%w: schema %q is at version %d, this version of Muster needs %d: run %s",
			ErrTooOld, config.Schema, version, Latest(), command(config, "up"))
	case version > Latest():
		return tooNew(config, version)
	}
	return nil
}

func tooNew(config Config, version int64) error {
	return fmt.Errorf("%w: schema %q is at version %d, this version of Muster knows none after %d: "+
		"upgrade Muster, or run %s with the newer one",
		ErrTooNew, config.Schema, version, Latest(), command(config, fmt.Sprintf("to %d", Latest())))
}

func command(config Config, step string) string {
	text := "muster migrate " + step
	if config.Schema != SchemaDefault {
		text += " --schema " + config.Schema
	}
	if config.JobSchema != config.Schema+JobSchemaSuffix {
		text += " --job-schema " + config.JobSchema
	}
	return "`" + text + "`"
}
