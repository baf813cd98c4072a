package httpapi_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/httpapi"
)

// bases are the paths under which identities are served, and tasks.
var bases = []struct{ identities, tasks string }{
	{"/beta/identities", "/beta/task-status"},
	{"/v2024/identities", "/v2024/task-status"},
	{"/v2025/identities", "/v2025/task-status"},
	{"/v2026/identities", "/v2026/task-status"},
	{"/identities/v1", "/task-status/v1"},
}

func names(list []engine.Identity) string {
	var names []string
	for i := range list {
		names = append(names, list[i].Name)
	}
	return strings.Join(names, "|")
}

func TestListIdentities(t *testing.T) {
	t.Parallel()
	s := company(t)
	if err := s.DeleteIdentity(t.Context(), s.ID("cy")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ query, want, total string }{
		{"sorters=name", `Ann Boss|Bob Twain|Dee "Dot" <&>`, ""},
		{"sorters=-name&limit=2&count=true", `Dee "Dot" <&>|Bob Twain`, "3"},
		{"sorters=name&limit=2&offset=2", `Dee "Dot" <&>`, ""},
		{"offset=3&count=true", "", "3"},
		{"offset=2147483647", "", ""},
		{"limit=0&count=true", "", "3"},
		{"count=false&filters=" + url.QueryEscape(`name sw "Bo" or email eq "ANN@example.com"`) + "&sorters=name",
			"Ann Boss|Bob Twain", ""},
		{"filters=" + url.QueryEscape(`name eq "Dee \"Dot\" <&>"`), `Dee "Dot" <&>`, ""},
		{"filters=" + url.QueryEscape("correlated eq false"), "", ""},
		{"filters=" + url.QueryEscape("correlated eq true") + "&defaultFilter=NONE&sorters=alias",
			`Ann Boss|Bob Twain|Dee "Dot" <&>`, ""},
	} {
		var list []engine.Identity
		response := s.get("/beta/identities?"+test.query).demand(http.StatusOK, &list)
		if list == nil || names(list) != test.want || response.Header.Get("X-Total-Count") != test.total {
			t.Errorf("%s: %s, %q in all; want %s, %q", test.query, names(list), response.Header.Get("X-Total-Count"),
				test.want, test.total)
		}
	}
}

// The cursor of a page leads to the one behind it, whatever is deleted in the meantime.
func TestListIdentitiesByCursor(t *testing.T) {
	t.Parallel()
	s := company(t)
	var got []string
	for query := "sorters=name&limit=1"; ; {
		var list []engine.Identity
		response := s.get("/beta/identities?"+query).demand(http.StatusOK, &list)
		if len(list) == 0 {
			break
		}
		got = append(got, list[0].Alias)
		if list[0].Alias == "bob" {
			if err := s.DeleteIdentity(t.Context(), s.ID("ann")); err != nil {
				t.Fatal(err)
			}
		}
		query = "sorters=name&limit=1&after=" + url.QueryEscape(response.Header.Get("X-Next-Cursor"))
	}
	if want := []string{"ann", "bob", "cy", "dee"}; !slices.Equal(got, want) {
		t.Errorf("the pages held %q, want %q", got, want)
	}
}

func TestListIdentitiesFaults(t *testing.T) {
	t.Parallel()
	s := company(t)
	const syntax, illegal, limit = "400.0 Bad request syntax", "400.1.3 Illegal value", "400.1.4 Limit violation"
	for _, test := range []struct{ query, code, text string }{
		{"filters=" + url.QueryEscape(`name rt "Test"`), syntax, "position 6"},
		{"filters=" + url.QueryEscape("id eq"), syntax, "position 6"},
		{"filters=" + url.QueryEscape("This is an incorrect string"), syntax, "position"},
		{`filters=name+eq+"#Employees"`, syntax, "closing quote"},
		{"filters=" + url.QueryEscape(`department eq "Sales"`), illegal, `unknown field "department"`},
		{"filters=" + url.QueryEscape(`name co "a"`), illegal, "co"},
		{"filters=" + url.QueryEscape(`correlated eq "perhaps"`), illegal, "perhaps"},
		{"filters=" + url.QueryEscape("id in ("+strings.Repeat(`"a",`, 1000)+`"a")`), limit, ""},
		{"sorters=email", illegal, "email"},
		{"sorters=name,,alias", syntax, "missing"},
		{"limit=251", illegal, "limit"},
		{"limit=-1", illegal, "limit"},
		{"limit=ten", illegal, "limit"},
		{"offset=-1", illegal, "offset"},
		{"count=yes", illegal, "count"},
		{"defaultFilter=ALL", illegal, "defaultFilter"},
		{"after=rubbish", illegal, "cursor"},
		{"after=rubbish&offset=1", illegal, "exclude each other"},
		{"limit=1&limit=2", illegal, "limit: it is given 2 times"},
		{"offset=9223372036854775808", illegal, "offset"},
		{"filters=%zz", syntax, "query"},
		{"filters=a;b", syntax, "query"},
	} {
		query, _, _ := strings.Cut(test.query, "#")
		response := s.do(request{method: http.MethodGet, path: "/beta/identities?" + query, faulty: true})
		response.refuses(http.StatusBadRequest, test.code, test.text)
	}
}

