package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/muster-engine/muster/engine/httpapi"
)

func (s *server) list(path string) []object {
	s.t.Helper()
	var list []object
	s.get(path).demand(http.StatusOK, &list)
	return list
}

// employees returns the ID of the company's identity profile.
func employees(t testing.TB, list []object) string {
	t.Helper()
	for _, o := range list {
		if o["name"] == "Employees" {
			return o["id"].(string)
		}
	}
	t.Fatalf("nothing is called Employees: %v", list)
	return ""
}

func (s *server) patch(path, body string) *response {
	s.t.Helper()
	return s.do(request{method: http.MethodPatch, path: path, body: body,
		header: http.Header{"Content-Type": {"application/json-patch+json"}}})
}

func (s *server) wrongPatch(path, body, code, text string) {
	s.t.Helper()
	s.do(request{method: http.MethodPatch, path: path, body: body, faulty: true,
		header: http.Header{"Content-Type": {"application/json-patch+json"}}}).
		refuses(http.StatusBadRequest, code, text)
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	s := company(t)
	list := s.list("/v2025/identity-profiles?count=true")
	id := employees(t, list)
	at := "/v2025/identity-profiles/" + id
	one := s.get(at).demandObject(http.StatusOK)
	if one["identityCount"] != 4.0 || one["identityRefreshRequired"] != false || one["owner"] != nil ||
		one["authoritativeSource"].(object)["name"] != "HR" {
		t.Errorf("got %v", one)
	}
	// What scripts send: an owner by its ID alone, a priority as a text, a mapping at the first place.
	s.patch(at, `[{"op": "replace", "path": "/owner", "value": {"type": "IDENTITY", "id": "`+s.ID("ann")+`"}},
		{"op": "replace", "path": "/priority", "value": "30"}]`).demandObject(http.StatusOK)
	one = s.patch(at, `[{"op": "test", "path": "/priority", "value": 30},
		{"op": "replace", "path": "/owner/id", "value": "`+s.ID("bob")+`"}]`).demandObject(http.StatusOK)
	if owner := one["owner"].(object); owner["name"] != "Bob Twain" || one["priority"] != 30.0 {
		t.Errorf("the owner is %v, the priority %v", owner, one["priority"])
	}
	one = s.patch(at, `[{"op": "add", "path": "/identityAttributeConfig/attributeTransforms/0", "value":
		{"identityAttributeName": "location", "transformDefinition": {"type": "static",
		"attributes": {"value": "Ulm"}}}}]`).demandObject(http.StatusOK)
	if one["identityRefreshRequired"] != true {
		t.Errorf("nobody waits to be processed: %v", one)
	}
	for path, want := range map[string]struct{ code, text string }{
		`[{"op": "replace", "path": "/id", "value": "x"}]`:          {illegal, "/id: this cannot be changed"},
		`[{"op": "replace", "path": "/identityCount", "value": 7}]`: {illegal, "/identityCount"},
		`[{"op": "add", "path": "/colour", "value": "red"}]`:        {illegal, "colour"},
		`[{"op": "test", "path": "/priority", "value": 31}]`:        {illegal, "test"},
		`[{"op": "remove", "path": "/nothing"}]`:                    {illegal, "/nothing"},
		`[{"op": "replace", "path": "/owner/id", "value": "` + strings.Repeat("e", 32) + `"}]`: {
			"400.1.404 Referenced object not found", "owner"},
		`[{"op": "swap", "path": "/name"}]`: {illegal, "[0].op: one of"},
		`[]`:                                {missing, "empty"},
		`{"op": "replace"}`:                 {illegal, "array"},
	} {
		s.wrongPatch(at, path, want.code, want.text)
	}
	// The identities are processed with it.
	s.post(at+"/process-identities", "").demandObject(http.StatusAccepted)
	s.post("/beta/identity-profiles/"+id+"/refresh-identities", "").demandObject(http.StatusAccepted)
	s.Process()
	if got := s.Identity("bob").Attributes.Get("location").Text(); got != "Ulm" {
		t.Errorf("the location is %q", got)
	}
	config := s.get(at + "/default-identity-attribute-config").demandObject(http.StatusOK)
	if text, _ := json.Marshal(config); !strings.Contains(string(text), `"identityAttributeName":"uid"`) {
		t.Errorf("the default mapping is %s", text)
	}
	s.do(request{method: "DELETE", path: at}).refuses(http.StatusBadRequest, "400.1 Bad request content", "")
	for _, path := range []string{"/v3/identity-profiles/Employees", "/v3/identity-profiles/" + strings.Repeat("e", 32)} {
		s.get(path).refuses(http.StatusNotFound, "404 Not found", "")
	}
}

