package console

import (
	"strings"

	"github.com/muster-engine/muster/engine/internal/page"
)

// Route is a line of the table of routes, for tests.
type Route struct {
	Method, Pattern string
	Levels          []string // of whom it is; nil for a public one
	Public, Own     bool
	File            bool // it answers with a file
}

// Path returns the path of the route below the mount, with an ID. A stream is asked for its state alone.
func (r *Route) Path(id string) string {
	path := "/" + strings.ReplaceAll(r.Pattern, "{id}", id)
	if strings.HasSuffix(path, "/events") {
		path += "?once=1"
	}
	return path
}

// Routes returns the table of routes.
func Routes() []Route {
	var list []Route
	for _, r := range routes() {
		shown := Route{Method: r.method, Pattern: r.pattern, Public: r.public, Own: r.own,
			File: r.file}
		if !r.public {
			shown.Levels = rights[r.right]
		}
		list = append(list, shown)
	}
	return list
}

// Levels are the user levels that the console knows.
var Levels = rights[read]

// Policy is the policy of every page.
const Policy = page.Policy

// OwnReference is ownReference.
var OwnReference = ownReference
