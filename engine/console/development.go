package console

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/muster-engine/muster/engine"
)

// LinkLifetime is how long a link of [Development.Link] is good: 10 minutes, for one use.
const LinkLifetime = 10 * time.Minute

// Attempts at the form of the development login: a few at once, then one every two seconds, for all visitors together.
const (
	attemptsBurst = 10
	attemptsEvery = 2 * time.Second
)

// Development lets people sign in to the console of a machine for development: by a link that the program prints, which
// is good once, and by the name and the secret of an account. It answers only where the browser names this machine or
// the console's external address. It is not for production, where the host identifies people by an [Authenticator]. It
// is safe for concurrent use.
type Development struct {
	accounts []Account
	attempts *rate.Limiter

	mu    sync.Mutex
	links map[[sha256.Size]byte]link
}

// Account is a name and a secret by which somebody signs in.
type Account struct {
	Principal

	Secret string
}

type link struct {
	principal Principal
	expires   time.Time
}

// NewDevelopment returns a login for accounts. Without any there is no form, and the links alone let people in.
func NewDevelopment(accounts ...Account) *Development {
	return &Development{accounts: accounts, attempts: rate.NewLimiter(rate.Every(attemptsEvery), attemptsBurst),
		links: map[[sha256.Size]byte]link{}}
}

// Link returns the reference, below the console's mount, of a page that signs somebody in. It is good once and for
// [LinkLifetime], in this process: whoever has it is that person.
func (d *Development) Link(p Principal) string {
	token := rand.Text()
	d.mu.Lock()
	defer d.mu.Unlock()
	for digest, l := range d.links {
		if time.Now().After(l.expires) {
			delete(d.links, digest)
		}
	}
	d.links[sha256.Sum256([]byte(token))] = link{p, time.Now().Add(LinkLifetime)}
	return "login?" + url.Values{"link": {token}}.Encode()
}

// follow takes the principal of a link, which is good no more.
func (d *Development) follow(token string) (Principal, bool) {
	digest := sha256.Sum256([]byte(token))
	d.mu.Lock()
	defer d.mu.Unlock()
	l, found := d.links[digest]
	delete(d.links, digest)
	return l.principal, found && time.Now().Before(l.expires)
}

// check returns the principal of a name and a secret. It compares all accounts, so that its time tells nothing.
func (d *Development) check(name, secret string) (principal Principal, good bool) {
	given := sha256.Sum256([]byte(secret))
	for i := range d.accounts {
		a := &d.accounts[i]
		want := sha256.Sum256([]byte(a.Secret))
		if same := subtle.ConstantTimeCompare(given[:], want[:]) == 1; same && name == a.ID {
			principal, good = a.Principal, true
		}
	}
	return principal, good
}

// loginView is what the page of the sign-in shows.
type loginView struct {
	*visit

	Link    string // of the address, to be redeemed by the form; "" for none
	Form    bool   // there are accounts
	Next    string
	Name    string
	Problem string
}

func (v *visit) loginPage() error {
	d := v.h.config.Development
	if d == nil {
		return &pageError{status: http.StatusNotFound, key: "There is no such page."}
	}
	if v.principal != nil && v.r.FormValue("link") == "" {
		return v.redirect(ownReference(v.r.FormValue("next"), ""))
	}
	view := &loginView{visit: v, Link: v.r.FormValue("link"), Form: len(d.accounts) > 0,
		Next: ownReference(v.r.FormValue("next"), "")}
	if !v.canKeepSession() {
		view.Problem = v.T("Signing in needs HTTPS, or a browser on this machine.")
	}
	return v.render("login", view)
}

// login signs the visitor in, by a link or by the form. The session is a new one.
func (v *visit) login() error {
	d := v.h.config.Development
	if d == nil {
		return &pageError{status: http.StatusNotFound, key: "There is no such page."}
	}
	view := &loginView{visit: v, Form: len(d.accounts) > 0, Next: ownReference(v.r.PostFormValue("next"), ""),
		Name: v.r.PostFormValue("name")}
	refuse := func(status int, key string) error {
		v.status, view.Problem = status, v.T(key)
		return v.render("login", view)
	}
	if !v.canKeepSession() {
		return refuse(http.StatusForbidden, "Signing in needs HTTPS, or a browser on this machine.")
	}
	var principal Principal
	var good bool
	if token := v.r.PostFormValue("link"); token != "" {
		if principal, good = d.follow(token); !good {
			return refuse(http.StatusForbidden,
				"The link is not good any more: it works once, for ten minutes. Start the server again for a new one.")
		}
	} else {
		if !d.attempts.Allow() {
			return refuse(http.StatusTooManyRequests, "Too many attempts: wait a moment, and try again.")
		}
		if principal, good = d.check(view.Name, v.r.PostFormValue("secret")); !good {
			return refuse(http.StatusForbidden, "The name or the secret is wrong.")
		}
	}
	if v.token != "" {
		if err := v.h.eng.EndSession(v.r.Context(), v.token); err != nil {
			return err
		}
	}
	token, err := v.h.eng.OpenSession(v.r.Context(), engine.Session{UserID: principal.ID,
		UserName: cmp.Or(principal.Name, principal.ID), Levels: principal.Levels})
	if err != nil {
		return err
	}
	v.setToken(token)
	return v.redirect(view.Next)
}

// logout ends the session, or with everywhere all sessions of the visitor.
func (v *visit) logout() error {
	var err error
	switch {
	case v.token == "":
	case v.r.PostFormValue("everywhere") != "":
		_, err = v.h.eng.EndSessions(v.r.Context(), v.session.UserID)
	default:
		err = v.h.eng.EndSession(v.r.Context(), v.token)
	}
	if err != nil {
		return err
	}
	v.setToken("")
	v.w.Header().Set("Clear-Site-Data", `"cache"`)
	if v.h.config.Development == nil {
		return v.redirect("")
	}
	return v.redirect("login")
}
