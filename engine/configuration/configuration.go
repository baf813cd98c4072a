package configuration

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// Configuration is the tenant's configuration at one version, compiled. It never changes: a change of the configuration
// makes a new one. It and the compiled types are for package engine; a host works with documents.
type Configuration struct {
	Version    int64
	Settings   *Settings
	Attributes map[string]IdentityAttribute // the defined ones, by name
	Sources    map[store.ID]*CompiledSource
	Profiles   []CompiledProfile // the highest priority first
	Roles      map[store.ID]*CompiledRole
	Transforms map[string]json.RawMessage
	hostRules  map[string]transform.Rule
	Keyed      map[string]keying // the attributes that identities are found by
	Refresh    refresh.Configuration
	faults     []error
	// choiceNotes are notes about provisioning criteria.
	choiceNotes []string
	// savedAccounts are the account attributes that the saved transforms read, by name.
	savedAccounts map[string][]transform.AccountAttribute
	// ungranted are the entitlements that are granted and that no aggregation has found, by source.
	ungranted map[store.ID][]string
}

// Compile compiles the rows of a configuration. rules are the host's, by name, and connected reports whether there is a
// connector of a name. Rows that were applied compile: an error says that something else wrote them, or that documents
// that are being applied do not fit each other. It has a line for each fault, with those of [Configuration.Check]. It
// is for package engine.
func Compile(rows store.Configuration, rules map[string]transform.Rule, connected func(connector string) bool) (
	*Configuration, error,
) {
	c := &Configuration{
		Version:    rows.Version,
		Attributes: map[string]IdentityAttribute{},
		Sources:    map[store.ID]*CompiledSource{},
		Roles:      map[store.ID]*CompiledRole{},
		Transforms: map[string]json.RawMessage{},
		hostRules:  rules,
		Keyed:      map[string]keying{},

		savedAccounts: map[string][]transform.AccountAttribute{}, ungranted: map[store.ID][]string{},
	}
	if err := c.compileSettings(&rows); err != nil {
		return nil, err
	}
	if err := c.decodeSources(&rows); err != nil {
		return nil, err
	}
	if err := c.decodeProfiles(&rows); err != nil {
		return nil, err
	}
	c.compileKeys()
	var faults []error
	for _, row := range rows.Transforms {
		compiled, err := transform.Compile(row.Document, c)
		if err != nil {
			faults = append(faults, fmt.Errorf("transform %q: %w", row.Name, err))
			continue
		}
		c.savedAccounts[row.Name] = compiled.Dependencies().Accounts
	}
	faults = append(faults, c.compileRoles(rows.Roles)...)
	faults = append(faults, c.compileAccess(&rows, connected)...)
	faults = append(faults, c.compileRefresh()...)
	if len(faults) > 0 {
		return nil, errors.Join(append(faults, c.Check())...)
	}
	return c, nil
}

// each returns faults with the name of their object, or their place, before each.
func each(faults []error, format string, arguments ...any) []error {
	named := make([]error, len(faults))
	for i, err := range faults {
		named[i] = fmt.Errorf("%s: %w", fmt.Sprintf(format, arguments...), err)
	}
	return named
}

// decodeSources reads the identity attributes, the saved transforms and the sources.
func (c *Configuration) decodeSources(rows *store.Configuration) error {
	for _, row := range rows.IdentityAttributes {
		var a IdentityAttribute
		if err := DecodeObject(row.Document, &a); err != nil {
			return fmt.Errorf("identity attribute %q: %w", row.Name, err)
		}
		c.Attributes[row.Name] = a
	}
	for _, row := range rows.Transforms {
		c.Transforms[row.Name] = row.Document
	}
	for _, row := range rows.Sources {
		source := &CompiledSource{RowID: row.ID, IDText: row.ID.String()}
		if err := DecodeObject(row.Document, &source.Source); err != nil {
			return fmt.Errorf("source %q: %w", row.Name, err)
		}
		source.completeEqualities()
		source.nameProperties(c.Attributes)
		source.account = source.properties()
		c.Sources[row.ID] = source
	}
	return nil
}

// decodeProfiles reads the lifecycle states and the identity profiles. The sources are there already.
func (c *Configuration) decodeProfiles(rows *store.Configuration) error {
	states := map[store.ID]map[string]CompiledState{}
	for _, row := range rows.LifecycleStates {
		var l LifecycleState
		if err := DecodeObject(row.Document, &l); err != nil {
			return fmt.Errorf("lifecycle state %q: %w", row.TechnicalName, err)
		}
		if states[row.ProfileID] == nil {
			states[row.ProfileID] = map[string]CompiledState{}
		}
		states[row.ProfileID][row.TechnicalName] = CompiledState{l, row.ID}
	}
	for _, row := range rows.Profiles {
		profile := CompiledProfile{RowID: row.ID, sourceID: row.AuthoritativeSourceID, states: states[row.ID]}
		if err := DecodeObject(row.Document, &profile.IdentityProfile); err != nil {
			return fmt.Errorf("identity profile %q: %w", row.Name, err)
		}
		if source := c.Sources[row.AuthoritativeSourceID]; source != nil {
			source.ProfileID = row.ID
		}
		c.Profiles = append(c.Profiles, profile)
	}
	return nil
}

