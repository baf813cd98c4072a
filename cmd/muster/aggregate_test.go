package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// A text that is handed in is aggregated by whoever works on tasks next.
func TestAggregateInBackground(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, "", "demo", "--people", "60")
	before, _ := s.run(exitOK, "", "identities", "list", "--count", "--limit", "1")
	s.run(exitOK, "", "apply", "-f", s.file("spare.yaml", "sources: [{name: Spare, connector: delimited-file}]"))
	out, _ := s.run(exitOK, "id,name\r\na,A\r\n", "aggregate", "Spare", "--file", "-", "--dry-run")
	if !strings.Contains(out, "nothing is changed") || !strings.Contains(out, "1 added") {
		t.Errorf("the dry run says %q", out)
	}
	if out, _ = s.run(exitOK, "", "accounts", "list", "--source", "Spare"); strings.Contains(out, " A ") {
		t.Errorf("the account is there after a dry run: %s", out)
	}
	out, _ = s.run(exitOK, "id,name\r\na,A\r\n", "aggregate", "Spare", "--file", "-", "--background")
	task := regexp.MustCompile(`task ([0-9a-f]{32})`).FindStringSubmatch(out)
	if task == nil {
		t.Fatalf("the command says %q", out)
	}
	if out, _ = s.run(exitOK, "", "accounts", "list", "--source", "Spare"); strings.Contains(out, " A ") {
		t.Errorf("the account is there at once: %s", out)
	}
	s.run(exitOK, "", "process")
	if out, _ = s.run(exitOK, "", "tasks", "show", task[1]); !strings.Contains(out, "SUCCESS") {
		t.Errorf("the task is %s", out)
	}
	if out, _ = s.run(exitOK, "", "accounts", "list", "--source", "Spare"); !strings.Contains(out, "A") {
		t.Errorf("the accounts are %s", out)
	}
	if after, _ := s.run(exitOK, "", "identities", "list", "--count", "--limit", "1"); after != before {
		t.Errorf("the people were %s, and are %s", before, after)
	}
}

// What does not succeed as a whole exits with 1 and says why: a run that is held, an aggregation that ends in ERROR.
func TestWhatFailsAsAWhole(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 60)
	out, _ := s.run(exitOK, "", "process")
	demand(t, out, "nothing waits to be processed")
	rows := "id,name,dept,mgr\nann,Ann,Board,\n"
	for i := range 60 {
		rows += fmt.Sprintf("person%d,Person,Elsewhere,ann\n", i)
	}
	for _, name := range []string{"bob", "cy", "dee"} {
		rows += name + ",Person,Elsewhere,ann\n"
	}
	file := s.file("moved.csv", rows)
	_, errOut := s.run(exitFailed, "", "aggregate", "HR", "--file", file)
	demand(t, errOut, "is held", "muster tasks confirm")
	_, errOut = s.run(exitFailed, "", "process")
	demand(t, errOut, "is held", "lose a role")
	for _, empty := range []string{"", "   "} {
		for _, command := range []string{"process", "sync", "preview", "identities invite"} {
			_, errOut = s.run(exitUsage, "", append(strings.Fields(command), "--filters", empty)...)
			demand(t, errOut, "--filters: an empty filter")
		}
	}
	out, _ = s.run(exitOK, "id,name,dept,mgr\nann,Ann,Board,\n", "aggregate", "HR", "--file", "-", "--dry-run",
		"--max-deletions", "100%")
	demand(t, out, "63 people would not be in the source any more")
	_, errOut = s.run(exitUsage, rows, "aggregate", "HR", "--file", "-", "--accept-missing", "nope")
	demand(t, errOut, "--accept-missing: the account schema has no attribute")
	out, _ = s.run(exitOK, "id\nann\n", "aggregate", "HR", "--file", "-", "--background", "-o", "json")
	var task struct{ ID string }
	if err := json.Unmarshal([]byte(out), &task); err != nil || task.ID == "" {
		t.Fatalf("%v in %s", err, out)
	}
	_, errOut = s.run(exitFailed, "", "process")
	demand(t, errOut, "The task "+task.ID+" failed: ", "HR", "  ")
}
