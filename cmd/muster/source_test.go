package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const filesConfig = `
sources:
  - name: Files
    connector: delimited-folder
    connectorAttributes: {folder: %q}
    schedules: [{type: ACCOUNT_AGGREGATION, cronExpression: "0 0 5 * * ?"}]
    schemas:
      - name: account
        identityAttribute: login
        attributes: [{name: login}, {name: full}, {name: groups, isMulti: true, isEntitlement: true}]
    accountCorrelationConfig: {attributeAssignments: [{property: uid, value: login}]}
    attributeSyncConfig: {attributes: [{name: department, enabled: true, target: full}]}
    provisioningPolicies:
      - usageType: CREATE
        fields:
          - {name: login, transform: {type: identityAttribute, attributes: {name: uid}}}
          - {name: full, transform: {type: identityAttribute, attributes: {name: department}}}
roles:
  - name: Lead
    enabled: true
    entitlements: [{source: {name: Files}, value: leads}]
`

func TestSourceCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 2)
	path := filepath.Join(s.dir, "accounts.csv")
	read := func() string {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	s.file("accounts.csv", "login,full,groups\nbob,Old Name,staff\n")
	s.run(exitOK, "", "apply", "-f", s.file("files.yaml", fmt.Sprintf(filesConfig, s.dir)))
	out, _ := s.run(exitOK, "", "source", "test", "Files")
	demand(t, out, `"Files" can be reached`)
	out, _ = s.run(exitOK, "", "source", "discover", "files")
	demand(t, out, `"identityAttribute": "login"`, `"name": "groups"`)
	out, _ = s.run(exitOK, "", "source", "aggregate", "Files", "--no-process")
	demand(t, out, "Files: 1 rows; accounts: 1 added")
	out, _ = s.run(exitOK, "", "process", "--dry-run")
	demand(t, out, `set attributes bob full="Sales", for attribute department of the identity`, "Files: set attributes: 1",
		"nothing was written")
	if got := read(); got != "login,full,groups\nbob,Old Name,staff\n" {
		t.Errorf("a dry run wrote %q, want %q", got, "login,full,groups\nbob,Old Name,staff\n")
	}
	out, _ = s.run(exitOK, "", "process")
	demand(t, out, "provisioned 1 operations: 0 failed, 0 still open")
	out, _ = s.run(exitOK, "", "roles", "assign", "cy", "Lead")
	demand(t, out, "provisioned 2 operations")
	if got, want := read(), "login,full,groups\nbob,Sales,staff\ncy,Sales,leads\n"; got != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
	out, _ = s.run(exitOK, "", "operations", "--identity", "cy")
	demand(t, out, "DONE", "add entitlement", "groups=[\"leads\"]", `role "Lead"`, "create")
	out, _ = s.run(exitOK, "", "operations", "--state", "open,failed", "-o", "json")
	demand(t, out, "[]")
	s.run(exitUsage, "", "operations", "--state", "lost")

	s.file("accounts.csv", "login,full,groups\nbob,Drifted,staff\ncy,Sales,leads\n")
	s.run(exitOK, "", "source", "aggregate", "Files", "--no-process")
	out, _ = s.run(exitOK, "", "sync", "bob", "--dry-run")
	demand(t, out, `full="Sales"`)
	s.run(exitOK, "", "sync", "bob")
	_, errOut := s.run(exitFailed, "", "sync", "bob")
	demand(t, errOut, "less than 10s ago", "wait ")
	_, errOut = s.run(exitFailed, "", "identities", "sync", "bob", "-o", "json")
	demand(t, errOut, "less than 10s ago", "wait ")
	s.file("accounts.csv", "login,full,groups\nbob,Sales,staff\ncy,Drifted,leads\n")
	s.run(exitOK, "", "source", "aggregate", "Files", "--no-process")
	out, _ = s.run(exitOK, "", "identities", "sync", "cy", "--wait", "-o", "json")
	demand(t, out, `"status": "SUCCESS"`, `"type": "SYNCHRONIZE_IDENTITY_ATTRIBUTES"`, `\"identityId\"`)
	if got, want := read(), "login,full,groups\nbob,Sales,staff\ncy,Sales,leads\n"; got != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
	out, _ = s.run(exitOK, "", "identities", "sync", "ann")
	demand(t, out, "synchronizing ", ": task ", ", QUEUED\n")
	s.run(exitOK, "", "process")
	out, _ = s.run(exitOK, "", "source", "sync", "Files")
	demand(t, out, "processed 2 identities")
	if got, want := read(), "login,full,groups\nbob,Sales,staff\ncy,Sales,leads\n"; got != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
	out, _ = s.run(exitOK, "", "source", "list")
	demand(t, out, "delimited-folder", "0 0 5 * * ?", "(by hand)")
	out, _ = s.run(exitOK, "", "source", "list", "-o", "json")
	demand(t, out, `"connected": true`)

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, errOut = s.run(exitFailed, "", "source", "test", "Files")
	demand(t, errOut, "no such file")
	_, errOut = s.run(exitFailed, "", "source", "aggregate", "Nowhere")
	demand(t, errOut, "the sources are")
	_, errOut = s.run(exitUsage, "", "sync")
	demand(t, errOut, "takes either identities or --filters")
}

// What is parked is listed with the tasks, of which some may wait for somebody too.
func TestTasksTellWhatIsParked(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 2)
	s.file("accounts.csv", "login,full,groups\n")
	s.run(exitOK, "", "apply", "-f", s.file("files.yaml", fmt.Sprintf(filesConfig, s.dir)))
	for _, person := range []string{"bob", "cy"} {
		s.run(exitOK, "", "roles", "assign", person, "Lead")
	}
	const cause = `waits for the first complete aggregation of the source "Files"`
	out, _ := s.run(exitOK, "", "tasks")
	demand(t, out, "PARKED  SINCE", "2       20", "Files   create", "Bob", cause)
	out, _ = s.run(exitOK, "", "operations", "--state", "parked", "-o", "json")
	var operations []struct{ Task string }
	if err := json.Unmarshal([]byte(out), &operations); err != nil || len(operations) != 2 {
		t.Fatalf("%v in %s", err, out)
	}
	out, _ = s.run(exitOK, "", "tasks", "show", operations[1].Task)
	demand(t, out, "parked", "1 create on Files, the first for Bob: "+cause)
	s.run(exitOK, "", "source", "aggregate", "Files")
	out, _ = s.run(exitOK, "", "tasks")
	if strings.Contains(out, "PARKED") {
		t.Errorf("nothing is parked any more, and the tasks are\n%s", out)
	}
}
