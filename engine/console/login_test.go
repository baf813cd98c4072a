package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/enginetest"
)

// development returns a console with a development login, whose clock the test sets, and nobody signed in.
func development(t *testing.T, config console.Config) (*site, *console.Development, *enginetest.Clock) {
	t.Helper()
	clock := enginetest.NewClock(time.Date(2026, time.June, 1, 8, 0, 0, 0, time.UTC))
	login := console.NewDevelopment(console.Account{
		Principal: console.Principal{ID: "helen", Name: "Helen", Levels: []string{"HELPDESK"}}, Secret: "open sesame"})
	config.Development = login
	s := siteOf(t, enginetest.New(t, enginetest.WithClock(clock)), config)
	s.level = ""
	return s, login, clock
}

var admin = console.Principal{ID: "root", Name: "Root", Levels: []string{"ORG_ADMIN"}}

// A link signs in once, after a button was pressed, and leads to the page that was asked for.
func TestSignInByLink(t *testing.T) {
	t.Parallel()
	s, login, _ := development(t, console.Config{})
	asked := s.do(http.MethodGet, "/identities/?filters=alias+eq+%22bob%22", nil).demand(http.StatusSeeOther)
	page := s.follow(asked)
	if want := "/login?next=identities%2F%3Ffilters%3Dalias%2Beq%2B%2522bob%2522"; page.url.RequestURI() != want {
		t.Errorf("asked to sign in at %s, want %s", page.url.RequestURI(), want)
	}
	link := login.Link(admin)
	if strings.Contains(link, "/") {
		t.Errorf("the link %q leaves the folder", link)
	}
	page = s.get("/" + link + "&next=" + url.QueryEscape("identities/?filters=alias+eq+\"bob\""))
	if len(s.cookies) != 0 {
		t.Fatal("looking at the link signs in")
	}
	form := url.Values{}
	for _, n := range page.elements("input") {
		form.Set(attr(n, "name"), attr(n, "value"))
	}
	signed := s.do(http.MethodPost, "/login", form).demand(http.StatusSeeOther)
	cookie := signed.header.Get("Set-Cookie")
	for _, part := range []string{"muster-console=", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie %q lacks %s", cookie, part)
		}
	}
	if strings.Contains(cookie, "Domain") || strings.Contains(cookie, "Max-Age") {
		t.Errorf("the cookie is %q", cookie)
	}
	s.follow(signed).shows("Bob Twain").hides("Ann Boss")
	s.cookies = map[string]string{}
	s.do(http.MethodPost, "/login", form).demand(http.StatusForbidden).shows("not good any more")
	s.do(http.MethodGet, "/", nil).demand(http.StatusSeeOther)
	if strings.Contains(s.logs.String(), form.Get("link")) {
		t.Error("the link is in the log")
	}
}

// The form lets in who has an account, with a new session each time.
func TestSignInByForm(t *testing.T) {
	t.Parallel()
	s, _, _ := development(t, console.Config{})
	s.get("/login").shows("Secret")
	for _, form := range []url.Values{{}, {"name": {"helen"}}, {"name": {"helen"}, "secret": {"wrong"}},
		{"name": {"root"}, "secret": {"open sesame"}}, {"link": {"x"}}} {
		s.do(http.MethodPost, "/login", form).demand(http.StatusForbidden)
	}
	s.post("/login", url.Values{"name": {"helen"}, "secret": {"open sesame"}})
	first := s.cookies["muster-console"]
	s.get("/identities/").shows("Bob Twain")
	s.post("/login", url.Values{"name": {"helen"}, "secret": {"open sesame"}})
	second := s.cookies["muster-console"]
	if first == second || first == "" {
		t.Error("the session is the old one")
	}
	s.cookies["muster-console"] = first
	s.do(http.MethodGet, "/identities/", nil).demand(http.StatusSeeOther)
	attempts := 0
	for ; s.do(http.MethodPost, "/login", url.Values{"name": {"helen"}}).status != http.StatusTooManyRequests; attempts++ {
		if attempts > 20 {
			t.Fatal("anybody may try as often as they like")
		}
	}
}

// A session ends by itself, by signing out, and everywhere.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	s, login, clock := development(t, console.Config{})
	in := func() {
		t.Helper()
		link, err := url.Parse(login.Link(admin))
		if err != nil {
			t.Fatal(err)
		}
		s.post("/login", url.Values{"link": {link.Query().Get("link")}})
	}
	out := func(why string) {
		t.Helper()
		if a := s.do(http.MethodGet, "/identities/", nil); a.status != http.StatusSeeOther {
			t.Errorf("%s: %d", why, a.status)
		}
	}
	in()
	clock.Advance(engine.SessionIdle)
	out("nobody used the session")
	s.do(http.MethodPost, "/identities/"+s.ID("bob")+"/process", url.Values{}).demand(http.StatusUnauthorized).
		shows("nothing was changed")
	in()
	a := s.do(http.MethodPost, "/logout", url.Values{}).demand(http.StatusSeeOther)
	if a.header.Get("Clear-Site-Data") != `"cache"` || len(s.cookies) != 0 {
		t.Errorf("after signing out: %v, %v", a.header, s.cookies)
	}
	out("signed out")
	in()
	here := s.cookies
	s.cookies = map[string]string{}
	in()
	s.do(http.MethodPost, "/logout", url.Values{"everywhere": {"1"}}).demand(http.StatusSeeOther)
	s.cookies = here
	out("signed out everywhere")
	if s.do(http.MethodGet, "/logout", nil).status != http.StatusMethodNotAllowed {
		t.Error("a link signs out")
	}
}

