package oidclogin_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/console/oidclogin"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// office is the sample company with a console, a provider, and a browser. bob is registered.
type office struct {
	*enginetest.Company
	t       *testing.T
	clock   *enginetest.Clock
	issuer  *issuer
	config  oidclogin.Config
	handler http.Handler
	cookies map[string]string
	log     *lockedBuffer
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(data)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *lockedBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Reset()
}

// invitations keeps the tokens that are sent.
type invitations struct {
	mu    sync.Mutex
	token string
}

func (n *invitations) Notify(_ context.Context, m *engine.Message) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.token = m.Token
	return nil
}

const prefix = "/a/b"

func open(t *testing.T, change func(*oidclogin.Config)) *office {
	t.Helper()
	clock := enginetest.NewClock(time.Date(2026, time.June, 1, 8, 0, 0, 0, time.UTC))
	box := &invitations{}
	c := enginetest.New(t, enginetest.WithClock(clock), enginetest.WithConfig(engine.Config{Notifier: box}))
	if _, err := c.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{c.ID("bob")}}); err != nil {
		t.Fatal(err)
	}
	if err := c.SendPending(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.RedeemInvitation(t.Context(), box.token); err != nil {
		t.Fatal(err)
	}
	o := &office{Company: c, t: t, clock: clock, issuer: newIssuer(t, clock), cookies: map[string]string{},
		log: &lockedBuffer{}}
	o.config = oidclogin.Config{Issuer: o.issuer.url, ClientID: clientID, ClientSecret: clientSecret,
		RedirectURL: returnURL, AliasClaim: "preferred_username", Name: "Acme", Now: clock.Now,
		Client: o.issuer.server.Client()}
	if change != nil {
		change(&o.config)
	}
	o.handler = o.process()
	return o
}

// process returns the console as another process of the tenant has it: nothing in memory is shared.
func (o *office) process() http.Handler {
	o.t.Helper()
	logger := slog.New(slog.NewTextHandler(o.log, nil))
	o.config.Logger = logger
	login, err := oidclogin.New(o.config)
	if err != nil {
		o.t.Fatal(err)
	}
	ui, err := console.New(o.Engine, console.Config{Provider: login, Logger: logger})
	if err != nil {
		o.t.Fatal(err)
	}
	return http.StripPrefix(prefix, ui)
}

// page is what was answered.
type page struct {
	t      *testing.T
	path   string // with the query
	status int
	header http.Header
	body   string
}

