//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package pglocal

import (
	"errors"
	"os"
	"syscall"
)

// Start returns an error before it calls any of these functions.
const supported = false

var errLocked = errors.New("locked")

func attributes(*account) *syscall.SysProcAttr { return nil }

func ownerOf(string) (int, error) { return 0, errors.ErrUnsupported }

func lock(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func alive(int) bool { return false }

func interrupt(int) error { return errors.ErrUnsupported }
