package console_test

import (
	"encoding/csv"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/muster-engine/muster/engine/console"
)

// counted counts the statistics of the site.
func (s *site) counted() {
	s.t.Helper()
	if err := s.CountStatistics(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// plotsOf returns the plots of a page by their IDs: the section, and the drawing, which is nil for none.
func plotsOf(a *answer) map[string][2]*html.Node {
	plots := map[string][2]*html.Node{}
	for _, section := range a.elements("section") {
		if !slices.Contains(strings.Fields(attr(section, "class")), "plotted") {
			continue
		}
		found := [2]*html.Node{section}
		for n := range section.Descendants() {
			if n.Type == html.ElementNode && n.Data == "svg" {
				found[1] = n
			}
		}
		plots[strings.TrimPrefix(attr(section, "aria-labelledby"), "plot-")] = found
	}
	return plots
}

// rowsOf returns the rows of the table below a node.
func rowsOf(section *html.Node) (rows []string) {
	for n := range section.Descendants() {
		if n.Type == html.ElementNode && n.Data == "tr" {
			var cells []string
			for cell := range n.ChildNodes() {
				if cell.Type == html.ElementNode {
					cells = append(cells, textOf(cell))
				}
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
	}
	return rows
}

// elementsMax is how many elements a page has at most.
const elementsMax = 2500

// Home has four plots, each with the numbers that it shows, as a table and as a file.
func TestPlotsOfHome(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	hostile := `<script>alert(1)</script>"'` + "\u202e"
	execute := func(statement string, arguments ...any) {
		t.Helper()
		if _, err := s.Pool.Exec(t.Context(), statement, arguments...); err != nil {
			t.Fatal(err)
		}
	}
	// Before anybody has counted, each says so.
	a := s.get("/").demand(http.StatusOK)
	checkPage(t, a)
	for id, p := range plotsOf(a) {
		if id != "durations" && (p[1] != nil || !strings.Contains(textOf(p[0]), "Nobody has counted yet")) {
			t.Errorf("%s before the first count: %s", id, textOf(p[0]))
		}
	}

	execute(`UPDATE muster.sources SET name = $1, document = jsonb_set(document, '{name}', to_jsonb($1::text)) WHERE name = 'Directory'`,
		hostile)
	execute(`UPDATE muster.provisioning_operations SET state = 'FAILED', completed = now()
		WHERE id = (SELECT o.id FROM muster.provisioning_operations o JOIN muster.sources s ON s.id = o.source_id WHERE s.name = $1 LIMIT 1)`,
		hostile)
	execute(`UPDATE muster.tasks SET completion_status = 'ERROR', description = $1
		WHERE id = (SELECT id FROM muster.tasks WHERE completed IS NOT NULL LIMIT 1)`, hostile)
	s.counted()
	execute(`INSERT INTO muster.statistics_days SELECT 'POPULATION', day - 3, counted FROM muster.statistics_days WHERE kind = 'POPULATION'`)
	execute(`INSERT INTO muster.daily_statistics SELECT kind, day - 3, object_id, 'gone', state, 2 FROM muster.daily_statistics
		WHERE kind = 'POPULATION' LIMIT 1`)
	s.counted()
	a = s.get("/").demand(http.StatusOK)
	checkPage(t, a)
	plots := plotsOf(a)
	for id, want := range map[string]string{"population": "Identities by lifecycle state: on ", "changes": "Changes by type on 30 days: ",
		"failed": "Operations that failed on 7 days, by source: 1 in all (" + hostile, "durations": " runs of 14 days by their start"} {
		p := plots[id]
		if p[1] == nil {
			t.Errorf("%s is not drawn: %s", id, a.text())
			continue
		}
		if name := attr(p[1], "aria-label"); attr(p[1], "role") != "img" || !strings.Contains(name, want) {
			t.Errorf("%s is called %q, want %q", id, name, want)
		}
		if attr(p[1], "width") == "" || attr(p[1], "height") == "" {
			t.Errorf("%s has no size of its own", id)
		}
		if rows := rowsOf(p[0]); len(rows) < 2 {
			t.Errorf("%s has the table %q", id, rows)
		}
	}
	// The days between that nobody counted are there, and are not zero.
	rows := rowsOf(plots["population"][0])
	if len(rows) != 5 || !strings.Contains(rows[2], "not counted") || strings.Contains(rows[2], "|0") || strings.Contains(rows[4], "not counted") {
		t.Errorf("the population: %q", rows)
	}
	count := 0
	for n := range a.document.Descendants() {
		if n.Type == html.ElementNode {
			count++
		}
	}
	if count > elementsMax {
		t.Errorf("the page has %d elements, want at most %d", count, elementsMax)
	}
	if strings.Contains(a.body, "<script>alert") {
		t.Error("a name became markup")
	}

	// The files are linked, and have the numbers of the tables.
	for id, p := range plots {
		var link string
		for n := range p[0].Descendants() {
			if hasAttr(n, "download") {
				link = s.resolve(a, attr(n, "href"))
			}
		}
		file := s.get(link).demand(http.StatusOK)
		records, err := csv.NewReader(strings.NewReader(file.body)).ReadAll()
		if err != nil || len(records) < 2 {
			t.Errorf("%s: %v in %q", id, err, file.body)
			continue
		}
		today := time.Now().UTC().Format(time.DateOnly)
		switch id {
		case "failed":
			if last := records[len(records)-1]; last[0] != today || last[2] != hostile || last[3] != "1" {
				t.Errorf("the file of failed operations ends with %q", last)
			}
		case "durations":
			if !slices.ContainsFunc(records, func(r []string) bool { return r[1] == hostile && r[7] == "ERROR" }) {
				t.Errorf("the file of runs: %q", records)
			}
		}
	}
	s.do(http.MethodGet, "/statistics/export.csv?plot=people", nil).demand(http.StatusNotFound)
	s.do(http.MethodGet, "/runs/export.csv?days=x", nil).demand(http.StatusBadRequest)

	s.header["Accept-Language"] = "de"
	german := plotsOf(s.get("/").demand(http.StatusOK))
	if name := attr(german["population"][1], "aria-label"); !strings.Contains(name, "Identitäten nach Lebenszyklusstatus") {
		t.Errorf("in German the population is called %q", name)
	}
}

// The pages of a role and of a source have a plot once somebody has counted.
func TestPlotsOfObjects(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	ids := s.ids()
	pages := map[string]string{"members": "/roles/" + ids["roles"] + "/members", "accounts": "/sources/" + ids["sources"] + "/"}
	for id, page := range pages {
		if len(plotsOf(s.get(page).demand(http.StatusOK))) != 0 {
			t.Errorf("%s has a plot before the first count", id)
		}
	}
	s.counted()
	for id, page := range pages {
		a := s.get(page).demand(http.StatusOK)
		checkPage(t, a)
		if p := plotsOf(a)[id]; p[1] == nil || len(rowsOf(p[0])) != 2 {
			t.Errorf("%s: %s", page, a.text())
		}
	}
}