// Every operation does what it says under every version of the API.
func TestOperations(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for _, base := range bases {
		t.Run(strings.Trim(strings.ReplaceAll(base.identities, "/", " "), " "), func(t *testing.T) {
			t.Parallel()
			s := company(t)
			s.testIdentity(base.identities)
			s.testRoles(base.identities)
			s.testRegistration(base.identities, base.tasks)
			s.testProcessing(base.identities, base.tasks)
			s.testDeletion(base.identities)
		})
	}
}

func (s *server) testIdentity(base string) {
	t := s.t
	var raw map[string]any
	s.get(base+"/"+s.ID("dee")).demand(http.StatusOK, &raw)
	if raw["name"] != `Dee "Dot" <&>` || raw["alias"] != "dee" || raw["emailAddress"] != "dee@example.com" ||
		raw["processingState"] != nil || raw["identityStatus"] != "UNREGISTERED" || raw["isManager"] != false ||
		raw["attributes"].(map[string]any)["department"] != "Sales" ||
		raw["managerRef"].(map[string]any)["name"] != "Bob Twain" {
		t.Errorf("got %v, want raw[\"name\"] == `Dee \"Dot\" <&>` && raw[\"alias\"] == \"dee\" && raw[\"emailAddress\"] == \"dee@example.com\" && raw[\"processingState\"] == nil && raw[\"identityStatus\"] == \"UNREGISTERED\" && raw[\"isManager\"] == false && raw[\"attributes\"].(map[string]any)[\"department\"] == \"Sales\" && raw[\"managerRef\"].(map[string]any)[\"name\"] == \"Bob Twain\"", raw)
	}
	for _, member := range []string{"processingState", "lifecycleState", "lastRefresh", "created", "modified"} {
		if _, there := raw[member]; !there {
			t.Errorf("%s is missing", member)
		}
	}
	// Both spellings of an ID are the same identity; what is none is not found.
	id := s.ID("dee")
	dashed := fmt.Sprintf("%s-%s-%s-%s-%s", id[:8], id[8:12], id[12:16], id[16:20], id[20:])
	s.get(base+"/"+dashed).demand(http.StatusOK, &raw)
	for _, nobody := range []string{"nobody", strings.Repeat("f", 32), "%00", "a%2Fb"} {
		s.get(base+"/"+nobody).refuses(http.StatusNotFound, "404 Not found", "")
	}
	if head := s.do(request{method: http.MethodHead, path: base + "/" + id}); head.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %d", head.StatusCode)
	}
}

