//go:build !unix

package main

import (
	"fmt"
	"io/fs"
)

// demandOwn returns an error unless a file with a key is a file. Whose it is is not looked at on this system.
func demandOwn(name string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file: remove it, and a new one is made", name)
	}
	return nil
}
