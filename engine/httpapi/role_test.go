package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
)

// entitlementID returns the ID of an entitlement by its value.
func (s *server) entitlementID(value string) string {
	s.t.Helper()
	page, err := s.ListEntitlements(s.t.Context(), engine.EntitlementParams{PageParams: engine.PageParams{
		Filters: `value eq "` + value + `"`}})
	if err != nil || len(page.Items) != 1 {
		s.t.Fatal(page, err)
	}
	return page.Items[0].ID
}

func TestRoles(t *testing.T) {
	t.Parallel()
	s := company(t)
	ann, bob, sales := s.ID("ann"), s.ID("bob"), s.entitlementID("sales")
	owner := fmt.Sprintf(`{"type": "IDENTITY", "id": %q, "name": "x"}`, ann)
	made := s.post("/v2025/roles", fmt.Sprintf(`{"name": "Sellers", "owner": %s, "enabled": true, "requestable": true,
		"entitlements": [{"type": "ENTITLEMENT", "id": %q}], "segments": ["%032d"], "membership": {"type": "STANDARD", "criteria": {"operation": "EQUALS",
		"key": {"type": "IDENTITY", "property": "attribute.department"}, "stringValue": "Sales"}}}`, owner, sales, 1)).
		demandObject(http.StatusCreated)
	id := made["id"].(string)
	at := "/v2025/roles/" + id
	criteria := made["membership"].(object)["criteria"].(object)
	if _, has := criteria["children"]; !has || criteria["stringValue"] != "Sales" || made["owner"].(object)["name"] != "Ann Boss" ||
		made["entitlements"].([]any)[0].(object)["name"] != "sales" || made["dimensional"] != false {
		t.Errorf("created was %v", made)
	}
	s.Process()
	var members []object
	for text, want := range map[string]int{"": 2, `name sw Bob`: 1, `name co "dot"`: 1, `id eq "` + bob + `"`: 1, `email sw "nobody"`: 0,
		`aliasName eq "DEE"`: 1} {
		r := s.get(at+"/assigned-identities"+query("filters", text, "count", "true", "sorters", "aliasName,-name")).
			demand(http.StatusOK, &members)
		if len(members) != want || r.Header.Get("X-Total-Count") != fmt.Sprint(want) {
			t.Errorf("%s: got %v", text, members)
		}
	}
	s.get(at+"/assigned-identities?sorters=name").demand(http.StatusOK, &members)
	if members[0]["id"] != bob || members[0]["roleAssignmentSource"] != "ROLE_MEMBERSHIP" || members[0]["email"] != "bob@example.com" {
		t.Errorf("the members are %v", members)
	}
	s.do(request{method: "GET", path: at + "/assigned-identities" + query("filters", `email co "x"`), faulty: true}).
		refuses(http.StatusBadRequest, illegal, "email")
	for _, patch := range []string{
		`[{"op": "replace", "path": "/owner/id", "value": "` + bob + `"}, {"op": "add", "path": "/segments/-", "value": "x"}]`,
		`[{"op": "replace", "path": "/membership", "value": {"type": "STANDARD", "criteria": {"operation": "OR", "children": [
			{"operation": "EQUALS", "key": {"type": "IDENTITY", "property": "attribute.department"}, "stringValue": "Sales"}]}}}]`,
		`[{"op": "add", "path": "/membership/criteria/children/-", "value": {"operation": "EQUALS",
			"key": {"type": "IDENTITY", "property": "attribute.department"}, "stringValue": "Legal"}}]`,
	} {
		made = s.send("PATCH", at, patch).demandObject(http.StatusOK)
	}
	if made["owner"].(object)["name"] != "Bob Twain" || len(made["segments"].([]any)) != 2 ||
		len(made["membership"].(object)["criteria"].(object)["children"].([]any)) != 2 {
		t.Errorf("patched is %v", made)
	}
	s.Process()
	s.get(at+"/assigned-identities").demand(http.StatusOK, &members)
	if len(members) != 3 {
		t.Errorf("the members are %v", members)
	}
	s.wrong("PATCH", at, `[{"op": "replace", "path": "/id", "value": "x"}]`, illegal, "/id")
	s.wrong("PATCH", at, `[{"op": "replace", "path": "/dimensional", "value": true}]`, illegal, "/dimensional")
	s.wrong("PATCH", at, `[{"op": "replace", "path": "/segments", "value": [5]}]`, illegal, "segments[0]: a number is given where a text is expected")
	s.wrong("PATCH", at, `[{"op": "replace", "path": "/requestable", "value": []}]`, illegal, "requestable: a list is given where true or false is expected")
	s.wrong("POST", "/v3/roles", `{"name": "Sellers", "owner": `+owner+`}`, "400.1 Bad request content", "has the name")
	s.wrong("POST", "/v3/roles", `{"name": "Other", "id": "x", "owner": `+owner+`}`, illegal, "id")
	s.wrong("POST", "/v3/roles", `{"name": "`+strings.Repeat("x", 129)+`", "owner": `+owner+`}`, illegal, "name")
	s.wrong("POST", "/v3/roles", `{"name": "Other"}`, missing, "owner")
	s.wrong("POST", "/v3/roles", `{"name": "Other", "owner": `+owner+`, "accessModelMetadata": {"attributes": [{"key": "a"}]}}`, illegal, "accessModelMetadata")
	many := strings.Repeat(`{"type": "IDENTITY", "id": "`+bob+`"},`, 501)
	s.wrong("PATCH", at, `[{"op": "replace", "path": "/membership", "value": {"type": "IDENTITY_LIST", "identities": [`+strings.TrimSuffix(many, ",")+`]}}]`,
		"400.1.4 Limit violation", "500")
}

func TestRoleLists(t *testing.T) {
	t.Parallel()
	s := company(t)
	ann, bob := s.ID("ann"), s.ID("bob")
	var roles strings.Builder
	for i := range 60 {
		fmt.Fprintf(&roles, "- {name: Role %02d, owner: {id: %q}, requestable: %t, segments: [%q]}\n", i, []string{ann, bob}[i%2], i%3 == 0,
			[]string{"s1", ""}[i%2])
	}
	s.ApplyText("roles:\n" + strings.ReplaceAll(roles.String(), `segments: [""]`, "segments: []"))
	for _, test := range []struct {
		query string
		want  int
		total string
	}{
		{"", 50, ""}, {"?limit=250", 62, ""}, {query("limit", "1", "count", "true", "filters", `owner.id eq "`+bob+`"`), 1, "30"},
		{query("filters", `requestable eq true and name sw "role 0"`), 4, ""}, {query("limit", "250", "filters", `dimensional eq false`), 62, ""},
		{query("limit", "250", "for-segment-ids", "s1", "include-unsegmented", "false"), 30, ""},
		{query("limit", "250", "for-segment-ids", "S1"), 62, ""},
		{query("filters", `name sw "role" and created ge 2020-01-01T00:00:00Z`, "sorters", "name,-modified", "offset", "55"), 5, ""},
	} {
		var list []object
		r := s.get("/v3/roles"+test.query).demand(http.StatusOK, &list)
		if len(list) != test.want || r.Header.Get("X-Total-Count") != test.total {
			t.Errorf("%s: %d roles (%s), want %d (%s)", test.query, len(list), r.Header.Get("X-Total-Count"), test.want, test.total)
		}
	}
	for query, code := range map[string]string{query("filters", `enabled eq true`): illegal, query("sorters", "owner.name"): illegal,
		query("filters", `name co "x"`): illegal, "?limit=251": illegal, "?include-unsegmented=false": illegal, "?for-subadmin=me": illegal} {
		s.do(request{method: "GET", path: "/beta/roles" + query, faulty: true}).refuses(http.StatusBadRequest, code, "")
	}
	if err := s.SetUserLevels(t.Context(), bob, []string{"ROLE_SUBADMIN"}); err != nil {
		t.Fatal(err)
	}
	if names, total := s.namesOf("/v3/roles?limit=1&count=true&for-subadmin=" + bob); total != "30" || names != "Role 01 " {
		t.Errorf("got %q, %s", names, total)
	}
	// Many go by a task.
	var list []struct{ ID string }
	s.get("/v3/roles"+query("filters", `name sw "role"`, "limit", "60")).demand(http.StatusOK, &list)
	var ids []string
	for _, role := range list {
		ids = append(ids, `"`+role.ID+`"`)
	}
	bulk := func(ids []string) string { return `{"roleIds": [` + strings.Join(ids, ",") + `]}` }
	s.wrong("POST", "/v2025/roles/bulk-delete", bulk(ids[:51]), illegal, "roleIds count exceeded max limit of 50 for bulk-delete.")
	s.wrong("POST", "/v2025/roles/bulk-delete", bulk(append([]string{`"` + strings.Repeat("e", 32) + `"`}, ids[:2]...)),
		"400.1.404 Referenced object not found", "roleIds")
	s.wrong("POST", "/v2025/roles/bulk-delete", `{"roleIds": []}`, missing, "roleIds")
	var task struct {
		Type, ID string
		Name     *string
	}
	s.post("/v2025/roles/bulk-delete", bulk(ids[:50])).demand(http.StatusAccepted, &task)
	s.Process()
	if got, err := s.Task(t.Context(), task.ID); err != nil || task.Type != "TASK_RESULT" || *got.CompletionStatus != "SUCCESS" ||
		s.CountRows("muster.roles WHERE name LIKE 'Role %'") != 10 {
		t.Errorf("got %+v, %v", got, err)
	}
	one := "/v2026/roles/" + strings.Trim(ids[59], `"`)
	s.send("DELETE", one, "").demand(http.StatusNoContent, nil)
	s.do(request{method: "DELETE", path: one}).refuses(http.StatusNotFound, "404 Not found", "")
}

