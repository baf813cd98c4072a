package console

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
	access "github.com/muster-engine/muster/engine/right"
)

// The limits of a sign-in at a [Provider].
const (
	// ProviderTime is how long a person has for it: 10 minutes.
	ProviderTime = 10 * time.Minute
	// ProviderKeptMax is the most bytes that a Provider has the browser keep, because of the limit of cookies.
	ProviderKeptMax = 3000
)

// The pages of a [Provider], below the mount. The browser comes back to ProviderReturn from the provider, with a GET.
// After it has signed out there it may be sent to ProviderSignedOut.
const (
	ProviderReturn    = "login/return"
	ProviderSignedOut = "login"
)

// Provider signs people in elsewhere: at an OpenID provider, as package oidclogin does, or by another protocol. The
// console has a link to it on the page of the sign-in, finds the identity of whom it returns, and opens the session.
//
// The sign-in goes by links and redirections alone. A form would be stopped: the policy of the pages (form-action)
// allows forms to the console itself, and browsers hold the redirections after a form to it. A protocol that sends its
// answer by a form of another site, as SAML may, needs a page of the host's own, which takes the answer and redirects
// to [ProviderReturn] with something in the query that finds it again.
//
// Many goroutines call a Provider. Its errors are [engine.Error]: Forbidden where the sign-in is not accepted, and
// Unavailable where the provider cannot be reached. Their texts go to the log: they must not hold what the provider
// says of a person, a token or a secret.
type Provider interface {
	// Name is what people call it, as in "Sign in with Acme".
	Name() string
	// Ready returns nil where people can sign in there now. The page of the sign-in asks for it each time, so it must
	// answer within a few seconds.
	Ready(ctx context.Context) error
	// Begin begins a sign-in. It returns the address to which the browser goes, and what Finish needs to know that it
	// is the same browser which comes back. The console keeps that in a cookie for [ProviderTime], and in no memory, so
	// that another process may finish the sign-in. It has letters, digits, '-', '_' and '.', at most [ProviderKeptMax].
	Begin(ctx context.Context) (address, kept string, err error)
	// Finish ends a sign-in that Begin began, by the query with which the browser came back. The console opens one
	// session at most for what Begin returned, whatever comes back and to which process.
	Finish(ctx context.Context, kept string, answer url.Values) (Person, error)
	// End returns the address by which a person who has signed out of the console signs out of the provider too, or "".
	// kept is that of the [Person].
	End(ctx context.Context, kept string) (address string, err error)
}

// Person is whom a [Provider] has identified. Identity and Alias say which identity that is, if any. One that is there
// and not registered may not sign in, whatever Levels are.
type Person struct {
	// Subject is what the provider knows the person by: a text that is never somebody else's.
	Subject string
	// Name is what people call the person, where there is no identity. Defaults to Subject.
	Name string
	// Identity is the ID of the identity; "" where the provider does not know it.
	Identity string
	// Alias is the alias of the identity, ignoring case, for a provider that does not know the ID. Give it only where
	// people cannot choose it at the provider.
	Alias string
	// Levels, if not nil, are the user levels as long as the session lasts. Otherwise they are those that the identity
	// has in Muster at each request.
	Levels []string
	// Kept is what End needs, which the browser keeps: as that of Begin. "" says that there is nothing to end.
	Kept string
}

var noSuchPage = &pageError{status: http.StatusNotFound, key: "There is no such page."}

// beginSignIn sends the visitor to the provider. It is a GET, because of form-action.
func (v *visit) beginSignIn() error {
	p := v.h.config.Provider
	if p == nil {
		return noSuchPage
	}
	view := v.loginView(v.r.FormValue("next"), "")
	switch {
	case v.principal != nil:
		return v.redirect(view.Next)
	case !v.canKeepSession():
		return view.refuse(http.StatusForbidden, "Signing in needs HTTPS, or a browser on this machine.")
	}
	address, kept, err := p.Begin(v.r.Context())
	if engine.KindOf(err) == engine.Unavailable {
		return view.away()
	}
	if err != nil {
		return err
	}
	// A page with a very long filter is given up before the sign-in is.
	value := kept + "/" + base64.RawURLEncoding.EncodeToString([]byte(view.Next))
	if len(value) > ProviderKeptMax {
		value = kept + "/"
	}
	v.keep(attemptCookie, value, ProviderTime)
	return v.redirectTo(address, http.StatusSeeOther)
}

