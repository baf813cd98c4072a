package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// CORS lets pages of other origins call the API from a browser. The zero CORS lets none. Tokens travel in a header, so
// browsers are never told to send cookies.
type CORS struct {
	// Origins are those of the pages, such as https://admin.example.com, or "*" alone for all.
	Origins []string
}

// What pages of other origins may send and read, and how long a browser may remember it, in seconds.
var (
	corsSent = strings.Join([]string{"Accept-Language", "Authorization", "Content-Type", "If-None-Match",
		"X-SailPoint-Experimental"}, ", ")
	corsRead = strings.Join([]string{"ETag", "Retry-After", trackingHeader, cursorHeader, totalHeader,
		scannedHeader, notesHeader}, ", ")
)

const corsSeconds = "600"

func (c *CORS) validate() error {
	for _, origin := range c.Origins {
		if origin == "*" {
			if len(c.Origins) > 1 {
				return errors.New(`CORS.Origins: "*" stands alone`)
			}
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			return fmt.Errorf(`CORS.Origins: "*" or scheme://host[:port] is expected, %q is given`, origin)
		}
	}
	return nil
}

// answer writes what a browser has to know to the header, and answers a preflight. It reports whether it answered.
func (c *CORS) answer(w http.ResponseWriter, r *http.Request) bool {
	if len(c.Origins) == 0 {
		return false
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	switch {
	case origin == "":
		return false
	case c.Origins[0] == "*":
		header.Set("Access-Control-Allow-Origin", "*")
	case slices.Contains(c.Origins, origin):
		header.Set("Access-Control-Allow-Origin", origin)
	default:
		return false
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		header.Set("Access-Control-Expose-Headers", corsRead)
		return false
	}
	header.Set("Access-Control-Allow-Methods", "DELETE, GET, HEAD, PATCH, POST, PUT")
	header.Set("Access-Control-Allow-Headers", corsSent)
	header.Set("Access-Control-Max-Age", corsSeconds)
	w.WriteHeader(http.StatusNoContent)
	return true
}
