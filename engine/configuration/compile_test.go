package configuration_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// row returns the row of an object with a number for its ID.
func row(n byte, name, document string) store.Object {
	return store.Object{ID: store.ID{n}, Name: name, Document: []byte(document)}
}

// sampleRows are the rows of a source with a policy, a profile with two states, an access profile and a role.
func sampleRows() store.Configuration {
	return store.Configuration{
		Sources: []store.Object{row(1, "Directory", `{"name":"Directory","connector":"files",
			"schemas":[{"name":"account","identityAttribute":"login","attributes":[{"name":"login"},
				{"name":"groups","isMulti":true,"isEntitlement":true,"schema":{"name":"group"}},
				{"name":"rights","isMulti":true,"isEntitlement":true,"schema":{"name":"right"}}]}],
			"accountCorrelationConfig":{"attributeAssignments":[{"property":"uid","value":"login"}]},
			"schedules":[{"type":"OTHER","cronExpression":"x"},
				{"type":"ACCOUNT_AGGREGATION","cronExpression":"0 5 * * *"}],
			"attributeSyncConfig":{"attributes":[{"name":"email","target":"mail","enabled":true}]},
			"provisioningPolicies":[{"name":"Account","usageType":"CREATE","fields":[
				{"name":"mail","transform":{"type":"identityAttribute","attributes":{"name":"email"}}},
				{"name":"login","transform":{"type":"identityAttribute","attributes":{"name":"uid"}}},
				{"name":"kind","transform":{"type":"static","attributes":{"value":"user"}}}]}]}`)},
		Profiles: []store.Profile{{Object: row(2, "Employees", `{"name":"Employees","identityAttributeConfig":
			{"attributeTransforms":[{"identityAttributeName":"uid","transformDefinition":
			{"type":"accountAttribute","attributes":{"sourceName":"Directory","attributeName":"login"}}}]}}`),
			AuthoritativeSourceID: store.ID{1}}},
		LifecycleStates: []store.LifecycleState{{ID: store.ID{3}, ProfileID: store.ID{2}, TechnicalName: "gone",
			Document: []byte(`{"name":"Gone away","technicalName":"gone","accountActions":[
				{"action":"ACTION","sourceIds":["directory"]}]}`)}},
		AccessProfiles: []store.Object{row(4, "CRM", `{"name":"CRM","source":{"name":"DIRECTORY"},
			"entitlements":[{"attribute":"groups","value":"crm"}]}`)},
		Roles: []store.Role{{ID: store.ID{5}, Name: "Seller", Document: []byte(
			`{"name":"Seller","enabled":true,"accessProfiles":[{"name":"crm"}]}`)}},
	}
}