func (o *office) do(method, path string) *page {
	o.t.Helper()
	r := httptest.NewRequestWithContext(o.t.Context(), method, "http://localhost"+prefix+path, http.NoBody)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, value := range o.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	recorder := httptest.NewRecorder()
	o.handler.ServeHTTP(recorder, r)
	response := recorder.Result()
	for _, cookie := range response.Cookies() {
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode {
			o.t.Errorf("the cookie %s is not kept from scripts and other sites", cookie.Name)
		}
		if o.cookies[cookie.Name] = cookie.Value; cookie.MaxAge < 0 {
			delete(o.cookies, cookie.Name)
		}
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return &page{o.t, path, response.StatusCode, response.Header, html.UnescapeString(string(text))}
}

func (o *office) get(path string) *page {
	o.t.Helper()
	return o.do(http.MethodGet, path)
}

func (p *page) demand(status int, texts ...string) *page {
	p.t.Helper()
	if p.status != status {
		p.t.Fatalf("%s: %d, want %d: %s %s", p.path, p.status, status, p.header.Get("Location"), p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			p.t.Errorf("%s does not show %q: %s", p.path, text, p.body)
		}
	}
	return p
}

// leads demands a redirection to a path below the mount.
func (p *page) leads(want string) {
	p.t.Helper()
	at := &url.URL{Path: prefix}
	at, err := at.Parse("http://localhost" + prefix + p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	to, err := at.Parse(p.header.Get("Location"))
	if err != nil || p.status != http.StatusSeeOther || to.Host != "localhost" || to.RequestURI() != prefix+want {
		p.t.Errorf("%s: %d leads to %s, %v, want %s: %s", p.path, p.status, p.header.Get("Location"), err, want, p.body)
	}
}

// begin sends the browser to the provider, and returns the query with which it comes back.
func (o *office) begin(next string) url.Values {
	o.t.Helper()
	p := o.get("/login/provider?" + url.Values{"next": {next}}.Encode()).demand(http.StatusSeeOther)
	return o.issuer.authorize(p.header.Get("Location"))
}

// signIn signs somebody in at the provider.
func (o *office) signIn(next string) *page {
	o.t.Helper()
	return o.get("/login/return?" + o.begin(next).Encode())
}

func (o *office) hasSession() bool { return o.cookies["muster-console"] != "" }

// A person signs in at the provider by whatever process she began with, lands where she wanted to, is seen by the name
// that Muster has, and signs out of both.
func TestSignIn(t *testing.T) {
	t.Parallel()
	o := open(t, nil)
	if err := o.SetUserLevels(t.Context(), o.ID("bob"), []string{"HELPDESK"}); err != nil {
		t.Fatal(err)
	}
	o.get("/identities/?filters=x").leads("/login?next=identities%2F%3Ffilters%3Dx")
	o.get("/login?next=identities%2F").demand(http.StatusOK, "Sign in with Acme", `href="./login/provider?next=identities%2f"`)
	answer := o.begin("identities/?filters=alias+eq+%22bob%22")
	o.handler = o.process()
	o.get("/login/return?" + answer.Encode()).leads("/identities/?filters=alias+eq+%22bob%22")
	o.get("/identities/").demand(http.StatusOK, "Bob Twain", "Ann Boss")
	if strings.Contains(o.get("/").demand(http.StatusOK).body, "Bobby at the provider") {
		t.Error("the name is not that of the identity")
	}
	if n := o.CountRows("muster.sessions WHERE user_id = $1 AND levels = '{}'", o.ID("bob")); n != 1 {
		t.Errorf("bob has %d sessions", n)
	}
	o.get("/login/provider?next=help").leads("/help")
	o.get("/logout/provider").leads("/login") // a link signs nobody out
	o.get("/me").demand(http.StatusOK, "Bob Twain")
	o.do(http.MethodPost, "/logout").leads("/login")
	o.get("/login").demand(http.StatusOK, "Sign out of Acme, too")
	out, err := url.Parse(o.get("/logout/provider").demand(http.StatusSeeOther).header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	q := out.Query()
	if !strings.HasPrefix(out.String(), o.issuer.url+"/end?") || q.Get("tenant") != "x" || q.Get("client_id") != clientID ||
		q.Get("post_logout_redirect_uri") != "http://localhost/a/b/login" || strings.Count(q.Get("id_token_hint"), ".") != 2 {
		t.Errorf("signing out leads to %s", out)
	}
	if len(o.cookies) != 0 {
		t.Errorf("the browser keeps %v", o.cookies)
	}
	o.get("/logout/provider").leads("/login")
	o.get("/me").leads("/login?next=me")
	for _, secret := range []string{answer.Get("code"), answer.Get("state"), q.Get("id_token_hint"), "Bobby", "Twain",
		"bob\"", clientSecret, "subject-7"} {
		if strings.Contains(o.log.String(), secret) {
			t.Errorf("the log has %q: %s", secret, o.log)
		}
	}
}

// What somebody may have tampered with is refused: no session is opened, the page says nothing of why, and the log
// does.
func TestRefused(t *testing.T) {
	t.Parallel()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	type change struct {
		claims   func(now time.Time, claims jwt.MapClaims)
		sign     func(claims jwt.Claims) string
		answer   func(o *office, answer url.Values) // of what comes back
		metadata map[string]any
		userinfo map[string]any
		token    http.HandlerFunc
		status   int    // 0 for 403
		reason   string // in the log
	}
	set := func(name string, value any) func(time.Time, jwt.MapClaims) {
		return func(_ time.Time, claims jwt.MapClaims) {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
	}
	at := func(name string, offset time.Duration) func(time.Time, jwt.MapClaims) {
		return func(now time.Time, claims jwt.MapClaims) { claims[name] = now.Add(offset).Unix() }
	}
	answered := func(name string, values ...string) func(*office, url.Values) {
		return func(_ *office, answer url.Values) {
			if answer[name] = values; len(values) == 0 {
				delete(answer, name)
			}
		}
	}
	for name, c := range map[string]change{
		"no state":                     {answer: answered("state"), reason: "another state"},
		"another state":                {answer: answered("state", "x"), reason: "another state"},
		"two states":                   {answer: answered("state", "x", "y"), reason: "2 values of state"},
		"no code":                      {answer: answered("code"), reason: "no code"},
		"a made-up code":               {answer: answered("code", "x"), reason: "invalid_grant"},
		"two codes":                    {answer: answered("code", "x", "y"), reason: "2 values of code"},
		"an error":                     {answer: answered("error", "access_denied"), reason: "access_denied"},
		"an error in HTML":             {answer: answered("error", "<b>bob</b>"), reason: "(no word)"},
		"another issuer of the answer": {answer: answered("iss", "https://evil.example"), reason: "another issuer"},
		"no issuer of the answer": {metadata: map[string]any{"authorization_response_iss_parameter_supported": true},
			reason: "another issuer"},
		"too late": {answer: func(o *office, _ url.Values) { o.clock.Advance(console.ProviderTime + time.Second) },
			reason: "too long ago"},
		"a cookie that is none": {answer: func(o *office, _ url.Values) { o.cookies["muster-console-sign-in"] = "x.1/" },
			reason: "not one of this login"},
		"a cookie of another time": {answer: func(o *office, _ url.Values) {
			kept := o.cookies["muster-console-sign-in"]
			before, _, _ := strings.Cut(kept, ".")
			o.cookies["muster-console-sign-in"] = before + "." + "1780300801/"
		}, reason: "another state"},
		"the sign-in of another browser": {answer: func(o *office, _ url.Values) {
			mine := maps.Clone(o.cookies)
			o.begin("")
			theirs := o.cookies
			if o.cookies = theirs; maps.Equal(mine, theirs) {
				t.Error("two sign-ins have the same cookie")
			}
		}, reason: "another state"},
		// Somebody's code in one's own sign-in: the verifier is not that of the code.
		"the code of another browser": {answer: func(o *office, answer url.Values) {
			mine := maps.Clone(o.cookies)
			theirs := o.begin("")
			o.cookies = mine
			answer.Set("code", theirs.Get("code"))
		}, reason: "invalid_grant"},
		"another nonce":           {claims: set("nonce", "x"), reason: "another nonce"},
		"no nonce":                {claims: set("nonce", nil), reason: "another nonce"},
		"another issuer":          {claims: set("iss", "https://evil.example"), reason: "issued by a different provider"},
		"another audience":        {claims: set("aud", "others"), reason: "expected audience"},
		"no audience":             {claims: set("aud", nil), reason: "expected audience"},
		"two audiences, no azp":   {claims: set("aud", []string{clientID, "others"}), reason: "azp"},
		"another azp":             {claims: set("azp", "others"), reason: "azp"},
		"no subject":              {claims: set("sub", ""), reason: "no subject"},
		"expired":                 {claims: at("exp", -oidclogin.LeewayDefault-time.Second), reason: "expired"},
		"no expiry":               {claims: set("exp", nil), reason: "expired"},
		"issued in the future":    {claims: at("iat", oidclogin.LeewayDefault+2*time.Second), reason: "clocks"},
		"not before":              {claims: at("nbf", time.Hour), reason: "nbf"},
		"another access token":    {claims: set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), reason: "access token"},
		"signed in too long ago":  {claims: at("auth_time", -2*time.Hour), reason: "2h0m0s ago"},
		"does not say since when": {claims: set("auth_time", nil), reason: "auth_time"},
		"says nonsense":           {claims: set("auth_time", "now"), reason: "auth_time"},
		"alg none": {sign: func(claims jwt.Claims) string {
			return signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims)
		}, reason: "not good"},
		"HMAC by the secret of the client": {sign: func(claims jwt.Claims) string {
			return signed(t, jwt.SigningMethodHS256, []byte(clientSecret), claims)
		}, reason: "not good"},
		"another key": {sign: func(claims jwt.Claims) string {
			return signed(t, jwt.SigningMethodES256, other, claims)
		}, reason: "signature"},
		"no token": {sign: func(jwt.Claims) string { return "" }, reason: "no ID token"},
		"no JWT":   {sign: func(jwt.Claims) string { return "bob@example.com" }, reason: "not good"},
		"userinfo of another person": {claims: set("preferred_username", nil),
			userinfo: map[string]any{"sub": "ann", "preferred_username": "bob"}, reason: "another person"},
		"a token endpoint that fails": {token: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "bob@example.com", http.StatusInternalServerError)
		}, status: http.StatusServiceUnavailable, reason: "status 500"},
		"a token endpoint that refuses": {token: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error": "bob@example.com"}`, http.StatusBadRequest)
		}, reason: "status 400"},
		// Whoever follows it gives the client's secret away.
		"a token endpoint that redirects": {token: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}, reason: "status 307"},
		"a token endpoint that never ends": {token: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"error_description": "`+strings.Repeat("x", 2*oidclogin.AnswerMax)+`"}`)
		}, status: http.StatusServiceUnavailable, reason: "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := open(t, func(config *oidclogin.Config) { config.MaxAge = time.Hour })
			o.issuer.with(func() {
				o.issuer.sign, o.issuer.metadata, o.issuer.userinfo, o.issuer.token = c.sign, c.metadata, c.userinfo, c.token
				if c.claims != nil {
					o.issuer.change = func(claims jwt.MapClaims) { c.claims(o.clock.Now(), claims) }
				}
			})
			answer := o.begin("")
			if c.answer != nil {
				c.answer(o, answer)
			}
			status := http.StatusForbidden
			if c.status != 0 {
				status = c.status
			}
			p := o.get("/login/return?"+answer.Encode()).demand(status, "Acme")
			if o.hasSession() {
				t.Error("there is a session")
			}
			if !strings.Contains(o.log.String(), c.reason) {
				t.Errorf("the log does not say %q: %s", c.reason, o.log)
			}
			for _, personal := range []string{"bob@example.com", "Bobby", "subject-7", "<b>"} {
				if strings.Contains(o.log.String(), personal) || strings.Contains(p.body, personal) {
					t.Errorf("the log or the page has %q: %s", personal, o.log)
				}
			}
			if n := o.CountRows("muster.sessions"); n != 0 {
				t.Errorf("there are %d sessions", n)
			}
		})
	}
}

// Clocks may differ a little, and a token may be for others too where it says that it is for this client.
func TestAccepted(t *testing.T) {
	t.Parallel()
	o := open(t, func(config *oidclogin.Config) { config.MaxAge = time.Hour })
	for name, change := range map[string]func(now time.Time, claims jwt.MapClaims){
		"it expired half a minute ago": func(now time.Time, claims jwt.MapClaims) {
			claims["exp"] = now.Add(-30 * time.Second).Unix()
		},
		"it is issued in half a minute": func(now time.Time, claims jwt.MapClaims) {
			claims["iat"] = now.Add(30 * time.Second).Unix()
		},
		"it is for others too": func(_ time.Time, claims jwt.MapClaims) {
			claims["aud"], claims["azp"] = []string{"others", clientID}, clientID
		},
		"she signed in an hour ago": func(now time.Time, claims jwt.MapClaims) {
			claims["auth_time"] = now.Add(-time.Hour).Unix()
		},
	} {
		o.issuer.with(func() {
			o.issuer.change = func(claims jwt.MapClaims) { change(o.clock.Now(), claims) }
		})
		clear(o.cookies)
		o.signIn("help").leads("/help")
		if !o.hasSession() {
			t.Errorf("%s: there is no session: %s", name, o.log)
		}
	}
}

// An answer is good once, in whatever process, also for whoever has kept the cookie.
func TestReplay(t *testing.T) {
	t.Parallel()
	o := open(t, nil)
	answer := o.begin("")
	kept := maps.Clone(o.cookies)
	o.do(http.MethodHead, "/login/return?"+answer.Encode()).demand(http.StatusMethodNotAllowed)
	o.get("/login/return?" + answer.Encode()).leads("/")
	o.cookies = map[string]string{}
	o.get("/login/return?"+answer.Encode()).demand(http.StatusForbidden, "not begun in this browser")
	// A provider that takes a code twice.
	o.issuer.with(func() {
		o.issuer.token = func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			o.issuer.codes[r.PostFormValue("code")] = url.Values{"nonce": {nonceOf(t, o, kept)},
				"code_challenge": {challengeOf(t, o, kept)}}
			o.issuer.exchange(w, r)
		}
	})
	for range 2 {
		o.cookies, o.handler = maps.Clone(kept), o.process()
		o.get("/login/return?"+answer.Encode()).demand(http.StatusForbidden, "did not succeed")
	}
	if o.hasSession() || !strings.Contains(o.log.String(), "used before") {
		t.Errorf("the answer is good again: %s", o.log)
	}
}

// derivedOf returns what the provider learned of a sign-in, by the cookie.
func derivedOf(t *testing.T, o *office, kept map[string]string) []string {
	t.Helper()
	text, _, _ := strings.Cut(kept["muster-console-sign-in"], "/")
	derived, err := oidclogin.ParseAttempt(text, o.clock.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return derived
}

func nonceOf(t *testing.T, o *office, kept map[string]string) string {
	t.Helper()
	return derivedOf(t, o, kept)[1]
}

func challengeOf(t *testing.T, o *office, kept map[string]string) string {
	t.Helper()
	return challenge(derivedOf(t, o, kept)[2])
}

// Who the person is, and what she may do.
func TestPeople(t *testing.T) {
	t.Parallel()
	nobody := "no registered identity belongs to that account"
	for name, c := range map[string]struct {
		person   jwt.MapClaims
		userinfo map[string]any
		levels   []string // of bob in Muster
		config   func(*oidclogin.Config)
		before   func(o *office) error
		leads    string // "" where nobody is signed in
		user     string // of the session, bob's ID for bob
		shows    string // on the page "me"
		may      bool   // see the Identity List
	}{
		"without a level she sees her own page":          {leads: "/", user: "bob", shows: "Bob Twain"},
		"with a level she sees the console":              {levels: []string{"HELPDESK"}, leads: "/", user: "bob", shows: "Bob Twain", may: true},
		"the alias ignores case":                         {person: jwt.MapClaims{"preferred_username": "BOB"}, leads: "/", user: "bob", shows: "Bob Twain"},
		"nobody has the alias":                           {person: jwt.MapClaims{"preferred_username": "nobody"}},
		"there is no alias":                              {person: jwt.MapClaims{"preferred_username": nil}},
		"the alias is no text":                           {person: jwt.MapClaims{"preferred_username": 7}},
		"the alias cannot be stored":                     {person: jwt.MapClaims{"preferred_username": "bob\x00"}},
		"the alias is of somebody who is not registered": {person: jwt.MapClaims{"preferred_username": "ann"}},
		"the alias is somebody's ID": {config: func(c *oidclogin.Config) { c.AliasClaim = "bobs" },
			person: jwt.MapClaims{"bobs": "ID"}},
		"the alias does not count where nobody says so": {config: func(c *oidclogin.Config) { c.AliasClaim = "" }},
		"the ID of the identity":                        {person: jwt.MapClaims{"preferred_username": "ann", "identity_id": "ID"}, leads: "/", user: "bob", shows: "Bob Twain"},
		"the ID is nobody's": {person: jwt.MapClaims{"preferred_username": nil,
			"identity_id": strings.Repeat("0", 32)}},
		"the ID is no ID": {person: jwt.MapClaims{"preferred_username": nil, "identity_id": "' OR 1=1"}},
		"the ID is in the userinfo": {person: jwt.MapClaims{"preferred_username": nil},
			userinfo: map[string]any{"sub": "subject-7", "identity_id": "ID"}, leads: "/", user: "bob", shows: "Bob Twain"},
		"the ID token counts more": {config: func(c *oidclogin.Config) { c.LevelsClaim, c.Levels = "groups", admins },
			userinfo: map[string]any{"sub": "subject-7", "preferred_username": "ann", "groups": "others"},
			leads:    "/", user: "bob", shows: "Bob Twain"},
		"the sign-in is disabled": {before: func(o *office) error {
			_, err := o.DisableSignIn(o.t.Context(), o.ID("bob"))
			return err
		}},
		"the registration is reset": {before: func(o *office) error { return o.ResetIdentity(o.t.Context(), o.ID("bob")) }},
		"groups give levels": {config: func(c *oidclogin.Config) { c.LevelsClaim, c.Levels = "groups", admins },
			person: jwt.MapClaims{"groups": []any{"staff", "muster-admins", 7}}, leads: "/", user: "bob", shows: "Bob Twain", may: true},
		"a path of claims gives levels": {config: func(c *oidclogin.Config) { c.LevelsClaim, c.Levels = "realm_access.roles", admins },
			person: jwt.MapClaims{"realm_access": map[string]any{"roles": "muster-admins"}}, leads: "/", user: "bob", shows: "Bob Twain", may: true},
		"where groups decide, Muster's levels do not": {config: func(c *oidclogin.Config) { c.LevelsClaim, c.Levels = "groups", admins },
			levels: []string{"ORG_ADMIN"}, leads: "/", user: "bob", shows: "Bob Twain"},
		"an administrator need be no identity": {config: func(c *oidclogin.Config) { c.LevelsClaim, c.Levels = "groups", admins },
			person: jwt.MapClaims{"preferred_username": "root", "groups": "muster-admins"}, leads: "/", user: "provider:subject-7", may: true},
		"a subject that is an ID is nobody's": {config: func(c *oidclogin.Config) { c.LevelsClaim, c.Levels = "groups", admins },
			person: jwt.MapClaims{"sub": "ID", "preferred_username": "root", "groups": "muster-admins"}, leads: "/", user: "provider:ID", may: true},
		"groups do not let in who is disabled": {config: func(c *oidclogin.Config) { c.LevelsClaim, c.Levels = "groups", admins },
			person: jwt.MapClaims{"groups": "muster-admins"}, before: func(o *office) error {
				_, err := o.DisableSignIn(o.t.Context(), o.ID("bob"))
				return err
			}},
		"a name that is too long": {config: func(c *oidclogin.Config) { c.LevelsClaim, c.Levels = "groups", admins },
			person: jwt.MapClaims{"preferred_username": "root", "groups": "muster-admins",
				"name": strings.Repeat("<b>\u202eü</b>\x00", 300)}, leads: "/", user: "provider:subject-7", may: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := open(t, c.config)
			bob := o.ID("bob")
			o.issuer.with(func() {
				for claim, value := range c.person {
					if value == "ID" {
						value = bob
					}
					if o.issuer.person[claim] = value; value == nil {
						delete(o.issuer.person, claim)
					}
				}
				o.issuer.userinfo = maps.Clone(c.userinfo)
				if c.userinfo["identity_id"] == "ID" {
					o.issuer.userinfo["identity_id"] = bob
				}
			})
			if err := o.SetUserLevels(t.Context(), bob, c.levels); err != nil {
				t.Fatal(err)
			}
			if c.before != nil {
				if err := c.before(o); err != nil {
					t.Fatal(err)
				}
			}
			p := o.signIn("")
			if c.leads == "" {
				p.demand(http.StatusForbidden, nobody, "Sign out of Acme, too")
				if o.hasSession() || strings.Contains(p.body, "Bob") || strings.Contains(p.body, bob) {
					t.Errorf("there is a session, or the page says who it was: %s", p.body)
				}
				return
			}
			p.leads(c.leads)
			user := strings.ReplaceAll(c.user, "ID", bob)
			if user == "bob" {
				user = bob
			}
			if n := o.CountRows("muster.sessions WHERE user_id = $1", user); n != 1 {
				t.Errorf("%s has %d sessions", user, n)
			}
			me := o.get("/me")
			if c.shows != "" {
				me.demand(http.StatusOK, c.shows)
			}
			if list := o.get("/identities/"); (list.status == http.StatusOK) != c.may {
				t.Errorf("the Identity List: %d, want it to be shown: %t", list.status, c.may)
			}
		})
	}
}

var admins = map[string][]string{"muster-admins": {"ORG_ADMIN"}}

// A level that is given or taken away counts at once, and a reset ends the session.
func TestLevelsCountAtOnce(t *testing.T) {
	t.Parallel()
	o := open(t, nil)
	o.signIn("").leads("/")
	o.get("/").leads("/me")
	bob := o.ID("bob")
	if err := o.SetUserLevels(t.Context(), bob, []string{"HELPDESK"}); err != nil {
		t.Fatal(err)
	}
	o.get("/identities/").demand(http.StatusOK, "Ann Boss")
	if err := o.SetUserLevels(t.Context(), bob, nil); err != nil {
		t.Fatal(err)
	}
	o.get("/identities/").demand(http.StatusForbidden)
	if err := o.ResetIdentity(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	o.get("/me").leads("/login?next=me")
}

// A provider that cannot be reached keeps nothing else from working. It is asked again after a while.
func TestProviderAway(t *testing.T) {
	t.Parallel()
	o := open(t, nil)
	o.issuer.with(func() { o.issuer.down = true })
	const asked = "/.well-known/openid-configuration"
	for range 3 {
		o.get("/login").demand(http.StatusOK, "Acme cannot be reached right now", "Sign in with Acme")
		o.get("/login/provider").demand(http.StatusServiceUnavailable, "Acme cannot be reached right now")
	}
	o.get("/help").demand(http.StatusOK)
	if n := o.issuer.count(asked); n != 1 {
		t.Errorf("the provider was asked %d times at once", n)
	}
	if !strings.Contains(o.log.String(), "the provider cannot be reached") || !strings.Contains(o.log.String(), "502") {
		t.Errorf("the log does not say so: %s", o.log)
	}
	o.clock.Advance(oidclogin.RetryEvery)
	o.issuer.with(func() { o.issuer.down = false })
	if p := o.get("/login").demand(http.StatusOK, "Sign in with Acme"); strings.Contains(p.body, "cannot be reached") {
		t.Errorf("it is still away: %s", p.body)
	}
	o.signIn("help").leads("/help")
	// What is known of it is good until it can be asked again.
	o.clock.Advance(oidclogin.DiscoverEvery)
	o.issuer.with(func() { o.issuer.down = true })
	clear(o.cookies)
	answer := o.begin("help")
	o.get("/login/return?"+answer.Encode()).demand(http.StatusServiceUnavailable, "Acme cannot be reached right now")
	if n := o.issuer.count(asked); n != 3 {
		t.Errorf("the provider was asked %d times", n)
	}
	o.issuer.with(func() { o.issuer.down = false })
	o.signIn("help").leads("/help")
	o.do(http.MethodPost, "/logout").leads("/login")
	o.get("/logout/provider").demand(http.StatusSeeOther)
}

// A provider that would have secrets sent in the clear, or is another one, is none.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	for name, metadata := range map[string]map[string]any{
		"another issuer":                   {"issuer": "https://evil.example"},
		"a token endpoint in the clear":    {"token_endpoint": "http://id.example.com/token"},
		"a page in the clear":              {"authorization_endpoint": "http://id.example.com/authorize"},
		"a page of another kind":           {"authorization_endpoint": "javascript:alert(1)"},
		"keys in the clear":                {"jwks_uri": "http://id.example.com/keys"},
		"no token endpoint":                {"token_endpoint": ""},
		"userinfo in the clear":            {"userinfo_endpoint": "http://id.example.com/userinfo"},
		"signing out in the clear":         {"end_session_endpoint": "http://id.example.com/end"},
		"something else instead of a list": {"token_endpoint_auth_methods_supported": 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := open(t, nil)
			o.issuer.with(func() { o.issuer.metadata = metadata })
			o.get("/login").demand(http.StatusOK, "Acme cannot be reached right now")
			o.get("/login/provider").demand(http.StatusServiceUnavailable)
		})
	}
}

// The page to go on to is one of the console's, whatever was asked for.
func TestNext(t *testing.T) {
	t.Parallel()
	o := open(t, nil)
	for next, want := range map[string]string{
		"help": "/help", "": "/", "/help": "/", "//evil.example": "/", "https://evil.example/": "/", `\\evil.example`: "/",
		"javascript:alert(1)": "/", "../../evil": "/", "help?a=\r\nSet-Cookie: x": "/",
		// A page with a very long query is given up.
		"identities/?filters=" + strings.Repeat("x", console.ProviderKeptMax): "/",
	} {
		clear(o.cookies)
		o.signIn(next).leads(want)
	}
	// What the cookie says is checked again.
	clear(o.cookies)
	answer := o.begin("help")
	kept, _, _ := strings.Cut(o.cookies["muster-console-sign-in"], "/")
	o.cookies["muster-console-sign-in"] = kept + "/" + "Ly9ldmlsLmV4YW1wbGU" // //evil.example
	o.get("/login/return?" + answer.Encode()).leads("/")
}

// A sign-in over plain HTTP from elsewhere is not begun, as the session's cookie would not stay secret.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	o := open(t, nil)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://people.example.com"+prefix+"/login/provider",
		http.NoBody)
	recorder := httptest.NewRecorder()
	o.handler.ServeHTTP(recorder, r)
	if recorder.Code != http.StatusForbidden || !strings.Contains(recorder.Body.String(), "HTTPS") {
		t.Errorf("got %d: %s", recorder.Code, recorder.Body)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := oidclogin.Config{Issuer: "https://id.example.com/realm", ClientID: "muster",
		RedirectURL: "https://people.example.com/admin/login/return"}
	login, err := oidclogin.New(good)
	if err != nil || login.Name() != "id.example.com" {
		t.Fatalf("got %v, want the host as the name", err)
	}
	for want, change := range map[string]func(*oidclogin.Config){
		"Issuer: \"\"":                  func(c *oidclogin.Config) { c.Issuer = "" },
		"Issuer: \"http://id":           func(c *oidclogin.Config) { c.Issuer = "http://id.example.com" },
		"Issuer: \"https://u@":          func(c *oidclogin.Config) { c.Issuer = "https://u@id.example.com" },
		"ClientID is missing":           func(c *oidclogin.Config) { c.ClientID = "" },
		"RedirectURL: \"http://people":  func(c *oidclogin.Config) { c.RedirectURL = "http://people.example.com/login/return" },
		"which ends with /login/return": func(c *oidclogin.Config) { c.RedirectURL = "https://people.example.com/callback" },
		"Leeway: 6m0s":                  func(c *oidclogin.Config) { c.Leeway = 6 * time.Minute },
		"Leeway: -1s":                   func(c *oidclogin.Config) { c.Leeway = -time.Second },
		"MaxAge: -1s":                   func(c *oidclogin.Config) { c.MaxAge = -time.Second },
		"MaxAge: 1ms":                   func(c *oidclogin.Config) { c.MaxAge = time.Millisecond },
		"Scopes: \"a b\"":               func(c *oidclogin.Config) { c.Scopes = []string{"a b"} },
		"Levels and LevelsClaim":        func(c *oidclogin.Config) { c.LevelsClaim = "groups" },
		"Levels and LevelsClaim belong": func(c *oidclogin.Config) { c.Levels = admins },
		"\"admins\" has the level \"ADM": func(c *oidclogin.Config) {
			c.LevelsClaim, c.Levels = "groups", map[string][]string{"admins": {"ADMIN"}}
		},
	} {
		config := good
		change(&config)
		if _, err := oidclogin.New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// A client without a secret has PKCE alone; a provider may want the secret in the form.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]string{"public": "", "in the form": clientSecret} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := open(t, func(c *oidclogin.Config) { c.ClientSecret = secret })
			o.issuer.with(func() {
				o.issuer.metadata = map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}}
				o.issuer.token = func(w http.ResponseWriter, r *http.Request) {
					if id := r.PostFormValue("client_id"); id != clientID || r.PostFormValue("client_secret") != secret ||
						r.Header.Get("Authorization") != "" {
						t.Errorf("the client says %s", id)
					}
					r.SetBasicAuth(clientID, url.QueryEscape(clientSecret))
					o.issuer.exchange(w, r)
				}
			})
			o.signIn("help").leads("/help")
		})
	}
}

// A cookie has one spelling, so that it is used once.
func FuzzParseAttempt(f *testing.F) {
	now := time.Unix(1780300800, 0)
	for _, seed := range []string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.1780300800", "x.1", "", ".",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.+1780300800", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB.1780300800",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n.1780300800"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, kept string) {
		derived, err := oidclogin.ParseAttempt(kept, now, time.Minute)
		if err == nil && derived[3] != kept {
			t.Errorf("%q is read as %q", kept, derived[3])
		}
	})
}
