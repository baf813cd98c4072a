//go:build unix

package delimited_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
)

const accounts = "id;name;groups;active\n1;Ann;;true\n"

// soon fails the test where do has not ended after some seconds.
func soon(t *testing.T, what string, do func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		t.Fatalf("%s hangs", what)
		return nil
	}
}

// What is no file is refused at once, whatever is done with it.
func TestRefusesWhatIsNoFile(t *testing.T) {
	for name, replace := range map[string]func(path string) error{
		"a pipe (FIFO)": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a directory":   func(path string) error { return os.Mkdir(path, 0o700) },
		"a device":      func(path string) error { return os.Symlink("/dev/zero", path) },
		"a socket": func(path string) error {
			listener, err := net.Listen("unix", path)
			if err == nil {
				t.Cleanup(func() { listener.Close() })
			}
			return err
		},
	} {
		path, open := folder(t, accounts)
		if err := errors.Join(os.Remove(path), replace(path)); err != nil {
			t.Fatal(err)
		}
		c := open(t)
		for what, do := range map[string]func() error{
			"Read": func() error {
				_, err := c.Read(t.Context(), "", func(*connector.Object) error { return nil })
				return err
			},
			"Discover": func() error { _, err := c.Discover(t.Context()); return err },
			"Test":     func() error { return c.Test(t.Context()) },
			"Apply":    func() error { return apply(t, c, connector.Delete, "1", nil) },
			"OpenFile": func() error { _, err := delimited.OpenFile(t.Context(), path); return err },
		} {
			if err := soon(t, what, do); err == nil || !strings.Contains(err.Error(), "is "+name+": a regular file is expected") {
				t.Errorf("%s of %s: %v", what, name, err)
			}
		}
	}
}

// A lock that is a pipe does not hold an operation up for ever.
func TestRefusesALockThatIsNoFile(t *testing.T) {
	path, open := folder(t, accounts)
	if err := syscall.Mkfifo(filepath.Join(filepath.Dir(path), ".people.csv.lock"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := soon(t, "Apply", func() error { return apply(t, open(t), connector.Delete, "1", nil) })
	if err == nil || !strings.Contains(err.Error(), "cannot be the lock") {
		t.Error(err)
	}
}

func rename(t *testing.T, c connector.Connector) error {
	t.Helper()
	return apply(t, c, connector.SetAttributes, "1", map[string]attribute.Value{"name": attribute.String("Anna")})
}

// A file that is replaced keeps its owner, its group, its mode and its list of access control.
func TestKeepsOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make files of others")
	}
	path, open := folder(t, accounts)
	if err := errors.Join(os.Chown(path, 12345, 23456), os.Chmod(path, 0o660|os.ModeSetgid)); err != nil {
		t.Fatal(err)
	}
	if err := rename(t, open(t)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 12345 || stat.Gid != 23456 || info.Mode() != 0o660|os.ModeSetgid {
		t.Errorf("it belongs to %d:%d with the mode %s", stat.Uid, stat.Gid, info.Mode())
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "1;Anna;") {
		t.Errorf("the file is %q, %v", text, err)
	}
}

// Somebody who may not give the file to its owner does not take it from them: it is not written.
func TestRefusesToTakeAFile(t *testing.T) {
	if folder := os.Getenv("MUSTER_TEST_FOLDER"); folder != "" { // as nobody
		c := openFolder(t, folder)
		for what, err := range map[string]error{"Apply": rename(t, c), "Test": c.Test(t.Context())} {
			if err == nil || !strings.Contains(err.Error(), "its owner is the user 12345") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := rename(t, c); !connector.IsPermanent(err) {
			t.Errorf("%v is not permanent", err)
		}
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root can make files of others")
	}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // so that nobody can reach it
		t.Fatal(err)
	}
	path := filepath.Join(dir, "people.csv")
	program := filepath.Join(dir, "program")
	self, err := os.ReadFile(os.Args[0])
	if err := errors.Join(err, os.WriteFile(program, self, 0o755), os.WriteFile(path, []byte(accounts), 0o644),
		os.WriteFile(filepath.Join(dir, "group.csv"), []byte("key;label\n"), 0o644), os.Chown(path, 12345, 23456), os.Chmod(dir, 0o777),
	); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "-test.run", "^TestRefusesToTakeAFile$", "-test.v")
	command.Dir, command.Env = dir, append(os.Environ(), "MUSTER_TEST_FOLDER="+dir, "HOME="+dir)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	output, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "--- PASS: TestRefusesToTakeAFile") {
		t.Errorf("%v\n%s", err, output)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != accounts {
		t.Errorf("the file is %q, %v", text, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".people.csv.new-*")); err != nil || len(left) > 0 {
		t.Errorf("%q is left, %v", left, err)
	}
}

// A symbolic link stays one: the file that it leads to is written, in its own folder.
func TestKeepsLinks(t *testing.T) {
	path, open := folder(t, accounts)
	target := filepath.Join(t.TempDir(), "real.csv")
	if err := errors.Join(os.Rename(path, target), os.Symlink(target, path)); err != nil {
		t.Fatal(err)
	}
	c := open(t)
	if err := errors.Join(c.Test(t.Context()), rename(t, c)); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(path); err != nil || to != target {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if text, err := os.ReadFile(target); err != nil || !strings.Contains(string(text), "1;Anna;") {
		t.Errorf("the file is %q, %v", text, err)
	}
	// A second name of the same file would be left with the old text.
	if err := os.Link(target, target+".2"); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"Test": c.Test(t.Context()), "Apply": apply(t, c, connector.Delete, "1", nil)} {
		if err == nil || !strings.Contains(err.Error(), "2 names (hard links)") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A text that gives nothing is left when the context ends.
func TestStreamEnds(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	s := delimited.NewStream(ctx, r)
	defer s.Close()
	go func() {
		_, _ = w.Write([]byte("id\n"))
		cancel()
	}()
	err := soon(t, "reading", func() error { _, err := io.ReadAll(s); return err })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A stream gives what it reads, and its end.
func TestStreamIsWhole(t *testing.T) {
	text := strings.Repeat("0123456789\n", 50_000)
	s := delimited.NewStream(t.Context(), strings.NewReader(text))
	defer s.Close()
	if got, err := io.ReadAll(s); err != nil || string(got) != text {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
	}
}

// A file can be read again, and is not taken for whole where somebody writes to it meanwhile.
func TestFile(t *testing.T) {
	path, _ := folder(t, accounts)
	f, err := delimited.OpenFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		if text, err := io.ReadAll(f); err != nil || string(text) != accounts {
			t.Fatalf("the text is %q, %v", text, err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.ReadFull(f, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if at, err := f.Seek(0, io.SeekCurrent); err != nil || at != 3 {
		t.Errorf("it stands at %d, %v", at, err)
	}
	more, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = more.WriteString("2;Bob;;true\n")
	}
	if err := errors.Join(err, more.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(f); err == nil || !strings.Contains(err.Error(), "written to while it was read") {
		t.Errorf("a file that grows: %v", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err == nil {
		t.Error("reading goes on after an error")
	}
}
