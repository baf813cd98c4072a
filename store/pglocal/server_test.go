package pglocal_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store/pglocal"
	"github.com/muster-engine/muster/store/storetest"
)

func TestTemporaryServer(t *testing.T) {
	t.Parallel()
	server := start(t, pglocal.Config{Settings: map[string]string{"work_mem": "5MB"}})
	url := server.ConnString("postgres")
	for query, want := range map[string]string{
		"SHOW listen_addresses": "",
		"SHOW server_encoding":  "UTF8",
		"SHOW timezone":         "UTC",
		"SHOW fsync":            "off",
		"SHOW max_connections":  "200",
		"SHOW work_mem":         "5MB",
		"SELECT datcollate FROM pg_database WHERE datname = 'postgres'": "C",
		"SELECT lower('ÀÉÞ')":                                 "àéþ",
		"SELECT ('a' < 'B' COLLATE \"und-x-icu\")::text":      "true",
		"SELECT current_user || ' in ' || current_database()": "postgres in postgres",
	} {
		if got := ask(t, url, query); got != want {
			t.Errorf("%s is %q, want %q", query, got, want)
		}
	}

	pid, dir := postmaster(t, url), socketDir(t, url)
	stop(t, server)
	if !gone(pid)() {
		t.Errorf("process %d still runs after Stop", pid)
	}
	if !removed(dir)() {
		t.Errorf("the temporary folder %s is still there after Stop", dir)
	}
	stop(t, server)
}

func TestServerIsPrivate(t *testing.T) {
	t.Parallel()
	url := start(t, pglocal.Config{}).ConnString("postgres")
	// The server's process makes this file.
	info, err := os.Stat(filepath.Join(ask(t, url, "SHOW data_directory"), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	uid := int(info.Sys().(*syscall.Stat_t).Uid)
	if own := os.Geteuid(); own == 0 && uid == 0 || own != 0 && uid != own {
		t.Errorf("the server runs with uid %d, the test with %d", uid, own)
	}

	info, err = os.Stat(socketDir(t, url))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder has the permissions %s", info.Mode())
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != uid {
		t.Errorf("the socket's folder belongs to uid %d, the server runs with %d", owner, uid)
	}
}

func TestKeptData(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dir := filepath.Join(storetest.DataDir(t), "new", "folder")
	server := start(t, pglocal.Config{DataDir: dir})
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		if value := ask(t, server.ConnString("postgres"), "SHOW "+setting); value != "on" {
			t.Errorf("%s is %s for data that is kept", setting, value)
		}
	}
	const compression = `
		SELECT setting || ' where ' || CASE WHEN 'lz4' = ANY (enumvals) THEN 'lz4' ELSE 'pglz' END || ' can be had'
		FROM pg_settings WHERE name = 'wal_compression'`
	if got := ask(t, server.ConnString("postgres"), compression); got != "lz4 where lz4 can be had" &&
		got != "pglz where pglz can be had" && got != "on where pglz can be had" {
		t.Errorf("wal_compression is %s", got)
	}
	do(t, server.ConnString("postgres"), "CREATE DATABASE kept")
	do(t, server.ConnString("kept"), "CREATE TABLE t AS SELECT 42 AS n")
	run := socketDir(t, server.ConnString("kept"))
	stop(t, server)
	if !removed(run)() {
		t.Errorf("the socket's folder %s is still there after Stop", run)
	}

	server = start(t, pglocal.Config{DataDir: dir})
	if n := ask(t, server.ConnString("kept"), "SELECT n::text FROM t"); n != "42" {
		t.Errorf("n is %s after a restart", n)
	}
}

func TestFolderInUse(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dir := storetest.DataDir(t)
	start(t, pglocal.Config{DataDir: dir})
	second, err := pglocal.Start(t.Context(), pglocal.Config{DataDir: dir})
	if err == nil {
		stop(t, second)
	}
	if !errors.Is(err, pglocal.ErrInUse) {
		t.Fatalf("the second server on a folder: %v, want ErrInUse", err)
	}
	for _, text := range []string{dir, strconv.Itoa(os.Getpid())} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error %q does not name %s", err, text)
		}
	}
}

func TestRecoversFromServerCrash(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dir := storetest.DataDir(t)
	server := start(t, pglocal.Config{DataDir: dir})
	url := server.ConnString("postgres")
	do(t, url, "CREATE TABLE t AS SELECT 42 AS n")

	// A process that computes does not notice the crash, and keeps the next server out until it is done.
	busy := connect(t, url)
	statement := busy.PgConn().Exec(t.Context(), "SELECT count(*) FROM generate_series(1, 8000000)")
	await(t, "the statement runs", func() bool {
		return ask(t, url, "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 8%' "+
			"AND pid <> pg_backend_pid() AND state = 'active'") == "1"
	})
	if err := server.Crash(); err != nil {
		t.Fatal(err)
	}
	stop(t, server)

	server = start(t, pglocal.Config{DataDir: dir})
	if n := ask(t, server.ConnString("postgres"), "SELECT n::text FROM t"); n != "42" {
		t.Errorf("n is %s after the recovery", n)
	}
	_ = statement.Close() // it may have been answered before its server noticed
}

