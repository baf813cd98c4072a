package refresh

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/transform"
)

var (
	crm    = ID{1}
	seller = ID{2}
	staff  = ID{3} // a profile
)

func grant(value string, choice *AccountChoice) Grant {
	return Grant{Entitlement: Entitlement{crm, "groups", value}, Choice: choice, ProfileName: "P"}
}

// plan is a configuration with one role, two states and one source.
func plan(grants ...Grant) *Configuration {
	return &Configuration{Access: &Access{
		Roles: map[ID]RoleAccess{seller: {Name: "Seller", Grants: grants}},
		States: map[ID]map[string]StateAccess{staff: {
			"gone":   {Actions: map[ID]connector.Kind{crm: connector.Delete}},
			"locked": {Actions: map[ID]connector.Kind{crm: connector.Disable}, RemoveAll: true},
			"active": {Actions: map[ID]connector.Kind{crm: connector.Enable}},
		}},
		Sources: map[ID]*TargetSource{crm: {ID: crm, Name: "CRM", Entitling: []string{"groups"}, Status: "active",
			Enabled: "true", Disabled: "false", Policy: []PolicyField{
				{Name: "login", Required: true, Transform: fixed{attribute.String("ann")}}, {Name: "pin", Secret: true},
			}, Sync: []SyncAttribute{{"email", "mail"}}}},
	}}
}

// fixed is a transform with one value.
type fixed struct{ value attribute.Value }

func (f fixed) EvaluateUntil(*transform.Input) (attribute.Value, time.Time, error) {
	return f.value, time.Time{}, nil
}

func (f fixed) Trace(*transform.Input) (attribute.Value, []transform.Step, error) {
	return f.value, nil, nil
}

func userAccount(n byte, values map[string]attribute.Value) Account {
	attributes := attribute.SetOf(values)
	return Account{RowID: ID{10, n}, SourceID: crm, Account: transform.Account{NativeIdentity: fmt.Sprintf("a%d", n),
		Attributes: &attributes}}
}

func groupsOf(values ...string) map[string]attribute.Value {
	return map[string]attribute.Value{"groups": attribute.List(values), "active": attribute.Bool(true)}
}

// planned plans and returns the operations as texts.
func planned(c *Configuration, s *Snapshot, state string, profile *Profile) (*Change, string) {
	after := s.Identity
	after.LifecycleState = state
	change := &Change{Before: &s.Identity, After: &after}
	change.planAccess(s, c, profile, now)
	var texts []string
	for i := range change.Access.Open {
		o := &change.Access.Open[i]
		text := string(o.Kind) + " " + o.NativeIdentity
		for name, value := range o.Attributes.All() {
			text += " " + name + "=" + value.Text()
		}
		texts = append(texts, text)
	}
	return change, strings.Join(texts, "; ")
}

