package pglocal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/muster-engine/muster/store/pglocal"
)

// programVariable turns the test binary into a program that starts a server and waits to be killed. Its value is the
// data folder, "temporary" for none; after "shared:" it shares the server.
const programVariable = "MUSTER_TEST_PGLOCAL_PROGRAM"

func TestMain(m *testing.M) {
	if dataDir := os.Getenv(programVariable); dataDir != "" {
		dataDir, shared := strings.CutPrefix(dataDir, "shared:")
		if err := program(strings.TrimPrefix(dataDir, "temporary"), shared); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func program(dataDir string, shared bool) error {
	server, err := pglocal.Start(context.Background(), pglocal.Config{DataDir: dataDir, Share: shared})
	if err != nil {
		return err
	}
	fmt.Println(server.ConnString("postgres"))
	_, err = io.Copy(io.Discard, os.Stdin) // its end is the sign that the test is gone
	return errors.Join(err, server.Stop(context.Background()))
}

// startProgram runs the test binary as a program with a server, and returns the server's URL.
func startProgram(t *testing.T, dataDir string) (program *exec.Cmd, url string) {
	t.Helper()
	program = exec.Command(os.Args[0])
	program.Env = append(os.Environ(), programVariable+"="+dataDir)
	program.Stderr = os.Stderr
	stdin, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()  // closed by Wait where the test killed the program
		_ = program.Wait() // its status says the same as its output
		_ = stdout.Close()
	})
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatalf("the program printed no URL: %v", lines.Err())
	}
	return program, lines.Text()
}

// kill ends the program as kill -9 does.
func kill(t *testing.T, program *exec.Cmd) {
	t.Helper()
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := program.Wait(); !errors.As(err, &exit) {
		t.Fatalf("the program ended with %v, it was to be killed", err)
	}
}

// start starts a server that is stopped when the test ends.
func start(t *testing.T, config pglocal.Config) *pglocal.Server {
	t.Helper()
	server, err := pglocal.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, server) })
	return server
}

func stop(t *testing.T, server *pglocal.Server) {
	t.Helper()
	if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) }) // the server may be gone first
	return conn
}

// ask returns the one value that a query gives, as text.
func ask(t *testing.T, url, query string) string {
	t.Helper()
	conn := connect(t, url)
	var value string
	if err := conn.QueryRow(t.Context(), query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

func do(t *testing.T, url, statement string) {
	t.Helper()
	if _, err := connect(t, url).Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// socketDir returns the folder of the socket in a server's URL.
func socketDir(t *testing.T, url string) string {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return config.Host
}

// postmaster returns the process of the server.
func postmaster(t *testing.T, url string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(ask(t, url, "SHOW data_directory"), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// await fails the test when something does not become true within what is plenty of time.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 seconds for this: %s", what)
		}
	}
}

func gone(pid int) func() bool {
	return func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
}

func removed(path string) func() bool {
	return func() bool {
		_, err := os.Stat(path)
		return errors.Is(err, os.ErrNotExist)
	}
}
