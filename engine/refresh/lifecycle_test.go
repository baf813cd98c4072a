package refresh

import (
	"fmt"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
)

// A state that was set by hand holds until the mapping gives another value than when it was set, or the same state. Where
// that value is not known, the next calculation takes the one that it finds.
func TestStateSetByHand(t *testing.T) {
	for _, test := range []struct {
		name                 string
		state, basis, mapped string
		want                 string // the state, how it came about, its basis and the attribute
	}{
		{"nothing changed", "leave", "=active", "active", "leave by hand =active leave"},
		{"the source changes to another state", "leave", "=active", "plain", "plain by mapping  plain"},
		{"the source changes to no state", "leave", "=active", "elsewhere", " by mapping  elsewhere"},
		{"the source changes to nothing", "leave", "=active", "", " by mapping  "},
		{"the source comes to the same state", "leave", "=active", "leave", "leave by mapping  leave"},
		{"there was no value, and is none", "leave", "=", "", "leave by hand = leave"},
		{"there was no value, and is one", "leave", "=", "active", "active by mapping  active"},
		{"the value is not known", "leave", "", "active", "leave by hand =active leave"},
		{"the value is not known, and the state the same", "leave", "", "leave", "leave by mapping  leave"},
		{"no value of the state's name is meant by the sign", "leave", "=leave", "leave", "leave by mapping  leave"},
		{"the state is not enabled any more", "closed", "=active", "active", "active by mapping  active"},
		{"the state is not there any more", "gone", "=active", "active", "active by mapping  active"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, profile := range []Profile{employees(t), arranged(t, append(employees(t).Mappings, reading("a", "cloudLifecycleState"))...)} {
				profile.States = employees(t).States
				before := State{Calculated: Calculated{LifecycleState: test.state, LifecycleManual: true, LifecycleBasis: test.basis,
					IdentityState: "ACTIVE"}, Attributes: attribute.SetOf(map[string]attribute.Value{"cloudLifecycleState": attribute.String(test.state)})}
				s := &Snapshot{Identity: before, Accounts: []Account{account(hr, "HR", "7", map[string]string{"state": test.mapped})}}
				change := Calculate(s, &Configuration{Profiles: []Profile{profile}}, now)
				after := change.After
				how := "by mapping"
				if after.LifecycleManual {
					how = "by hand"
				}
				got := fmt.Sprintf("%s %s %s %s", after.LifecycleState, how, after.LifecycleBasis, after.Attributes.Get("cloudLifecycleState").Text())
				if got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if ended := how == "by mapping"; change.LifecycleEnded() != ended {
					t.Errorf("it has ended: %t, want %t", change.LifecycleEnded(), ended)
				}
				if again := Calculate(&Snapshot{Identity: *after, Accounts: s.Accounts}, &Configuration{Profiles: []Profile{profile}}, now); again.Differs() {
					t.Errorf("a second calculation changes it to %s", describe(again.After))
				}
			}
		})
	}
}

