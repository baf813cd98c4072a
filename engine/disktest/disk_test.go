//go:build disk

package disktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store/pglocal"
	"github.com/muster-engine/muster/store/storetest"
)

const (
	// few are the people before the disk is full, many those who need more room than there is then.
	few  = 1000
	many = 5000
	// patience is how long something may take that comes about by itself.
	patience = 2 * time.Minute
)

// people returns the rows of so many people, each of whom has a department of their own.
func people(count int, department string) string {
	var b strings.Builder
	b.WriteString("id,name,dept\n")
	for i := range count {
		fmt.Fprintf(&b, "%d,Person %d,%s %d\n", i, i, department, i)
	}
	return b.String()
}

// disk is a file system of a fixed size.
type disk struct {
	t    *testing.T
	path string
}

func mount(t *testing.T, size string) *disk {
	t.Helper()
	d := &disk{t, filepath.Join(storetest.DataDir(t), "disk")}
	if err := os.Mkdir(d.path, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=0755,size="+size, "muster-disk", d.path).CombinedOutput(); err != nil {
		t.Fatalf("a small file system cannot be mounted, which needs root on Linux: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", d.path).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return d
}

func (d *disk) filler() string { return filepath.Join(d.path, "filler") }

// fill takes all the room that is left.
func (d *disk) fill() {
	d.t.Helper()
	file, err := os.Create(d.filler())
	if err != nil {
		d.t.Fatal(err)
	}
	defer file.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatal(err)
	}
}

// free gives the room back.
func (d *disk) free() {
	d.t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		d.t.Fatal(err)
	}
}

// server is a PostgreSQL that may be started again.
type server struct {
	*pglocal.Server
	t       *testing.T
	dataDir string
}

func (s *server) start() {
	s.t.Helper()
	var err error
	if s.Server, err = pglocal.Start(context.Background(), pglocal.Config{DataDir: s.dataDir,
		Settings: map[string]string{"max_wal_size": "32MB", "min_wal_size": "32MB", "fsync": "off"}}); err != nil {
		s.t.Fatal(err)
	}
}

