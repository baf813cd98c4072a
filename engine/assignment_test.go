package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

func TestAssignAndRevokeRole(t *testing.T) {
	t.Parallel()
	var c enginetest.Clock
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	c.Set(at)
	f := newFixtureWith(t, engine.Config{BatchSize: 3, Workers: 1, Now: c.Now})
	f.ApplyText(enginetest.Documents)
	f.ApplyText("roles: [{name: Lead, enabled: true}]")
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()

	ann, bob := f.Identity("ann").ID, f.Identity("bob").ID // Bob is long-term inactive: dates hold for him all the same
	ends := at.Add(36 * time.Hour)
	params := engine.AssignRoleParams{Identity: bob, Role: "lead", Assigner: ann, Comments: "asked for", RemoveDate: &ends}
	first, err := f.AssignRole(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if first.Role.Name != "Lead" || first.AssignmentSource != "ACCESS_REQUEST" || *first.Assigner.Name != "Ann Boss" ||
		first.Assigner.Type != "IDENTITY" || *first.Comments != "asked for" || !first.RemoveDate.Equal(ends) ||
		!first.AddedDate.Equal(at) || first.StartDate != nil {
		t.Errorf("got %+v, want first.Role.Name == \"Lead\" && first.AssignmentSource == \"ACCESS_REQUEST\" && *first.Assigner.Name == \"Ann Boss\" && first.Assigner.Type == \"IDENTITY\" && *first.Comments == \"asked for\" && first.RemoveDate.Equal(ends) && first.AddedDate.Equal(at) && first.StartDate == nil", first)
	}
	if open := f.requests(); open != 1 {
		t.Errorf("processing is requested for %d identities, want 1", open)
	}

	// Again: it is the same assignment with the new dates.
	starts := at.Add(time.Hour)
	params.StartDate, params.Assigner = &starts, ""
	second, err := f.AssignRole(t.Context(), params)
	if err != nil || second.ID != first.ID || !second.StartDate.Equal(starts) || second.Assigner.Type != "UNKNOWN" {
		t.Errorf("got %+v, %v, want err == nil && second.ID == first.ID && second.StartDate.Equal(starts) && second.Assigner.Type == \"UNKNOWN\"", second, err)
	}
	f.Process()
	got, err := f.RoleAssignments(t.Context(), bob, engine.RoleAssignmentQuery{RoleName: "LEAD"})
	if err != nil || len(got) != 1 || got[0].ID != first.ID {
		t.Errorf("got %+v, %v, want err == nil && len(got) == 1 && got[0].ID == first.ID", got, err)
	}
	if one, err := f.RoleAssignment(t.Context(), bob, first.ID); err != nil || one.ID != first.ID {
		t.Errorf("got %+v, %v, want err == nil && one.ID == first.ID", one, err)
	}

	// Between two slots, when its date has come, the assignment goes.
	c.Set(ends.Add(time.Minute))
	if _, err := f.RunSchedule(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Process()
	if got := f.members("Lead"); got != "" {
		t.Errorf("after the remove date the members are %q, want %q", got, "")
	}

	// Revoked.
	params.RemoveDate, params.StartDate = nil, nil
	if second, err = f.AssignRole(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	if err := f.RevokeRole(t.Context(), bob, second.ID); err != nil {
		t.Fatal(err)
	}
	demandKind(t, f.RevokeRole(t.Context(), bob, second.ID), engine.NotFound, "no role assignment with this ID")
	history, err := f.History(t.Context(), bob, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, event := range history {
		if event.Is(engine.EventRolesChanged) {
			for _, role := range append(event.Detail.Roles.Gained, event.Detail.Roles.Lost...) {
				told = append(told, role.Reason)
			}
		}
	}
	if got, want := strings.Join(told, "; "), "it was revoked; it was assigned by ACCESS_REQUEST; its remove date has come; "+
		"it was assigned by ACCESS_REQUEST"; got != want {
		t.Errorf("the history of the roles is %q, want %q", got, want)
	}
}

func TestAssignRoleFaults(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText("roles: [{name: Lead, enabled: true}, {name: Sales, enabled: true, membership: {type: STANDARD, criteria: " +
		"{operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: Sales}}}]")
	f.Process()
	bob, past, soon := f.Identity("bob").ID, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for _, test := range []struct {
		params engine.AssignRoleParams
		kind   engine.Kind
		text   string
	}{
		{engine.AssignRoleParams{Identity: "nobody", Role: "Lead"}, engine.NotFound, "no identity"},
		{engine.AssignRoleParams{Identity: strings.Repeat("0", 31) + "1", Role: "Lead"}, engine.NotFound, "no identity"},
		{engine.AssignRoleParams{Identity: bob, Role: "Chief"}, engine.NotFound, "no role"},
		{engine.AssignRoleParams{Identity: bob, Role: "Lead", Assigner: "x"}, engine.NotFound, "no identity"},
		{engine.AssignRoleParams{Identity: bob, Role: "Lead", RemoveDate: &past}, engine.Invalid, "has passed"},
		{engine.AssignRoleParams{Identity: bob, Role: "Lead", RemoveDate: &soon, StartDate: &soon}, engine.Invalid, "not after"},
		{engine.AssignRoleParams{Identity: bob, Role: "Lead", Source: "ROLE_MEMBERSHIP"}, engine.Invalid, "the engine gives"},
		{engine.AssignRoleParams{Identity: bob, Role: "Lead", Comments: "a\x00b"}, engine.Invalid, "NUL"},
	} {
		_, err := f.AssignRole(t.Context(), test.params)
		demandKind(t, err, test.kind, test.text)
	}
	dee := f.Identity("dee").ID
	got, err := f.RoleAssignments(t.Context(), dee, engine.RoleAssignmentQuery{})
	if err != nil || len(got) != 1 {
		t.Fatalf("got %+v and the error %v, want 1 of them", got, err)
	}
	demandKind(t, f.RevokeRole(t.Context(), dee, got[0].ID), engine.Conflict, "membership of the role")
	demandKind(t, f.RevokeRole(t.Context(), bob, got[0].ID), engine.NotFound, "no role assignment")
	if open := f.requests(); open != 0 {
		t.Errorf("what was refused requests the processing of %d identities, want 0", open)
	}
}

// setState is the error of setting a lifecycle state.
func setState(_ string, err error) error { return err }

func TestSetLifecycleState(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann := f.Identity("ann").ID
	for _, step := range []struct{ set, want, identityState string }{
		{"On LEAVE", "leave", "INACTIVE_LONG_TERM"}, // by its name
		{"inactive", "inactive", "INACTIVE_SHORT_TERM"},
	} {
		if _, err := f.SetLifecycleState(t.Context(), ann, step.set); err != nil {
			t.Fatal(err)
		}
		f.Process()
		got := f.Identity("ann")
		if s := got.LifecycleState; s == nil || s.StateName != step.want || !s.ManuallyUpdated ||
			got.Attributes.Get("cloudLifecycleState").Text() != step.want ||
			got.Attributes.Get("identityState").Text() != step.identityState {
			t.Errorf("got %s: %+v, want s != nil && s.StateName == step.want && s.ManuallyUpdated && got.Attributes.Get(\"cloudLifecycleState\").Text() == step.want && got.Attributes.Get(\"identityState\").Text() == step.identityState", step.set, got)
		}
	}
	// The source says what it said before, and the hand wins.
	f.AggregateText("HR", strings.Replace(enginetest.People, ",60,", ",61,", 1), engine.AggregateOptions{})
	f.Process()
	if s := f.Identity("ann").LifecycleState; s.StateName != "inactive" {
		t.Errorf("got %+v, want the state inactive", s)
	}
	// It says something else, and wins.
	f.AggregateText("HR", strings.Replace(enginetest.People, ",60,", ",60,active", 1), engine.AggregateOptions{})
	f.Process()
	if s := f.Identity("ann").LifecycleState; s.StateName != "active" || s.ManuallyUpdated {
		t.Errorf("got %+v, want the state active of the source", s)
	}
	if _, err := f.SetLifecycleState(t.Context(), ann, "leave"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SetLifecycleState(t.Context(), ann, ""); err != nil {
		t.Fatal(err)
	}
	f.Process()
	if s := f.Identity("ann").LifecycleState; s == nil || s.StateName != "active" || s.ManuallyUpdated {
		t.Errorf("left to itself it is %+v", s)
	}
	demandKind(t, setState(f.SetLifecycleState(t.Context(), ann, "gone")), engine.NotFound, "active, inactive, leave")
	demandKind(t, setState(f.SetLifecycleState(t.Context(), "nobody", "active")), engine.NotFound, "no identity")
}
