package httpapi

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
)

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
	schemas := wire.Load(t, Document()).Spec().Components.Schemas
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := schemas[test.schema].Value.VisitJSON(asJSON(t, shaped(test.value))); err != nil {
				t.Error(err)
			}
		})
	}
}

// shaped gives a value of the engine the shape in which it is sent.
func shaped(value any) any {
	switch v := value.(type) {
	case engine.Identity:
		return shapeIdentity(&v)
	case engine.RoleAssignment:
		return shapeAssignment(&v)
	case engine.RoleAssignmentRef:
		return shapeAssignmentRef(&v)
	case engine.TaskStatus:
		return shapeTask(&v)
	}
	return value
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

// A time has three digits and a Z, whatever its own digits and its zone are; none is left out or doubled beside.
func TestTimestamps(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 2*60*60)
	for want, at := range map[string]time.Time{
		"2026-11-25T09:30:00.000Z": time.Date(2026, 11, 25, 11, 30, 0, 0, zone),
		"2026-11-25T09:30:00.120Z": time.Date(2026, 11, 25, 9, 30, 0, 120_000_000, time.UTC),
		"2026-11-25T09:30:00.999Z": time.Date(2026, 11, 25, 9, 30, 0, 999_999_999, time.UTC),
	} {
		for _, value := range []any{
			engine.Identity{Created: at, Modified: at, LastRefresh: &at},
			engine.RoleAssignment{AddedDate: at, StartDate: &at, RemoveDate: &at},
			engine.RoleAssignmentRef{AddedDate: at, StartDate: &at, RemoveDate: &at},
			engine.TaskStatus{Created: at, Modified: &at, Launched: &at, Completed: &at},
		} {
			members := asJSON(t, shaped(value)).(map[string]any)
			seen := 0
			for _, name := range []string{"created", "modified", "lastRefresh", "addedDate", "startDate", "removeDate",
				"launched", "completed"} {
				got, there := members[name]
				if !there {
					continue
				}
				seen++
				if got != want {
					t.Errorf("%T: %s is %v, want %s", value, name, got, want)
				}
			}
			if seen < 3 {
				t.Errorf("%T has %d times", value, seen)
			}
		}
	}
}
