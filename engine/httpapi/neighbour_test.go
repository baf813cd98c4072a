package httpapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/httpapi"
)

// An operation is there under the versions that publish it, and under no others.
func TestVersionsOfOperations(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	prefixes := []string{"/beta", "/v3", "/v2024", "/v2025", "/v2026"}
	for path, want := range map[string][]string{
		"/identities": {"/beta", "/v2024", "/v2025", "/v2026", "r1"},
		// From v2026 on this is the task with the ID pending-tasks, which nobody has.
		"/task-status/pending-tasks": {"/beta", "/v2024", "/v2025"},
		"/task-status":               {"/beta", "/v2024", "/v2025", "/v2026", "r1"},
		"/public-identities":         {"/v3", "/v2024", "/v2025", "/v2026", "r1"},
		"/transforms":                {"/beta", "/v3", "/v2024", "/v2025", "/v2026", "r1"},
		"/accounts":                  {"/beta", "/v3", "/v2024", "/v2025", "/v2026", "r1"},
		"/entitlements":              {"/beta", "/v2024", "/v2025", "/v2026", "r1"},
		"/account-activities":        {"/beta", "/v3", "/v2024", "/v2025", "/v2026", "r1"},
	} {
		resource, rest, _ := strings.Cut(path[1:], "/")
		places := map[string]string{"r1": strings.TrimSuffix("/"+resource+"/v1/"+rest, "/")}
		for _, prefix := range prefixes {
			places[prefix] = prefix + path
		}
		for version, place := range places {
			status := http.StatusNotFound
			if slices.Contains(want, version) {
				status = http.StatusOK
			}
			if got := s.do(request{method: http.MethodGet, path: place, faulty: true}); got.StatusCode != status {
				t.Errorf("%s: %d, want %d: %s", place, got.StatusCode, status, got.body)
			}
		}
	}
}

