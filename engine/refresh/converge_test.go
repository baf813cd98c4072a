package refresh

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// directory is a configuration whose source compares groups as names, titles without their case, and all else exactly.
func directory(grants ...Grant) *Configuration {
	c := plan(grants...)
	c.Access.Sources[crm].Entitling = []string{"groups", "title"}
	c.Access.Sources[crm].Equality = func(name string) attribute.Equality {
		return map[string]attribute.Equality{"groups": attribute.DistinguishedNameMatch, "title": attribute.CaseIgnoreMatch,
			"mail": attribute.CaseIgnoreMatch}[name]
	}
	return c
}

func named(name string, texts ...string) map[string]attribute.Value {
	return map[string]attribute.Value{name: attribute.List(texts)}
}

// What the source takes to be equal is the same: in what is wanted, given, taken, open and chosen.
func TestPlanByEquality(t *testing.T) {
	has := []Assignment{{ID: ID{4}, RoleID: seller}}
	const spelled, written = "CN=Sales, OU=Zürich", `cn=sales,ou=Z\C3\BCrich`
	held := []Held{{Entitlement{crm, "groups", spelled}, ID{10, 1}}}
	open := Operation{ID: ID{9}, SourceID: crm, AccountID: ID{10, 1}, Kind: connector.AddValues}
	open.Attributes.Put("groups", attribute.List([]string{"cn=SALES,ou=zürich"}))
	tried := open
	tried.Begun = true
	title := Grant{Entitlement: Entitlement{crm, "title", "vpn"}}
	chosen := grant("cn=x", &AccountChoice{Operation: "EQUALS", Attribute: "boss", Value: "cn=ann, dc=x", Equality: attribute.DistinguishedNameMatch})
	for _, test := range []struct {
		name   string
		grants []Grant
		s      Snapshot
		state  string
		want   string
	}{
		{"there in another spelling", []Grant{grant(spelled, nil)}, Snapshot{Assignments: has, Accounts: []Account{userAccount(1, named("groups", written))}}, "", ""},
		{"there in another case", []Grant{title}, Snapshot{Assignments: has, Accounts: []Account{userAccount(1, named("title", "VPN"))}}, "", ""},
		{"taken as the account writes it", nil, Snapshot{Grants: held, Accounts: []Account{userAccount(1, named("groups", "cn=x", written))}}, "",
			"REMOVE_ENTITLEMENT a1 groups=" + written},
		{"wanted by another spelling now", []Grant{grant(written, nil)}, Snapshot{Assignments: has, Grants: held,
			Accounts: []Account{userAccount(1, named("groups", "cn=sales,ou=zürich"))}}, "", ""},
		{"two spellings of one", []Grant{grant(spelled, nil), grant(written, nil)}, Snapshot{Assignments: has, Accounts: []Account{userAccount(1, nil)}}, "",
			"ADD_ENTITLEMENT a1 groups=" + spelled},
		{"open in another spelling", []Grant{grant(spelled, nil)}, Snapshot{Assignments: has, Operations: []Operation{open}, Accounts: []Account{userAccount(1, nil)}}, "", ""},
		{"all removed but what the state grants", nil, Snapshot{Accounts: []Account{userAccount(1, named("groups", written, "cn=lab"))}}, "kept",
			"REMOVE_ENTITLEMENT a1 groups=cn=lab"},
		{"chosen by a name", []Grant{chosen}, Snapshot{Assignments: has, Accounts: []Account{userAccount(1, nil), userAccount(2, named("boss", "CN=Ann,DC=x"))}}, "",
			"ADD_ENTITLEMENT a2 groups=cn=x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := directory(test.grants...)
			c.Access.States[staff]["kept"] = StateAccess{RemoveAll: true, Grants: []Grant{grant(spelled, nil)}}
			change, got := planned(c, &test.s, test.state, &Profile{ID: staff})
			if got != test.want || len(change.Access.Cancelled)+len(change.Access.Dropped) > 0 {
				t.Errorf("got %q, %+v, want %q", got, change.Access, test.want)
			}
		})
	}
	change, _ := planned(directory(), &Snapshot{Grants: held, Operations: []Operation{tried}, Accounts: []Account{userAccount(1, nil)}}, "", &Profile{ID: staff})
	if len(change.Access.Dropped) != 0 {
		t.Error("what was tried in another spelling is forgotten")
	}
	change, _ = planned(directory(), &Snapshot{Operations: []Operation{open}, Accounts: []Account{userAccount(1, named("groups", spelled))}}, "", &Profile{ID: staff})
	if len(change.Access.Fulfilled) != 1 {
		t.Errorf("got %+v, want it to be fulfilled", change.Access)
	}
}

