package delimited

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// accessList is the extended attribute with the access control list of a file.
const accessList = "system.posix_acl_access"

// keepAttributes gives a new file the extended attributes of an old one, which include its access control list and the
// label of a security module. The new file may have got a list from its folder, which the old one does not have.
func keepAttributes(old, file *os.File) error {
	names, err := attributeNames(old)
	if err != nil {
		return err
	}
	for _, name := range names {
		want, err := fileAttribute(old, name)
		if err != nil {
			return err
		}
		if have, err := fileAttribute(file, name); err == nil && bytes.Equal(have, want) {
			continue
		}
		if err := unix.Fsetxattr(int(file.Fd()), name, want, 0); err != nil {
			return fmt.Errorf("its extended attribute %q cannot be kept: %w", name, err)
		}
	}
	if slices.Contains(names, accessList) {
		return nil
	}
	err = unix.Fremovexattr(int(file.Fd()), accessList)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

// attributeNames returns the names of the extended attributes of a file; none where the file system has none.
func attributeNames(file *os.File) ([]string, error) {
	for {
		size, err := unix.Flistxattr(int(file.Fd()), nil)
		if errors.Is(err, unix.ENOTSUP) || err == nil && size == 0 {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("its extended attributes cannot be listed: %w", err)
		}
		list := make([]byte, size)
		size, err = unix.Flistxattr(int(file.Fd()), list)
		if errors.Is(err, unix.ERANGE) {
			continue // meanwhile there are more
		}
		if err != nil {
			return nil, fmt.Errorf("its extended attributes cannot be listed: %w", err)
		}
		return strings.FieldsFunc(string(list[:size]), func(r rune) bool { return r == 0 }), nil
	}
}

func fileAttribute(file *os.File, name string) ([]byte, error) {
	for {
		size, err := unix.Fgetxattr(int(file.Fd()), name, nil)
		if err != nil {
			return nil, fmt.Errorf("its extended attribute %q cannot be read: %w", name, err)
		}
		value := make([]byte, size)
		size, err = unix.Fgetxattr(int(file.Fd()), name, value)
		if errors.Is(err, unix.ERANGE) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("its extended attribute %q cannot be read: %w", name, err)
		}
		return value[:size], nil
	}
}
