package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

// proxy is a way to the tests' database that a test opens and closes.
type proxy struct {
	t               *testing.T
	address         string
	network, target string
	mutex           sync.Mutex
	listener        net.Listener
	open            []net.Conn
}

// newProxy returns a proxy that is closed, and the URL by which the database is reached through it.
func newProxy(t *testing.T, url string) (*proxy, string) {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, address: "127.0.0.1:0"}
	p.network, p.target = pgconn.NetworkAddress(config.Host, config.Port)
	p.start()
	p.address = p.listener.Addr().String()
	p.stop()
	t.Cleanup(p.stop)
	return p, fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable&connect_timeout=5", config.User, config.Password,
		p.address, config.Database)
}

func (p *proxy) start() {
	p.t.Helper()
	listener, err := new(net.ListenConfig).Listen(p.t.Context(), "tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mutex.Lock()
	p.listener = listener
	p.mutex.Unlock()
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial(p.network, p.target)
			if err != nil {
				in.Close()
				continue
			}
			p.mutex.Lock()
			p.open = append(p.open, in, out)
			p.mutex.Unlock()
			go func() { _, _ = io.Copy(out, in); out.Close() }()
			go func() { _, _ = io.Copy(in, out); in.Close() }()
		}
	}()
}

// stop closes the way, with all connections that go over it.
func (p *proxy) stop() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.listener != nil {
		p.listener.Close()
	}
	for _, conn := range p.open {
		conn.Close()
	}
	p.listener, p.open = nil, nil
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for this: %s", what)
		}
	}
}

// A worker outlives a database that is not there at its start, tables that nobody has migrated, and a database that goes
// away, and says what it waits for.
func TestWorkerWaitsForItsDatabase(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	way, url := newProxy(t, s.url)
	log := &lockedText{}
	worker := newApp(s.getenv, strings.NewReader(""), log, log)
	worker.pace = pace{retry: 20 * time.Millisecond, remind: 100 * time.Millisecond, look: 50 * time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int, 1)
	go func() { ended <- worker.run(ctx, []string{"worker", "--database-url", url}) }()
	said := func(times int, text string) func() bool {
		return func() bool { return strings.Count(log.String(), text) >= times }
	}
	waitFor(t, "it says twice that it waits", said(2, "waiting for the database"))
	way.start()
	waitFor(t, "it says that the tables are too old", said(1, "schema too old"))
	s.run(exitOK, "", "migrate", "up")
	waitFor(t, "it works", said(1, "working; interrupt to end"))
	demand(t, log.String(), "the database is there")
	way.stop()
	waitFor(t, "it says twice that the database is away", said(2, "the database is away"))
	way.start()
	waitFor(t, "it says that the database is back", said(1, "the database is back"))
	s.run(exitOK, enginetest.Documents, "apply", "-f", "-")
	s.run(exitOK, "id,name,dept,mgr\nann,Ann,Board,\n", "aggregate", "HR", "--file", "-", "--no-process")
	waitFor(t, "it processes", func() bool {
		out, _ := s.run(exitOK, "", "tasks", "list", "--filters", `completionStatus isnull`, "-o", "json")
		return strings.TrimSpace(out) == "[]"
	})
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d\n%s", code, log)
	}
	demand(t, log.String(), "finishing the running batches", "ended")
}

// What does not go away by itself ends a daemon at once, and waiting can be ended.
func TestDaemonsWaitNoLongerThanUseful(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	way, url := newProxy(t, s.url)
	log := &lockedText{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- newApp(s.getenv, strings.NewReader(""), log, log).run(ctx, []string{"serve", "--listen", "127.0.0.1:0",
			"--database-url", url})
	}()
	waitFor(t, "it waits", func() bool { return strings.Contains(log.String(), "waiting for the database") })
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d\n%s", code, log)
	}
	way.start()
	stranger := strings.Replace(url, "postgres://", "postgres://nobody_at_all", 1)
	out, errOut := &lockedText{}, &lockedText{}
	code := newApp(s.getenv, strings.NewReader(""), out, errOut).run(t.Context(), []string{"worker", "--database-url",
		stranger})
	if code != exitFailed || !strings.Contains(errOut.String(), "nobody_at_all") {
		t.Errorf("exit %d, want %d\n%s", code, exitFailed, errOut)
	}
}

func TestDownNeedsConsent(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	before, _ := s.run(exitOK, "", "migrate", "version")
	for _, args := range [][]string{{"migrate", "to", "3"}, {"migrate", "down"}} {
		_, errOut := s.run(exitUsage, "yes\n", args...)
		demand(t, errOut, "the tables go down from version "+strings.TrimSpace(before), "give --yes")
		s.env["MUSTER_YES"] = "true" // a consent is given on the command line alone
		s.run(exitUsage, "", args...)
	}
	if after, _ := s.run(exitOK, "", "migrate", "version"); after != before {
		t.Errorf("the version is %s, want %s", after, before)
	}
	s.run(exitOK, "", "migrate", "to", strings.TrimSpace(before))
	s.run(exitOK, "", "migrate", "down", "--yes")
	out, _ := s.run(exitOK, "", "migrate", "to", "3", "--yes")
	demand(t, out, "is at version 3 of")
	s.run(exitOK, "", "migrate", "to", "4")
}

