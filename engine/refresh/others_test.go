package refresh

import (
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
)

// The face of an identity differs where somebody would read something else: its name, its alias, and the attributes that
// are read, or any of them. What nobody reads does not show.
func TestFace(t *testing.T) {
	ann := State{Calculated: Calculated{Name: "Ann", Alias: "ann", Email: "a@example.com"},
		Attributes: attribute.SetOf(map[string]attribute.Value{"city": attribute.String("Bonn"), "floor": attribute.Int(3)})}
	with := func(change func(*State)) *State {
		other := ann
		other.Attributes = ann.Attributes.Clone()
		change(&other)
		return &other
	}
	city, anything, nothing := &Others{Read: true, Attributes: []string{"city"}}, &Others{Read: true, Any: true}, &Others{Read: true}
	for _, test := range []struct {
		name                  string
		other                 *State
		byCity, byAny, byName bool // whether the face differs
	}{
		{"the same", with(func(*State) {}), false, false, false},
		{"another name", with(func(s *State) { s.Name = "Anne" }), true, true, true},
		{"another alias", with(func(s *State) { s.Alias = "annb" }), true, true, true},
		{"a letter that moves from the name to the alias", with(func(s *State) { s.Name, s.Alias = "An", "nann" }), true, true, true},
		{"another city", with(func(s *State) { s.Attributes.Put("city", attribute.String("Ulm")) }), true, true, false},
		{"no city", with(func(s *State) { s.Attributes.Delete("city") }), true, true, false},
		{"a city of another kind", with(func(s *State) { s.Attributes.Put("city", attribute.List([]string{"Bonn"})) }), true, true, false},
		{"another floor", with(func(s *State) { s.Attributes.Put("floor", attribute.Int(4)) }), false, true, false},
		{"another address", with(func(s *State) { s.Email = "b@example.com" }), false, false, false},
	} {
		for _, by := range []struct {
			others *Others
			want   bool
		}{{city, test.byCity}, {anything, test.byAny}, {nothing, test.byName}} {
			if got := by.others.Face(&ann) != by.others.Face(test.other); got != by.want {
				t.Errorf("%s, to %+v: the face differs: %t, want %t", test.name, by.others, got, by.want)
			}
		}
	}
}

// The manager is looked for by the account of the profile that the identity has now, and by the stored key where it has
// none.
func TestManagerKey(t *testing.T) {
	c := &Configuration{Profiles: []Profile{employees(t)}}
	stored := State{Calculated: Calculated{ManagerKey: "number=9"}}
	for _, test := range []struct {
		name     string
		accounts []Account
		want     string
	}{
		{"by the account", []Account{account(hr, "HR", "7", map[string]string{"mgr": "X1"})}, "number=x1"},
		{"the account names none", []Account{account(hr, "HR", "7", nil)}, ""},
		{"not correlated", []Account{account(leave, "Register", "7", nil)}, "number=9"},
	} {
		if got := ManagerKey(&Snapshot{Identity: stored, Accounts: test.accounts}, c); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	plain := employees(t)
	plain.ManagerAttribute = ""
	if got := ManagerKey(&Snapshot{Identity: stored, Accounts: []Account{account(hr, "HR", "7", map[string]string{"mgr": "X1"})}},
		&Configuration{Profiles: []Profile{plain}}); got != "" {
		t.Errorf("without a correlation: got %q, want none", got)
	}
}
