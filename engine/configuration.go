package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// configuration is the tenant's configuration at one version, compiled. It is never changed: a change of the
// configuration makes a new one.
type configuration struct {
	version    int64
	attributes map[string]IdentityAttribute // those that are defined, by name
	sources    map[store.ID]*configuredSource
	profiles   []configuredProfile // the highest priority first
	roles      map[store.ID]*configuredRole
	transforms map[string]json.RawMessage
	rules      map[string]transform.Rule // the host's
	keyed      map[string]keying         // the attributes by which identities are found
	refresh    refresh.Configuration
	// others says that a mapping looks other identities up.
	others bool
}

type configuredSource struct {
	Source
	id      store.ID
	text    string   // the ID
	profile store.ID // of which the source is the authoritative one; zero for none
}

type configuredProfile struct {
	IdentityProfile
	id       store.ID
	sourceID store.ID
	states   map[string]configuredState // by technical name; the built-in ones need not be there
	// transforms are the saved transforms that its mappings refer to, directly or not; several may be there twice.
	transforms []string
}

type configuredState struct {
	LifecycleState
	id store.ID
}

// refersTo reports whether a mapping refers to one of the saved transforms.
func (p *configuredProfile) refersTo(transforms []string) bool {
	return slices.ContainsFunc(transforms, func(name string) bool { return slices.Contains(p.transforms, name) })
}

// keying says in which forms an attribute's values are kept to find identities by.
type keying struct{ folded, exact bool }

// Transform implements [transform.Library].
func (c *configuration) Transform(name string) ([]byte, bool) {
	definition, found := c.transforms[name]
	return definition, found
}

// Rule implements [transform.Library].
func (c *configuration) Rule(name string) (transform.Rule, bool) {
	rule, found := c.rules[name]
	return rule, found
}

// configurationAt returns the configuration of a version that the transaction holds, from the cache if it is there.
func (e *Engine) configurationAt(ctx context.Context, tx pgx.Tx, version int64) (*configuration, error) {
	if cached := e.cached.Load(); cached != nil && cached.version == version {
		return cached, nil
	}
	rows, err := e.store.LoadConfiguration(ctx, tx)
	if err != nil {
		return nil, err
	}
	compiled, err := e.compile(rows)
	if err != nil {
		return nil, err
	}
	e.cached.Store(compiled)
	return compiled, nil
}

// configurationIn returns the configuration as a transaction sees it, and holds it.
func (e *Engine) configurationIn(ctx context.Context, tx pgx.Tx) (*configuration, error) {
	version, err := e.store.ConfigurationVersion(ctx, tx)
	if err != nil {
		return nil, err
	}
	return e.configurationAt(ctx, tx, version)
}

// currentConfiguration returns the latest committed configuration. One that is cached is not locked, for a lock is
// written, and so waits for the disk.
func (e *Engine) currentConfiguration(ctx context.Context) (*configuration, error) {
	version, err := e.store.LatestVersion(ctx, e.pool)
	if err != nil {
		return nil, err
	}
	c := e.cached.Load()
	if c != nil && c.version == version {
		return c, nil
	}
	err = e.inTx(ctx, func(tx pgx.Tx) (err error) {
		c, err = e.configurationIn(ctx, tx)
		return err
	})
	return c, err
}

// compile is compile with what the host gave to the engine.
func (e *Engine) compile(rows store.Configuration) (*configuration, error) {
	return compile(rows, e.config.Rules, func(connector string) bool { return e.config.Connectors[connector] != nil })
}