func (s *server) testRoles(base string) {
	t := s.t
	bob := base + "/" + s.ID("bob") + "/role-assignments"
	end := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)
	assigned, err := s.AssignRole(t.Context(), engine.AssignRoleParams{Identity: s.ID("bob"), Role: "Auditor",
		Assigner: s.ID("ann"), Comments: "for the audit", Source: "UI", RemoveDate: &end})
	if err != nil {
		t.Fatal(err)
	}
	s.Process()
	var refs []map[string]any
	s.get(bob).demand(http.StatusOK, &refs)
	if len(refs) != 2 || refs[0]["comments"] != nil || refs[1]["removeDate"] != end.Format("2006-01-02T15:04:05.000Z") ||
		refs[1]["startDate"] != nil || refs[1]["role"].(map[string]any)["name"] != "Auditor" {
		t.Errorf("got %v, want len(refs) == 2 && refs[0][\"comments\"] == nil && refs[1][\"removeDate\"] == end.Format(time.RFC3339) && refs[1][\"startDate\"] == nil && refs[1][\"role\"].(map[string]any)[\"name\"] == \"Auditor\"", refs)
	}
	var full []engine.RoleAssignment
	sales := refs[0]["role"].(map[string]any)["id"].(string)
	for query, want := range map[string]int{
		"?roleName=sales": 1, "?roleId=" + sales: 1, "?roleId=" + sales + "&roleName=Sales": 1,
		"?roleId=" + sales + "&roleName=Auditor": 0, "?roleName=Nothing": 0, "?roleId=rubbish": 0,
	} {
		s.get(bob+query).demand(http.StatusOK, &full)
		if full == nil || len(full) != want {
			t.Errorf("got %s: %v, want full != nil && len(full) == want", query, full)
		}
	}
	s.get(bob+"?roleName=Sales").demand(http.StatusOK, &full)
	if a := full[0]; a.AssignmentSource != "ROLE_MEMBERSHIP" || len(a.AccountTargets) != 1 ||
		a.AccountTargets[0].AccountInfo.NativeIdentity != "bobt" || a.AccountTargets[0].Role.Name != "Sales files" {
		t.Errorf("got %+v, want "+
			"AssignmentSource ROLE_MEMBERSHIP, 1 AccountTargets, AccountTargets[0].AccountInfo.NativeIdentity bobt and AccountTargets[0].Role.Name Sales files", a)
	}
	var one engine.RoleAssignment
	s.get(bob+"/"+assigned.ID).demand(http.StatusOK, &one)
	if one.ID != assigned.ID || *one.Comments != "for the audit" || one.AssignmentSource != "UI" ||
		one.Assigner.ID != s.ID("ann") || *one.Assigner.Name != "Ann Boss" || !one.RemoveDate.Equal(end) {
		t.Errorf("got %+v, want one.ID == assigned.ID && *one.Comments == \"for the audit\" && one.AssignmentSource == \"UI\" && one.Assigner.ID == s.ID(\"ann\") && *one.Assigner.Name == \"Ann Boss\" && one.RemoveDate.Equal(end)", one)
	}
	s.get(bob+"/nothing").refuses(http.StatusNotFound, "404 Not found", "no role assignment")
	s.get(base+"/"+s.ID("ann")+"/role-assignments/"+assigned.ID).refuses(http.StatusNotFound, "404 Not found", "")
	s.get(base+"/nobody/role-assignments").refuses(http.StatusNotFound, "404 Not found", "")
	s.get(base+"/nobody/role-assignments/"+assigned.ID).refuses(http.StatusNotFound, "404 Not found", "")
	s.get(base+"/"+s.ID("ann")+"/role-assignments").demand(http.StatusOK, &refs)
	if refs == nil || len(refs) != 0 {
		t.Errorf("got %v, want refs != nil && len(refs) == 0", refs)
	}
}

