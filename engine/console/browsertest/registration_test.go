package browsertest

import (
	"crypto/tls"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/notify"
	"github.com/muster-engine/muster/engine/notify/smtptest"
	"github.com/muster-engine/muster/engine/registration"
)

const goodPassword = "a kettle on the seventh hill"

// pagesOf serves the console below /console/ and the pages of registration below /register/.
func pagesOf(t *testing.T, eng *engine.Engine) http.Handler {
	t.Helper()
	ui, err := console.New(eng, console.Config{Passwords: true, Development: console.NewDevelopment(console.Account{
		Principal: console.Principal{ID: "root", Name: "Root", Levels: []string{"ORG_ADMIN"}}, Secret: "sesame"})})
	if err != nil {
		t.Fatal(err)
	}
	register, err := registration.New(eng, registration.Config{Name: "Acme", SignIn: "../console/"})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/console/", http.StripPrefix("/console", ui))
	mux.Handle("/register/", http.StripPrefix("/register", register))
	return mux
}

// signIn signs somebody in by the form that is shown.
func (b *browser) signIn(name, secret string) {
	b.t.Helper()
	b.into("#name", name)
	b.into("#secret", secret)
	b.press(kb.Enter)
}

// choose types a password into the form of registration.
func (b *browser) choose(password, again string) {
	b.t.Helper()
	b.into("#password", password)
	b.into("#again", again)
	b.press(kb.Enter)
}

// From the invitation to the console, by the keyboard, with script and without, over a real mail server: an
// administrator invites somebody by the menu of her row, she follows the link of the mail, chooses a password under the
// rules, signs in, sees her own page, gets a level and sees the console. A reset takes all of it away.
func TestFromInvitationToConsole(t *testing.T) {
	for name, script := range map[string]bool{"script": true, "no script": false} {
		t.Run(name, func(t *testing.T) { fromInvitationToConsole(t, script) })
	}
}

