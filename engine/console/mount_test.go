package console_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/muster-engine/muster/engine/console"
)

// The console works wherever it is mounted: a crawler finds the same pages, and no link that leads nowhere.
func TestMounts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newSite(t, console.Config{})
	ids := s.ids()
	s.hold(ids["runs"])
	bare := s.handler
	// A proxy takes a prefix off that the console knows nothing of.
	behind := httptest.NewServer(bare)
	t.Cleanup(behind.Close)
	target, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
	mounts := map[string]http.Handler{"": bare, "/a/b": http.StripPrefix("/a/b", bare),
		"/behind": http.StripPrefix("/behind", proxy)}
	var first []string
	for _, prefix := range []string{"", "/a/b", "/behind"} {
		s.prefix, s.handler = prefix, mounts[prefix]
		found := s.crawl()
		if len(found) < 60 {
			t.Errorf("mounted at %q the crawler finds %d pages: %q", prefix, len(found), found)
		}
		if first == nil {
			first = found
		} else if missing := difference(first, found); len(missing) > 0 {
			t.Errorf("mounted at %q the crawler does not find %q", prefix, missing)
		}
		for path, want := range map[string]string{"": prefix + "/", "/identities": prefix + "/identities/",
			"/help/": prefix + "/help", "/identities/" + ids["identities"]: prefix + "/identities/" + ids["identities"] + "/",
			"/runs/" + ids["runs"] + "/confirm/?x=1": prefix + "/runs/" + ids["runs"] + "/confirm?x=1"} {
			if path == "" && prefix != "/a/b" {
				continue // the root has no path without a slash
			}
			a := s.do(http.MethodGet, path, nil).demand(http.StatusFound)
			to, err := a.url.Parse(a.header.Get("Location"))
			if err != nil || to.RequestURI() != want {
				t.Errorf("%s%s leads to %s, want %s", prefix, path, to, want)
			}
		}
		a := s.post("/identities/"+ids["identities"]+"/process", url.Values{"back": {"identities/?limit=25"}})
		if want := prefix + "/identities/?limit=25"; a == nil || a.url.RequestURI() != want {
			t.Errorf("an action leads to %v, want %s", a.url, want)
		}
	}
}

func difference(all, some []string) (missing []string) {
	for _, one := range all {
		if !slices.Contains(some, one) {
			missing = append(missing, one)
		}
	}
	return missing
}

// crawl follows all links and forms of the method GET from Home on, and returns the paths of the pages.
func (s *site) crawl() []string {
	s.t.Helper()
	queue, seen := []string{"/"}, map[string]bool{"/": true}
	for at := 0; at < len(queue) && at < 1000; at++ {
		a := s.do(http.MethodGet, queue[at], nil)
		mistaken := a.status == http.StatusBadRequest && strings.Contains(queue[at], "?")
		if a.status == http.StatusFound || a.status == http.StatusSeeOther {
			a = s.do(http.MethodGet, s.resolve(a, a.header.Get("Location")), nil)
		}
		if a.status != http.StatusOK && !mistaken {
			s.t.Errorf("%s, which a page of %s links, is %d: %s", queue[at], s.level, a.status, a.text())
		}
		for _, n := range a.elements("a", "form") {
			reference := attr(n, "href")
			if n.Data == "form" {
				if attr(n, "method") == "post" {
					continue
				}
				reference = attr(n, "action")
			}
			if strings.HasPrefix(reference, "#") {
				continue
			}
			path := s.resolve(a, reference)
			// Lists have many addresses: one of each sort is enough.
			key, query, _ := strings.Cut(path, "?")
			if values, err := url.ParseQuery(query); err == nil {
				for _, name := range slices.Sorted(maps.Keys(values)) {
					key += "&" + name
				}
			}
			if !seen[key] {
				seen[key] = true
				queue = append(queue, path)
			}
		}
	}
	found := make([]string, 0, len(seen))
	for key := range seen {
		found = append(found, key)
	}
	slices.Sort(found)
	return found
}

// Nobody gets a link or a button that leads to what is not allowed.
func TestNobodySeesForbiddenLinks(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newSite(t, console.Config{})
	s.hold(s.ids()["runs"])
	for _, level := range console.Levels {
		s.level = level
		s.crawl()
		list := s.get("/identities/")
		for text, levels := range map[string][]string{"Synchronize Attributes": {"ORG_ADMIN"},
			"Process": {"ORG_ADMIN", "HELPDESK"}, "Invite": {"ORG_ADMIN", "HELPDESK"}} {
			has := slices.ContainsFunc(list.elements("button"), func(n *html.Node) bool { return textOf(n) == text })
			if want := slices.Contains(levels, level); has != want {
				t.Errorf("%s has the button %q: %v, want %v", level, text, has, want)
			}
		}
	}
}

func inside(n, form *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if n == form {
			return true
		}
	}
	return false
}

// A console that only reads has no form that changes anything, and refuses one.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{ReadOnly: true})
	bob := s.ID("bob")
	for _, page := range []string{"/identities/", "/identities/" + bob + "/", "/operations/", "/"} {
		a := s.get(page)
		for _, n := range a.elements("form") {
			for _, b := range a.elements("button") {
				if inside(b, n) && attr(n, "method") == "post" {
					t.Errorf("%s has the button %q", page, textOf(b))
				}
			}
		}
	}
	for _, r := range console.Routes() {
		if r.Method != http.MethodPost {
			continue
		}
		a := s.do(http.MethodPost, r.Path(bob), url.Values{})
		if refused := a.status == http.StatusForbidden; refused == r.Own {
			t.Errorf("%s: %d", r.Pattern, a.status)
		}
	}
	if n := s.CountRows("muster.tasks WHERE completed IS NULL"); n != 0 {
		t.Errorf("%d tasks were launched", n)
	}
}