// An interrupt says what stays of the work.
func TestInterruptSaysWhatIsKept(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.staff()
	in, data := io.Pipe()
	defer data.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errOut lockedText
	ended := make(chan int, 1)
	go func() {
		ended <- newApp(s.getenv, in, &out, &errOut).run(ctx, []string{"aggregate", "HR", "--file", "-",
			"--database-url", s.url})
	}()
	if _, err := io.WriteString(data, "id,name,dept,mgr\n"); err != nil {
		t.Fatal(err)
	}
	cancel()
	if code := <-ended; code != exitInterrupted {
		t.Errorf("exit %d, want %d", code, exitInterrupted)
	}
	demand(t, errOut.String(), "muster: interrupted: nothing of this aggregation is kept: the accounts of HR are as they were")
	out2, _ := s.run(exitOK, "", "identities", "list", "-o", "json")
	if n := len(idsOf(t, out2)); n != 2 {
		t.Errorf("there are %d identities, want 2", n)
	}
}

// noReader is an output that nobody reads.
type noReader struct{}

func (noReader) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
}

func TestNobodyReadsTheOutput(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	s.staff()
	for _, line := range []string{"identities list", "identities list -o csv", "accounts list -o yaml", "tasks", "--help",
		"tasks --help"} {
		var errOut strings.Builder
		code := newApp(s.getenv, strings.NewReader(""), noReader{}, &errOut).run(t.Context(),
			append(strings.Fields(line), "--database-url", s.url))
		if code != exitReaderGone || errOut.Len() > 0 {
			t.Errorf("%s: exit %d, want %d and silence, got %q", line, code, exitReaderGone, errOut.String())
		}
	}
}

// command starts the command as a process.
func command(t *testing.T, stdout io.Writer, log io.Writer, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = []string{commandVariable + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	cmd.Stdout, cmd.Stderr = stdout, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended where all went well
		_ = cmd.Wait()
	})
	return cmd
}

// serverOf returns the process of the private server on a folder; 0 for none.
func serverOf(t *testing.T, data string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "data", "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err2 := strconv.Atoi(first)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return pid
}

// The signal of a pipe that nobody reads does not kill the command before it has stopped its private server.
func TestPrivateServerEndsWithoutReader(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts a server")
	}
	data := storetest.DataDir(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	var log lockedText
	cmd := command(t, write, &log, "migrate", "status", "--data", data)
	write.Close()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitReaderGone || log.String() != "" {
		t.Errorf("it ended with %v, want exit %d and silence, got %q", err, exitReaderGone, log.String())
	}
	if pid := serverOf(t, data); pid != 0 {
		t.Errorf("the server, process %d, is there", pid)
	}
}

// While a server runs on the private PostgreSQL, other commands work on it too. It starts a PostgreSQL again that died,
// and its own death leaves the data to the next command.
func TestCommandsShareThePrivateServer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts servers")
	}
	data := storetest.DataDir(t)
	here := &shell{t: t, dir: t.TempDir()}
	list := func() int {
		t.Helper()
		var out, errOut strings.Builder
		a := newApp(here.getenv, strings.NewReader(""), &out, &errOut)
		if code := a.run(t.Context(), []string{"identities", "list", "-o", "json", "--data", data}); code != exitOK {
			t.Fatalf("exit %d: %s", code, errOut.String())
		}
		return len(idsOf(t, out.String()))
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	log := &lockedText{}
	serve := command(t, write, log, "serve", "--data", data, "--listen", "127.0.0.1:0", "--console", "off")
	write.Close()
	lines := bufio.NewReader(read)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	address := strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	go io.Copy(io.Discard, lines) //nolint:errcheck // it ends with the server
	pid := serverOf(t, data)
	var out, errOut strings.Builder
	a := newApp(here.getenv, strings.NewReader(enginetest.Documents), &out, &errOut)
	if code := a.run(t.Context(), []string{"apply", "-f", "-", "--data", data}); code != exitOK {
		t.Fatalf("exit %d: %s", code, errOut.String())
	}
	a = newApp(here.getenv, strings.NewReader("id,name,dept,mgr\nann,Ann,Board,\n"), &out, &errOut)
	if code := a.run(t.Context(), []string{"aggregate", "HR", "--file", "-", "--data", data}); code != exitOK {
		t.Fatalf("exit %d: %s", code, errOut.String())
	}
	errOut.Reset()
	a = newApp(here.getenv, strings.NewReader(""), &out, &errOut)
	if code := a.run(t.Context(), []string{"identities", "list", "--schema", "other", "--data", data}); code != exitFailed {
		t.Fatalf("a list of no tenant: exit %d: %s", code, errOut.String())
	}
	demand(t, errOut.String(), `there is no tenant "other"`, "apply, demo, migrate, serve, worker")
	if n := list(); n != 1 || serverOf(t, data) != pid {
		t.Fatalf("got %d identities, and process %d, want one, and that of the server, %d", n, serverOf(t, data), pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the server has started PostgreSQL again", func() bool {
		return strings.Contains(log.String(), "the database is back")
	})
	next := serverOf(t, data)
	if n := list(); n != 1 || next == pid {
		t.Errorf("got %d identities, and the process %d, want one, and another one", n, next)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", response, err)
	}
	response.Body.Close()
	if err := serve.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = serve.Wait() // it was killed
	if n := list(); n != 1 {
		t.Errorf("got %d identities after the server was killed, want one", n)
	}
	if pid := serverOf(t, data); pid != 0 {
		t.Errorf("the server, process %d, is there though nobody uses it", pid)
	}
}
