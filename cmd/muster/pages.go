package main

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/notify"
	"github.com/muster-engine/muster/engine/registration"
)

// The mounts of the pages on which people register and set passwords. Both have the same pages.
const (
	registerPath = "/register/"
	passwordPath = "/password/"
)

func (s *server) checkRegistration() error {
	if s.registration != consoleOn && s.registration != consoleOff {
		return usage("--registration: %q is given where on or off is expected", s.registration)
	}
	if u, err := url.Parse(s.externalURL); err == nil && (u.RawQuery != "" || u.Fragment != "") {
		return usage("--external-url: %q has a query or a fragment, where https://host/path/ is expected",
			s.externalURL)
	}
	return nil
}

// base returns the address at which browsers reach the server, without a slash at its end; "" where nobody knows it.
func (s *server) base() string {
	base := s.externalURL
	if port := strings.TrimPrefix(s.listen[strings.LastIndexByte(s.listen, ':')+1:], ":"); base == "" && port != "0" &&
		listensLocally(s.listen) {
		base = "http://" + s.listen
		if s.certificate != "" {
			base = "https://" + s.listen
		}
	}
	return strings.TrimSuffix(strings.TrimSuffix(base, "/"), strings.TrimSuffix(consolePath, "/"))
}

// pageLinks returns the links to the server's own pages, none where nobody knows its address.
func (s *server) pageLinks() notify.Links {
	base := s.base()
	if base == "" || s.registration == consoleOff {
		return notify.Links{}
	}
	return notify.Links{Invitation: base + registerPath + "?token={token}",
		Verification: base + passwordPath + "?token={token}"}
}

// registration returns the server's own pages beside another handler.
func (a *app) registration(s *server, eng *engine.Engine, hasConsole bool, other http.Handler) (http.Handler, error) {
	if s.registration == consoleOff {
		return other, nil
	}
	config := registration.Config{Address: s.clientAddress(), ExternalURL: s.externalURL, Logger: a.log}
	if hasConsole {
		config.SignIn = ".." + consolePath
	}
	pages, err := registration.New(eng, config)
	if err != nil {
		return nil, usage("%w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, mount := range []string{registerPath, passwordPath} {
			if strings.HasPrefix(r.URL.Path, mount) || r.URL.Path+"/" == mount {
				http.StripPrefix(strings.TrimSuffix(mount, "/"), pages).ServeHTTP(w, r)
				return
			}
		}
		other.ServeHTTP(w, r)
	}), nil
}

// clientAddress returns what reads the address of a client; nil for that of the connection.
func (s *server) clientAddress() func(r *http.Request) string {
	if s.addressHeader == "" {
		return nil
	}
	return func(r *http.Request) string {
		lines := r.Header.Values(s.addressHeader)
		if len(lines) == 0 {
			return ""
		}
		list := lines[len(lines)-1]
		last := strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:])
		if host, _, err := net.SplitHostPort(last); err == nil {
			return host
		}
		return strings.Trim(last, "[]")
	}
}
