//go:build load

package loadtest_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
)

// versions are those of the API; in the last each resource has a version of its own.
var versions = []string{"beta", "v2024", "v2025", "v2026", "v1"}

// pathIn returns the path of an operation in a version.
func pathIn(version, path string) string {
	if version != "v1" {
		return "/" + version + path
	}
	end := strings.IndexAny(path[1:], "/?")
	if end < 0 {
		return path + "/v1"
	}
	return path[:end+1] + "/v1" + path[end+1:]
}

// operation is something that clients ask.
type operation struct {
	name   string
	method string
	path   func(r *rand.Rand, s *server) string
	body   func(r *rand.Rand, s *server) string
	// expected are the statuses that it may be answered with, beside 429 above the rate limit.
	expected []int
	// faulty says that the request breaks the document on purpose.
	faulty bool
	// own says that the operation has a limit of its own, for each identity.
	own bool
}

func fixed(text string) func(*rand.Rand, *server) string {
	return func(*rand.Rand, *server) string { return text }
}

// of returns a path with the ID of somebody in it.
func of(format string) func(*rand.Rand, *server) string {
	return func(r *rand.Rand, s *server) string { return fmt.Sprintf(format, s.somebody(r)) }
}

func (s *server) somebody(r *rand.Rand) string { return s.ids[r.IntN(len(s.ids))] }

// ids is a body with the IDs of some people.
func ids(member string, n int) func(*rand.Rand, *server) string {
	return func(r *rand.Rand, s *server) string {
		list := make([]string, n)
		for i := range list {
			list[i] = `"` + s.somebody(r) + `"`
		}
		return fmt.Sprintf(`{"%s": [%s]}`, member, strings.Join(list, ","))
	}
}

func list(query func(r *rand.Rand) url.Values) func(*rand.Rand, *server) string {
	return func(r *rand.Rand, _ *server) string { return "/identities?" + query(r).Encode() }
}

// Somebody may be gone: deletions go on beside.
var gone = []int{http.StatusOK, http.StatusNotFound}

var reads = []operation{
	{name: "get", method: http.MethodGet, path: of("/identities/%s"), expected: gone},
	{name: "list", method: http.MethodGet, expected: []int{http.StatusOK}, path: list(func(r *rand.Rand) url.Values {
		return url.Values{"limit": {"20"}, "offset": {fmt.Sprint(r.IntN(people))}}
	})},
	{name: "list by name", method: http.MethodGet, expected: []int{http.StatusOK},
		path: list(func(r *rand.Rand) url.Values {
			return url.Values{"limit": {"10"}, "sorters": {"-name"}, "count": {"true"},
				"filters": {fmt.Sprintf(`name sw "Person %d"`, r.IntN(people/10))}}
		})},
	{name: "list by several", method: http.MethodGet, expected: []int{http.StatusOK},
		path: list(func(r *rand.Rand) url.Values {
			return url.Values{"limit": {"10"}, "defaultFilter": {"NONE"},
				"filters": {fmt.Sprintf(`email eq "p%d@example.com" or alias eq "%d"`, r.IntN(people), r.IntN(people))}}
		})},
	{name: "ownership", method: http.MethodGet, path: of("/identities/%s/ownership"), expected: gone},
	{name: "role assignments", method: http.MethodGet, path: of("/identities/%s/role-assignments"), expected: gone},
	{name: "tasks", method: http.MethodGet, path: fixed("/task-status?limit=5"), expected: []int{http.StatusOK}},
}

var writes = []operation{
	{name: "process", method: http.MethodPost, path: fixed("/identities/process"), body: ids("identityIds", 5),
		expected: []int{http.StatusAccepted, http.StatusNotFound}},
	{name: "synchronize", method: http.MethodPost, path: of("/identities/%s/synchronize-attributes"), own: true,
		expected: []int{http.StatusAccepted, http.StatusNotFound, http.StatusTooManyRequests}},
	{name: "invite", method: http.MethodPost, path: fixed("/identities/invite"), body: ids("ids", 2),
		expected: []int{http.StatusAccepted, http.StatusNotFound}},
	{name: "verify", method: http.MethodPost, path: of("/identities/%s/verification/account/send"),
		body: fixed(`{"via": "EMAIL_WORK"}`), expected: gone},
	{name: "reset", method: http.MethodPost, path: of("/identities/%s/reset"),
		expected: []int{http.StatusAccepted, http.StatusNotFound}},
	{name: "delete", method: http.MethodDelete, expected: []int{http.StatusNoContent, http.StatusNotFound},
		path: func(r *rand.Rand, s *server) string { return "/identities/" + s.ids[len(s.ids)-1-r.IntN(people/20)] }},
	{name: "delete an owner", method: http.MethodDelete, expected: []int{http.StatusBadRequest},
		path: func(_ *rand.Rand, s *server) string { return "/identities/" + s.ids[0] }},
}

var wrong = []operation{
	{name: "no such identity", method: http.MethodGet, path: fixed("/identities/nobody"),
		expected: []int{http.StatusNotFound}},
	{name: "limit 251", method: http.MethodGet, path: fixed("/identities?limit=251"), faulty: true,
		expected: []int{http.StatusBadRequest}},
	{name: "broken filter", method: http.MethodGet, path: fixed("/identities?filters=" + url.QueryEscape(`name eq (`)),
		expected: []int{http.StatusBadRequest}},
	{name: "unknown field", method: http.MethodGet, path: fixed("/identities?filters=" + url.QueryEscape(`shoe eq "9"`)),
		expected: []int{http.StatusBadRequest}},
	{name: "251 identities", method: http.MethodPost, path: fixed("/identities/process"), body: ids("identityIds", 251),
		faulty: true, expected: []int{http.StatusBadRequest}},
	{name: "broken body", method: http.MethodPost, path: fixed("/identities/process"), body: fixed(`{"identityIds"`),
		faulty: true, expected: []int{http.StatusBadRequest}},
	{name: "large body", method: http.MethodPost, path: fixed("/identities/invite"), faulty: true,
		body: fixed(`{"ids": ["` + strings.Repeat("x", 1<<20) + `"]}`), expected: []int{http.StatusRequestEntityTooLarge}},
	{name: "wrong method", method: http.MethodPatch, path: of("/identities/%s"), faulty: true,
		expected: []int{http.StatusMethodNotAllowed}},
	{name: "no such path", method: http.MethodGet, path: fixed("/identities/a/b/c"), faulty: true,
		expected: []int{http.StatusNotFound}},
}

// forbidden is what a user without a level may not, unauthorized what nobody may without a good token.
var (
	forbidden = []operation{{name: "not allowed", method: http.MethodPost, path: fixed("/identities/process"),
		body: ids("identityIds", 1), expected: []int{http.StatusForbidden}}}
	unauthorized = []operation{{name: "wrong token", method: http.MethodGet, path: of("/identities/%s"),
		expected: []int{http.StatusUnauthorized}}}
)