// compileRefresh compiles the profiles into what calculates identities.
func (c *Configuration) compileRefresh() (faults []error) {
	for i := range c.Profiles {
		p := &c.Profiles[i]
		profile := refresh.Profile{
			ID: p.RowID, Name: p.Name, SourceID: p.sourceID,
			Enabled: p.AttributeConfig.Enabled == nil || *p.AttributeConfig.Enabled,
			States:  map[string]refresh.LifecycleState{},
		}
		for name, state := range builtInStates {
			profile.States[name] = refresh.LifecycleState{Identity: state, Enabled: true}
		}
		for name, state := range p.states {
			profile.States[name] = refresh.LifecycleState{Identity: store.TextOf(state.IdentityState),
				Enabled: state.enabled()}
		}
		faults = append(faults, each(c.compileMappings(p, &profile), "identity profile %q", p.Name)...)
		if source := c.Sources[p.sourceID]; source != nil && source.ManagerCorrelation != nil {
			m := *source.ManagerCorrelation
			profile.ManagerAttribute = m.AccountAttributeName
			profile.ManagerKey = func(value string) string {
				return store.KeyIgnoringCase(m.IdentityAttributeName, value)
			}
		}
		c.Refresh.Profiles = append(c.Refresh.Profiles, profile)
	}
	others := &c.Refresh.Others
	slices.Sort(others.Attributes)
	others.Attributes = slices.Compact(others.Attributes)
	return faults
}

// compileMappings compiles the mappings of a profile and finds their order.
func (c *Configuration) compileMappings(p *CompiledProfile, profile *refresh.Profile) (faults []error) {
	for i, m := range p.AttributeConfig.Transforms {
		compiled, err := transform.Compile(m.TransformDefinition, c)
		if err != nil {
			faults = append(faults, fmt.Errorf("attribute %s: %w", m.IdentityAttributeName, err))
			continue
		}
		d := compiled.Dependencies()
		if profile.Enabled {
			c.readsOthers(&d)
		}
		p.Zoned = p.Zoned || d.Zone
		p.transforms = append(p.transforms, d.Transforms...)
		p.mappings = append(p.mappings, compiledMapping{m.IdentityAttributeName, d.Accounts})
		profile.Mappings = append(profile.Mappings, refresh.Mapping{Attribute: m.IdentityAttributeName,
			Transform: compiled, Periodic: compiled.RequiresPeriodicRefresh(), Reads: d.Attributes,
			ReadsAny: d.AnyAttribute})
		if d.Names {
			c.fault("identity profile %q: identityAttributeConfig.attributeTransforms[%d]: attribute %s: a name is "+
				"generated only in a create policy (provisioningPolicies of a source), where it is kept free: a "+
				"mapping would give two people the same", p.Name, i, m.IdentityAttributeName)
		}
	}
	slices.SortFunc(profile.Mappings, func(a, b refresh.Mapping) int {
		return attribute.Compare(a.Attribute, b.Attribute)
	})
	if err := profile.Arrange(); err != nil {
		c.fault("identity profile %q: identityAttributeConfig.attributeTransforms: %w", p.Name, err)
	}
	return faults
}

// readsOthers records what a mapping or a field of a policy reads of other identities.
func (c *Configuration) readsOthers(d *transform.Dependencies) {
	o := &c.Refresh.Others
	o.Read = o.Read || d.Others
	o.Manager, o.Status, o.Alias = o.Manager || d.Manager, o.Status || d.Status, o.Alias || d.Alias
	o.Attributes, o.Any = append(o.Attributes, d.OtherAttributes...), o.Any || d.AnyOther
}

// Transform implements [transform.Library]: it returns a saved transform.
func (c *Configuration) Transform(name string) ([]byte, bool) {
	definition, found := c.Transforms[name]
	return definition, found
}

// Rule implements [transform.Library]: it returns a rule of the host.
func (c *Configuration) Rule(name string) (transform.Rule, bool) {
	rule, found := c.hostRules[name]
	return rule, found
}

// TransformNames implements [transform.Namer].
func (c *Configuration) TransformNames() []string { return slices.Sorted(maps.Keys(c.Transforms)) }

// RuleNames implements [transform.Namer].
func (c *Configuration) RuleNames() []string { return slices.Sorted(maps.Keys(c.hostRules)) }

// Unmapped returns a note for each correlation that looks for identities by an attribute which no profile maps.
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