func TestPlanAccess(t *testing.T) {
	has := []Assignment{{ID: ID{4}, RoleID: seller}}
	later := []Assignment{{ID: ID{4}, RoleID: seller, StartDate: now.Add(time.Minute)}}
	held := []Held{{Entitlement{crm, "groups", "sales"}, ID{10, 1}}}
	equals := &AccountChoice{Operation: "EQUALS", Attribute: "kind", Value: "ADMIN"}
	admin := map[string]attribute.Value{"kind": attribute.String("admin")}
	for _, test := range []struct {
		name    string
		grants  []Grant
		s       Snapshot
		state   string
		want    string
		warning string
	}{
		{name: "nothing to do", s: Snapshot{Accounts: []Account{userAccount(1, groupsOf("x"))}}},
		{"an account first", []Grant{grant("sales", nil), grant("crm", nil)}, Snapshot{Assignments: has}, "", "CREATE  login=ann", ""},
		{"what the account lacks", []Grant{grant("sales", nil), grant("crm", nil)},
			Snapshot{Assignments: has, Accounts: []Account{userAccount(1, groupsOf("crm"))}}, "", "ADD_ENTITLEMENT a1 groups=sales", ""},
		{"a role that begins later", []Grant{grant("sales", nil)}, Snapshot{Assignments: later}, "", "", ""},
		{"what was given goes, what was there stays", nil,
			Snapshot{Accounts: []Account{userAccount(1, groupsOf("sales", "crm"))}, Grants: held}, "", "REMOVE_ENTITLEMENT a1 groups=sales", ""},
		{"given to another account than the one that has it now", nil,
			Snapshot{Accounts: []Account{userAccount(2, groupsOf("sales"))}, Grants: held}, "", "", ""},
		{"the account that the criteria choose", []Grant{grant("sales", equals)},
			Snapshot{Assignments: has, Accounts: []Account{userAccount(1, nil), userAccount(2, admin)}}, "", "ADD_ENTITLEMENT a2 groups=sales", ""},
		{"no account that they choose", []Grant{grant("sales", equals)},
			Snapshot{Assignments: has, Accounts: []Account{userAccount(1, nil)}}, "", "", "no account on \"CRM\" fits"},
		{"deleted, and nothing else", []Grant{grant("sales", nil)},
			Snapshot{Assignments: has, Accounts: []Account{userAccount(1, groupsOf("crm"))}, Grants: held}, "gone", "DELETE a1", ""},
		{"not created where it would be deleted", []Grant{grant("sales", nil)}, Snapshot{Assignments: has}, "gone", "", ""},
		{"everything removed", []Grant{grant("sales", nil)},
			Snapshot{Assignments: has, Accounts: []Account{userAccount(1, groupsOf("sales", "crm", "lab"))}, Grants: held}, "locked",
			"DISABLE a1 active=false; REMOVE_ENTITLEMENT a1 groups=crm; REMOVE_ENTITLEMENT a1 groups=lab", ""},
		{"enabled on entering the state", nil, Snapshot{Accounts: []Account{userAccount(1, map[string]attribute.Value{"active": attribute.Bool(false)})}},
			"active", "ENABLE a1 active=true", ""},
		{"not enabled again when somebody disabled it", nil, Snapshot{Identity: State{Calculated: Calculated{LifecycleState: "active"}},
			Accounts: []Account{userAccount(1, map[string]attribute.Value{"active": attribute.Bool(false)})}}, "active", "", ""},
		{"enabling that failed is tried again", nil, Snapshot{Identity: State{Calculated: Calculated{LifecycleState: "active"}},
			Operations: []Operation{{ID: ID{7}, SourceID: crm, AccountID: ID{10, 1}, Kind: connector.Enable, Failed: true}},
			Accounts:   []Account{userAccount(1, map[string]attribute.Value{"active": attribute.Bool(false)})}}, "active", "ENABLE a1 active=true", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			change, got := planned(plan(test.grants...), &test.s, test.state, &Profile{ID: staff})
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if warnings := strings.Join(change.Warnings, "; "); !strings.Contains(warnings, test.warning) || test.warning == "" && warnings != "" {
				t.Errorf("the warnings are %q, want %q", warnings, test.warning)
			}
		})
	}
}

