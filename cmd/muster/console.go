package main

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/console/oidclogin"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
)

// consolePath is where the server has the console.
const consolePath = "/console/"

// The values of --console.
const (
	consoleAuto = "auto"
	consoleOn   = "on"
	consoleOff  = "off"
)

// pages is the console of a server, and how the one who started it signs in.
type pages struct {
	*console.Handler

	login *console.Development
}

// checkConsole reports whether the server has the console, and why not. The development login is for this machine
// alone, and not beside a key set, which says that the server is no development server. Passwords go over TLS.
func (s *server) checkConsole() (has bool, reason string, err error) {
	switch {
	case s.console != consoleAuto && s.console != consoleOn && s.console != consoleOff:
		return false, "", usage("--console: %q is given where auto, on or off is expected", s.console)
	case s.console == consoleOff:
		return false, "", nil
	case s.development, strings.HasPrefix(s.externalURL, "https:"):
		return true, "", nil
	case s.console == consoleOn && (s.certificate != "" || listensLocally(s.listen)):
		return true, "", nil
	case listensLocally(s.listen):
		reason = "its sign-in for development is not there beside a key set, and people reach it by HTTPS: " +
			"give --external-url, or --console on for this machine"
	default:
		reason = "people sign in by HTTPS, and --listen is not a loopback address: give --external-url or --tls-cert"
	}
	if s.console == consoleOn {
		return false, "", usage("--console on: %s", reason)
	}
	return false, reason, nil
}

// forDevelopment reports whether people may sign in by the development login.
func (s *server) forDevelopment() bool {
	return s.verify.JWKSFile == "" && s.verify.JWKSURL == "" && listensLocally(s.listen)
}

// provider returns the sign-in at an OpenID provider; nil for none.
func (a *app) provider(s *server, hasConsole bool, noConsole string) (*oidclogin.Login, error) {
	if s.oidc.given() && !hasConsole {
		return nil, usage("--oidc-issuer is for the console, which is off: %s", cmp.Or(noConsole, "--console off"))
	}
	back := s.base()
	if back != "" {
		back += consolePath
	}
	return s.oidc.login(a, back)
}

// console makes the console of a server. login is nil for none.
func (a *app) console(s *server, eng *engine.Engine, clients []devtoken.Client, login *oidclogin.Login,
) (*pages, error) {
	p := &pages{}
	if s.development {
		accounts := make([]console.Account, len(clients))
		for i, c := range clients {
			accounts[i] = console.Account{Principal: console.Principal{ID: c.ID, Name: c.ID, Levels: c.Authorities},
				Secret: c.Secret}
		}
		p.login = console.NewDevelopment(accounts...)
	}
	config := console.Config{Address: s.clientAddress(), Development: p.login, ExternalURL: s.externalURL,
		Logger: a.log, Passwords: true}
	if login != nil { // a nil one would be a Provider
		config.Provider = login
	}
	var err error
	p.Handler, err = console.New(eng, config)
	if err != nil {
		return nil, usage("%w", err)
	}
	return p, nil
}

// listensLocally reports whether an address to listen on is reached from this machine alone.
func listensLocally(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// announce says where the console is, by a link that signs in the one who started the server.
func (a *app) announce(p *pages, scheme string, address net.Addr) {
	actor := osActor()
	link := p.login.Link(console.Principal{ID: actor.ID, Name: actor.Name, Levels: []string{"ORG_ADMIN"}})
	fmt.Fprintf(a.stdout, "console: %s://%s%s%s\n", scheme, address, consolePath, link)
}

// beside serves the console below its path, and everything else by another handler. A browser that asks for the root
// goes to the console.
func (p *pages) beside(other http.Handler) http.Handler {
	below := http.StripPrefix(strings.TrimSuffix(consolePath, "/"), p.Handler)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, consolePath), r.URL.Path+"/" == consolePath:
			below.ServeHTTP(w, r)
		case r.Method == http.MethodGet && r.URL.Path == "/" && strings.Contains(r.Header.Get("Accept"), "text/html"):
			w.Header().Set("Location", strings.TrimPrefix(consolePath, "/"))
			w.WriteHeader(http.StatusFound)
		default:
			other.ServeHTTP(w, r)
		}
	})
}
