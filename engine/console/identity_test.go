package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/text/language"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/enginetest"
)

// The find box finds people by what their names, accounts and addresses begin with, and by IDs.
func TestFind(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	bob := "/identities/" + s.ID("bob") + "/"
	for text, want := range map[string]string{"bob": bob, s.ID("bob"): bob, "Twa": bob, "BOB@EXA": bob,
		"bob twain": bob} {
		a := s.do(http.MethodGet, "/find?q="+url.QueryEscape(text), nil).demand(http.StatusSeeOther)
		if got := s.resolve(a, a.header.Get("Location")); got != want {
			t.Errorf("%q leads to %s, want %s", text, got, want)
		}
	}
	s.get("/find?q=A").shows("Ann Boss", "Ünal, Ayşe").hides("Bob")
	s.get("/find?q=d").shows("Dee Strauß", "Directory")
	s.get("/find?q=nobody").shows("No name, account or address begins so")
	s.get("/find?q=" + url.QueryEscape(`" or name pr`)).shows("No name")
	s.get("/find")
	run := s.ids()["runs"]
	a := s.do(http.MethodGet, "/find?q="+run, nil).demand(http.StatusSeeOther)
	if got := s.resolve(a, a.header.Get("Location")); got != "/runs/"+run+"/" {
		t.Errorf("the run leads to %s", got)
	}
}

// The state of the list is in its address: filter, sorters, columns, the size and the place of the page.
func TestIdentityList(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	s.get("/identities/").shows("Ann Boss", "Bob Twain", "Dee Strauß")
	filtered := s.get(`/identities/?filters=department+eq+"sales"&sorters=-name&columns=name,attributes.department`)
	filtered.shows("Bob Twain").hides("Ann Boss", "example.com")
	if got := attr(field(filtered, "filters"), "value"); got != `department eq "sales"` {
		t.Errorf("the field has %q", got)
	}
	names := rowNames(filtered)
	if want := "Ünal, Ayşe|Dee Strauß|Bob Twain"; strings.Join(names, "|") != want {
		t.Errorf("the list is %q, want %s", names, want)
	}
	// Another order keeps the filter and the columns.
	other := s.get(s.resolve(filtered, filtered.link("department")))
	if q := other.url.Query(); q.Get("filters") != `department eq "sales"` || q.Get("sorters") != "attributes.department" ||
		q.Get("columns") != "name,attributes.department" {
		t.Errorf("sorted by department the list is at %s", other.url)
	}
	for _, n := range other.elements("th") {
		if textOf(n) == "department ↑" && attr(n, "aria-sort") != "ascending" {
			t.Error("the column does not say how it is sorted")
		}
	}
}

func field(a *answer, id string) *html.Node {
	a.t.Helper()
	for _, n := range a.elements("input", "select") {
		if attr(n, "id") == id {
			return n
		}
	}
	a.t.Fatalf("%s has no field %s", a.url, id)
	return nil
}

// rowNames returns the names of the people in a list.
func rowNames(a *answer) (names []string) {
	for _, n := range a.elements("th") {
		if attr(n, "scope") == "row" {
			names = append(names, textOf(n))
		}
	}
	return names
}