func fromInvitationToConsole(t *testing.T, script bool) {
	server := smtptest.StartExim(t, true)
	b := launch(t)
	mail, err := notify.NewSMTP(notify.SMTPConfig{Host: "127.0.0.1", Port: server.Port, From: "Acme <muster@example.com>",
		Username: "muster", Password: "s3cret", TLSConfig: &tls.Config{RootCAs: server.Pool, ServerName: "127.0.0.1"},
		Links: notify.Links{Invitation: b.url + "/register/?token={token}",
			Verification: b.url + "/register/?token={token}"}})
	if err != nil {
		t.Fatal(err)
	}
	b.Company = enginetest.New(t, enginetest.WithConfig(engine.Config{Notifier: mail}))
	b.ApplyText(enginetest.Roles)
	b.Process()
	b.handler = pagesOf(t, b.Engine)
	b.script(script)

	b.open("/console/identities/?filters=alias+eq+%22bob%22")
	b.shows("Sign in")
	b.signIn("root", "sesame")
	b.shows("Identity List", "Bob Twain")
	b.followIn("td.act", "☰")
	b.followIn("details.menu[open]", "Invite")
	b.until(`document.querySelector(".note") !== null`)
	if err := b.SendPending(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.follow("Sign out")
	b.shows("Sign in")

	_, plain, _ := smtptest.Parts(t, server.One(t))
	link := regexp.MustCompile(regexp.QuoteMeta(b.url) + `/register/\?token=[\w-]{43}`).FindString(plain)
	if link == "" {
		t.Fatalf("the mail has no link: %s", plain)
	}
	b.do(chromedp.Navigate(link))
	b.shows("Register", "At least 15 characters")
	if at := evaluate[string](b, "location.href"); at != b.url+"/register/" {
		t.Errorf("the token is still at %s", at)
	}
	if script { // axe-core needs timers, which pages without script do not have
		b.tested("register")
	}
	for _, c := range []struct{ password, again, says string }{
		{"too short", "too short", "too short"},
		{"passwordpassword", "passwordpassword", "Attackers try this password first"},
		{"bob@example.com", "bob@example.com", "made of your name"},
		{goodPassword, goodPassword + "s", "not the same"},
	} {
		b.choose(c.password, c.again)
		b.until(`document.querySelector("#problem")?.textContent.includes(` + quoted(c.says) + `)`)
	}
	if script { // axe-core needs timers, which pages without script do not have
		b.tested("register-again")
	}
	b.choose(goodPassword, goodPassword)
	b.shows("You are registered")
	b.do(chromedp.Navigate(link))
	b.shows("Set a password", "used already")
	b.open("/register/registered")
	b.follow("Sign in")
	b.shows("Sign in")
	b.signIn("bob", "a guess at the password")
	b.until(`document.querySelector("#problem")?.textContent.includes("is wrong")`)
	b.signIn("BOB@example.com", goodPassword)
	b.shows("Bob Twain", "This is what is known about you, and why.", "bob@example.com")
	if links := evaluate[int](b, `document.querySelectorAll("nav").length`); links != 0 {
		t.Error("her own page has the console's navigation")
	}

	if err := b.SetUserLevels(t.Context(), b.ID("bob"), []string{"HELPDESK"}); err != nil {
		t.Fatal(err)
	}
	b.open("/console/")
	b.follow("Identity List")
	b.shows("Identity List", "Ann Boss")

	if err := b.ResetIdentity(t.Context(), b.ID("bob")); err != nil {
		t.Fatal(err)
	}
	b.open("/console/identities/")
	b.shows("Sign in")
	b.signIn("bob", goodPassword)
	b.until(`document.querySelector("#problem")?.textContent.includes("is wrong")`)
	if levels, err := b.UserLevels(t.Context(), b.ID("bob")); err != nil || len(levels) != 0 {
		t.Errorf("the levels are %v, %v", levels, err)
	}
	b.quiet()
}

func quoted(text string) string { return `"` + text + `"` }

// A name is a text, whatever it contains, also on the own page and where registration shows it.
func TestHostileNames(t *testing.T) {
	b := launch(t)
	c, token := invited(t)
	b.Company = c
	b.handler = pagesOf(t, c.Engine)
	if _, err := c.Register(t.Context(), token, goodPassword); err != nil {
		t.Fatal(err)
	}
	b.open("/console/login")
	b.signIn("bob", goodPassword)
	b.shows("Bob Twain")
	b.follow("Sign out")
	b.shows("Sign in")
	for kind, name := range map[string]string{
		"markup": `<img src=x onerror="document.title='taken'"><script>document.title="taken"</script>{{.}}&lt;b&gt;`,
		"marks":  "\u202eBob\u2066Twain\u200f \u0301\u0301",
		"long":   strings.Repeat("<b>Wörter ohne Ende", 100),
		"wide":   strings.Repeat("ÜÜÜÜÜ", 200),
	} {
		t.Run(kind, func(t *testing.T) {
			b.t = t
			c.AggregateText("HR", enginetest.PeopleHeader+`bob,"`+strings.ReplaceAll(name, `"`, `""`)+
				`",Bob,Twain,bob@example.com,Sales,,41,leave`+"\n", engine.AggregateOptions{Delta: true})
			c.Process()
			b.open("/console/login?next=me")
			b.signIn("bob", goodPassword)
			b.until(`document.querySelector("h1") !== null && location.pathname.endsWith("/me")`)
			stored := c.Identity("bob").Name
			if shown := evaluate[string](b, `document.querySelector("h1").textContent`); shown != stored || stored == "Bob Twain" {
				t.Errorf("the name is %q, and shown as %q", stored, shown)
			}
			if n := evaluate[int](b, `document.querySelectorAll("main img, main script, main b").length`); n != 0 {
				t.Errorf("the name has made %d elements", n)
			}
			if title := evaluate[string](b, "document.title"); title == "taken" {
				t.Error("the name has run")
			}
			b.tested("me-" + kind)
			b.follow("Sign out")
			b.shows("Sign in")
			b.quiet()
		})
	}
}