// finishSignIn takes what the provider says, and signs the visitor in.
func (v *visit) finishSignIn() error {
	p := v.h.config.Provider
	if p == nil {
		return noSuchPage
	}
	if v.r.Method != http.MethodGet { // a look must not use the answer up
		v.w.Header().Set("Allow", http.MethodGet)
		return &pageError{status: http.StatusMethodNotAllowed, key: "This address does not do that."}
	}
	kept, next := v.attempt()
	view := v.loginView(next, "")
	if kept == "" {
		return view.refuse(http.StatusForbidden,
			"This sign-in was not begun in this browser, or it took longer than ten minutes. Begin again.")
	}
	v.keep(attemptCookie, "", 0)
	person, err := p.Finish(v.r.Context(), kept, v.r.URL.Query())
	if err == nil {
		var first bool
		if first, err = v.h.eng.ClaimForm(v.r.Context(), "sign-in\x00"+kept); err == nil && !first {
			err = &engine.Error{Kind: engine.Forbidden, Op: "sign in", Err: errUsed}
		}
	}
	switch engine.KindOf(err) {
	case engine.Forbidden, engine.Unavailable:
		v.h.config.Logger.LogAttrs(v.r.Context(), slog.LevelWarn, "console: a sign-in at the provider failed",
			slog.String("error", engine.Reason(err)), slog.String("tracking", v.tracking))
		if engine.KindOf(err) == engine.Unavailable {
			return view.away()
		}
		return view.refuse(http.StatusForbidden, "The sign-in with %s did not succeed. Begin again.", p.Name())
	}
	if err != nil {
		return err
	}
	v.keep(endCookie, person.Kept, 0)
	session, may, err := v.sessionFor(&person)
	if err != nil {
		return err
	}
	if may {
		err = v.openSession(session)
	}
	if !may || engine.KindOf(err) == engine.Forbidden { // the sign-in was disabled meanwhile
		view.Ends = person.Kept != ""
		return view.refuse(http.StatusForbidden,
			"You have signed in with %s, but no registered identity belongs to that account.", p.Name())
	}
	if err != nil {
		return err
	}
	return v.redirect(view.Next)
}

var errUsed = errors.New("the answer of the provider was used before")

// sessionFor returns the session of a person, and whether the person may have one.
func (v *visit) sessionFor(p *Person) (session engine.Session, may bool, err error) {
	identity, err := v.identityOf(p)
	switch {
	case err != nil:
		return session, false, err
	case identity != nil && identity.IdentityStatus != registered:
		return session, false, nil
	case identity != nil && p.Levels != nil:
		levels := append(slices.Clone(p.Levels), string(access.User))
		return engine.Session{UserID: identity.ID, UserName: identity.Name, Levels: levels}, true, nil
	case identity != nil:
		// It has no levels: those of the identity count at each request.
		return engine.Session{UserID: identity.ID, UserName: identity.Name}, true, nil
	case len(p.Levels) == 0:
		return session, false, nil
	}
	// The subject may look like the ID of an identity, whose session this would be.
	id := "provider:" + p.Subject
	if len(id) > engine.ActorNameMax || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' }) {
		digest := sha256.Sum256([]byte(p.Subject))
		id = "provider:" + hex.EncodeToString(digest[:])
	}
	return engine.Session{UserID: id, UserName: cmp.Or(p.Name, p.Subject), Levels: p.Levels}, true, nil
}

const registered = "REGISTERED"

// identityOf returns the identity of a person; nil for none.
func (v *visit) identityOf(p *Person) (*engine.Identity, error) {
	var identity engine.Identity
	err := error(&engine.Error{Kind: engine.NotFound})
	if p.Identity != "" {
		identity, err = v.h.eng.GetIdentity(v.r.Context(), p.Identity)
	}
	if engine.KindOf(err) == engine.NotFound && p.Alias != "" {
		identity, err = v.h.eng.FindIdentity(v.r.Context(), p.Alias)
		if err == nil && sameUser(identity.ID, p.Alias) { // an alias that was made to be somebody's ID
			return nil, nil
		}
	}
	switch engine.KindOf(err) {
	case engine.NotFound, engine.Conflict, engine.Invalid: // Conflict: several have the alias; Invalid: it is no text
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &identity, nil
}

// endSignIn sends a visitor who has signed out here to where the provider's session ends too. It is a GET, because of
// form-action, and only after the form of the console has ended the session: a link of another site signs nobody out.
func (v *visit) endSignIn() error {
	p := v.h.config.Provider
	if p == nil {
		return noSuchPage
	}
	kept := v.kept(endCookie)
	if v.principal != nil || kept == "" {
		return v.redirect("login")
	}
	address, err := p.End(v.r.Context(), kept)
	if engine.KindOf(err) == engine.Unavailable {
		return v.loginView("", "").away()
	}
	if err != nil {
		return err
	}
	v.keep(endCookie, "", 0)
	if address == "" {
		return v.redirect("login")
	}
	return v.redirectTo(address, http.StatusSeeOther)
}

// The cookies of a sign-in at a provider: what Begin returned and the page to go on to, and what End needs. They hold
// no session.
const (
	attemptCookie = "-sign-in"
	endCookie     = "-sign-out"
)

// attempt returns what the browser keeps of a sign-in that was begun; "" for none.
func (v *visit) attempt() (kept, next string) {
	kept, encoded, _ := strings.Cut(v.kept(attemptCookie), "/")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return kept, ""
	}
	return kept, string(text)
}

func (v *visit) keptName(name string) string {
	return v.h.origin.CookieName(v.r, v.h.config.SessionName+name)
}

// kept returns the value of a cookie; "" for none.
func (v *visit) kept(name string) string {
	cookie, err := v.r.Cookie(v.keptName(name))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// keep has the browser keep a text for a time, or, without one, until it is closed. "" takes it away. Lax lets the
// cookie come along when the provider sends the browser back.
func (v *visit) keep(name, value string, age time.Duration) {
	cookie := &http.Cookie{Name: v.keptName(name), Value: value, Path: "/", HttpOnly: true,
		Secure: v.h.origin.Secure(v.r), SameSite: http.SameSiteLaxMode, MaxAge: int(age / time.Second)}
	if value == "" {
		if v.kept(name) == "" {
			return
		}
		cookie.MaxAge = -1
	}
	http.SetCookie(v.w, cookie)
}