func TestProfilesComeAndGo(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	s.ApplyText(`sources: [{name: A, schemas: [{name: account, identityAttribute: id, attributes: [{name: id}]}]},
  {name: B, schemas: [{name: account, identityAttribute: id, attributes: [{name: id}]}]}]`)
	profile := func(name, source string) string {
		return fmt.Sprintf(`{"name": %q, "authoritativeSource": {"type": "SOURCE", "name": %q}}`, name, source)
	}
	first := s.post("/v3/identity-profiles", profile("First", "A")).demandObject(http.StatusCreated)
	second := s.post("/v3/identity-profiles", profile("Second", "B")).demandObject(http.StatusCreated)
	if second["priority"].(float64) <= first["priority"].(float64) {
		t.Errorf("the priorities are %v and %v", first["priority"], second["priority"])
	}
	s.wrong("POST", "/v3/identity-profiles", profile("FIRST", "A"), "400.1 Bad request content", "has the name")
	s.wrong("POST", "/v3/identity-profiles", profile("Third", "A"), "400.1 Bad request content", "authoritative source")
	s.wrong("POST", "/v3/identity-profiles", profile("Third", "C"), illegal, "C")
	s.wrong("POST", "/v3/identity-profiles", `{"name": "Third"}`, missing, "authoritativeSource: it is missing")
	var exported []json.RawMessage
	s.get("/v3/identity-profiles/export?filters="+url.QueryEscape(`name eq "first"`)).demand(http.StatusOK, &exported)
	if len(exported) != 1 {
		t.Fatalf("exported are %s", exported)
	}
	ids := `["` + first["id"].(string) + `", "` + second["id"].(string) + `"]`
	s.do(request{method: "POST", path: "/v3/identity-profiles/bulk-delete", body: `["` + first["id"].(string) +
		`", "` + strings.Repeat("e", 32) + `"]`}).refuses(http.StatusBadRequest, "400.1.404 Referenced object not found", "")
	task := s.post("/v3/identity-profiles/bulk-delete", ids).demandObject(http.StatusAccepted)
	if task["completionStatus"] != "Success" {
		t.Errorf("the task is %v", task)
	}
	s.get("/v2025/task-status/" + task["id"].(string)).demandObject(http.StatusOK)
	if left := s.list("/v3/identity-profiles"); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
	text, _ := json.Marshal(exported)
	result := s.post("/v3/identity-profiles/import", string(text)).demandObject(http.StatusOK)
	if imported := result["importedObjects"].([]any); len(imported) != 1 || len(result["errors"].([]any)) > 0 {
		t.Errorf("the import gave %v", result)
	}
	if got := s.list("/v3/identity-profiles"); len(got) != 1 || got[0]["id"] != first["id"] {
		t.Errorf("there are %v", got)
	}
	result = s.post("/v3/identity-profiles/import", `[{"version": 1, "self": {"type": "IDENTITY_PROFILE", "name": "X"},
		"object": {"name": "X", "authoritativeSource": {"type": "SOURCE", "name": "Nowhere"}}}]`).demandObject(http.StatusOK)
	if len(result["errors"].([]any)) != 1 || len(result["importedObjects"].([]any)) != 0 {
		t.Errorf("the import gave %v", result)
	}
	deleted := s.send("DELETE", "/beta/identity-profiles/"+first["id"].(string), "").demandObject(http.StatusAccepted)
	if deleted["completionStatus"] != "Success" {
		t.Errorf("deleted was %v", deleted)
	}
}

