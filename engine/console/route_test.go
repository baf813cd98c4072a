package console_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/muster-engine/muster/engine/console"
)

// Each route is open to the levels that the table of rights names, and to nobody else.
func TestRoutesByLevel(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newSite(t, console.Config{})
	ids := s.ids()
	levels := append([]string{"", "USER"}, console.Levels...)
	allowed, refused := 0, 0
	for _, r := range console.Routes() {
		for _, level := range levels {
			s.level = level
			var form url.Values
			if r.Method == http.MethodPost {
				form = url.Values{} // nothing that is asked for is complete: what may be done fails, or changes nobody
			}
			a := s.do(r.Method, r.Path(idFor(ids, r.Pattern)), form)
			may := r.Public || slices.Contains(r.Levels, level)
			if r.Pattern == "" && level == "USER" {
				if a.status != http.StatusSeeOther { // it leads to the own page
					t.Errorf("Home by USER: %d", a.status)
				}
				continue
			}
			switch {
			case a.status >= http.StatusInternalServerError:
				t.Errorf("%s %s by %q: %d: %s\n%s", r.Method, r.Pattern, level, a.status, a.text(), s.logs)
			case may && (a.status == http.StatusForbidden || a.status == http.StatusUnauthorized):
				t.Errorf("%s %s by %q is refused: %s", r.Method, r.Pattern, level, a.text())
			case !may && level == "" && a.status != http.StatusUnauthorized:
				t.Errorf("%s %s by nobody: %d", r.Method, r.Pattern, a.status)
			case !may && level != "" && a.status != http.StatusForbidden:
				t.Errorf("%s %s by %q: %d, want that it is refused", r.Method, r.Pattern, level, a.status)
			}
			if may {
				allowed++
			} else if refused++; level != "" && !strings.Contains(a.text(), r.Levels[0]) {
				t.Errorf("%s %s by %q does not say who may: %s", r.Method, r.Pattern, level, a.text())
			}
		}
	}
	if allowed < 150 || refused < 100 {
		t.Errorf("%d were allowed and %d refused: the table is too small", allowed, refused)
	}
}

// Every answer has the policy and the other headers, those of errors and assets too.
func TestHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{})
	ids := s.ids()
	check := func(method, path string) *answer {
		t.Helper()
		var form url.Values
		if method == http.MethodPost {
			form = url.Values{}
		}
		a := s.do(method, path, form)
		for name, want := range map[string]string{"Content-Security-Policy": console.Policy,
			"X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "same-origin"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, want %q", method, path, name, got, want)
			}
		}
		if a.header.Get("Permissions-Policy") == "" {
			t.Errorf("%s %s has no Permissions-Policy", method, path)
		}
		if got := a.header.Get("Cache-Control"); got != "no-store" && !strings.HasPrefix(path, "/static/") {
			t.Errorf("%s %s: Cache-Control is %q", method, path, got)
		}
		return a
	}
	for _, r := range console.Routes() {
		check(r.Method, r.Path(idFor(ids, r.Pattern)))
	}
	check(http.MethodGet, "/nothing").demand(http.StatusNotFound)
	check(http.MethodGet, "/identities/"+strings.Repeat("0", 32)+"/").demand(http.StatusNotFound)
	check(http.MethodPost, "/history/").demand(http.StatusMethodNotAllowed)
	check(http.MethodDelete, "/identities/").demand(http.StatusMethodNotAllowed)
	for _, unsafe := range []string{"unsafe", "data:", "*", "http:"} {
		if strings.Contains(console.Policy, unsafe) {
			t.Errorf("the policy allows %s", unsafe)
		}
	}
	for _, n := range s.get("/").elements("link", "script", "img") {
		reference := attr(n, "href") + attr(n, "src")
		a := check(http.MethodGet, s.resolve(s.get("/"), reference)).demand(http.StatusOK)
		if got := a.header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s: Cache-Control is %q", reference, got)
		}
	}
	check(http.MethodGet, "/static/0000/console.css").demand(http.StatusNotFound)
	check(http.MethodGet, "/static/../console.go").demand(http.StatusNotFound)
}