func (s *server) testRegistration(base, tasks string) {
	t := s.t
	ann, cy := s.ID("ann"), s.ID("cy")
	var task engine.TaskStatus
	s.post(base+"/invite", `{"ids": ["`+ann+`", "`+cy+`", "`+ann+`"], "unknown": {"a": 1}}`).
		demand(http.StatusAccepted, &task)
	var followed engine.TaskStatus
	s.get(tasks+"/"+task.ID).demand(http.StatusOK, &followed)
	if followed.ID != task.ID || task.Launcher != "test" || task.CompletionStatus != nil || followed.Type != "QUEUED_TASK" {
		t.Errorf("got %+v, want followed.ID == task.ID && task.Launcher == \"test\" && task.CompletionStatus == nil && followed.Type == \"QUEUED_TASK\"", followed)
	}
	s.post(base+"/invite", `{"uninvited": true, "ids": null}`).demand(http.StatusAccepted, &task)
	s.post(base+"/invite", `{}`).refuses(http.StatusBadRequest, "400.1.0 Required data missing or empty", "uninvited")
	s.post(base+"/invite", `{"ids": ["nobody", "`+ann+`"]}`).refuses(http.StatusNotFound, "404 Not found", "nobody")
	many := `{"ids": ["` + strings.Repeat(ann+`","`, 1000) + ann + `"]}`
	s.do(request{method: http.MethodPost, path: base + "/invite", body: many, faulty: true}).
		refuses(http.StatusBadRequest, "400.1.4 Limit violation", "1001")

	send := func(id, body string) *response {
		return s.do(request{method: http.MethodPost, path: base + "/" + id + "/verification/account/send", body: body,
			faulty: true})
	}
	send(ann, `{"sourceName": null, "via": "LINK_WORK"}`).demand(http.StatusOK, nil)
	send(s.ID("bob"), `{"sourceName": "Directory", "via": "EMAIL_WORK"}`).demand(http.StatusOK, nil)
	send(ann, `{"sourceName": "Directory", "via": "EMAIL_WORK"}`).refuses(http.StatusBadRequest,
		"400.1 Bad request content", "no account")
	send(cy, `{"via": "EMAIL_WORK"}`).refuses(http.StatusBadRequest, "400.1 Bad request content", "no address")
	send(ann, `{"sourceName": "Nowhere", "via": "EMAIL_WORK"}`).refuses(http.StatusBadRequest,
		"400.1.404 Referenced object not found", `"Nowhere"`)
	send(ann, `{"sourceName": "Directory"}`).refuses(http.StatusBadRequest, "400.1.0 Required data missing or empty",
		"via")
	send(ann, `{"via": "PIGEON"}`).refuses(http.StatusBadRequest, "400.1.3 Illegal value", "PIGEON")
	send("nobody", `{"via": "LINK_WORK"}`).refuses(http.StatusNotFound, "404 Not found", "")

	if err := s.SetUserLevels(t.Context(), ann, []string{"ORG_ADMIN"}); err != nil {
		t.Fatal(err)
	}
	s.post(base+"/"+ann+"/reset", "").demand(http.StatusAccepted, nil)
	if levels, err := s.UserLevels(t.Context(), ann); err != nil || len(levels) != 0 {
		t.Errorf("after the reset: %v, %v", levels, err)
	}
	s.post(base+"/nobody/reset", "").refuses(http.StatusNotFound, "404 Not found", "")
}

func (s *server) testProcessing(base, tasks string) {
	t := s.t
	ann, bob := s.ID("ann"), s.ID("bob")
	var result struct {
		Type, ID string
		Name     *string
	}
	s.post(base+"/process", `{"identityIds": ["`+ann+`", "`+bob+`", "`+ann+`"]}`).demand(http.StatusAccepted, &result)
	if result.Type != "TASK_RESULT" || result.Name != nil {
		t.Errorf("got %+v, want Type TASK_RESULT and no Name", result)
	}
	var pending []engine.TaskStatus
	response := s.get(tasks+"?count=true&filters=completionStatus+isnull").demand(http.StatusOK, &pending)
	if got := response.Header.Get("X-Total-Count"); got == "0" || got != fmt.Sprint(len(pending)) {
		t.Errorf("%s tasks wait, %d are listed", got, len(pending))
	}
	s.Process()
	var task engine.TaskStatus
	s.get(tasks+"/"+result.ID).demand(http.StatusOK, &task)
	if task.Attributes.IdentityCount != 2 || *task.CompletionStatus != "SUCCESS" || task.PercentComplete != 100 {
		t.Errorf("got %+v, want Attributes.IdentityCount 2, CompletionStatus SUCCESS and PercentComplete 100", task)
	}
	s.get(tasks+"?limit=1&offset=1").demand(http.StatusOK, &pending)
	if len(pending) != 1 {
		t.Errorf("%d tasks", len(pending))
	}
	s.get(tasks+"?limit=0").demand(http.StatusOK, &pending)
	if pending == nil || len(pending) != 0 {
		t.Errorf("got %v, want pending != nil && len(pending) == 0", pending)
	}
	s.get(tasks+"/nothing").refuses(http.StatusNotFound, "404 Not found", "no task")
	bad := func(body, code, text string) {
		t.Helper()
		s.do(request{method: http.MethodPost, path: base + "/process", body: body, faulty: true}).
			refuses(http.StatusBadRequest, code, text)
	}
	bad(`{"identityIds": []}`, "400.1.0 Required data missing or empty", "1 to 250")
	bad(`{}`, "400.1.0 Required data missing or empty", "1 to 250")
	bad(`{"identityIds": ["`+strings.Repeat(ann+`","`, 250)+ann+`"]}`, "400.1.4 Limit violation", "251")
	s.post(base+"/process", `{"identityIds": ["x", "y"]}`).refuses(http.StatusNotFound, "404 Not found", "x, y")

	var job engine.IdentitySyncJob
	s.post(base+"/"+bob+"/synchronize-attributes", "").demand(http.StatusAccepted, &job)
	if job.Status != "QUEUED" || job.Payload.Type != "SYNCHRONIZE_IDENTITY_ATTRIBUTES" ||
		job.Payload.DataJSON != `{"identityId":"`+bob+`"}` {
		t.Errorf("got %+v, want job.Status == \"QUEUED\" && job.Payload.Type == \"SYNCHRONIZE_IDENTITY_ATTRIBUTES\" && job.Payload.DataJSON == `{\"identityId\":\"` + bob + `\"}`", job)
	}
	again := s.post(base+"/"+bob+"/synchronize-attributes", "")
	var limited struct{ Message string }
	again.demand(http.StatusTooManyRequests, &limited)
	wait, err := time.ParseDuration(again.Header.Get("Retry-After") + "s")
	if err != nil || wait < time.Second || wait > 10*time.Second || limited.Message != " Rate Limit Exceeded " {
		t.Errorf("got %v %v, %s, want err == nil && wait >= time.Second && wait <= 10 * time.Second && limited.Message == \" Rate Limit Exceeded \"", again.Header, err, again.body)
	}
	s.post(base+"/nobody/synchronize-attributes", "").refuses(http.StatusNotFound, "404 Not found", "")
}

