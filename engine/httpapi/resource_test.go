package httpapi_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/httpapi"
)

// documented is an operation of the document.
type documented struct {
	method, path string // with its first version
	id           string
	body         bool
}

// allDocumented returns the operations of the document that have versions.
func allDocumented(t *testing.T) []documented {
	t.Helper()
	var d struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(httpapi.Document(), &d); err != nil {
		t.Fatal(err)
	}
	var list []documented
	for path, item := range d.Paths {
		for method, text := range item {
			var o struct {
				OperationID string          `json:"operationId"`
				Versions    []string        `json:"x-versions"`
				RequestBody json.RawMessage `json:"requestBody"`
			}
			if method == "parameters" || method == "servers" {
				continue
			}
			if err := json.Unmarshal(text, &o); err != nil {
				t.Fatal(err)
			}
			if len(o.Versions) > 0 {
				at := "/" + o.Versions[slices.IndexFunc(o.Versions, func(v string) bool { return v[0] != '/' })] + path
				list = append(list, documented{strings.ToUpper(method), at, o.OperationID, o.RequestBody != nil})
			}
		}
	}
	return list
}

// Whoever lacks a scope is refused by each operation, and an administrator by none for rights: the tables of rights
// themselves are held against the contract elsewhere.
func TestRightsOfEachOperation(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	all := allDocumented(t)
	for _, o := range all {
		path := strings.NewReplacer("{", "", "}", "").Replace(o.path)
		body := ""
		if o.body {
			body = "[" // it is allowed, and then found wrong
		}
		refused := s.do(request{method: o.method, path: path, body: body, faulty: true,
			token: s.token("ORG_ADMIN", "idn:other:read")})
		if refused.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s without the scope: %d", o.method, o.path, refused.StatusCode)
		}
		got := s.do(request{method: o.method, path: path, body: body, faulty: true})
		if got.StatusCode == http.StatusForbidden || got.StatusCode == http.StatusInternalServerError ||
			o.body && got.StatusCode/100 == 2 {
			t.Errorf("%s %s by an administrator: %d %s", o.method, o.path, got.StatusCode, got.body)
		}
	}
	if len(all) < 19 {
		t.Errorf("only %d operations were seen", len(all))
	}
}

// object is a JSON object of an answer.
type object = map[string]any

// demandObject demands a status and returns the object in the body.
func (r *response) demandObject(status int) object {
	r.t.Helper()
	var o object
	r.demand(status, &o)
	return o
}

func (s *server) send(method, path, body string) *response {
	s.t.Helper()
	return s.do(request{method: method, path: path, body: body})
}

// wrong sends a request that is refused with 400 and a code, and breaks the document or not.
func (s *server) wrong(method, path, body, code, text string) {
	s.t.Helper()
	s.do(request{method: method, path: path, body: body, faulty: true}).refuses(http.StatusBadRequest, code, text)
}

const (
	illegal = "400.1.3 Illegal value"
	missing = "400.1.0 Required data missing or empty"
)

func TestTransformWrites(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	s.ApplyText(someTransforms)
	const upper = `{"name": "Shout", "type": "upper", "attributes": {"input": {"type": "reference", ` +
		`"attributes": {"id": "Initial"}}}}`
	made := s.post("/v3/transforms", upper).demandObject(http.StatusCreated)
	id, _ := made["id"].(string)
	if made["name"] != "Shout" || made["internal"] != false || len(id) != 32 {
		t.Errorf("created was %v", made)
	}
	at := "/v2025/transforms/" + id
	if got := s.get(at).demandObject(http.StatusOK); got["type"] != "upper" {
		t.Errorf("got %v", got)
	}
	s.wrong("POST", "/beta/transforms", upper, "400.1 Bad request content", "has the name")
	s.wrong("POST", "/beta/transforms", `{"name": "x", "attributes": {}}`, missing, "type: it is missing")
	s.wrong("POST", "/beta/transforms", `{"name": 7, "type": "upper", "attributes": {}}`, illegal, "name: string")
	s.wrong("POST", "/beta/transforms", `{"name": "x", "type": "uper", "attributes": {}}`, illegal, "upper")
	s.wrong("POST", "/beta/transforms", `[]`, illegal, "object is expected")
	s.wrong("PUT", at, `{"name": "Other", "type": "upper", "attributes": {}}`, illegal, "name: this cannot be changed")
	s.wrong("PUT", at, `{"name": "Shout", "type": "lower", "attributes": {}}`, illegal, "type: this cannot be changed")
	changed := s.send("PUT", at, `{"id": "`+id+`", "name": "Shout", "type": "upper", "attributes": {"input": `+
		`{"type": "static", "attributes": {"value": "x"}}}, "internal": false}`).demandObject(http.StatusOK)
	if input, _ := changed["attributes"].(object)["input"].(object); input["type"] != "static" {
		t.Errorf("changed is %v", changed)
	}
	// Initial is named by initials.
	var list []object
	s.get("/v3/transforms?name=Initial").demand(http.StatusOK, &list)
	used := "/v3/transforms/" + list[0]["id"].(string)
	s.do(request{method: "DELETE", path: used}).refuses(http.StatusBadRequest, "400.2.1.0 Object in use by another",
		`the transform "Initial" is used by transform "initials"`)
	s.send("DELETE", at, "").demand(http.StatusNoContent, nil)
	for _, path := range []string{at, "/v3/transforms/Initial", "/v3/transforms/" + strings.Repeat("f", 32)} {
		s.do(request{method: "DELETE", path: path}).refuses(http.StatusNotFound, "404 Not found", "")
		s.do(request{method: "PUT", path: path, body: upper}).refuses(http.StatusNotFound, "404 Not found", "")
	}
	revisions, err := s.ConfigurationRevisions(t.Context(), 0, 10)
	if err != nil || len(revisions) != 4 || revisions[0].Removed != 1 || revisions[0].Actor.Via != "api" ||
		revisions[0].Actor.ID != "test" {
		t.Errorf("the revisions are %+v, %v", revisions, err)
	}
}
