package registration_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/internal/page"
	"github.com/muster-engine/muster/engine/registration"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const goodPassword = "a kettle on the seventh hill"

// mailbox keeps what the engine sends.
type mailbox struct {
	mutex sync.Mutex
	mail  []engine.Message
}

func (b *mailbox) Notify(_ context.Context, m *engine.Message) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.mail = append(b.mail, *m)
	return nil
}

// browser is a browser on the pages of the sample company.
type browser struct {
	*enginetest.Company
	t       *testing.T
	box     *mailbox
	handler http.Handler
	logs    bytes.Buffer
	cookies map[string]*http.Cookie
	header  map[string]string
	host    string
}

const prefix = "/people/register"

func open(t *testing.T, config registration.Config) (*browser, *enginetest.Clock) {
	t.Helper()
	clock := enginetest.NewClock(time.Date(2026, time.June, 1, 8, 0, 0, 0, time.UTC))
	b := &browser{t: t, box: &mailbox{}, cookies: map[string]*http.Cookie{}, host: "localhost:8080",
		header: map[string]string{"Sec-Fetch-Site": "same-origin"}}
	b.Company = enginetest.New(t, enginetest.WithConfig(engine.Config{Notifier: b.box}), enginetest.WithClock(clock))
	config.Logger = slog.New(slog.NewTextHandler(&b.logs, nil))
	pages, err := registration.New(b.Engine, config)
	if err != nil {
		t.Fatal(err)
	}
	b.handler = http.StripPrefix(prefix, pages)
	return b, clock
}

// token returns the token of the message that is sent next.
func (b *browser) token(ask func(ctx context.Context) error) string {
	b.t.Helper()
	if err := ask(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	if err := b.SendPending(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.box.mutex.Lock()
	defer b.box.mutex.Unlock()
	return b.box.mail[len(b.box.mail)-1].Token
}

// invite returns the token of a new invitation of bob.
func (b *browser) invite() string {
	b.t.Helper()
	return b.token(func(ctx context.Context) error {
		_, err := b.InviteIdentities(ctx, engine.InviteParams{IDs: []string{b.ID("bob")}})
		return err
	})
}

// answer is what was answered to the last of the requests that a browser made.
type answer struct {
	t            *testing.T
	status       int
	path         string
	body         string
	header       http.Header
	redirections int
}

// do sends a request as a browser does, and follows redirections.
func (b *browser) do(method, reference string, form url.Values) *answer {
	b.t.Helper()
	at := &url.URL{Scheme: "http", Host: b.host, Path: prefix + "/"}
	for redirections := 0; ; redirections++ {
		target, err := at.Parse(reference)
		if err != nil {
			b.t.Fatal(err)
		}
		var body io.Reader = http.NoBody
		if form != nil {
			body = strings.NewReader(form.Encode())
		}
		r := httptest.NewRequestWithContext(b.t.Context(), method, target.String(), body)
		r.RemoteAddr = "192.0.2.7:4711"
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for name, value := range b.header {
			r.Header.Set(name, value)
		}
		for _, cookie := range b.cookies {
			r.AddCookie(cookie)
		}
		recorder := httptest.NewRecorder()
		b.handler.ServeHTTP(recorder, r)
		response := recorder.Result()
		for _, cookie := range response.Cookies() {
			if b.cookies[cookie.Name] = cookie; cookie.MaxAge < 0 {
				delete(b.cookies, cookie.Name)
			}
		}
		for name, want := range map[string]string{"Content-Security-Policy": page.Policy, "Referrer-Policy": "no-referrer",
			"X-Content-Type-Options": "nosniff"} {
			if got := response.Header.Get(name); got != want {
				b.t.Errorf("%s %s: %s is %q", method, target.Path, name, got)
			}
		}
		if cache := response.Header.Get("Cache-Control"); cache != "no-store" && !strings.Contains(target.Path, "/static/") {
			b.t.Errorf("%s is kept: %q", target.Path, cache)
		}
		if response.StatusCode == http.StatusSeeOther {
			at, reference, method, form = target, response.Header.Get("Location"), http.MethodGet, nil
			if strings.HasPrefix(reference, "/") || strings.Contains(reference, "://") {
				b.t.Fatalf("a redirection leads to %q", reference)
			}
			continue
		}
		return &answer{b.t, response.StatusCode, target.RequestURI(), recorder.Body.String(), response.Header, redirections}
	}
}

func (a *answer) shows(status int, texts ...string) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Errorf("%s: %d, want %d: %s", a.path, a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			a.t.Errorf("%s does not show %q: %s", a.path, text, a.body)
		}
	}
	return a
}