func TestPlanSettlesWithWhatIsOpen(t *testing.T) {
	add := Operation{ID: ID{9}, SourceID: crm, AccountID: ID{10, 1}, NativeIdentity: "a1", Kind: connector.AddValues}
	add.Attributes.Put("groups", attribute.List([]string{"sales"}))
	remove := add
	remove.Kind = connector.RemoveValues
	with := func(o Operation, change func(*Operation)) []Operation {
		change(&o)
		return []Operation{o}
	}
	has := []Assignment{{ID: ID{4}, RoleID: seller}}
	for _, test := range []struct {
		name                          string
		operations                    []Operation
		assigned                      []Assignment
		groups                        []string
		open                          string
		fulfilled, cancelled, retried int
	}{
		{"open already", []Operation{add}, has, nil, "", 0, 0, 0},
		{"done by somebody", []Operation{add}, has, []string{"sales"}, "", 1, 0, 0},
		{"not wanted any more", []Operation{add}, nil, nil, "", 0, 1, 0},
		{"not wanted, but tried", with(add, func(o *Operation) { o.Begun = true }), nil, nil, "", 0, 0, 0},
		{"given up", with(add, func(o *Operation) { o.Failed = true }), has, nil, "ADD_ENTITLEMENT a1 groups=sales", 0, 0, 1},
		{"given up, and not wanted", with(add, func(o *Operation) { o.Failed = true }), nil, nil, "", 0, 1, 0},
		{"the contrary is open", []Operation{remove}, has, nil, "ADD_ENTITLEMENT a1 groups=sales", 1, 0, 0},
		{"left to people before there was a connector", with(add, func(o *Operation) { o.Manual = true }), has, nil,
			"ADD_ENTITLEMENT a1 groups=sales", 0, 1, 0},
		{"the contrary was tried", with(remove, func(o *Operation) { o.Begun = true }), has, nil, "", 0, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &Snapshot{Assignments: test.assigned, Operations: test.operations,
				Accounts: []Account{userAccount(1, groupsOf(test.groups...))}}
			change, got := planned(plan(grant("sales", nil)), s, "", &Profile{ID: staff})
			a := &change.Access
			if got != test.open || len(a.Fulfilled) != test.fulfilled || len(a.Cancelled) != test.cancelled || len(a.Retried) != test.retried {
				t.Errorf("got %q, %+v, want got == test.open && len(a.Fulfilled) == test.fulfilled && len(a.Cancelled) == test.cancelled && len(a.Retried) == test.retried", got, a)
			}
		})
	}
}

