package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/console/internal/assets"
)

// policy is what a page may do in a browser: nothing but show itself, its own style and script, and send its forms to
// the console.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
	"trusted-types muster"

// protect sets the headers that every answer has. The referrer stays on this site, and is there: without it browsers
// send forms with the origin null over plain HTTP.
func (h *Handler) protect(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
}

// static serves an asset. Its address has the hash of all assets, so that browsers keep it for good.
func (v *visit) static() error {
	hash, name, _ := strings.Cut(strings.TrimPrefix(v.path, "/static/"), "/")
	content, kind, found := assets.Read(name)
	if !found || hash != assets.Hash() || v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		return &pageError{status: http.StatusNotFound, key: "There is no such page."}
	}
	header := v.w.Header()
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("Content-Type", kind)
	header.Set("Content-Length", strconv.Itoa(len(content)))
	if v.r.Method == http.MethodGet {
		// A visitor who is gone is no fault of the asset.
		_, _ = v.w.Write(content)
	}
	return nil
}
