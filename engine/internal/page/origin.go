package page

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Origin knows where browsers reach a face. Make it with [NewOrigin].
type Origin struct {
	External *url.URL // nil where it is the host that each request names
	origins  *http.CrossOriginProtection
}

// NewOrigin returns the origin of a face with an external address, "" for none.
func NewOrigin(external string) (*Origin, error) {
	o := &Origin{origins: http.NewCrossOriginProtection()}
	if external == "" {
		return o, nil
	}
	var err error
	o.External, err = url.Parse(external)
	if err != nil || o.External.Host == "" || o.External.Scheme != "http" && o.External.Scheme != "https" {
		return nil, fmt.Errorf("ExternalURL: %q is given where an address such as https://host/path/ is expected",
			external)
	}
	if err := o.origins.AddTrustedOrigin(o.External.Scheme + "://" + o.External.Host); err != nil {
		return nil, fmt.Errorf("ExternalURL: %w", err)
	}
	return o, nil
}

// Secure reports whether the browser reached the face by TLS.
func (o *Origin) Secure(r *http.Request) bool {
	return r.TLS != nil || o.External != nil && o.External.Scheme == "https"
}

// KeepsSecrets reports whether what the browser sends and keeps stays secret: it goes by TLS, or stays on this machine.
func (o *Origin) KeepsSecrets(r *http.Request) bool { return o.Secure(r) || IsLoopback(r.Host) }

// ErrForeign says that a form was sent by another site, or by no page at all.
var ErrForeign = errors.New("the form comes from another place")

// Check refuses a form that another site has sent. It is stricter than the standard library: a request that does not
// say where it comes from is refused, because every browser says it.
func (o *Origin) Check(r *http.Request) error {
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" || o.origins.Check(r) != nil {
		return ErrForeign
	}
	return nil
}

// CookieName returns the name of a cookie. The prefix __Host- has browsers refuse a cookie that another host or a page
// without TLS has set.
func (o *Origin) CookieName(r *http.Request, name string) string {
	if o.Secure(r) {
		return "__Host-muster-" + name
	}
	return "muster-" + name
}

// IsLoopback reports whether a host, with or without a port, is this machine by a name that nobody else can give it.
func IsLoopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	return slices.Contains([]string{"localhost", "127.0.0.1", "[::1]", "::1"}, strings.ToLower(name))
}

// Address returns the network address of the client of a request, without its port.
func Address(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