func TestPublicIdentities(t *testing.T) {
	t.Parallel()
	s := company(t)
	type identity struct {
		ID, Name, Alias              string
		Email, Status, IdentityState *string
		Manager                      *engine.IdentityReference
		Attributes                   []any
	}
	list := func(query string) (aliases string, found []identity, total string) {
		t.Helper()
		r := s.do(request{method: http.MethodGet, path: "/v2025/public-identities?" + query,
			token: s.token("", "sp:scopes:default"), faulty: strings.Contains(query, "True")})
		r.demand(http.StatusOK, &found)
		for _, i := range found {
			aliases += i.Alias + " "
		}
		return aliases, found, r.Header.Get("X-Total-Count")
	}
	filter := func(text string) string { return "filters=" + url.QueryEscape(text) }
	if err := s.DeleteIdentity(t.Context(), s.ID("dee")); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"sorters=name": "ann bob cy ", "sorters=-name&limit=2": "cy bob ", "limit=1&offset=1&sorters=name": "bob ",
		filter(`alias eq "ANN"`): "ann ", filter(`firstname sw "b"`): "bob ",
		filter(`id in ("` + s.ID("cy") + `")`):                                       "cy ",
		filter(`email eq "ann@example.com" or lastname eq "self"`) + "&sorters=name": "ann cy ",
		// Cy has no address.
		"add-core-filters=true&sorters=name":                              "ann bob ",
		"add-core-filters=True&" + filter(`firstname sw "c"`):             "",
		"add-core-filters=false&" + filter(`lastname eq "self"`):          "cy ",
		"add-core-filters=true&" + filter(`alias sw "c" or alias sw "a"`): "ann ",
	} {
		if got, _, _ := list(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	_, found, total := list("count=true&limit=1&" + filter(`alias eq "bob"`))
	if i := found[0]; total != "1" || i.ID != s.ID("bob") || i.Name != "Bob Twain" || *i.Email != "bob@example.com" ||
		i.Manager == nil || i.Manager.ID != s.ID("ann") || i.Attributes == nil || i.IdentityState == nil {
		t.Errorf("got %+v, %s in all, want Bob, who reports to Ann", found, total)
	}
	for query, code := range map[string]string{
		filter(`name eq "Ann"`): "400.1.3 Illegal value", filter(`alias in ("ann")`): "400.1.3 Illegal value",
		filter(`cloudStatus eq "ACTIVE"`): "400.1.3 Illegal value", filter(`alias eq`): "400.0 Bad request syntax",
		"sorters=alias": "400.1.3 Illegal value", "add-core-filters=yes": "400.1.3 Illegal value",
		"add-core-filter=true": "400.1.3 Illegal value", "limit=251": "400.1.3 Illegal value",
		// It must not escape from the parentheses around it.
		"add-core-filters=true&" + filter(`alias eq "x") or (alias sw ""`): "400.0 Bad request syntax",
	} {
		s.do(request{method: http.MethodGet, path: "/v3/public-identities?" + query, faulty: true}).
			refuses(http.StatusBadRequest, code, "")
	}
	for level, may := range map[string]bool{"": true, "USER": true, "ORG_ADMIN": true, "API": false} {
		for scope, inScope := range map[string]bool{"sp:scopes:default": true, all: true, read: false} {
			want := http.StatusForbidden
			if may && inScope {
				want = http.StatusOK
			}
			got := s.do(request{method: http.MethodGet, path: "/v2024/public-identities", token: s.token(level, scope)})
			if got.StatusCode != want {
				t.Errorf("%q with %s: %d, want %d", level, scope, got.StatusCode, want)
			}
		}
	}
}

const someTransforms = `transforms:
- {name: Initial, type: substring, attributes: {begin: 0, end: 1}}
- {name: initials, type: upper, attributes: {input: {type: reference, attributes: {id: Initial}}}}
- {name: Number, type: uuid, attributes: {}}
`

func TestTransforms(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	s.ApplyText(someTransforms)
	type transform struct {
		ID, Name, Type string
		Attributes     map[string]any
		Internal       bool
	}
	filter := func(text string) string { return "filters=" + url.QueryEscape(text) }
	var found []transform
	for query, want := range map[string]string{
		"": "Initial initials Number ", "limit=1&offset=1": "initials ", "offset=3": "", "limit=0": "",
		"name=Initial": "Initial ", "name=initial": "", filter(`name sw "init"`): "Initial initials ",
		filter(`name eq "NUMBER" and internal eq false`): "Number ", filter("internal eq true"): "",
		"count=true&limit=2": "Initial initials ",
	} {
		r := s.get("/v2025/transforms?"+query).demand(http.StatusOK, &found)
		names := ""
		for _, transform := range found {
			names += transform.Name + " "
		}
		if names != want || strings.Contains(query, "count") != (r.Header.Get("X-Total-Count") == "3") {
			t.Errorf("%s: %q, want %q; %v", query, names, want, r.Header)
		}
	}
	s.get("/v3/transforms?name=initials").demand(http.StatusOK, &found)
	var one transform
	s.get("/v2025/transforms/"+found[0].ID).demand(http.StatusOK, &one)
	if one.ID != found[0].ID || one.Name != "initials" || one.Type != "upper" || one.Internal ||
		fmt.Sprint(one.Attributes) != "map[input:map[attributes:map[id:Initial] type:reference]]" {
		t.Errorf("got %+v", one)
	}
	for _, id := range []string{"initials", strings.Repeat("f", 32)} {
		s.get("/transforms/v1/"+id).refuses(http.StatusNotFound, "404 Not found", "")
	}
	for query, code := range map[string]string{filter(`type eq "upper"`): "400.1.3 Illegal value",
		filter(`name co "x"`): "400.1.3 Illegal value", filter("name"): "400.0 Bad request syntax",
		"names=x": "400.1.3 Illegal value", "Name=x": "400.1.3 Illegal value"} {
		s.do(request{method: http.MethodGet, path: "/beta/transforms?" + query, faulty: true}).
			refuses(http.StatusBadRequest, code, "")
	}
	for level, may := range map[string]bool{"": false, "HELPDESK": false, "ORG_ADMIN": true, "API": true} {
		for scope, inScope := range map[string]bool{"idn:transform:read": true, "idn:transform:manage": true, all: true,
			read: false} {
			for _, path := range []string{"/beta/transforms", "/beta/transforms/" + one.ID} {
				want := http.StatusForbidden
				if may && inScope {
					want = http.StatusOK
				}
				got := s.do(request{method: http.MethodGet, path: path, token: s.token(level, scope)})
				if got.StatusCode != want {
					t.Errorf("%s by %q with %s: %d, want %d", path, level, scope, got.StatusCode, want)
				}
			}
		}
	}
}

func TestPendingTasks(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpapi.Config{})
	s.ApplyText(enginetest.Documents)
	s.AggregateText("HR", people, engine.AggregateOptions{})
	s.Process()
	var list []engine.TaskStatus
	s.get("/v2025/task-status/pending-tasks?count=true").demand(http.StatusOK, &list)
	if list == nil || len(list) != 0 {
		t.Errorf("got %+v, want an empty list", list)
	}
	var begun struct{ ID string }
	s.post("/v2025/identities/process", `{"identityIds": ["`+s.ID("bob")+`"]}`).demand(http.StatusAccepted, &begun)
	for _, prefix := range []string{"/beta", "/v2024", "/v2025"} {
		r := s.get(prefix+"/task-status/pending-tasks?count=true").demand(http.StatusOK, &list)
		if len(list) != 1 || list[0].ID != begun.ID || r.Header.Get("X-Total-Count") != "1" {
			t.Errorf("%s: got %+v, want the task %s", prefix, list, begun.ID)
		}
		head := s.do(request{method: http.MethodHead, path: prefix + "/task-status/pending-tasks?count=true"})
		if head.StatusCode != http.StatusOK || head.Header.Get("X-Total-Count") != "1" {
			t.Errorf("HEAD: %d %v", head.StatusCode, head.Header)
		}
	}
	s.get("/v2025/task-status?sorters=created").demand(http.StatusOK, &list)
	s.do(request{method: http.MethodGet, path: "/v2025/task-status?sorters=launcher", faulty: true}).
		refuses(http.StatusBadRequest, "400.1.3 Illegal value", "launcher")
}