// Pages follow each other by cursors, and show everybody once.
func TestPagesOfList(t *testing.T) {
	t.Parallel()
	c := enginetest.NewEmpty(t)
	c.ApplyText(enginetest.Documents)
	people := []string{strings.TrimSpace(enginetest.PeopleHeader)}
	for i := range 120 {
		people = append(people, fmt.Sprintf("p%03d,Person %03d,P,N%03d,p%03d@example.com,Sales,,,active", i, i, i, i))
	}
	c.AggregateText("HR", strings.Join(people, "\n")+"\n", engine.AggregateOptions{})
	c.Process()
	s := siteOf(t, c, console.Config{})
	a := s.get("/identities/?limit=50&filters=" + url.QueryEscape(`department eq "Sales"`))
	var all []string
	for pages := 1; ; pages++ {
		all = append(all, rowNames(a)...)
		if len(all) == 120 {
			break
		}
		if pages > 3 {
			t.Fatalf("%d people on %d pages", len(all), pages)
		}
		a = s.get(s.resolve(a, a.link("Next page")))
		if a.url.Query().Get("filters") == "" || a.url.Query().Get("limit") != "50" {
			t.Errorf("the next page is %s", a.url)
		}
	}
	for i, name := range all {
		if want := fmt.Sprintf("Person %03d", i); name != want {
			t.Fatalf("place %d has %s, want %s", i, name, want)
		}
	}
	first := s.get(s.resolve(a, a.link("First page")))
	if rowNames(first)[0] != "Person 000" || first.url.Query().Has("after") {
		t.Errorf("the first page is %s", first.url)
	}
	// Another filter begins at its first page.
	for _, n := range a.elements("a") {
		if strings.Contains(attr(n, "href"), "Errors") {
			continue
		}
		if u, err := url.Parse(attr(n, "href")); err == nil && u.Query().Has("filters") && u.Query().Has("after") &&
			attr(n, "rel") != "next" {
			t.Errorf("%q keeps the cursor: %s", textOf(n), u)
		}
	}
}

// A mistake stands at its field, with a caret below its place, and the text is kept.
func TestMistakeInFilter(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	a := s.do(http.MethodGet, `/identities/?filters=name+eqq+"x"`, nil).demand(http.StatusBadRequest)
	input := field(a, "filters")
	if attr(input, "value") != `name eqq "x"` || attr(input, "aria-invalid") != "true" ||
		attr(input, "aria-describedby") != "mistake" {
		t.Errorf("the field is %v", input.Attr)
	}
	pre := a.elements("pre")
	if len(pre) != 1 || attr(pre[0], "id") != "mistake" || !strings.Contains(pre[0].FirstChild.Data, "\n       ^^^") {
		t.Fatalf("the mistake is shown as %q", a.text())
	}
	a.hides("Bob Twain")
	b := s.do(http.MethodGet, `/identities/?sorters=,name`, nil).demand(http.StatusBadRequest)
	if attr(field(b, "sorters"), "aria-invalid") != "true" || attr(field(b, "filters"), "aria-invalid") != "" {
		t.Error("the mistake is not at the sorters")
	}
	s.do(http.MethodGet, `/identities/?after=nonsense`, nil).demand(http.StatusBadRequest)
	s.get(`/identities/?filters=name+eq+"nobody"`).shows("Nobody matches the filter.", "Clear the filter")
	empty := siteOf(t, enginetest.NewEmpty(t), console.Config{})
	empty.get("/identities/").shows("There is no identity yet")
	empty.get("/").shows("There is no source yet")
}

// Every quick filter is a filter that the engine understands.
func TestQuickFilters(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	a := s.get("/identities/")
	count := 0
	for _, n := range a.elements("nav") {
		if attr(n, "class") != "quick" {
			continue
		}
		for d := range n.Descendants() {
			if d.Data == "a" && d.Type == html.ElementNode {
				count++
				if s.get(s.resolve(a, attr(d, "href"))); textOf(d) == "" {
					t.Error("a quick filter has no name")
				}
			}
		}
	}
	if count < 9 {
		t.Errorf("there are %d quick filters", count)
	}
	s.get("/identities/?filters=" + url.QueryEscape("manager.id isnull")).shows("Ann Boss").hides("Bob Twain")
}

