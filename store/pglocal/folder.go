package pglocal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrInUse says that a running process uses the data folder, and does not share it.
var ErrInUse = errors.New("the data folder is in use")

// The contents of a data folder.
const (
	clusterName = "data" // made by initdb
	gateName    = "gate" // locked by who starts, joins, revives or leaves the server
	initPattern = "initdb-*"
	lifeName    = "life" // the pipe by which the guardian of a shared server knows that somebody uses it
	lockName    = "lock" // locked by who uses the server
	logName     = "server.log"
	oldLogName  = "server.log.old"
	socketName  = "socket" // says in which folder the socket of a shared server is
)

// contents are the names in a data folder, those of initPattern left out.
var contents = []string{clusterName, gateName, lifeName, lockName, logName, oldLogName, socketName}

// folder is a data folder that this process uses.
type folder struct {
	path    string
	account *account
	// gate is locked by one process at a time, and lock for as long as the process uses the server.
	gate, lock *os.File
}

// openFolder makes the folder if it does not exist, and enters its gate. The caller opens the gate again.
func openFolder(ctx context.Context, path string, account *account) (*folder, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	f := &folder{path: path, account: account}
	if err := f.demandOurs(); err != nil {
		return nil, err
	}
	if err := account.own(path); err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return nil, err
	}
	if err := account.reach(ctx, path); err != nil {
		return nil, fmt.Errorf("data folder %s: %w", path, err)
	}
	return f, f.enter(ctx)
}

// demandOurs refuses a folder with any other content, because this package changes the folder's owner and permissions.
func (f *folder) demandOurs() error {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		half, err := filepath.Match(initPattern, entry.Name())
		if err != nil {
			return err
		}
		if !half && !slices.Contains(contents, entry.Name()) {
			return fmt.Errorf("the folder %s holds %q, which does not belong to a private PostgreSQL: "+
				"choose a folder that is empty or new", f.path, entry.Name())
		}
	}
	return nil
}

// enter waits until no other process starts, joins or leaves the server, and keeps others from it until openGate.
func (f *folder) enter(ctx context.Context) error {
	if f.gate == nil {
		gate, err := openLock(filepath.Join(f.path, gateName))
		if err != nil {
			return fmt.Errorf("lock the data folder: %w", err)
		}
		f.gate = gate
	}
	for {
		err := lock(f.gate, false)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errLocked) {
			return fmt.Errorf("lock the data folder: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: another process starts or stops the server of %s", ErrInUse, f.path)
		case <-time.After(pollInterval):
		}
	}
}

// openGate lets others start, join and leave the server.
func (f *folder) openGate() error {
	if f.gate == nil {
		return nil
	}
	err := f.gate.Close()
	f.gate = nil
	return err
}

// acquire locks the server for this process, which must be in the gate, and reports whether it is alone. If shared, it
// locks the server together with those that use it and share it.
func (f *folder) acquire(shared bool) (alone bool, err error) {
	path := filepath.Join(f.path, lockName)
	if f.lock, err = openLock(path); err != nil {
		return false, fmt.Errorf("lock the data folder: %w", err)
	}
	err = lock(f.lock, false)
	alone = err == nil
	if errors.Is(err, errLocked) && shared {
		err = lock(f.lock, true)
	}
	if errors.Is(err, errLocked) {
		// The name of the holder is a courtesy. It may not have been written yet.
		holder, _ := os.ReadFile(path)
		return false, fmt.Errorf("%w: %s is held by process %s: stop that one, or choose another folder",
			ErrInUse, f.path, bytes.TrimSpace(holder))
	}
	if err != nil {
		return false, fmt.Errorf("lock the data folder: %w", err)
	}
	if !alone {
		return false, nil
	}
	if err := f.lock.Truncate(0); err != nil {
		return true, err
	}
	_, err = fmt.Fprintln(f.lock, os.Getpid())
	return true, err
}

// share lets others use the server too. This process must be in the gate, so that nobody comes in between.
func (f *folder) share() error { return lock(f.lock, true) }

// last reports whether no other process uses the server. This process must be in the gate, and leave the server
// afterwards.
func (f *folder) last() (bool, error) {
	err := lock(f.lock, false)
	if errors.Is(err, errLocked) {
		return false, nil
	}
	return err == nil, err
}

// release unlocks the folder.
func (f *folder) release() error {
	var err error
	if f.lock != nil {
		err = f.lock.Close()
	}
	return errors.Join(err, f.openGate())
}