func TestRecoversFromAbort(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dir := storetest.DataDir(t)
	server := start(t, pglocal.Config{DataDir: dir})
	url := server.ConnString("postgres")
	do(t, url, "CREATE TABLE t AS SELECT 42 AS n")
	connection := connect(t, url)
	if err := server.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := connection.Ping(t.Context()); err == nil {
		t.Error("a connection outlives its server")
	}
	stop(t, server)
	server = start(t, pglocal.Config{DataDir: dir})
	if n := ask(t, server.ConnString("postgres"), "SELECT n::text FROM t"); n != "42" {
		t.Errorf("n is %s after the recovery", n)
	}
}

func TestStopCutShort(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dir := storetest.DataDir(t)
	server, err := pglocal.Start(t.Context(), pglocal.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	url := server.ConnString("postgres")
	do(t, url, "CREATE TABLE t AS SELECT 42 AS n")
	pid := postmaster(t, url)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = server.Stop(ctx)
	if err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("Stop without time: %v, want an error that it was cut short", err)
	}
	if again := server.Stop(ctx); again == nil || again.Error() != err.Error() {
		t.Errorf("Stop again: %v, want the same", again)
	}
	if !gone(pid)() {
		t.Errorf("process %d still runs", pid)
	}

	server = start(t, pglocal.Config{DataDir: dir})
	if n := ask(t, server.ConnString("postgres"), "SELECT n::text FROM t"); n != "42" {
		t.Errorf("n is %s after the recovery", n)
	}
}

func TestStopTellsOfADeath(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	server, err := pglocal.Start(t.Context(), pglocal.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pid := postmaster(t, server.ConnString("postgres"))
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "the server is gone", gone(pid))
	if err := server.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("Stop of a server that was killed: %v, want an error that tells", err)
	}
}

func TestStopFromEverywhere(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	server := start(t, pglocal.Config{})
	connect(t, server.ConnString("postgres")) // an open connection does not hold it up
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { stop(t, server) })
	}
	all.Wait()
	if _, err := pgx.Connect(t.Context(), server.ConnString("postgres")); err == nil {
		t.Error("the server answers after Stop")
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	occupied := t.TempDir()
	if err := os.WriteFile(filepath.Join(occupied, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config pglocal.Config
		want   string
	}{
		"setting that the server refuses": {
			pglocal.Config{Settings: map[string]string{"work_mem": "plenty"}}, `invalid value for parameter "work_mem": "plenty"`,
		},
		"setting that would make it public": {
			pglocal.Config{Settings: map[string]string{"listen_addresses": "*"}}, `Settings: "listen_addresses"`,
		},
		"folder of somebody else": {pglocal.Config{DataDir: occupied}, `holds "thesis.txt"`},
		"folder without programs": {pglocal.Config{BinDir: occupied}, "there is no postgres with initdb beside it in " + occupied},
		"no time":                 {pglocal.Config{StartTimeout: time.Microsecond}, "1µs"},
		"negative start":          {pglocal.Config{StartTimeout: -1}, "StartTimeout must be above 0"},
		"negative stop":           {pglocal.Config{StopTimeout: -1}, "StopTimeout must be above 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := pglocal.Start(t.Context(), c.config)
			if err == nil {
				stop(t, server)
				t.Fatal("the server starts")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is\n%v\nwant in it %s", err, c.want)
			}
		})
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	dir := storetest.DataDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var watch sync.WaitGroup
	watch.Go(func() {
		// In the midst of initdb, which takes half a second at least.
		for made := []string(nil); len(made) == 0 && ctx.Err() == nil; time.Sleep(time.Millisecond) {
			made, _ = filepath.Glob(filepath.Join(dir, "initdb-*", "PG_VERSION"))
		}
		cancel()
	})
	server, err := pglocal.Start(ctx, pglocal.Config{DataDir: dir})
	cancel()
	watch.Wait()
	if err == nil {
		stop(t, server)
	}
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Start with a context that ends: %v, want context.Canceled", err)
	}

	server = start(t, pglocal.Config{DataDir: dir})
	if one := ask(t, server.ConnString("postgres"), "SELECT '1'"); one != "1" {
		t.Errorf("the server on the folder of an interrupted start says %q", one)
	}
}
