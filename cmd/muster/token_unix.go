//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// demandOwn returns an error unless a file with a key is one that belongs to the user, and that nobody else can use.
func demandOwn(name string, info fs.FileInfo) error {
	const remedy = "remove it, and a new one is made"
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file: %s", name, remedy)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int64(owner.Uid) != int64(os.Geteuid()) {
		return fmt.Errorf("%s belongs to another user, who can know the key: %s", name, remedy)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s has the mode %#o, so others can know the key: %s", name, mode, remedy)
	}
	return nil
}
