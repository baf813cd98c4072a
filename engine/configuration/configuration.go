package configuration

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// Configuration is the tenant's configuration at one version, compiled. It is never changed: a change of the
// configuration makes a new one.
type Configuration struct {
	Version    int64
	Attributes map[string]IdentityAttribute // those that are defined, by name
	Sources    map[store.ID]*CompiledSource
	Profiles   []CompiledProfile // the highest priority first
	Roles      map[store.ID]*CompiledRole
	Transforms map[string]json.RawMessage
	rules      map[string]transform.Rule // the host's
	Keyed      map[string]keying         // the attributes by which identities are found
	Refresh    refresh.Configuration
	// others says that a mapping looks other identities up.
	Others bool
}

type CompiledSource struct {
	Source
	RowID     store.ID
	IDText    string   // the ID
	ProfileID store.ID // of which the source is the authoritative one; zero for none
}

type CompiledProfile struct {
	IdentityProfile
	RowID    store.ID
	sourceID store.ID
	states   map[string]CompiledState // by technical name; the built-in ones need not be there
	// transforms are the saved transforms that its mappings refer to, directly or not; several may be there twice.
	transforms []string
}

type CompiledState struct {
	LifecycleState
	RowID store.ID
}

// Transform implements [transform.Library].
func (c *Configuration) Transform(name string) ([]byte, bool) {
	definition, found := c.Transforms[name]
	return definition, found
}

// Rule implements [transform.Library].
func (c *Configuration) Rule(name string) (transform.Rule, bool) {
	rule, found := c.rules[name]
	return rule, found
}

// Compile makes a configuration of its rows. Rows that were applied compile; an error here says that they were
// written by something else.
func Compile(rows store.Configuration, rules map[string]transform.Rule, connected func(connector string) bool) (
	*Configuration, error,
) {
	c := &Configuration{
		Version:    rows.Version,
		Attributes: map[string]IdentityAttribute{},
		Sources:    map[store.ID]*CompiledSource{},
		Roles:      map[store.ID]*CompiledRole{},
		Transforms: map[string]json.RawMessage{},
		rules:      rules,
		Keyed:      map[string]keying{},
	}
	for _, row := range rows.IdentityAttributes {
		var a IdentityAttribute
		if err := DecodeObject(row.Document, &a); err != nil {
			return nil, fmt.Errorf("identity attribute %q: %w", row.Name, err)
		}
		c.Attributes[row.Name] = a
	}
	for _, row := range rows.Transforms {
		c.Transforms[row.Name] = row.Document
	}
	for _, row := range rows.Sources {
		source := &CompiledSource{RowID: row.ID, IDText: row.ID.String()}
		if err := DecodeObject(row.Document, &source.Source); err != nil {
			return nil, fmt.Errorf("source %q: %w", row.Name, err)
		}
		c.Sources[row.ID] = source
	}
	states := map[store.ID]map[string]CompiledState{}
	for _, row := range rows.LifecycleStates {
		var l LifecycleState
		if err := DecodeObject(row.Document, &l); err != nil {
			return nil, fmt.Errorf("lifecycle state %q: %w", row.TechnicalName, err)
		}
		if states[row.ProfileID] == nil {
			states[row.ProfileID] = map[string]CompiledState{}
		}
		states[row.ProfileID][row.TechnicalName] = CompiledState{l, row.ID}
	}
	for _, row := range rows.Profiles {
		profile := CompiledProfile{RowID: row.ID, sourceID: row.AuthoritativeSourceID, states: states[row.ID]}
		if err := DecodeObject(row.Document, &profile.IdentityProfile); err != nil {
			return nil, fmt.Errorf("identity profile %q: %w", row.Name, err)
		}
		if source := c.Sources[row.AuthoritativeSourceID]; source != nil {
			source.ProfileID = row.ID
		}
		c.Profiles = append(c.Profiles, profile)
	}
	c.compileKeys()
	for _, row := range rows.Transforms {
		if _, err := transform.Compile(row.Document, c); err != nil {
			return nil, fmt.Errorf("transform %q: %w", row.Name, err)
		}
	}
	if err := c.compileRoles(rows.Roles); err != nil {
		return nil, err
	}
	if err := c.compileAccess(&rows, connected); err != nil {
		return nil, err
	}
	return c, c.compileRefresh()
}

func (c *Configuration) compileRefresh() error {
	for i := range c.Profiles {
		p := &c.Profiles[i]
		profile := refresh.Profile{
			ID: p.RowID, Name: p.Name, SourceID: p.sourceID,
			Enabled: p.AttributeConfig.Enabled == nil || *p.AttributeConfig.Enabled,
			States:  map[string]string{},
		}
		for name, state := range builtInStates {
			profile.States[name] = state
		}
		for name, state := range p.states {
			profile.States[name] = store.TextOf(state.IdentityState)
		}
		for _, m := range p.AttributeConfig.Transforms {
			compiled, err := transform.Compile(m.TransformDefinition, c)
			if err != nil {
				return fmt.Errorf("identity profile %q: attribute %s: %w", p.Name, m.IdentityAttributeName, err)
			}
			dependencies := compiled.Dependencies()
			c.Others = c.Others || dependencies.Others
			p.transforms = append(p.transforms, dependencies.Transforms...)
			profile.Mappings = append(profile.Mappings, refresh.Mapping{Attribute: m.IdentityAttributeName,
				Transform: compiled, Periodic: compiled.RequiresPeriodicRefresh()})
		}
		slices.SortFunc(profile.Mappings, func(a, b refresh.Mapping) int {
			return attribute.Compare(a.Attribute, b.Attribute)
		})
		if source := c.Sources[p.sourceID]; source != nil && source.ManagerCorrelation != nil {
			m := *source.ManagerCorrelation
			profile.ManagerAttribute = m.AccountAttributeName
			profile.ManagerKey = func(value string) string {
				return store.KeyIgnoringCase(m.IdentityAttributeName,
					value)
			}
		}
		c.Refresh.Profiles = append(c.Refresh.Profiles, profile)
	}
	return nil
}

// Assignments returns the correlation of the source's accounts, none where it has none.
func (s *Source) Assignments() []AttributeAssignment {
	if s.AccountCorrelationConfig == nil {
		return nil
	}
	return s.AccountCorrelationConfig.Assignments
}

func (a *AttributeAssignment) exact() bool { return a.IgnoreCase != nil && !*a.IgnoreCase }

// Unmapped says which correlations look for identities in an attribute that no profile gives a value.
func (c *Configuration) Unmapped() []string {
	if len(c.Profiles) == 0 {
		return nil
	}
	mapped := map[string]bool{}
	for _, p := range c.Profiles {
		for _, m := range p.AttributeConfig.Transforms {
			mapped[m.IdentityAttributeName] = true
		}
	}
	var notes []string
	note := func(source, member, attribute string) {
		if attribute != "" && !mapped[attribute] {
			notes = append(notes, fmt.Sprintf("source %q: %s looks for identities by %q, which no identity profile "+
				"maps: it finds nobody", source, member, attribute))
		}
	}
	for _, source := range c.Sources {
		for _, a := range source.Assignments() {
			note(source.Name, "accountCorrelationConfig", a.Property)
		}
		if m := source.ManagerCorrelation; m != nil {
			note(source.Name, "managerCorrelationMapping", m.IdentityAttributeName)
		}
	}
	slices.Sort(notes)
	return notes
}