// checkPage fails unless a page is what browsers, keyboards and readers of the screen need.
func checkPage(t *testing.T, a *answer) {
	t.Helper()
	if n := len(a.elements("h1")); n != 1 {
		t.Errorf("%s has %d h1", a.url, n)
	}
	if titles := a.elements("title"); len(titles) != 1 || strings.HasPrefix(textOf(titles[0]), "·") {
		t.Errorf("%s has no title", a.url)
	}
	seen, labels := map[string]bool{}, map[string]bool{}
	for _, n := range a.elements("label") {
		labels[attr(n, "for")] = true
	}
	for n := range a.document.Descendants() {
		for _, given := range n.Attr {
			switch {
			case strings.HasPrefix(given.Key, "on"), given.Key == "style":
				t.Errorf("%s: <%s> has %s", a.url, n.Data, given.Key)
			case slices.Contains([]string{"href", "src", "action", "formaction"}, given.Key):
				u, err := url.Parse(given.Val)
				if err != nil || u.Scheme != "" || u.Host != "" || strings.HasPrefix(given.Val, "/") {
					t.Errorf("%s: %s=%q is not relative", a.url, given.Key, given.Val)
				}
			case given.Key == "id":
				if seen[given.Val] {
					t.Errorf("%s: the ID %q is there twice", a.url, given.Val)
				}
				seen[given.Val] = true
			}
		}
		inLabel := n.Parent != nil && n.Parent.Data == "label"
		switch n.Data {
		case "style":
			t.Errorf("%s has a style of its own", a.url)
		case "script":
			if attr(n, "src") == "" {
				t.Errorf("%s has a script of its own", a.url)
			}
		case "input", "select", "textarea":
			if attr(n, "type") != "hidden" && !labels[attr(n, "id")] && attr(n, "aria-label") == "" && !inLabel {
				t.Errorf("%s: %s %q has no label", a.url, n.Data, attr(n, "name"))
			}
		case "table":
			first := n.FirstChild
			for first != nil && first.Type != html.ElementNode {
				first = first.NextSibling
			}
			if first == nil || first.Data != "caption" {
				t.Errorf("%s: a table has no caption", a.url)
			}
		case "th":
			if !hasAttr(n, "scope") {
				t.Errorf("%s: a th has no scope: %s", a.url, textOf(n))
			}
		case "img":
			if !hasAttr(n, "alt") {
				t.Errorf("%s: an image has no alt", a.url)
			}
		case "button":
			if textOf(n) == "" && attr(n, "aria-label") == "" {
				t.Errorf("%s: a button says nothing", a.url)
			}
		}
	}
	for n := range a.document.Descendants() {
		for _, id := range strings.Fields(attr(n, "aria-describedby") + " " + attr(n, "aria-labelledby")) {
			if !seen[id] {
				t.Errorf("%s: there is no ID %q", a.url, id)
			}
		}
	}
}

// Every page is well formed, with data and without.
func TestPagesAreWellFormed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newSite(t, console.Config{})
	ids := s.ids()
	s.hold(ids["runs"])
	pages := []string{"/find?q=a", "/find?q=nobodywhoisthere", `/identities/?filters=name+eqq+"x"`,
		"/identities/?filters=name+eq+%22nobody%22", "/identities/?columns=name,attributes.department",
		"/history/?since=yesterday", "/nothing", "/identities/" + ids["identities"] + "/preview?synchronize=1"}
	for _, r := range console.Routes() {
		if r.Method == http.MethodGet && r.Pattern != "login" && !r.File {
			pages = append(pages, r.Path(idFor(ids, r.Pattern)))
		}
	}
	for _, page := range pages {
		a := s.do(http.MethodGet, page, nil)
		if a.status >= http.StatusInternalServerError || a.document == nil {
			t.Errorf("%s: %d %s", page, a.status, a.body)
			continue
		}
		checkPage(t, a)
	}
}

// hold has the guard hold a run.
func (s *site) hold(run string) {
	s.t.Helper()
	_, err := s.Pool.Exec(s.t.Context(), `UPDATE muster.tasks
		SET held = now(), held_reason = '12 of 20 identities would lose a role' WHERE replace(id::text, '-', '') = $1`, run)
	if err != nil {
		s.t.Fatal(err)
	}
}
