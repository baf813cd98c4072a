package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/muster-engine/muster/engine/enginetest"
)

// The operator's list is asked for by every command that opens a source, and by apply. Without one nothing is limited.
func TestAllowFlags(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	folder := filepath.Join(s.dir, "hr")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	s.file("hr/accounts.csv", "id,mail\n1,a@example.com\n")
	document := `
sources:
  - name: HR
    connector: delimited-folder
    connectorAttributes: {folder: ` + folder + `}
    schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: mail}]}]`
	_, err := s.run(exitFailed, document, "apply", "-f", "-", "--allow-folder", filepath.Join(s.dir, "other"))
	demand(t, err, `source "HR": connectorAttributes.folder: the folder "`+folder+`" is not allowed`, "--allow-folder")
	s.run(exitOK, document, "apply", "-f", "-", "--allow-folder", folder)
	s.run(exitOK, document, "apply", "-f", "-")
	for _, args := range [][]string{{"source", "test", "HR"}, {"source", "discover", "HR"}, {"source", "aggregate", "HR"}} {
		_, err := s.run(exitFailed, "", append(args, "--allow-host", "ldap.example.com")...)
		demand(t, err, "is not allowed", folder)
		s.run(exitOK, "", append(args, "--allow-folder", s.dir)...)
		s.run(exitOK, "", args...)
	}
	_, err = s.run(exitUsage, "", "source", "list", "--allow-host", "https://a.example")
	demand(t, err, `Hosts[0]: "https://a.example" is no host`)
}

// The variables stand for flags that are not given.
func TestAllowVariables(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.env["MUSTER_ALLOW_HOSTS"] = "ldap.example.com, https://a.example"
	_, err := s.run(exitUsage, "", "source", "list")
	demand(t, err, `Hosts[1]: "https://a.example" is no host`)
	s.env["MUSTER_ALLOW_HOST"] = "b.example/x"
	_, err = s.run(exitUsage, "", "source", "list")
	demand(t, err, `Hosts[0]: "b.example/x" is no host`)
	_, err = s.run(exitUsage, "", "source", "list", "--allow-host", "c.example/x")
	demand(t, err, `Hosts[0]: "c.example/x" is no host`)
}

// A field or a column that there is not is told, with the one that may be meant.
func TestMisspeltColumns(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, enginetest.Documents, "apply", "-f", "-")
	for _, test := range []struct {
		args  []string
		wants string
	}{
		{[]string{"--columns", "name,departmnt"}, `--columns: there is no member "departmnt"; did you mean "department"?`},
		{[]string{"--columns", "attributes.departmnt"}, `--columns: there is no attribute "departmnt"; did you mean "department"?`},
		{[]string{"--columns", "managerRef.nam", "-o", "csv"}, `did you mean "managerRef.name"?`},
		{[]string{"--columns", "shoes"}, `there is no member or attribute "shoes": the members are`},
		{[]string{"--filters", `departmnt eq "x"`}, `did you mean "department"?`},
		{[]string{"--filters", `attributes.departmnt eq "x"`}, `unknown field "attributes.departmnt"`},
		{[]string{"--sorters", "-departmnt"}, `did you mean "department"?`},
	} {
		_, err := s.run(exitUsage, "", append([]string{"identities", "list"}, test.args...)...)
		demand(t, err, test.wants)
	}
	s.run(exitOK, "", "identities", "list", "--columns",
		"id,name,attributes.department,department,managerRef.name,lifecycleState.manuallyUpdated,lastRefresh,cloudStatus,uid")
}