// The order of values, and what the source ignores, is no difference to synchronize.
func TestSynchronizeByEquality(t *testing.T) {
	profile := &Profile{ID: staff, Enabled: true, Mappings: []Mapping{{Attribute: "email"}}}
	for _, test := range []struct {
		identity, account attribute.Value
		want              string
	}{
		{attribute.String("Ann@X.org"), attribute.String("ann@x.org"), ""},
		{attribute.List([]string{"b", "a"}), attribute.List([]string{"A", "B"}), ""},
		{attribute.List([]string{"b", "a"}), attribute.List([]string{"A", "C"}), "SET_ATTRIBUTES a1 mail=b,a"},
	} {
		s := &Snapshot{Accounts: []Account{userAccount(1, map[string]attribute.Value{"mail": test.account})}}
		s.Identity.Attributes.Put("email", test.identity)
		if _, got := planned(directory(), s, "", profile); got != test.want {
			t.Errorf("%v and %v: got %q, want %q", test.identity.Strings(), test.account.Strings(), got, test.want)
		}
	}
}

// Of two that want different values of an attribute with one value, the first wins, and nothing flips.
func TestPlanOfOneValue(t *testing.T) {
	other := ID{5}
	first, second := Assignment{ID: ID{4}, RoleID: seller}, Assignment{ID: ID{6}, RoleID: other}
	account := func(value string) []Account {
		return []Account{userAccount(1, map[string]attribute.Value{"groups": attribute.String(value)})}
	}
	const both = `role "Seller" and role "Buyer" want different values of groups on "CRM", which has one: it is "s", because role "Seller" comes first`
	held := func(value string) Held { return Held{Entitlement{crm, "groups", value}, ID{10, 1}} }
	for _, test := range []struct {
		name     string
		s        Snapshot
		state    string
		want     string
		warnings string
		dropped  int
	}{
		{"neither is there", Snapshot{Assignments: []Assignment{second, first}, Accounts: []Account{userAccount(1, nil)}}, "", "ADD_ENTITLEMENT a1 groups=s", both, 0},
		{"the first is there", Snapshot{Assignments: []Assignment{first, second}, Accounts: account("s"), Grants: []Held{held("s")}}, "", "", both, 0},
		{"the second is there", Snapshot{Assignments: []Assignment{first, second}, Accounts: account("b"), Grants: []Held{held("b")}}, "",
			"ADD_ENTITLEMENT a1 groups=s", both, 0},
		{"what went before is forgotten", Snapshot{Assignments: []Assignment{first, second}, Accounts: account("s"), Grants: []Held{held("s"), held("b")}}, "", "", both, 1},
		{"the first ends", Snapshot{Assignments: []Assignment{second}, Accounts: account("s"), Grants: []Held{held("s")}}, "", "ADD_ENTITLEMENT a1 groups=b", "", 0},
		{"both end", Snapshot{Accounts: account("s"), Grants: []Held{held("s")}}, "", "REMOVE_ENTITLEMENT a1 groups=s", "", 0},
		{"the state comes before roles", Snapshot{Assignments: []Assignment{first}, Accounts: account("s"), Grants: []Held{held("s")}}, "board",
			"ADD_ENTITLEMENT a1 groups=x", `lifecycle state "board" and role "Seller" want different values of groups on "CRM", which has one: it is "x", because lifecycle state "board" comes first`, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := plan(grant("s", nil))
			c.Access.Roles[other] = RoleAccess{Name: "Buyer", Grants: []Grant{grant("b", nil)}}
			c.Access.States[staff]["board"] = StateAccess{Grants: []Grant{grant("x", nil)}}
			c.Access.Sources[crm].Single = map[string]bool{"groups": true}
			change, got := planned(c, &test.s, test.state, &Profile{ID: staff})
			if warnings := strings.Join(change.Warnings, "; "); got != test.want || warnings != test.warnings || len(change.Access.Dropped) != test.dropped {
				t.Errorf("got %q, %q and %d dropped, want %q, %q and %d", got, warnings, len(change.Access.Dropped), test.want, test.warnings, test.dropped)
			}
		})
	}
}

