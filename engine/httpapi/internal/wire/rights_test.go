package wire_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
	"github.com/muster-engine/muster/engine/right"
)

// needsAll are the operations for which a token needs all of the published scopes, as the contract says in words.
var needsAll = []string{"createAccessProfile"}

// everyone are the callers that the walk takes: each with one level, a user without any, and a client.
var everyone = []string{"", "API", "ORG_ADMIN", "HELPDESK", "CERT_ADMIN", "REPORT_ADMIN", "ROLE_ADMIN", "ROLE_SUBADMIN",
	"SOURCE_ADMIN", "SOURCE_SUBADMIN"}

// Each operation of the contract that is here is open to those levels and scopes to which it is published, and to no
// other. Where no level is published, docs/api.md has ours, which the table of rights repeats.
func TestContractDecisions(t *testing.T) {
	t.Parallel()
	published, here := operations(wire.LoadNeighbours(t).Spec()), operations(own(t).Spec())
	scopes := map[string]bool{"sp:scopes:all": true, "idn:other:read": true}
	for _, theirs := range published {
		user, application := securityOf(theirs)
		for _, scope := range slices.Concat(user, application) {
			scopes[scope] = true
		}
	}
	checked, allowed := 0, 0
	for key, theirs := range published {
		if here[key] == nil {
			continue
		}
		w := walk{t: t, operation: theirs, rights: right.Of(theirs.OperationID)}
		for _, level := range everyone {
			for scope := range scopes {
				checked++
				if w.demand(level, scope) {
					allowed++
				}
			}
		}
		w.demandAll()
	}
	if checked < 3_000 || allowed < 50 || allowed > checked/2 {
		t.Errorf("%d were checked, %d of them allowed", checked, allowed)
	}
}

// securityOf returns the scopes of users and those of applications.
func securityOf(o *openapi3.Operation) (user, application []string) {
	if o.Security == nil {
		return []string{"sp:scopes:all"}, nil // the document's default
	}
	for _, requirement := range *o.Security {
		user = append(user, requirement["userAuth"]...)
		application = append(application, requirement["applicationAuth"]...)
	}
	return user, application
}

// walk is a published operation, and its rights here.
type walk struct {
	t         *testing.T
	operation *openapi3.Operation
	rights    *right.Operation
}

// published reports whether a caller with a level and some scopes may call the operation.
func (w *walk) published(level string, scopes ...string) bool {
	user, application := securityOf(w.operation)
	needed := user
	if level == string(right.API) {
		needed = application
		if needed == nil {
			return false
		}
	} else if !slices.Contains(w.levels(), level) && !slices.Contains(w.levels(), "USER") &&
		!slices.Contains(w.levels(), "Any") {
		return false
	}
	if slices.Contains(scopes, right.ScopeAll) {
		return true
	}
	if slices.Contains(needsAll, w.operation.OperationID) {
		return !slices.ContainsFunc(needed, func(scope string) bool { return !slices.Contains(scopes, scope) })
	}
	return slices.ContainsFunc(needed, func(scope string) bool { return slices.Contains(scopes, scope) })
}

// levels returns the levels of users that the operation is published for, and ours where none are.
func (w *walk) levels() []string {
	levels := texts(w.operation.Extensions["x-sailpoint-userLevels"])
	if levels == nil {
		for _, level := range w.rights.UserLevels(right.Since2024) {
			levels = append(levels, string(level))
		}
	}
	return slices.DeleteFunc(levels, func(level string) bool { return level == string(right.API) })
}

func (w *walk) demand(level string, scopes ...string) bool {
	w.t.Helper()
	caller := right.Caller{Scopes: scopes}
	if level != "" {
		caller.Levels = []string{level}
	}
	want := w.published(level, scopes...)
	got := right.Decide(w.operation.OperationID, right.Since2024, caller)
	if (got.Range != right.Nobody) != want {
		w.t.Errorf("%s by %q with %q: %+v, want allowed: %t", w.operation.OperationID, level, scopes, got, want)
	}
	return want
}

// demandAll walks the levels with all published scopes at once.
func (w *walk) demandAll() {
	w.t.Helper()
	user, application := securityOf(w.operation)
	all := slices.Sorted(maps.Keys(setOf(slices.Concat(user, application))))
	for _, level := range everyone {
		w.demand(level, all...)
	}
}

func setOf(names []string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return set
}
