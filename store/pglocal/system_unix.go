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

// errLocked is the error of lock if another process has the lock.
var errLocked = errors.New("locked")

// lock opens and locks a file. The kernel unlocks it when the process ends, however it ends.
func lock(path string) (*os.File, error) {
	// The folder belongs to another account, which must not redirect root to a file elsewhere.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return file, errLocked
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// alive reports whether a process with this ID exists that the server's account could have started.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func interrupt(pid int) error { return syscall.Kill(pid, syscall.SIGINT) }
