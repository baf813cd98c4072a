package pglocal

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// superuser is the user of all connections. The permissions of the socket's folder decide who can connect.
	superuser = "postgres"
	// port is only a part of the socket's name.
	port = "5432"
	// socketPathMax is the most bytes of a socket's path on macOS, the system with the lowest limit.
	socketPathMax = 103
)

// The intervals and limits of waiting for the end of a server and of its remaining processes.
const (
	pollInterval   = 20 * time.Millisecond
	quitTimeout    = 10 * time.Second
	remainsTimeout = 10 * time.Second
	lastBreath     = 2 * time.Second
)

// Server is a running PostgreSQL server. It is safe for concurrent use. Who started or joined it must stop it; it stops
// with the process, or the last of several, in any case.
type Server struct {
	config   Config
	account  *account
	binaries Binaries
	folder   *folder
	// runDir is the temporary folder of the socket, and also of the data if the Config names no folder.
	runDir string

	// joined says that another process had started the server.
	joined bool
	// mutex guards what Revive changes.
	mutex sync.Mutex
	// child is the server's process where this process started it, and pid its number in any case.
	child *child
	pid   int
	// life is the pipe that the guardian reads. It closes when this process ends. It is nil for a server that was
	// joined after its guardian was gone.
	life    *os.File
	crashed atomic.Bool

	stopOnce sync.Once
	stopErr  error
}

// child is a server's process that this process started.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed after the server has ended and err is set
	err    error
}

// Start starts a server and returns when it answers. ctx limits only the start. The error wraps [ErrNotFound] if
// PostgreSQL is not installed, and [ErrInUse] if another process uses the data folder. An error of the server has the
// last lines of its log.
func Start(ctx context.Context, config Config) (*Server, error) {
	if !supported {
		return nil, fmt.Errorf("a private PostgreSQL on %s: %w: name a database instead",
			runtime.GOOS, errors.ErrUnsupported)
	}
	if err := config.validate(); err != nil {
		return nil, err
	}
	s := &Server{config: config.withDefaults()}
	ctx, cancel := context.WithTimeoutCause(ctx, s.config.StartTimeout,
		fmt.Errorf("StartTimeout of %s is over", s.config.StartTimeout))
	defer cancel()
	if err := s.start(ctx); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return nil, errors.Join(err, s.release())
	}
	s.config.Logger.DebugContext(ctx, map[bool]string{true: "PostgreSQL joined", false: "PostgreSQL started"}[s.joined],
		"bin", s.binaries.Dir, "folder", s.folder.path, "pid", s.pid)
	return s, nil
}

// Joined reports whether another process had started the server before.
func (s *Server) Joined() bool { return s.joined }

// shared reports whether other processes may use the server.
func (s *Server) shared() bool { return s.config.Share && s.config.DataDir != "" }

func (s *Server) start(ctx context.Context) (err error) {
	dataDir := s.config.DataDir
	if dataDir != "" {
		if dataDir, err = filepath.Abs(dataDir); err != nil {
			return err
		}
	}
	if s.account, err = serverAccount(dataDir); err != nil {
		return err
	}
	if s.binaries, err = choose(s.config.BinDir, dataDir); err != nil {
		return err
	}
	if err := s.account.reach(ctx, s.binaries.Dir); err != nil {
		return fmt.Errorf("server programs in %s: %w", s.binaries.Dir, err)
	}
	if dataDir == "" {
		if s.runDir, err = makeRunDir(ctx, s.config.TempDir, s.account); err != nil {
			return err
		}
		dataDir = s.runDir
	}
	if s.folder, err = openFolder(ctx, dataDir, s.account); err != nil {
		return err
	}
	alone, err := s.folder.acquire(s.shared())
	if err != nil {
		return err
	}
	if alone {
		err = s.begin(ctx)
	} else {
		err = s.join(ctx)
	}
	return errors.Join(err, s.folder.openGate())
}

// begin starts the server in a folder that nobody uses.
func (s *Server) begin(ctx context.Context) (err error) {
	if s.runDir == "" {
		if s.runDir, err = makeRunDir(ctx, s.config.TempDir, s.account); err != nil {
			return err
		}
	}
	if err := s.folder.endOrphan(ctx); err != nil {
		return err
	}
	if err := s.folder.initialize(ctx, s.binaries, s.config.DataDir != ""); err != nil {
		return err
	}
	if s.shared() {
		if err := s.folder.recordSocketDir(s.runDir); err != nil {
			return err
		}
	}
	if err := s.launchPatiently(ctx); err != nil || !s.shared() {
		return err
	}
	return s.folder.share()
}

