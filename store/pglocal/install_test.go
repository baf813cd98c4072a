package pglocal

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestNotFoundSaysWhatToDo(t *testing.T) {
	saved := installFolders
	t.Cleanup(func() { installFolders = saved })
	installFolders = []string{"/nowhere/postgresql-*/bin"}
	t.Setenv("PATH", t.TempDir())
	_, err := Find("")
	if !errors.Is(err, ErrNotFound) {
		t.Fatalf("the error is %v, want ErrNotFound", err)
	}
	for _, text := range []string{"PATH", installFolders[0], installCommand()} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error %q does not hold %q", err, text)
		}
	}
}

func TestNewestVersionFirst(t *testing.T) {
	root := t.TempDir()
	for _, version := range []string{"9.6", "17", "9.10", "16"} {
		if err := os.MkdirAll(root+"/"+version+"/bin", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	saved := installFolders
	t.Cleanup(func() { installFolders = saved })
	installFolders = []string{root + "/*/bin"}
	t.Setenv("PATH", t.TempDir())
	want := []string{root + "/17/bin", root + "/16/bin", root + "/9.10/bin", root + "/9.6/bin"}
	if got := candidates(""); !slices.Equal(got, want) {
		t.Errorf("the folders are %v, want %v", got, want)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("line\n", 30)
	for text, want := range map[string]string{
		"":           "",
		"one":        "one",
		"one\ntwo\n": "one\ntwo",
		long:         strings.TrimSpace(strings.Repeat("line\n", 20)),
	} {
		if got := string(tail([]byte(text))); got != want {
			t.Errorf("the tail of %q is %q, want %q", text, got, want)
		}
	}
}
