package wire_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
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
		list   = "200 400 401 403 405 429 500 503"
		one    = "200 400 401 403 404 405 429 500 503"
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
		"POST /identities/{id}/verification/account/send":              "sendIdentityVerificationAccountToken 200 400 401 403 404 405 413 429 500 503",
		"POST /identities/invite":                                      "startIdentitiesInvite 202 400 401 403 404 405 413 429 500 503",
		"POST /identities/process":                                     "startIdentityProcessing 202 400 401 403 404 405 413 429 500 503",
		"POST /identities/{identityId}/synchronize-attributes":         "synchronizeAttributesForIdentity 202 400 401 403 404 405 429 500 503",
		"GET /task-status":                                             "getTaskStatusList " + list,
		"GET /task-status/{id}":                                        "getTaskStatus " + one,
	}
	for key, value := range maps.Clone(want) {
		id, rest, _ := strings.Cut(value, " ")
		want[twin(key)] = id + "V1 " + rest
	}
	want["GET /healthz"] = "getHealth " + server
	want["GET /readyz"] = "getReadiness " + server + " 503"
	want["GET /openapi.json"] = "getDocument " + server
	want["POST /oauth/token"] = "getToken 200 400 401 404 405 413 429 500 503"
	got := map[string]string{}
	for key, operation := range operations(own(t).Spec()) {
		got[key] = operation.OperationID + " " + statuses(operation)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
}

// twin returns the path with the version behind the resource.
func twin(path string) string {
	for _, resource := range []string{"/identities", "/task-status"} {
		path = strings.Replace(path, " "+resource, " "+resource+"/v1", 1)
	}
	return path
}

func TestTwinsDifferInNothingElse(t *testing.T) {
	t.Parallel()
	spec := own(t).Spec()
	all := operations(spec)
	seen := 0
	for key, operation := range all {
		other := all[twin(key)]
		if other == nil || twin(key) == key {
			continue
		}
		seen++
		copied := *other
		copied.OperationID = strings.TrimSuffix(other.OperationID, "V1")
		if diff := cmp.Diff(asJSON(t, operation), asJSON(t, copied)); diff != "" {
			t.Errorf("%s and its twin (-first +second):\n%s", key, diff)
		}
		_, path, _ := strings.Cut(key, " ")
		_, twinPath, _ := strings.Cut(twin(key), " ")
		item, twinItem := spec.Paths.Value(path), spec.Paths.Value(twinPath)
		if diff := cmp.Diff(asJSON(t, item.Parameters), asJSON(t, twinItem.Parameters)); diff != "" {
			t.Errorf("%s: the parameters of the path (-first +second):\n%s", key, diff)
		}
		if len(twinItem.Servers) != 1 || twinItem.Servers[0].URL != "/" {
			t.Errorf("%s: the twin's server is not the root", key)
		}
	}
	if seen != 13 {
		t.Errorf("%d operations have a twin, want 13", seen)
	}
}

func asJSON(t *testing.T, value any) any {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var read any
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestScopesAndUserLevels(t *testing.T) {
	t.Parallel()
	const (
		staff = "ORG_ADMIN HELPDESK"
		read  = "idn:identity:read idn:identity:manage"
		roles = "idn:identity:read idn:identity-direct-report:read idn:identity:manage"
		tasks = "idn:task-management:read; " + staff + " CERT_ADMIN REPORT_ADMIN ROLE_ADMIN ROLE_SUBADMIN SOURCE_ADMIN SOURCE_SUBADMIN"
	)
	want := map[string]string{
		"listIdentities":                       read + "; ",
		"getIdentity":                          read + "; ",
		"deleteIdentity":                       "idn:identity:manage; ",
		"getIdentityOwnershipDetails":          "idn:identity:read; ",
		"getRoleAssignments":                   roles + "; ",
		"getRoleAssignment":                    roles + "; ",
		"resetIdentity":                        "idn:identity:update; ",
		"sendIdentityVerificationAccountToken": "idn:password:user-invite; " + staff,
		"startIdentitiesInvite":                "sp:scopes:all; " + staff,
		"startIdentityProcessing":              "idn:identity:process idn:identity:manage; " + staff,
		"synchronizeAttributesForIdentity":     "sp:scopes:all; ORG_ADMIN API",
		"getTaskStatusList":                    tasks,
		"getTaskStatus":                        tasks,
	}
	got := map[string]string{}
	for key, operation := range operations(own(t).Spec()) {
		if operation.Security != nil && len(*operation.Security) == 0 {
			if len(operation.Extensions) > 0 {
				t.Errorf("%s is open to everybody and demands %v", key, operation.Extensions)
			}
			continue
		}
		got[strings.TrimSuffix(operation.OperationID, "V1")] = words(operation, "x-scopes") + "; " +
			words(operation, "x-user-levels")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scopes and levels (-want +got):\n%s", diff)
	}
}

func words(o *openapi3.Operation, extension string) string {
	list, ok := o.Extensions[extension].([]any)
	if !ok {
		return "no " + extension
	}
	return strings.TrimSuffix(fmt.Sprintln(list...), "\n")
}

// requestSchemas are sent by clients: they may have members that nobody knows.
var requestSchemas = []string{"InviteIdentitiesRequest", "ProcessIdentitiesRequest", "SendAccountVerificationRequest",
	"TokenRequest"}

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
			if request := slices.Contains(requestSchemas, name); request != (err == nil) {
				t.Errorf("with a member more: got %v, it is a request: %t", err, request)
			}
		})
	}
}