// makeRunDir makes the folder of the socket, in the first place that has a short enough path and that the account can
// enter. tempDir comes first, unless it is empty.
func makeRunDir(ctx context.Context, tempDir string, account *account) (string, error) {
	var faults []error
	for _, parent := range []string{cmp.Or(tempDir, os.TempDir()), os.TempDir(), "/tmp"} {
		dir, err := os.MkdirTemp(parent, "muster-")
		if err != nil {
			faults = append(faults, err)
			continue
		}
		err = account.own(dir)
		if err == nil {
			err = account.reach(ctx, dir)
		}
		if path := filepath.Join(dir, ".s.PGSQL."+port); err == nil && len(path) > socketPathMax {
			err = fmt.Errorf("the socket's path %s is longer than %d bytes", path, socketPathMax)
		}
		if err == nil {
			return dir, nil
		}
		faults = append(faults, err, os.Remove(dir))
	}
	return "", fmt.Errorf("make a folder for the server's socket: %w", errors.Join(faults...))
}

// launchPatiently launches the server. If the last server crashed, it tries again for a moment, until the last
// processes of that server have ended.
func (s *Server) launchPatiently(ctx context.Context) error {
	if err := s.folder.rotateLog(); err != nil {
		return err
	}
	_, err := os.Stat(s.folder.pidFile())
	crashed := err == nil
	deadline := time.Now().Add(remainsTimeout)
	for {
		err := s.launch(ctx)
		if err == nil || !crashed || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pollInterval)
	}
}

//go:embed guardian.sh
var guardian string

// launch starts the server's process and its guardian, and waits until the server answers.
func (s *Server) launch(ctx context.Context) error {
	read, write, err := s.makeLife()
	if err != nil {
		return err
	}
	signal := "INT" // as Stop does
	if s.config.DataDir == "" {
		signal = "QUIT"
	}
	arguments := []string{
		"-c", guardian, "guardian", signal, s.runDir, s.folder.log(), s.binaries.Postgres, "-D", s.folder.cluster(),
	}
	// The server outlives ctx, which limits only the start.
	arguments = append(arguments, s.config.settings(s.runDir, s.logCompression(ctx))...)
	cmd := s.account.command(context.WithoutCancel(ctx), "/bin/sh", arguments...)
	cmd.ExtraFiles = []*os.File{read}
	err = cmd.Start()
	if err := errors.Join(err, read.Close()); err != nil {
		return errors.Join(err, write.Close())
	}
	started := &child{cmd: cmd, exited: make(chan struct{})}
	s.child, s.pid, s.life = started, cmd.Process.Pid, write
	go func() {
		started.err = cmd.Wait()
		close(started.exited)
	}()
	if err := s.awaitAnswer(ctx); err != nil {
		return errors.Join(err, s.end(context.WithoutCancel(ctx)))
	}
	return nil
}

// logCompression returns how the server compresses whole pages in its log: by LZ4 where it was built with that, which
// takes a fraction of the time of PostgreSQL's own. A server without it refuses the value.
func (s *Server) logCompression(ctx context.Context) string {
	if _, set := s.config.Settings["wal_compression"]; set || s.config.DataDir == "" {
		return "" // which is not used
	}
	err := s.account.command(ctx, s.binaries.Postgres, "-D", s.folder.cluster(), "-C", "wal_compression",
		"-c", "wal_compression=lz4").Run()
	if err != nil {
		return "on"
	}
	return "lz4"
}

// makeLife makes the pipe that the guardian reads. The one of a shared server has a name, so that others can hold it
// too.
func (s *Server) makeLife() (read, write *os.File, err error) {
	if !s.shared() {
		return os.Pipe()
	}
	return makeLife(s.folder.life())
}

// awaitAnswer returns when the server answers, when it has ended, or when ctx ends.
func (s *Server) awaitAnswer(ctx context.Context) error {
	for {
		err := s.greet(ctx)
		if err == nil || errors.Is(err, errNoICU) {
			return err
		}
		select {
		case <-s.child.exited:
			return fmt.Errorf("the server ended while it started: %w\n%s", s.child.ended(), s.folder.logTail())
		case <-ctx.Done():
			return fmt.Errorf("the server did not answer: %w\n%s", err, s.folder.logTail())
		case <-time.After(pollInterval):
		}
	}
}

var errNoICU = errors.New("this PostgreSQL was built without ICU, which compares text of all scripts: " +
	"install one with ICU, such as those of the distributions")

// greet checks that the server answers, and that it has ICU.
func (s *Server) greet(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.ConnString(superuser))
	if err != nil {
		return err
	}
	var icu bool
	const question = `SELECT EXISTS (SELECT FROM pg_catalog.pg_collation WHERE collname = 'und-x-icu')`
	err = conn.QueryRow(ctx, question).Scan(&icu)
	if err == nil && !icu {
		err = errNoICU
	}
	return errors.Join(err, conn.Close(ctx))
}

// ended returns an error that says how the server ended. The server must have ended.
func (c *child) ended() error {
	if c.err == nil {
		return errors.New("exit status 0")
	}
	return c.err
}

// ConnString returns the URL of a database of the server, for its superuser. The database postgres always exists. The
// URL works while the server runs, and only for this account and root. It contains no secret.
func (s *Server) ConnString(database string) string { return connString(s.runDir, database) }

func connString(socketDir, database string) string {
	query := url.Values{"host": {socketDir}, "port": {port}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", User: url.User(superuser), Host: "", Path: "/" + database,
		RawQuery: query.Encode()}).String()
}

