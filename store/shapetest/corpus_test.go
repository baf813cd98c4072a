package shapetest

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/store/storetest"
)

// recordVariable names the folder of the recorded statements, which make test-shapes fills.
const recordVariable = "MUSTER_RECORD_STATEMENTS"

// recordings is that folder.
var recordings string

// corpus is what tests made Muster send.
type corpus struct {
	senders map[string][]string // by statement, with the default names of the schemas
	called  map[string]bool     // functions that sent something
}

// elsewhere are packages whose statements are left out: those to other databases than the tenant's, and those that a
// migration runs once, by itself.
var elsewhere = []string{"engine/connector/", "migrations."}

func readCorpus(t *testing.T, c *catalogue) *corpus {
	t.Helper()
	folder := recordings
	if folder == "" {
		t.Fatalf("%s names no folder of recorded statements: run make test-shapes", recordVariable)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no recorded statements (%v): run make test-shapes", folder, err)
	}
	all := &corpus{senders: map[string][]string{}, called: map[string]bool{}}
	for _, file := range files {
		all.read(t, c, file)
	}
	return all
}

func (r *corpus) read(t *testing.T, c *catalogue, name string) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only read
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var recorded storetest.Statement
		if err := json.Unmarshal(lines.Bytes(), &recorded); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sender := recorded.Functions[len(recorded.Functions)-1]
		if slices.ContainsFunc(elsewhere, func(p string) bool { return strings.HasPrefix(sender, p) }) {
			continue
		}
		for _, function := range recorded.Functions {
			r.called[plain(function)] = true
		}
		text := recorded.Text
		if s, err := parse(text); err == nil {
			text = c.normal(s)
		} // one that does not parse is found by the test
		if !slices.Contains(r.senders[text], plain(sender)) {
			r.senders[text] = append(r.senders[text], plain(sender))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// plain returns the name of a declared function as a stack trace has it: "store.(*Store).Stage" of a closure in it too.
func plain(function string) string {
	base := function[strings.LastIndexByte(function, '/')+1:]
	base = strings.ReplaceAll(base, "[...]", "") // type parameters
	parts := strings.Split(base, ".")
	keep := 2
	if len(parts) > 2 && (strings.HasPrefix(parts[1], "(*") || !isClosure(parts[2])) {
		keep = 3
	}
	return strings.Join(parts[:min(keep, len(parts))], ".")
}

// isClosure reports whether a part of a name is that of a function without one.
func isClosure(part string) bool {
	rest, is := strings.CutPrefix(part, "func")
	return is && strings.Trim(rest, "0123456789") == "" || strings.HasPrefix(part, "gowrap")
}

// line is a statement in one line.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }
