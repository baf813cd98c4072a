package oidclogin

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/right"
)

// The defaults of a [Config].
const (
	IdentityClaimDefault = "identity_id"
	LeewayDefault        = time.Minute
)

// LeewayMax is the greatest Leeway of a [Config].
const LeewayMax = 5 * time.Minute

// Config configures a [Login].
type Config struct {
	// AliasClaim is the claim that has the alias of the identity, such as preferred_username, where the provider does
	// not know the identity's ID. Name one that people cannot change at the provider: whoever has an alias there signs
	// in as that identity. Defaults to none.
	AliasClaim string

	// Client sends the requests to the provider. Each takes at most [Timeout], and no redirection is followed. Defaults
	// to one with the default transport.
	Client *http.Client

	// ClientID and ClientSecret are how the provider knows the console. ClientSecret is empty for a public client.
	ClientID, ClientSecret string

	// IdentityClaim is the claim that has the ID of the identity. Defaults to [IdentityClaimDefault].
	IdentityClaim string

	// Issuer is the provider's address, as it says it itself: https, or http on this machine.
	Issuer string

	// Leeway is the allowed difference between the clocks of provider and server, at most [LeewayMax]. Defaults to
	// [LeewayDefault].
	Leeway time.Duration

	// Levels are the user levels that people have by a value of LevelsClaim, such as the name of a group. With them the
	// provider decides on levels, for as long as a session lasts, and those in Muster do not count. Defaults to none.
	Levels map[string][]string

	// LevelsClaim is the claim with those values: a text or a list of texts. A name with dots that is no claim is a
	// path, such as realm_access.roles. It belongs to Levels.
	LevelsClaim string

	// Logger receives a line when the provider cannot be reached. Defaults to no logging.
	Logger *slog.Logger

	// MaxAge is how long ago a person may have signed in at the provider: it asks people again whose session there is
	// older, and one who did not is refused. Defaults to any time.
	MaxAge time.Duration

	// Name is what people call the provider. Defaults to the host of Issuer.
	Name string

	// Now tells the time. Defaults to [time.Now].
	Now func() time.Time

	// RedirectURL is the address of the console's page [console.ProviderReturn], as browsers reach it and as it is
	// registered at the provider. The page above it, [console.ProviderSignedOut], is to be registered too, as one to
	// which people come after signing out.
	RedirectURL string

	// Scopes are what is asked for beside openid. Defaults to profile and email.
	Scopes []string
}

func (c *Config) now() time.Time { return c.Now() }

// WithDefaults returns c with the defaults filled in.
func (c Config) WithDefaults() Config {
	c.IdentityClaim = cmp.Or(c.IdentityClaim, IdentityClaimDefault)
	c.Leeway = cmp.Or(c.Leeway, LeewayDefault)
	c.Client = clientOf(c.Client)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Scopes == nil {
		c.Scopes = []string{"profile", "email"}
	}
	if !slices.Contains(c.Scopes, oidc.ScopeOpenID) {
		c.Scopes = append([]string{oidc.ScopeOpenID}, c.Scopes...)
	}
	return c
}

