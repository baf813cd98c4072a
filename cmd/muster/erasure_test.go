package main

import (
	"encoding/json"
	"testing"

	"github.com/muster-engine/muster/engine"
)

func TestEraseCommand(t *testing.T) {
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
	_, errOut := s.run(exitUsage, "no\n", "identities", "erase", "bob", "--accounts")
	demand(t, errOut, "Type the ID "+identity.ID, "nothing was erased")
	s.run(exitUsage, "", "identities", "erase", "bob", "--accounts")
	_, errOut = s.run(exitFailed, "", "identities", "erase", "bob", "--yes")
	demand(t, errOut, "1 account is of the identity here")
	s.run(exitOK, "", "identities", "protect", "bob")
	_, errOut = s.run(exitFailed, "", "identities", "erase", "bob", "--accounts", "--yes")
	demand(t, errOut, "it is protected")
	s.run(exitOK, "", "identities", "protect", "bob", "--off")
	out, _ = s.run(exitOK, identity.ID+"\n", "identities", "erase", "bob", "--accounts")
	demand(t, out, "identities ", "1     removed", "identity_events", "erased "+identity.ID, "nothing is found any more")
	out, _ = s.run(exitOK, "", "identities", "erase", "cy", "--accounts", "--yes", "-o", "json")
	var erasure engine.Erasure
	if err := json.Unmarshal([]byte(out), &erasure); err != nil || len(erasure.Rows) == 0 || erasure.Left == nil {
		t.Errorf("got %v %s, want err == nil && len(erasure.Rows) != 0 && erasure.Left != nil", err, out)
	}
	s.run(exitFailed, "", "identities", "erase", identity.ID, "--yes")
}

func TestPurgeCommand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 2)
	out, _ := s.run(exitOK, "", "purge")
	demand(t, out, "removed 0 events, 0 operations, 0 tasks, 0 slots, 0 tokens", "0 days of statistics")
	s.exec("UPDATE muster.event_writes SET at = at - interval '40 days'")
	out, _ = s.run(exitOK, "", "purge", "--older-than", "50d")
	demand(t, out, "removed 0 events")
	out, _ = s.run(exitOK, "", "purge", "--older-than", "720h", "-o", "json")
	var result engine.PurgeResult
	if err := json.Unmarshal([]byte(out), &result); err != nil || result.Events == 0 || result.Tasks != 0 {
		t.Errorf("got %v %s, want err == nil && result.Events != 0 && result.Tasks == 0", err, out)
	}
	for _, age := range []string{"0d", "-1d", "x", "1y", "0s", "99999999d"} {
		_, errOut := s.run(exitUsage, "", "purge", "--older-than", age)
		demand(t, errOut, "365d or 720h")
	}
}