func passwords(password string) url.Values {
	return url.Values{"password": {password}, "again": {password}}
}

// From the link to the registration: a GET redeems nothing and leaves no token in the address, and the form registers.
func TestRegister(t *testing.T) {
	t.Parallel()
	b, _ := open(t, registration.Config{Name: "Acme", SignIn: "../console/"})
	token := b.invite()
	for range 3 {
		page := b.do(http.MethodGet, "?token="+token, nil).shows(http.StatusOK, "Register", `value="bob"`, "Acme", `autocomplete="new-password"`)
		if page.path != prefix+"/" || strings.Contains(page.body, token) {
			t.Errorf("the token is still at %s", page.path)
		}
	}
	cookie := b.cookies["muster-registration"]
	if cookie == nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != 15*60 {
		t.Fatalf("the cookie is %+v", cookie)
	}
	if status := b.Identity("bob").IdentityStatus; status != "PENDING" {
		t.Errorf("looking at the page made bob %s", status)
	}
	for _, test := range []struct{ password, again, want string }{
		{"short", "short", "at least 15 characters"}, {"", "", "A password is missing"},
		{goodPassword, goodPassword + "!", "not the same"}, {"passwordpassword", "passwordpassword", "Attackers try"},
		{"bob@example.com", "bob@example.com", "made of your name"}, {strings.Repeat("ab ", 100), strings.Repeat("ab ", 100), "too long"},
	} {
		page := b.do(http.MethodPost, "./", url.Values{"password": {test.password}, "again": {test.again}}).shows(
			http.StatusUnprocessableEntity, test.want, `aria-describedby="rules problem"`)
		if len(test.password) > 5 && strings.Contains(page.body, `value="`+test.password) {
			t.Error("the page repeats the password")
		}
	}
	done := b.do(http.MethodPost, "./", passwords(goodPassword)).shows(http.StatusOK, "You are registered", `href="../console/"`)
	if done.path != prefix+"/registered" || done.redirections != 1 || len(b.cookies) != 0 {
		t.Errorf("it ends at %s with the cookies %v", done.path, b.cookies)
	}
	if who, err := b.SignIn(t.Context(), "bob", goodPassword); err != nil || who.IdentityStatus != "REGISTERED" {
		t.Errorf("he signs in as %+v, %v", who, err)
	}
	events, err := b.History(t.Context(), b.ID("bob"), "", 1)
	if err != nil || events[0].Actor.Via != "registration" || events[0].Actor.ID != b.ID("bob") {
		t.Errorf("who did it is %+v, %v", events, err)
	}
	b.do(http.MethodGet, "?token="+token, nil).shows(http.StatusForbidden, "used already", "Code of the message")
	for _, secret := range []string{token, goodPassword, "bob", b.ID("bob"), "192.0.2.7"} {
		if strings.Contains(b.logs.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// A code that is typed in, a token that was replaced, one that has expired, and one that nobody knows.
func TestCodes(t *testing.T) {
	t.Parallel()
	b, clock := open(t, registration.Config{})
	first := b.invite()
	b.do(http.MethodPost, "./", passwords(goodPassword)).shows(http.StatusForbidden, "has lost the link")
	b.do(http.MethodPost, "code", url.Values{"code": {" " + first + "\n"}}).shows(http.StatusOK, "Register")
	clock.Set(clock.Now().Add(2 * time.Minute))
	second := b.invite()
	b.do(http.MethodPost, "./", passwords(goodPassword)).shows(http.StatusForbidden, "replaced by a newer one")
	for _, unknown := range []string{"x", "a b", strings.Repeat("a", 500), "<b>"} {
		b.do(http.MethodPost, "code", url.Values{"code": {unknown}}).shows(http.StatusForbidden, "not complete, or not known")
	}
	clock.Set(clock.Now().Add(engine.InvitationTTL))
	b.do(http.MethodGet, "?token="+second, nil).shows(http.StatusForbidden, "has expired")
	b.header["Accept-Language"] = "de"
	b.do(http.MethodGet, "?token="+second, nil).shows(http.StatusForbidden, "Der Link ist abgelaufen", `lang="de"`)
	b.do(http.MethodGet, "nothing", nil).shows(http.StatusNotFound, "Es gibt keine solche Seite")
	b.do(http.MethodDelete, "./", nil).shows(http.StatusMethodNotAllowed)
}

// A verification sets a new password. Sessions end.
func TestNewPassword(t *testing.T) {
	t.Parallel()
	b, _ := open(t, registration.Config{})
	b.do(http.MethodGet, "?token="+b.invite(), nil)
	b.do(http.MethodPost, "./", passwords(goodPassword)).shows(http.StatusOK, "You are registered")
	session, err := b.OpenSession(t.Context(), engine.Session{UserID: b.ID("bob")})
	if err != nil {
		t.Fatal(err)
	}
	token := b.token(func(ctx context.Context) error {
		return b.SendVerification(ctx, b.ID("bob"), engine.VerificationParams{Via: engine.ViaLinkWork})
	})
	b.do(http.MethodGet, "?token="+token, nil).shows(http.StatusOK, "Set a new password")
	b.do(http.MethodPost, "./", passwords("two lanterns by the river")).shows(http.StatusOK, "The new password is set")
	if _, err := b.SignIn(t.Context(), "bob", "two lanterns by the river"); err != nil {
		t.Error(err)
	}
	if _, err := b.Session(t.Context(), session); engine.KindOf(err) != engine.NotFound {
		t.Errorf("the session goes on: %v", err)
	}
}

// Forms of other sites are refused, and so is a connection on which others can read.
func TestForeignForms(t *testing.T) {
	t.Parallel()
	b, _ := open(t, registration.Config{})
	token := b.invite()
	b.do(http.MethodGet, "?token="+token, nil)
	for _, header := range []map[string]string{{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}, {"Origin": "http://evil.example"}} {
		b.header = header
		b.do(http.MethodPost, "./", passwords(goodPassword)).shows(http.StatusForbidden, "was not sent by this page")
	}
	b.header = map[string]string{"Sec-Fetch-Site": "same-origin"}
	b.host = "people.example.com"
	b.do(http.MethodGet, "?token="+token, nil).shows(http.StatusForbidden, "needs HTTPS")
	b.do(http.MethodPost, "./", passwords(goodPassword)).shows(http.StatusForbidden, "needs HTTPS")
	if status := b.Identity("bob").IdentityStatus; status != "PENDING" {
		t.Errorf("bob is %s", status)
	}
	secure, err := registration.New(b.Engine, registration.Config{ExternalURL: "https://people.example.com/"})
	if err != nil {
		t.Fatal(err)
	}
	b.handler, b.cookies = http.StripPrefix(prefix, secure), map[string]*http.Cookie{}
	b.do(http.MethodGet, "?token="+token, nil).shows(http.StatusOK, "Register")
	if c := b.cookies["__Host-muster-registration"]; c == nil || !c.Secure || c.Path != "/" {
		t.Errorf("the cookies are %v", b.cookies)
	}
	if _, err := registration.New(b.Engine, registration.Config{ExternalURL: "nowhere"}); err == nil || !strings.Contains(err.Error(), "ExternalURL") {
		t.Errorf("an address that is none: %v", err)
	}
}

// Too many attempts from one network have to wait.
func TestManyAttempts(t *testing.T) {
	t.Parallel()
	b, _ := open(t, registration.Config{})
	b.do(http.MethodGet, "?token="+b.invite(), nil)
	for range engine.AddressBurst {
		b.do(http.MethodPost, "./", passwords("too short")).shows(http.StatusUnprocessableEntity)
	}
	b.do(http.MethodPost, "./", passwords(goodPassword)).shows(http.StatusTooManyRequests, "too many attempts")
}

// Each text of the pages has its German.
func TestGerman(t *testing.T) {
	t.Parallel()
	german, err := os.ReadFile("german.txt")
	if err != nil {
		t.Fatal(err)
	}
	catalogue := page.ReadCatalogue(string(german))
	var used []string
	for file, pattern := range map[string]string{"templates/page.html": `\.T "([^"]*)"`,
		"registration.go": `(?:T\(|refuse\([^"\n]*, |return )\s*"([^"]* [^"]*)"`} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
			used = append(used, found[1])
		}
	}
	if len(used) < 25 {
		t.Errorf("only %d texts were found", len(used))
	}
	for _, text := range used {
		if german := catalogue[text]; german == "" || strings.Count(german, "%") != strings.Count(text, "%") {
			t.Errorf("%q has the German %q", text, german)
		}
	}
	for text := range catalogue {
		if !slices.Contains(used, text) {
			t.Errorf("nothing shows %q", text)
		}
	}
}
