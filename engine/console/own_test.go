package console_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/enginetest"
)

const goodPassword = "a kettle on the seventh hill"

type mailbox struct {
	mutex sync.Mutex
	last  engine.Message
}

func (b *mailbox) Notify(_ context.Context, m *engine.Message) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.last = *m
	return nil
}

// registered returns a console at which bob, who is registered, may sign in.
func registered(t *testing.T, config console.Config) *site {
	t.Helper()
	box := &mailbox{}
	c := enginetest.New(t, enginetest.WithConfig(engine.Config{Notifier: box}))
	c.ApplyText(enginetest.Roles)
	c.Process()
	if _, err := c.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{c.ID("bob")}}); err != nil {
		t.Fatal(err)
	}
	if err := c.SendPending(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Register(t.Context(), box.last.Token, goodPassword); err != nil {
		t.Fatal(err)
	}
	config.Passwords = true
	s := siteOf(t, c, config)
	s.level = ""
	return s
}

func (s *site) signIn(name, secret string) *answer {
	s.t.Helper()
	return s.do(http.MethodPost, "/login", url.Values{"name": {name}, "secret": {secret}})
}

// A registered person without a user level sees what there is about her, and nothing else: no link leads to a page that
// is refused, and each other page is.
func TestOwnPage(t *testing.T) {
	t.Parallel()
	s := registered(t, console.Config{})
	s.get("/login").shows("Account or e-mail address")
	for _, name := range []string{"bob", "nobody", "ann"} {
		s.signIn(name, "wrong").demand(http.StatusForbidden).shows("The name or the password is wrong.")
	}
	signed := s.signIn("Bob@Example.com", goodPassword).demand(http.StatusSeeOther)
	home := s.do(http.MethodGet, s.resolve(signed, signed.header.Get("Location")), nil)
	if home.url.Path != "/" {
		t.Fatalf("it leads to %s", home.url.Path)
	}
	page := s.follow(home.demand(http.StatusSeeOther)).shows("Bob Twain").shows("bob@example.com")
	page.hides("Employees of Acme")
	if page.url.Path != "/me" || len(page.elements("nav")) != 0 {
		t.Errorf("it leads to %s", page.url.Path)
	}
	checkPage(t, page)
	seen := map[string]bool{}
	var crawl func(path string)
	crawl = func(path string) {
		if seen[path] || strings.HasPrefix(path, "/static/") {
			return
		}
		seen[path] = true
		a := s.do(http.MethodGet, path, nil)
		for a.status == http.StatusSeeOther {
			a = s.follow(a)
		}
		if a.status != http.StatusOK {
			t.Errorf("%s: %d: %s", path, a.status, a.text())
		}
		for _, n := range a.elements("a") {
			if href := attr(n, "href"); !strings.HasPrefix(href, "#") {
				crawl(s.resolve(a, href))
			}
		}
	}
	crawl("/")
	for _, want := range []string{"/settings", "/help"} {
		if !seen[want] {
			t.Errorf("%s is not reached: %v", want, seen)
		}
	}
	refused, other := 0, s.ID("ann") // who may not see a page is refused before anything is looked for

	for _, r := range console.Routes() {
		if r.Public || r.Pattern == "" || slices.Contains(r.Levels, "USER") {
			continue
		}
		var form url.Values
		if r.Method == http.MethodPost {
			form = url.Values{}
		}
		s.do(r.Method, r.Path(other), form).demand(http.StatusForbidden)
		refused++
	}
	if refused < 50 {
		t.Errorf("%d pages were refused", refused)
	}
}

// The levels of a person count as they are now, and what ends the registration ends the session.
func TestLevelsOfIdentity(t *testing.T) {
	t.Parallel()
	s := registered(t, console.Config{})
	ctx, bob := t.Context(), s.ID("bob")
	if err := s.SetUserLevels(ctx, bob, []string{"HELPDESK"}); err != nil {
		t.Fatal(err)
	}
	s.signIn("bob", goodPassword).demand(http.StatusSeeOther)
	s.get("/identities/").shows("Ann Boss")
	s.get("/me").shows("Bob Twain")
	s.do(http.MethodGet, "/health/", nil).demand(http.StatusForbidden)
	if err := s.SetUserLevels(ctx, bob, nil); err != nil {
		t.Fatal(err)
	}
	s.do(http.MethodGet, "/identities/", nil).demand(http.StatusForbidden)
	if err := s.SetUserLevels(ctx, bob, []string{"ORG_ADMIN"}); err != nil {
		t.Fatal(err)
	}
	s.get("/identities/").shows("Ann Boss")
	if err := s.ResetIdentity(ctx, bob); err != nil {
		t.Fatal(err)
	}
	s.do(http.MethodGet, "/identities/", nil).demand(http.StatusSeeOther)
	s.signIn("bob", goodPassword).demand(http.StatusForbidden)
	for range engine.SignInBurst {
		s.signIn("nobody", "wrong")
	}
	s.signIn("nobody", "wrong").demand(http.StatusTooManyRequests).shows("Too many attempts")
	if log := s.logs.String(); strings.Contains(log, goodPassword) || strings.Contains(log, "wrong") {
		t.Errorf("the log has a password: %s", log)
	}
}

// Development accounts and people sign in at the same form.
func TestSignInBoth(t *testing.T) {
	t.Parallel()
	s := registered(t, console.Config{Development: console.NewDevelopment(console.Account{
		Principal: console.Principal{ID: "helen", Levels: []string{"HELPDESK"}}, Secret: "sesame"})})
	s.signIn("helen", goodPassword).demand(http.StatusForbidden)
	s.follow(s.signIn("helen", "sesame").demand(http.StatusSeeOther)).shows("Home")
	s.do(http.MethodPost, "/logout", url.Values{}).demand(http.StatusSeeOther)
	s.signIn("bob", goodPassword).demand(http.StatusSeeOther)
	s.get("/me").shows("Bob Twain")
}