// Access decides before synchronization.
func TestSynchronizationComesLast(t *testing.T) {
	profile := &Profile{ID: staff, Enabled: true, Mappings: []Mapping{{Attribute: "email"}}}
	for _, test := range []struct {
		name, target string
		s            Snapshot
		state        string
		want         string
		warnings     int
	}{
		{"what a role gives", "groups", Snapshot{Assignments: []Assignment{{ID: ID{4}, RoleID: seller}}, Accounts: []Account{userAccount(1, groupsOnly("sales"))}}, "", "", 1},
		{"what was given goes", "groups", Snapshot{Grants: []Held{{Entitlement{crm, "groups", "sales"}, ID{10, 1}}},
			Accounts: []Account{userAccount(1, groupsOnly("sales"))}}, "", "REMOVE_ENTITLEMENT a1 groups=sales", 1},
		{"nobody gives anything", "groups", Snapshot{Accounts: []Account{userAccount(1, groupsOnly("sales"))}}, "", "SET_ATTRIBUTES a1 groups=a@x", 0},
		{"everything is removed", "groups", Snapshot{Accounts: []Account{userAccount(1, map[string]attribute.Value{"active": attribute.Bool(false)})}}, "locked", "", 1},
		{"the state disables", "active", Snapshot{Accounts: []Account{userAccount(1, map[string]attribute.Value{"active": attribute.Bool(false)})}}, "locked", "", 1},
		{"the state says nothing", "active", Snapshot{Accounts: []Account{userAccount(1, map[string]attribute.Value{"active": attribute.Bool(false)})}}, "",
			"SET_ATTRIBUTES a1 active=a@x", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := plan(grant("sales", nil))
			c.Access.Sources[crm].Sync = []SyncAttribute{{"email", test.target}}
			test.s.Identity.Attributes.Put("email", attribute.String("a@x"))
			change, got := planned(c, &test.s, test.state, profile)
			if got != test.want || len(change.Warnings) != test.warnings {
				t.Errorf("got %q, %q, want %q and %d warnings", got, change.Warnings, test.want, test.warnings)
			}
		})
	}
}

