package sdktest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// programTimeout ends a command that hangs.
const programTimeout = 2 * time.Minute

// program is the command, with a folder of its own for its data.
type program struct {
	dir   string // holds the command, the server's data and the sources' files
	guard *guard
}

// newProgram builds the command. The folder can be entered by the account that runs PostgreSQL where we are root.
func newProgram() (*program, error) {
	dir, err := os.MkdirTemp("", "muster-sdktest-")
	if err != nil {
		return nil, err
	}
	p := &program{dir: dir}
	if p.guard, err = newGuard(dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, errors.Join(err, p.close())
	}
	build := exec.Command("go", "build", "-o", p.binary(), "./cmd/muster")
	build.Dir = filepath.Join("..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("build the command: %w\n%s", err, out), p.close())
	}
	return p, nil
}

func (p *program) close() error { return p.guard.end() }

func (p *program) binary() string { return filepath.Join(p.dir, "muster") }

// command returns the command with arguments. What a developer's environment says of databases and traces is not meant
// for it.
func (p *program) command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.binary(), append(args, "--data", filepath.Join(p.dir, "data"))...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "DATABASE_URL=") && !strings.HasPrefix(variable, "MUSTER_") &&
			!strings.HasPrefix(variable, "OTEL_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	return cmd
}

// run runs the command to its end and returns what it printed.
func (p *program) run(stdin string, args ...string) (string, error) {
	cmd := p.command(args...)
	var out, faults bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &faults
	if err := cmd.Start(); err != nil {
		return "", err
	}
	limit := time.AfterFunc(programTimeout, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("muster %s: %w\n%s%s", strings.Join(args, " "), err, &out, &faults)
	}
	return out.String(), nil
}

// server is "muster serve".
type server struct {
	url    string
	cmd    *exec.Cmd
	guard  *guard
	output sync.WaitGroup // reads what it prints
	log    bytes.Buffer   // what it printed to standard error; to be read when it has ended
}

// serve starts the server and waits until it says where it listens.
func (p *program) serve(args ...string) (*server, error) {
	s := &server{cmd: p.command(append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...), guard: p.guard}
	s.cmd.Stderr = &s.log
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.guard.watch(s.cmd.Process.Pid); err != nil {
		return nil, errors.Join(err, s.abandon())
	}
	limit := time.AfterFunc(programTimeout, func() { _ = s.cmd.Process.Kill() })
	defer limit.Stop()
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	url, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !found {
		return nil, errors.Join(fmt.Errorf("the server says %q where it should say that it listens", line), s.abandon())
	}
	s.url = url
	s.output.Go(func() { _, _ = io.Copy(io.Discard, lines) })
	return s, nil
}

// abandon ends a server that is of no use, and says what it said.
func (s *server) abandon() error {
	_ = s.cmd.Process.Kill() // it may have ended by itself
	_ = s.cmd.Wait()         // its state says more
	return errors.Join(fmt.Errorf("it ended with %s\n%s", s.cmd.ProcessState, &s.log), s.guard.watch(0))
}

// stop asks the server to end, and demands that it does so without a fault.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(err, s.abandon())
	}
	limit := time.AfterFunc(programTimeout, func() { _ = s.cmd.Process.Kill() })
	defer limit.Stop()
	s.output.Wait()
	if err := s.cmd.Wait(); err != nil {
		return errors.Join(fmt.Errorf("the server did not end as it should: %w\n%s", err, &s.log), s.guard.watch(0))
	}
	return s.guard.watch(0)
}

// demandLog demands that the server, which has ended, logged no fault of its own, and nothing that is secret.
func (s *server) demandLog(secrets ...string) error {
	var faults []error
	if s.log.Len() == 0 {
		faults = append(faults, errors.New("the server logged nothing"))
	}
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "level=ERROR") {
			faults = append(faults, fmt.Errorf("the server logged %s", line))
		}
		for _, secret := range secrets {
			if strings.Contains(line, secret) {
				faults = append(faults, fmt.Errorf("the server logged %q: %s", secret, line))
			}
		}
	}
	return errors.Join(faults...)
}

// guard sees to it that tests which are killed leave nothing. It is a shell that reads which process is to be ended
// from a pipe, whose other end the kernel closes when the tests' process is gone, in whatever way.
type guard struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

const guardScript = `
trap '' INT TERM HUP
while read -r line; do process=$line; done
if [ "${process:-0}" != 0 ]; then
	kill -TERM "$process"
	seconds=0
	while [ $seconds -lt 60 ] && kill -0 "$process" 2>/dev/null; do
		sleep 1
		seconds=$((seconds + 1))
	done
fi
rm -rf "$1"
`

// newGuard starts a guard that removes the folder at the end.
func newGuard(dir string) (*guard, error) {
	g := &guard{cmd: exec.Command("sh", "-c", guardScript, "guard", dir)}
	g.cmd.Stderr = os.Stderr
	var err error
	if g.pipe, err = g.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return g, g.cmd.Start()
}

// watch names the process to be ended when the tests are killed, 0 for none.
func (g *guard) watch(process int) error {
	_, err := fmt.Fprintln(g.pipe, process)
	return err
}

// end has the guard remove the folder.
func (g *guard) end() error { return errors.Join(g.pipe.Close(), g.cmd.Wait()) }
