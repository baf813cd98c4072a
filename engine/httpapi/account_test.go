package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/httpapi"
)

// lockable is a source whose accounts can be enabled, disabled and unlocked by people.
const lockable = `
sources:
  - name: Desk
    connector: nobody's
    schemas:
      - name: account
        identityAttribute: login
        attributes: [{name: login}, {name: IIQDisabled, type: BOOLEAN}, {name: IIQLocked, type: BOOLEAN},
                     {name: groups, isMulti: true, isEntitlement: true}]
    accountCorrelationConfig: {attributeAssignments: [{property: uid, value: login}]}
`

// desk is a server with accounts on a source that people write to.
func desk(t *testing.T) (s *server, account string) {
	t.Helper()
	s = newServer(t, httpapi.Config{})
	s.ApplyText(enginetest.Documents)
	s.AggregateText("HR", people, engine.AggregateOptions{})
	s.Process()
	s.ApplyText(lockable)
	s.AggregateText("Desk", "login,IIQDisabled,IIQLocked,groups\nbob,false,false,staff\nstray,false,false,staff\n", engine.AggregateOptions{})
	s.Process()
	page, err := s.ListAccounts(t.Context(), engine.AccountParams{Source: "Desk", Identity: s.ID("bob")})
	if err != nil || len(page.Items) != 1 {
		t.Fatal(page, err)
	}
	return s, page.Items[0].ID
}

func filtered(path, filter string) string {
	return path + "?count=true&filters=" + url.QueryEscape(filter)
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	s, account := desk(t)
	var list []object
	r := s.get(filtered("/v2025/accounts", `nativeIdentity eq "bob" and uncorrelated eq false and hasEntitlements eq true`)).
		demand(http.StatusOK, &list)
	if len(list) != 1 || list[0]["id"] != account || list[0]["identityId"] != s.ID("bob") || r.Header.Get("X-Total-Count") != "1" {
		t.Errorf("got %v", list)
	}
	list = nil
	s.get(filtered("/accounts/v1", `nativeIdentity eq "stray"`)).demand(http.StatusOK, &list)
	if _, has := list[0]["identityId"]; has || list[0]["uncorrelated"] != true {
		t.Errorf("nobody's account is %v", list[0])
	}
	list = nil
	s.get("/v3/accounts?detailLevel=SLIM&sorters=-name&limit=1").demand(http.StatusOK, &list)
	if _, has := list[0]["features"]; has || len(list) != 1 || list[0]["attributes"] == nil {
		t.Errorf("the slim account is %v", list)
	}
	one := s.get("/beta/accounts/" + account).demandObject(http.StatusOK)
	if one["nativeIdentity"] != "bob" || one["disabled"] != false || one["systemAccount"] != false {
		t.Errorf("got %v", one)
	}
	s.get("/v2024/accounts/"+account+"/entitlements?count=true").demand(http.StatusOK, &list)
	if len(list) != 1 || list[0]["value"] != "staff" {
		t.Errorf("it holds %v", list)
	}
	const none = "0197a3c2f0b87d3e9a41c6d2e5f70812"
	for _, path := range []string{none, "bob", none + "/entitlements", "bob/entitlements"} {
		s.do(request{method: http.MethodGet, path: "/v3/accounts/" + path, faulty: true}).refuses(http.StatusNotFound, "404 Not found", "")
	}
	for _, query := range []string{"filters=" + url.QueryEscape(`identity.id eq "a"`), "sorters=hasEntitlements", "detailLevel=slim",
		"filters=" + url.QueryEscape(`name co "a"`), "limit=251"} {
		s.wrong(http.MethodGet, "/v2025/accounts?"+query, "", illegal, "")
	}
}

