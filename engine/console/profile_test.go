package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/enginetest"
)

// profileID returns the ID of the company's identity profile.
func (s *site) profileID() string {
	s.t.Helper()
	o, err := s.ConfigurationObject(s.t.Context(), engine.TypeIdentityProfile, "Employees")
	if err != nil {
		s.t.Fatal(err)
	}
	return o.ID
}

// A profile shows its mappings, which are tried on a person, and its lifecycle states.
func TestIdentityProfiles(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	list := s.get("/identity-profiles/").shows("Employees", "HR", "the work address")
	page := s.get(s.resolve(list, list.link("Employees"))).shows("department", "HR.dept", "login", "Directory.sam")
	page.hides("Sales")
	at := "/identity-profiles/" + s.profileID() + "/"
	s.AggregateText("HR", enginetest.PeopleHeader+"bob,Bob Twain,Bob,Twain,bob@example.com,Legal,ayse,41,leave\n",
		engine.AggregateOptions{Delta: true})
	s.get(at+"?person=bob").shows("As it is calculated now for Bob Twain", "Legal", "stored: Sales", "accountAttribute")
	for _, nobody := range []string{"nobody", "%3Cb%3E"} {
		wrong := s.do(http.MethodGet, at+"?person="+nobody, nil).demand(http.StatusBadRequest)
		wrong.shows("No identity, or not one alone, has this ID or account.")
		checkPage(t, wrong)
	}
	s.get(s.resolve(page, page.link("Lifecycle States"))).shows("On leave", "leave", "INACTIVE_LONG_TERM")
	s.do(http.MethodGet, "/identity-profiles/nobody/", nil).demand(http.StatusNotFound)
	s.level = "HELPDESK"
	s.do(http.MethodGet, "/identity-profiles/", nil).demand(http.StatusForbidden)
	siteOf(t, enginetest.NewEmpty(t), console.Config{}).get("/identity-profiles/").shows("There is no identity profile yet")
}

// The Invitation Options say where invitations go, and change nothing else of the profile.
func TestInvitationOptions(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	profile := func() map[string]any {
		t.Helper()
		o, err := s.ConfigurationObject(t.Context(), engine.TypeIdentityProfile, "Employees")
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal(o.Object, &members); err != nil {
			t.Fatal(err)
		}
		return members
	}
	before := profile()
	at := "/identity-profiles/" + s.profileID() + "/invitation"
	checked := func(a *answer) (value string) {
		for _, n := range a.elements("input") {
			if attr(n, "type") == "radio" && hasAttr(n, "checked") {
				value += attr(n, "value")
			}
		}
		return value
	}
	if got := checked(s.get(at)); got != "WORK" {
		t.Errorf("at first %q is chosen", got)
	}
	done := s.post(at, url.Values{"address": {"PERSONAL"}})
	if got := checked(done); got != "PERSONAL" || !strings.Contains(done.note(), "from now on") {
		t.Errorf("%q is chosen, and the page says %q", got, done.note())
	}
	after := profile()
	if options, _ := after["invitationOptions"].(map[string]any); options["address"] != "PERSONAL" {
		t.Errorf("the profile has %v", after["invitationOptions"])
	}
	delete(after, "invitationOptions")
	delete(before, "invitationOptions")
	b, a := asJSON(t, before), asJSON(t, after)
	if b != a {
		t.Errorf("the profile was\n%s\nand is\n%s", b, a)
	}
	if n := s.CountRows("muster.lifecycle_states"); n == 0 {
		t.Error("the lifecycle states are gone")
	}
	revisions, err := s.ConfigurationRevisions(t.Context(), 0, 1)
	if err != nil || len(revisions) != 1 || revisions[0].Actor.Via != "console" {
		t.Errorf("the revision is %+v, %v", revisions, err)
	}
	if again := s.post(at, url.Values{"address": {"PERSONAL"}}); !strings.Contains(again.note(), "nothing was changed") {
		t.Errorf("the page says %q", again.note())
	}
	s.do(http.MethodPost, at, url.Values{"address": {"PIGEON"}}).demand(http.StatusBadRequest)
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
