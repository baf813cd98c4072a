package main

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestDeleteAndOwnershipCommands(t *testing.T) {
	t.Parallel()
	s := staffed(t, 2)
	out, _ := s.run(exitOK, "", "identities", "get", "2")
	var identity struct{ ID string }
	if err := json.Unmarshal([]byte(out), &identity); err != nil {
		t.Fatal(err)
	}
	s.run(exitOK, "", "apply", "-f", s.file("owned.yaml",
		fmt.Sprintf("roles: [{name: Lead, enabled: true, owner: {type: IDENTITY, id: %s}}]", identity.ID)))
	out, _ = s.run(exitOK, "", "identities", "ownership", "2")
	demand(t, out, "ROLE_OWNER", "Lead")
	out, _ = s.run(exitOK, "", "identities", "ownership", "2", "-o", "json")
	demand(t, out, `"associationDetails"`, `"identityEntity"`)
	out, _ = s.run(exitOK, "", "identities", "ownership", "2", "--all")
	if got := anyID.ReplaceAllString(out, "ID"); got != "roles\tID\tLead\n" {
		t.Errorf("got %q", got)
	}
	out, _ = s.run(exitOK, "", "identities", "ownership", "2", "--all", "-o", "json")
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
	out, errOut := s.run(exitFailed, "", "identities", "delete", "2")
	demand(t, errOut, "muster: 2: Identity cannot be deleted as it is owner of following resources")
	demand(t, out, "ROLE_OWNER")
	_, errOut = s.run(exitUsage, "", "identities", "reassign", "2", "1", "--object", "Lead")
	demand(t, errOut, "a type and an ID are expected")
	out, _ = s.run(exitOK, "", "identities", "reassign", "2", "1")
	demand(t, out, "reassigned 1 objects")
	s.run(exitOK, "", "identities", "protect", "2")
	_, errOut = s.run(exitFailed, "", "identities", "delete", "2")
	demand(t, errOut, "it is protected")
	s.run(exitOK, "", "identities", "protect", "2", "--off")
	s.run(exitOK, "", "identities", "reset", "2")
	out, _ = s.run(exitOK, "", "identities", "delete", "2")
	demand(t, out, "deleted "+identity.ID)
	_, errOut = s.run(exitFailed, "", "identities", "delete", "2")
	demand(t, errOut, "no identity")
	s.run(exitUsage, "", "identities", "delete")
}