func TestAccessProfiles(t *testing.T) {
	t.Parallel()
	s := company(t)
	ann, sales, directory := s.ID("ann"), s.entitlementID("sales"), s.sourceID("Directory")
	owner := fmt.Sprintf(`"owner": {"type": "IDENTITY", "id": %q}, "source": {"type": "SOURCE", "id": %q}`, ann, directory)
	plain := s.post("/v3/access-profiles", `{"name": "Plain", `+owner+`}`).demandObject(http.StatusCreated)
	if plain["enabled"] != false || plain["requestable"] != true || plain["source"].(object)["name"] != "Directory" {
		t.Errorf("created was %v", plain)
	}
	made := s.post("/v3/access-profiles", fmt.Sprintf(`{"name": "Selling", "enabled": true, %s, "entitlements": [{"type": "ENTITLEMENT", "id": %q}],
		"provisioningCriteria": {"operation": "OR", "children": [{"operation": "HAS", "attribute": "groups"},
		{"operation": "EQUALS", "attribute": "sam", "value": "x"}]}}`, owner, sales)).demandObject(http.StatusCreated)
	id := made["id"].(string)
	at := "/v2025/access-profiles/" + id
	s.wrong("POST", "/v3/access-profiles", `{"name": "Empty", "enabled": true, `+owner+`}`, illegal, "entitlements")
	s.wrong("PATCH", at, `[{"op": "replace", "path": "/entitlements", "value": []}]`, illegal, "entitlements")
	s.wrong("PATCH", at, `[{"op": "replace", "path": "/source", "value": {"id": "`+s.sourceID("HR")+`"}}]`, illegal, "source")
	s.wrong("PATCH", "/v2025/access-profiles/"+plain["id"].(string), `[{"op": "replace", "path": "/enabled", "value": true}]`, illegal, "entitlements")
	s.send("PATCH", at, `[{"op": "replace", "path": "/owner/id", "value": "`+s.ID("bob")+`"}]`).demandObject(http.StatusOK)
	for text, want := range map[string]string{`source.id eq "` + directory + `" or owner.id eq "` + ann + `"`: "Plain Sales files Selling ",
		`owner.id eq "` + ann + `"`: "Plain ", `name co "LAI"`: "Plain ", `requestable eq true and name sw "sell"`: "Selling "} {
		if got, _ := s.namesOf("/v3/access-profiles" + query("filters", text)); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	s.do(request{method: "GET", path: "/v3/access-profiles" + query("filters", `created lt 2025-01-01T00:00:00Z`), faulty: true}).
		refuses(http.StatusBadRequest, illegal, "created")
	for text, want := range map[string]string{"": "sales ", `attribute eq "groups" and name sw "SA"`: "sales ", `owner.id eq "` + ann + `"`: "",
		`source.id eq "` + directory + `" and created ge 2020-01-01T00:00:00Z`: "sales "} {
		if got, total := s.namesOf(at + "/entitlements" + query("filters", text, "count", "true", "sorters", "-name")); got != want ||
			total != fmt.Sprint(strings.Count(want, " ")) {
			t.Errorf("%s: got %q (%s), want %q", text, got, total, want)
		}
	}
	// An object without an owner gets one by its ID alone.
	var ownerless []object
	s.get("/v3/access-profiles"+query("filters", `name eq "Sales files"`)).demand(http.StatusOK, &ownerless)
	if len(ownerless) != 1 || ownerless[0]["owner"] != nil {
		t.Fatalf("the access profile without an owner is %v", ownerless)
	}
	to := "/v3/access-profiles/" + ownerless[0]["id"].(string)
	owned := s.send("PATCH", to, `[{"op": "replace", "path": "/owner/id", "value": "`+ann+`"}]`).demandObject(http.StatusOK)
	if owner, _ := owned["owner"].(object); owner["id"] != ann || owner["name"] != "Ann Boss" {
		t.Errorf("the owner is %v", owned["owner"])
	}
	// What is in use stays.
	s.ApplyText(`roles: [{name: Seller, accessProfiles: [{name: Selling}]}]`)
	s.do(request{method: "DELETE", path: at}).refuses(http.StatusBadRequest, "400.2.1.0 Object in use by another", "Seller")
	both := fmt.Sprintf(`"accessProfileIds": [%q, %q]`, id, plain["id"])
	type result struct {
		TaskID  string
		Pending []string
		InUse   []struct {
			AccessProfileID string
			UsedBy, Usages  []engine.Reference
		}
	}
	var got result
	s.post("/v2025/access-profiles/bulk-delete", `{`+both+`}`).demand(http.StatusOK, &got)
	if got.TaskID != "" || len(got.Pending) != 0 || len(got.InUse) != 1 || got.InUse[0].AccessProfileID != id ||
		len(got.InUse[0].UsedBy) != 1 || got.InUse[0].UsedBy[0].Name != "Seller" || len(got.InUse[0].Usages) != 1 {
		t.Errorf("got %+v", got)
	}
	s.post("/v2025/access-profiles/bulk-delete", `{`+both+`, "bestEffortOnly": true}`).demand(http.StatusAccepted, &got)
	if got.TaskID == "" || len(got.Pending) != 1 || got.Pending[0] != plain["id"] || len(got.InUse) != 1 {
		t.Errorf("got %+v", got)
	}
	s.Process()
	if got, _ := s.namesOf("/v3/access-profiles"); got != "Sales files Selling " {
		t.Errorf("left are %q", got)
	}
	s.wrong("POST", "/v2025/access-profiles/bulk-delete", `{"accessProfileIds": ["`+strings.Repeat("e", 32)+`"]}`,
		"400.1.404 Referenced object not found", "accessProfileIds[0]")
	for scopes, want := range map[string]int{"idn:access-profile:manage": 403,
		"idn:access-profile:manage idn:entitlement:read idn:identity:read idn:sources:read": 400, all: 400} {
		r := s.do(request{method: "POST", path: "/v3/access-profiles", body: `{"name": "x"}`, faulty: true,
			token: s.token("SOURCE_ADMIN", strings.Fields(scopes)...)})
		if r.StatusCode != want {
			t.Errorf("with %s: %d, want %d", scopes, r.StatusCode, want)
		}
	}
}
