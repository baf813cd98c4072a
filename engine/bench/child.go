package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/muster-engine/muster/engine"
)

// childArgument makes this program a worker process of its parent.
const childArgument = "child"

// childURLVariable has the database of a child. As an argument it would show its password to everyone on the machine.
const childURLVariable = "MUSTER_BENCH_CHILD_DATABASE_URL"

// childReport is the result of a child. Before it, the child writes an empty line when it is ready, and begins when its
// parent answers with another one.
type childReport struct {
	Identities int64 `json:"identities"` // calculated by the task
	MaxRSS     int64 `json:"maxRSS"`     // bytes
}

// child carries out a task with its own engine.
func child(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet(childArgument, flag.ContinueOnError)
	task := flags.String("task", "", "the task")
	workers := flags.Int("workers", engine.WorkersDefault, "number of batches that are processed at the same time")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	pool, err := connect(ctx, os.Getenv(childURLVariable), nil)
	if err != nil {
		return err
	}
	defer pool.Close()
	e, err := engine.New(ctx, pool, engine.Config{Guard: engine.Guard{Off: true}, Workers: *workers})
	if err != nil {
		return err
	}
	if err := pool.Ping(ctx); err != nil {
		return err
	}
	fmt.Println()
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	status, err := e.ProcessTask(ctx, *task, engine.ProcessOptions{})
	if err != nil {
		return err
	}
	if !status.Ended() {
		return errors.New("the task did not end")
	}
	rss, err := maxRSS()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(childReport{status.Attributes.IdentityCount, rss})
}

// maxRSS returns the most memory that the process used at one time, in bytes. On Linux getrusage would return the
// parent's memory if the parent used more when it started the child.
func maxRSS() (int64, error) {
	if runtime.GOOS == "linux" {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			return 0, err
		}
		return highWater(string(status))
	}
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Maxrss, err
}

// highWater reads the most memory, in bytes, from the status file of a process.
func highWater(status string) (int64, error) {
	for row := range strings.Lines(status) {
		if text, found := strings.CutPrefix(row, "VmHWM:"); found {
			var kibibytes int64
			_, err := fmt.Sscanf(text, "%d kB", &kibibytes)
			return kibibytes << 10, err
		}
	}
	return 0, errors.New("the status of the process does not tell its VmHWM")
}

// fullRunIn carries out a run over all identities in child processes that begin at the same time. It returns the
// duration and the reports.
func (p *population) fullRunIn(ctx context.Context, processes, workers int) (time.Duration, []childReport, error) {
	task, err := p.engine.ProcessAll(ctx)
	if err != nil {
		return 0, nil, err
	}
	var children []*worker
	defer func() {
		for _, c := range children {
			c.kill()
		}
	}()
	for range processes {
		c, err := startWorker(ctx, p.url, "-task", task.ID, "-workers", fmt.Sprint(workers))
		if err != nil {
			return 0, nil, err
		}
		children = append(children, c)
	}
	var reports []childReport
	took, err := timed(func() error {
		for _, c := range children {
			if err := c.begin(); err != nil {
				return err
			}
		}
		for _, c := range children {
			report, err := c.report()
			if err != nil {
				return err
			}
			reports = append(reports, report)
		}
		return nil
	})
	if err == nil && reports[0].Identities != int64(p.people) {
		err = fmt.Errorf("the processes calculated %d identities of %d", reports[0].Identities, p.people)
	}
	return took, reports, err
}

// worker is a child process.
type worker struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// startWorker starts a child on a database, and returns when the child is ready.
func startWorker(ctx context.Context, url string, arguments ...string) (*worker, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &worker{command: exec.CommandContext(ctx, program, append([]string{childArgument}, arguments...)...)}
	c.command.Stderr = os.Stderr
	c.command.Env = append(os.Environ(), childURLVariable+"="+url)
	if c.in, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	if _, err := c.out.ReadString('\n'); err != nil {
		c.kill()
		return nil, fmt.Errorf("a child process did not become ready: %w", err)
	}
	return c, nil
}

func (c *worker) begin() error {
	_, err := io.WriteString(c.in, "\n")
	return err
}

// report waits for the child's report.
func (c *worker) report() (childReport, error) {
	var r childReport
	text, err := c.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return r, fmt.Errorf("a child process did not report: %w", err)
	}
	return r, nil
}

// kill ends the child if it has not ended, and releases its resources.
func (c *worker) kill() {
	_ = c.command.Process.Kill() // if this fails, it has ended
	_ = c.command.Wait()         // its exit code does not matter
}