// Of patches at once none is lost.
func TestPatchesAtOnce(t *testing.T) {
	t.Parallel()
	s := company(t)
	at := "/v2025/identity-profiles/" + employees(t, s.list("/v3/identity-profiles"))
	before := len(s.get(at).demandObject(http.StatusOK)["identityAttributeConfig"].(object)["attributeTransforms"].([]any))
	var group sync.WaitGroup
	const patches = 6
	for i := range patches {
		group.Go(func() {
			s.patch(at, fmt.Sprintf(`[{"op": "add", "path": "/identityAttributeConfig/attributeTransforms/-", "value":
				{"identityAttributeName": "extra%d", "transformDefinition": {"type": "static", "attributes":
				{"value": "x"}}}}]`, i))
		})
	}
	group.Wait()
	one := s.get(at).demandObject(http.StatusOK)
	if got := len(one["identityAttributeConfig"].(object)["attributeTransforms"].([]any)); got != before+patches {
		t.Errorf("there are %d mappings, want %d", got, before+patches)
	}
}

func TestIdentityPreview(t *testing.T) {
	t.Parallel()
	s := company(t)
	preview := func(body string) map[string][2]string {
		t.Helper()
		var got struct {
			Identity          struct{ ID, Name string }
			PreviewAttributes []struct{ Name, Value, PreviousValue string }
		}
		s.post("/v2024/identity-profiles/identity-preview", body).demand(http.StatusOK, &got)
		if got.Identity.ID != s.ID("bob") || got.Identity.Name != "Bob Twain" {
			t.Errorf("it is about %+v", got.Identity)
		}
		values := map[string][2]string{}
		for _, a := range got.PreviewAttributes {
			values[a.Name] = [2]string{a.PreviousValue, a.Value}
		}
		return values
	}
	now := preview(`{"identityId": "` + s.ID("bob") + `"}`)
	if got := now["department"]; got != [2]string{"Sales", "Sales"} || len(now) < 5 {
		t.Errorf("as it is: %v", now)
	}
	then := preview(`{"identityId": "` + s.ID("bob") + `", "identityAttributeConfig": {"enabled": true,
		"attributeTransforms": [{"identityAttributeName": "department", "transformDefinition":
		{"type": "upper", "attributes": {"input": {"type": "accountAttribute", "attributes":
		{"sourceName": "HR", "attributeName": "dept"}}}}}]}}`)
	if len(then) != 1 || then["department"] != [2]string{"Sales", "SALES"} {
		t.Errorf("with another mapping: %v", then)
	}
	if got := s.Identity("bob").Attributes.Get("department").Text(); got != "Sales" {
		t.Errorf("the department became %q", got)
	}
	s.do(request{method: "POST", path: "/beta/identity-profiles/identity-preview", body: `{"identityId": "x"}`}).
		refuses(http.StatusBadRequest, "400.1.404 Referenced object not found", "")
	s.wrong("POST", "/beta/identity-profiles/identity-preview", `{"identityId": "`+s.ID("bob")+`",
		"identityAttributeConfig": {"attributeTransforms": [{"identityAttributeName": "x", "transformDefinition":
		{"type": "nothing"}}]}}`, illegal, "nothing")
}

