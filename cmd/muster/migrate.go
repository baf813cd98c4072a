package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/migrations"
)

// migrationStep migrates the tables and returns the steps that it took.
type migrationStep func(context.Context, *pgxpool.Pool, migrations.Config) ([]migrations.Migration, error)

func (a *app) migrateCommand() *cobra.Command {
	move := func(use, short string, step migrationStep) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Args: exactArgs(0, "no argument"),
			RunE: func(cmd *cobra.Command, _ []string) error { return a.migrate(cmd.Context(), step) },
		}
	}
	return group(&cobra.Command{Use: "migrate", Short: "Migrate the tables up or down"},
		a.migrateUpCommand(),
		move("down", "Undo the newest step, and lose its data", migrations.Down),
		a.migrateToCommand(),
		&cobra.Command{
			Use: "status", Short: "Show every step and when it was applied", Args: exactArgs(0, "no argument"),
			RunE: func(cmd *cobra.Command, _ []string) error { return a.migrateStatus(cmd.Context()) },
		},
		&cobra.Command{
			Use: "version", Short: "Show the version of the tables", Args: exactArgs(0, "no argument"),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.withDatabase(cmd.Context(), func(d *database) error {
					version, err := migrations.Version(cmd.Context(), d.pool, a.schemas)
					if err == nil {
						fmt.Fprintln(a.stdout, version)
					}
					return err
				})
			},
		},
	)
}

func (a *app) migrateUpCommand() *cobra.Command {
	var grantTo []string
	cmd := &cobra.Command{
		Use: "up", Short: "Migrate the tables to the latest version", Args: exactArgs(0, "no argument"),
		Long: `Up migrates the tables to the latest version. With --grant-to it then grants database roles the rights
that an engine needs: to read and write the rows of this tenant, but not to create or change tables. So engines need not
run as the owner of the tables.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			up := func(ctx context.Context, pool *pgxpool.Pool, c migrations.Config) ([]migrations.Migration, error) {
				steps, err := migrations.Up(ctx, pool, c)
				for _, role := range grantTo {
					if err == nil {
						err = migrations.Grant(ctx, pool, c, role)
					}
				}
				return steps, err
			}
			return a.migrate(cmd.Context(), up)
		},
	}
	cmd.Flags().StringArrayVar(&grantTo, "grant-to", nil, "role that engines run as; may be repeated")
	return cmd
}

func (a *app) migrateToCommand() *cobra.Command {
	return &cobra.Command{
		Use: "to VERSION", Short: "Migrate the tables up or down to a version", Args: exactArgs(1, "one VERSION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			version, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || version < 0 || version > migrations.Latest() {
				return usage("there is no version %q: versions go from 0 to %d", args[0], migrations.Latest())
			}
			to := func(ctx context.Context, pool *pgxpool.Pool, c migrations.Config) ([]migrations.Migration, error) {
				return migrations.To(ctx, pool, c, version)
			}
			return a.migrate(cmd.Context(), to)
		},
	}
}

func (a *app) migrate(ctx context.Context, step migrationStep) error {
	return a.withDatabase(ctx, func(d *database) error {
		steps, err := step(ctx, d.pool, a.schemas)
		for _, m := range steps {
			fmt.Fprintf(a.stdout, "%s  %s\n", m.Name, m.Duration.Round(time.Millisecond))
		}
		if err != nil {
			return err
		}
		version, err := migrations.Version(ctx, d.pool, a.schemas)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "schema %s is at version %d of %d\n", a.schemas.WithDefaults().Schema, version,
			migrations.Latest())
		return nil
	})
}

func (a *app) migrateStatus(ctx context.Context) error {
	return a.withDatabase(ctx, func(d *database) error {
		steps, err := migrations.Status(ctx, d.pool, a.schemas)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		for _, m := range steps {
			applied := "pending"
			if !m.Applied.IsZero() {
				applied = m.Applied.UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(w, "%s\t%s\n", m.Name, applied)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		err = migrations.Check(ctx, d.pool, a.schemas)
		if errors.Is(err, migrations.ErrTooOld) || errors.Is(err, migrations.ErrTooNew) {
			fmt.Fprintln(a.stdout, err)
			return nil
		}
		return err
	})
}