// associations is the published body of ownership and of a refused deletion.
type associations struct {
	Message            *string
	AssociationDetails []struct {
		AssociationType string
		Entities        []struct {
			IdentityEntity struct{ ID, Name, Type string }
		}
	}
}

func (s *server) testDeletion(base string) {
	t := s.t
	dee := s.ID("dee")
	path := base + "/" + dee
	remove := func() *response { return s.do(request{method: http.MethodDelete, path: path}) }
	if err := s.RegisterOwned(t.Context(), engine.OwnedObject{Kind: "CAMPAIGN", ID: "c-1", Name: "Audit",
		Owner: dee}); err != nil {
		t.Fatal(err)
	}
	var owned, refused associations
	s.get(path+"/ownership").demand(http.StatusOK, &owned)
	remove().demand(http.StatusBadRequest, &refused)
	for _, a := range []associations{owned, refused} {
		if len(a.AssociationDetails) != 1 || a.AssociationDetails[0].AssociationType != "CAMPAIGN_OWNER" ||
			a.AssociationDetails[0].Entities[0].IdentityEntity.Name != "Audit" {
			t.Errorf("got %+v, want "+
				"1 AssociationDetails, AssociationDetails[0].AssociationType CAMPAIGN_OWNER and AssociationDetails[0].Entities[0].IdentityEntity.Name Audit", a)
		}
	}
	if owned.Message != nil || *refused.Message != "Identity cannot be deleted as it is owner of following resources" {
		t.Errorf("got %v, %v, want owned.Message == nil && *refused.Message == \"Identity cannot be deleted as it is owner of following resources\"", owned.Message, refused.Message)
	}
	if err := s.ForgetOwned(t.Context(), "CAMPAIGN", "c-1"); err != nil {
		t.Fatal(err)
	}
	s.get(path+"/ownership").demand(http.StatusOK, &owned)
	if owned.AssociationDetails == nil || len(owned.AssociationDetails) != 0 {
		t.Errorf("got %+v, want AssociationDetails that are empty and not null", owned)
	}
	if err := s.ProtectIdentity(t.Context(), dee, true); err != nil {
		t.Fatal(err)
	}
	remove().demand(http.StatusBadRequest, &refused)
	if len(refused.AssociationDetails) != 0 || !strings.Contains(*refused.Message, "protected") {
		t.Errorf("got %+v, want len(refused.AssociationDetails) == 0 && strings.Contains(*refused.Message, \"protected\")", refused)
	}
	if err := s.ProtectIdentity(t.Context(), dee, false); err != nil {
		t.Fatal(err)
	}
	remove().demand(http.StatusNoContent, nil)
	remove().refuses(http.StatusNotFound, "404 Not found", "")
	s.get(path).refuses(http.StatusNotFound, "404 Not found", "")
	s.get(path+"/ownership").refuses(http.StatusNotFound, "404 Not found", "")
	if _, err := s.GetIdentity(t.Context(), dee); engine.KindOf(err) != engine.NotFound {
		t.Errorf("the identity is still there: %v", err)
	}
}

