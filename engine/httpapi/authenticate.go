package httpapi

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/right"
)

// Authenticator identifies the caller of a request.
type Authenticator interface {
	// Authenticate returns the caller, or an [*UnauthorizedError] if the request does not prove who that is. Any other
	// error is a fault of the server. Many goroutines call it.
	Authenticate(r *http.Request) (*Principal, error)
}

// AuthenticatorFunc makes an [Authenticator] of a function.
type AuthenticatorFunc func(r *http.Request) (*Principal, error)

// Authenticate implements [Authenticator].
func (f AuthenticatorFunc) Authenticate(r *http.Request) (*Principal, error) { return f(r) }

// Principal is the caller of a request: a client, which usually acts for a user.
type Principal struct {
	ClientID    string   // each client has its own rate limit
	IdentityID  string   // the user; empty if unknown
	UserName    string   // of the user; empty if unknown
	Authorities []string // the user levels, such as ORG_ADMIN; API for a client without a user
	Scopes      []string // such as idn:identity:read
}

// caller returns what the rights are decided by.
func (p *Principal) caller() right.Caller {
	return right.Caller{Levels: p.Authorities, Scopes: p.Scopes}
}

// key returns the key for the rate limit.
func (p *Principal) key() string {
	if p.ClientID != "" {
		return "client " + p.ClientID
	}
	return "user " + p.IdentityID + p.UserName
}

// actor returns who does what a request asks for: the user, or the client where it acts for no user.
func (p *Principal) actor() engine.Actor {
	return engine.Actor{ID: cmp.Or(p.IdentityID, p.ClientID), Name: cmp.Or(p.UserName, p.ClientID), Via: "api"}
}

// UnauthorizedError says why a request does not prove who the caller is. The reason is sent and logged, so it must not
// quote the token.
type UnauthorizedError struct{ Reason string }

func (e *UnauthorizedError) Error() string { return "not authenticated: " + e.Reason }

// bearer returns the bearer token of a request.
func bearer(r *http.Request) (string, error) {
	given := r.Header.Values("Authorization")
	if len(given) == 0 {
		return "", &UnauthorizedError{"JWT is missing, the header Authorization: Bearer is expected"}
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	if len(given) > 1 || !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(token) == "" {
		return "", &UnauthorizedError{"JWT is missing, one header Authorization: Bearer is expected"}
	}
	return strings.TrimSpace(token), nil
}
