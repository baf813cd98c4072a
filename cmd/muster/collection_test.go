package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// idsOf returns the IDs of a list that was written as JSON.
func idsOf(t *testing.T, text string) []string {
	t.Helper()
	var items []struct{ ID string }
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	ids := make([]string, len(items))
	for i := range items {
		ids[i] = items[i].ID
	}
	return ids
}

func TestCollectionCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 2)
	s.run(exitOK, "", "aggregate", "Directory", "--file", s.file("directory.csv", "sam,mail,emp,groups\nbobd,,bob,staff\n"))
	out, errOut := s.run(exitOK, "", "accounts", "list", "--filters", `identity.name eq "BOB"`, "--count")
	demand(t, out, "NATIVEIDENTITY", "bob")
	demand(t, errOut, "total: ")
	out, _ = s.run(exitOK, "", "accounts", "list", "--identity", "ann", "-o", "json")
	ids := idsOf(t, out)
	if len(ids) == 0 {
		t.Fatalf("ann has no account in %s", out)
	}
	out, _ = s.run(exitOK, "", "accounts", "get", ids[0])
	demand(t, out, `"identityId"`, `"uncorrelated": false`, `"sourceName"`)
	_, errOut = s.run(exitFailed, "", "accounts", "get", "nobody")
	demand(t, errOut, "there is no account with this ID")
	out, _ = s.run(exitOK, "", "accounts", "list", "--uncorrelated", "-o", "csv")
	demand(t, out, "id,sourceName,nativeIdentity")
	_, errOut = s.run(exitUsage, "", "accounts", "list", "--published", "--filters", "disabled eq true")
	demand(t, errOut, `unknown field "disabled"`)

	out, _ = s.run(exitOK, "", "entitlements", "list", "-o", "json")
	held := idsOf(t, out)
	if len(held) != 1 {
		t.Fatalf("got %s, want one entitlement", out)
	}
	out, _ = s.run(exitOK, "", "entitlements", "get", held[0])
	demand(t, out, `"attribute": "groups"`, `"value": "staff"`)
	out, errOut = s.run(exitOK, "", "entitlements", "holders", held[0], "--count")
	demand(t, out, "GRANTED", "bobd", "Bob")
	demand(t, errOut, "total: 1")
	_, errOut = s.run(exitFailed, "", "entitlements", "holders", strings.Repeat("a", 32))
	demand(t, errOut, "there is no entitlement with this ID")

	out, _ = s.run(exitOK, "", "identities", "access", "bob")
	demand(t, out, "SOURCE", "BECAUSE OF", "staff", "bobd")
	out, _ = s.run(exitOK, "", "identities", "access", "bob", "-o", "json")
	demand(t, out, `"roles"`, `"ROLE_MEMBERSHIP"`)

	out, errOut = s.run(exitOK, "", "roles", "members", "Sales", "--count")
	demand(t, out, "ROLEASSIGNMENTSOURCE", "Bob", "ROLE_MEMBERSHIP")
	demand(t, errOut, "total: ")
	_, errOut = s.run(exitFailed, "", "roles", "members", "Nobodies")
	demand(t, errOut, "there is no such role")
	out, _ = s.run(exitOK, "", "roles", "assignments", "--filters", `role.name eq "sales"`)
	demand(t, out, "Sales", "Bob", "ROLE_MEMBERSHIP")

	out, _ = s.run(exitOK, "", "identities", "list", "--filters", `alias eq "ann"`, "-o", "json")
	s.run(exitOK, "", "apply", "-f", s.file("owned.yaml",
		"roles: [{name: Lead, enabled: true, owner: {type: IDENTITY, id: "+idsOf(t, out)[0]+", name: Ann}}]"))
	out, errOut = s.run(exitOK, "", "identities", "owned", "--filters", `owner.alias eq "ANN"`, "--count")
	demand(t, out, "ROLE", "Lead", "Ann")
	demand(t, errOut, "total: 1")

	out, _ = s.run(exitOK, "", "tasks", "list", "--filters", `completionStatus eq "warning"`, "--limit", "1")
	demand(t, out, "WARNING")
	out, _ = s.run(exitOK, "", "tasks", "-o", "csv", "--columns", "id,launcher")
	demand(t, out, "id,launcher")
	s.run(exitOK, "", "operations", "list", "--filters", `state eq "FAILED"`, "--count")
	out, _ = s.run(exitOK, "", "operations", "list", "-o", "csv")
	demand(t, out, "id,created,state")
	s.run(exitUsage, "", "operations", "list", "-o", "xml")

	for collection, filter := range map[string]string{
		"identities": `alias eq "a"`, "accounts": `uncorrelated eq true`, "entitlements": `requestable eq true`,
		"role-members": `aliasName eq "a"`, "role-assignments": `pr comments`, "operations": `type eq "CloudAutomated"`,
		"tasks": `completionStatus isnull`, "owned": `pr owner.id`,
	} {
		out, _ = s.run(exitOK, "", "filter", "explain", "--collection", collection, filter)
		demand(t, out, "SQL")
	}
	s.run(exitUsage, "", "filter", "explain", "--collection", "nothing", "pr a")
}

func TestAccountsCorrelateAndRelease(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 2)
	s.run(exitOK, "", "aggregate", "Directory", "--file", s.file("directory.csv", "sam,mail,emp\nstray,,\n"))
	out, _ := s.run(exitOK, "", "accounts", "list", "--uncorrelated", "-o", "json")
	ids := idsOf(t, out)
	if len(ids) != 1 {
		t.Fatalf("got %s, want one account", out)
	}
	out, _ = s.run(exitOK, "", "accounts", "explain", ids[0])
	demand(t, out, "is nobody's: ", "ACCOUNT ATTRIBUTE")
	out, _ = s.run(exitOK, "", "accounts", "explain", ids[0], "-o", "json")
	demand(t, out, `"decides": false`, `"candidates": [`)
	out, _ = s.run(exitOK, "", "accounts", "correlate", ids[0], "bob")
	demand(t, out, "processed 1 identities")
	out, _ = s.run(exitOK, "", "accounts", "get", ids[0], "-o", "table")
	demand(t, out, "Bob", "true")
	out, _ = s.run(exitOK, "", "history", "bob")
	demand(t, out, "account "+ids[0]+" on Directory, correlated by hand")
	s.run(exitOK, "", "accounts", "release", ids[0])
	out, _ = s.run(exitOK, "", "history", "bob")
	demand(t, out, "- account "+ids[0]+" on Directory, released by hand")
	_, errOut := s.run(exitFailed, "", "accounts", "release", ids[0])
	demand(t, errOut, "no identity has the account")
	s.run(exitFailed, "", "accounts", "correlate", "nobody", "bob")
}
