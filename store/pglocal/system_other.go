//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package pglocal

import (
	"errors"
	"os"
	"syscall"
)

// Start returns an error before it calls any of these functions.
const supported = false

var errLocked, errNoReader = errors.New("locked"), errors.New("nobody reads the pipe")

func attributes(*account) *syscall.SysProcAttr { return nil }

func ownerOf(string) (int, error) { return 0, errors.ErrUnsupported }

func openLock(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func lock(*os.File, bool) error { return errors.ErrUnsupported }

func makeLife(string) (read, write *os.File, err error) { return nil, nil, errors.ErrUnsupported }

func openLife(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func alive(int) bool { return false }

func signalTo(int, syscall.Signal) error { return errors.ErrUnsupported }