// Stop ends the server's connections and the server, keeps the data of a named folder and removes a temporary one. It
// waits until the server has ended. If ctx ends or StopTimeout passes first, it stops the server immediately and
// returns an error that says so; the data recovers at the next start. It also returns an error if the server ended by
// itself. While other processes use a shared server, Stop only leaves it. Another call returns the same result.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.stopErr = s.stop(ctx)
	})
	return s.stopErr
}

func (s *Server) stop(ctx context.Context) error {
	if s.shared() {
		last, err := s.leave(ctx)
		if err != nil || !last {
			s.config.Logger.DebugContext(ctx, "PostgreSQL left to others", "folder", s.folder.path, "pid", s.pid)
			return errors.Join(err, s.closeLife(), s.folder.release())
		}
	}
	var err error
	if ended := s.endedBefore(); ended != nil && !s.crashed.Load() {
		err = fmt.Errorf("the server had ended by itself: %w\n%s", ended, s.folder.logTail())
	}
	s.config.Logger.DebugContext(ctx, "PostgreSQL stops", "folder", s.folder.path, "pid", s.pid)
	return errors.Join(err, s.end(ctx), s.release())
}

// endedBefore returns an error that says how the server has ended, or nil if it runs.
func (s *Server) endedBefore() error {
	if s.child == nil {
		if s.folder.runs(s.pid) {
			return nil
		}
		return fmt.Errorf("process %d is gone", s.pid)
	}
	// The server may have ended without a record of it yet.
	if errors.Is(s.child.cmd.Process.Signal(syscall.Signal(0)), os.ErrProcessDone) {
		<-s.child.exited
	}
	select {
	case <-s.child.exited:
		return s.child.ended()
	default:
		return nil
	}
}

// Crash kills the server's main process like kill -9, so that tests can check the recovery. Stop must still be called;
// it then returns no error for the end of the server.
func (s *Server) Crash() error { return s.crash(syscall.SIGKILL) }

// Abort is like [Server.Crash], but ends the server like pg_ctl stop --mode=immediate: the server ends its processes,
// without a checkpoint.
func (s *Server) Abort() error { return s.crash(syscall.SIGQUIT) }

func (s *Server) crash(signal syscall.Signal) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.crashed.Store(true)
	err := s.signal(signal)
	s.awaitEnd(context.Background(), quitTimeout)
	return err
}

// signal sends the server's process a signal. A process that is gone is no error.
func (s *Server) signal(signal syscall.Signal) error {
	if s.child != nil {
		return ignore(s.child.cmd.Process.Signal(signal), os.ErrProcessDone)
	}
	if !s.folder.runs(s.pid) {
		return nil
	}
	return ignore(signalTo(s.pid, signal), syscall.ESRCH)
}

// awaitEnd waits until the server's process has ended, and reports whether it has.
func (s *Server) awaitEnd(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if s.child != nil {
		select {
		case <-s.child.exited:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for s.folder.runs(s.pid) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pollInterval):
		}
	}
	// It has removed its record, and ends. Nobody may have waited for it, in which case its number stays.
	for waited := time.Duration(0); alive(s.pid) && waited < lastBreath; waited += pollInterval {
		time.Sleep(pollInterval)
	}
	return true
}

// end stops the server's process and ends its guardian.
func (s *Server) end(ctx context.Context) error {
	steps := []struct {
		signal syscall.Signal
		limit  time.Duration
	}{{syscall.SIGINT, s.config.StopTimeout}, {syscall.SIGQUIT, quitTimeout}, {syscall.SIGKILL, quitTimeout}}
	if s.config.DataDir == "" {
		steps = steps[1:] // the data is temporary, so no checkpoint is needed
	}
	var cut error
	for i, step := range steps {
		if i > 0 {
			ctx = context.WithoutCancel(ctx)
			cut = fmt.Errorf("the server did not end within the time given and was cut short by signal %q", step.signal)
		}
		if err := s.signal(step.signal); err != nil {
			return fmt.Errorf("stop the server: %w", err)
		}
		if s.awaitEnd(ctx, step.limit) {
			return errors.Join(cut, s.callOff())
		}
	}
	// The guardian keeps watching.
	return fmt.Errorf("the server, process %d, does not end", s.pid)
}

// callOff ends the guardian. Otherwise it could signal another process that later gets the server's number.
func (s *Server) callOff() error {
	if s.life == nil {
		return nil
	}
	_, err := s.life.Write([]byte("\n"))
	return errors.Join(ignore(err, syscall.EPIPE), s.closeLife())
}

func (s *Server) closeLife() error {
	if s.life == nil {
		return nil
	}
	err := s.life.Close()
	s.life = nil
	return err
}

// release removes the temporary folder and unlocks the data folder.
func (s *Server) release() error {
	var err error
	if s.runDir != "" && s.owns() {
		err = os.RemoveAll(s.runDir)
	}
	if s.folder != nil {
		err = errors.Join(err, s.folder.release())
	}
	return err
}

// ignore returns err unless it is the expected error.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
