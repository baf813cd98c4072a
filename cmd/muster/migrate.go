package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/muster-engine/muster/migrations"
)

// migrationStep migrates the tables and returns the steps that it took.
type migrationStep func(context.Context, *pgxpool.Pool, migrations.Config) ([]migrations.Migration, error)

func (a *app) migrateCommand() *cobra.Command {
	return group(&cobra.Command{Use: "migrate", Short: "Migrate the tables up or down"},
		a.migrateUpCommand(),
		a.migrateDownCommand(),
		a.migrateToCommand(),
		a.migrateStatusCommand(),
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

func (a *app) migrateDownCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "down", Short: "Undo the newest step, and lose its data", Args: exactArgs(0, "no argument"),
		Long: `Down undoes the newest step. What its tables and columns hold is lost, so it asks before, or needs --yes
where nobody can be asked.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			down := func(ctx context.Context, pool *pgxpool.Pool, c migrations.Config) ([]migrations.Migration, error) {
				version, err := migrations.Version(ctx, pool, c)
				if err == nil && version > 0 {
					err = a.demandConsent(version, version-1, yes)
				}
				if err != nil {
					return nil, err
				}
				return migrations.Down(ctx, pool, c)
			}
			return a.migrate(cmd.Context(), down)
		},
	}
	yesFlag(cmd, &yes)
	return cmd
}

func yesFlag(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVar(yes, "yes", false, "go down without a question")
}

// demandConsent asks before a way down, or demands --yes where nobody can be asked.
func (a *app) demandConsent(from, to int64, yes bool) error {
	if to >= from || yes {
		return nil
	}
	loss := fmt.Sprintf("the tables go down from version %d to %d, and what the steps between hold is lost", from, to)
	if file, isFile := a.stdin.(*os.File); !isFile || !term.IsTerminal(int(file.Fd())) {
		return usage("%s: give --yes if that is wanted", loss)
	}
	fmt.Fprintf(a.stderr, "%s. Type yes to go on: ", strings.ToUpper(loss[:1])+loss[1:])
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "yes" && answer != "y" {
		return usage("the answer was not yes: the tables are as they were")
	}
	return nil
}

func (a *app) migrateToCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "to VERSION", Short: "Migrate the tables up or down to a version", Args: exactArgs(1, "one VERSION"),
		Long: `To migrates the tables up or down to a version. On the way down, what the undone steps hold is lost, so
it asks before, or needs --yes where nobody can be asked.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			version, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || version < 0 || version > migrations.Latest() {
				return usage("there is no version %q: versions go from 0 to %d", args[0], migrations.Latest())
			}
			to := func(ctx context.Context, pool *pgxpool.Pool, c migrations.Config) ([]migrations.Migration, error) {
				now, err := migrations.Version(ctx, pool, c)
				if err == nil {
					err = a.demandConsent(now, version, yes)
				}
				if err != nil {
					return nil, err
				}
				return migrations.To(ctx, pool, c, version)
			}
			return a.migrate(cmd.Context(), to)
		},
	}
	yesFlag(cmd, &yes)
	return cmd
}

func (a *app) migrate(ctx context.Context, step migrationStep) error {
	if a.pooler {
		return usage("--pooler: a migration holds a lock in its connection: give --database-url of the server " +
			"itself, or of a pool in session mode, without --pooler")
	}
	return a.withDatabase(ctx, func(d *database) error {
		a.keep("the steps that were done stay done; the one that was under way is undone")
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

func (a *app) migrateStatusCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "status", Short: "Show every step and when it was applied", Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			return a.migrateStatus(cmd.Context(), output)
		},
	}
	listOutput(cmd, &output)
	return cmd
}

// migrationState is one step of the list of steps.
type migrationState struct {
	Name    string     `json:"name"`
	Applied *time.Time `json:"applied"` // null for a step that is pending
}

func (a *app) migrateStatus(ctx context.Context, output string) error {
	return a.withDatabase(ctx, func(d *database) error {
		steps, err := migrations.Status(ctx, d.pool, a.schemas)
		if err != nil {
			return err
		}
		states := make([]migrationState, len(steps))
		rows := [][]string{{"STEP", "APPLIED"}}
		for i, m := range steps {
			applied := "pending"
			states[i].Name = m.Name
			if !m.Applied.IsZero() {
				at := m.Applied.UTC()
				applied, states[i].Applied = at.Format(time.RFC3339), &at
			}
			rows = append(rows, []string{m.Name, applied})
		}
		if err := a.showRows(output, states, rows); err != nil || output != outputTable {
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