func compile(t *testing.T, rows store.Configuration) *configuration.Configuration {
	t.Helper()
	rows.LifecycleStates = slices.Clone(rows.LifecycleStates)
	for i := range rows.LifecycleStates {
		text := strings.Replace(string(rows.LifecycleStates[i].Document), "ACTION", "DISABLE", 1)
		rows.LifecycleStates[i].Document = []byte(text)
	}
	c, err := configuration.Compile(rows, nil, func(name string) bool { return name == "files" })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLookUps(t *testing.T) {
	c := compile(t, sampleRows())
	for _, text := range []string{"Directory", "dIRECTORY", store.ID{1}.String()} {
		if s := c.SourceByName(text); s == nil || s.RowID != (store.ID{1}) {
			t.Errorf("the source %q is %+v", text, s)
		}
	}
	for _, text := range []string{"Employees", "employees", store.ID{2}.String()} {
		if p := c.ProfileByName(text); p == nil || p.RowID != (store.ID{2}) {
			t.Errorf("the profile %q is %+v", text, p)
		}
	}
	for _, text := range []string{"Seller", "SELLER", store.ID{5}.String()} {
		if r := c.RoleByName(text); r == nil || r.RowID != (store.ID{5}) {
			t.Errorf("the role %q is %+v", text, r)
		}
	}
	p := c.ProfileByID(store.ID{2})
	for text, want := range map[string]string{"gone": "gone", "gone AWAY": "gone", store.ID{3}.String(): "gone",
		"active": "active", "GONE": "", "nowhere": ""} {
		if got := p.StateByName(text); got != want {
			t.Errorf("the state %q is %q, want %q", text, got, want)
		}
	}
	if got, want := p.StateNames(), []string{"active", "gone", "inactive"}; !slices.Equal(got, want) {
		t.Errorf("the states are %q, want %q", got, want)
	}
	for _, text := range []string{"", "nobody", store.ID{9}.String()} {
		if c.SourceByName(text) != nil || c.ProfileByName(text) != nil || c.RoleByName(text) != nil {
			t.Errorf("%q finds something", text)
		}
	}
	if got := c.ProfileName(store.ID{9}); got != "" || c.ProfileByID(store.ID{9}) != nil {
		t.Errorf("a profile that does not exist has the name %q", got)
	}
	if err := c.NoSource("op", "x"); !strings.Contains(err.Error(), `the sources are "Directory"`) {
		t.Errorf("the error is %v, want one with the sources", err)
	}
}

func TestCompiledSource(t *testing.T) {
	s := compile(t, sampleRows()).SourceByName("Directory")
	if schema := s.AccountSchema(); schema == nil || schema.IdentityAttribute != "login" {
		t.Errorf("the schema is %+v", schema)
	}
	for object, want := range map[string][]string{"": {"groups", "rights"}, "group": {"groups"}, "other": nil} {
		if got := s.Entitling(object); !slices.Equal(got, want) {
			t.Errorf("the entitlement attributes for %q are %q, want %q", object, got, want)
		}
	}
	if got := s.Schedule(); got != "0 5 * * *" {
		t.Errorf("the schedule is %q", got)
	}
	if got := s.Assignments(); len(got) != 1 || got[0].Property != "uid" {
		t.Errorf("the correlation is %+v", got)
	}
	if s.ProfileID != (store.ID{2}) {
		t.Errorf("the source is authoritative for %s, want the profile", s.ProfileID)
	}
	want := []configuration.AttributeSync{{Name: "email", Target: "mail", Enabled: true}, {Name: "uid", Target: "login"}}
	if got, err := s.SyncAttributes(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("what can be synchronized is %+v, %v, want %+v", got, err, want)
	}
}

func TestAccessIsCompiled(t *testing.T) {
	c := compile(t, sampleRows())
	want := []refresh.Grant{{Entitlement: refresh.Entitlement{SourceID: store.ID{1}, Attribute: "groups", Value: "crm"},
		Profile: store.ID{4}, ProfileName: "CRM"}}
	if got := c.RoleAccess(store.ID{5}); !reflect.DeepEqual(got, want) {
		t.Errorf("the role grants %+v, want %+v", got, want)
	}
	if got := c.StateAccess(store.ID{2})["gone"].Actions[store.ID{1}]; got != connector.Disable {
		t.Errorf("the state does %q, want %q", got, connector.Disable)
	}
	if c.RoleAccess(store.ID{9}) != nil || c.StateAccess(store.ID{9}) != nil {
		t.Error("what does not exist grants something")
	}
	rows := sampleRows()
	rows.LifecycleStates, rows.Roles = nil, nil
	rows.Sources[0].Document = []byte(`{"name":"Directory","schemas":[{"name":"account","attributes":[
		{"name":"groups","isEntitlement":true}]}]}`)
	if c := compile(t, rows); !c.Refresh.Access.Idle {
		t.Error("there is something to plan where nothing is granted")
	}
}

// TestEveryKindIsAnActionOrRefused goes over all kinds of operations: what a document can ask for must be an action that
// engine/refresh carries out, and all else is refused.
func TestEveryKindIsAnActionOrRefused(t *testing.T) {
	for _, kind := range append(connector.Kinds(), "PAINT") {
		rows := sampleRows()
		rows.LifecycleStates[0].Document = []byte(strings.Replace(string(rows.LifecycleStates[0].Document), "ACTION",
			string(kind), 1))
		c, err := configuration.Compile(rows, nil, func(string) bool { return true })
		if err != nil {
			if !strings.Contains(err.Error(), fmt.Sprintf("%q is unknown: ENABLE, DISABLE and DELETE are known", kind)) {
				t.Errorf("%s is refused by %v", kind, err)
			}
			continue
		}
		var s refresh.Snapshot
		s.Identity.LifecycleManual, s.Identity.LifecycleState = true, "gone"
		account, err := c.Account(&store.Account{ID: store.ID{7}, SourceID: store.ID{1}, NativeIdentity: "ann",
			Attributes: []byte(`{"login":"ann"}`)}, &s.Identity.Attributes)
		if err != nil {
			t.Fatal(err)
		}
		s.Accounts = []refresh.Account{account}
		refresh.Calculate(&s, &c.Refresh, time.Unix(0, 0)) // panics for an action that it does not know
	}
}

func TestCompileNamesWhatDoesNotFit(t *testing.T) {
	for want, change := range map[string]func(*store.Configuration){
		`access profile "CRM": source: there is no source "DIRECTORY"`: func(rows *store.Configuration) {
			rows.Sources[0] = row(1, "Other", `{"name":"Other"}`)
		},
		`role "Seller": accessProfiles[0]: there is no access profile "crm"`: func(rows *store.Configuration) {
			rows.AccessProfiles = nil
		},
		`"Employees": priority: a string is given where a whole number is expected`: func(rows *store.Configuration) {
			rows.Profiles[0].Document = []byte(`{"priority":"x"}`)
		},
	} {
		rows := sampleRows()
		rows.LifecycleStates = nil
		change(&rows)
		_, err := configuration.Compile(rows, nil, func(string) bool { return true })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{{"Ünal", 4, "Ünal"}, {"Ünal", 2, "Ün…"}, {"", 0, ""}, {"a", 0, "…"}} {
		if got := configuration.Shorten(test.text, test.limit); got != test.want {
			t.Errorf("Shorten(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}

func TestListOrNone(t *testing.T) {
	if got := configuration.ListOrNone(nil); got != "none yet" {
		t.Errorf("no names are %q", got)
	}
	if got := configuration.ListOrNone([]string{"a", "b"}); got != "a, b" {
		t.Errorf("two names are %q", got)
	}
}