// socketDir returns the folder of the socket of a shared server.
func (f *folder) socketDir() (string, error) {
	text, err := os.ReadFile(filepath.Join(f.path, socketName))
	if err != nil {
		return "", fmt.Errorf("find the socket of the running server: %w", err)
	}
	return string(bytes.TrimSpace(text)), nil
}

// recordSocketDir writes down where the socket is, for those who join.
func (f *folder) recordSocketDir(dir string) error {
	path := filepath.Join(f.path, socketName)
	// The folder belongs to another account, which must not redirect root to a file elsewhere.
	if err := ignore(os.Remove(path), os.ErrNotExist); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, dir)
	return errors.Join(err, file.Close())
}

func (f *folder) life() string { return filepath.Join(f.path, lifeName) }

func (f *folder) cluster() string { return filepath.Join(f.path, clusterName) }

func (f *folder) log() string { return filepath.Join(f.path, logName) }

// majorOf returns the major version that made the data, or 0 if there is no data yet.
func majorOf(dataDir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dataDir, clusterName, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s/%s/PG_VERSION holds %q, which is no version that Muster works with",
			dataDir, clusterName, text)
	}
	return major, nil
}

// choose returns installed programs that fit the data in dataDir.
func choose(binDir, dataDir string) (Binaries, error) {
	installed, err := findAll(binDir)
	if err != nil {
		return Binaries{}, err
	}
	if dataDir == "" {
		return installed[0], nil
	}
	made, err := majorOf(dataDir)
	if err != nil {
		return Binaries{}, err
	}
	if made == 0 {
		return installed[0], nil
	}
	for _, b := range installed {
		if b.Major == made {
			return b, nil
		}
	}
	return Binaries{}, fmt.Errorf("the data folder %s was made by PostgreSQL %d, and %s has PostgreSQL %d: "+
		"install PostgreSQL %d, or move the data with pg_upgrade, or choose another folder",
		dataDir, made, installed[0].Dir, installed[0].Major, made)
}

// initialize makes the data with initdb in another folder, and then moves it into its place. So data in its place is
// always complete.
func (f *folder) initialize(ctx context.Context, b Binaries, durable bool) error {
	halves, err := filepath.Glob(filepath.Join(f.path, initPattern))
	if err != nil {
		return err
	}
	for _, half := range halves {
		if err := os.RemoveAll(half); err != nil {
			return fmt.Errorf("remove what an interrupted start left: %w", err)
		}
	}
	if _, err := os.Stat(f.cluster()); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// Never use a name twice: an initdb whose parent was killed may still work on the last one.
	made, err := os.MkdirTemp(f.path, initPattern)
	if err != nil {
		return err
	}
	if err := f.account.own(made); err != nil {
		return err
	}
	// Compare texts by byte, the same on every system, and classify the characters of every script.
	ctype := "C.UTF-8"
	if runtime.GOOS == "darwin" {
		ctype = "en_US.UTF-8"
	}
	arguments := []string{
		"--pgdata=" + made, "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--locale=C",
		"--lc-ctype=" + ctype, "--no-instructions", "--username=" + superuser,
	}
	if !durable {
		arguments = append(arguments, "--no-sync")
	}
	cmd := f.account.command(ctx, b.Initdb, arguments...)
	// A child of initdb may hold the output open after initdb was killed.
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, tail(out))
	}
	if err := os.Rename(made, f.cluster()); err != nil || !durable {
		return err
	}
	return flush(f.path)
}

// flush makes the names in a folder durable. The server makes the content of its files durable itself.
func flush(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// rotateLog renames the log of the last run, which may say why that run crashed.
func (f *folder) rotateLog() error {
	return ignore(os.Rename(f.log(), filepath.Join(f.path, oldLogName)), os.ErrNotExist)
}

// logTail returns the last lines of the server's log.
func (f *folder) logTail() []byte {
	log, err := os.ReadFile(f.log())
	if err != nil {
		return []byte(err.Error())
	}
	return tail(log)
}

// tail returns the last lines of a log.
func tail(log []byte) []byte {
	const lines = 20
	log = bytes.TrimSpace(log)
	for i, seen := len(log)-1, 0; i >= 0; i-- {
		if log[i] == '\n' {
			if seen++; seen == lines {
				return log[i+1:]
			}
		}
	}
	return log
}
