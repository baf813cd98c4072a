package console_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/enginetest"
)

// sourceID returns the ID of a source.
func (s *site) sourceID(name string) string {
	s.t.Helper()
	page, err := s.ListConfiguration(s.t.Context(), engine.TypeSource, engine.PageParams{Filters: `name eq "` + name + `"`})
	if err != nil || len(page.Items) != 1 {
		s.t.Fatalf("%s: %v", name, err)
	}
	return page.Items[0].ID
}

// firstRevision returns the version of the first revision, which others build on: it cannot be reverted.
func (s *site) firstRevision() string {
	s.t.Helper()
	revisions, err := s.ConfigurationRevisions(s.t.Context(), 0, engine.RevisionsMax)
	if err != nil || len(revisions) == 0 {
		s.t.Fatalf("there is no revision: %v", err)
	}
	return strconv.FormatInt(revisions[len(revisions)-1].Version, 10)
}

// entitlementID returns the ID of the first entitlement.
func (s *site) entitlementID() string {
	s.t.Helper()
	page, err := s.ListEntitlements(s.t.Context(), engine.EntitlementParams{})
	if err != nil || len(page.Items) == 0 {
		s.t.Fatalf("there is no entitlement: %v", err)
	}
	return page.Items[0].ID
}

// A source shows how it is and what its configuration says.
func TestSource(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	list := s.get("/sources/")
	page := s.get(s.resolve(list, list.link("Directory")))
	page.shows("identificationNumber", "emp", "groups", "several values", "entitlement", "10 %")
	s.get(s.resolve(page, page.link("Its uncorrelated accounts"))).shows("Nothing matches the filter.")
	s.get(s.resolve(page, page.link("Its accounts"))).shows("bobt")
	tested := s.do(http.MethodPost, s.resolve(page, page.link("Test the connection")), url.Values{})
	if tested.status == http.StatusSeeOther || tested.status >= http.StatusInternalServerError {
		t.Errorf("a source without a connector is tested: %d", tested.status)
	}
	done := s.post(s.resolve(page, page.link("Synchronize Attributes")), url.Values{})
	if !strings.Contains(done.note(), "synchronization of the attributes on the source was asked for") {
		t.Errorf("the page says %q", done.note())
	}
	s.do(http.MethodGet, "/sources/nobody/", nil).demand(http.StatusNotFound)
}

// The objects of the configuration show their documents, and who uses them.
func TestConfigurationObjects(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	roles := s.get("/configuration/?type=ROLE").shows("Sales", "Auditor")
	s.get("/configuration/?type=ROLE&name=sal").shows("Sales").hides("Auditor")
	s.get("/configuration/?type=ROLE&name=nothing").shows("No object is like that.")
	object := s.get(s.resolve(roles, roles.link("Sales"))).shows("membership: criteria:", "stringValue: Sales")
	if strings.Contains(object.text(), "{") {
		t.Errorf("the document is no plain YAML: %s", object.text())
	}
	s.get("/configuration/object?type=ACCESS_PROFILE&name=Sales+files").shows("Who uses it", "ROLE Sales accessProfiles")
	s.get("/configuration/object?type=ROLE&name=auditor").shows("No other object names it.")
	for _, gone := range []string{"type=ROLE&name=x", "type=SONG&name=x", ""} {
		a := s.do(http.MethodGet, "/configuration/object?"+gone, nil)
		if a.status != http.StatusNotFound && a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", gone, a.status)
		}
	}
	for _, kind := range []string{"SOURCE", "IDENTITY_PROFILE", "LIFECYCLE_STATE", "IDENTITY_ATTRIBUTE", "TRANSFORM",
		"ACCESS_PROFILE", "SETTINGS", "SONG"} {
		a := s.get("/configuration/?type=" + kind)
		checkPage(t, a)
		for _, n := range a.elements("a") {
			if href := attr(n, "href"); strings.HasPrefix(href, "object?") {
				checkPage(t, s.get(s.resolve(a, href)))
			}
		}
	}
}