func TestAccountStates(t *testing.T) {
	t.Parallel()
	s, account := desk(t)
	at := "/v2025/accounts/" + account
	for _, test := range []struct{ verb, body, kind string }{
		{"disable", "", "DISABLE"}, {"enable", `{}`, ""}, {"unlock", `{"unlockIDNAccount": true}`, ""},
		{"disable", `{"forceProvisioning": false, "externalVerificationId": ""}`, "DISABLE"},
	} {
		task, _ := s.send(http.MethodPost, at+"/"+test.verb, test.body).demandObject(http.StatusAccepted)["id"].(string)
		s.Process()
		activity := s.get("/v3/account-activities/" + task).demandObject(http.StatusOK)
		items, _ := activity["items"].([]any)
		if activity["type"] != "AccountStateUpdate" || (len(items) > 0) != (test.kind != "") ||
			len(items) > 0 && items[0].(object)["operation"] != test.kind {
			t.Errorf("%s: the activity is %v", test.verb, activity)
		}
		if got := s.get("/beta/task-status/" + task).demandObject(http.StatusOK); got["completionStatus"] == nil {
			t.Errorf("%s: the task is %v", test.verb, got)
		}
	}
	s.wrong(http.MethodPost, at+"/enable", `{"externalVerificationId": "x"}`, illegal, "externalVerificationId")
	s.wrong(http.MethodPost, at+"/enable", `{"forceProvisioning": "yes"}`, illegal, "forceProvisioning")
	s.do(request{method: http.MethodPost, path: at + "/unlock", body: `{"forceProvisioning": true}`,
		token: s.token("HELPDESK", "idn:accounts-state:manage"), faulty: true}).refuses(http.StatusForbidden, "403 Forbidden", "")
	s.do(request{method: http.MethodPost, path: at + "/unlock", body: `{"forceProvisioning": true}`,
		token: s.token("HELPDESK", "idn:accounts-state:manage", "idn:accounts-provisioning:manage")}).demandObject(http.StatusAccepted)
	page, err := s.ListAccounts(t.Context(), engine.AccountParams{Source: "HR", Identity: s.ID("bob")})
	if err != nil {
		t.Fatal(err)
	}
	hr := page.Items[0].ID
	s.do(request{method: http.MethodPost, path: "/v3/accounts/" + hr + "/disable", faulty: true}).
		refuses(http.StatusBadRequest, "400.1 Bad request content", "it does not have the feature ENABLE")
	// Nothing reads a single account of a text.
	s.do(request{method: http.MethodPost, path: "/v3/accounts/" + hr + "/reload", faulty: true}).
		refuses(http.StatusBadRequest, "400.1 Bad request content", "aggregate the source")
	// The ID of nothing is not the ID of everything, and what an account holds is for those who may see it.
	nothing := strings.Repeat("0", 32)
	for path, status := range map[string]int{
		"/v2025/accounts/" + nothing + "/entitlements":                http.StatusNotFound,
		"/v2025/entitlements/identities/" + nothing + "/entitlements": http.StatusNotFound,
		"/v2025/entitlements?account-id=" + nothing:                   http.StatusBadRequest,
	} {
		if got := s.do(request{method: http.MethodGet, path: path, faulty: true}); got.StatusCode != status {
			t.Errorf("%s: %d, want %d: %s", path, got.StatusCode, status, got.body)
		}
	}
	for level, status := range map[string]int{"": http.StatusForbidden, "HELPDESK": http.StatusOK} {
		got := s.do(request{method: http.MethodGet, path: "/v2025/entitlements?account-id=" + hr,
			token: s.token(level, all)})
		if got.StatusCode != status {
			t.Errorf("account-id by %q: %d, want %d: %s", level, got.StatusCode, status, got.body)
		}
	}
	for _, verb := range []string{"enable", "disable", "unlock", "reload"} {
		s.do(request{method: http.MethodPost, path: "/v3/accounts/bob/" + verb, faulty: true}).refuses(http.StatusNotFound, "404 Not found", "")
	}
}

