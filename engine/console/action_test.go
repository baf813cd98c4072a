package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/enginetest"
)

// The lifecycle state is set by hand, with what it does in view, and left to the calculation again.
func TestLifecycleState(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	dee := "/identities/" + s.ID("dee") + "/"
	page := s.get(dee)
	ask := s.get(s.resolve(page, page.link("Set the lifecycle state…"))).shows("On leave", "active", "As it is calculated")
	if done := s.post(s.resolve(ask, ask.link("Set")), url.Values{"state": {"leave"}}); !strings.Contains(done.note(), "by hand") {
		t.Errorf("the page says %q", done.note())
	}
	s.Process()
	s.get(dee).shows("leave · set by hand")
	if done := s.post(dee+"lifecycle", url.Values{"state": {""}}); !strings.Contains(done.note(), "calculated again") {
		t.Errorf("the page says %q", done.note())
	}
	s.Process()
	s.get(dee).hides("leave · set by hand")
	wrong := s.do(http.MethodPost, dee+"lifecycle", url.Values{}).demand(http.StatusBadRequest)
	checkPage(t, wrong.shows("Choose a state."))
	s.do(http.MethodPost, dee+"lifecycle", url.Values{"state": {"dancing"}}).demand(http.StatusNotFound)
}

// The user levels are those that are ticked.
func TestUserLevels(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	bob := s.ID("bob")
	if err := s.SetUserLevels(t.Context(), bob, []string{"OWN"}); err != nil {
		t.Fatal(err)
	}
	at := "/identities/" + bob + "/levels"
	s.get(at).shows("HELPDESK", "OWN")
	s.post(at, url.Values{"level": {"HELPDESK", "OWN"}})
	if levels, err := s.UserLevels(t.Context(), bob); err != nil || strings.Join(levels, " ") != "HELPDESK OWN" {
		t.Errorf("the levels are %q, %v", levels, err)
	}
	s.post(at, url.Values{})
	if levels, err := s.UserLevels(t.Context(), bob); err != nil || len(levels) != 0 {
		t.Errorf("the levels are %q, %v", levels, err)
	}
	s.level = "HELPDESK"
	s.do(http.MethodPost, at, url.Values{"level": {"ORG_ADMIN"}}).demand(http.StatusForbidden)
}

// An identity is deleted when its account is typed, and what it owns goes to another one in the same transaction.
func TestDeleteIdentity(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	bob := s.ID("bob")
	owned := engine.OwnedObject{Kind: "CAMPAIGN", ID: "1", Name: "Spring", Owner: bob}
	if err := s.RegisterOwned(t.Context(), owned); err != nil {
		t.Fatal(err)
	}
	at := "/identities/" + bob + "/delete"
	s.get(at).shows("2 accounts become nobody's", "Directory : bobt", "1 role is lost.", "Spring", "Who gets what it owns")
	for _, wrong := range []url.Values{{}, {"alias": {"ann"}, "owner": {"ann"}}, {"alias": {"bob"}},
		{"alias": {"bob"}, "owner": {"nobody"}}, {"alias": {"bob"}, "owner": {"bob"}}} {
		a := s.do(http.MethodPost, at, wrong).demand(http.StatusBadRequest)
		checkPage(t, a)
		s.Identity("bob")
	}
	done := s.post(at, url.Values{"alias": {"bob"}, "owner": {"ann"}})
	if !strings.Contains(done.note(), "was deleted") || strings.Contains(done.note(), "Bob") {
		t.Errorf("the page says %q", done.note())
	}
	s.do(http.MethodGet, "/identities/"+bob+"/", nil).demand(http.StatusNotFound).shows("This identity was deleted.")
	if o, err := s.Owns(t.Context(), s.ID("ann")); err != nil || !strings.Contains(asJSON(t, o), "Spring") {
		t.Errorf("the new owner has %s, %v", asJSON(t, o), err)
	}
	ayse := s.ID("ayse")
	s.post("/identities/"+ayse+"/protect", url.Values{})
	kept := s.post("/identities/"+ayse+"/delete", url.Values{"alias": {"ayse"}})
	if !strings.Contains(kept.note(), "protected") {
		t.Errorf("the page says %q", kept.note())
	}
	checkPage(t, s.get("/identities/"+ayse+"/delete").shows("End the protection first."))
}

