package refresh

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
)

// lifecycleAttribute holds the technical name of the lifecycle state.
const lifecycleAttribute = "cloudLifecycleState"

// LifecycleState is a lifecycle state of a profile.
type LifecycleState struct {
	Identity string // the identity state, "" for [Active]
	// Enabled says that identities can be in the state.
	Enabled bool
}

// StateNames returns the technical names of the states that identities can be in, sorted.
func (p *Profile) StateNames() []string {
	names := slices.Sorted(maps.Keys(p.States))
	return slices.DeleteFunc(names, func(name string) bool { return !p.States[name].Enabled })
}

// NextBasis returns the basis of a state that is set by hand now: the value that the mapping of the lifecycle state
// gave last. It is unknown before the first calculation.
func (s *State) NextBasis() string {
	if s.LifecycleManual || s.LifecycleBasis != "" {
		return s.LifecycleBasis // the attribute shows the state that was set
	}
	if s.IdentityState == "" {
		return ""
	}
	return basisOf(s.Attributes.Get(lifecycleAttribute))
}

func basisOf(mapped attribute.Value) string { return "=" + mapped.Text() }

// lifecycleValue decides whether a state that was set by hand still holds where the mapping of the lifecycle state
// gives a value, and returns the value of the attribute: the state that was set, or that of the mapping. The state
// holds until the mapping gives another value than when the state was set, or the same state. That is the vendor's
// rule: https://developer.sailpoint.com/discuss/t/manual-lifecycle-state-updating-automatically/54924
func (c *Change) lifecycleValue(p *Profile, mapped attribute.Value) attribute.Value {
	before, after := c.Before, c.After
	if !before.LifecycleManual {
		after.LifecycleBasis = ""
		return mapped
	}
	basis := basisOf(mapped)
	changed := before.LifecycleBasis != "" && before.LifecycleBasis != basis
	if changed || mapped.Text() == before.LifecycleState || !p.States[before.LifecycleState].Enabled {
		after.LifecycleManual, after.LifecycleBasis = false, ""
		return mapped
	}
	after.LifecycleManual, after.LifecycleBasis = true, basis
	return attribute.String(before.LifecycleState)
}

// LifecycleEnded reports whether a state that was set by hand holds no longer.
func (c *Change) LifecycleEnded() bool { return c.Before.LifecycleManual && !c.After.LifecycleManual }

// setLifecycle takes the state that was set by hand, or the one whose technical name the attribute cloudLifecycleState
// equals. Nobody is in a state that the profile does not have, or that is not enabled.
func (c *Change) setLifecycle(p *Profile) {
	s := c.After
	if !s.LifecycleManual {
		s.LifecycleState = s.Attributes.Get(lifecycleAttribute).Text()
	}
	state, exists := p.States[s.LifecycleState]
	if !state.Enabled {
		if s.LifecycleState != "" {
			c.Warnings = append(c.Warnings, p.noState(s.LifecycleState, exists))
		}
		state, s.LifecycleState, s.LifecycleManual, s.LifecycleBasis = LifecycleState{}, "", false, ""
	}
	if s.IdentityState = state.Identity; s.IdentityState == "" {
		s.IdentityState = Active
	}
}

// stateLengthMax is how many characters of a value that is no state a warning shows.
const stateLengthMax = 60

// noState says why an identity is in no state.
func (p *Profile) noState(value string, exists bool) string {
	why := "which is the technical name of no lifecycle state"
	if exists {
		why = "a lifecycle state that is not enabled"
	}
	if runes := []rune(value); len(runes) > stateLengthMax {
		value = string(runes[:stateLengthMax]) + "…"
	}
	return fmt.Sprintf("the identity has no lifecycle state: %s is %q, %s of the identity profile %q: those are %s",
		lifecycleAttribute, value, why, p.Name, strings.Join(p.StateNames(), ", "))
}