// A body is read as what it is, whatever the members of others say.
func TestBodies(t *testing.T) {
	t.Parallel()
	s := company(t)
	const syntax, illegal = "400.0 Bad request syntax", "400.1.3 Illegal value"
	for _, test := range []struct {
		path, body string
		status     int
		code, text string
	}{
		{"process", "", 400, syntax, "empty"},
		{"process", " \n", 400, syntax, "empty"},
		{"process", `{"identityIds": [`, 400, syntax, "could not be parsed"},
		{"process", `{"identityIds": []} {}`, 400, syntax, "could not be parsed"},
		{"process", `[]`, 400, illegal, "a list: a JSON object is expected"},
		{"process", `null`, 400, illegal, "null: a JSON object is expected"},
		{"process", `"text"`, 400, illegal, "a string: a JSON object is expected"},
		{"process", `{"identityIds": "a"}`, 400, illegal, "identityIds: a list of strings is expected, a string was found"},
		{"process", `{"identityIds": ["a", 3]}`, 400, illegal, "identityIds[1]: a string is expected, a number was found"},
		{"process", `{"identityIds": [null]}`, 400, illegal, "identityIds[0]: a string is expected, null was found"},
		{"process", `{"IDENTITYIDS": ["a"]}`, 400, "400.1.0 Required data missing or empty", "no identity is named"},
		{"process", `{"identityIds": ["\ud800"]}`, 400, syntax, `\ud800 is half of a surrogate pair`},
		{"process", "{\"identityIds\": [\"\xff\"]}", 400, syntax, "no UTF-8 text"},
		{"process", `{"identityIds": ["\ud83d\ude00\u0000"]}`, 404, "404 Not found", "no identity"},
		{"invite", `{"uninvited": "yes"}`, 400, illegal, "uninvited: true or false is expected, a string was found"},
		{"invite", `{"ids": {}}`, 400, illegal, "ids: a list of strings is expected, an object was found"},
		{s.ID("ann") + "/verification/account/send", `{"via": 1}`, 400, illegal, "via: a string is expected"},
		{s.ID("ann") + "/verification/account/send", `{"via": "LINK_WORK", "sourceName": []}`, 400, illegal, "sourceName"},
		{"process", `{"identityIds": ["` + strings.Repeat("a", httpapi.BodyMax) + `"]}`, 413, "413 Payload too large",
			"1048576"},
	} {
		s.do(request{method: http.MethodPost, path: "/beta/identities/" + test.path, body: test.body, faulty: true}).
			refuses(test.status, test.code, test.text)
	}
	if tasks, err := s.Tasks(t.Context(), engine.TaskQuery{Pending: true}); err != nil || len(tasks) != 0 {
		t.Errorf("%d tasks were launched, %v", len(tasks), err)
	}
}

func TestFiltersOfTasks(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	list := func(filter string) *response {
		return s.do(request{method: http.MethodGet, path: "/beta/task-status?filters=" + url.QueryEscape(filter),
			faulty: true})
	}
	list("").demand(http.StatusOK, &[]engine.TaskStatus{})
	list(" completionStatus  isnull ").demand(http.StatusOK, &[]engine.TaskStatus{})
	list("completionStatus isnull or").refuses(http.StatusBadRequest, "400.0 Bad request syntax", "position")
	list(`launcher eq "x"`).refuses(http.StatusBadRequest, "400.1.3 Illegal value", "completionStatus")
	list(`completionStatus eq "Success" and type in ("IDENTITY_REFRESH","QUEUED_TASK")`).demand(http.StatusOK, &[]engine.TaskStatus{})
	s.get("/v2026/task-status?filters="+url.QueryEscape(`launcher eq "sweep"`)).demand(http.StatusOK, &[]engine.TaskStatus{})
}

// What the API cannot find, or has no method for, is answered in its words too.
func TestNoSuchPathOrMethod(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	ask := func(method, path string) *response {
		return s.do(request{method: method, path: path, faulty: true, unpublished: strings.HasPrefix(path, "/task")})
	}
	for _, path := range []string{"/", "/beta", "/v3/identities", "/beta/identities/a/b", "/identities", "/identities/a", "/identities/v2"} {
		ask(http.MethodGet, path).refuses(http.StatusNotFound, "404 Not found", "did not find")
	}
	for path, allowed := range map[string]string{
		"/beta/identities": "GET, HEAD", "/v2026/identities/a": "DELETE, GET, HEAD", "/identities/v1/process": "POST",
		"/beta/identities/a/reset": "POST", "/healthz": "GET, HEAD", "/openapi.json": "GET, HEAD",
		"/task-status": "GET, HEAD", "/task-status/v1/a": "GET, HEAD, PATCH",
	} {
		response := ask(http.MethodPut, path)
		response.refuses(http.StatusMethodNotAllowed, "405 Method not allowed", "PUT")
		if got := response.Header.Get("Allow"); got != allowed {
			t.Errorf("%s allows %s, want %s", path, got, allowed)
		}
	}
}