// Why has she this role, and why not that one: two steps from the person.
func TestWhy(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	person := s.follow(s.do(http.MethodGet, "/find?q=bob", nil).demand(http.StatusSeeOther))
	person.shows("Bob Twain", "Ünal, Ayşe", "bob@example.com")
	access := s.get(s.resolve(person, person.link("Access")))
	access.shows("Sales", "department EQUALS “Sales”", "it is Sales")
	var auditor string
	for _, n := range access.elements("option") {
		if textOf(n) == "Auditor" {
			auditor = attr(n, "value")
		}
	}
	why := s.get("/identities/" + s.ID("bob") + "/access?role=" + auditor)
	answered := false
	for _, n := range why.elements("div") {
		answered = answered || attr(n, "class") == "answer" && strings.HasPrefix(textOf(n), "Auditor ")
	}
	if !answered {
		t.Errorf("nothing says why not: %s", why.text())
	}
	attributes := s.get(s.resolve(person, person.link("Attributes")))
	attributes.shows("department", "Sales", "accountAttribute")
	s.get("/identities/"+s.ID("ann")+"/").shows("Direct reports", "Ünal, Ayşe")
	// What is stored and what would be calculated are told apart.
	s.AggregateText("HR", enginetest.PeopleHeader+"bob,Bob Twain,Bob,Twain,bob@example.com,Legal,ayse,41,leave\n",
		engine.AggregateOptions{Delta: true})
	s.get("/identities/" + s.ID("bob") + "/attributes").shows("the next processing gives Legal")
	s.get("/identities/"+s.ID("bob")+"/preview").shows("Sales", "Legal", "− Sales")
}

// Synchronize Attributes is a button in the row of the list. The page says what was asked for, and leads to the run.
func TestSynchronizeAttributes(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	list := s.get(`/identities/?filters=alias+eq+"bob"`)
	action := s.resolve(list, list.link("Synchronize Attributes"))
	if want := "/identities/" + s.ID("bob") + "/synchronize"; action != want {
		t.Fatalf("the button leads to %s, want %s", action, want)
	}
	back := url.Values{"back": {`identities/?filters=alias+eq+"bob"`}}
	after := s.post(action, back)
	if got := after.note(); !strings.HasPrefix(got, "The synchronization of the attributes was asked for.") {
		t.Errorf("the page says %q", got)
	}
	if after.url.Query().Get("filters") != `alias eq "bob"` {
		t.Errorf("the action leads to %s", after.url)
	}
	run := s.get(s.resolve(after, after.link("Show the run")))
	run.shows("Synchronize the attributes of an identity", "Op <b>ORG_ADMIN</b>", "(console)")
	if got := s.get("/identities/").note(); got != "" {
		t.Errorf("the note is shown again: %q", got)
	}
	// It is refused for ten seconds.
	again := s.post(action, back)
	if got := again.note(); !strings.Contains(got, "can be asked for again in") {
		t.Errorf("the page says %q", got)
	}
	if n := s.CountRows("muster.tasks WHERE description LIKE 'Synchronize%'"); n != 1 {
		t.Errorf("%d runs were launched", n)
	}
	// A note tells of nobody: an erasure does not look into it.
	if n := s.CountRows("muster.sessions WHERE note LIKE '%' || $1 || '%' OR note LIKE '%Bob%'", s.ID("bob")); n != 0 {
		t.Error("a note names somebody")
	}
}

