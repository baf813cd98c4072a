//go:build unix

package delimited

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// openFlags open a pipe that takes a file's place without waiting for somebody who writes to it.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

// keptModes are the bits of a mode that a new file gets.
const keptModes = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// keep gives a new file what an old one has: the owner, the group, the access control list and the mode.
func keep(old *os.File, info fs.FileInfo, file *os.File) error {
	made, err := file.Stat()
	if err != nil {
		return err
	}
	was, isWas := info.Sys().(*syscall.Stat_t)
	is, isIs := made.Sys().(*syscall.Stat_t)
	if !isWas || !isIs {
		return errors.New("the system does not tell whose the file is")
	}
	if was.Nlink > 1 {
		return fmt.Errorf("it has %d names (hard links), which replacing it would separate", was.Nlink)
	}
	if was.Uid != is.Uid || was.Gid != is.Gid {
		if err := file.Chown(int(was.Uid), int(was.Gid)); err != nil {
			return fmt.Errorf("its owner is the user %d and its group is %d, and this process may not make a file "+
				"that belongs to them: run it as that user, or as root", was.Uid, was.Gid)
		}
	}
	if err := keepAttributes(old, file); err != nil {
		return err
	}
	// Changing the owner removed some of the bits.
	return file.Chmod(info.Mode() & keptModes)
}