// The DTOs that the engine has in Go hold nothing that the wire does not: each one decodes strictly.
func TestBodiesDecodeStrictly(t *testing.T) {
	t.Parallel()
	s := company(t)
	decoder := json.NewDecoder(strings.NewReader(string(s.get("/beta/identities").body)))
	decoder.DisallowUnknownFields()
	var list []engine.Identity
	if err := decoder.Decode(&list); err != nil || len(list) != 4 {
		t.Errorf("%d identities, %v", len(list), err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Error("something stands behind the list")
	}
}

// Texts travel unchanged: in filters, in other parameters and in bodies, and back in answers.
func TestStrangeTexts(t *testing.T) {
	t.Parallel()
	s := company(t)
	texts := []string{
		"\u200fabc\u202e", "e\u0301 \u212b", "👨\u200d👩 \U0010FFFD", "\ufeffa", "a\nb\rc\u2028d\u0085", "  blanks\t ", "\x01\x7f\ufffe\ufffd", `100%_\`,
		`x'; DROP TABLE x; --`, "$1 ? %s", `{"a": "\u0000"}`, `^(a+)+$`, "$name #set($x=1) {{.}}", `<script>&amp;"'` + "`", "a;b&c=d+e%20f#g", "null",
	}
	var rows strings.Builder
	w := csv.NewWriter(&rows)
	if err := w.Write([]string{"id", "name", "first", "mail", "dept"}); err != nil {
		t.Fatal(err)
	}
	documents := []engine.Document{}
	for i, text := range texts {
		id := "x" + strconv.Itoa(i)
		if err := w.Write([]string{id, text, text, id + "@example.com", text}); err != nil {
			t.Fatal(err)
		}
		role, err := json.Marshal(map[string]any{"name": text, "enabled": true})
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, engine.Document{Type: engine.TypeRole, Object: role})
	}
	w.Flush()
	if _, err := s.Apply(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Aggregate(t.Context(), "HR", strings.NewReader(rows.String()),
		engine.AggregateOptions{Delta: true, AcceptMissing: []string{"home", "last", "mgr"}}); err != nil {
		t.Fatal(err)
	}
	s.Process()
	for i, text := range texts {
		id := s.ID("x" + strconv.Itoa(i))
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
		for _, filter := range []string{"name eq " + quoted, "name sw " + quoted, "firstname eq " + quoted} {
			var list []engine.Identity
			s.get("/beta/identities?filters="+url.QueryEscape(filter)).demand(http.StatusOK, &list)
			if len(list) != 1 || list[0].ID != id || list[0].Name != text || list[0].Attributes.Get("department").Text() != text {
				t.Errorf("%q finds %d: %+v", filter, len(list), list)
			}
		}
		if _, err := s.AssignRole(t.Context(), engine.AssignRoleParams{Identity: id, Role: text, Comments: text}); err != nil {
			t.Fatal(err)
		}
		var assignments []engine.RoleAssignment
		s.get("/beta/identities/"+id+"/role-assignments?roleName="+url.QueryEscape(text)).demand(http.StatusOK, &assignments)
		if len(assignments) != 1 || assignments[0].Role.Name != text || *assignments[0].Comments != text {
			t.Errorf("got %q: %+v, want len(assignments) == 1 && assignments[0].Role.Name == text && *assignments[0].Comments == text", text, assignments)
		}
		body, err := json.Marshal(map[string]string{"via": "LINK_WORK", "sourceName": "no " + text})
		if err != nil {
			t.Fatal(err)
		}
		s.post("/beta/identities/"+id+"/verification/account/send", string(body)).
			refuses(http.StatusBadRequest, "400.1.404 Referenced object not found", text)
		s.do(request{method: http.MethodGet, path: "/beta/identities/" + url.PathEscape(text), faulty: true}).
			refuses(http.StatusNotFound, "404 Not found", "")
	}
}
