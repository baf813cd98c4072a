package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
)

// operation is one operation, and who may call it: the published table, and where that has no level, that of
// docs/api.md.
type operation struct {
	method, path string
	scopes       []string
	levels       []string
	application  bool // a client that acts for no user may
	reading      bool // a user without a level may, where the token names one of the scopes
}

const (
	all    = "sp:scopes:all"
	read   = "idn:identity:read"
	manage = "idn:identity:manage"
	report = "idn:identity-direct-report:read"
)

var (
	admins = []string{"ORG_ADMIN", "HELPDESK"}
	levels = []string{"ORG_ADMIN", "HELPDESK", "CERT_ADMIN", "REPORT_ADMIN", "ROLE_ADMIN", "ROLE_SUBADMIN",
		"SOURCE_ADMIN", "SOURCE_SUBADMIN"}
)

// table gives the operations of Beta, and those of the versions after it.
func table(beta bool) map[string]operation {
	t := map[string]operation{
		"listIdentities":     {"GET", "", []string{read, manage}, levels, false, true},
		"getIdentity":        {"GET", "/x", []string{read, manage}, levels, false, true},
		"deleteIdentity":     {"DELETE", "/x", []string{manage}, []string{"ORG_ADMIN"}, true, false},
		"ownership":          {"GET", "/x/ownership", []string{read}, levels, false, true},
		"getRoleAssignments": {"GET", "/x/role-assignments", []string{read, manage}, levels, false, true},
		"getRoleAssignment":  {"GET", "/x/role-assignments/y", []string{read, manage}, levels, false, true},
		"resetIdentity":      {"POST", "/x/reset", []string{"idn:identity:update"}, admins, false, false},
		"sendVerification": {"POST", "/x/verification/account/send", []string{"idn:password:user-invite"}, admins,
			false, false},
		"invite":  {"POST", "/invite", []string{all}, admins, false, false},
		"process": {"POST", "/process", []string{"idn:identity:process", manage}, admins, true, false},
		"synchronizeAttributes": {"POST", "/x/synchronize-attributes", []string{all}, []string{"ORG_ADMIN"}, true,
			false},
	}
	if !beta {
		t["resetIdentity"] = operation{"POST", "/x/reset", []string{manage}, admins, true, false}
		t["invite"] = operation{"POST", "/invite", []string{"idn:password-user-invite:manage"}, admins, false, false}
		t["synchronizeAttributes"] = operation{"POST", "/x/synchronize-attributes", nil, []string{"ORG_ADMIN"}, true,
			false}
	}
	return t
}

// Every operation is open to whom the table opens it, by user level and scope, and to nobody else.
func TestRights(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newServer(t, httpapi.Config{})
	callers := append([]string{"", "USER", "API", "org_admin"}, levels...)
	scopes := []string{all, read, manage, report, "idn:identity:update", "idn:password:user-invite",
		"idn:password-user-invite:manage", "idn:identity:process", "idn:other:read", "IDN:IDENTITY:READ"}
	checked, allowed := 0, 0
	for _, base := range bases {
		for name, o := range table(base.identities == "/beta/identities") {
			for _, level := range callers {
				for _, scope := range scopes {
					checked++
					may := o.may(level, scope)
					response := s.do(request{method: o.method, path: base.identities + o.path, body: o.body(),
						token: s.token(level, scope), faulty: true})
					// Nobody is named x, and no body names anybody: what is allowed ends there.
					if may {
						allowed++
						if got := response.StatusCode; got == http.StatusForbidden || got >= 500 {
							t.Errorf("%s %s by %q with %s: %d", base.identities, name, level, scope, got)
						}
						continue
					}
					f := response.refuses(http.StatusForbidden, "403 Forbidden", "refuses to authorize")
					if t.Failed() {
						t.Fatalf("%s %s by %q with %s: %+v", base.identities, name, level, scope, f)
					}
				}
			}
		}
	}
	if checked != 5*11*12*10 || allowed < 300 || allowed > checked/2 {
		t.Errorf("%d were checked, %d of them allowed", checked, allowed)
	}
}

func (o operation) body() string {
	if o.method == http.MethodPost && !strings.HasSuffix(o.path, "reset") && !strings.HasSuffix(o.path, "attributes") {
		return "{}"
	}
	return ""
}

func (o operation) may(level, scope string) bool {
	named := slices.Contains(o.scopes, scope)
	switch {
	case level == "API":
		return o.application && (named || scope == all || o.scopes == nil)
	case slices.Contains(o.levels, level):
		return named || scope == all || o.scopes == nil
	}
	return o.reading && named
}