// A task says on whom it was, and how long it took.
func TestFactsOfTasks(t *testing.T) {
	t.Parallel()
	s := company(t)
	var begun struct{ ID string }
	for path, body := range map[string]string{
		"/beta/identities/process":                                    `{"identityIds": ["` + s.ID("bob") + `"]}`,
		"/beta/identities/" + s.ID("bob") + "/synchronize-attributes": "",
	} {
		s.post(path, body).demand(http.StatusAccepted, &begun)
		s.Process()
		var task engine.TaskStatus
		s.get("/beta/task-status/"+begun.ID).demand(http.StatusOK, &task)
		if task.Target == nil || task.Target.Name != "Bob Twain" || task.Target.ID != s.ID("bob") {
			t.Errorf("%s: the target is %+v, want Bob", path, task.Target)
		}
		whole, err := s.Task(t.Context(), begun.ID)
		if err != nil {
			t.Fatal(err)
		}
		if took := whole.Completed.Sub(*whole.Launched); took <= 0 || whole.Launched.Before(whole.Created) {
			t.Errorf("%s: it took %s from %s on, and was created %s", path, took, whole.Launched, whole.Created)
		}
	}
	list, err := s.Tasks(t.Context(), engine.TaskQuery{})
	if err != nil || len(list) < 2 || list[0].Target == nil || list[0].Target.Name != "Bob Twain" {
		t.Errorf("the list has %+v, %v", list, err)
	}
}