func newServer(t *testing.T, dataDir string) *server {
	t.Helper()
	s := &server{t: t, dataDir: dataDir}
	s.start()
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// pool returns a pool on a database, wherever the server's socket is.
func (s *server) pool(database string) *pgxpool.Pool {
	s.t.Helper()
	config, err := pgxpool.ParseConfig(s.ConnString(database))
	if err != nil {
		s.t.Fatal(err)
	}
	config.MaxConns = 20
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		now, err := pgx.ParseConfig(s.ConnString(database))
		if err == nil {
			c.Host = now.Host
		}
		return err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(pool.Close)
	return pool
}

func (s *server) execute(database, statement string) {
	s.t.Helper()
	pool := s.pool(database)
	defer pool.Close()
	if _, err := pool.Exec(s.t.Context(), statement); err != nil {
		s.t.Fatal(err)
	}
}

// Only the tables are on the disk that is full: the server lives, and refuses what needs room.
func TestTablesOnAFullDisk(t *testing.T) {
	d := mount(t, "60m")
	s := newServer(t, filepath.Join(storetest.DataDir(t), "data"))
	space := filepath.Join(d.path, "space")
	if err := os.Mkdir(space, 0o700); err != nil {
		t.Fatal(err)
	}
	var owner syscall.Stat_t
	if err := syscall.Stat(s.dataDir, &owner); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(space, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatal(err)
	}
	s.execute("postgres", fmt.Sprintf("CREATE TABLESPACE small LOCATION '%s'", space))
	s.execute("postgres", "CREATE DATABASE company TABLESPACE small")
	c := newCompany(t, s.pool("company"))
	d.fill()
	err := c.standsFull()
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != "53100" {
		t.Errorf("the full disk is not why: %v", err)
	}
	d.free()
	// The people who come then need more room than the disk has: it is made larger, as operators do.
	if out, err := exec.Command("mount", "-o", "remount,size=400m", d.path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.comesBack()
}

// The whole server is on the disk that is full, its log too: it may end, and is started again when there is room.
func TestServerOnAFullDisk(t *testing.T) {
	d := mount(t, "500m")
	s := newServer(t, filepath.Join(d.path, "data"))
	s.execute("postgres", "CREATE DATABASE company")
	c := newCompany(t, s.pool("company"))
	d.fill()
	c.fillLog()
	t.Logf("callers see: %v", c.standsFull())
	d.free()
	if err := s.Stop(context.Background()); err != nil {
		t.Logf("the server had ended: %v", err)
	}
	s.start()
	c.comesBack()
}

// company is an engine at work.
type company struct {
	*enginetest.Company
	t *testing.T
}

// newCompany starts an engine with few people, who are processed.
func newCompany(t *testing.T, pool *pgxpool.Pool) *company {
	t.Helper()
	if _, err := migrations.Up(t.Context(), pool, migrations.Config{}); err != nil {
		t.Fatal(err)
	}
	c := &company{enginetest.NewEmpty(t, enginetest.WithPool(pool),
		enginetest.WithConfig(engine.Config{BatchSize: 100, Guard: engine.Guard{Off: true}})), t}
	c.ApplyText(enginetest.Documents)
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c.AggregateText("HR", people(few, "hello"), engine.AggregateOptions{})
	c.await("the first people are processed", func() bool { return c.open() == 0 && c.processed("hello") == few })
	// These are processed while the disk is full.
	c.AggregateText("HR", people(few, "changed"), engine.AggregateOptions{})
	return c
}

// fillLog writes to the server's log until there is no room for that either: the server ends all its processes then.
func (c *company) fillLog() {
	c.t.Helper()
	for range 200 {
		if _, err := c.Pool.Exec(c.t.Context(), `SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000))`); err != nil {
			c.t.Logf("the log is full: %v", err)
			return
		}
	}
	c.t.Error("the log has room without end")
}

// standsFull sees what callers get while the disk is full, and returns the error of one.
func (c *company) standsFull() error {
	c.t.Helper()
	for range 3 {
		_, err := c.Aggregate(c.t.Context(), "HR", strings.NewReader(people(many, "changed")), engine.AggregateOptions{})
		if engine.KindOf(err) != engine.Unavailable {
			c.t.Errorf("on a full disk an aggregation ends in %v (%v), want unavailable", err, engine.KindOf(err))
		}
	}
	// The tasks wait, and the workers try them.
	var err error
	c.await("a caller gets Unavailable", func() bool {
		_, err = c.Aggregate(c.t.Context(), "HR", strings.NewReader(people(many, "changed")), engine.AggregateOptions{})
		return engine.KindOf(err) == engine.Unavailable
	})
	time.Sleep(3 * time.Second)
	return err
}

// comesBack sees that everything goes on when there is room again, and that nothing is lost.
func (c *company) comesBack() {
	c.t.Helper()
	c.await("the engine is ready", func() bool { return c.Ready(c.t.Context()) == nil })
	c.AggregateText("HR", people(many, "changed"), engine.AggregateOptions{})
	c.await("everybody is processed", func() bool {
		// As time would: the queue waits longer after each failure.
		_, err := c.Pool.Exec(c.t.Context(), `UPDATE muster_jobs.river_job SET state = 'available', scheduled_at = now()
			WHERE state IN ('retryable', 'scheduled')`)
		return err == nil && c.open() == 0 && c.processed("changed") == many
	})
	if n := c.CountRows(`muster.identities WHERE processing_state = 'ERROR'`); n != 0 {
		c.t.Errorf("%d identities have an error for it", n)
	}
	if n := c.CountRows(`muster.tasks WHERE completion_status <> 'SUCCESS' AND errors > 0`); n != 0 {
		c.t.Errorf("%d tasks have failed", n)
	}
	if n := c.CountRows(`muster.identity_events WHERE 'IDENTITY_CREATED' = ANY (types)`); n != many {
		c.t.Errorf("%d identities were created, want %d", n, many)
	}
	d, err := c.Doctor(c.t.Context(), engine.DoctorOptions{Thorough: true})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, check := range d.Checks {
		if check.Severity == engine.SeverityFailure {
			c.t.Errorf("the doctor: %+v", check)
		}
	}
}

// await waits until something comes about by itself.
func (c *company) await(what string, holds func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			c.t.Fatalf("it does not come about: %s; open %d, processed %d", what, c.open(), c.processed("changed"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// rows returns how many rows there are, -1 where the database cannot be asked.
func (c *company) rows(from string, arguments ...any) int {
	var n int
	if err := c.Pool.QueryRow(c.t.Context(), "SELECT count(*) FROM "+from, arguments...).Scan(&n); err != nil {
		return -1
	}
	return n
}

// open returns how many tasks have not ended.
func (c *company) open() int {
	return c.rows(`muster.tasks WHERE completed IS NULL`)
}

// processed returns how many identities have the department that [people] gives them.
func (c *company) processed(department string) int {
	return c.rows(`muster.identities WHERE attributes ->> 'department' = $1 || ' ' || (attributes ->> 'uid')`, department)
}