// Several accounts with different criteria each get theirs, and each loses it for itself.
func TestPlanOfSeveralChoices(t *testing.T) {
	kind := func(value string) *AccountChoice {
		return &AccountChoice{Operation: "EQUALS", Attribute: "kind", Value: value}
	}
	account := func(n byte, kind string, groups ...string) Account {
		return userAccount(n, map[string]attribute.Value{"kind": attribute.String(kind), "groups": attribute.List(groups)})
	}
	user, admin := kind("user"), kind("admin")
	e := Entitlement{crm, "groups", "vpn"}
	both := []Held{{e, ID{10, 1}}, {e, ID{10, 2}}}
	has := []Assignment{{ID: ID{4}, RoleID: seller}}
	for _, test := range []struct {
		name     string
		grants   []Grant
		accounts []Account
		held     []Held
		want     string
		given    []Held
	}{
		{"both lack it", []Grant{grant("vpn", user), grant("vpn", admin)}, []Account{account(1, "user"), account(2, "admin")}, nil,
			"ADD_ENTITLEMENT a1 groups=vpn; ADD_ENTITLEMENT a2 groups=vpn", []Held{{e, ID{10, 1}}, {e, ID{10, 2}}}},
		{"one lacks it", []Grant{grant("vpn", user), grant("vpn", admin)}, []Account{account(1, "user", "vpn"), account(2, "admin")}, []Held{{e, ID{10, 1}}},
			"ADD_ENTITLEMENT a2 groups=vpn", []Held{{e, ID{10, 2}}}},
		{"both have it", []Grant{grant("vpn", user), grant("vpn", admin)}, []Account{account(1, "user", "vpn"), account(2, "admin", "vpn")}, both, "", nil},
		{"one keeps it", []Grant{grant("vpn", admin)}, []Account{account(1, "user", "vpn"), account(2, "admin", "vpn")}, both,
			"REMOVE_ENTITLEMENT a1 groups=vpn", nil},
		{"one is not theirs", nil, []Account{account(1, "user", "vpn"), account(2, "admin", "vpn")}, both[:1], "REMOVE_ENTITLEMENT a1 groups=vpn", nil},
		{"both lose it", nil, []Account{account(1, "user", "vpn"), account(2, "admin", "vpn")}, both,
			"REMOVE_ENTITLEMENT a1 groups=vpn; REMOVE_ENTITLEMENT a2 groups=vpn", nil},
		{"one that has it already", []Grant{grant("vpn", user)}, []Account{account(1, "user"), account(2, "user", "vpn")}, nil, "", nil},
		{"nobody fits any more", []Grant{grant("vpn", kind("robot"))}, []Account{account(1, "user", "vpn")}, []Held{{e, ID{10, 1}}}, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			change, got := planned(plan(test.grants...), &Snapshot{Assignments: has, Accounts: test.accounts, Grants: test.held}, "", &Profile{ID: staff})
			if got != test.want || fmt.Sprint(change.Access.Granted) != fmt.Sprint(test.given) || len(change.Access.Dropped) > 0 {
				t.Errorf("got %q, %v, %v, want %q, %v", got, change.Access.Granted, change.Access.Dropped, test.want, test.given)
			}
		})
	}
}

// A state that removes all access revokes what was requested, and takes what memberships give.
func TestStateRemovesAll(t *testing.T) {
	requested := Assignment{ID: ID{4}, RoleID: seller}
	later := Assignment{ID: ID{5}, RoleID: ID{97}, StartDate: now.Add(time.Hour)}
	expired := Assignment{ID: ID{6}, RoleID: ID{98}, RemoveDate: now}
	member := Assignment{ID: ID{7}, RoleID: seller, Membership: true}
	c := plan(grant("sales", nil))
	c.Roles = []Role{{ID: seller, Name: "Seller"}}
	c.Listed = map[ID][]int{{1}: {0}}
	for _, test := range []struct {
		state      string
		correlated bool
		want       string
	}{
		{"locked", true, "4 by locked, 5 by locked, 6 expired"},
		{"active", true, "6 expired"},
		{"locked", false, "4 by locked, 5 by locked, 6 expired"}, // an orphan stays locked
	} {
		s := &Snapshot{Assignments: []Assignment{requested, later, expired, member}}
		s.Identity.ID = ID{1}
		after := s.Identity
		after.ProfileID, after.LifecycleState, after.Correlated = staff, test.state, test.correlated
		change := &Change{Before: &s.Identity, After: &after}
		change.decideRoles(s, c, now)
		var got []string
		for i := 4; i < 8; i++ {
			for _, loss := range change.Lost {
				switch {
				case loss.ID != ID{byte(i)}:
				case loss.Expired:
					got = append(got, fmt.Sprintf("%d expired", i))
				default:
					got = append(got, fmt.Sprintf("%d by %s", i, loss.RevokedBy))
				}
			}
		}
		if text := strings.Join(got, ", "); text != test.want {
			t.Errorf("%s: got %q, want %q", test.state, text, test.want)
		}
	}
	// The membership stays, and gives nothing.
	s := &Snapshot{Assignments: []Assignment{member}, Grants: []Held{{Entitlement{crm, "groups", "sales"}, ID{10, 1}}},
		Accounts: []Account{userAccount(1, map[string]attribute.Value{"groups": attribute.List([]string{"sales", "lab"}), "active": attribute.Bool(false)})}}
	change, got := planned(c, s, "locked", &Profile{ID: staff})
	if want := "REMOVE_ENTITLEMENT a1 groups=sales; REMOVE_ENTITLEMENT a1 groups=lab"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range change.Access.Open {
		if want := `lifecycle state "locked" removes all access`; change.Access.Open[i].Reason != want {
			t.Errorf("the reason is %q, want %q", change.Access.Open[i].Reason, want)
		}
	}
}

