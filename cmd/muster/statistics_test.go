package main

import (
	"encoding/json"
	"testing"

	"github.com/muster-engine/muster/engine"
)

func TestStatisticsCommand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 2)
	out, _ := s.run(exitOK, "", "statistics")
	demand(t, out, "nobody has counted yet: muster statistics count")
	out, _ = s.run(exitOK, "", "statistics", "count")
	demand(t, out, "identities, counted at 2")
	out, _ = s.run(exitOK, "", "statistics", "-o", "json")
	var population engine.Population
	if err := json.Unmarshal([]byte(out), &population); err != nil || population.Identities == 0 || len(population.Groups) == 0 {
		t.Errorf("got %v, %s", err, out)
	}
	out, _ = s.run(exitOK, "", "statistics", "changes", "--days", "1", "-o", "csv")
	demand(t, out, "day,name,count\n", ",IDENTITY_CREATED,")
	out, _ = s.run(exitOK, "", "statistics", "accounts", "--of", "HR")
	demand(t, out, "HR")
	for _, args := range [][]string{{"statistics", "people"}, {"statistics", "--days", "3"}, {"statistics", "changes", "--of", "HR"},
		{"statistics", "changes", "--days", "0"}, {"statistics", "changes", "failed"}} {
		s.run(exitUsage, "", args...)
	}
}
