package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
)

// operation is one operation, and who may call it: the published table.
type operation struct {
	method, path string
	scopes       []string
	levels       []string // none: any
	application  bool     // a client that acts for no user may
}

const (
	all    = "sp:scopes:all"
	read   = "idn:identity:read"
	manage = "idn:identity:manage"
	report = "idn:identity-direct-report:read"
)

var admins = []string{"ORG_ADMIN", "HELPDESK"}

// table gives the operations of Beta, and those of the versions after it.
func table(beta bool) map[string]operation {
	t := map[string]operation{
		"listIdentities":     {"GET", "", []string{read, manage}, nil, false},
		"getIdentity":        {"GET", "/x", []string{read, manage}, nil, false},
		"deleteIdentity":     {"DELETE", "/x", []string{manage}, nil, true},
		"ownership":          {"GET", "/x/ownership", []string{read}, nil, false},
		"getRoleAssignments": {"GET", "/x/role-assignments", []string{read, report, manage}, nil, false},
		"getRoleAssignment":  {"GET", "/x/role-assignments/y", []string{read, report, manage}, nil, false},
		"resetIdentity":      {"POST", "/x/reset", []string{"idn:identity:update"}, nil, false},
		"sendVerification": {"POST", "/x/verification/account/send", []string{"idn:password:user-invite"}, admins,
			false},
		"invite":                {"POST", "/invite", []string{all}, admins, false},
		"process":               {"POST", "/process", []string{"idn:identity:process", manage}, admins, true},
		"synchronizeAttributes": {"POST", "/x/synchronize-attributes", []string{all}, []string{"ORG_ADMIN"}, true},
	}
	if !beta {
		t["resetIdentity"] = operation{"POST", "/x/reset", []string{manage}, nil, true}
		t["invite"] = operation{"POST", "/invite", []string{"idn:password-user-invite:manage"}, admins, false}
		t["synchronizeAttributes"] = operation{"POST", "/x/synchronize-attributes", nil, []string{"ORG_ADMIN"}, true}
	}
	return t
}

// Every operation is open to whom the published table opens it, by user level and scope, and to nobody else.
func TestRights(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	levels := []string{"", "USER", "ORG_ADMIN", "HELPDESK", "CERT_ADMIN", "API"}
	scopes := []string{all, read, manage, report, "idn:identity:update", "idn:password:user-invite",
		"idn:password-user-invite:manage", "idn:identity:process", "idn:other:read", "IDN:IDENTITY:READ"}
	checked, allowed := 0, 0
	for _, base := range bases {
		for name, o := range table(base.identities == "/beta/identities") {
			for _, level := range levels {
				for _, scope := range scopes {
					checked++
					may := o.may(level, scope)
					response := s.do(request{method: o.method, path: base.identities + o.path, body: o.body(),
						token: s.token(level, scope), faulty: true})
					// Nobody is named x, and no body names anybody: what is allowed ends there.
					if may {
						allowed++
						if response.StatusCode == http.StatusForbidden || response.StatusCode >= 500 {
							t.Errorf("%s %s by %q with %s: %d", base.identities, name, level, scope, response.StatusCode)
						}
						continue
					}
					if f := response.refuses(http.StatusForbidden, "403 Forbidden", "refuses to authorize"); t.Failed() {
						t.Fatalf("%s %s by %q with %s: %+v", base.identities, name, level, scope, f)
					}
				}
			}
		}
	}
	if checked != 5*11*6*10 || allowed < 300 || allowed > checked/2 {
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
	inLevel := len(o.levels) == 0
	for _, l := range o.levels {
		inLevel = inLevel || l == level
	}
	if level == "API" {
		inLevel = o.application
	}
	inScope := len(o.scopes) == 0
	for _, s := range o.scopes {
		inScope = inScope || s == scope
	}
	// Every right of the user level: who has none only reads.
	if scope == all && (level != "" || o.method == http.MethodGet) {
		inScope = true
	}
	return inLevel && inScope
}

func TestRightsOfTasks(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	for _, path := range []string{"/beta/task-status", "/v2024/task-status", "/task-status", "/task-status/v1"} {
		for level, may := range map[string]bool{"": false, "USER": false, "ORG_ADMIN": true, "SOURCE_SUBADMIN": true,
			"API": true} {
			for scope, inScope := range map[string]bool{all: true, "idn:task-management:read": true, read: false} {
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
