package configuration

import (
	"slices"

	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// CompiledProfile is an identity profile with its row and its lifecycle states, for package engine.
type CompiledProfile struct {
	IdentityProfile
	RowID store.ID
	// Zoned says that a mapping may depend on the tenant's time zone.
	Zoned    bool
	sourceID store.ID
	states   map[string]CompiledState // by technical name; the built-in states may be missing
	// transforms are the saved transforms that its mappings refer to, directly or not. One may occur twice.
	transforms []string
	mappings   []compiledMapping
}

// compiledMapping is the name of a mapped attribute, and the account attributes that its transform reads.
type compiledMapping struct {
	name     string
	accounts []transform.AccountAttribute
}

// CompiledState is a lifecycle state with its row, for package engine.
type CompiledState struct {
	LifecycleState
	RowID store.ID
}

// StateByName returns the technical name of the state that an ID, a technical name or a name stands for, or "" if there
// is none.
func (p *CompiledProfile) StateByName(text string) string {
	if p.hasState(text) {
		return text
	}
	id, err := store.ParseID(text)
	folded := store.Fold(text)
	for technical, state := range p.states {
		if err == nil && state.RowID == id || store.Fold(state.Name) == folded {
			return technical
		}
	}
	return ""
}

// hasState reports whether the profile has a state of a technical name.
func (p *CompiledProfile) hasState(technical string) bool {
	_, configured := p.states[technical]
	_, builtIn := builtInStates[technical]
	return configured || builtIn
}

// StateEnabled reports whether identities can be in a state of the profile.
func (p *CompiledProfile) StateEnabled(technical string) bool {
	state, configured := p.states[technical]
	return configured && state.enabled() || !configured && p.hasState(technical)
}

// enabled reports whether identities can be in the state. The published shape says so by enabled; a state that does not
// say it is enabled.
func (l *LifecycleState) enabled() bool { return l.Enabled == nil || *l.Enabled }

// StateNames returns the technical names of the states that identities can be in, the built-in ones among them, sorted.
func (p *CompiledProfile) StateNames() []string {
	var names []string
	for name := range p.states {
		names = append(names, name)
	}
	for name := range builtInStates {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return !p.StateEnabled(name) })
}

// Mapping returns the transform that calculates an attribute, as JSON, or null if the profile does not map it.
func (p *CompiledProfile) Mapping(name string) []byte {
	for _, m := range p.AttributeConfig.Transforms {
		if m.IdentityAttributeName == name {
			return m.TransformDefinition
		}
	}
	return []byte("null")
}

// RefersTo reports whether a mapping refers to one of the saved transforms, directly or not.
func (p *CompiledProfile) RefersTo(transforms []string) bool {
	return slices.ContainsFunc(transforms, func(name string) bool { return slices.Contains(p.transforms, name) })
}