// What is done through the console has its visitor as the actor.
func TestActions(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	bob := "/identities/" + s.ID("bob") + "/"
	for path, says := range map[string]string{
		"protect": "is protected", "process": "The processing was asked for.", "invite": "The invitation was asked for.",
	} {
		page := s.get(bob)
		action := map[string]string{"protect": "Protect from deletion", "process": "Process", "invite": "Invite"}[path]
		after := s.post(s.resolve(page, page.link(action)), url.Values{})
		if !strings.Contains(after.note(), says) || after.url.Path != bob {
			t.Errorf("%s leads to %s, which says %q", path, after.url, after.note())
		}
	}
	s.get(bob).shows("Protected")
	if after := s.post(bob+"unprotect", url.Values{}); !strings.Contains(after.note(), "not protected any more") {
		t.Errorf("the page says %q", after.note())
	}
	// Level 2: a page says what will happen.
	ask := s.get(s.resolve(s.get(bob), s.get(bob).link("Send a verification…")))
	ask.shows("by which they set a new password", "Directory")
	sent := s.post(bob+"verify", url.Values{"source": {"Directory"}, "via": {engine.ViaLinkWork}})
	if !strings.Contains(sent.note(), "verification was asked for") {
		t.Errorf("the page says %q", sent.note())
	}
	s.do(http.MethodPost, bob+"verify", url.Values{"via": {"PIGEON"}}).demand(http.StatusBadRequest)
	if err := s.SetUserLevels(t.Context(), s.ID("bob"), []string{"HELPDESK"}); err != nil {
		t.Fatal(err)
	}
	s.get(bob + "reset").shows("These user levels are removed: HELPDESK")
	s.post(bob+"reset", url.Values{})
	events, err := s.EventLog(t.Context(), engine.EventQuery{Actor: "op-org_admin", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for i := range events {
		for _, kind := range events[i].Types {
			kinds[kind] = true
		}
		if want := (engine.Actor{ID: "op-org_admin", Name: "Op <b>ORG_ADMIN</b>", Via: "console"}); events[i].Actor != want {
			t.Errorf("the actor is %+v, want %+v", events[i].Actor, want)
		}
	}
	for _, kind := range []string{engine.EventProtectionChanged, engine.EventInvited, engine.EventReset,
		engine.EventVerificationRequested} {
		if !kinds[kind] {
			t.Errorf("%s has no event of the visitor", kind)
		}
	}
	s.get(bob+"history").shows("Registration reset", "by Op <b>ORG_ADMIN</b>", "(console)")
	s.get("/history/?actor=op-org_admin").shows("Bob Twain", "Protection changed")
	s.get("/history/?types="+engine.EventReset).shows("Bob Twain", "Registration reset").hides("Protection changed in")
	s.get("/history/?since=2001-01-01&until=2001-01-02").shows("Nothing matches.")
	// Those that are ticked, at once.
	list := s.post("/identities/process", url.Values{"id": {s.ID("ann"), s.ID("bob")}, "back": {"identities/"}})
	if !strings.Contains(list.note(), "The processing of 2 identities was asked for.") {
		t.Errorf("the page says %q", list.note())
	}
	if none := s.post("/identities/invite", url.Values{}); !strings.Contains(none.note(), "Nobody was selected.") {
		t.Errorf("the page says %q", none.note())
	}
}

// An identity that is gone still has its history.
func TestDeletedIdentity(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	bob := s.ID("bob")
	if err := s.DeleteIdentity(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	gone := s.do(http.MethodGet, "/identities/"+bob+"/", nil).demand(http.StatusNotFound)
	gone.shows("This identity was deleted. Its history is still there.")
	s.get(s.resolve(gone, gone.link("Show its history"))).shows("Deleted", "Bob Twain")
	s.get("/history/").shows("a deleted identity")
	s.do(http.MethodGet, "/identities/nobody/", nil).demand(http.StatusNotFound).shows("There is no identity with this ID.")
}

// A held run is looked at, and confirmed by its number, or cancelled.
func TestHeldRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	run := s.ids()["runs"]
	s.hold(run)
	home := s.get("/").shows("1 run is held", "12 of 20 identities would lose a role")
	page := s.get(s.resolve(home, home.link("Process 1 identity")))
	page.shows("Why it is held", "1 identities wait")
	ask := s.get(s.resolve(page, page.link("Confirm…")))
	ask.shows("That cannot be undone.")
	s.do(http.MethodPost, "/runs/"+run+"/confirm", url.Values{"count": {"7"}}).demand(http.StatusBadRequest).
		shows("Type the number of identities that wait: 1.")
	if after := s.post("/runs/"+run+"/confirm", url.Values{"count": {"1"}}); !strings.Contains(after.note(), "confirmed") {
		t.Errorf("the page says %q", after.note())
	}
	task, err := s.Task(t.Context(), run)
	if err != nil || task.Held != "" || task.ConfirmedBy == nil || task.ConfirmedBy.Via != "console" {
		t.Errorf("the run is %+v, %v", task, err)
	}
	other := s.ids()["runs"]
	s.hold(other)
	s.get("/runs/" + other + "/cancel").shows("are due at the next slot")
	if after := s.post("/runs/"+other+"/cancel", url.Values{}); !strings.Contains(after.note(), "cancelled") {
		t.Errorf("the page says %q", after.note())
	}
	s.post("/runs/"+other+"/cancel", url.Values{})
	s.get("/runs/").shows("Cancelled")
	s.get("/runs/?state=pending").hides("Cancelled")
}

// What failed stands on Home by source, and leads to the operations.
func TestOperations(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	id := s.ids()["operations"]
	fail := `UPDATE muster.provisioning_operations SET state = 'FAILED', completed = now(), attempts = 3, error = 'the directory is full'
		WHERE replace(id::text, '-', '') = $1`
	if _, err := s.Pool.Exec(t.Context(), fail, id); err != nil {
		t.Fatal(err)
	}
	home := s.get("/").shows("Operations to look at", "Directory")
	list := s.get(s.resolve(home, home.link("1")))
	list.shows("FAILED", "the directory is full")
	if q := list.url.Query(); q.Get("state") != "FAILED" || q.Get("source") != "Directory" {
		t.Errorf("Home leads to %s", list.url)
	}
	s.get("/operations/?state=DONE").shows("No operation is like that.")
	park := `UPDATE muster.provisioning_operations SET state = 'PARKED', completed = NULL, error = NULL, attempts = 0, parked = now(),
		parked_cause = 'an audit' WHERE replace(id::text, '-', '') = $1`
	if _, err := s.Pool.Exec(t.Context(), park, id); err != nil {
		t.Fatal(err)
	}
	list = s.get("/operations/?state=PARKED").shows("an audit")
	released := s.post(s.resolve(list, list.link("Release")), url.Values{"back": {"operations/?state=PARKED"}})
	if !strings.Contains(released.note(), "was released") {
		t.Errorf("the page says %q", released.note())
	}
	s.do(http.MethodPost, "/operations/"+id+"/release", url.Values{}).demand(http.StatusConflict).shows("it is not parked")
}

// Names that are markup, that turn the direction of writing, and that never end are text on every page.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	hostile := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "\u202eevil\u202c \u2067rtl",
		strings.Repeat("ä", 1000), `javascript:alert(1)`, `{{.Secret}} ${7*7} <!--`, "a/../../b?c#d&e=%00"}
	c := enginetest.NewEmpty(t)
	c.ApplyText(enginetest.Documents)
	c.ApplyText(enginetest.Roles)
	people := enginetest.PeopleHeader
	for i, name := range hostile {
		cell := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		people += fmt.Sprintf("h%d,%s,%s,%s,h%d@example.com,Sales,h0,1,%s\n", i, cell, cell, cell, i, cell)
	}
	c.AggregateText("HR", people, engine.AggregateOptions{})
	var directory strings.Builder
	directory.WriteString(enginetest.DirectoryHeader)
	var roles []engine.Document
	for i, name := range hostile {
		fmt.Fprintf(&directory, "d%d,h%d@example.com,,\"%s\",true\n", i, i, strings.ReplaceAll(name, `"`, `""`))
		object, err := json.Marshal(map[string]any{"name": name[:min(len(name), 100)], "description": name, "enabled": true,
			"membership": map[string]any{"type": "STANDARD", "criteria": map[string]any{"operation": "EQUALS",
				"key":         map[string]any{"type": "IDENTITY", "property": "attribute.department"},
				"stringValue": name}}})
		if err != nil {
			t.Fatal(err)
		}
		roles = append(roles, engine.Document{Type: engine.TypeRole, Object: object})
	}
	c.AggregateText("Directory", directory.String(), engine.AggregateOptions{})
	if _, err := c.Apply(t.Context(), roles); err != nil {
		t.Fatal(err)
	}
	c.Process()
	s := siteOf(t, c, console.Config{Name: hostile[1]})
	others := s.hostileIDs(len(hostile))
	for i, name := range hostile {
		id := s.ID(fmt.Sprintf("h%d", i))
		for _, r := range console.Routes() {
			if r.Method != http.MethodGet || r.File || strings.HasPrefix(r.Pattern, "runs/{") ||
				slices.Contains([]string{"login", "login/provider", console.ProviderReturn, "logout/provider", "me",
					"configuration/object"}, r.Pattern) {
				continue
			}
			at := id
			if part, _, _ := strings.Cut(r.Pattern, "/"); part != "identities" {
				at = others[i][part]
			}
			a := s.do(http.MethodGet, r.Path(at), nil)
			if a.status != http.StatusOK {
				t.Errorf("%s of %q: %d %s", r.Pattern, name, a.status, a.text())
				continue
			}
			checkPage(t, a)
			for _, raw := range []string{"<script>alert", "<img src=x", "<!--"} {
				if strings.Contains(a.body, raw) {
					t.Errorf("%s has %q as markup", r.Pattern, raw)
				}
			}
		}
		list := s.get("/identities/")
		if names := strings.Join(rowNames(list), "\n"); !strings.Contains(names, strings.Join(strings.Fields(name), " ")) {
			t.Errorf("the list does not show %q", name)
		}
		// What is typed comes back as it was typed.
		q := s.do(http.MethodGet, "/find?q="+url.QueryEscape(name), nil)
		if q.status != http.StatusOK && q.status != http.StatusSeeOther {
			t.Errorf("%q is asked for: %d", name, q.status)
		}
		for _, page := range []string{"/identities/?filters=", "/identities/?sorters=", "/identities/?columns=",
			"/identities/?after=", "/history/?actor=", "/operations/?source=", "/history/?before=", "/find?q=",
			"/identities/" + id + "/access?role=", "/settings?next="} {
			a := s.do(http.MethodGet, page+url.QueryEscape(name), nil)
			if a.status >= http.StatusInternalServerError {
				t.Errorf("%s%q: %d", page, name, a.status)
			}
			if a.document != nil {
				checkPage(t, a)
			}
		}
	}
	if strings.Contains(s.logs.String(), "alert(1)") {
		t.Error("the log has what was asked for")
	}
}

