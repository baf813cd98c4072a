package event

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// details have one member each, by its type, with its published form, which readers of the history rely on.
var details = []struct {
	kind   string
	detail Detail
	want   string
}{
	{TypeCreated, Detail{Created: &Created{"1", "2"}}, `{"created":{"accountId":"1","sourceId":"2"}}`},
	{TypeAttributesChanged, Detail{Attributes: AttributesOf([]refresh.AttributeChange{{Name: "email", To: attribute.String("a@x")}})},
		`{"attributes":[{"attribute":"email","newValue":"a@x"}]}`},
	{TypeRolesChanged, Detail{Roles: &Roles{Gained: []Role{{"1", "Seller", "r"}}, Lost: []Role{}}},
		`{"roles":{"gained":[{"id":"1","name":"Seller","reason":"r"}],"lost":[]}}`},
	{TypeStateChanged, Detail{States: &States{LifecycleState: Changed("", "active"), Correlated: Changed("true", "false"), Manager: Changed("1", "")}},
		`{"states":{"lifecycleState":{"newValue":"active"},"manager":{"oldValue":"1"},` +
			`"correlated":{"oldValue":"true","newValue":"false"}}}`},
	{TypeLifecycleStateSet, Detail{LifecycleState: &LifecycleState{}}, `{"lifecycleState":{"state":null}}`},
	{TypeProvisioned, Detail{Provisioned: []Provisioned{{Operation: "CREATE", Source: hr, NativeIdentity: "ann", Reason: "r"}}},
		`{"provisioned":[{"operation":"CREATE","source":{"type":"SOURCE","id":"1","name":"HR"},"nativeIdentity":"ann","reason":"r"}]}`},
	{TypeOperationParked, Detail{Parked: []Operation{{ID: "1", Operation: "CREATE", Source: hr, Cause: "c"}}},
		`{"parked":[{"id":"1","operation":"CREATE","source":{"type":"SOURCE","id":"1","name":"HR"},"cause":"c"}]}`},
	{TypeOperationReleased, Detail{Released: []Operation{{ID: "1", Operation: "ADD_ENTITLEMENT", Source: hr, NativeIdentity: "ann", Attribute: "a", Value: "v", Cause: "c"}}},
		`{"released":[{"id":"1","operation":"ADD_ENTITLEMENT","source":{"type":"SOURCE","id":"1","name":"HR"},"nativeIdentity":"ann","attribute":"a","value":"v","cause":"c"}]}`},
	{TypeProtectionChanged, Detail{Protection: &Protection{}}, `{"protection":{"protected":false}}`},
	{TypeUserLevelsChanged, Detail{UserLevels: LevelsChanged(nil, []string{"ADMIN"})}, `{"userLevels":{"oldValue":[],"newValue":["ADMIN"]}}`},
	{TypeAccountsChanged, Detail{Accounts: &Accounts{[]Account{{"2", hr, true}}, []Account{}, []Account{}}},
		`{"accounts":{"gained":[{"id":"2","source":{"type":"SOURCE","id":"1","name":"HR"},"manuallyCorrelated":true}],"lost":[],"kept":[]}}`},
	{TypeAccountDemanded, Detail{Demanded: []Demanded{{Operation: "ENABLE", Account: "2", Source: hr, NativeIdentity: "ann", Forced: true}}},
		`{"demanded":[{"operation":"ENABLE","account":"2","source":{"type":"SOURCE","id":"1","name":"HR"},"nativeIdentity":"ann","forced":true}]}`},
	{TypeOwnershipChanged, Detail{Ownership: OwnershipOf([]configuration.Reference{hr}, nil)},
		`{"ownership":{"gained":[{"type":"SOURCE","id":"1","name":"HR"}],"lost":[],"gainedCount":1,"lostCount":0}}`},
	{TypeInvited, Detail{Invited: &Invited{"1"}}, `{"invited":{"message":"1"}}`},
	{TypeRegistered, Detail{Registered: &Registered{Changed("PENDING", "REGISTERED")}},
		`{"registered":{"cloudStatus":{"oldValue":"PENDING","newValue":"REGISTERED"}}}`},
	{TypeReset, Detail{Reset: &Reset{UserLevels: LevelsChanged([]string{"ADMIN"}, nil)}},
		`{"reset":{"userLevels":{"oldValue":["ADMIN"],"newValue":[]}}}`},
	{TypeVerificationRequested, Detail{VerificationRequested: &VerificationRequested{Message: "1", Via: "LINK_WORK"}},
		`{"verificationRequested":{"message":"1","via":"LINK_WORK"}}`},
	{TypeVerified, Detail{Verified: &Verified{}}, `{"verified":{}}`},
	{TypeDeleted, Detail{Deleted: &Deleted{hr, attribute.SetOf(map[string]attribute.Value{"a": attribute.Int(1)})}},
		`{"deleted":{"identity":{"type":"SOURCE","id":"1","name":"HR"},"attributes":{"a":1}}}`},
}