// A change is proposed, seen, applied at the version that was seen, and reverted.
func TestProposal(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	sales := "type=ROLE&name=Sales"
	page := s.get("/configuration/object?" + sales)
	begin := s.get(s.resolve(page, page.link("Propose a change")))
	document := begin.elements("textarea")[0].FirstChild.Data
	if !strings.Contains(document, "roles:\n  - ") {
		t.Fatalf("the proposal begins with %q", document)
	}
	same := s.do(http.MethodPost, "/configuration/propose", url.Values{"documents": {document}}).demand(http.StatusOK)
	same.shows("Nothing: the configuration says that already.")
	changed := strings.ReplaceAll(document, "stringValue: Sales", "stringValue: Legal")
	seen := s.do(http.MethodPost, "/configuration/propose", url.Values{"documents": {changed}, "comment": {"they moved"}})
	seen.demand(http.StatusOK).shows("− stringValue: Sales", "+ stringValue: Legal", "Role Sales +1 −", "Cy Self", "Would change")
	checkPage(t, seen)
	if n := s.CountRows("muster.roles WHERE document::text LIKE '%Legal%'"); n != 0 {
		t.Fatal("a proposal was applied before anybody asked for it")
	}
	form := url.Values{}
	for _, n := range seen.elements("input") {
		if attr(n, "type") == "hidden" || attr(n, "name") == "comment" {
			form.Set(attr(n, "name"), attr(n, "value"))
		}
	}
	// Somebody changes the configuration meanwhile.
	s.ApplyText("roles: [{name: Other, enabled: true}]")
	late := s.do(http.MethodPost, "/configuration/apply", form).demand(http.StatusConflict)
	late.shows("It was not applied")
	for _, n := range late.elements("input") {
		if attr(n, "type") == "hidden" || attr(n, "name") == "comment" {
			form.Set(attr(n, "name"), attr(n, "value"))
		}
	}
	if held := form.Get("held"); held != "" {
		s.do(http.MethodPost, "/configuration/apply", form).demand(http.StatusBadRequest)
		form.Set("count", held)
	}
	done := s.post("/configuration/apply", form)
	if !strings.Contains(done.note(), "The configuration was changed.") {
		t.Errorf("the page says %q", done.note())
	}
	if n := s.CountRows("muster.roles WHERE document::text LIKE '%Legal%'"); n != 1 {
		t.Errorf("%d roles have the change", n)
	}
	revisions, err := s.ConfigurationRevisions(t.Context(), 0, 1)
	if err != nil || revisions[0].Comment != "they moved" || revisions[0].Actor.Via != "console" {
		t.Fatalf("the revision is %+v, %v", revisions, err)
	}
	revision := s.get(s.resolve(done, strconv.FormatInt(revisions[0].Version, 10)+"/")).shows("they moved",
		"− stringValue: Sales", "+ stringValue: Legal")
	checkPage(t, revision)
	reverted := s.post(s.resolve(revision, revision.link("Revert")), url.Values{})
	if !strings.Contains(reverted.note(), "was reverted") {
		t.Errorf("the page says %q", reverted.note())
	}
	if n := s.CountRows("muster.roles WHERE document::text LIKE '%Legal%'"); n != 0 {
		t.Errorf("%d roles still have the change", n)
	}
	again := s.do(http.MethodPost, s.resolve(revision, revision.link("Revert")), url.Values{}).demand(http.StatusConflict)
	again.shows("It was not reverted")
	checkPage(t, again)
	s.do(http.MethodGet, "/configuration/revisions/nothing/", nil).demand(http.StatusNotFound)
	s.do(http.MethodGet, "/configuration/revisions/999999/", nil).demand(http.StatusNotFound)
	siteOf(t, enginetest.NewEmpty(t), console.Config{}).get("/configuration/revisions/").shows("Nothing was changed yet.")
}

// A mistake in a proposal stands at the field, with what was typed.
func TestProposalMistakes(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	for _, wrong := range []string{"", "{", "roles: [{name: X, enabled: true, membership: {type: SONG}}]", "songs: []",
		"roles: [{name: X, enabled: true, accessProfiles: [{type: ACCESS_PROFILE, name: nothing}]}]", "<script>alert(1)</script>"} {
		for _, path := range []string{"/configuration/propose", "/configuration/apply"} {
			a := s.do(http.MethodPost, path, url.Values{"documents": {wrong}, "version": {"1"}})
			if a.status != http.StatusBadRequest && a.status != http.StatusConflict {
				t.Errorf("%s of %q: %d", path, wrong, a.status)
				continue
			}
			if checkPage(t, a); len(a.elements("textarea")) != 1 || strings.Contains(a.body, "<script>alert") {
				t.Errorf("%s of %q: the field is lost", path, wrong)
			}
		}
	}
	if n := s.CountRows("muster.roles WHERE name = 'X'"); n != 0 {
		t.Error("a mistake was applied")
	}
}

// Health shows the schedule, the engines, and what the doctor finds when somebody asks.
func TestHealth(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	s.get("/health/").shows("Schedule", "No engine works right now", "No slot was begun yet.").hides("checks found nothing")
	found := s.get("/health/?doctor=1").shows("checks found nothing")
	checkPage(t, found)
	if _, err := s.Pool.Exec(t.Context(), `UPDATE muster.identities SET correlated = NOT correlated
		WHERE alias = 'bob'`); err != nil {
		t.Fatal(err)
	}
	s.get("/health/?doctor=1").shows("Something is wrong", s.ID("bob"))
	s.level = "HELPDESK"
	s.do(http.MethodGet, "/health/", nil).demand(http.StatusForbidden)
}
