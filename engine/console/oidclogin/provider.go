package oidclogin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/muster-engine/muster/engine/internal/page"
	"github.com/muster-engine/muster/filterql/jsontext"
)

// What a provider is given.
const (
	// RetryEvery is how long a provider is left alone after it could not be reached.
	RetryEvery = 5 * time.Second
	// DiscoverTimeout is the longest time in which it has to say where its pages are.
	DiscoverTimeout = 3 * time.Second
	// DiscoverEvery is how often it is asked where its pages are.
	DiscoverEvery = time.Hour
	// Timeout is the longest time of any other request.
	Timeout = 10 * time.Second
	// AnswerMax is the most bytes of an answer.
	AnswerMax = 1 << 20
)

// provider is what a provider says of itself.
type provider struct {
	discovered *oidc.Provider
	oauth      oauth2.Config
	verifier   *oidc.IDTokenVerifier
	metadata   metadata
	asked      time.Time
}

// metadata are the members of the discovery document that the OpenID client does not read.
type metadata struct {
	JWKS        string   `json:"jwks_uri"`
	EndSession  string   `json:"end_session_endpoint"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	NamesIssuer bool     `json:"authorization_response_iss_parameter_supported"`
}

// provider returns what the provider says of itself, as it said it within [DiscoverEvery], or longer ago where it
// cannot be asked. One visitor asks; the others wait for the answer.
func (l *Login) provider(ctx context.Context) (*provider, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now := l.config.now()
	fresh := l.known != nil && now.Sub(l.known.asked) < DiscoverEvery
	if fresh || !l.failed.IsZero() && now.Sub(l.failed) < RetryEvery {
		return l.known, l.away()
	}
	// The answer is everybody's: it does not end with the visitor who asked.
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), DiscoverTimeout)
	defer cancel()
	found, err := l.discover(asking)
	if err != nil {
		l.failed = now
		l.config.Logger.LogAttrs(ctx, slog.LevelWarn, "oidclogin: the provider cannot be reached; it is asked again "+
			"when somebody wants to sign in", slog.String("issuer", l.config.Issuer), slog.String("error", err.Error()))
		return l.known, l.away()
	}
	found.asked = now
	l.known, l.failed = found, time.Time{}
	return l.known, nil
}

// away returns the error that nothing is known of the provider.
func (l *Login) away() error {
	if l.known != nil {
		return nil
	}
	return unavailable("the provider %s cannot be reached", l.config.Issuer)
}

func (l *Login) discover(ctx context.Context) (*provider, error) {
	discovered, err := oidc.NewProvider(l.client(ctx), l.config.Issuer)
	if err != nil {
		return nil, errors.New(brief(err)) // it may repeat a page of HTML
	}
	p := &provider{discovered: discovered}
	if err := discovered.Claims(&p.metadata); err != nil {
		return nil, errors.New("its discovery document is not as it should be")
	}
	p.oauth = oauth2.Config{ClientID: l.config.ClientID, ClientSecret: l.config.ClientSecret,
		RedirectURL: l.config.RedirectURL, Endpoint: discovered.Endpoint(), Scopes: l.config.Scopes}
	p.oauth.Endpoint.AuthStyle = l.authStyle(p.metadata.AuthMethods)
	for name, address := range map[string]string{"authorization_endpoint": p.oauth.Endpoint.AuthURL,
		"token_endpoint": p.oauth.Endpoint.TokenURL, "jwks_uri": p.metadata.JWKS,
		"userinfo_endpoint": discovered.UserInfoEndpoint(), "end_session_endpoint": p.metadata.EndSession} {
		optional := name == "userinfo_endpoint" || name == "end_session_endpoint"
		if _, err := secureURL(address); err != nil && (address != "" || !optional) {
			return nil, fmt.Errorf("its %s: %w", name, err)
		}
	}
	p.verifier = discovered.Verifier(&oidc.Config{ClientID: l.config.ClientID,
		Now: func() time.Time { return l.config.now().Add(-l.config.Leeway) }})
	return p, nil
}

// brief returns the words of an error in one line, which is not long.
func brief(err error) string {
	const most = 300
	text := jsontext.Printable(err.Error())
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// authStyle returns how the client proves to the provider who it is.
func (l *Login) authStyle(methods []string) oauth2.AuthStyle {
	// A provider that names no method takes client_secret_basic.
	basic := len(methods) == 0 || slices.Contains(methods, "client_secret_basic")
	if l.config.ClientSecret == "" || !basic {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// client returns a context with which requests go by the login's own client.
func (l *Login) client(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, l.config.Client)
}

// clientOf returns a client that waits for at most [Timeout], reads at most [AnswerMax] and follows no redirection: one
// would take the secret of this client to another server.
func clientOf(given *http.Client) *http.Client {
	client := &http.Client{}
	if given != nil {
		*client = *given
	}
	if client.Timeout == 0 || client.Timeout > Timeout {
		client.Timeout = Timeout
	}
	if client.Transport == nil {
		client.Transport = http.DefaultTransport
	}
	client.Transport = bounded{client.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// bounded cuts answers off at [AnswerMax]. What is cut off is no JSON any more.
type bounded struct{ transport http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.transport.RoundTrip(r)
	if err == nil {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(response.Body, AnswerMax), response.Body}
	}
	return response, err
}

// secureURL reads an address to which secrets may go: by TLS, or on this machine.
func secureURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" ||
		u.Scheme != "https" && (u.Scheme != "http" || !page.IsLoopback(u.Host)) {
		return nil, fmt.Errorf("%q is given where an address that begins with https:// is expected, or with http:// "+
			"on this machine", text)
	}
	return u, nil
}