// What the engine's types give is what the document has: every member, and null where it may be.
func TestEngineTypesFit(t *testing.T) {
	t.Parallel()
	const id = "0197a3c2f0b87d3e9a41c6d2e5f70812"
	at := time.Date(2026, 11, 25, 9, 30, 0, 123456000, time.UTC)
	text := "text"
	ok, success, person := "OK", "SUCCESS", "IDENTITY"
	role := engine.Reference{Type: "ROLE", ID: id, Name: "Clerk"}
	profile := engine.Reference{Type: "ACCESS_PROFILE", ID: id, Name: "Access"}
	var attributes attribute.Set
	attributes.Put("costCentres", attribute.List([]string{"1", "2"}))
	attributes.Put("phone", attribute.Null)
	tests := []struct {
		name, schema string
		value        any
	}{
		{"least identity", "Identity", engine.Identity{ID: id, IdentityStatus: "UNREGISTERED"}},
		{"full identity", "Identity", engine.Identity{ID: id, Name: text, Created: at, Modified: at, Alias: text,
			EmailAddress: &text, ProcessingState: &ok, IdentityStatus: "ACTIVE", LastRefresh: &at, IsManager: true,
			ManagerRef: &engine.IdentityReference{Type: "IDENTITY", ID: id, Name: text}, Attributes: attributes,
			LifecycleState: &engine.LifecycleStateRef{StateName: "active"}}},
		{"least assignment", "RoleAssignmentDto", engine.RoleAssignment{ID: id, Role: role, AddedDate: at,
			Assigner: &engine.AssignerReference{Type: "UNKNOWN"}, AssignedDimensions: []engine.Reference{},
			AccountTargets: []engine.RoleAccountTarget{}}},
		{"full assignment", "RoleAssignmentDto", engine.RoleAssignment{ID: id, Role: role, Comments: &text,
			AssignmentSource: "ACCESS_REQUEST", AssignedDimensions: []engine.Reference{role}, AddedDate: at,
			Assigner:          &engine.AssignerReference{Type: "IDENTITY", ID: id, Name: &text},
			AssignmentContext: map[string]any{"computedDate": text}, StartDate: &at, RemoveDate: &at,
			AccountTargets: []engine.RoleAccountTarget{
				{Source: role, AccountInfo: engine.AccountInfo{UUID: id}, Role: &profile},
				{Source: role, AccountInfo: engine.AccountInfo{UUID: id}}}}},
		{"association", "IdentityAssociation", engine.Association{AssociationType: "ROLE_OWNER",
			Entities: []engine.AssociationEntity{{IdentityEntity: role},
				{IdentityEntity: engine.Reference{Type: "CAMPAIGN", ID: "4711"}}}}},
		{"least task", "TaskStatus", engine.TaskStatus{ID: id, Type: "QUEUED_TASK", Created: at,
			Messages: []engine.TaskStatusMessage{}, Returns: []engine.TaskReturn{},
			TaskDefinitionSummary: &engine.TaskDefinitionSummary{Arguments: map[string]any{}}}},
		{"full task", "TaskStatus", engine.TaskStatus{ID: id, Type: "QUEUED_TASK", UniqueName: text, Description: text,
			ParentName: &text, Launcher: text, Target: &engine.TaskTarget{ID: id, Type: &person}, Created: at,
			Modified: &at, Launched: &at, Completed: &at, CompletionStatus: &success, Progress: &text,
			Messages: []engine.TaskStatusMessage{{Type: "WARN", Key: text, Parameters: []any{id},
				LocalizedText: &engine.LocalizedText{Locale: "en-US", Message: text}}},
			Returns:    []engine.TaskReturn{{Name: text, AttributeName: text}},
			Attributes: engine.TaskAttributes{Held: text}, PercentComplete: 100,
			TaskDefinitionSummary: &engine.TaskDefinitionSummary{Description: &text, Executor: &text,
				Arguments: map[string]any{}}}},
		{"synchronization", "IdentitySyncJob", engine.IdentitySyncJob{ID: id, Status: "QUEUED"}},
	}
	schemas := own(t).Spec().Components.Schemas
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := schemas[test.schema].Value.VisitJSON(asJSON(t, test.value)); err != nil {
				t.Error(err)
			}
		})
	}
}
