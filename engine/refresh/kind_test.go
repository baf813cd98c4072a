package refresh

import (
	"fmt"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

func TestEveryKindHasItsTarget(t *testing.T) {
	want := map[connector.Kind]string{
		connector.Create:        "/",
		connector.SetAttributes: "groups/",
		connector.AddValues:     "groups/sales\ncrm",
		connector.RemoveValues:  "groups/sales\ncrm",
		connector.Enable:        "/status",
		connector.Disable:       "/status",
		connector.Unlock:        "/lock",
		connector.Delete:        "/account",
		connector.SetPassword:   "/password",
	}
	for _, kind := range connector.Kinds() {
		o := Operation{Kind: kind, Attributes: attribute.SetOf(groupsOf("sales", "crm"))}
		o.Attributes.Delete("active")
		name, value := o.Target()
		if got := name + "/" + value; got != want[kind] {
			t.Errorf("the target of %s is %q, want %q", kind, got, want[kind])
		}
	}
}

// TestEveryKindIsFulfilledByTheAccounts demands that exactly the accounts that show what an operation was to do fulfil
// it.
func TestEveryKindIsFulfilledByTheAccounts(t *testing.T) {
	sales := attribute.SetOf(map[string]attribute.Value{"groups": attribute.List([]string{"sales"})})
	with, without := []Account{userAccount(1, groupsOf("sales"))}, []Account{userAccount(1, groupsOf("crm"))}
	want := map[connector.Kind]struct{ with, without, gone bool }{
		connector.Create:        {true, true, false},
		connector.SetAttributes: {true, false, false},
		connector.AddValues:     {true, false, false},
		connector.RemoveValues:  {false, true, false},
		connector.Enable:        {true, false, false},
		connector.Disable:       {true, false, false},
		connector.Unlock:        {true, false, false},
		connector.Delete:        {false, false, true},
		connector.SetPassword:   {false, false, false},
	}
	for _, kind := range connector.Kinds() {
		o := &Operation{SourceID: crm, AccountID: ID{10, 1}, Kind: kind, Attributes: sales}
		fulfilled := func(accounts []Account) bool {
			p := &planner{a: new(Access), s: &Snapshot{Accounts: accounts}, accounts: map[ID][]*Account{}}
			for i := range accounts {
				p.accounts[crm] = append(p.accounts[crm], &accounts[i])
			}
			return p.fulfilled(o)
		}
		got := struct{ with, without, gone bool }{fulfilled(with), fulfilled(without), fulfilled(nil)}
		if got != want[kind] {
			t.Errorf("%s is fulfilled %+v, want %+v", kind, got, want[kind])
		}
	}
}

// TestEveryKindIsAnActionOrRefused goes over what a lifecycle state may ask for.
func TestEveryKindIsAnActionOrRefused(t *testing.T) {
	actions := map[connector.Kind]bool{connector.Enable: true, connector.Disable: true, connector.Delete: true}
	for _, kind := range append(connector.Kinds(), "PAINT") {
		c := plan()
		c.Access.States[staff]["locked"] = StateAccess{Actions: map[ID]connector.Kind{crm: kind}}
		s := &Snapshot{Accounts: []Account{userAccount(1, groupsOf())}}
		if refused := panics(func() { planned(c, s, "locked", &Profile{ID: staff}) }); refused == actions[kind] {
			t.Errorf("%s is refused: %t, want %t", kind, refused, !actions[kind])
		}
	}
}

func TestUnknownKindHasNoTarget(t *testing.T) {
	o := Operation{Kind: "PAINT"}
	if !panics(func() { o.Target() }) {
		t.Error("an operation of an unknown kind has a target")
	}
	if p := (&planner{a: new(Access), s: new(Snapshot)}); !panics(func() { p.fulfilled(&o) }) {
		t.Error("an operation of an unknown kind is fulfilled or not")
	}
}

func panics(do func()) (panicked bool) {
	defer func() { panicked = fmt.Sprint(recover()) != "<nil>" }()
	do()
	return false
}