// What a mapping gave when a state is set by hand is the value of the attribute, or the basis of the state before, which
// the attribute hides. Before the first calculation it is not known.
func TestBasisOfStateSetNow(t *testing.T) {
	shown := attribute.SetOf(map[string]attribute.Value{"cloudLifecycleState": attribute.String("active")})
	for _, test := range []struct {
		name  string
		state State
		want  string
	}{
		{"calculated", State{Calculated: Calculated{IdentityState: "ACTIVE"}, Attributes: shown}, "=active"},
		{"calculated without a value", State{Calculated: Calculated{IdentityState: "ACTIVE"}}, "="},
		{"set by hand before", State{Calculated: Calculated{IdentityState: "ACTIVE", LifecycleManual: true, LifecycleBasis: "=leave"}, Attributes: shown}, "=leave"},
		{"set by hand before, and left to itself", State{Calculated: Calculated{IdentityState: "ACTIVE", LifecycleBasis: "=leave"}, Attributes: shown}, "=leave"},
		{"set by hand before the first calculation", State{Calculated: Calculated{LifecycleManual: true}, Attributes: shown}, ""},
		{"not calculated yet", State{Attributes: shown}, ""},
	} {
		if got := test.state.NextBasis(); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// A state that is left to itself is that of the mapping, and nothing is left of the one that was set.
func TestStateLeftToItself(t *testing.T) {
	before := State{Calculated: Calculated{LifecycleState: "leave", LifecycleBasis: "=active"},
		Attributes: attribute.SetOf(map[string]attribute.Value{"cloudLifecycleState": attribute.String("leave")})}
	s := &Snapshot{Identity: before, Accounts: []Account{account(hr, "HR", "7", map[string]string{"state": "active"})}}
	change := Calculate(s, &Configuration{Profiles: []Profile{employees(t)}}, now)
	if after := change.After; after.LifecycleState != "active" || after.LifecycleManual || after.LifecycleBasis != "" || change.LifecycleEnded() {
		t.Errorf("got %s with the basis %q, want active without one", describe(after), after.LifecycleBasis)
	}
}

// Nobody is in a state that the profile does not have or that is not enabled. A warning names the value, and the states
// that there are.
func TestNoState(t *testing.T) {
	those := ` of the identity profile "Employees": those are active, leave, plain`
	for mapped, want := range map[string]string{
		"":       "",
		"active": "",
		"plain":  "",
		"Active": `the identity has no lifecycle state: cloudLifecycleState is "Active", which is the technical name of no lifecycle state` + those,
		"closed": `the identity has no lifecycle state: cloudLifecycleState is "closed", a lifecycle state that is not enabled` + those,
		strings.Repeat("ä", 60): `the identity has no lifecycle state: cloudLifecycleState is "` + strings.Repeat("ä", 60) +
			`", which is the technical name of no lifecycle state` + those,
		strings.Repeat("ä", 61): `the identity has no lifecycle state: cloudLifecycleState is "` + strings.Repeat("ä", 60) +
			`…", which is the technical name of no lifecycle state` + those,
	} {
		s := &Snapshot{Accounts: []Account{account(hr, "HR", "7", map[string]string{"id": "7", "name": "A", "mail": "a@example.com", "state": mapped})}}
		change := Calculate(s, &Configuration{Profiles: []Profile{employees(t)}}, now)
		warnings := strings.Join(change.Warnings, "\n")
		warnings = strings.TrimPrefix(strings.TrimPrefix(warnings, "the identity is incomplete: it has no firstname, lastname"), "\n")
		if warnings != want {
			t.Errorf("%s: got %q, want %q", mapped, warnings, want)
		}
		if has := want == ""; (change.After.LifecycleState == mapped) != has || has && mapped == "closed" {
			t.Errorf("%s: the state is %q", mapped, change.After.LifecycleState)
		}
		if got := change.After.IdentityState; got != Active {
			t.Errorf("%s: the identity state is %s, want ACTIVE as without a state", mapped, got)
		}
	}
}

// A profile that calculates no attributes leaves a state that was set by hand, unless nobody can be in it.
func TestStateSetByHandUnderProfileThatIsNotEnabled(t *testing.T) {
	profile := employees(t)
	profile.Enabled = false
	for state, want := range map[string]string{"leave": "leave/true", "closed": "/false"} {
		before := State{Calculated: Calculated{LifecycleState: state, LifecycleManual: true, LifecycleBasis: "=active"}}
		change := Calculate(&Snapshot{Identity: before, Accounts: []Account{account(hr, "HR", "7", map[string]string{"state": "active"})}},
			&Configuration{Profiles: []Profile{profile}}, now)
		if got := fmt.Sprintf("%s/%t", change.After.LifecycleState, change.After.LifecycleManual); got != want {
			t.Errorf("%s: got %s, want %s", state, got, want)
		}
	}
}
