package page

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/internal/page/assets"
)

// Policy is what a page may do in a browser: nothing but show itself, its own style and script, and send its forms to
// where it comes from.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
	"trusted-types muster"

// The policies of what the next page learns of the address of this one. With NoReferrer browsers also send forms with
// the origin null where they do not send Sec-Fetch-Site, over plain HTTP from another machine.
const (
	SameOrigin = "same-origin"
	NoReferrer = "no-referrer"
)

// Protect sets the headers that every answer has.
func Protect(header http.Header, referrer string) {
	header.Set("Content-Security-Policy", Policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
	header.Set("Referrer-Policy", referrer)
	header.Set("Cache-Control", "no-store")
}

// StaticPath is where a face has the assets, below its mount.
const StaticPath = "/static/"

// Asset returns the reference of an asset below a mount. It has the hash of all assets, so that browsers keep it for
// good.
func Asset(base, name string) string {
	return base + strings.TrimPrefix(StaticPath, "/") + assets.Hash() + "/" + name
}

// ServeAsset answers with an asset, by a path below [StaticPath]. It reports whether there is one.
func ServeAsset(w http.ResponseWriter, r *http.Request, path string) bool {
	hash, name, _ := strings.Cut(strings.TrimPrefix(path, StaticPath), "/")
	content, kind, found := assets.Read(name)
	if !found || hash != assets.Hash() || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	header := w.Header()
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("Content-Type", kind)
	header.Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method == http.MethodGet {
		// A visitor who is gone is no fault of the asset.
		_, _ = w.Write(content)
	}
	return true
}

// Write answers with a page of HTML.
func Write(w http.ResponseWriter, r *http.Request, status int, speech *Speech, text []byte) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", speech.Tag.String())
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// A visitor who is gone is no fault of the page.
		_, _ = w.Write(text)
	}
}

// BaseOf returns the mount as seen from a page, by the page's path below the mount: "./", "../" and so on.
func BaseOf(path string) string {
	if depth := strings.Count(path, "/") - 1; depth > 0 {
		return strings.Repeat("../", depth)
	}
	return "./"
}
