package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRolesAndLifecycleCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 2)
	s.run(exitOK, "", "apply", "-f", s.file("lead.yaml", "roles: [{name: Lead, enabled: true}]\nsettings: {timeZone: Europe/Berlin}"))
	out, _ := s.run(exitOK, "", "roles", "assign", "bob", "lead", "--assigner", "ann", "--comments", "stands in",
		"--start", "2031-05-01", "--remove", "2031-06-01T08:00:00Z")
	demand(t, out, "assigned Lead: ", "processed 1 identities")
	out, _ = s.run(exitOK, "", "roles", "list", "bob")
	demand(t, out, "Lead", "Sales", "ROLE_MEMBERSHIP", "ACCESS_REQUEST", "stands in")
	out, _ = s.run(exitOK, "", "roles", "list", "bob", "--role", "Lead", "-o", "json")
	demand(t, out, `"startDate": "2031-04-30T22:00:00Z"`, `"name": "Ann"`, `"removeDate": "2031-06-01T08:00:00Z"`)
	if strings.Contains(out, "Sales") {
		t.Error(out)
	}
	// The published shapes: which roles, or all of one.
	out, _ = s.run(exitOK, "", "identities", "roles", "bob", "-o", "json")
	var refs []map[string]any
	if err := json.Unmarshal([]byte(out), &refs); err != nil || len(refs) != 2 || len(refs[0]) != 5 {
		t.Fatalf("%v in %s", err, out)
	}
	demand(t, out, `"startDate": null`, `"startDate": "2031-04-30T22:00:00Z"`, `"type": "ROLE"`)
	lead := refs[1]["role"].(map[string]any)["id"].(string)
	for _, args := range [][]string{{"--role-id", lead}, {"--role-name", "lead"}, {"--role-id", lead, "--role-name", "LEAD"}} {
		out, _ = s.run(exitOK, "", append([]string{"identities", "roles", "bob", "-o", "json"}, args...)...)
		var full []map[string]any
		if err := json.Unmarshal([]byte(out), &full); err != nil || len(full) != 1 || len(full[0]) != 11 || full[0]["comments"] != "stands in" {
			t.Errorf("%q: %v in %s", args, err, out)
		}
	}
	out, _ = s.run(exitOK, "", "identities", "roles", "bob", "-o", "json", "--role-id", lead, "--role-name", "Sales")
	if out != "[]\n" {
		t.Errorf("no role has this ID and this name: %s", out)
	}
	out, _ = s.run(exitOK, "", "identities", "roles", "bob")
	if demand(t, out, "ID ", "ROLE ", "REMOVE", "Sales"); strings.Contains(out, "stands in") {
		t.Error(out)
	}
	out, _ = s.run(exitOK, "", "identities", "roles", "bob", "--role-name", "Lead")
	demand(t, out, "COMMENTS", "stands in")
	s.run(exitUsage, "", "identities", "roles", "bob", "-o", "xml")
	_, errOut := s.run(exitUsage, "", "roles", "assign", "bob", "lead", "--remove", "soon")
	demand(t, errOut, `--remove: "soon" is no point in time`)
	_, errOut = s.run(exitFailed, "", "roles", "revoke", "bob", "Sales")
	demand(t, errOut, "the membership of the role")
	out, _ = s.run(exitOK, "", "roles", "revoke", "bob", "Lead")
	demand(t, out, "revoked ")
	_, errOut = s.run(exitFailed, "", "roles", "revoke", "bob", "Lead")
	demand(t, errOut, `no role "Lead"`)

	out, _ = s.run(exitOK, "", "lifecycle", "bob", "inactive")
	demand(t, out, "processed 1 identities: 1 changed")
	out, _ = s.run(exitOK, "", "identities", "get", "bob")
	demand(t, out, `"stateName": "inactive"`, `"manuallyUpdated": true`)
	s.run(exitOK, "", "lifecycle", "bob", "--calculated")
	out, _ = s.run(exitOK, "", "identities", "get", "bob")
	demand(t, out, `"lifecycleState": null`)
	s.run(exitUsage, "", "lifecycle", "bob")
}
