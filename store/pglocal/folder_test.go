package pglocal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-engine/muster/store/pglocal"
	"github.com/muster-engine/muster/store/storetest"
)

func TestInterruptedInitIsRedone(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dir := storetest.DataDir(t)
	half := filepath.Join(dir, "initdb-123", "base")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	server := start(t, pglocal.Config{DataDir: dir})
	if one := ask(t, server.ConnString("postgres"), "SELECT '1'"); one != "1" {
		t.Errorf("the server says %q", one)
	}
	if !removed(filepath.Dir(half))() {
		t.Error("what the interrupted start left is still there")
	}
}

func TestFolderOfAnotherVersion(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	installed, err := pglocal.Find("")
	if err != nil {
		t.Fatal(err)
	}
	dir := storetest.DataDir(t)
	stop(t, start(t, pglocal.Config{DataDir: dir}))
	version := filepath.Join(dir, "data", "PG_VERSION")

	if err := os.WriteFile(version, []byte("12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := pglocal.Start(t.Context(), pglocal.Config{DataDir: dir, BinDir: installed.Dir})
	if err == nil {
		stop(t, server)
		t.Fatal("a server starts on the folder of PostgreSQL 12")
	}
	for _, text := range []string{dir, "PostgreSQL 12", fmt.Sprintf("PostgreSQL %d", installed.Major)} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error %q does not name %s", err, text)
		}
	}

	if err := os.WriteFile(version, []byte("9.6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pglocal.Start(t.Context(), pglocal.Config{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "9.6") {
		t.Errorf("the folder of PostgreSQL 9.6: %v, want an error that names it", err)
	}
}

func TestFolderOutOfReach(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(storetest.DataDir(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, "pg")
	server, err := pglocal.Start(t.Context(), pglocal.Config{DataDir: dir})
	if err == nil {
		stop(t, server)
	}
	if os.Geteuid() != 0 {
		if err != nil {
			t.Errorf("the folder is the server's own user's, and it fails: %v", err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), "cannot enter "+closed) {
		t.Errorf("the folder is root's alone, and Start says %v, want that nobody else can enter %s", err, closed)
	}
}
