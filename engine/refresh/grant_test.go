package refresh

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
)

// What was given on accounts that the identity does not have any more, and what its accounts carry.
func TestPlanStraysAndCarried(t *testing.T) {
	has := []Assignment{{ID: ID{4}, RoleID: seller}}
	sales := Entitlement{crm, "groups", "sales"}
	gone, one := Held{sales, ID{10, 8}}, Held{sales, ID{10, 1}}
	stray := func(owned, vanished bool) []Stray {
		return []Stray{{Held: gone, Given: now, Owned: owned, Vanished: vanished}}
	}
	account := func(age time.Duration, groups ...string) []Account {
		a := userAccount(1, groupsOf(groups...))
		a.Created = now.Add(-age)
		return []Account{a}
	}
	const before, after = time.Hour, -time.Hour // the grant
	begun := []Operation{{ID: ID{7}, SourceID: crm, AccountID: ID{10, 8}, Kind: "ADD_ENTITLEMENT", Begun: true}}
	begun[0].Attributes.Put("groups", attribute.List([]string{"sales"}))
	for _, test := range []struct {
		name                            string
		s                               Snapshot
		want                            string
		granted, dropped, left, settled []Held
	}{
		{name: "an absent account, wanted", s: Snapshot{Strays: stray(false, true), Assignments: has, Accounts: account(before)},
			want: "ADD_ENTITLEMENT a1 groups=sales", granted: []Held{one}},
		{name: "an absent account, not wanted", s: Snapshot{Strays: stray(false, true)}},
		{name: "a successor, wanted", s: Snapshot{Strays: stray(false, true), Assignments: has, Accounts: account(after, "sales")},
			granted: []Held{one}},
		{name: "a successor that has it, wanted", s: Snapshot{Strays: stray(false, true), Grants: []Held{one}, Assignments: has,
			Accounts: account(after, "sales")}},
		{name: "a successor, not wanted", s: Snapshot{Strays: stray(false, true), Accounts: account(after, "sales")},
			want: "REMOVE_ENTITLEMENT a1 groups=sales"},
		{name: "access of its own, wanted", s: Snapshot{Strays: stray(false, true), Assignments: has, Accounts: account(before, "sales")}},
		{name: "access of its own, not wanted", s: Snapshot{Strays: stray(false, true), Accounts: account(before, "sales")}},
		{name: "gone for good", s: Snapshot{Strays: stray(false, false)}, dropped: []Held{gone}},
		{name: "gone for good, wanted", s: Snapshot{Strays: stray(false, false), Assignments: has, Accounts: account(after, "sales")},
			granted: []Held{one}, dropped: []Held{gone}},
		{name: "gone for good, with a successor", s: Snapshot{Strays: stray(false, false), Accounts: account(after, "sales")},
			want: "REMOVE_ENTITLEMENT a1 groups=sales"},
		{name: "gone for good, but begun", s: Snapshot{Strays: stray(false, false), Operations: begun}},
		{name: "somebody else's", s: Snapshot{Strays: stray(true, false), Accounts: account(after, "sales")}, left: []Held{gone}},
		{name: "carried, not wanted", s: Snapshot{Carried: []Carried{{Held: one}}, Accounts: account(before, "sales")},
			want: "REMOVE_ENTITLEMENT a1 groups=sales"},
		{name: "carried, wanted", s: Snapshot{Carried: []Carried{{Held: one}}, Assignments: has, Accounts: account(before, "sales")},
			granted: []Held{one}, settled: []Held{one}},
		{name: "carried, and granted", s: Snapshot{Carried: []Carried{{Held: one}}, Grants: []Held{one}, Assignments: has,
			Accounts: account(before, "sales")}, settled: []Held{one}},
		{name: "carried no more", s: Snapshot{Carried: []Carried{{Held: one}}, Accounts: account(before)}, settled: []Held{one}},
		{name: "carried, perhaps soon", s: Snapshot{Carried: []Carried{{Held: one, Pending: true}}, Accounts: account(before)}},
		{name: "carried by no account of the identity", s: Snapshot{Carried: []Carried{{Held: gone}}, Accounts: account(before)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			change, got := planned(plan(grant("sales", nil)), &test.s, "", nil)
			a := &change.Access
			if got != test.want {
				t.Errorf("it opens %q, want %q", got, test.want)
			}
			if got, want := fmt.Sprint(a.Granted, a.Dropped, a.Left, a.Settled),
				fmt.Sprint(test.granted, test.dropped, test.left, test.settled); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	// An account that is to be deleted loses nothing else.
	leaving := Snapshot{Strays: stray(false, true), Carried: []Carried{{Held: one}}, Accounts: account(after, "sales")}
	if _, got := planned(plan(grant("sales", nil)), &leaving, "gone", &Profile{ID: staff, Enabled: true}); got != "DELETE a1" {
		t.Errorf("it opens %q, want the deletion alone", got)
	}
}