// The development login answers only where nobody else can have given this machine a name.
func TestHostIsGuarded(t *testing.T) {
	t.Parallel()
	s, _, _ := development(t, console.Config{ExternalURL: "https://people.example.com/admin/"})
	for host, want := range map[string]int{"localhost": 200, "localhost:8080": 200, "127.0.0.1:8080": 200,
		"[::1]:8080": 200, "PEOPLE.example.com": 200, "evil.example.com": 421, "127.0.0.1.evil.example": 421,
		"localhost.evil.example:80": 421, "people.example.com:81": 421} {
		s.header["Host"] = host
		if a := s.do(http.MethodGet, "/login", nil); a.status != want {
			t.Errorf("at %s: %d, want %d", host, a.status, want)
		}
	}
}

// A cookie goes by TLS, or stays on this machine.
func TestCookieOfTLS(t *testing.T) {
	t.Parallel()
	s, login, _ := development(t, console.Config{ExternalURL: "https://people.example.com/", SessionName: "acme"})
	link, err := url.Parse(login.Link(admin))
	if err != nil {
		t.Fatal(err)
	}
	a := s.do(http.MethodPost, "/login", url.Values{"link": {link.Query().Get("link")}}).demand(http.StatusSeeOther)
	cookie := a.header.Get("Set-Cookie")
	if !strings.HasPrefix(cookie, "__Host-muster-acme=") || !strings.Contains(cookie, "Secure") {
		t.Errorf("the cookie is %q", cookie)
	}
	plain, login, _ := development(t, console.Config{ExternalURL: "http://people.example.com/"})
	plain.header["Host"] = "people.example.com"
	if link, err = url.Parse(login.Link(admin)); err != nil {
		t.Fatal(err)
	}
	plain.do(http.MethodPost, "/login", url.Values{"link": {link.Query().Get("link")}}).demand(http.StatusForbidden).
		shows("HTTPS")
}

// A form that another site sends is refused, whoever is signed in.
func TestForgedForms(t *testing.T) {
	t.Parallel()
	s := newSite(t, console.Config{ExternalURL: "https://people.example.com/"})
	path := "/identities/" + s.ID("bob") + "/process"
	for name, header := range map[string]map[string]string{
		"another site":          {"Sec-Fetch-Site": "cross-site"},
		"a neighbour":           {"Sec-Fetch-Site": "same-site"},
		"another origin":        {"Sec-Fetch-Site": "", "Origin": "https://evil.example.com"},
		"no origin":             {"Sec-Fetch-Site": "", "Origin": "null"},
		"nothing said":          {"Sec-Fetch-Site": ""},
		"another port":          {"Sec-Fetch-Site": "", "Origin": "http://localhost:81"},
		"the origin, cross":     {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example.com"},
		"the external one, not": {"Sec-Fetch-Site": "", "Origin": "http://people.example.com"},
	} {
		s.header = header
		if a := s.do(http.MethodPost, path, url.Values{}); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if n := s.CountRows("muster.tasks WHERE completed IS NULL"); n != 0 {
		t.Errorf("%d tasks were launched", n)
	}
	for name, header := range map[string]map[string]string{
		"this site":         {"Sec-Fetch-Site": "same-origin"},
		"the origin":        {"Sec-Fetch-Site": "", "Origin": "http://localhost"},
		"the external name": {"Sec-Fetch-Site": "", "Origin": "https://people.example.com"},
	} {
		s.header = header
		if a := s.do(http.MethodPost, path, url.Values{}); a.status != http.StatusSeeOther {
			t.Errorf("%s: %d", name, a.status)
		}
	}
}

// A page to go on to is one of the console's.
func TestOwnReference(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"identities/": "identities/", "identities/?filters=a+eq+%22b%22": "identities/?filters=a+eq+%22b%22",
		"settings": "settings", "": "home", "/identities/": "home", "//evil.example.com": "home",
		"https://evil.example.com": "home", "javascript:alert(1)": "home", "../../evil": "home", `\\evil`: "home",
		"a/../../b": "home", "identities/\nSet-Cookie: x": "home", "evil:1/": "home", "a/%2e%2e/%2e%2e/b": "home",
		"?a=b": "?a=b", "#x": "home", strings.Repeat("a", 9000): "home",
	} {
		if got := console.OwnReference(given, "home"); got != want {
			t.Errorf("%q gives %q, want %q", given, got, want)
		}
	}
}

func FuzzOwnReference(f *testing.F) {
	for _, seed := range []string{"identities/?a=b", "//x", "a:b", `\x`, "..", "%2e%2e/x", "./../x"} {
		f.Add(seed)
	}
	base, err := url.Parse("http://localhost/a/b/identities/x/")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, given string) {
		target, err := base.Parse("../../" + console.OwnReference(given, ""))
		if err != nil || target.Host != "localhost" || target.Scheme != "http" || !strings.HasPrefix(target.Path, "/a/b/") {
			t.Errorf("%q leads to %s, %v", given, target, err)
		}
	})
}