// scopeToken is a scope, after RFC 6749, section 3.3.
var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]+$`)

func (c *Config) validate() error {
	issuer, err := secureURL(c.Issuer)
	if err != nil {
		return fmt.Errorf("Issuer: %w", err)
	}
	if issuer.RawQuery != "" || issuer.ForceQuery {
		return fmt.Errorf("Issuer: %q is given where an address without a query is expected", c.Issuer)
	}
	if c.ClientID == "" {
		return errors.New("ClientID is missing: the provider gives it")
	}
	back, err := secureURL(c.RedirectURL)
	if err != nil {
		return fmt.Errorf("RedirectURL: %w", err)
	}
	if !strings.HasSuffix(back.Path, "/"+console.ProviderReturn) || back.RawQuery != "" {
		return fmt.Errorf("RedirectURL: %q is given where the console's page is expected, which ends with /%s",
			c.RedirectURL, console.ProviderReturn)
	}
	if c.Leeway < 0 || c.Leeway > LeewayMax {
		return fmt.Errorf("Leeway: %s is given where at most %s is allowed", c.Leeway, LeewayMax)
	}
	if c.MaxAge < 0 || c.MaxAge%time.Second != 0 {
		return fmt.Errorf("MaxAge: %s is given where whole seconds are expected", c.MaxAge)
	}
	for _, scope := range c.Scopes {
		if !scopeToken.MatchString(scope) {
			return fmt.Errorf("Scopes: %q is no scope", scope)
		}
	}
	if (c.LevelsClaim == "") != (len(c.Levels) == 0) {
		return errors.New("Levels and LevelsClaim belong together: one is given")
	}
	for value, levels := range c.Levels {
		for _, level := range levels {
			if !slices.Contains(right.Administrators(), right.Level(level)) {
				return fmt.Errorf("Levels: %q has the level %q, where one of %v is expected", value, level,
					right.Administrators())
			}
		}
	}
	return nil
}

// Login is a sign-in at an OpenID provider. It implements [console.Provider], and is safe for concurrent use.
type Login struct {
	config Config
	end    string // to where people come after they have signed out of the provider

	turn   chan struct{} // who has it may use what follows
	known  *provider     // nil before the provider was reached
	failed time.Time     // when it could not be reached; zero for when it was
}

var _ console.Provider = (*Login)(nil)

// New returns a sign-in at a provider. It does not ask the provider, which may be started later.
func New(config Config) (*Login, error) {
	config = config.WithDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("oidclogin: %w", err)
	}
	if config.Name == "" {
		issuer, err := url.Parse(config.Issuer)
		if err != nil {
			return nil, fmt.Errorf("oidclogin: Issuer: %w", err)
		}
		config.Name = issuer.Host
	}
	end := strings.TrimSuffix(config.RedirectURL, console.ProviderReturn) + console.ProviderSignedOut
	return &Login{config: config, end: end, turn: make(chan struct{}, 1)}, nil
}

// op is what fails.
const op = "sign in by OpenID Connect"

func forbidden(format string, arguments ...any) error {
	return &engine.Error{Kind: engine.Forbidden, Op: op, Err: fmt.Errorf(format, arguments...)}
}

func unavailable(format string, arguments ...any) error {
	return &engine.Error{Kind: engine.Unavailable, Op: op, Err: fmt.Errorf(format, arguments...)}
}

// Name implements [console.Provider].
func (l *Login) Name() string { return l.config.Name }

// Ready implements [console.Provider]. It takes at most [DiscoverTimeout].
func (l *Login) Ready(ctx context.Context) error {
	_, err := l.provider(ctx)
	return err
}

// Begin implements [console.Provider].
func (l *Login) Begin(ctx context.Context) (address, kept string, err error) {
	p, err := l.provider(ctx)
	if err != nil {
		return "", "", err
	}
	a := begin(l.config.now())
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.nonce()), oauth2.S256ChallengeOption(a.verifier())}
	if l.config.MaxAge > 0 {
		seconds := strconv.FormatInt(int64(l.config.MaxAge/time.Second), 10)
		options = append(options, oauth2.SetAuthURLParam("max_age", seconds))
	}
	return p.oauth.AuthCodeURL(a.state(), options...), a.String(), nil
}

// Finish implements [console.Provider].
func (l *Login) Finish(ctx context.Context, kept string, answer url.Values) (console.Person, error) {
	a, err := parseAttempt(kept, l.config.now(), l.config.Leeway)
	if err != nil {
		return console.Person{}, forbidden("%w", err)
	}
	p, err := l.provider(ctx)
	if err != nil {
		return console.Person{}, err
	}
	code, err := l.codeOf(p, a, answer)
	if err != nil {
		return console.Person{}, err
	}
	token, err := p.oauth.Exchange(l.client(ctx), code, oauth2.VerifierOption(a.verifier()))
	if err != nil {
		return console.Person{}, exchangeError(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return console.Person{}, forbidden("the provider gives no ID token: is this client allowed the scope openid?")
	}
	claims, err := l.verify(ctx, p, a, raw, token)
	if err != nil {
		return console.Person{}, err
	}
	if err := l.complete(ctx, p, claims, token); err != nil {
		return console.Person{}, err
	}
	person := l.person(claims)
	if p.metadata.EndSession != "" {
		person.Kept = raw
		if len(raw) > console.ProviderKeptMax { // the provider then asks before it signs anybody out
			person.Kept = noToken
		}
	}
	return person, nil
}

// noToken is kept where the ID token is too long for a cookie. It is none.
const noToken = "none"

// codeOf returns the code of an answer that is for the browser's sign-in and comes from the provider.
func (l *Login) codeOf(p *provider, a *attempt, answer url.Values) (string, error) {
	for name, values := range answer {
		if len(values) != 1 {
			return "", forbidden("the answer has %d values of %s", len(values), shown(name))
		}
	}
	if subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(a.state())) != 1 {
		return "", forbidden("the answer has another state than the sign-in that was begun in this browser")
	}
	// RFC 9207: an answer of another provider is told from this one's.
	if issuer := answer.Get("iss"); issuer != l.config.Issuer && (issuer != "" || p.metadata.NamesIssuer) {
		return "", forbidden("the answer is another issuer's")
	}
	if code := answer.Get("error"); code != "" {
		return "", forbidden("the provider answers with the error %s", shown(code))
	}
	code := answer.Get("code")
	if code == "" {
		return "", forbidden("the answer has no code")
	}
	return code, nil
}

// errorCode is an error after RFC 6749, which has nothing of a person.
var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// shown returns a word of an answer for the log, where it is a word.
func shown(word string) string {
	if errorCode.MatchString(word) {
		return word
	}
	return "(no word)"
}

// exchangeError says why the provider gave no token. The client's error has its whole answer.
func exchangeError(err error) error {
	var answered *oauth2.RetrieveError
	if !errors.As(err, &answered) || answered.Response == nil {
		return unavailable("the provider's token endpoint cannot be reached")
	}
	if answered.Response.StatusCode >= http.StatusInternalServerError {
		return unavailable("the provider's token endpoint answers with the status %d", answered.Response.StatusCode)
	}
	return forbidden("the provider's token endpoint answers with the status %d and the error %s",
		answered.Response.StatusCode, shown(answered.ErrorCode))
}

// verify returns the claims of an ID token that is good.
func (l *Login) verify(ctx context.Context, p *provider, a *attempt, raw string, token *oauth2.Token,
) (map[string]any, error) {
	id, err := p.verifier.Verify(l.client(ctx), raw)
	if err != nil {
		// The client's errors name issuers, audiences and algorithms, and nothing of a person.
		return nil, forbidden("the ID token is not good: %s", brief(err))
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return nil, forbidden("the claims of the ID token cannot be read")
	}
	now := l.config.now()
	authorized, _ := claims["azp"].(string)
	switch {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.nonce())) != 1:
		return nil, forbidden("the ID token has another nonce")
	case id.Subject == "":
		return nil, forbidden("the ID token has no subject")
	case authorized != "" && authorized != l.config.ClientID, authorized == "" && len(id.Audience) > 1:
		return nil, forbidden("the ID token is for another client: its audience has %d, and azp is not this one",
			len(id.Audience))
	case id.IssuedAt.After(now.Add(l.config.Leeway)):
		return nil, forbidden("the ID token is issued in the future: the clocks of provider and server differ by %s",
			id.IssuedAt.Sub(now).Round(time.Second))
	case id.AccessTokenHash != "" && id.VerifyAccessToken(token.AccessToken) != nil:
		return nil, forbidden("the access token is not that of the ID token")
	}
	if l.config.MaxAge == 0 {
		return claims, nil
	}
	since, is := claims["auth_time"].(float64)
	if !is || math.IsNaN(since) || math.Abs(since) > math.MaxInt32<<8 {
		return nil, forbidden("the ID token does not say when the person signed in (auth_time)")
	}
	if age := now.Sub(time.Unix(int64(since), 0)); age > l.config.MaxAge+l.config.Leeway {
		return nil, forbidden("the person signed in at the provider %s ago, where %s is allowed",
			age.Round(time.Second), l.config.MaxAge)
	}
	return claims, nil
}

// complete adds claims of the provider's page about the person to those of the ID token, where these do not say who it
// is or which groups she has. Those of the ID token count more.
func (l *Login) complete(ctx context.Context, p *provider, claims map[string]any, token *oauth2.Token) error {
	named := text(claims, l.config.IdentityClaim) != "" || text(claims, l.config.AliasClaim) != ""
	grouped := l.config.LevelsClaim == "" || find(claims, l.config.LevelsClaim) != nil
	if named && grouped || p.discovered.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := p.discovered.UserInfo(l.client(ctx), oauth2.StaticTokenSource(token))
	if err != nil {
		return unavailable("the provider's userinfo endpoint does not answer as it should")
	}
	if subject, _ := claims["sub"].(string); info.Subject != subject {
		return forbidden("the provider's userinfo endpoint answers for another person")
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return forbidden("the claims of the provider's userinfo endpoint cannot be read")
	}
	for name, value := range more {
		if _, has := claims[name]; !has {
			claims[name] = value
		}
	}
	return nil
}

// person returns whom claims are about.
func (l *Login) person(claims map[string]any) console.Person {
	p := console.Person{Subject: text(claims, "sub"),
		Name:     cmp.Or(text(claims, "name"), text(claims, "preferred_username")),
		Identity: text(claims, l.config.IdentityClaim), Alias: text(claims, l.config.AliasClaim)}
	if l.config.LevelsClaim == "" {
		return p
	}
	p.Levels = []string{}
	for _, value := range texts(find(claims, l.config.LevelsClaim)) {
		for _, level := range l.config.Levels[value] {
			if !slices.Contains(p.Levels, level) {
				p.Levels = append(p.Levels, level)
			}
		}
	}
	slices.Sort(p.Levels)
	return p
}

// find returns the value of a claim, or of a path of claims; nil for none.
func find(claims map[string]any, name string) any {
	if value, has := claims[name]; has {
		return value
	}
	first, rest, nested := strings.Cut(name, ".")
	inner, is := claims[first].(map[string]any)
	if !nested || !is {
		return nil
	}
	return find(inner, rest)
}

// text returns a claim that is a text; "" for none, and for no name.
func text(claims map[string]any, name string) string {
	if name == "" {
		return ""
	}
	value, _ := find(claims, name).(string)
	return value
}

// texts returns the texts of a claim that is a text or a list.
func texts(value any) []string {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		var list []string
		for _, element := range value {
			if text, is := element.(string); is {
				list = append(list, text)
			}
		}
		return list
	}
	return nil
}

// End implements [console.Provider]: it returns the provider's page for signing out, as in OpenID Connect RP-Initiated
// Logout.
func (l *Login) End(ctx context.Context, kept string) (string, error) {
	p, err := l.provider(ctx)
	if err != nil || p.metadata.EndSession == "" {
		return "", err
	}
	address, err := url.Parse(p.metadata.EndSession)
	if err != nil {
		return "", unavailable("the provider's end_session_endpoint is no address")
	}
	query := address.Query()
	query.Set("client_id", l.config.ClientID)
	query.Set("post_logout_redirect_uri", l.end)
	if kept != noToken {
		query.Set("id_token_hint", kept)
	}
	address.RawQuery = query.Encode()
	return address.String(), nil
}
