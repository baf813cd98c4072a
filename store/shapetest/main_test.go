package shapetest

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/store/storetest"
)

func TestMain(m *testing.M) {
	recordings = os.Getenv(recordVariable)
	if err := os.Unsetenv(recordVariable); err != nil { // these tests are not recorded
		panic(err)
	}
	storetest.Main(m)
}

// Each shape refuses what breaks it, and nothing else does; and takes what is mended.
func TestShapes(t *testing.T) {
	t.Parallel()
	c := readCatalogue(t, withShaped(t))
	for _, rule := range shapes {
		for _, text := range rule.broken {
			if list := faultsOf(t, c, text); !slices.ContainsFunc(list, func(fault string) bool {
				return strings.HasPrefix(fault, rule.name+": ")
			}) {
				t.Errorf("%s: it passes for right, but for %q:\n%s", rule.name, list, text)
			}
		}
		for _, text := range rule.mended {
			if list := faultsOf(t, c, text); len(list) > 0 {
				t.Errorf("%s: it is refused as %q:\n%s", rule.name, list, text)
			}
		}
	}
}

// The rules hold for a tenant whose schemas have other names.
func TestShapesOfOtherSchemas(t *testing.T) {
	t.Parallel()
	c := readCatalogue(t, storetest.Pool(t))
	const text = `SELECT t.id FROM acme.tasks t JOIN acme_jobs.river_job j ON j.id = t.job_id`
	if list := faultsOf(t, c, text); len(list) != 1 {
		t.Errorf("the faults are %q, want one", list)
	}
	s, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	want := `SELECT t.id FROM muster.tasks t JOIN muster_jobs.river_job j ON j.id = t.job_id`
	if got := c.normal(s); got != want {
		t.Errorf("the statement is\n%s\nwant\n%s", got, want)
	}
}

// Every statement that tests make Muster send has the shapes.
func TestStatements(t *testing.T) {
	t.Parallel()
	c := readCatalogue(t, storetest.Pool(t))
	demandShapes(t, c, readCorpus(t, c).senders)
}

// Every constant statement of package store has the shapes. It needs no recorded statements.
func TestConstants(t *testing.T) {
	t.Parallel()
	from := map[string][]string{}
	for text, place := range readSource(t).constants {
		from[text] = []string{place}
	}
	demandShapes(t, readCatalogue(t, storetest.Pool(t)), from)
}

func demandShapes(t *testing.T, c *catalogue, from map[string][]string) {
	t.Helper()
	counts := map[string]int{}
	for _, text := range slices.Sorted(maps.Keys(from)) {
		s, err := parse(text)
		if err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(from[text], ", "), err, text)
			continue
		}
		for _, fault := range faults(s, c) {
			name, what, _ := strings.Cut(fault, ": ")
			rule := shapes[slices.IndexFunc(shapes, func(r shape) bool { return r.name == name })]
			counts[name]++
			t.Errorf("%s\n%s: %s\n  reason: %s\n  cure: %s\n  %s", strings.Join(from[text], ", "), name, what, rule.reason,
				rule.cure, line(text))
		}
	}
	t.Logf("%d statements; faults: %v", len(from), counts)
}

// unsent are the functions of package store that no recorded test calls, with the reason. One that is called is a
// fault.
var unsent = map[string]string{}

// Tests send every statement of package store: what none sends would have any shape.
func TestEveryStatementIsSent(t *testing.T) {
	t.Parallel()
	c := readCatalogue(t, storetest.Pool(t))
	sent, written := readCorpus(t, c), readSource(t)
	var everything strings.Builder
	for text := range sent.senders {
		everything.WriteString(line(text) + "\n")
	}
	for text, place := range written.constants {
		if !strings.Contains(everything.String(), strings.TrimSuffix(line(text), ";")) {
			t.Errorf("%s: no test sends\n  %s", place, line(text))
		}
	}
	for name, place := range written.functions {
		if sent.called[name] == (unsent[name] != "") {
			t.Errorf("%s: %s sends statements: called by a test %v, expected not to be: %q", place, name, sent.called[name],
				unsent[name])
		}
	}
	if len(written.functions) < 100 || len(written.constants) < 100 {
		t.Errorf("%d functions and %d constants were found in package store", len(written.functions), len(written.constants))
	}
}

func faultsOf(t *testing.T, c *catalogue, text string) []string {
	t.Helper()
	s, err := parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return faults(s, c)
}
