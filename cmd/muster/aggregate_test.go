package main

import (
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
