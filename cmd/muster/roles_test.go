package main

import (
	"strings"
	"testing"
)

func TestRolesAndLifecycleCommands(t *testing.T) {
	t.Parallel()
	s := staffed(t, 2)
	s.run(exitOK, "", "apply", "-f", s.file("lead.yaml", "roles: [{name: Lead, enabled: true}]"))
	out, _ := s.run(exitOK, "", "roles", "assign", "2", "lead", "--assigner", "1", "--comments", "stands in",
		"--start", "2031-05-01", "--remove", "2031-06-01T08:00:00Z", "--time-zone", "Europe/Berlin")
	demand(t, out, "assigned Lead: ", "processed 1 identities")
	out, _ = s.run(exitOK, "", "roles", "list", "2")
	demand(t, out, "Lead", "Sales", "ROLE_MEMBERSHIP", "ACCESS_REQUEST", "stands in")
	out, _ = s.run(exitOK, "", "roles", "list", "2", "--role", "Lead", "-o", "json")
	demand(t, out, `"startDate": "2031-04-30T22:00:00Z"`, `"name": "Ann"`, `"removeDate": "2031-06-01T08:00:00Z"`)
	if strings.Contains(out, "Sales") {
		t.Error(out)
	}
	_, errOut := s.run(exitUsage, "", "roles", "assign", "2", "lead", "--remove", "soon")
	demand(t, errOut, `--remove: "soon" is no point in time`)
	_, errOut = s.run(exitFailed, "", "roles", "revoke", "2", "Sales")
	demand(t, errOut, "the membership of the role")
	out, _ = s.run(exitOK, "", "roles", "revoke", "2", "Lead")
	demand(t, out, "revoked ")
	_, errOut = s.run(exitFailed, "", "roles", "revoke", "2", "Lead")
	demand(t, errOut, `no role "Lead"`)

	out, _ = s.run(exitOK, "", "lifecycle", "2", "inactive")
	demand(t, out, "processed 1 identities: 1 changed")
	out, _ = s.run(exitOK, "", "identities", "get", "2")
	demand(t, out, `"stateName": "inactive"`, `"manuallyUpdated": true`)
	s.run(exitOK, "", "lifecycle", "2", "--calculated")
	out, _ = s.run(exitOK, "", "identities", "get", "2")
	demand(t, out, `"lifecycleState": null`)
	s.run(exitUsage, "", "lifecycle", "2")
}
