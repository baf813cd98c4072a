package wire_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/right"
)

// operations returns the operations of a document by method and path.
func operations(spec *openapi3.T) map[string]*openapi3.Operation {
	all := map[string]*openapi3.Operation{}
	for path, item := range spec.Paths.Map() {
		for method, operation := range item.Operations() {
			all[method+" "+path] = operation
		}
	}
	return all
}

func statuses(o *openapi3.Operation) string {
	return strings.Join(slices.Sorted(maps.Keys(o.Responses.Map())), " ")
}

func TestOperationsAndTheirStatuses(t *testing.T) {
	t.Parallel()
	const (
		list   = "200 304 400 401 403 405 429 500 503"
		one    = "200 304 400 401 403 404 405 429 500 503"
		server = "200 405 500"
	)
	want := map[string]string{
		"GET /identities":                                              "listIdentities " + list,
		"GET /identities/{id}":                                         "getIdentity " + one,
		"DELETE /identities/{id}":                                      "deleteIdentity 204 400 401 403 404 405 429 500 503",
		"GET /identities/{identityId}/ownership":                       "getIdentityOwnershipDetails " + one,
		"GET /identities/{identityId}/role-assignments":                "getRoleAssignments " + one,
		"GET /identities/{identityId}/role-assignments/{assignmentId}": "getRoleAssignment " + one,
		"POST /identities/{identityId}/reset":                          "resetIdentity 202 400 401 403 404 405 429 500 503",
		"POST /identities/{id}/verification/account/send":              "sendIdentityVerificationAccountToken 200 400 401 403 404 405 413 415 429 500 503",
		"POST /identities/invite":                                      "startIdentitiesInvite 202 400 401 403 404 405 413 415 429 500 503",
		"POST /identities/process":                                     "startIdentityProcessing 202 400 401 403 404 405 413 415 429 500 503",
		"POST /identities/{identityId}/synchronize-attributes":         "synchronizeAttributesForIdentity 202 400 401 403 404 405 429 500 503",
		"GET /task-status":                                             "getTaskStatusList " + list,
		"GET /task-status/{id}":                                        "getTaskStatus " + one,
	}
	want["GET /public-identities"] = "getPublicIdentities " + list
	want["GET /transforms"] = "listTransforms " + list
	want["GET /transforms/{id}"] = "getTransform " + one
	for key, value := range maps.Clone(want) {
		id, rest, _ := strings.Cut(value, " ")
		want[twin(key)] = id + "V1 " + rest
	}
	want["GET /task-status/pending-tasks"] = "getPendingTasks " + list
	want["GET /healthz"] = "getHealth " + server
	want["GET /readyz"] = "getReadiness " + server + " 503"
	want["GET /openapi.json"] = "getDocument 200 304 405 500"
	want["POST /oauth/token"] = "getToken 200 400 401 404 405 413 429 500 503"
	got := map[string]string{}
	for key, operation := range operations(own(t).Spec()) {
		got[key] = operation.OperationID + " " + statuses(operation)
	}
	// Those beside the operations of identities are held against the published documents.
	maps.DeleteFunc(got, func(key, _ string) bool { return want[key] == "" })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
}

// twin returns the path with the version behind the resource.
func twin(path string) string {
	method, rest, _ := strings.Cut(path, " /")
	resource, rest, below := strings.Cut(rest, "/")
	if below {
		rest = "/" + rest
	}
	return method + " /" + resource + "/v1" + rest
}

// The document has each path once: what is under several versions is the same.
func TestEachPathOnce(t *testing.T) {
	t.Parallel()
	var d struct{ Paths map[string]json.RawMessage }
	if err := json.Unmarshal(httpapi.Document(), &d); err != nil {
		t.Fatal(err)
	}
	for path := range d.Paths {
		for _, version := range []string{"v1", "v3", "v2024", "v2025", "v2026", "beta"} {
			if slices.Contains(strings.Split(path, "/"), version) {
				t.Errorf("%s: the path has a version", path)
			}
		}
	}
	if len(d.Paths) < 20 {
		t.Errorf("only %d paths were seen", len(d.Paths))
	}
}

// The document has the scopes and the user levels of the table of rights, and nothing else is open to everybody.
func TestScopesAndUserLevels(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for key, operation := range operations(own(t).Spec()) {
		if operation.Security != nil && len(*operation.Security) == 0 {
			if len(operation.Extensions) > 0 {
				t.Errorf("%s is open to everybody and demands %v", key, operation.Extensions)
			}
			continue
		}
		id := strings.TrimSuffix(strings.TrimSuffix(operation.OperationID, "V1"), "V2")
		seen[id] = true
		o := right.Of(id)
		if o == nil {
			t.Errorf("%s has no rights", id)
			continue
		}
		want := map[string]string{}
		want["x-scopes"], want["x-user-levels"] = demands(o.Grants)
		if o.Since2024 != nil {
			want["x-scopes-since-v2024"], want["x-user-levels-since-v2024"] = demands(o.Since2024)
		}
		got := map[string]string{}
		for name := range operation.Extensions {
			if name != "x-versions" {
				got[name] = words(operation, name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	for _, o := range right.Operations() {
		if !seen[o.ID] {
			t.Errorf("%s has rights, and is not in the document", o.ID)
		}
	}
}

// demands returns the scopes and the user levels of grants, each once and in their order.
func demands(grants []right.Grant) (scopes, levels string) {
	var allScopes, allLevels []string
	for _, grant := range grants {
		for _, scope := range grant.Scopes {
			if !slices.Contains(allScopes, scope) {
				allScopes = append(allScopes, scope)
			}
		}
		for _, level := range grant.Levels {
			if !slices.Contains(allLevels, string(level)) {
				allLevels = append(allLevels, string(level))
			}
		}
	}
	return strings.Join(allScopes, " "), strings.Join(allLevels, " ")
}

func words(o *openapi3.Operation, extension string) string {
	list, ok := o.Extensions[extension].([]any)
	if !ok {
		return "no " + extension
	}
	return strings.TrimSuffix(fmt.Sprintln(list...), "\n")
}

// isRequest reports whether a schema is sent by clients: such objects may have members that nobody knows. A document of
// the search has the members that the request asks for, and of the nested lists and attributes those of the tenant.
func isRequest(schema string) bool {
	return schema == "SearchDocument" || strings.HasSuffix(schema, "Request") || strings.HasSuffix(schema, "Input") || schema == "JsonPatchOperation"
}

// An example that lacks a member, or has one more, is refused: a schema that lets it through checks nothing.
func TestExamplesAreGoodAndOthersAreNot(t *testing.T) {
	t.Parallel()
	for name, ref := range own(t).Spec().Components.Schemas {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schema := ref.Value
			if schema.Example == nil {
				t.Fatal("there is no example")
			}
			if err := schema.VisitJSON(schema.Example); err != nil {
				t.Error(err)
			}
			if !schema.Type.Is("object") {
				return
			}
			example, ok := schema.Example.(map[string]any)
			if !ok {
				t.Fatalf("the example is %T", schema.Example)
			}
			for member := range schema.Properties {
				lacking := maps.Clone(example)
				delete(lacking, member)
				err := schema.VisitJSON(lacking)
				if required := slices.Contains(schema.Required, member); required == (err == nil) {
					t.Errorf("without %s: got %v, it is required: %t", member, err, required)
				}
			}
			more := maps.Clone(example)
			more["undocumented"] = true
			err := schema.VisitJSON(more)
			if request := isRequest(name); request != (err == nil) {
				t.Errorf("with a member more: got %v, it is a request: %t", err, request)
			}
		})
	}
}