// An operation that would be done once too often on a day is parked, with what wanted it before and wants it now.
func TestLimitOperations(t *testing.T) {
	at := func(minute int) time.Time { return now.Add(time.Duration(minute) * time.Minute) }
	values := func(kind connector.Kind, reason, name string, texts ...string) Operation {
		o := Operation{SourceID: crm, AccountID: ID{10, 1}, Kind: kind, Reason: reason}
		if name != "" {
			o.Attributes.Put(name, attribute.List(texts))
		}
		return o
	}
	times := func(n int, list ...Operation) (past []Past) {
		for i := range n {
			past = append(past, Past{Operation: list[i%len(list)], Done: at(i)})
		}
		return past
	}
	add, remove := values(connector.AddValues, "role A", "groups", "x"), values(connector.RemoveValues, "nothing", "groups", "x")
	elsewhere := add
	elsewhere.AccountID = ID{10, 2}
	creation := Operation{SourceID: crm, Kind: connector.Create, Reason: "role A"}
	created := creation
	created.AccountID = ID{10, 7}
	released := times(10, add, remove)
	released = append(released, Past{Operation: add, Released: at(20)})
	single := []Past{}
	for i := range 10 {
		single = append(single, Past{Operation: values(connector.AddValues, "role B", "title", fmt.Sprint(i)), Done: at(i)})
	}
	for _, test := range []struct {
		name string
		o    Operation
		past []Past
		want string // a part of the cause
	}{
		{"not often", add, times(9, add, remove), ""},
		{"too often", add, times(10, add, remove), "Before it was REMOVE_ENTITLEMENT, because of: nothing. Now it is ADD_ENTITLEMENT, because of: role A"},
		{"the same again and again", add, times(12, add), "12 operations on the same were carried out since midnight. Before it was ADD_ENTITLEMENT"},
		{"released since", add, released, ""},
		{"too often since it was released", add, append(released, times(31, add)[21:]...), "10 operations"},
		{"another account", elsewhere, times(10, add, remove), ""},
		{"another value", values(connector.AddValues, "role A", "groups", "y"), times(10, add, remove), ""},
		{"another letter case", values(connector.AddValues, "role A", "groups", "X"), times(10, add, remove), ""},
		{"other values of an attribute with one", values(connector.AddValues, "role A", "title", "z"), single, "because of: role B"},
		{"an attribute that is set", values(connector.SetAttributes, "attribute a", "mail", "b"), times(10, values(connector.SetAttributes, "attribute a", "mail", "a")), "SET_ATTRIBUTES"},
		{"a creation", creation, times(20, created, values(connector.Delete, "state gone", "")), "Before it was DELETE, because of: state gone. Now it is CREATE"},
		{"a creation after deletions", creation, times(20, values(connector.Delete, "state gone", "")), ""},
		{"the status", values(connector.Enable, "state active", ""), times(10, values(connector.Disable, "state locked", ""), values(connector.Enable, "state active", "")), "state locked"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := plan()
			c.Access.Sources[crm].Single = map[string]bool{"title": true}
			change := &Change{Access: AccessChange{Open: []Operation{test.o}}}
			change.LimitOperations(c.Access, test.past, OperationsPerDayMax)
			o := change.Access.Open[0]
			if o.Parked != (test.want != "") || !strings.Contains(o.Cause, test.want) || len(change.Warnings) > 0 != o.Parked {
				t.Errorf("got parked: %t, %q, %q, want %q", o.Parked, o.Cause, change.Warnings, test.want)
			}
		})
	}
}
