package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/internal/page"
	access "github.com/muster-engine/muster/engine/right"
)

// Authenticator identifies the visitor of a request.
type Authenticator interface {
	// Authenticate returns the visitor, or nil for a request that does not prove who that is. An error is a fault of
	// the server. Many goroutines call it.
	Authenticate(r *http.Request) (*Principal, error)
}

// AuthenticatorFunc makes an [Authenticator] of a function.
type AuthenticatorFunc func(r *http.Request) (*Principal, error)

// Authenticate implements [Authenticator].
func (f AuthenticatorFunc) Authenticate(r *http.Request) (*Principal, error) { return f(r) }

// Principal is a visitor.
type Principal struct {
	ID     string   // what the host knows the person by; the ID of an identity where it is one
	Name   string   // defaults to ID
	Levels []string // the user levels, such as ORG_ADMIN
}

// viaConsole is the face through which the actor of the console's writes came.
const viaConsole = "console"

func (p *Principal) actor() engine.Actor {
	return engine.Actor{ID: p.ID, Name: cmp.Or(p.Name, p.ID), Via: viaConsole}
}

// authenticate finds out who the visitor is, and the session.
func (v *visit) authenticate() error {
	token := v.cookieToken()
	if token != "" {
		session, err := v.h.eng.Session(v.r.Context(), token)
		switch {
		case err == nil:
			v.token, v.session = token, session
		case engine.KindOf(err) != engine.NotFound:
			return err
		}
	}
	if v.h.config.Authenticator == nil {
		if v.token == "" {
			return nil
		}
		v.principal = &Principal{ID: v.session.UserID, Name: v.session.UserName, Levels: v.session.Levels}
		return v.levels()
	}
	principal, err := v.h.config.Authenticator.Authenticate(v.r)
	if err != nil {
		return err
	}
	if principal != nil && principal.ID == "" {
		return errors.New("the host's Authenticator returned a principal without an ID")
	}
	v.principal = principal
	// The session of a host's visitor only keeps what the next page says. It is nobody else's.
	if v.token != "" && (principal == nil || !sameUser(principal.ID, v.session.UserID)) {
		v.token, v.session = "", engine.Session{}
	}
	return nil
}

// levels gives the visitor of a session without levels those that the identity has now, and that of every user.
func (v *visit) levels() error {
	if len(v.session.Levels) > 0 || !v.h.config.Passwords && v.h.config.Provider == nil {
		return nil
	}
	levels, err := v.h.eng.UserLevels(v.r.Context(), v.principal.ID)
	switch {
	case err == nil:
		v.principal.Levels = append(levels, string(access.User))
	case engine.KindOf(err) == engine.NotFound: // it is gone
		v.principal, v.token, v.session = nil, "", engine.Session{}
	default:
		return err
	}
	return nil
}

// sameUser compares IDs, which may be those of identities in two spellings.
func sameUser(a, b string) bool {
	plain := func(id string) string { return strings.ToLower(strings.ReplaceAll(id, "-", "")) }
	return a == b || len(plain(a)) == 32 && plain(a) == plain(b)
}

func (h *Handler) cookieName(r *http.Request) string {
	return h.origin.CookieName(r, h.config.SessionName)
}

func (v *visit) cookieToken() string {
	cookie, err := v.r.Cookie(v.h.cookieName(v.r))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// setToken gives the browser the session's token; "" takes it away.
func (v *visit) setToken(token string) {
	cookie := &http.Cookie{Name: v.h.cookieName(v.r), Value: token, Path: "/", HttpOnly: true,
		Secure: v.h.origin.Secure(v.r), SameSite: http.SameSiteLaxMode}
	if token == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(v.w, cookie)
	v.token = token
}

// canKeepSession reports whether the browser's cookie stays secret.
func (v *visit) canKeepSession() bool { return v.h.origin.KeepsSecrets(v.r) }

// checkOrigin refuses a form that another site has sent.
func (h *Handler) checkOrigin(r *http.Request) error {
	if h.origin.Check(r) != nil {
		return &pageError{status: http.StatusForbidden,
			key: "The form was not sent by a page of this console: nothing was changed."}
	}
	return nil
}

// guardHost refuses a host's name that somebody else may have given this machine: a page of theirs could otherwise talk
// to a development console as if it were its own (DNS rebinding).
func (h *Handler) guardHost(r *http.Request) error {
	if h.config.Development == nil || page.IsLoopback(r.Host) || h.origin.External != nil &&
		strings.EqualFold(r.Host, h.origin.External.Host) {
		return nil
	}
	return &pageError{status: http.StatusMisdirectedRequest,
		key: "The development login answers only at localhost, 127.0.0.1, [::1] and the external address."}
}

// askToSignIn sends a visitor who is nobody to the page of the sign-in, from which it goes on to where it was.
func (v *visit) askToSignIn() error {
	if v.h.config.Authenticator != nil {
		return &pageError{status: http.StatusUnauthorized, key: "You are not signed in."}
	}
	if v.r.Method == http.MethodPost {
		return &pageError{status: http.StatusUnauthorized, login: true,
			key: "Your session has ended: nothing was changed."}
	}
	next := strings.TrimPrefix(v.path, "/")
	if v.r.URL.RawQuery != "" {
		next += "?" + v.r.URL.RawQuery
	}
	if next == "" {
		return v.redirect("login")
	}
	return v.redirect("login?" + url.Values{"next": {next}}.Encode())
}

// ownReference returns a reference below the mount, as a form gives it, or fallback where it is another one.
func ownReference(given, fallback string) string {
	u, err := url.Parse(given)
	if given == "" || err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		strings.HasPrefix(u.Path, "/") || strings.ContainsAny(given, "\\\r\n\t") || len(given) > referenceMax ||
		slices.Contains(strings.Split(u.Path, "/"), "..") || strings.Contains(u.Path, ":") {
		return fallback
	}
	own := url.URL{Path: u.Path, RawQuery: u.RawQuery}
	if own.Path == "" && own.RawQuery == "" {
		return fallback
	}
	return strings.TrimPrefix(own.String(), "./")
}

// referenceMax is the longest reference to a page that a form keeps, in bytes.
const referenceMax = 8 << 10
