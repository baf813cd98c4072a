//go:build crash

package crashtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store/pglocal"
	"github.com/muster-engine/muster/store/storetest"
)

// cluster is a private PostgreSQL that is crashed and restarted. Its data is durable: fsync is on.
type cluster struct {
	dataDir string
	// link is a symbolic link to the folder of the socket, which is another one after each start: clients do not notice.
	link   string
	server *pglocal.Server
}

// The templates of databases: the tenant's, and that of the target that is a database.
const (
	templateName   = "muster_template"
	templateTarget = "target_template"
)

// startCluster starts a server with a migrated template, and stops it when the test ends.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{dataDir: storetest.DataDir(t), link: filepath.Join(storetest.DataDir(t), "socket")}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := c.execute(t.Context(), "postgres", "CREATE DATABASE "+templateName); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), c.url(templateName))
	if err != nil {
		t.Fatal(err)
	}
	_, err = migrations.Up(t.Context(), pool, migrations.Config{})
	pool.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.execute(t.Context(), "postgres", "CREATE DATABASE "+templateTarget),
		c.execute(t.Context(), templateTarget, databaseTables)); err != nil {
		t.Fatal(err)
	}
	// The host's own table: which of its actions were done, in the transaction that did them.
	if err := c.execute(t.Context(), templateName, "CREATE TABLE host_actions (name text PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) start() error {
	settings := map[string]string{}
	if runtime.GOOS == "linux" {
		settings["recovery_init_sync_method"] = "syncfs" // as durable, and faster than file by file
	}
	server, err := pglocal.Start(context.Background(), pglocal.Config{DataDir: c.dataDir, Settings: settings})
	if err != nil {
		return err
	}
	c.server = server
	where, err := url.Parse(server.ConnString("postgres"))
	if err != nil {
		return err
	}
	fresh := c.link + ".new"
	return errors.Join(os.Symlink(where.Query().Get("host"), fresh), os.Rename(fresh, c.link))
}

// crash ends the server in a way that gives it no time, and starts it again.
func (c *cluster) crash(kind string) error {
	crash := c.server.Crash
	if kind == killImmediate {
		crash = c.server.Abort
	}
	if err := crash(); err != nil {
		return err
	}
	if err := c.server.Stop(context.Background()); err != nil {
		return err
	}
	return c.start()
}

// url returns the URL of a database, which holds across restarts.
func (c *cluster) url(database string) string {
	query := url.Values{"host": {c.link}, "port": {"5432"}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database,
		RawQuery: query.Encode()}).String()
}

// execute runs a statement on a connection of its own.
func (c *cluster) execute(ctx context.Context, database, statement string) error {
	conn, err := pgx.Connect(ctx, c.url(database))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// database makes a database from a template and drops it when the test ends.
func (c *cluster) database(t *testing.T, name, template string) {
	t.Helper()
	if err := c.execute(t.Context(), "postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name,
		template)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.execute(ctx, "postgres", fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)); err != nil {
			t.Error(err)
		}
	})
}
