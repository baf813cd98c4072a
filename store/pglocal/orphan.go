package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// silenceTimeout is the longest wait for an answer from the process with the number that the folder's last server left.
const silenceTimeout = 5 * time.Second

// pidFile is the file in which a running server records its process and its socket. This package never removes it: from
// it the server itself finds out whether processes of a crashed server still work on the data.
func (f *folder) pidFile() string { return filepath.Join(f.cluster(), "postmaster.pid") }

// lastServer returns the process and the socket's folder that the last server recorded. The pid is 0 if it ended
// properly.
func (f *folder) lastServer() (pid int, socketDir string, err error) {
	text, err := os.ReadFile(f.pidFile())
	if errors.Is(err, os.ErrNotExist) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", err
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 5 {
		return 0, "", nil // it crashed before it wrote more
	}
	pid, err = strconv.Atoi(lines[0])
	if err != nil {
		return 0, "", fmt.Errorf("%s: the first line is no process: %w", f.pidFile(), err)
	}
	return pid, lines[4], nil
}

// endOrphan stops a server that has lost its program and its guardian, and waits for a server that is about to end.
// This process has the folder's lock, so no other program uses that server.
func (f *folder) endOrphan(ctx context.Context) error {
	asked := false
	heard := time.Now()
	for {
		pid, socketDir, err := f.lastServer()
		if err != nil {
			return err
		}
		// After a restart of the machine any process may have the number. The server will find that out.
		if pid <= 0 || !alive(pid) || time.Since(heard) > silenceTimeout {
			return nil
		}
		switch err := f.recognize(ctx, socketDir); {
		case err == nil && !asked:
			if err := signalTo(pid, syscall.SIGINT); err != nil {
				return fmt.Errorf("stop the server that a crashed program left, process %d: %w", pid, err)
			}
			asked, heard = true, time.Now()
		case err == nil || startingOrStopping(err):
			heard = time.Now()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w by a server that a crashed program left, process %d, which does not end",
				ErrInUse, pid)
		case <-time.After(pollInterval):
		}
	}
}

// recognize returns nil if the server behind the socket works on this folder.
func (f *folder) recognize(ctx context.Context, socketDir string) error {
	conn, err := pgx.Connect(ctx, connString(socketDir, superuser))
	if err != nil {
		return err
	}
	var path string
	err = conn.QueryRow(ctx, "SHOW data_directory").Scan(&path)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return err
	}
	theirs, err := os.Stat(path)
	if err != nil {
		return err
	}
	ours, err := os.Stat(f.cluster())
	if err != nil {
		return err
	}
	if !os.SameFile(theirs, ours) {
		return fmt.Errorf("the server in %s works on %s", socketDir, path)
	}
	return nil
}

// startingOrStopping reports whether the server behind a socket refused because it is starting or stopping.
func startingOrStopping(err error) bool {
	const cannotConnectNow = "57P03"
	var refusal *pgconn.PgError
	return errors.As(err, &refusal) && refusal.Code == cannotConnectNow
}
