package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/filterql/searchql"
	"github.com/muster-engine/muster/store"
)

// Each type of event, and each kind of operation that is carried out, has a form in the search.
func TestEveryEventHasAForm(t *testing.T) {
	t.Parallel()
	forms := map[string]bool{}
	for _, f := range store.EventForms() {
		if forms[f.Type+f.Kind] {
			t.Errorf("%s %s is there twice", f.Type, f.Kind)
		}
		forms[f.Type+f.Kind] = true
		if f.TechnicalName() == "" || f.Name() == "" || strings.ContainsAny(f.Action(), " _") {
			t.Errorf("the names of %+v: %s, %s, %s", f, f.TechnicalName(), f.Name(), f.Action())
		}
	}
	for _, name := range event.Types() {
		if name != event.TypeProvisioned && !forms[name] {
			t.Errorf("%s has no form", name)
		}
	}
	for _, kind := range connector.Kinds() {
		if !forms[event.TypeProvisioned+string(kind)] {
			t.Errorf("%s of %s has no form", event.TypeProvisioned, kind)
		}
	}
}

// What happened to identities is found as events, one by one.
func TestSearchEvents(t *testing.T) {
	t.Parallel()
	c := searchCompany(t)
	if _, err := c.SetLifecycleState(t.Context(), c.ID("cy"), "leave"); err != nil {
		t.Fatal(err)
	}
	bob := c.ID("bob")
	c.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Bob,Twain", "Robert,Twain"), engine.AggregateOptions{})
	c.Process()
	everything := eventSearch(t, c, "*")
	checkEvents(t, c, everything)
	for query, want := range map[string]string{
		`technicalName:IDENTITY_CREATE_PASSED AND target.name:ann`:                       "Create Identity Passed/ann",
		`target.name:bob AND operation:modify AND objects:attributes AND details:robert`: "Modify Identity Attributes Passed/bob",
		`type:identity_management AND action:SetIdentityLifecycleState`:                  "Set Identity Lifecycle State Passed/cy",
		`target.id:` + bob + ` AND technicalName:IDENTITY_CREATE_*`:                      "Create Identity Passed/bob",
		`name:"Create Account Failed" AND created: [now-90d TO now]`:                     "",
		`attributes.eventType:IDENTITY_LIFECYCLE_STATE_SET`:                              "Set Identity Lifecycle State Passed/cy",
		`created:>now`:  "",
		`status:FAILED`: "",
	} {
		var names []string
		for _, d := range eventSearch(t, c, query) {
			names = append(names, fmt.Sprint(d["name"], "/", memberOf(d, "target.name")))
		}
		slices.Sort(names)
		if got := strings.Join(slices.Compact(names), " "); got != want {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
	id := everything[0]["id"].(string)
	document, err := c.SearchDocument(t.Context(), "events", id)
	if err != nil || document["id"] != id || document["_type"] != "event" {
		t.Errorf("%s is %v: %v", id, document, err)
	}
	if _, err := c.SearchDocument(t.Context(), "events", strings.Repeat("0", 32)); engine.KindOf(err) != engine.NotFound {
		t.Errorf("an event that is not there: %v", err)
	}
}

func eventSearch(t *testing.T, c *enginetest.Company, query string) []engine.SearchHit {
	t.Helper()
	page, err := c.Search(t.Context(), engine.SearchRequest{Indices: []string{"events"},
		Query: &engine.SearchText{Query: query}, Sort: []string{"-created", "id"}})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return page.Documents
}

// checkEvents holds documents against the history, and against the evaluator of the language.
func checkEvents(t *testing.T, c *enginetest.Company, documents []engine.SearchHit) {
	t.Helper()
	want := 0
	log, err := c.EventLog(t.Context(), engine.EventQuery{Limit: engine.HistoryMax})
	if err != nil {
		t.Fatal(err)
	}
	for i := range log {
		want += len(log[i].Types)
		if n := len(log[i].Detail.Provisioned); n > 0 {
			want += n - 1
		}
	}
	if len(documents) != want || want < 10 {
		t.Errorf("%d documents are found, the history has %d", len(documents), want)
	}
	indexes, err := store.NewSearchIndexes(&store.SearchSetup{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(indexes, func(x *store.SearchIndex) bool { return x.Name == "events" })
	for _, query := range []string{`ann`, `IDENTITY_CREATE_PASSED`, `details:*sales*`, `objects:roles`, `NOT objects:roles`,
		`attributes.taskId:*`, `actor.name:system`, `technicalName.exact:IDENTITY_CREATE_PASSED OR action:Modify*`} {
		checked, err := searchql.ParseQuery(query, indexes[i].Schema, searchql.Options{Now: searchNow})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, d := range documents {
			if checked.Eval(d) {
				n++
			}
		}
		if got := len(eventSearch(t, c, query)); got != n {
			t.Errorf("%s finds %d, and is true of %d", query, got, n)
		}
	}
}
