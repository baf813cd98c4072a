package pglocal_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store/pglocal"
	"github.com/muster-engine/muster/store/storetest"
)

func TestShare(t *testing.T) {
	t.Parallel()
	shared := pglocal.Config{DataDir: storetest.DataDir(t), Share: true}
	first, second := start(t, shared), start(t, shared)
	url := first.ConnString("postgres")
	if first.Joined() || !second.Joined() || second.ConnString("postgres") != url {
		t.Fatalf("the second one joined: %t, at %s, want the server of the first at %s", second.Joined(),
			second.ConnString("postgres"), url)
	}
	pid, dir := postmaster(t, url), socketDir(t, url)
	do(t, url, "CREATE TABLE t AS SELECT 42 AS n")
	alone, err := pglocal.Start(t.Context(), pglocal.Config{DataDir: shared.DataDir})
	if !errors.Is(err, pglocal.ErrInUse) {
		t.Errorf("a start alone beside them: %v %v, want ErrInUse", alone, err)
	}
	stop(t, first)
	if n := ask(t, url, "SELECT n::text FROM t"); n != "42" {
		t.Errorf("n is %s after the first one left", n)
	}
	third := start(t, shared)
	stop(t, second)
	if n := ask(t, url, "SELECT n::text FROM t"); n != "42" {
		t.Errorf("n is %s after the second one left", n)
	}
	stop(t, third)
	if !gone(pid)() || !removed(dir)() {
		t.Error("the server or the folder of its socket is still there after the last one left")
	}
	if again := start(t, shared); again.Joined() || ask(t, again.ConnString("postgres"), "SELECT n::text FROM t") != "42" {
		t.Error("a start after the last one left joins, or has lost the data")
	}
}

func TestShareWithOneAlone(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dir := storetest.DataDir(t)
	start(t, pglocal.Config{DataDir: dir})
	joined, err := pglocal.Start(t.Context(), pglocal.Config{DataDir: dir, Share: true})
	if !errors.Is(err, pglocal.ErrInUse) {
		t.Errorf("joining one that does not share: %v %v, want ErrInUse", joined, err)
	}
}

// The one that started the server is killed: the server stays for the other one.
func TestShareOutlivesItsStarter(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dataDir := storetest.DataDir(t)
	program, url := startProgram(t, "shared:"+dataDir)
	server := start(t, pglocal.Config{DataDir: dataDir, Share: true})
	pid, dir := postmaster(t, url), socketDir(t, url)
	do(t, url, "CREATE TABLE t AS SELECT 42 AS n")
	kill(t, program)
	time.Sleep(1500 * time.Millisecond) // longer than a guardian takes to notice
	if n := ask(t, server.ConnString("postgres"), "SELECT n::text FROM t"); n != "42" || postmaster(t, url) != pid {
		t.Errorf("n is %s after the starter was killed, of another process than %d", n, pid)
	}
	stop(t, server)
	await(t, "the server is gone", gone(pid))
	await(t, "the folder of its socket is gone", removed(dir))
}

// One that joined is killed: nothing happens to the others. All are killed: the server ends.
func TestShareEndsWithTheLast(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dataDir := storetest.DataDir(t)
	programs := make([]*exec.Cmd, 3)
	var url string
	for i := range programs {
		programs[i], url = startProgram(t, "shared:"+dataDir)
	}
	pid, dir := postmaster(t, url), socketDir(t, url)
	do(t, url, "CREATE TABLE t AS SELECT 42 AS n")
	kill(t, programs[1])
	time.Sleep(1500 * time.Millisecond)
	if n := ask(t, url, "SELECT n::text FROM t"); n != "42" {
		t.Errorf("n is %s after another one was killed", n)
	}
	kill(t, programs[0])
	kill(t, programs[2])
	await(t, "the server is gone", gone(pid))
	await(t, "the folder of its socket is gone", removed(dir))
	server := start(t, pglocal.Config{DataDir: dataDir, Share: true})
	if n := ask(t, server.ConnString("postgres"), "SELECT n::text FROM t"); n != "42" || server.Joined() {
		t.Errorf("n is %s after all were killed, joined: %t", n, server.Joined())
	}
}

func TestRevive(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	shared := pglocal.Config{DataDir: storetest.DataDir(t), Share: true}
	first, second := start(t, shared), start(t, shared)
	url := first.ConnString("postgres")
	do(t, url, "CREATE TABLE t AS SELECT 42 AS n")
	check := func(what string) {
		t.Helper()
		if n := ask(t, url, "SELECT n::text FROM t"); n != "42" {
			t.Errorf("n is %s after %s", n, what)
		}
	}
	pid := postmaster(t, url)
	if err := first.Revive(t.Context()); err != nil || postmaster(t, url) != pid {
		t.Errorf("reviving a server that runs: %v, want nothing done", err)
	}
	if err := first.Crash(); err != nil {
		t.Fatal(err)
	}
	for name, server := range map[string]*pglocal.Server{"the one that joined": second, "the one that started": first} {
		if err := server.Revive(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		check("a revival by " + name)
	}
	if err := second.Crash(); err != nil {
		t.Fatal(err)
	}
	third := start(t, shared)
	if check("joining a server that died"); !third.Joined() {
		t.Error("who comes to a server that others use does not join")
	}
	for _, server := range []*pglocal.Server{first, second} {
		if err := server.Revive(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, third)
	check("the third one left")
	pid = postmaster(t, url)
	stop(t, second)
	stop(t, first)
	await(t, "the server is gone", gone(pid))
	alone := start(t, pglocal.Config{DataDir: shared.DataDir})
	if err := alone.Revive(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("reviving one that is not shared: %v, want ErrUnsupported", err)
	}
}

// Many come and go at once: each finds a server, whoever starts and stops it.
func TestShareComingAndGoing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	shared := pglocal.Config{DataDir: storetest.DataDir(t), Share: true}
	stop(t, start(t, shared))
	var all sync.WaitGroup
	faults := make(chan error, 24)
	for range 4 {
		all.Go(func() {
			for range 6 {
				faults <- visit(t.Context(), shared)
			}
		})
	}
	all.Wait()
	close(faults)
	for err := range faults {
		if err != nil {
			t.Error(err)
		}
	}
}

func visit(ctx context.Context, config pglocal.Config) error {
	server, err := pglocal.Start(ctx, config)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, server.ConnString("postgres"))
	if err == nil {
		var one int
		if err = conn.QueryRow(ctx, "SELECT 1").Scan(&one); err == nil && one != 1 {
			err = fmt.Errorf("one is %d", one)
		}
		err = errors.Join(err, conn.Close(ctx))
	}
	return errors.Join(err, server.Stop(ctx))
}
