//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package pglocal

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

const supported = true

// attributes returns process attributes with only the rights of the account.
func attributes(a *account) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setsid: true}
	if a != nil {
		attributes.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attributes
}

// ownerOf returns the uid of the owner of a file.
func ownerOf(path string) (int, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, fmt.Errorf("the owner of %s is unknown", path)
	}
	return int(stat.Uid), nil
}

var (
	// errLocked is the error of lock if another process has the lock.
	errLocked = errors.New("locked")
	// errNoReader is the error of openLife if nobody reads the pipe.
	errNoReader = errors.New("nobody reads the pipe")
)

// openLock opens a file to lock. The kernel unlocks it when the process ends, however it ends.
func openLock(path string) (*os.File, error) {
	// The folder belongs to another account, which must not redirect root to a file elsewhere.
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
}

// lock locks a file for this process alone, or, shared, together with others that share it. It replaces the lock that
// the process has on the file: if it fails with errLocked, the process may have none any more.
func lock(file *os.File, shared bool) error {
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

// makeLife makes a named pipe, in the place of one that is there, and opens both of its ends.
func makeLife(path string) (read, write *os.File, err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, nil, fmt.Errorf("make the pipe %s: %w", path, err)
	}
	const flags = syscall.O_NOFOLLOW | syscall.O_CLOEXEC
	// Without O_NONBLOCK it would wait for the other end.
	in, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|flags, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open the pipe %s: %w", path, err)
	}
	out, err := syscall.Open(path, syscall.O_WRONLY|flags, 0)
	if err == nil {
		err = syscall.SetNonblock(in, false) // its reader is a shell, which waits
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open the pipe %s: %w", path, err), syscall.Close(in))
	}
	return os.NewFile(uintptr(in), path), os.NewFile(uintptr(out), path), nil
}

// openLife opens the writing end of a named pipe. Without a reader it fails with errNoReader.
func openLife(path string) (*os.File, error) {
	out, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if errors.Is(err, syscall.ENXIO) {
		return nil, errNoReader
	}
	if err != nil {
		return nil, fmt.Errorf("open the pipe %s: %w", path, err)
	}
	return os.NewFile(uintptr(out), path), nil
}

// alive reports whether a process with this ID exists that the server's account could have started.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func signalTo(pid int, signal syscall.Signal) error { return syscall.Kill(pid, signal) }
