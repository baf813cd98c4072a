package event

import (
	"encoding/json"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// TestDetails compares each detail with its published form, which readers of the history rely on.
func TestDetails(t *testing.T) {
	hr := configuration.Reference{Type: "SOURCE", ID: "1", Name: "HR"}
	for _, test := range []struct {
		name   string
		detail any
		want   string
	}{
		{"roles", Roles{Gained: []Role{{"1", "Seller", "r"}}, Lost: []Role{}},
			`{"gained":[{"id":"1","name":"Seller","reason":"r"}],"lost":[]}`},
		{"attributes", AttributesOf([]refresh.AttributeChange{{Name: "email", To: attribute.String("a@x")}}),
			`{"changes":[{"attribute":"email","oldValue":null,"newValue":"a@x"}]}`},
		{"no state", States{LifecycleState: Changed("active", "active")}, `{}`},
		{"states", States{LifecycleState: Changed("", "active"), Correlated: Changed("true", "false"), Manager: Changed("1", "")},
			`{"lifecycleState":{"oldValue":null,"newValue":"active"},"manager":{"oldValue":"1","newValue":null},` +
				`"correlated":{"oldValue":"true","newValue":"false"}}`},
		{"provisioned without a target", Provisioned{Operation: "CREATE", Source: hr, NativeIdentity: "ann", Reason: "r"},
			`{"operation":"CREATE","source":{"type":"SOURCE","id":"1","name":"HR"},"nativeIdentity":"ann","reason":"r"}`},
		{"deleted", Deleted{Identity: hr, Attributes: attribute.SetOf(map[string]attribute.Value{"a": attribute.Int(1)})},
			`{"identity":{"type":"SOURCE","id":"1","name":"HR"},"attributes":{"a":1}}`},
	} {
		got, err := json.Marshal(test.detail)
		if err != nil || string(got) != test.want {
			t.Errorf("%s: %s, %v, want %s", test.name, got, err, test.want)
		}
	}
}

func TestAppend(t *testing.T) {
	first, err := Append(nil, store.ID{1}, TypeRolesChanged, Roles{})
	if err != nil {
		t.Fatal(err)
	}
	events, err := Append(first, store.ID{2}, TypeProvisioned, Provisioned{Reason: "r"})
	if err != nil || len(events) != 2 {
		t.Fatalf("there are %d events, %v, want 2", len(events), err)
	}
	if got := events[1]; got.IdentityID != (store.ID{2}) || got.Type != TypeProvisioned || len(got.Detail) == 0 {
		t.Errorf("the event is %+v", got)
	}
	if _, err := Append(nil, store.ID{1}, TypeCreated, func() {}); err == nil {
		t.Error("a detail that is no JSON is accepted")
	}
}
