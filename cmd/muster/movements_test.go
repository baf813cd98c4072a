package main

import (
	"strings"
	"testing"
)

func TestMovementsCommand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := staffed(t, 2)
	out, _ := s.run(exitOK, "", "movements", "joined", "-o", "csv")
	if strings.Count(out, ",joined,") != 3 {
		t.Errorf("want three who joined: %s", out)
	}
	out, errOut := s.run(exitOK, "", "movements", "--limit", "1")
	demand(t, out, "joined")
	demand(t, errOut, "there may be more: --after ")
	after := strings.TrimSpace(errOut[strings.LastIndex(errOut, " "):])
	out, _ = s.run(exitOK, "", "movements", "--after", after)
	if strings.Count(out, "joined") != 2 {
		t.Errorf("behind the first one: %s", out)
	}
	for _, args := range [][]string{{"lost"}, {"--since", "x"}, {"--limit", "251"}, {"--after", "x"}} {
		s.run(exitUsage, "", append([]string{"movements"}, args...)...)
	}
}