func TestPlanSynchronizes(t *testing.T) {
	profile := &Profile{ID: staff, Enabled: true, Mappings: []Mapping{{Attribute: "email"}}}
	identity := State{Calculated: Calculated{IdentityState: Active}, Attributes: attribute.SetOf(map[string]attribute.Value{"email": attribute.String("a@x")})}
	asleep := identity
	asleep.IdentityState = LongTermInactive
	drifted := []Account{userAccount(1, map[string]attribute.Value{"mail": attribute.String("b@x")})}
	for _, test := range []struct {
		name    string
		s       Snapshot
		profile *Profile
		want    string
	}{
		{"drift", Snapshot{Identity: identity, Accounts: drifted}, profile, "SET_ATTRIBUTES a1 mail=a@x"},
		{"null", Snapshot{Identity: State{}, Accounts: drifted}, profile, "SET_ATTRIBUTES a1 mail="},
		{"equal", Snapshot{Identity: identity, Accounts: []Account{userAccount(1, map[string]attribute.Value{"mail": attribute.String("a@x")})}}, profile, ""},
		{"both without", Snapshot{Identity: State{}, Accounts: []Account{userAccount(1, nil)}}, profile, ""},
		{"not mapped", Snapshot{Identity: identity, Accounts: drifted}, &Profile{ID: staff, Enabled: true}, ""},
		{"no profile", Snapshot{Identity: identity, Accounts: drifted}, nil, ""},
		{"long-term inactive", Snapshot{Identity: asleep, Accounts: drifted}, profile, ""},
		{"long-term inactive, and asked for", Snapshot{Identity: asleep, Accounts: drifted, Synchronize: true}, profile, "SET_ATTRIBUTES a1 mail=a@x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, got := planned(plan(), &test.s, "", test.profile); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPlanCreation(t *testing.T) {
	has := []Assignment{{ID: ID{4}, RoleID: seller}}
	c := plan(grant("sales", nil), grant("crm", nil))
	source := c.Access.Sources[crm]
	source.Policy[0].Transform = fixed{attribute.Null}
	change, got := planned(c, &Snapshot{Assignments: has}, "", nil)
	if got != "" || len(change.Warnings) != 1 || !strings.Contains(change.Warnings[0], "attribute login: it has no value") {
		t.Errorf("got %q, %q, want got == \"\" && len(change.Warnings) == 1 && strings.Contains(change.Warnings[0], \"attribute login: it has no value\")", got, change.Warnings)
	}
	// A field sees those before it.
	mail, err := transform.CompileField([]byte(`{"name": "mail", "transform": {"type": "static", "attributes": {"value": "$login@x"}}}`), nil, "login")
	if err != nil {
		t.Fatal(err)
	}
	policy := source.Policy
	source.Policy = []PolicyField{{Name: "login", Transform: fixed{attribute.String("ann")}}, {Name: "mail", Transform: mail.Transform}}
	if change, got = planned(c, &Snapshot{Assignments: has}, "", nil); !strings.Contains(got, " mail=ann@x") {
		t.Errorf("got %q, %q", got, change.Warnings)
	}
	source.Policy = policy
	failed := errors.New("away")
	source.Policy[0].Transform = asking{}
	change, _ = planned(c, &Snapshot{Assignments: has, Taken: func(ID, transform.Candidate) (bool, error) { return false, failed }}, "", nil)
	if !errors.Is(change.Lookup, failed) {
		t.Errorf("the failure of a look-up is %v", change.Lookup)
	}
	source.Policy, source.Manual = nil, true
	if change, got = planned(c, &Snapshot{Assignments: has}, "", nil); got != "" || len(change.Warnings) != 1 {
		t.Errorf("got %q, %q, want got == \"\" && len(change.Warnings) == 1", got, change.Warnings)
	}
	source.Policy = []PolicyField{}
	if change, got = planned(c, &Snapshot{Assignments: has}, "", nil); got != "CREATE " || !change.Access.Open[0].Manual {
		t.Errorf("got %q, %+v, want got == \"CREATE \" && change.Access.Open[0].Manual", got, change.Access.Open)
	}
}

// asking is a transform that asks whether a name is in use.
type asking struct{}

func (asking) EvaluateUntil(input *transform.Input) (attribute.Value, time.Time, error) {
	_, err := input.Taken(transform.Candidate{Name: "ann"})
	return attribute.String("ann"), time.Time{}, err
}

func (asking) Trace(*transform.Input) (attribute.Value, []transform.Step, error) {
	return attribute.Null, nil, nil
}

func TestAccountChoice(t *testing.T) {
	attributes := attribute.SetOf(map[string]attribute.Value{"kind": attribute.String("Admin"), "groups": attribute.List([]string{"a", "b"})})
	leaf := func(operation, name, value string) *AccountChoice {
		return &AccountChoice{Operation: operation, Attribute: name, Value: value}
	}
	both := func(operation string, children ...*AccountChoice) *AccountChoice {
		return &AccountChoice{Operation: operation, Children: children}
	}
	yes, no := leaf("EQUALS", "kind", "ADMIN"), leaf("EQUALS", "kind", "user")
	for i, test := range []struct {
		choice *AccountChoice
		want   bool
	}{
		{yes, true}, {no, false}, {leaf("NOT_EQUALS", "kind", "user"), true}, {leaf("NOT_EQUALS", "kind", "admin"), false},
		{leaf("CONTAINS", "kind", "DMI"), true}, {leaf("HAS", "groups", "B"), true}, {leaf("HAS", "groups", "c"), false},
		{leaf("EQUALS", "none", ""), false}, {both("AND", yes, yes), true}, {both("AND", yes, no), false}, {both("OR", no, yes), true},
		{both("OR", no, no), false},
	} {
		if got := test.choice.Holds(&attributes); got != test.want {
			t.Errorf("got %d: %v, want got == test.want", i, got)
		}
	}
	if ids := sortedIDs(map[ID]bool{{2}: true, {1}: true}); !slices.Equal(ids, []ID{{1}, {2}}) {
		t.Error(ids)
	}
}