func TestLifecycleStates(t *testing.T) {
	t.Parallel()
	s := company(t)
	profile := "/v2025/identity-profiles/" + employees(t, s.list("/v3/identity-profiles"))
	at := profile + "/lifecycle-states"
	before := s.list(at)
	directory := ""
	sources, err := s.ConfigurationObjects(t.Context(), "SOURCE")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		if source.Name == "Directory" {
			directory = source.ID
		}
	}
	made := s.post(at, `{"name": "On sabbatical", "technicalName": "sabbatical", "priority": 5, "accountActions":
		[{"action": "DISABLE", "sourceIds": ["`+directory+`"]}]}`).demandObject(http.StatusCreated)
	if made["enabled"] != false || made["technicalName"] != "sabbatical" || made["identityCount"] != 0.0 {
		t.Errorf("created was %v", made)
	}
	one := at + "/" + made["id"].(string)
	patched := s.patch(one, `[{"op": "replace", "path": "/enabled", "value": true},
		{"op": "add", "path": "/accountActions/-", "value": {"action": "ENABLE", "allSources": true, "excludeSourceIds": ["`+directory+`"]}}]`).
		demandObject(http.StatusOK)
	if actions := patched["accountActions"].([]any); patched["enabled"] != true || len(actions) != 2 ||
		actions[0].(object)["sourceIds"].([]any)[0] != directory {
		t.Errorf("patched is %v", patched)
	}
	s.wrongPatch(one, `[{"op": "replace", "path": "/name", "value": "Away"}]`, illegal, "/name: this cannot be changed")
	s.wrongPatch(one, `[{"op": "replace", "path": "/technicalName", "value": "x"}]`, illegal, "/technicalName")
	s.wrongPatch(one, `[{"op": "replace", "path": "/accountActions", "value": [{"action": "DISABLE",
		"allSources": true, "sourceIds": ["`+directory+`"]}]}]`, illegal, "allSources")
	s.wrong("POST", at, `{"name": "X", "technicalName": "sabbatical"}`, "400.1 Bad request content", "has the name")
	s.wrong("POST", at, `{"name": "X"}`, missing, "technicalName: it is missing")
	if list := s.list(at + "?sorters=priority&count=true"); len(list) != len(before)+1 || list[0]["id"] != made["id"] {
		t.Errorf("by priority: %v", list)
	}
	s.do(request{method: "GET", path: at + "?filters=" + url.QueryEscape(`name eq "active"`), faulty: true}).
		refuses(http.StatusBadRequest, illegal, "filters")
	other := strings.Repeat("e", 32)
	for _, path := range []string{"/v3/identity-profiles/" + other + "/lifecycle-states",
		"/v3/identity-profiles/" + other + "/lifecycle-states/" + made["id"].(string), at + "/sabbatical"} {
		s.get(path).refuses(http.StatusNotFound, "404 Not found", "")
	}
	gone := s.send("DELETE", one, "").demandObject(http.StatusAccepted)
	if gone["type"] != "LIFECYCLE_STATE" || gone["id"] != made["id"] || gone["name"] != "On sabbatical" {
		t.Errorf("deleted was %v", gone)
	}
	s.get(one).refuses(http.StatusNotFound, "404 Not found", "")
}

