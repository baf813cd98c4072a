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
			"left":   {Actions: map[ID]connector.Kind{{99}: connector.Disable}},
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
	if shown, both := strings.CutSuffix(state, "*"); both { // the attribute changes as well
		state, after.Attributes = shown, attribute.SetOf(map[string]attribute.Value{"cloudLifecycleState": attribute.String(shown)})
	}
	after.LifecycleState = state
	change := &Change{Before: &s.Identity, After: &after}
	change.planAccess(s, c, profile, now)
	return change, operationTexts(change)
}

// operationTexts returns the operations that a change opens.
func operationTexts(change *Change) string {
	var texts []string
	for i := range change.Access.Open {
		o := &change.Access.Open[i]
		text := string(o.Kind) + " " + o.NativeIdentity
		for name, value := range o.Attributes.All() {
			text += " " + name + "=" + value.Text()
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

func TestPlanAccess(t *testing.T) {
	has := []Assignment{{ID: ID{4}, RoleID: seller}}
	later := []Assignment{{ID: ID{4}, RoleID: seller, StartDate: now.Add(time.Minute)}}
	now0 := []Assignment{{ID: ID{5}, RoleID: seller, StartDate: now}}
	elsewhere := Account{RowID: ID{10, 9}, SourceID: ID{99}, Account: transform.Account{NativeIdentity: "a9",
		Attributes: new(attribute.SetOf(groupsOf("sales")))}}
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
		{"a role that begins now", []Grant{grant("sales", nil)}, Snapshot{Assignments: now0, Accounts: []Account{userAccount(1, nil)}}, "",
			"ADD_ENTITLEMENT a1 groups=sales", ""},
		{"what two roles grant, once", []Grant{grant("sales", nil), grant("sales", nil)},
			Snapshot{Assignments: append(has, now0...), Accounts: []Account{userAccount(1, nil)}}, "", "ADD_ENTITLEMENT a1 groups=sales", ""},
		{"to the earliest of several accounts", []Grant{grant("sales", nil)},
			Snapshot{Assignments: has, Accounts: []Account{userAccount(1, nil), userAccount(2, nil)}}, "", "ADD_ENTITLEMENT a1 groups=sales", ""},
		{"one of several accounts has it", []Grant{grant("sales", nil)},
			Snapshot{Assignments: has, Accounts: []Account{userAccount(1, nil), userAccount(2, groupsOf("sales"))}}, "", "", ""},
		{"on a source that is gone", []Grant{{Entitlement: Entitlement{ID{99}, "groups", "sales"}}}, Snapshot{Assignments: has}, "", "", ""},
		{"a role that grants nothing", nil, Snapshot{Assignments: []Assignment{{ID: ID{4}, RoleID: ID{98}}}}, "", "", ""},
		{"given on a source that is gone", nil, Snapshot{Accounts: []Account{elsewhere}, Grants: []Held{{Entitlement{ID{99}, "groups", "sales"}, ID{}}}}, "", "", ""},
		{"given to an account that is not known any more", nil,
			Snapshot{Accounts: []Account{userAccount(1, groupsOf("sales"))}, Grants: []Held{{Entitlement{crm, "groups", "sales"}, ID{}}}}, "",
			"REMOVE_ENTITLEMENT a1 groups=sales", ""},
		{"removed by two reasons, once", nil, Snapshot{Accounts: []Account{userAccount(1, map[string]attribute.Value{
			"groups": attribute.List([]string{"sales"}), "active": attribute.Bool(false)})}, Grants: held}, "locked", "REMOVE_ENTITLEMENT a1 groups=sales", ""},
		{"everything removed but on a source that is gone", nil, Snapshot{Accounts: []Account{elsewhere}}, "locked", "", ""},
		{"disabled, with a text as the account has it", nil, Snapshot{Accounts: []Account{userAccount(1, map[string]attribute.Value{"active": attribute.String("true")})}},
			"locked", "DISABLE a1 active=false", ""},
		{"disabled already", nil, Snapshot{Accounts: []Account{userAccount(1, map[string]attribute.Value{"active": attribute.String("false")})}}, "locked", "", ""},
		{"every account disabled", nil, Snapshot{Accounts: []Account{userAccount(1, nil), userAccount(2, nil)}}, "locked",
			"DISABLE a1 active=false; DISABLE a2 active=false", ""},
		{"an action on a source that is gone", nil, Snapshot{Accounts: []Account{userAccount(1, nil)}}, "left", "", ""},
		{"enabled already", nil, Snapshot{Accounts: []Account{userAccount(1, groupsOf())}}, "active", "", ""},
		{"enabled where the state was set by hand, and its effects are missing", nil, Snapshot{Identity: State{Calculated: Calculated{LifecycleState: "active"},
			Attributes: attribute.SetOf(map[string]attribute.Value{"cloudLifecycleState": attribute.String("locked")})},
			Accounts: []Account{userAccount(1, map[string]attribute.Value{"active": attribute.Bool(false)})}}, "active*", "ENABLE a1 active=true", ""},
		{"an operation of another kind, or on another account, enables nothing again", nil, Snapshot{Identity: State{Calculated: Calculated{LifecycleState: "active"}},
			Operations: []Operation{{ID: ID{7}, SourceID: crm, AccountID: ID{10, 1}, Kind: connector.Disable, Failed: true},
				{ID: ID{8}, SourceID: crm, AccountID: ID{10, 2}, Kind: connector.Enable, Failed: true}},
			Accounts: []Account{userAccount(1, map[string]attribute.Value{"active": attribute.Bool(false)})}}, "active", "", ""},
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
		{"the first account, which they choose", []Grant{grant("sales", equals)},
			Snapshot{Assignments: has, Accounts: []Account{userAccount(1, admin), userAccount(2, nil)}}, "", "ADD_ENTITLEMENT a1 groups=sales", ""},
		{"no account that they choose", []Grant{grant("sales", equals)},
			Snapshot{Assignments: has, Accounts: []Account{userAccount(1, nil)}}, "", "", "no account on \"CRM\" fits"},
		{"deleted, and nothing else", []Grant{grant("sales", nil)},
			Snapshot{Assignments: has, Accounts: []Account{userAccount(1, groupsOf("crm"))}, Grants: held}, "gone", "DELETE a1", ""},
		{"not created where it would be deleted", []Grant{grant("sales", nil)}, Snapshot{Assignments: has}, "gone", "", ""},
		{"everything removed", []Grant{grant("sales", nil)},
			Snapshot{Assignments: has, Accounts: []Account{userAccount(1, groupsOf("sales", "crm", "lab"))}, Grants: held}, "locked",
			"DISABLE a1 active=false; REMOVE_ENTITLEMENT a1 groups=sales; REMOVE_ENTITLEMENT a1 groups=crm; REMOVE_ENTITLEMENT a1 groups=lab", ""},
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
		{"parked", with(add, func(o *Operation) { o.Parked = true }), has, nil, "", 0, 0, 0},
		{"parked, and not wanted any more", with(add, func(o *Operation) { o.Parked = true }), nil, nil, "", 0, 1, 0},
		{"parked, of the contrary", with(remove, func(o *Operation) { o.Parked = true }), has, nil, "", 0, 0, 0},
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
	numbered := State{Attributes: attribute.SetOf(map[string]attribute.Value{"email": attribute.String("7")})}
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
		{"a profile that calculates nothing", Snapshot{Identity: identity, Accounts: drifted}, &Profile{ID: staff, Mappings: profile.Mappings}, ""},
		{"every account", Snapshot{Identity: identity, Accounts: append(drifted, userAccount(2, nil))}, profile,
			"SET_ATTRIBUTES a1 mail=a@x; SET_ATTRIBUTES a2 mail=a@x"},
		{"a number as the text", Snapshot{Identity: numbered, Accounts: []Account{userAccount(1, map[string]attribute.Value{"mail": attribute.Int(7)})}}, profile, ""},
		{"another number of values", Snapshot{Identity: numbered, Accounts: []Account{userAccount(1, map[string]attribute.Value{"mail": attribute.List([]string{"7", "8"})})}},
			profile, "SET_ATTRIBUTES a1 mail=7"},
		{"an empty list for nothing", Snapshot{Identity: State{}, Accounts: []Account{userAccount(1, map[string]attribute.Value{"mail": attribute.List(nil)})}}, profile, ""},
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

// Who is long-term inactive is synchronized on coming into that state, and until that is done. An account that is to be
// deleted is not synchronized.
func TestPlanSynchronizesTheInactive(t *testing.T) {
	set := Operation{ID: ID{9}, SourceID: crm, AccountID: ID{10, 1}, NativeIdentity: "a1", Kind: connector.SetAttributes}
	set.Attributes.Put("mail", attribute.String("a@x"))
	failed, add := set, Operation{ID: ID{8}, SourceID: crm, AccountID: ID{10, 1}, Kind: connector.AddValues}
	failed.Failed = true
	add.Attributes.Put("groups", attribute.List([]string{"sales"}))
	for _, test := range []struct {
		name          string
		before, state string
		operations    []Operation
		want          string
	}{
		{"coming into the state", Active, "", nil, "SET_ATTRIBUTES a1 mail=a@x, 0 cancelled, waiting: false"},
		{"what is open from then", LongTermInactive, "", []Operation{set}, ", 0 cancelled, waiting: true"},
		{"what was given up then", LongTermInactive, "", []Operation{failed}, ", 1 cancelled, waiting: false"},
		{"another kind", LongTermInactive, "", []Operation{add}, ", 1 cancelled, waiting: false"},
		{"to be deleted", Active, "gone", nil, "DELETE a1, 0 cancelled, waiting: false"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &Snapshot{Operations: test.operations,
				Accounts: []Account{userAccount(1, map[string]attribute.Value{"mail": attribute.String("b@x")})}}
			s.Identity.Attributes.Put("email", attribute.String("a@x"))
			s.Identity.IdentityState = LongTermInactive
			after := s.Identity
			after.LifecycleState = test.state
			before := s.Identity
			before.IdentityState = test.before
			change := &Change{Before: &before, After: &after}
			change.planAccess(s, plan(), &Profile{ID: staff, Enabled: true, Mappings: []Mapping{{Attribute: "email"}}}, now)
			got := fmt.Sprintf("%s, %d cancelled, waiting: %t", operationTexts(change), len(change.Access.Cancelled), change.Access.Waiting)
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// What was tried to be given may be there though no account shows it, so that it stays recorded as given. What was not
// tried, failed, or is something else does not.
func TestPlanKeepsWhatMayBeGiven(t *testing.T) {
	begun := Operation{ID: ID{9}, SourceID: crm, AccountID: ID{10, 1}, Kind: connector.AddValues, Begun: true}
	begun.Attributes.Put("groups", attribute.List([]string{"sales"}))
	for _, test := range []struct {
		name    string
		change  func(*Operation)
		dropped int
	}{
		{"tried", func(*Operation) {}, 0},
		{"not tried", func(o *Operation) { o.Begun = false }, 1},
		{"failed", func(o *Operation) { o.Failed = true }, 1},
		{"taken away", func(o *Operation) { o.Kind = connector.RemoveValues }, 1},
		{"on another source", func(o *Operation) { o.SourceID = ID{99} }, 1},
		{"another value", func(o *Operation) { o.Attributes = attribute.SetOf(groupsOnly("crm")) }, 1},
		{"another attribute", func(o *Operation) {
			o.Attributes = attribute.SetOf(map[string]attribute.Value{"rights": attribute.List([]string{"sales"})})
		}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := begun
			test.change(&o)
			s := &Snapshot{Operations: []Operation{o}, Accounts: []Account{userAccount(1, nil)},
				Grants: []Held{{Entitlement{crm, "groups", "sales"}, ID{10, 1}}}}
			change, _ := planned(plan(), s, "", &Profile{ID: staff})
			if got := len(change.Access.Dropped); got != test.dropped {
				t.Errorf("got %d dropped, want %d", got, test.dropped)
			}
		})
	}
}

func groupsOnly(values ...string) map[string]attribute.Value {
	return map[string]attribute.Value{"groups": attribute.List(values)}
}

// What is given is recorded once, with the account that gets it.
func TestPlanRecordsWhatIsGiven(t *testing.T) {
	has := []Assignment{{ID: ID{4}, RoleID: seller}}
	for name, grants := range map[string][]Held{"new": nil, "recorded": {{Entitlement{crm, "groups", "sales"}, ID{10, 1}}}} {
		s := &Snapshot{Assignments: has, Accounts: []Account{userAccount(1, nil)}, Grants: grants}
		change, _ := planned(plan(grant("sales", nil)), s, "", &Profile{ID: staff})
		want := 1 - len(grants)
		if got := change.Access.Granted; len(got) != want || want == 1 && got[0] != (Held{Entitlement{crm, "groups", "sales"}, ID{10, 1}}) {
			t.Errorf("%s: got %+v, want %d", name, got, want)
		}
		if !change.Access.Differs() {
			t.Errorf("%s: nothing differs", name)
		}
	}
	var nothing AccessChange
	if nothing.Differs() {
		t.Error("no change differs")
	}
	for name, one := range map[string]AccessChange{"open": {Open: []Operation{{}}}, "fulfilled": {Fulfilled: []ID{{1}}}, "cancelled": {Cancelled: []ID{{1}}},
		"retried": {Retried: []ID{{1}}}, "granted": {Granted: []Held{{}}}, "dropped": {Dropped: []Held{{}}}, "left": {Left: []Held{{}}}, "settled": {Settled: []Held{{}}}} {
		if !one.Differs() {
			t.Errorf("%s does not differ", name)
		}
	}
}

// A role that is gained grants at once, one that is lost does not any more, and one that is not enabled never did. Who
// has neither access nor operations, and gets none, is not planned for.
func TestPlanOfGainedAndLostRoles(t *testing.T) {
	for _, test := range []struct {
		name   string
		change Change
		s      Snapshot
		want   string
	}{
		{"gained", Change{Gained: []Role{{ID: seller}}}, Snapshot{}, "ADD_ENTITLEMENT a1 groups=sales"},
		{"gained, without access", Change{Gained: []Role{{ID: ID{97}}}}, Snapshot{}, ""},
		{"lost", Change{Lost: []RoleLoss{{Assignment: Assignment{ID: ID{4}, RoleID: seller}}}},
			Snapshot{Assignments: []Assignment{{ID: ID{4}, RoleID: seller}}}, ""},
		{"another one is lost", Change{Lost: []RoleLoss{{Assignment: Assignment{ID: ID{6}, RoleID: seller}}}},
			Snapshot{Assignments: []Assignment{{ID: ID{4}, RoleID: seller}}}, "ADD_ENTITLEMENT a1 groups=sales"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := plan(grant("sales", nil))
			c.Access.Sources[crm].Sync = nil
			test.s.Accounts = []Account{userAccount(1, nil)}
			test.change.Before, test.change.After = &test.s.Identity, &State{}
			test.change.planAccess(&test.s, c, &Profile{ID: staff}, now)
			if got := operationTexts(&test.change); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	change := Change{Before: &State{}, After: &State{}}
	change.planAccess(&Snapshot{}, &Configuration{}, nil, now)
	if change.Access.Differs() {
		t.Error("something is planned without any access")
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

// An account whose creation is open is not created again, under whatever name; one whose creation was given up is.
func TestPlanOfCreationThatIsOpen(t *testing.T) {
	for _, test := range []struct {
		name   string
		open   Operation
		want   string
		waits  bool
		others int // retried or cancelled
	}{
		{"open", Operation{ID: ID{9}, SourceID: crm, Kind: connector.Create}, "", true, 0},
		{"given up", Operation{ID: ID{9}, SourceID: crm, Kind: connector.Create, Failed: true}, "CREATE  login=ann", false, 1},
		{"on another source", Operation{ID: ID{9}, SourceID: ID{99}, Kind: connector.Create}, "CREATE  login=ann", false, 1},
		{"of another kind", Operation{ID: ID{9}, SourceID: crm, AccountID: ID{10, 1}, Kind: connector.Enable}, "CREATE  login=ann", false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &Snapshot{Assignments: []Assignment{{ID: ID{4}, RoleID: seller}}, Operations: []Operation{test.open}}
			change, got := planned(plan(grant("sales", nil)), s, "", &Profile{ID: staff})
			a := &change.Access
			if got != test.want || a.Waiting != test.waits || len(a.Retried)+len(a.Cancelled) != test.others {
				t.Errorf("got %q and %+v, want %q, waiting: %t, and %d that end", got, a, test.want, test.waits, test.others)
			}
		})
	}
}

// What is asked while an account is planned is about its source, and the first failure counts.
func TestPlanAsksTheSource(t *testing.T) {
	c := plan(grant("sales", nil))
	c.Access.Sources[crm].Policy = []PolicyField{{Name: "login", Transform: asking{}}, {Name: "mail", Transform: asking{}}}
	var asked []ID
	s := &Snapshot{Assignments: []Assignment{{ID: ID{4}, RoleID: seller}}, Taken: func(source ID, _ transform.Candidate) (bool, error) {
		asked = append(asked, source)
		return false, nil
	}}
	if _, got := planned(c, s, "", nil); got != "CREATE  mail=ann login=ann" || !slices.Equal(asked, []ID{crm, crm}) {
		t.Errorf("got %q, and %v were asked, want the source twice", got, asked)
	}
	change := &Change{}
	first, second := errors.New("first"), errors.New("second")
	change.failed(first)
	change.failed(second)
	if !errors.Is(change.Lookup, first) {
		t.Errorf("got %v, want the first", change.Lookup)
	}
}

// A field that is required has a text; one that is not may be null, and has no attribute then.
func TestPlanRequiredFields(t *testing.T) {
	for _, test := range []struct {
		field PolicyField
		want  string
	}{
		{PolicyField{Name: "a", Required: true, Transform: fixed{attribute.String("x")}}, "CREATE  a=x"},
		{PolicyField{Name: "a", Required: true, Transform: fixed{attribute.String("")}}, ""},
		{PolicyField{Name: "a", Transform: fixed{attribute.String("")}}, "CREATE  a="},
		{PolicyField{Name: "a", Transform: fixed{attribute.Null}}, "CREATE "},
		{PolicyField{Name: "a", Required: true}, "CREATE "},
		{PolicyField{Name: "a", Secret: true, Required: true, Transform: fixed{attribute.Null}}, "CREATE "},
	} {
		c := plan(grant("sales", nil))
		c.Access.Sources[crm].Policy = []PolicyField{test.field}
		if _, got := planned(c, &Snapshot{Assignments: []Assignment{{ID: ID{4}, RoleID: seller}}}, "", nil); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.field, got, test.want)
		}
	}
}

// A warning that several grants give is said once.
func TestPlanWarnsOnce(t *testing.T) {
	choice := &AccountChoice{Operation: "EQUALS", Attribute: "kind", Value: "admin"}
	s := &Snapshot{Assignments: []Assignment{{ID: ID{4}, RoleID: seller}}, Accounts: []Account{userAccount(1, nil)}}
	change, _ := planned(plan(grant("sales", choice), grant("crm", choice)), s, "", nil)
	if len(change.Warnings) != 1 {
		t.Errorf("got %q, want one", change.Warnings)
	}
}

// What the accounts show tells whether an operation is fulfilled that is not wanted any more: of several values all.
func TestFulfilledOfSeveralValues(t *testing.T) {
	account := userAccount(1, map[string]attribute.Value{"groups": attribute.List([]string{"sales"}), "mail": attribute.Int(7)})
	p := &planner{a: new(Access), s: &Snapshot{Accounts: []Account{userAccount(2, nil), account}}}
	set := func(values map[string]attribute.Value) *Operation {
		return &Operation{SourceID: crm, AccountID: account.RowID, Kind: connector.SetAttributes, Attributes: attribute.SetOf(values)}
	}
	for _, test := range []struct {
		values map[string]attribute.Value
		want   bool
	}{
		{map[string]attribute.Value{"mail": attribute.String("7")}, true},
		{map[string]attribute.Value{"mail": attribute.String("8")}, false},
		{map[string]attribute.Value{"mail": attribute.String("7"), "groups": attribute.List([]string{"sales"})}, true},
		{map[string]attribute.Value{"mail": attribute.String("7"), "groups": attribute.List([]string{"crm"})}, false},
	} {
		if got := p.fulfilled(set(test.values)); got != test.want {
			t.Errorf("%v: got %t, want %t", test.values, got, test.want)
		}
	}
}

// Two operations of a kind are the same if they want the same values; two creations always are.
func TestSameOperations(t *testing.T) {
	mail := func(kind connector.Kind, value string) *Operation {
		return &Operation{Kind: kind, Attributes: attribute.SetOf(map[string]attribute.Value{"mail": attribute.String(value)})}
	}
	for _, test := range []struct {
		a, b *Operation
		want bool
	}{
		{mail(connector.SetAttributes, "a"), mail(connector.SetAttributes, "a"), true},
		{mail(connector.SetAttributes, "a"), mail(connector.SetAttributes, "b"), false},
		{mail(connector.SetAttributes, "a"), mail(connector.AddValues, "a"), false},
		{mail(connector.Create, "a"), mail(connector.Create, "b"), true},
		{mail(connector.Create, "a"), mail(connector.SetAttributes, "a"), false},
	} {
		if got := new(Access).same(test.a, test.b); got != test.want {
			t.Errorf("%s and %s: got %t, want %t", test.a.Kind, test.b.Kind, got, test.want)
		}
	}
	for _, kind := range []connector.Kind{connector.SetAttributes, connector.AddValues} {
		if name, value := (&Operation{Kind: kind}).Target(); name != "" || value != "" {
			t.Errorf("%s without an attribute is about %q %q", kind, name, value)
		}
	}
}

// Of several grants on a source without an account, the first is the reason of the creation. Each source has its own.
func TestPlanCreatesOncePerSource(t *testing.T) {
	c := plan(grant("sales", nil), Grant{Entitlement: Entitlement{ID{77}, "groups", "lab"}})
	c.Access.Roles[ID{5}] = RoleAccess{Name: "Second", Grants: []Grant{grant("crm", nil)}}
	c.Access.Sources[ID{77}] = &TargetSource{ID: ID{77}, Name: "Lab", Policy: []PolicyField{}}
	s := &Snapshot{Assignments: []Assignment{{ID: ID{4}, RoleID: seller}, {ID: ID{6}, RoleID: ID{5}}}}
	change, _ := planned(c, s, "", &Profile{ID: staff})
	var got []string
	for _, o := range change.Access.Open {
		got = append(got, fmt.Sprintf("%s %d by %s", o.Kind, o.SourceID[0], o.Reason))
	}
	if want := []string{`CREATE 1 by role "Seller"`, `CREATE 77 by role "Seller"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Grants and operations are looked after also where nothing else concerns the identity.
func TestPlanOfWhatIsLeft(t *testing.T) {
	held := []Held{{Entitlement{crm, "groups", "sales"}, ID{10, 1}}}
	add := Operation{ID: ID{9}, SourceID: crm, AccountID: ID{10, 1}, Kind: connector.AddValues}
	add.Attributes.Put("groups", attribute.List([]string{"crm"}))
	for _, test := range []struct {
		name       string
		grants     []Held
		operations []Operation
		want       string
	}{
		{"a grant", held, nil, "REMOVE_ENTITLEMENT a1 groups=sales, 0 cancelled"},
		{"an operation", nil, []Operation{add}, ", 1 cancelled"},
		{"both", held, []Operation{add}, "REMOVE_ENTITLEMENT a1 groups=sales, 1 cancelled"},
	} {
		c := plan()
		c.Access.Sources[crm].Sync = nil
		s := &Snapshot{Grants: test.grants, Operations: test.operations, Accounts: []Account{userAccount(1, groupsOf("sales"))}}
		change, texts := planned(c, s, "", nil)
		if got := fmt.Sprintf("%s, %d cancelled", texts, len(change.Access.Cancelled)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// The status is written in the kind that the account has it: as a truth value only where that is one, and the text is
// true or false.
func TestStatusValue(t *testing.T) {
	target := &TargetSource{Status: "active"}
	for _, test := range []struct {
		held attribute.Value
		text string
		want attribute.Value
	}{
		{attribute.Bool(true), "false", attribute.Bool(false)}, {attribute.Bool(false), "true", attribute.Bool(true)},
		{attribute.Bool(true), "locked", attribute.String("locked")}, {attribute.String("true"), "false", attribute.String("false")},
		{attribute.String("false"), "true", attribute.String("true")}, {attribute.Null, "true", attribute.String("true")},
	} {
		account := userAccount(1, map[string]attribute.Value{"active": test.held})
		if got := target.statusValue(&account, test.text); !got.Equal(test.want) {
			t.Errorf("%v %q: got %v %q, want %v", test.held.Kind(), test.text, got.Kind(), got.Text(), test.want.Kind())
		}
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
