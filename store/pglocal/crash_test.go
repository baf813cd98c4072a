package pglocal_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/muster-engine/muster/store/pglocal"
	"github.com/muster-engine/muster/store/storetest"
)

func TestServerEndsWithItsProgram(t *testing.T) {
	t.Parallel()
	program, url := startProgram(t, "temporary")
	pid, dir := postmaster(t, url), socketDir(t, url)
	kill(t, program)
	await(t, "the server is gone", gone(pid))
	await(t, "its temporary folder is gone", removed(dir))
}

func TestRecoversFromProgramCrash(t *testing.T) {
	t.Parallel()
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
	dataDir := storetest.DataDir(t)
	program, url := startProgram(t, dataDir)
	do(t, url, "CREATE TABLE t AS SELECT 42 AS n")
	pid, dir := postmaster(t, url), socketDir(t, url)
	killGuardian(t, dir)
	t.Cleanup(func() { // what the guardian does otherwise
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	kill(t, program)
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the server without a guardian: %v, it was to live on", err)
	}

	server := start(t, pglocal.Config{DataDir: dataDir})
	if n := ask(t, server.ConnString("postgres"), "SELECT n::text FROM t"); n != "42" {
		t.Errorf("n is %s after the takeover", n)
	}
	await(t, "the orphan is gone", gone(pid))
}

// killGuardian kills the shell that watches over the server with this socket.
func killGuardian(t *testing.T, socketDir string) {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var killed int
	for line := range strings.Lines(string(out)) {
		id, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		// The script comes before the folder in the arguments, over several lines.
		if !strings.Contains(command, "/bin/sh -c") {
			continue
		}
		pid, err := strconv.Atoi(id)
		if err != nil {
			t.Fatal(err)
		}
		arguments, err := exec.Command("ps", "-ww", "-o", "args=", "-p", id).Output()
		if err != nil || !strings.Contains(string(arguments), socketDir) {
			continue // another test's, perhaps gone by now
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, "the guardian is gone", gone(pid))
		killed++
	}
	if killed != 1 {
		t.Fatalf("%d guardians of %s were killed, there is one", killed, socketDir)
	}
}
