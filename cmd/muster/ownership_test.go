package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestDeleteAndOwnershipCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 2)
	out, _ := s.run(exitOK, "", "identities", "get", "bob")
	var identity struct{ ID string }
	if err := json.Unmarshal([]byte(out), &identity); err != nil {
		t.Fatal(err)
	}
	s.run(exitOK, "", "apply", "-f", s.file("owned.yaml",
		fmt.Sprintf("roles: [{name: Lead, enabled: true, owner: {type: IDENTITY, id: %s}}]", identity.ID)))
	out, _ = s.run(exitOK, "", "identities", "ownership", "bob")
	demand(t, out, "ROLE_OWNER", "Lead")
	out, _ = s.run(exitOK, "", "identities", "ownership", "bob", "-o", "json")
	demand(t, out, `"associationDetails"`, `"identityEntity"`)
	out, _ = s.run(exitOK, "", "identities", "ownership", "bob", "--all")
	const table = "LIST ID NAME TYPE roles ID Lead"
	if got := strings.Join(strings.Fields(anyID.ReplaceAllString(out, "ID")), " "); got != table {
		t.Errorf("got %q, want %q", got, table)
	}
	out, _ = s.run(exitOK, "", "identities", "ownership", "bob", "--all", "-o", "json")
	const owned = `{
  "accessProfiles": [],
  "apps": [],
  "entitlements": [],
  "fallbackApprover": false,
  "governanceGroups": [],
  "roles": [
    {
      "id": "ID",
      "name": "Lead"
    }
  ],
  "sources": [],
  "others": []
}
`
	if got := anyID.ReplaceAllString(out, "ID"); got != owned {
		t.Errorf("got %s", got)
	}
	out, errOut := s.run(exitFailed, "", "identities", "delete", "bob")
	demand(t, errOut, "muster: bob: Identity cannot be deleted as it is owner of following resources")
	demand(t, out, "ROLE_OWNER")
	_, errOut = s.run(exitUsage, "", "identities", "reassign", "bob", "ann", "--object", "Lead")
	demand(t, errOut, "a type and an ID are expected")
	_, errOut = s.run(exitFailed, "", "identities", "delete", "bob", "--new-owner", "nobody")
	demand(t, errOut, "nobody")
	out, _ = s.run(exitOK, "", "identities", "reassign", "bob", "ann")
	demand(t, out, "reassigned 1 objects")
	out, _ = s.run(exitOK, "", "identities", "reassign", "ann", "bob")
	demand(t, out, "reassigned 1 objects")
	s.run(exitOK, "", "identities", "protect", "bob")
	_, errOut = s.run(exitFailed, "", "identities", "delete", "bob")
	demand(t, errOut, "it is protected")
	s.run(exitOK, "", "identities", "protect", "bob", "--off")
	s.run(exitOK, "", "identities", "reset", "bob")
	out, _ = s.run(exitOK, "", "identities", "delete", "bob", "--new-owner", "ann")
	demand(t, out, "deleted "+identity.ID)
	out, _ = s.run(exitOK, "", "identities", "owned", "--filters", `owner.alias eq "ann"`)
	demand(t, out, "Lead")
	_, errOut = s.run(exitFailed, "", "identities", "delete", "bob")
	demand(t, errOut, "no identity")
	s.run(exitUsage, "", "identities", "delete")
}