func TestIdentityAttributes(t *testing.T) {
	t.Parallel()
	s := company(t)
	const at = "/v2025/identity-attributes"
	names := func(query string) string {
		t.Helper()
		all := ""
		for _, a := range s.list(at + query) {
			all += a["name"].(string) + " "
		}
		return all
	}
	if got := names(""); !strings.Contains(got, "email ") || strings.Contains(got, "cloudStatus") ||
		strings.Contains(got, "nextProcessing") {
		t.Errorf("listed are %s", got)
	}
	if got := names("?includeSystem=true&includeSilent=True&count=true"); !strings.Contains(got, "cloudStatus") ||
		!strings.Contains(got, "nextProcessing") {
		t.Errorf("listed are %s", got)
	}
	made := s.post(at, `{"name": "badge", "displayName": "Badge", "searchable": true}`).demandObject(http.StatusCreated)
	if made["searchable"] != true || made["standard"] != false || made["type"] != "string" {
		t.Errorf("created was %v", made)
	}
	if got := names("?searchableOnly=true"); !strings.Contains(got, "badge ") || strings.Contains(got, "phone") {
		t.Errorf("searchable are %s", got)
	}
	s.wrong("POST", at, `{"name": "Badge"}`, "400.1 Bad request content", "")
	s.wrong("POST", at, `{"name": "email"}`, "400.1 Bad request content", "")
	s.wrong("POST", at, `{"name": "x", "searchable": true, "multi": true}`, illegal, "searchable")
	changed := s.send("PUT", at+"/badge", `{"name": "badge", "displayName": "Badge number", "searchable": false,
		"standard": false, "system": false, "sources": []}`).demandObject(http.StatusOK)
	if changed["displayName"] != "Badge number" || changed["searchable"] != false {
		t.Errorf("changed is %v", changed)
	}
	s.wrong("PUT", at+"/badge", `{"name": "badges"}`, illegal, "name: this cannot be changed")
	s.wrong("PUT", at+"/email", `{"name": "email"}`, illegal, "")
	s.do(request{method: "PUT", path: at + "/Badge", body: `{"name": "Badge"}`}).refuses(404, "404 Not found", "")
	if email := s.get(at + "/email").demandObject(http.StatusOK); email["standard"] != true ||
		len(email["sources"].([]any)) != 1 {
		t.Errorf("email is %v", email)
	}
	s.do(request{method: "DELETE", path: at + "/email"}).refuses(http.StatusBadRequest, illegal, "")
	s.do(request{method: "DELETE", path: at + "/nothing"}).refuses(http.StatusNotFound, "404 Not found", "")
	s.post(at, `{"name": "desk"}`).demandObject(http.StatusCreated)
	profile := "/v2025/identity-profiles/" + employees(t, s.list("/v3/identity-profiles"))
	s.patch(profile, `[{"op": "add", "path": "/identityAttributeConfig/attributeTransforms/-", "value":
		{"identityAttributeName": "desk", "transformDefinition": {"type": "static", "attributes": {"value": "1"}}}}]`).
		demandObject(http.StatusOK)
	s.do(request{method: "DELETE", path: at + "/bulk-delete", body: `{"ids": ["badge", "desk"]}`}).
		refuses(http.StatusBadRequest, "400.2.1.0 Object in use by another", "desk")
	s.get(at + "/badge").demandObject(http.StatusOK)
	s.send("DELETE", at+"/bulk-delete", `{"ids": ["badge"]}`).demand(http.StatusNoContent, nil)
	s.get(at+"/badge").refuses(http.StatusNotFound, "404 Not found", "")
}

// neighbourFilters returns the documented filters and sorters of a collection: the parameter, the text and the class.
func neighbourFilters(t *testing.T, collection string) [][3]string {
	t.Helper()
	folder := os.Getenv("MUSTER_CONTRACT_DIR")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "contract")
	}
	text, err := os.ReadFile(filepath.Join(folder, "neighbour-filters.tsv"))
	if err != nil {
		t.Skip("the API's documents are not at hand: ", err)
	}
	var list [][3]string
	for line := range strings.Lines(string(text)) {
		if part := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); part[0] == collection {
			list = append(list, [3]string{part[1], part[2], part[3]})
		}
	}
	if len(list) == 0 {
		t.Fatalf("there are no filters of %s", collection)
	}
	return list
}

// The documented filters and sorters are taken, and those that are not published are refused.
func TestDocumentedFilters(t *testing.T) {
	t.Parallel()
	s := company(t)
	profile := employees(t, s.list("/v3/identity-profiles"))
	for collection, path := range map[string]string{
		"identity-profiles": "/v2025/identity-profiles", "transforms": "/v2025/transforms",
		"lifecycle-states":  "/v2025/identity-profiles/" + profile + "/lifecycle-states",
		"public-identities": "/v2025/public-identities",
	} {
		for _, f := range neighbourFilters(t, collection) {
			got := s.do(request{method: "GET", path: path + "?" + f[0] + "=" + url.QueryEscape(f[1]),
				faulty: true})
			if want := map[string]int{"VALID": 200, "LENIENT": 200, "INVALID": 400}[f[2]]; got.StatusCode != want {
				t.Errorf("%s %s=%s: %d, want %d: %s", collection, f[0], f[1], got.StatusCode, want, got.body)
			}
		}
	}
}
