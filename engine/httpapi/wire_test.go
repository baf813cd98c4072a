package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/httpapi"
)

// Some clients write True, and count all the same.
func TestBooleansInAnyLetterCase(t *testing.T) {
	t.Parallel()
	s := company(t)
	for count, want := range map[string]string{"true": "4", "True": "4", "TRUE": "4", "False": "", "fALSE": "",
		"": ""} {
		for _, path := range []string{"/beta/identities", "/v2025/task-status"} {
			response := s.do(request{method: http.MethodGet, path: path + "?limit=0&count=" + count, faulty: true})
			got := response.Header.Get("X-Total-Count")
			if response.StatusCode != http.StatusOK || (got != "") != (want != "") ||
				path == "/beta/identities" && got != want {
				t.Errorf("%s?count=%s: %d, %q in all, want %q", path, count, response.StatusCode, got, want)
			}
		}
	}
}

// A parameter that is nearly a known one is refused, and not ignored: the answer would be about something else.
func TestParametersThatAreNearlyKnown(t *testing.T) {
	t.Parallel()
	s := company(t)
	ann := s.ID("ann")
	for _, test := range []struct{ path, query, meant string }{
		{"/beta/identities", "filter=x", "filters"},
		{"/beta/identities", "Filters=x", "filters"},
		{"/beta/identities", "filters[]=x", "filters"},
		{"/beta/identities", "filters%5B0%5D=x", "filters"},
		{"/beta/identities", "FILTER[name]=x", "filters"},
		{"/beta/identities", "sorter=name", "sorters"},
		{"/beta/identities", "SORTERS=name", "sorters"},
		{"/beta/identities", "limits=1", "limit"},
		{"/beta/identities", "Limit=1", "limit"},
		{"/beta/identities", "offset[]=1", "offset"},
		{"/beta/identities", "Count=true", "count"},
		{"/beta/identities", "defaultfilter=NONE", "defaultFilter"},
		{"/beta/identities", "defaultFilters=NONE", "defaultFilter"},
		{"/beta/identities", "After=x", "after"},
		{"/beta/identities", "limit=1&Limit=1", "limit"},
		{"/v2024/identities/" + ann + "/role-assignments", "roleid=x", "roleId"},
		{"/v2024/identities/" + ann + "/role-assignments", "roleNames=x", "roleName"},
		{"/task-status/v1", "filter=x", "filters"},
		{"/beta/identities", "page=2", ""},
		{"/beta/identities", "f=x", ""},
		{"/beta/identities", "filtering=x", ""},
		{"/beta/identities", "limited=x", ""},
		{"/beta/identities", "=x", ""},
		{"/beta/identities", "roleId=x", ""},
		{"/v2024/identities/" + ann + "/role-assignments", "filter=x", ""},
		{"/beta/identities/" + ann, "Filters=x", ""},
	} {
		response := s.do(request{method: http.MethodGet, path: test.path + "?" + test.query, faulty: true})
		if test.meant == "" {
			if response.StatusCode != http.StatusOK {
				t.Errorf("%s?%s: %d %s", test.path, test.query, response.StatusCode, response.body)
			}
			continue
		}
		response.refuses(http.StatusBadRequest, "400.1.3 Illegal value",
			"there is no such parameter, "+test.meant+" is meant")
	}
}

var aTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT[^"]*`)

// Every time that is sent has three digits and a Z.
func TestTimesThatAreSent(t *testing.T) {
	t.Parallel()
	s := company(t)
	bob := s.ID("bob")
	if _, err := s.AssignRole(t.Context(), engine.AssignRoleParams{Identity: bob, Role: "Auditor"}); err != nil {
		t.Fatal(err)
	}
	var assignments []engine.RoleAssignment
	s.get("/beta/identities/"+bob+"/role-assignments?roleName=Sales").demand(http.StatusOK, &assignments)
	good := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	for path, least := range map[string]int{
		"/beta/identities": 12, "/beta/identities/" + bob: 3, "/beta/identities/" + bob + "/role-assignments": 2,
		"/beta/identities/" + bob + "/role-assignments?roleName=Sales":       1,
		"/beta/identities/" + bob + "/role-assignments/" + assignments[0].ID: 1, "/beta/task-status": 6,
	} {
		body := s.get(path).body
		times := aTime.FindAllString(string(body), -1)
		if len(times) < least {
			t.Errorf("%s has %d times, want %d: %s", path, len(times), least, body)
		}
		for _, text := range times {
			if !good.MatchString(text) {
				t.Errorf("%s has the time %s", path, text)
			}
		}
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	s := company(t)
	plain := s.get("/beta/identities?sorters=name")
	if plain.Header.Get("Content-Encoding") != "" || !slices.Contains(plain.Header.Values("Vary"), "Accept-Encoding") {
		t.Errorf("without being asked: %v", plain.Header)
	}
	for accepted, want := range map[string]bool{"gzip": true, "br, GZIP;q=0.5": true, "*": true, "gzip;q=0": false,
		"gzip; q=0.000": false, "*, gzip;q=0": false, "br": false, "identity": false, "gzip;q=x": false} {
		packed := s.do(request{method: http.MethodGet, path: "/beta/identities?sorters=name", unpublished: true,
			header: http.Header{"Accept-Encoding": {accepted}}})
		body := packed.body
		if got := packed.Header.Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("Accept-Encoding: %s: compressed %t, want %t", accepted, got, want)
		}
		if want {
			reader, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(reader); err != nil {
				t.Fatal(err)
			}
			if len(packed.body) >= len(body) {
				t.Errorf("%d bytes became %d", len(body), len(packed.body))
			}
		}
		if !bytes.Equal(body, plain.body) || packed.Header.Get("ETag") != plain.Header.Get("ETag") ||
			packed.Header.Get("Content-Length") != fmt.Sprint(len(packed.body)) {
			t.Errorf("Accept-Encoding: %s: %v, %d bytes, want %d", accepted, packed.Header, len(body), len(plain.body))
		}
	}
	// What is small is not worth it.
	small := s.do(request{method: http.MethodGet, path: "/beta/identities?limit=0", unpublished: true,
		header: http.Header{"Accept-Encoding": {"gzip"}}})
	if small.Header.Get("Content-Encoding") != "" || string(small.body) != "[]\n" {
		t.Errorf("got %v %q, want a body that is not compressed", small.Header, small.body)
	}
}

// Who has an answer already is told so, until it changes.
func TestEntityTags(t *testing.T) {
	t.Parallel()
	s := company(t)
	path := "/beta/identities?sorters=name&count=true&limit=2"
	first := s.get(path)
	tag := first.Header.Get("ETag")
	ask := func(path, tags string) *response {
		return s.do(request{method: http.MethodGet, path: path, header: http.Header{"If-None-Match": {tags}}})
	}
	for _, tags := range []string{tag, strings.TrimPrefix(tag, "W/"), `"x", ` + tag, "*"} {
		again := ask(path, tags).demand(http.StatusNotModified, nil)
		if again.Header.Get("ETag") != tag || again.Header.Get("X-Total-Count") != "4" ||
			again.Header.Get("X-Next-Cursor") == "" || again.Header.Get("Content-Type") != "" {
			t.Errorf("If-None-Match: %s: %v", tags, again.Header)
		}
	}
	for _, tags := range []string{`"x"`, "", strings.ToUpper(tag), tag[:len(tag)-2]} {
		if response := ask(path, tags); response.StatusCode != http.StatusOK {
			t.Errorf("If-None-Match: %s: %d", tags, response.StatusCode)
		}
	}
	one := "/beta/identities/" + s.ID("bob")
	before := s.get(one).Header.Get("ETag")
	if _, err := s.SetLifecycleState(t.Context(), s.ID("bob"), "inactive"); err != nil {
		t.Fatal(err)
	}
	s.Process()
	after := ask(one, before)
	if after.StatusCode != http.StatusOK || after.Header.Get("ETag") == before {
		t.Errorf("after a change: %d, %s before, %s now", after.StatusCode, before, after.Header.Get("ETag"))
	}
	head := s.do(request{method: http.MethodHead, path: one})
	if head.Header.Get("ETag") != after.Header.Get("ETag") {
		t.Errorf("HEAD has the tag %q, GET %q", head.Header.Get("ETag"), after.Header.Get("ETag"))
	}
	if tag := ask("/beta/identities/nobody", "*"); tag.StatusCode != http.StatusNotFound {
		t.Errorf("nobody: %d", tag.StatusCode)
	}
}

// A body that is coded is not taken for JSON that is broken.
func TestCodedBodies(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	for coding, coded := range map[string]bool{"gzip": true, "br": true, "identity, gzip": true, "identity": false,
		"IDENTITY": false, "": false} {
		response := s.do(request{method: http.MethodPost, path: "/beta/identities/process",
			body: `{"identityIds": ["x"]}`, header: http.Header{"Content-Encoding": {coding}}, faulty: true})
		if !coded {
			response.refuses(http.StatusNotFound, "404 Not found", "x")
			continue
		}
		response.refuses(http.StatusUnsupportedMediaType, "415 Unsupported media type", "Content-Encoding")
		if response.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("%s: %v", coding, response.Header)
		}
	}
}

