package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/muster-engine/muster/engine/console"
)

// fields returns the hidden fields of the form on a page with an action.
func (a *answer) fields(action string) url.Values {
	a.t.Helper()
	for _, form := range a.elements("form") {
		if attr(form, "action") != action || attr(form, "method") != "post" {
			continue
		}
		fields := url.Values{}
		for n := range form.Descendants() {
			if n.Type == html.ElementNode && n.Data == "input" && attr(n, "type") == "hidden" {
				fields.Add(attr(n, "name"), attr(n, "value"))
			}
		}
		return fields
	}
	a.t.Fatalf("%s has no form %q", a.url, action)
	return nil
}

// A form that is sent twice is done once, whoever sends it again; one that was refused can be sent again.
func TestFormIsDoneOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	bob := "/identities/" + s.ID("bob") + "/"
	fields := s.get("/identities/").fields("process")
	if fields.Get("form-key") == "" {
		t.Fatal("the form has no key")
	}
	fields.Set("id", s.ID("bob"))
	tasks := s.CountRows("muster.tasks")
	first := s.post("/identities/process", fields)
	s.Process()
	again := s.post("/identities/process", fields)
	if !strings.Contains(first.note(), "was asked for") || !strings.Contains(again.note(), "done once") {
		t.Errorf("the first says %q, the second %q", first.note(), again.note())
	}
	if n := s.CountRows("muster.tasks"); n != tasks+1 {
		t.Errorf("%d runs were launched, want one", n-tasks)
	}
	fields.Set("id", s.ID("ann")) // asks for something else
	if s.post("/identities/process", fields); s.CountRows("muster.tasks") != tasks+2 {
		t.Error("another request of the same page was not done")
	}
	// Every form of a page has its key, and a page has as many as it has forms.
	for _, page := range []string{bob, bob + "lifecycle", "/sources/" + s.sourceID("HR") + "/"} {
		a := s.get(page)
		for _, form := range a.elements("form") {
			if attr(form, "method") == "post" && a.fields(attr(form, "action")).Get("form-key") == "" {
				t.Errorf("%s: the form %q has no key", page, attr(form, "action"))
			}
		}
	}
	refused := s.get(bob + "delete").fields("delete")
	refused.Set("alias", "nobody")
	s.do(http.MethodPost, bob+"delete", refused).demand(http.StatusBadRequest)
	s.do(http.MethodPost, bob+"delete", refused).demand(http.StatusBadRequest).shows("Type the account")
}

// A form whose page is older than its object says so, and changes nothing.
func TestOldPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	bob := "/identities/" + s.ID("bob") + "/"
	states, levels := s.get(bob+"lifecycle").fields("lifecycle"), s.get(bob+"levels").fields("levels")
	deletion := s.get(bob + "delete").fields("delete")
	profile := "/identity-profiles/" + s.profileID() + "/invitation"
	invitation := s.get(profile).fields("invitation")

	s.post(bob+"lifecycle", url.Values{"state": {"leave"}})
	s.post(bob+"levels", url.Values{"level": {"HELPDESK"}})
	s.post(profile, url.Values{"address": {"PERSONAL"}})
	states.Set("state", "active")
	levels.Set("level", "CERT_ADMIN")
	deletion.Set("alias", "bob")
	invitation.Set("address", "WORK")
	for path, form := range map[string]url.Values{bob + "lifecycle": states, bob + "levels": levels,
		bob + "delete": deletion, profile: invitation} {
		a := s.do(http.MethodPost, path, form).demand(http.StatusConflict).shows("has changed since your page was made")
		s.get(s.resolve(a, a.link("Look at it again")))
	}
	given, err := s.UserLevels(t.Context(), s.ID("bob"))
	if err != nil || strings.Join(given, ",") != "HELPDESK" {
		t.Errorf("the levels are %q, %v", given, err)
	}
	now := s.get(bob + "levels").fields("levels")
	now.Set("level", "CERT_ADMIN")
	s.post(bob+"levels", now)
}
