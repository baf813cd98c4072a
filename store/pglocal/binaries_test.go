package pglocal_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/store/pglocal"
)

// install makes a folder with programs that say they are of a version.
func install(t *testing.T, version string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho '" + version + "'\n"
	for _, program := range []string{"postgres", "initdb"} {
		if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindInFolder(t *testing.T) {
	t.Parallel()
	dir := install(t, "postgres (PostgreSQL) 99.1 (Debian 99.1-1)")
	got, err := pglocal.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := pglocal.Binaries{
		Dir: dir, Initdb: filepath.Join(dir, "initdb"), Postgres: filepath.Join(dir, "postgres"), Major: 99,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFindInFolderFails(t *testing.T) {
	t.Parallel()
	old := install(t, "postgres (PostgreSQL) 14.20")
	strange := install(t, "MariaDB")
	lonely := install(t, "postgres (PostgreSQL) 99.1")
	if err := os.Remove(filepath.Join(lonely, "initdb")); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		old:               "is of PostgreSQL 14, at least 15 is needed",
		strange:           `--version says "MariaDB", which names no version`,
		lonely:            "no postgres with initdb beside it in " + lonely,
		"/nowhere/at/all": "no postgres with initdb beside it in /nowhere/at/all",
	} {
		if _, err := pglocal.Find(dir); !errors.Is(err, pglocal.ErrNotFound) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want ErrNotFound with %q", dir, err, want)
		}
	}
}

func TestFindInPath(t *testing.T) {
	dir := install(t, "postgres (PostgreSQL) 99.1")
	links := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "postgres"), filepath.Join(links, "postgres")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", links+string(os.PathListSeparator)+os.Getenv("PATH"))
	got, err := pglocal.Find("")
	if err != nil {
		t.Fatal(err)
	}
	if got.Dir != dir {
		t.Errorf("found %s, want %s, where the link in PATH leads", got.Dir, dir)
	}
}
