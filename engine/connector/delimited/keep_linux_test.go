package delimited_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A list of access control stays with a file that is replaced, and one of the folder does not come to it.
func TestKeepsAccessList(t *testing.T) {
	const list = "system.posix_acl_access"
	// The owner may read and write, the user 12345 may read, the group nothing (acl(5), with version 2).
	acl := []byte{2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0x39, 0x30, 0, 0, 4, 0, 0, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255,
		255, 255, 32, 0, 0, 0, 255, 255, 255, 255}
	path, open := folder(t, accounts)
	if err := unix.Setxattr(path, list, acl, 0); err != nil {
		if errors.Is(err, unix.ENOTSUP) {
			t.Skip("the file system has no lists of access control")
		}
		t.Fatal(err)
	}
	if err := unix.Setxattr(path, "user.origin", []byte("hr"), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
		t.Fatal(err)
	}
	get := func(name string) []byte {
		value := make([]byte, 200)
		n, err := unix.Getxattr(path, name, value)
		if err != nil {
			return nil
		}
		return value[:n]
	}
	origin := get("user.origin")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := rename(t, open(t)); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil || after.Mode() != before.Mode() || os.SameFile(before, after) {
		t.Errorf("the mode was %s and is %s, %v", before.Mode(), after.Mode(), err)
	}
	if !bytes.Equal(get(list), acl) || !bytes.Equal(get("user.origin"), origin) {
		t.Errorf("the list is %v, want %v; the attribute is %q, want %q", get(list), acl, get("user.origin"), origin)
	}
	// A folder gives its list to new files, but this one is not new.
	other, open := folder(t, accounts)
	path = other
	if err := unix.Setxattr(other[:len(other)-len("/people.csv")], "system.posix_acl_default", acl, 0); err != nil {
		t.Fatal(err)
	}
	if err := rename(t, open(t)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 || get(list) != nil {
		t.Errorf("the mode is %v and the list %v, %v", info.Mode(), get(list), err)
	}
}
