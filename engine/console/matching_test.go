package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/console"
)

// What is done with all that match says how many those are, names a few, and does it by one run.
func TestMatching(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	const sales = `department eq "Sales"`
	list := s.get("/identities/?filters=" + url.QueryEscape(sales))
	for _, test := range []struct{ link, says, note string }{
		{"Process…", "identities are processed", "The processing was asked for"},
		{"Synchronize Attributes…", "get their attributes", "The synchronization of the attributes was asked for"},
		{"Invite…", "Those who are not registered are invited", "The invitation was asked for"},
	} {
		page := s.get(s.resolve(list, list.link(test.link))).shows(test.says, sales, "Bob Twain")
		tasks := s.CountRows("muster.tasks")
		path, _, _ := strings.Cut(s.resolve(list, list.link(test.link)), "?")
		after := s.post(path, url.Values{"filters": {sales}})
		if !strings.Contains(after.note(), test.note) || s.CountRows("muster.tasks") != tasks+1 ||
			after.url.Query().Get("filters") != sales {
			t.Errorf("%s: %s says %q", page.url, after.url, after.note())
		}
		s.get(path + "?filters=" + url.QueryEscape(`name eq "nobody"`)).shows("Nobody matches")
		s.get(path + "?filters=" + url.QueryEscape(`name eqq "x"`)).shows("^")
		s.do(http.MethodPost, path, url.Values{"filters": {`name eqq "x"`}}).demand(http.StatusBadRequest)
	}
	s.Process()
	everybody := s.get("/identities/")
	s.get(s.resolve(everybody, everybody.link("Invite…"))).shows("identities match")
	if note := s.post("/identities/invite-matching", url.Values{}).note(); !strings.Contains(note, "was asked for") {
		t.Errorf("the invitation of everybody says %q", note)
	}
	s.level = "HELPDESK"
	page := s.get("/identities/")
	page.hides("Synchronize Attributes…")
	s.do(http.MethodPost, "/identities/synchronize-matching", url.Values{}).demand(http.StatusForbidden)
}
