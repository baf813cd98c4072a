package pglocal_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store/pglocal"
	"github.com/muster-engine/muster/store/storetest"
)

func TestServerEndsWithItsProgram(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	program, url := startProgram(t, "temporary")
	pid, dir := postmaster(t, url), socketDir(t, url)
	kill(t, program)
	await(t, "the server is gone", gone(pid))
	await(t, "its temporary folder is gone", removed(dir))
}

func TestRecoversFromProgramCrash(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dataDir := storetest.DataDir(t)
	program, url := startProgram(t, dataDir)
	do(t, url, "CREATE TABLE t AS SELECT 42 AS n")
	pid, dir := postmaster(t, url), socketDir(t, url)
	kill(t, program)

	// The old server may still be on its way down.
	server := start(t, pglocal.Config{DataDir: dataDir})
	if n := ask(t, server.ConnString("postgres"), "SELECT n::text FROM t"); n != "42" {
		t.Errorf("n is %s after the recovery", n)
	}
	await(t, "the old server is gone", gone(pid))
	await(t, "its socket's folder is gone", removed(dir))
}

func TestTakesOverFromOrphan(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dataDir := storetest.DataDir(t)
	server := start(t, pglocal.Config{DataDir: dataDir})
	do(t, server.ConnString("postgres"), "CREATE TABLE t AS SELECT 42 AS n")
	stop(t, server)
	orphan := startOrphan(t, dataDir)

	server = start(t, pglocal.Config{DataDir: dataDir})
	if n := ask(t, server.ConnString("postgres"), "SELECT n::text FROM t"); n != "42" {
		t.Errorf("n is %s after the takeover", n)
	}
	if err := orphan.Wait(); err != nil {
		t.Errorf("the orphan was not stopped in an orderly way: %v", err)
	}
}

// startOrphan runs a server on a data folder as if its program and its guardian had been killed.
func startOrphan(t *testing.T, dataDir string) *exec.Cmd {
	t.Helper()
	binaries, err := pglocal.Find("")
	if err != nil {
		t.Fatal(err)
	}
	cluster, socketDir := filepath.Join(dataDir, "data"), storetest.DataDir(t)
	info, err := os.Stat(cluster)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if err := os.Chown(socketDir, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatal(err)
	}
	orphan := exec.Command(binaries.Postgres, "-D", cluster, "-k", socketDir, "-c", "listen_addresses=")
	orphan.Dir = "/"
	if os.Geteuid() == 0 {
		orphan.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
	}
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = orphan.Process.Kill() }) // it has ended where all went well
	url := "postgres://postgres@/postgres?host=" + socketDir
	await(t, "the orphan answers", func() bool {
		conn, err := pgx.Connect(t.Context(), url)
		return err == nil && conn.Close(t.Context()) == nil
	})
	return orphan
}
