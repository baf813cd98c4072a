package main

import (
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
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
	for want, args := range map[string][]string{"joined, moved or left is": {"lost"}, "2026-01-31": {"--since", "x"},
		"1 to 250": {"--limit", "251"}, "0 is given": {"--limit", "0"}, "no ID": {"--after", "x"},
		`did you mean "department"?`: {"--attributes", "departmen"}} {
		_, errOut = s.run(exitUsage, "", append([]string{"movements"}, args...)...)
		demand(t, errOut, want)
	}
	for _, ancient := range []string{"1900-01-01", "0001-01-01", "1969-12-31T23:00:00Z"} {
		if out, _ = s.run(exitOK, "", "movements", "--since", ancient, "-o", "csv"); strings.Count(out, "joined") != 3 {
			t.Errorf("since %s: %s", ancient, out)
		}
		if out, _ = s.run(exitOK, "", "history", "--since", ancient); !strings.Contains(out, "TIME (UTC)") ||
			strings.Count(out, "IDENTITY_CREATED") != 3 {
			t.Errorf("the history since %s: %s", ancient, out)
		}
		if out, _ = s.run(exitOK, "", "history", "--until", ancient); strings.Contains(out, "IDENTITY_CREATED") {
			t.Errorf("the history until %s: %s", ancient, out)
		}
	}
	// A time without a zone is the tenant's, in which a table shows it.
	s.run(exitOK, "settings: {timeZone: Pacific/Kiritimati}", "apply", "-f", "-") // 14 hours ahead
	here := time.Now().In(time.FixedZone("", 14*60*60))
	soon, before := here.Add(2*time.Hour).Format("2006-01-02T15:04"), here.Add(-2*time.Hour).Format("2006-01-02T15:04")
	if out, _ = s.run(exitOK, "", "movements", "--since", before, "--until", soon); strings.Count(out, "joined") != 3 ||
		!strings.Contains(out, "TIME (Pacific/Kiritimati)") {
		t.Errorf("from %s to %s: %s", before, soon, out)
	}
	if out, _ = s.run(exitOK, "", "history", "--since", soon); strings.Contains(out, "IDENTITY_CREATED") {
		t.Errorf("since %s: %s", soon, out)
	}
	out, errOut = s.run(exitOK, "", "history", "--limit", "2", "-o", "csv")
	demand(t, errOut, "there may be more: --before ")
	for _, row := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
		demand(t, row, here.Format("2006"), "+14:00,", "IDENTITY_")
	}
}

func TestOperationsCSV(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 31, 8, 0, 1, 0, time.UTC)
	long := strings.Repeat("x", 200)
	var attributes attribute.Set
	attributes.Put("memberOf", attribute.String(long))
	var out strings.Builder
	a := newApp(func(string) string { return "" }, nil, &out, &out)
	list := []engine.Operation{{ID: "1", Created: created, Attributes: attributes}}
	if err := a.printOperations(list, outputCSV); err != nil {
		t.Fatal(err)
	}
	demand(t, out.String(), "2026-01-31T08:00:01Z", long)
	out.Reset()
	if err := a.printOperations(list, outputTable); err != nil {
		t.Fatal(err)
	}
	demandNone(t, out.String(), long)
}