// What failed is tried again, one by one or all of it, as far as it is still wanted.
func TestRetry(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	id := s.ids()["operations"]
	fail := `UPDATE muster.provisioning_operations SET state = 'FAILED', completed = now(), attempts = 3,
		error = 'the directory is full' WHERE replace(id::text, '-', '') = $1`
	if _, err := s.Pool.Exec(t.Context(), fail, id); err != nil {
		t.Fatal(err)
	}
	list := s.get("/operations/?state=FAILED").shows("the directory is full")
	ask := s.get(s.resolve(list, list.link("Try all of them again…"))).shows("1 operation has failed.")
	checkPage(t, ask)
	errors := s.get(s.resolve(list, list.link("By error"))).shows("the directory is full")
	group := s.get(s.resolve(errors, errors.link("Try again…"))).shows("1 operation has failed.", "the directory is full")
	if got := group.fields("retry").Get("error"); got != "the directory is full" {
		t.Errorf("the form is about %q", got)
	}
	checkPage(t, errors)
	done := s.post(s.resolve(list, list.link("Try again")), url.Values{"back": {"operations/?state=FAILED"}})
	if !strings.Contains(done.note(), "tried again") {
		t.Errorf("the page says %q", done.note())
	}
	s.Process()
	s.get("/operations/?state=FAILED").shows("No operation is like that.")
	s.get("/operations/?state=RETRIED").shows("RETRIED")
	for _, action := range []string{"/operations/" + id + "/retry", "/operations/retry"} {
		if again := s.post(action, url.Values{}); !strings.Contains(again.note(), "No operation has failed.") {
			t.Errorf("%s says %q", action, again.note())
		}
	}
	s.get("/operations/retry").shows("No operation has failed.")
	s.get("/operations/errors").shows("No operation has failed.")
	if _, err := s.Pool.Exec(t.Context(), fail, id); err != nil {
		t.Fatal(err)
	}
	other := s.post("/operations/retry", url.Values{"error": {"something else"}})
	group = s.post("/operations/retry", url.Values{"source": {"Directory"}, "error": {"the directory is full"}})
	if !strings.Contains(other.note(), "No operation has failed.") || !strings.Contains(group.note(), "tried again") {
		t.Errorf("another error says %q, and this one %q", other.note(), group.note())
	}
}

// A list is exported whole, with its filter and its order, and no cell is a formula.
func TestExports(t *testing.T) {
	t.Parallel()
	c := enginetest.NewEmpty(t)
	c.ApplyText(enginetest.Documents)
	c.ApplyText(enginetest.Roles)
	people := enginetest.PeopleHeader
	const count = 300 // more than one page of rows
	for i := range count {
		n := string(rune('a'+i%26)) + string(rune('a'+i/26))
		people += "p" + n + ",=Person " + n + ",P,@" + n + ",p" + n + "@example.com,Sales,,1,active\n"
	}
	c.AggregateText("HR", people, engine.AggregateOptions{})
	c.Process()
	c.AggregateText("Directory", enginetest.DirectoryHeader+"aa,paa@example.com,,staff,true\n", engine.AggregateOptions{})
	s := siteOf(t, c, console.Config{})
	list := s.get("/identities/?columns=name,alias,attributes.department&sorters=-alias&filters=department+eq+%22sales%22")
	file := s.get(s.resolve(list, list.link("All of it as CSV")))
	lines := strings.Split(strings.TrimSpace(file.body), "\n")
	if len(lines) != count+1 || lines[0] != "id,name,alias,department" {
		t.Fatalf("the file has %d lines, the first is %q", len(lines), lines[0])
	}
	if !strings.HasSuffix(lines[1], ",'=Person zk,pzk,Sales") {
		t.Errorf("the first row is %q", lines[1])
	}
	if got := file.header.Get("Content-Disposition"); got != `attachment; filename="identities.csv"` {
		t.Errorf("the file is %s", got)
	}
	raw := s.get("/identities/export.csv?columns=name,alias&delimiter=%3B&raw=1&bom=1&filters=alias+eq+%22paa%22")
	if _, row, _ := strings.Cut(raw.body, "\n"); !strings.HasPrefix(raw.body, "\ufeffid;name;alias\n") ||
		!strings.HasSuffix(row, ";=Person aa;paa\n") {
		t.Errorf("the file is %q", raw.body)
	}
	word := s.get("/identities/export.csv?columns=name,alias&delimiter=semicolon&raw=1&bom=1&filters=alias+eq+%22paa%22")
	if word.body != raw.body {
		t.Errorf("by the word the file is %q", word.body)
	}
	members := s.get("/roles/" + s.roleID("Sales") + "/export.csv")
	if n := strings.Count(members.body, "ROLE_MEMBERSHIP"); n != count {
		t.Errorf("the file has %d members", n)
	}
	accounts := s.get("/accounts/export.csv?source=HR&filters=nativeIdentity+eq+%22paa%22")
	if n := strings.Count(accounts.body, "\n"); n != 2 || !strings.Contains(accounts.body, ",HR,") {
		t.Errorf("the file is %q", accounts.body)
	}
	for path, header := range map[string]string{"/roles/export.csv": "id,name,enabled,", "/entitlements/export.csv": "id,name,source,",
		"/entitlements/" + s.entitlementID() + "/export.csv": "id,nativeIdentity,"} {
		if a := s.get(path); !strings.HasPrefix(a.body, header) {
			t.Errorf("%s is %q", path, a.body)
		}
	}
	for _, wrong := range []string{"/identities/export.csv?delimiter=x",
		"/identities/export.csv?delimiter=;", "/identities/export.csv?filters=x+eqq+1",
		"/accounts/export.csv?sorters=nothing"} {
		s.do(http.MethodGet, wrong, nil).demand(http.StatusBadRequest)
	}
	if a := s.do(http.MethodHead, "/identities/export.csv", nil); a.status != http.StatusOK || a.body != "" {
		t.Errorf("HEAD is %d %q", a.status, a.body)
	}
	if !strings.Contains(s.logs.String(), "rows=300") {
		t.Error("the log does not say how many rows were exported")
	}
}
