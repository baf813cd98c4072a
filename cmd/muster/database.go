package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // --time-zone works on systems without a time zone database

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/engine/connector/ldap"
	"github.com/muster-engine/muster/engine/connector/postgres"
	"github.com/muster-engine/muster/engine/connector/secret"
	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store/pglocal"
)

// database is the PostgreSQL database of a command.
type database struct {
	pool *pgxpool.Pool
	// server is the private server; nil if the user named another one.
	server *pglocal.Server
}

// stopTimeout is the longest time for stopping a private server.
const stopTimeout = time.Minute

// close ends the connections and stops the private server. Stopping has its own time-out, because the interrupt that
// ended the command must not cut it short.
func (d *database) close(ctx context.Context) error {
	d.pool.Close()
	if d.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return d.server.Stop(ctx)
}

// connect connects to the database that the flags name, or starts the private one, or joins it where it runs. dataDir
// is the private one's folder; if it is empty, the server uses a folder that is removed when it stops.
func (a *app) connect(ctx context.Context, dataDir string) (*database, error) {
	if err := a.schemas.Validate(); err != nil {
		return nil, usageError{err}
	}
	if _, err := a.engineConfig(); err != nil {
		return nil, err
	}
	url := a.databaseURL
	d := &database{}
	if url == "" {
		if a.pooler {
			return nil, usage("--pooler: name the database with --database-url: a private PostgreSQL has no pooler")
		}
		server, err := pglocal.Start(ctx, pglocal.Config{DataDir: dataDir, Logger: a.logger(), Share: true})
		if err != nil {
			return nil, fmt.Errorf("start the private PostgreSQL: %w", err)
		}
		d.server, url = server, server.ConnString("postgres")
	}
	config, err := pgxpool.ParseConfig(url)
	if err == nil {
		config.MinConns = 0
		config.ConnConfig.Tracer = a.tracer
		if a.pooler && config.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
			config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		}
		d.pool, err = pgxpool.NewWithConfig(ctx, config)
	}
	if err == nil {
		err = d.pool.Ping(ctx)
	}
	if err != nil {
		// The text of the error has no password: pgx removes it.
		return nil, errors.Join(fmt.Errorf("connect to the database: %w", err), d.abandon(ctx))
	}
	return d, nil
}

// abandon cleans up after a failed connect.
func (d *database) abandon(ctx context.Context) error {
	if d.pool == nil {
		if d.server == nil {
			return nil
		}
		return d.server.Stop(context.WithoutCancel(ctx))
	}
	return d.close(ctx)
}

// withDatabase runs work on the database.
func (a *app) withDatabase(ctx context.Context, work func(d *database) error) (err error) {
	dir, err := a.dataFolder()
	if err != nil {
		return err
	}
	d, err := a.connect(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(ctx)) }()
	return work(d)
}

// makers are the commands that make the tables of a tenant on a private server where there are none.
var makers = []string{"apply", "demo", "migrate", "serve", "worker"}

// withEngine runs work on an engine. It migrates a private database. It does not migrate a database that the user
// named; the engine says what to do if its version does not fit.
func (a *app) withEngine(ctx context.Context, work func(eng *engine.Engine) error) error {
	return a.withDatabase(ctx, func(d *database) error {
		eng, err := a.engine(ctx, d)
		if err != nil {
			return err
		}
		return work(eng)
	})
}

func (a *app) engine(ctx context.Context, d *database) (*engine.Engine, error) {
	if d.server != nil {
		if err := a.migratePrivate(ctx, d); err != nil {
			return nil, err
		}
	}
	config, err := a.engineConfig()
	if err != nil {
		return nil, err
	}
	if err := a.demandMailSettings(ctx, d, config); err != nil {
		return nil, err
	}
	eng, err := engine.New(ctx, d.pool, config)
	return eng, a.settingsError(err)
}

// migrationPatience is how long a command that joins a private server waits for its starter to migrate the tables.
const migrationPatience = 10 * time.Second

// makingPatience is how long a command that makes no tables waits for the starter of the server to begin with them.
const makingPatience = 2 * time.Second

// migratePrivate migrates the tables of a private server. Beside others it makes tables that are not there, but does
// not change those that the engine of another version may be working with: it waits for the one that started the
// server, and then leaves it to the engine to say what to do. A command that is no maker makes no tables: a misspelt
// name of a tenant would look like an empty one.
func (a *app) migratePrivate(ctx context.Context, d *database) error {
	for began := time.Now(); d.server.Joined() || !a.makesTables; {
		version, err := migrations.Version(ctx, d.pool, a.schemas)
		if err != nil {
			return err
		}
		if version == 0 && a.makesTables || version > 0 && !d.server.Joined() {
			break
		}
		if version == 0 && (!d.server.Joined() || time.Since(began) > makingPatience) {
			return fmt.Errorf("there is no tenant %q on this private PostgreSQL: name another with --schema or "+
				"--data; these commands make one: %s", a.schemas.WithDefaults().Schema, strings.Join(makers, ", "))
		}
		if version >= migrations.Latest() || time.Since(began) > migrationPatience {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	_, err := migrations.Up(ctx, d.pool, a.schemas)
	return err
}

// engineConfig returns the engine's Config from the flags.
func (a *app) engineConfig() (engine.Config, error) {
	config := engine.Config{Connectors: connectors, JobSchema: a.schemas.JobSchema, Logger: a.logger(),
		PollOnly: a.pooler, Schema: a.schemas.Schema, Secret: secret.Read}
	if a.collector != nil {
		config.Observe = a.collector.Observe
	}
	var err error
	if config.Allow, err = a.allowed(); err != nil {
		return config, err
	}
	if config.Location, err = a.location(); err != nil {
		return config, err
	}
	if config.Notifier, err = a.notifier(); err != nil {
		return config, err
	}
	switch a.guard {
	case "":
		return config, nil
	case "off":
		config.Guard.Off = true
		return config, nil
	}
	percent, isPercent := strings.CutSuffix(a.guard, "%")
	share, err := strconv.ParseFloat(percent, 64)
	if err != nil || !isPercent || !(share > 0 && share <= 100) {
		return config, usage("%s: %q is given where a share such as 10%% (up to 100%%) or off is expected",
			a.nameOf("guard"), a.guard)
	}
	config.Guard.Share = share / 100
	return config, nil
}

// connectors are the connectors of this program. People maintain the sources of other connectors.
var connectors = map[string]connector.Factory{
	"delimited-folder": delimited.New,
	"ldap":             ldap.New,
	"postgres":         postgres.New,
}

// location returns the time zone that the flag gives, nil for the tenant's.
func (a *app) location() (*time.Location, error) {
	if a.timeZone == "" {
		return nil, nil
	}
	location, err := time.LoadLocation(a.timeZone)
	if err != nil || a.timeZone == "Local" {
		return nil, usage("%s: %q is unknown: a name such as Europe/Berlin is expected", a.nameOf("time-zone"),
			a.timeZone)
	}
	return location, nil
}

// dataFolder returns the folder of the private PostgreSQL.
func (a *app) dataFolder() (string, error) {
	if a.dataDir != "" {
		return filepath.Abs(a.dataDir)
	}
	home, err := os.UserHomeDir()
	if os.Getuid() == 0 {
		// The server does not run as root, and another user cannot enter root's home.
		return "/var/lib/muster", nil
	}
	if err != nil {
		return "", fmt.Errorf("find the user's data folder: %w; name one with --data", err)
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "muster"), nil
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "muster"), nil
	}
	return filepath.Join(home, ".local", "share", "muster"), nil
}
