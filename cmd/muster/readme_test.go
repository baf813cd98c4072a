package main

import (
	"os"
	"strings"
	"testing"
)

// The configuration of the README works as it stands there, and gives no warning.
func TestReadmeConfiguration(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "\n```yaml\nsettings:")
	config, _, ended := strings.Cut(rest, "\n```\n")
	if !found || !ended {
		t.Fatal("README.md has no configuration that begins with settings")
	}
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, "", "apply", "-f", s.file("config.yaml", "settings:"+config+"\n"))
	people := "employeeId,displayName,firstName,lastName,email,department,managerId\n" +
		"ww,Walter White,Walter,White,walter.white@example.com,Sales,sg\n" +
		"sg,Skyler Grey,Skyler,Grey,skyler.grey@example.com,Board,\n"
	out, _ := s.run(exitOK, "", "aggregate", "HR", "--file", s.file("hr.csv", people))
	demand(t, out, "processed 2 identities: 2 changed, 0 errors, 1 roles gained, 0 lost")
	demandNone(t, out, "WARN", "ERROR")
	out, _ = s.run(exitOK, "", "aggregate", "Directory", "--delimiter", ";", "--file", s.file("accounts.csv",
		"id;employeeNumber;mail\ncn=walter;ww;\ncn=skyler;;skyler.grey@example.com\n"))
	demand(t, out, "2 correlated", "processed 2 identities: ")
	demandNone(t, out, "WARN", "ERROR")
	out, _ = s.run(exitOK, "", "process", "--all", "--wait")
	demand(t, out, "SUCCESS, 100 %: Completed", "2 calculated, 0 changed, 0 errors, 0 warnings")
	out, _ = s.run(exitOK, "", "tasks", "list")
	demandNone(t, out, "WARNING", "ERROR ")

	// Who lacks what an identity needs has a warning, one for both, which names them.
	out, _ = s.run(exitOK, "", "aggregate", "HR", "--max-deletions", "100%", "--file", s.file("hr.csv",
		strings.NewReplacer(",White,", ",,", ",Grey,", ",,").Replace(people)))
	demand(t, out, "WARN  the identity is incomplete: it has no lastname (2 identities: ", "Walter White (", "Skyler Grey (")
}
