package migrations

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Grant gives a database role the rights that an engine needs for a tenant, and no others: to read and write the rows
// of both schemas, but not to create or change tables. Call it again after each step that creates tables; it changes
// nothing if the role has the rights already. The pool's role must own the tables. The role must exist.
func Grant(ctx context.Context, pool *pgxpool.Pool, config Config, role string) error {
	config = config.WithDefaults()
	if err := config.Validate(); err != nil {
		return err
	}
	to := pgx.Identifier{role}.Sanitize()
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		for _, schema := range []string{config.Schema, config.JobSchema} {
			for _, statement := range []string{
				"GRANT USAGE ON SCHEMA " + schema + " TO " + to,
				"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + schema + " TO " + to,
				"GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA " + schema + " TO " + to,
			} {
				if _, err := tx.Exec(ctx, statement); err != nil {
					return err
				}
			}
		}
		// The role of an engine must not set the version of the tables.
		for _, table := range []string{config.Schema + "." + versionTableName, config.JobSchema + ".river_migration"} {
			if _, err := tx.Exec(ctx, "REVOKE INSERT, UPDATE, DELETE ON "+table+" FROM "+to); err != nil {
				return err
			}
		}
		return nil
	})
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &pgErr) && pgErr.Code == "42704":
		return fmt.Errorf("there is no role %q: CREATE ROLE makes one", role)
	case errors.As(err, &pgErr) && (pgErr.Code == "3F000" || pgErr.Code == "42P01"):
		return fmt.Errorf("schema %q is not migrated: run %s first", config.Schema, command(config, "up"))
	case err != nil:
		return fmt.Errorf("grant to %q: %w", role, err)
	}
	return nil
}