// The pages speak German, and whatever else a host gives a catalogue for.
func TestLanguages(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{Catalogues: map[language.Tag]map[string]string{
		language.French: {"Identity List": "Liste des identités"}}})
	for accepted, want := range map[string][2]string{"de-AT,de;q=0.9": {"de", "Identitätsliste"},
		"en": {"en", "Identity List"}, "fr": {"fr", "Liste des identités"}, "tlh": {"en", "Identity List"}} {
		s.header["Accept-Language"] = accepted
		a := s.get("/identities/")
		if a.shows(want[1]); attr(a.elements("html")[0], "lang") != want[0] || a.header.Get("Content-Language") != want[0] {
			t.Errorf("%s: the page is in %s", accepted, attr(a.elements("html")[0], "lang"))
		}
	}
	s.header["Accept-Language"] = "en"
	s.post("/settings", url.Values{"language": {"de"}, "theme": {"dark"}})
	a := s.get("/identities/").shows("Identitätsliste", "Attribute synchronisieren")
	if attr(a.elements("html")[0], "data-theme") != "dark" {
		t.Error("the page is not dark")
	}
	s.post("/settings", url.Values{"language": {"<x>"}, "theme": {"<x>"}})
	if a := s.get("/settings"); hasAttr(a.elements("html")[0], "data-theme") || attr(a.elements("html")[0], "lang") != "en" {
		t.Error("the settings are not those of the system")
	}
}
