package httpapi

import (
	"net/http"
	"slices"
	"strings"
)

// Authenticator tells who makes a request.
type Authenticator interface {
	// Authenticate returns the caller, or an [*UnauthorizedError] where the request does not prove who that is. Any
	// other error is a fault of the server's. It is called by many goroutines.
	Authenticate(r *http.Request) (*Principal, error)
}

// AuthenticatorFunc is a function that is an [Authenticator].
type AuthenticatorFunc func(r *http.Request) (*Principal, error)

// Authenticate implements [Authenticator].
func (f AuthenticatorFunc) Authenticate(r *http.Request) (*Principal, error) { return f(r) }

// Principal is who makes a request: a client, which mostly acts for a user.
type Principal struct {
	ClientID    string   // what the rate limit counts by
	IdentityID  string   // the user; empty where it is not known
	UserName    string   // of the user; empty where it is not known
	Authorities []string // the user levels, as ORG_ADMIN; API for a client that acts for no user
	Scopes      []string // as idn:identity:read
}

func (p *Principal) hasLevel(level string) bool { return slices.Contains(p.Authorities, level) }
func (p *Principal) hasScope(scope string) bool { return slices.Contains(p.Scopes, scope) }

// application reports whether the client acts for no user: then it has no user level either.
func (p *Principal) application() bool {
	return len(p.Authorities) == 1 && p.Authorities[0] == levelAPI
}

// key is what the rate limit counts by.
func (p *Principal) key() string {
	if p.ClientID != "" {
		return "client " + p.ClientID
	}
	return "user " + p.IdentityID + p.UserName
}

// name is who launches the tasks of a request.
func (p *Principal) name() string {
	if p.UserName != "" {
		return p.UserName
	}
	return p.ClientID
}

// UnauthorizedError says why a request does not prove who makes it. The reason is sent and logged: it must not repeat
// the token.
type UnauthorizedError struct{ Reason string }

func (e *UnauthorizedError) Error() string { return "not authenticated: " + e.Reason }

// bearer returns the token of a request.
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
