// Package devtoken makes tokens for development: JSON Web Tokens that are signed with a shared secret. The command
// "muster token" prints them, and the endpoint of [Issuer.Endpoint] gives them to clients with an ID and a secret:
//
//	issuer, err := devtoken.New(secret)
//	verifier, err := httpapi.NewJWT(ctx, issuer.Verifier())
//	mux.Handle("/oauth/token", issuer.Endpoint(clients))
//
// Everyone who has the secret can pretend to be anyone. So a host for real people verifies the tokens of its identity
// provider instead.
package devtoken

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muster-engine/muster/engine/httpapi"
)

// Name is the issuer in the tokens.
const Name = "muster-development"

// The lifetimes of tokens.
const (
	TTLDefault = time.Hour
	TTLMax     = 365 * 24 * time.Hour
)

// ScopeAll is the default scope of a token: every right of the user level.
const ScopeAll = "sp:scopes:all"

// Issuer makes tokens. It is safe for concurrent use. Make it with [New].
type Issuer struct{ secret []byte }

// New returns an issuer that signs with a secret of at least [httpapi.SecretLengthMin] bytes. Do not change the secret.
func New(secret []byte) (*Issuer, error) {
	if len(secret) < httpapi.SecretLengthMin {
		return nil, fmt.Errorf("devtoken: the secret must have %d bytes or more, it has %d", httpapi.SecretLengthMin,
			len(secret))
	}
	return &Issuer{secret}, nil
}

// Grant is the content of a token.
type Grant struct {
	ClientID    string
	IdentityID  string // the user; empty for none
	Authorities []string
	Scopes      []string      // defaults to ScopeAll
	TTL         time.Duration // defaults to TTLDefault
}

// Mint returns a token that is valid from now on.
func (i *Issuer) Mint(g Grant, now time.Time) (string, error) {
	switch {
	case g.ClientID == "":
		return "", errors.New("the client has no ID")
	case g.TTL < 0 || g.TTL > TTLMax:
		return "", fmt.Errorf("a token is good for up to %s, %s is asked for", TTLMax, g.TTL)
	}
	if g.TTL == 0 {
		g.TTL = TTLDefault
	}
	if len(g.Scopes) == 0 {
		g.Scopes = []string{ScopeAll}
	}
	if g.Authorities == nil {
		g.Authorities = []string{}
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		panic(err) // it never fails
	}
	claims := jwt.MapClaims{
		"iss": Name, "iat": now.Unix(), "exp": now.Add(g.TTL).Unix(), "jti": hex.EncodeToString(id[:]),
		"client_id": g.ClientID, "user_name": g.ClientID, "authorities": g.Authorities, "scope": g.Scopes,
	}
	if g.IdentityID != "" {
		claims["identity_id"] = g.IdentityID
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(i.secret)
}

// Verifier returns the configuration that makes the API accept the tokens.
func (i *Issuer) Verifier() httpapi.JWTConfig {
	return httpapi.JWTConfig{Issuer: Name, Secret: i.secret}
}

// Client is a client that may get tokens from the endpoint.
type Client struct {
	ID, Secret  string
	Authorities []string // the user levels of its tokens
}

// ParseClient reads a client from "id:secret", or from "id:secret:AUTHORITY,..." with the user levels of its tokens. An
// error does not quote the secret.
func ParseClient(text string) (Client, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return Client{}, errors.New("id:secret or id:secret:AUTHORITY,... is expected")
	}
	c := Client{ID: parts[0], Secret: parts[1]}
	if len(parts) == 3 {
		for authority := range strings.SplitSeq(parts[2], ",") {
			if authority = strings.TrimSpace(authority); authority != "" {
				c.Authorities = append(c.Authorities, authority)
			}
		}
	}
	return c, nil
}