func TestSignInOverHTTP(t *testing.T) {
	t.Parallel()
	s, _ := desk(t)
	bob, ann := s.ID("bob"), s.ID("ann")
	s.send(http.MethodPost, "/v2025/identities-accounts/"+bob+"/disable", "").demandObject(http.StatusAccepted)
	if got := s.get("/beta/identities/" + bob).demandObject(http.StatusOK); got["identityStatus"] != "DISABLED" {
		t.Errorf("the identity is %v", got)
	}
	s.send(http.MethodPost, "/identities-accounts/v1/"+bob+"/enable", "").demandObject(http.StatusAccepted)
	const none = "0197a3c2f0b87d3e9a41c6d2e5f70812"
	var results []object
	s.send(http.MethodPost, "/beta/identities-accounts/disable", `{"identityIds": ["`+none+`","`+ann+`","`+bob+`"]}`).
		demand(http.StatusMultiStatus, &results)
	if len(results) != 3 || results[0]["statusCode"] != 404.0 || results[0]["message"] != `Referenced identity "`+none+`" was not found.` ||
		results[1]["id"] != ann || results[1]["statusCode"] != 202.0 || results[1]["message"] != nil || results[2]["statusCode"] != 202.0 {
		t.Errorf("got %v", results)
	}
	s.send(http.MethodPost, "/beta/identities-accounts/enable", `{"identityIds": ["`+ann+`"]}`).demand(http.StatusMultiStatus, &results)
	if got := s.get("/beta/identities/" + ann).demandObject(http.StatusOK); got["identityStatus"] != "UNREGISTERED" {
		t.Errorf("the identity is %v", got)
	}
	s.wrong(http.MethodPost, "/beta/identities-accounts/enable", `{"identityIds": []}`, missing, "identityIds")
	s.wrong(http.MethodPost, "/beta/identities-accounts/enable", `{"identityIds": "`+ann+`"}`, illegal, "identityIds")
	many := `{"identityIds": ["` + strings.Repeat(ann+`","`, 250) + ann + `"]}`
	s.wrong(http.MethodPost, "/beta/identities-accounts/enable", many, "400.1.4 Limit violation", "250")
	s.do(request{method: http.MethodPost, path: "/beta/identities-accounts/bob/enable", faulty: true}).refuses(http.StatusNotFound, "404 Not found", "")
}

func TestSetLifecycleStateOverHTTP(t *testing.T) {
	t.Parallel()
	s, _ := desk(t)
	bob := s.ID("bob")
	activity := s.send(http.MethodPost, "/v2025/identities/"+bob+"/set-lifecycle-state", `{"lifecycleStateId": "leave"}`).
		demandObject(http.StatusOK)["accountActivityId"].(string)
	s.Process()
	var list []object
	s.get("/v2025/account-activities/" + activity).demandObject(http.StatusOK)
	s.get("/v3/account-activities?requested-for="+bob+"&sorters=-created&count=true").demand(http.StatusOK, &list)
	if len(list) != 1 || list[0]["id"] != activity || list[0]["type"] != "LifecycleStateChange" || list[0]["completionStatus"] != "SUCCESS" {
		t.Errorf("got %v", list)
	}
	s.wrong(http.MethodGet, "/v3/account-activities?requested-for=me&regarding-identity="+bob, "", illegal, "")
	at := "/v2025/identities/" + bob + "/set-lifecycle-state"
	s.wrong(http.MethodPost, at, `{"lifecycleStateId": "gone"}`, "400.1.404 Referenced object not found", "gone")
	s.wrong(http.MethodPost, at, `{}`, missing, "lifecycleStateId")
	s.do(request{method: http.MethodPost, path: "/v3/identities/bob/set-lifecycle-state", body: `{"lifecycleStateId": "leave"}`, faulty: true}).
		refuses(http.StatusNotFound, "404 Not found", "")
}