// Paths that a mux would clean are not there, whatever the method: a redirection would lose a POST.
func TestUncleanPaths(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	for _, path := range []string{"//beta/identities", "/beta//identities", "/beta/identities/", "/beta/./identities",
		"/beta/x/../identities", "/beta/identities/%2e%2e/identities", "/%2fbeta/identities", "/openapi.json/"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			s.do(request{method: method, path: path, faulty: true}).
				refuses(http.StatusNotFound, "404 Not found", "slash")
		}
	}
	for path, want := range map[string]string{
		"/beta/identities": "GET, HEAD", "/beta/identities/x": "DELETE, GET, HEAD",
		"/beta/identities/process": "POST", "/openapi.json": "GET, HEAD"} {
		response := s.do(request{method: http.MethodPut, path: path, faulty: true})
		if got := response.Header.Get("Allow"); response.StatusCode != http.StatusMethodNotAllowed ||
			got != want && path != "/beta/identities/process" || !strings.Contains(got, want) {
			t.Errorf("PUT %s: %d, Allow: %q, want %q", path, response.StatusCode, got, want)
		}
	}
}

// Under a prefix the API answers as at the root, and the rest is the host's.
func TestUnder(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	mux := http.NewServeMux()
	mux.HandleFunc("/mine", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	s.handler = httpapi.Under("/api/iam", s.handler, mux)
	for path, want := range map[string]int{"/api/iam/beta/identities": 200, "/api/iam//beta/identities": 404,
		"/api/iam/beta/identities/": 404, "/api/iam/": 404, "/api/iam": 404, "/api/iamx/beta/identities": 404,
		"/mine": 418} {
		response := s.do(request{method: http.MethodGet, path: path, unpublished: true})
		ours := response.Header.Get("SLPT-Request-ID") != ""
		if response.StatusCode != want || ours != strings.HasPrefix(path, "/api/iam/") {
			t.Errorf("%s: %d, want %d; of the API: %t", path, response.StatusCode, want, ours)
		}
	}
}

// Pages of the origins that are named may call the API and read what it tells in headers; others may not, and without
// any name nobody's may.
func TestCORS(t *testing.T) {
	t.Parallel()
	const ours, others = "https://admin.example.com", "https://evil.example.com"
	ask := func(s *server, method, origin, wanted, token string) *response {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		if wanted != "" {
			header.Set("Access-Control-Request-Method", wanted)
			header.Set("Access-Control-Request-Headers", "authorization")
		}
		return s.do(request{method: method, path: "/beta/identities", header: header, token: token, unpublished: true})
	}
	off := newServer(t, httpapi.Config{})
	on := newServer(t, httpapi.Config{CORS: httpapi.CORS{Origins: []string{ours}}})
	everybody := newServer(t, httpapi.Config{CORS: httpapi.CORS{Origins: []string{"*"}}})
	for _, test := range []struct {
		name              string
		server            *server
		origin, token     string
		allowed           string
		status, preflight int
	}{
		{"off", off, ours, "", "", 200, 405},
		{"an origin that is named", on, ours, "", ours, 200, 204},
		{"an origin that is not", on, others, "", "", 200, 405},
		{"a longer origin", on, ours + ".evil.example.com", "", "", 200, 405},
		{"none", on, "", "", "", 200, 405},
		{"everybody", everybody, others, "", "*", 200, 204},
		{"a failure can be read too", on, ours, "-", ours, 401, 204},
	} {
		get := ask(test.server, http.MethodGet, test.origin, "", test.token)
		exposed := get.Header.Get("Access-Control-Expose-Headers")
		if get.StatusCode != test.status || get.Header.Get("Access-Control-Allow-Origin") != test.allowed ||
			strings.Contains(exposed, "X-Total-Count") != (test.allowed != "") ||
			strings.Contains(exposed, "Retry-After") != (test.allowed != "") ||
			get.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: GET: %d %v", test.name, get.StatusCode, get.Header)
		}
		preflight := ask(test.server, http.MethodOptions, test.origin, http.MethodPost, "-")
		may := test.preflight == http.StatusNoContent
		if header := preflight.Header; preflight.StatusCode != test.preflight ||
			header.Get("Access-Control-Allow-Origin") != test.allowed ||
			strings.Contains(header.Get("Access-Control-Allow-Headers"), "Authorization") != may ||
			strings.Contains(header.Get("Access-Control-Allow-Methods"), "POST") != may {
			t.Errorf("%s: preflight: %d %v", test.name, preflight.StatusCode, header)
		}
	}
	if vary := on.get("/beta/identities").Header.Values("Vary"); !slices.Contains(vary, "Origin") {
		t.Errorf("a cache would give one origin the answer of another: Vary: %v", vary)
	}
	nobody := httpapi.AuthenticatorFunc(func(*http.Request) (*httpapi.Principal, error) { return nil, nil })
	for _, origin := range []string{"", "admin.example.com", "https://admin.example.com/", "ftp://x", "https://",
		"null"} {
		_, err := httpapi.New(nil, httpapi.Config{CORS: httpapi.CORS{Origins: []string{origin}}, Authenticator: nobody})
		if err == nil || !strings.Contains(err.Error(), "CORS.Origins") {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

// A cursor tells nobody what is in it, and is good for every server that has its key.
func TestCursorsAreSealed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := company(t)
	authenticator := func() httpapi.Authenticator {
		a, err := httpapi.NewJWT(t.Context(), s.issuer.Verifier())
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	other := func(key []byte) *server {
		h, err := httpapi.New(s.Engine, httpapi.Config{Authenticator: authenticator(), CursorKey: key})
		if err != nil {
			t.Fatal(err)
		}
		return &server{Company: s.Company, t: t, handler: h, issuer: s.issuer, documents: s.documents}
	}
	key := bytes.Repeat([]byte("k"), 32)
	one, two, stranger := other(key), other(key), other(bytes.Repeat([]byte("x"), 32))
	page := func(at *server, sorters, after string) (names string, status int) {
		var list []engine.Identity
		r := at.get("/beta/identities?limit=2&sorters=" + sorters + "&after=" + url.QueryEscape(after))
		if r.StatusCode == http.StatusOK {
			r.demand(http.StatusOK, &list)
			for i := range list {
				names += list[i].Alias + " "
			}
		} else {
			r.refuses(http.StatusBadRequest, "400.1.3 Illegal value", "no cursor of this server")
		}
		return names, r.StatusCode
	}
	first := one.get("/beta/identities?limit=2&sorters=name").Header.Get("X-Next-Cursor")
	for part := range strings.SplitSeq(first, ".") {
		if text, err := base64.RawURLEncoding.DecodeString(part); err == nil &&
			(strings.Contains(strings.ToLower(string(text)), "twain") || strings.Contains(string(text), "order")) {
			t.Errorf("the cursor says %q", text)
		}
	}
	if strings.Contains(strings.ToLower(first), "twain") {
		t.Errorf("the cursor is %q", first)
	}
	for name, at := range map[string]*server{"the server": one, "another with the key": two} {
		if names, _ := page(at, "name", first); names != "cy dee " {
			t.Errorf("%s goes on with %q", name, names)
		}
	}
	if _, status := page(stranger, "name", first); status != http.StatusBadRequest {
		t.Errorf("a server with another key: %d", status)
	}
	broken := first[:len(first)-4] + "AAAA"
	if _, status := page(one, "name", broken); status != http.StatusBadRequest {
		t.Errorf("a cursor that was changed: %d", status)
	}
	// In the order of IDs there is nothing to hide, and every server can go on.
	byID := one.get("/beta/identities?limit=2").Header.Get("X-Next-Cursor")
	if names, _ := page(stranger, "", byID); names != "cy dee " {
		t.Errorf("another server goes on with %q", names)
	}
	if _, err := httpapi.New(nil, httpapi.Config{Authenticator: authenticator(), CursorKey: key[1:]}); err == nil ||
		!strings.Contains(err.Error(), "CursorKey") {
		t.Errorf("a short key: %v", err)
	}
}

// The IDs of a page fit into one filter, however they are spelled.
func TestIDsOfPageFitFilter(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := company(t)
	bob := s.ID("bob")
	for name, separator := range map[string]string{"without blanks": ",", "with blanks": ", "} {
		for spelling, id := range map[string]string{"without dashes": bob,
			"with dashes": fmt.Sprintf("%s-%s-%s-%s-%s", bob[:8], bob[8:12], bob[12:16], bob[16:20], bob[20:])} {
			ids := make([]string, 250)
			for i := range ids {
				ids[i] = `"` + id[:len(id)-3] + fmt.Sprintf("%03x", i) + `"`
			}
			ids[249] = `"` + id + `"`
			filter := "id in (" + strings.Join(ids, separator) + ")"
			var list []engine.Identity
			s.get("/beta/identities?filters="+url.QueryEscape(filter)).demand(http.StatusOK, &list)
			if !slices.ContainsFunc(list, func(i engine.Identity) bool { return i.ID == bob }) {
				t.Errorf("%s, %s: %d were found, and not the one", name, spelling, len(list))
			}
		}
	}
}
