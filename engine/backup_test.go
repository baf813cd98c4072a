package engine_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store/pglocal"
)

// program returns a program of the installed PostgreSQL. A machine with containers alone has none: its tests are run
// elsewhere too.
func program(t *testing.T, name string) string {
	t.Helper()
	found, err := pglocal.Find("")
	if errors.Is(err, pglocal.ErrNotFound) {
		t.Skip("PostgreSQL is not installed")
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(found.Dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// ownServer returns a database on a server of the test's own.
func ownServer(t *testing.T) (*pgxpool.Pool, string) {
	t.Helper()
	server, err := pglocal.Start(context.Background(), pglocal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	url := server.ConnString("postgres")
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool, url
}

func command(t *testing.T, name string, arguments ...string) {
	t.Helper()
	if out, err := exec.Command(name, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", filepath.Base(name), err, out)
	}
}

// A tenant is backed up and restored on another server as docs/operating.md says: everything is there, the doctor mends
// what belongs to the server, and the engine goes on.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dump, restore := program(t, "pg_dump"), program(t, "pg_restore")
	from, fromURL := ownServer(t)
	before := tenantOf(t, from, "acme")
	if err := before.live("acme"); err != nil {
		t.Fatal(err)
	}
	// Work that waits is backed up too.
	people := strings.NewReplacer("example.com", "acme.example", "Sales", "acme Sales").Replace(enginetest.People) + "eve,Eve New,Eve,New,eve@acme.example,acme Sales,ayse,30,active\n"
	before.AggregateText("HR", people, engine.AggregateOptions{})
	want := before.contents("acme")
	file := filepath.Join(t.TempDir(), "acme.dump")
	command(t, dump, "--format=custom", "--file="+file, "-n", "acme", "-n", "acme_jobs", "--dbname="+fromURL)

	to, toURL := ownServer(t)
	command(t, restore, "--exit-on-error", "--dbname="+toURL, file)
	after := engineOn(t, to, "acme")
	after.folder = before.folder
	if diff := cmp.Diff(want, after.contents("acme")); diff != "" || len(want) < 100 {
		t.Errorf("%d rows are restored otherwise: %s", len(want), diff)
	}
	d := after.doctor(engine.DoctorOptions{Thorough: true, Repair: true})
	if len(notOK(&d)) > 0 {
		t.Errorf("after the repair the doctor finds %q", notOK(&d))
	}
	if done, err := migrations.Up(t.Context(), to, migrations.Config{Schema: "acme"}); err != nil || len(done) > 0 {
		t.Errorf("got %+v and the error %v, want none", done, err)
	}
	events := func() int {
		t.Helper()
		list, err := after.Events(t.Context(), "", 10_000)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	restored := events()
	if n := after.CountRows("acme.identity_events"); restored != n || n == 0 {
		t.Errorf("%d events of %d are read from the zero cursor", restored, n)
	}
	if result := after.Process(); result.Identities == 0 || after.Identity("eve").LastRefresh == nil {
		t.Errorf("what waited is processed: %+v", result)
	}
	if result := after.AggregateText("HR", people, engine.AggregateOptions{}); result.Unchanged != 6 {
		t.Errorf("got %+v, want Unchanged 6", result)
	}
	if events() <= restored {
		t.Error("what happens after the restore is not told")
	}
}
