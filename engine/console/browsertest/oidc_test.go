package browsertest

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/console/oidclogin"
	"github.com/muster-engine/muster/engine/enginetest"
)

// provider is an OpenID provider that runs as a process of its own.
type provider struct {
	t       *testing.T
	address string
	args    []string
}

// providerUsers are the people of the provider: bob has an identity, and mallory has none.
const providerUsers = `{
	"id1": {"ID": "id1", "Username": "bob", "Password": "at the provider", "FirstName": "Bobby", "LastName": "Elsewhere",
	        "Email": "bob@example.com", "EmailVerified": true, "PreferredLanguage": "en"},
	"id2": {"ID": "id2", "Username": "mallory", "Password": "at the provider", "FirstName": "Mallory", "LastName": "Nobody",
	        "Email": "mallory@example.com", "EmailVerified": true, "PreferredLanguage": "en"}}`

// newProvider returns a provider for a console at an address. It does not run yet.
func newProvider(t *testing.T, url string) *provider {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// Browsers hold cookies of localhost and of 127.0.0.1 apart, as those of two sites.
	address := strings.Replace(listener.Addr().String(), "127.0.0.1", "localhost", 1)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	users := filepath.Join(t.TempDir(), "users.json")
	if err := os.WriteFile(users, []byte(providerUsers), 0o600); err != nil {
		t.Fatal(err)
	}
	return &provider{t: t, address: address, args: []string{address, url + "/" + console.ProviderReturn,
		url + "/" + console.ProviderSignedOut, users}}
}

func (p *provider) url() string { return "http://" + p.address + "/" }

// start builds the provider, and runs it until the test ends.
func (p *provider) start() {
	p.t.Helper()
	program := filepath.Join(p.t.TempDir(), "provider")
	if out, err := exec.Command("go", "build", "-o", program, "./provider").CombinedOutput(); err != nil {
		p.t.Fatalf("go build: %v\n%s", err, out)
	}
	said := &bytes.Buffer{}
	command := exec.Command(program, p.args...)
	command.Stdout, command.Stderr = said, said
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	for range 400 {
		if conn, err := net.Dial("tcp", p.address); err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	_ = command.Process.Kill()
	_ = command.Wait()
	p.t.Fatalf("the provider does not answer: %s", said)
}

// box keeps the last message that was sent.
type box struct {
	mu   sync.Mutex
	last engine.Message
}

func (b *box) Notify(_ context.Context, m *engine.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = *m
	return nil
}

// invited returns the sample company, and the token of an invitation of bob.
func invited(t *testing.T) (*enginetest.Company, string) {
	t.Helper()
	box := &box{}
	c := enginetest.New(t, enginetest.WithConfig(engine.Config{Notifier: box}))
	c.ApplyText(enginetest.Roles)
	c.Process()
	if _, err := c.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{c.ID("bob")}}); err != nil {
		t.Fatal(err)
	}
	if err := c.SendPending(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c, box.last.Token
}

// By the keyboard, with script and without: a person wants to see a page, signs in at a real provider, lands there, is
// known by her name, and signs out here and there.
func TestSignInAtProvider(t *testing.T) {
	b := launch(t)
	c, token := invited(t)
	b.Company = c
	if _, err := c.RedeemInvitation(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := c.SetUserLevels(t.Context(), c.ID("bob"), []string{"HELPDESK"}); err != nil {
		t.Fatal(err)
	}
	p := newProvider(t, b.url)
	b.others = []string{p.url()}
	var late time.Duration // by which the login's clock is ahead
	login, err := oidclogin.New(oidclogin.Config{Issuer: p.url(), ClientID: "muster", ClientSecret: "secret", Name: "Acme",
		RedirectURL: b.url + "/" + console.ProviderReturn, AliasClaim: "preferred_username", MaxAge: time.Hour,
		Now: func() time.Time {
			b.mu.Lock()
			defer b.mu.Unlock()
			return time.Now().Add(late)
		}})
	if err != nil {
		t.Fatal(err)
	}
	ui, err := console.New(c.Engine, console.Config{Provider: login, Passwords: true})
	if err != nil {
		t.Fatal(err)
	}
	b.handler = ui
	const wanted = "/identities/?filters=alias+eq+%22bob%22"
	b.open(wanted)
	b.shows("Sign in", "Acme cannot be reached right now", "Sign in with Acme")
	b.tested("login-away")
	p.start()
	b.mu.Lock()
	late = oidclogin.RetryEvery
	b.mu.Unlock()
	for _, script := range []bool{true, false} {
		b.script(script)
		b.open(wanted)
		b.shows("Sign in", "Sign in with Acme")
		if away := evaluate[bool](b, `document.body.innerText.includes("cannot be reached")`); away {
			t.Error("the provider is still away")
		}
		b.follow("Sign in with Acme")
		b.atProvider("bob")
		b.shows("Identity List", "Bob Twain")
		if at := evaluate[string](b, "location.href"); at != b.url+wanted {
			t.Errorf("she is at %s", at)
		}
		if who := evaluate[string](b, `document.querySelector(".me").textContent`); who != "Bob Twain" {
			t.Errorf("she is %q", who)
		}
		if kept := evaluate[string](b, "document.cookie"); kept != "" {
			t.Errorf("scripts read the cookies %s", kept)
		}
		b.follow("Sign out")
		b.shows("Sign in", "You are signed out here.")
		if script { // axe-core needs timers, which pages without script do not have
			b.tested("login-out")
		}
		b.follow("Sign out of Acme, too")
		b.until(`!document.body.innerText.includes("Sign out of Acme")`)
		b.shows("Sign in", "Sign in with Acme")
		if at := evaluate[string](b, "location.href"); at != b.url+"/login" {
			t.Errorf("after signing out she is at %s", at)
		}
	}
	b.script(true)
	b.open("/login")
	b.follow("Sign in with Acme")
	b.atProvider("mallory")
	b.shows("Sign in", "no registered identity belongs to that account")
	b.tested("login-nobody")
	b.quiet()
}

// atProvider signs somebody in on the provider's own page.
func (b *browser) atProvider(name string) {
	b.t.Helper()
	b.into("#username", name)
	b.into("#password", "at the provider")
	b.do(chromedp.KeyEvent("\r"))
}

// tested runs axe-core on the page that is open, light, dark and narrow.
func (b *browser) tested(name string) {
	b.t.Helper()
	source := axeSource(b.t)
	for _, look := range looks {
		// The page may be the answer to a form: it is not asked for again.
		evaluate[bool](b, `document.documentElement.dataset.theme = "`+look.theme+`"; true`)
		b.do(chromedp.EmulateViewport(look.width, look.height))
		for _, v := range b.axe(source) {
			for _, n := range v.Nodes {
				b.t.Errorf("%s, %s: %s: %s\n%s\n%s", name, look.name, v.ID, v.Help, n.HTML, n.FailureSummary)
			}
		}
		if wide := evaluate[bool](b, "document.documentElement.scrollWidth > innerWidth"); wide {
			b.t.Errorf("%s, %s: the page is wider than the window", name, look.name)
		}
		b.picture(look.name, "/"+name)
	}
	b.do(chromedp.EmulateViewport(looks[0].width, looks[0].height))
}