var hr = configuration.Reference{Type: "SOURCE", ID: "1", Name: "HR"}

// TestDetails compares each detail with its published form, and reads it back. There is one for each type, and each type
// is documented and has an index.
func TestDetails(t *testing.T) {
	var kinds []string
	for _, test := range details {
		kinds = append(kinds, test.kind)
		events, err := Append(nil, store.ID{1}, &test.detail)
		if err != nil || len(events) != 1 || string(events[0].Detail) != test.want || !slices.Equal(events[0].Types, []string{test.kind}) {
			t.Errorf("%s: %s, %v, want %s", test.kind, events, err, test.want)
			continue
		}
		back, err := Decode(events[0].Detail)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(back); err != nil || string(again) != test.want {
			t.Errorf("%s is read as %s, %v", test.want, again, err)
		}
	}
	if diff := cmp.Diff(Types(), kinds); diff != "" {
		t.Error(diff)
	}
	if members := reflect.TypeFor[Detail]().NumField(); members != len(kinds) {
		t.Errorf("a detail has %d members for %d types", members, len(kinds))
	}
	for _, file := range []struct{ name, part string }{
		{"doc.go", "//\t%s "}, {"../../../docs/processing.md", "| `%s` |"},
		{"../../../migrations/*.sql", "WHERE '%s' = ANY (types)"},
	} {
		names, err := filepath.Glob(file.name)
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		var text []byte
		for _, name := range names {
			part, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, part...)
		}
		for _, kind := range kinds {
			if !strings.Contains(string(text), strings.Replace(file.part, "%s", kind, 1)) {
				t.Errorf("%s has no %s", file.name, kind)
			}
		}
	}
}

func TestAppend(t *testing.T) {
	both := Detail{States: &States{Correlated: Changed("true", "false")}, Attributes: []AttributeChange{{Attribute: "a"}}}
	events, err := Append(nil, store.ID{1}, &both)
	if err != nil || len(events) != 1 {
		t.Fatalf("there are %d events, %v, want 1", len(events), err)
	}
	if want := []string{TypeAttributesChanged, TypeStateChanged}; !slices.Equal(events[0].Types, want) {
		t.Errorf("the types are %q, want %q", events[0].Types, want)
	}
	if events, err := Append(nil, store.ID{1}, &Detail{}); err != nil || len(events) > 0 {
		t.Errorf("got %+v and the error %v of a detail without members, want none", events, err)
	}
	if Changed("a", "a") != nil || LevelsChanged([]string{}, nil) != nil || OwnershipOf(nil, nil) != nil {
		t.Error("what did not change is a change")
	}
	many := OwnershipOf(make([]configuration.Reference, OwnedMax+1), nil)
	if len(many.Gained) != OwnedMax || many.GainedCount != OwnedMax+1 {
		t.Errorf("%d objects of %d are named", len(many.Gained), many.GainedCount)
	}
}