// Who may read of those who report to him reads of nobody else, and does not learn whether others exist.
func TestRightsOfManagers(t *testing.T) {
	t.Parallel()
	s := company(t)
	bob := s.ID("bob")
	token := func(identity string, levels []string, scopes ...string) string {
		text, err := s.issuer.Mint(devtoken.Grant{ClientID: "c", IdentityID: identity, Authorities: levels,
			Scopes: scopes}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	dashed := fmt.Sprintf("%s-%s-%s-%s-%s", bob[:8], bob[8:12], bob[12:16], bob[16:20], bob[20:])
	for _, test := range []struct {
		name, token, of string
		status          int
	}{
		{"a report", token(bob, nil, report), "dee", 200},
		{"a report, by the other spelling of the manager", token(strings.ToUpper(dashed), nil, report), "dee", 200},
		{"a report, by every right of a user", token(bob, nil, all), "dee", 200},
		{"a report, by an administrator", token(bob, []string{"HELPDESK"}, report), "dee", 200},
		{"the manager himself", token(bob, nil, report), "bob", 403},
		{"the manager's manager", token(bob, nil, report), "ann", 403},
		{"a report of the manager's manager", token(bob, nil, report), "cy", 403},
		{"a report of a report", token(s.ID("ann"), nil, report), "dee", 403},
		{"nobody", token(bob, nil, report), "", 403},
		{"by nobody", token("", nil, report), "dee", 403},
		{"by somebody who is no identity", token("bob", nil, report), "dee", 403},
		{"everybody, by another scope", token(bob, nil, report, read), "cy", 200},
		{"everybody, by an administrator", token(bob, []string{"HELPDESK"}, all), "cy", 200},
	} {
		id := strings.Repeat("f", 32)
		if test.of != "" {
			id = s.ID(test.of)
		}
		for _, path := range []string{"", "/" + strings.Repeat("e", 32)} {
			want := test.status
			if path != "" && want == 200 {
				want = 404 // nobody has such an assignment
			}
			response := s.do(request{method: http.MethodGet, token: test.token,
				path: "/v2024/identities/" + id + "/role-assignments" + path})
			if response.StatusCode != want {
				t.Errorf("%s: GET role-assignments%s: %d, want %d: %s", test.name, path, response.StatusCode, want,
					response.body)
			}
		}
	}
	if log := s.logs.String(); !strings.Contains(log, "the identity does not report to the caller") ||
		!strings.Contains(log, "the token names no identity") {
		t.Errorf("the log does not say why they were refused:\n%s", log)
	}
}

func TestRightsOfTasks(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	for _, path := range []string{"/beta/task-status", "/v2024/task-status", "/task-status", "/task-status/v1"} {
		for level, may := range map[string]bool{"": false, "USER": false, "ORG_ADMIN": true, "SOURCE_SUBADMIN": true,
			"API": true} {
			for scope, inScope := range map[string]bool{all: true, "idn:task-management:read": true,
				"idn:task-management:write": true, read: false} {
				want := http.StatusForbidden
				if may && inScope {
					want = http.StatusOK
				}
				response := s.do(request{method: http.MethodGet, path: path, token: s.token(level, scope),
					unpublished: path == "/task-status"})
				if response.StatusCode != want {
					t.Errorf("%s by %q with %s: %d, want %d", path, level, scope, response.StatusCode, want)
				}
			}
		}
	}
}

// A client that acts for a user has that user's rights, whatever it is beside.
func TestClientOfUser(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	token, err := s.issuer.Mint(devtoken.Grant{ClientID: "c", Authorities: []string{"API", "HELPDESK"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/x/reset": http.StatusNotFound, "/invite": http.StatusBadRequest,
		"/x/synchronize-attributes": http.StatusForbidden} {
		body := ""
		if path == "/invite" {
			body = "{}"
		}
		response := s.do(request{method: http.MethodPost, path: "/beta/identities" + path, body: body, token: token})
		if response.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, response.StatusCode, want)
		}
	}
}

// Of the scopes and the levels that a token has, any one that may is enough.
func TestAnyOneIsEnough(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	response := s.do(request{method: http.MethodGet, path: "/beta/identities",
		token: s.token("USER", "idn:other:read", read)})
	if response.StatusCode != http.StatusOK {
		t.Error(fmt.Sprint(response.StatusCode), string(response.body))
	}
}