func TestEntitlementsOverHTTP(t *testing.T) {
	t.Parallel()
	s, account := desk(t)
	var list []object
	s.get(filtered("/v2025/entitlements", `attribute eq "groups" and value sw "st" and type eq "group"`)).demand(http.StatusOK, &list)
	if len(list) != 1 {
		t.Fatal(list)
	}
	at := "/v2025/entitlements/" + list[0]["id"].(string)
	s.get("/beta/entitlements?account-id="+account).demand(http.StatusOK, &list)
	if len(list) != 1 {
		t.Errorf("the account holds %v", list)
	}
	s.get("/v2025/entitlements/identities/"+s.ID("bob")+"/entitlements").demand(http.StatusOK, &list)
	if len(list) != 1 || list[0]["objectRef"].(object)["name"] != "staff" {
		t.Errorf("the identity holds %v", list)
	}
	bob, ann := s.ID("bob"), s.ID("ann")
	patch := func(operations string) object {
		t.Helper()
		return s.send(http.MethodPatch, at, operations).demandObject(http.StatusOK)
	}
	patch(`[{"op":"replace","path":"/requestable","value":true},{"op":"replace","path":"/privileged","value":true},
		{"op":"add","path":"/owner","value":{"type":"IDENTITY","id":"` + bob + `"}},{"op":"add","path":"/segments","value":["a"]},
		{"op":"add","path":"/segments/-","value":"b"},{"op":"add","path":"/description","value":"For all"}]`)
	got := patch(`[{"op":"replace","path":"/owner/id","value":"` + ann + `"},{"op":"replace","path":"/owner/name","value":"whoever"},
		{"op":"replace","path":"/name","value":"Everybody"}]`)
	owner, _ := got["owner"].(object)
	if owner["id"] != ann || owner["name"] != "Ann Boss" || got["name"] != "Everybody" || got["privileged"] != true || got["requestable"] != true ||
		got["description"] != "For all" || len(got["segments"].([]any)) != 2 || got["manuallyUpdatedFields"].(object)["DISPLAY_NAME"] != true {
		t.Errorf("got %v", got)
	}
	s.get(filtered("/v2025/entitlements", `owner.id eq "`+ann+`"`)).demand(http.StatusOK, &list)
	if len(list) != 1 {
		t.Errorf("Ann owns %v", list)
	}
	for query, want := range map[string]int{"for-segment-ids=a,x&include-unsegmented=false": 1, "for-segment-ids=x&include-unsegmented=false": 0,
		"include-unsegmented=true": len(list)} {
		var some []object
		s.get("/v2025/entitlements?"+query).demand(http.StatusOK, &some)
		if want != len(list) && len(some) != want || len(some) < want {
			t.Errorf("%s: %v, want %d", query, some, want)
		}
	}
	s.wrong(http.MethodGet, "/v2025/entitlements?include-unsegmented=false", "", illegal, "include-unsegmented")
	s.wrong(http.MethodGet, "/v2025/entitlements?account-id="+account+"&filters="+url.QueryEscape(`name eq "a"`), "", illegal, "account-id")
	s.wrong(http.MethodGet, "/v2025/entitlements?account-id="+bob, "", "400.1.404 Referenced object not found", "account")
	s.wrong(http.MethodGet, filtered("/v2025/entitlements", `privileged eq true`), "", illegal, "privileged")
	s.wrong(http.MethodPatch, at, `[{"op":"replace","path":"/value","value":"x"}]`, illegal, "/value")
	s.wrong(http.MethodPatch, at, `[{"op":"replace","path":"/owner/id","value":"`+account+`"}]`, "400.1.404 Referenced object not found", account)
	s.wrong(http.MethodPatch, at, `[{"op":"replace","path":"/requestable","value":"maybe"}]`, illegal, "/requestable")
	s.do(request{method: http.MethodPatch, path: "/v2025/entitlements/x", body: `[{"op":"replace","path":"/name","value":"x"}]`, faulty: true}).
		refuses(http.StatusNotFound, "404 Not found", "")
}

func TestTaskIsEndedByHand(t *testing.T) {
	t.Parallel()
	s, _ := desk(t)
	task, _ := s.post("/beta/identities/process", `{"identityIds": ["`+s.ID("bob")+`"]}`).demandObject(http.StatusAccepted)["id"].(string)
	at := "/v2025/task-status/" + task
	s.wrong(http.MethodPatch, at, `[{"op":"replace","path":"/launcher","value":"x"}]`, illegal, "/launcher")
	s.wrong(http.MethodPatch, at, `[{"op":"replace","path":"/completionStatus","value":"DONE"}]`, illegal, "completionStatus")
	s.wrong(http.MethodPatch, at, `[{"op":"replace","path":"/completed","value":"2024-05-17T19:33:16.470Z"}]`, illegal, "completionStatus")
	got := s.send(http.MethodPatch, at, `[{"op":"replace","path":"/completionStatus","value":"Error"}]`).demandObject(http.StatusOK)
	if got["completionStatus"] != "ERROR" || got["completed"] == nil {
		t.Errorf("got %v", got)
	}
	var list []object
	s.get(filtered("/v2025/task-status", `completionStatus eq "error" and id eq "`+task+`"`)).demand(http.StatusOK, &list)
	if len(list) != 1 {
		t.Errorf("got %v", list)
	}
	s.do(request{method: http.MethodPatch, path: at, body: `[{"op":"replace","path":"/completionStatus","value":"Success"}]`, faulty: true}).
		refuses(http.StatusBadRequest, "400.1 Bad request content", "ended already")
	s.get("/beta/workgroups").refuses(http.StatusNotImplemented, "501 Not implemented", "listWorkgroups")
}