// compile makes a configuration of its rows. Rows that were applied compile; an error here says that they were
// written by something else.
func compile(rows store.Configuration, rules map[string]transform.Rule, connected func(connector string) bool) (
	*configuration, error,
) {
	c := &configuration{
		version:    rows.Version,
		attributes: map[string]IdentityAttribute{},
		sources:    map[store.ID]*configuredSource{},
		roles:      map[store.ID]*configuredRole{},
		transforms: map[string]json.RawMessage{},
		rules:      rules,
		keyed:      map[string]keying{},
	}
	for _, row := range rows.IdentityAttributes {
		var a IdentityAttribute
		if err := decodeObject(row.Document, &a); err != nil {
			return nil, fmt.Errorf("identity attribute %q: %w", row.Name, err)
		}
		c.attributes[row.Name] = a
	}
	for _, row := range rows.Transforms {
		c.transforms[row.Name] = row.Document
	}
	for _, row := range rows.Sources {
		source := &configuredSource{id: row.ID, text: row.ID.String()}
		if err := decodeObject(row.Document, &source.Source); err != nil {
			return nil, fmt.Errorf("source %q: %w", row.Name, err)
		}
		c.sources[row.ID] = source
	}
	states := map[store.ID]map[string]configuredState{}
	for _, row := range rows.LifecycleStates {
		var l LifecycleState
		if err := decodeObject(row.Document, &l); err != nil {
			return nil, fmt.Errorf("lifecycle state %q: %w", row.TechnicalName, err)
		}
		if states[row.ProfileID] == nil {
			states[row.ProfileID] = map[string]configuredState{}
		}
		states[row.ProfileID][row.TechnicalName] = configuredState{l, row.ID}
	}
	for _, row := range rows.Profiles {
		profile := configuredProfile{id: row.ID, sourceID: row.AuthoritativeSourceID, states: states[row.ID]}
		if err := decodeObject(row.Document, &profile.IdentityProfile); err != nil {
			return nil, fmt.Errorf("identity profile %q: %w", row.Name, err)
		}
		if source := c.sources[row.AuthoritativeSourceID]; source != nil {
			source.profile = row.ID
		}
		c.profiles = append(c.profiles, profile)
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

// compileKeys finds the attributes that identities are looked for by: those marked searchable, and those that a
// correlation names.
func (c *configuration) compileKeys() {
	for name, searchable := range standardAttributes {
		if searchable {
			c.keyed[name] = keying{folded: true}
		}
	}
	for name, a := range c.attributes {
		if a.Searchable {
			c.keyed[name] = keying{folded: true}
		}
	}
	for _, source := range c.sources {
		if m := source.ManagerCorrelation; m != nil && m.IdentityAttributeName != "" {
			k := c.keyed[m.IdentityAttributeName]
			k.folded = true
			c.keyed[m.IdentityAttributeName] = k
		}
		for _, a := range source.assignments() {
			k := c.keyed[a.Property]
			if a.exact() {
				k.exact = true
			} else {
				k.folded = true
			}
			c.keyed[a.Property] = k
		}
	}
}

func (c *configuration) compileRefresh() error {
	for i := range c.profiles {
		p := &c.profiles[i]
		profile := refresh.Profile{
			ID: p.id, Name: p.Name, SourceID: p.sourceID,
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
			c.others = c.others || dependencies.Others
			p.transforms = append(p.transforms, dependencies.Transforms...)
			profile.Mappings = append(profile.Mappings, refresh.Mapping{Attribute: m.IdentityAttributeName,
				Transform: compiled, Periodic: compiled.RequiresPeriodicRefresh()})
		}
		slices.SortFunc(profile.Mappings, func(a, b refresh.Mapping) int {
			return attribute.Compare(a.Attribute, b.Attribute)
		})
		if source := c.sources[p.sourceID]; source != nil && source.ManagerCorrelation != nil {
			m := *source.ManagerCorrelation
			profile.ManagerAttribute = m.AccountAttributeName
			profile.ManagerKey = func(value string) string {
				return store.KeyIgnoringCase(m.IdentityAttributeName,
					value)
			}
		}
		c.refresh.Profiles = append(c.refresh.Profiles, profile)
	}
	return nil
}

// assignments returns the correlation of the source's accounts, none where it has none.
func (s *Source) assignments() []AttributeAssignment {
	if s.AccountCorrelationConfig == nil {
		return nil
	}
	return s.AccountCorrelationConfig.Assignments
}

func (a *AttributeAssignment) exact() bool { return a.IgnoreCase != nil && !*a.IgnoreCase }

// correlationKeys returns the keys by which an account of the source finds its identity, the most telling first. Of an
// authoritative source the last one finds the identity that the account was before, if it comes back.
func (s *configuredSource) correlationKeys(nativeIdentity string, attributes *attribute.Set) []string {
	keys := []string{}
	for _, a := range s.assignments() {
		for _, value := range attributes.Get(a.Value).Strings() {
			switch {
			case value == "":
			case a.exact():
				keys = append(keys, store.KeyExact(a.Property, value))
			default:
				keys = append(keys, store.KeyIgnoringCase(a.Property, value))
			}
		}
	}
	if !s.profile.IsZero() {
		keys = append(keys, store.KeyOrigin(s.id, nativeIdentity))
	}
	return keys
}

// identityKeys returns the keys by which an identity with these attributes is found.
func (c *configuration) identityKeys(attributes *attribute.Set) []string {
	var keys []string
	for name, value := range attributes.All() {
		k, keyed := c.keyed[name]
		if !keyed {
			continue
		}
		for _, text := range value.Strings() {
			if text == "" {
				continue
			}
			if k.folded {
				keys = append(keys, store.KeyIgnoringCase(name, text))
			}
			if k.exact {
				keys = append(keys, store.KeyExact(name, text))
			}
		}
	}
	return keys
}

// unmapped says which correlations look for identities in an attribute that no profile gives a value.
func (c *configuration) unmapped() []string {
	if len(c.profiles) == 0 {
		return nil
	}
	mapped := map[string]bool{}
	for _, p := range c.profiles {
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
	for _, source := range c.sources {
		for _, a := range source.assignments() {
			note(source.Name, "accountCorrelationConfig", a.Property)
		}
		if m := source.ManagerCorrelation; m != nil {
			note(source.Name, "managerCorrelationMapping", m.IdentityAttributeName)
		}
	}
	slices.Sort(notes)
	return notes
}

// sourceByName returns the source that an ID or a name, ignoring case, stands for; nil when none does.
func (c *configuration) sourceByName(text string) *configuredSource {
	if id, err := store.ParseID(text); err == nil && c.sources[id] != nil {
		return c.sources[id]
	}
	folded := store.Fold(text)
	for _, source := range c.sources {
		if store.Fold(source.Name) == folded {
			return source
		}
	}
	return nil
}
