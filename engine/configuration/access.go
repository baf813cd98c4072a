package configuration

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// compileAccess compiles what roles and lifecycle states grant, and how sources are provisioned. connected reports
// whether there is a connector of a name.
func (c *Configuration) compileAccess(rows *store.Configuration, connected func(name string) bool) (faults []error) {
	access := &refresh.Access{Roles: map[refresh.ID]refresh.RoleAccess{},
		States: map[refresh.ID]map[string]refresh.StateAccess{}, Sources: map[refresh.ID]*refresh.TargetSource{}}
	b := accessBuilder{c: c, known: rows.Entitlements, profiles: map[store.ID]*compiledAccessProfile{}}
	for _, source := range c.sortedSources() {
		target, wrong := b.source(source)
		faults = append(faults, each(wrong, "source %q", source.Name)...)
		target.Manual = !connected(source.Connector)
		access.Sources[target.ID] = target
		b.grants = b.grants || len(target.Sync) > 0
	}
	for _, row := range rows.AccessProfiles {
		faults = append(faults, each(b.profile(row), "access profile %q", row.Name)...)
	}
	for _, row := range rows.Roles {
		role := c.Roles[row.ID]
		if role == nil {
			continue // a fault already
		}
		grants, wrong := b.role(&role.Role)
		faults = append(faults, each(wrong, "role %q", role.Name)...)
		if role.Enabled && len(grants) > 0 {
			access.Roles[row.ID] = refresh.RoleAccess{Name: role.Name, Grants: grants}
			b.grants = true
		}
	}
	for i := range c.Profiles {
		p := &c.Profiles[i]
		states := map[string]refresh.StateAccess{}
		for _, name := range slices.Sorted(maps.Keys(p.states)) {
			state := p.states[name]
			compiled, wrong := b.state(&state.LifecycleState)
			faults = append(faults, each(wrong, "lifecycle state %q", name)...)
			if len(compiled.Grants)+len(compiled.Actions) == 0 && !compiled.RemoveAll {
				continue
			}
			b.grants = true // also for a state that is not enabled: it may have been, and left something open
			if state.enabled() {
				states[name] = compiled
			}
		}
		access.States[p.RowID] = states
	}
	access.Idle = !b.grants && !rows.Granted
	c.Refresh.Access = access
	return faults
}

// accessBuilder compiles the access of a configuration.
type accessBuilder struct {
	c        *Configuration
	known    []store.Entitlement // all that the sources have
	spelled  map[spelling]string // of known, by the form that the source compares; nil until it is needed
	profiles map[store.ID]*compiledAccessProfile
	// catalogue are the known ones, and those that are granted are looked up in it.
	catalogue map[grantedEntitlement]bool
	grants    bool // whether anything is granted, done or synchronized
}

// grantedEntitlement tells entitlements apart.
type grantedEntitlement struct {
	source           store.ID
	attribute, value string
}

// compiledAccessProfile is an access profile with what it grants.
type compiledAccessProfile struct {
	AccessProfile
	id     store.ID
	grants []refresh.Grant
}

// source compiles how a source is provisioned.
func (b *accessBuilder) source(s *CompiledSource) (*refresh.TargetSource, []error) {
	var faults []error
	status, err := s.accountStatus()
	if err != nil {
		faults = append(faults, err)
	}
	target := &refresh.TargetSource{ID: s.RowID, Name: s.Name, Status: status.Attribute,
		Enabled: status.Enabled, Disabled: status.Disabled, Entitling: s.Entitling(""), Single: s.single(),
		Equality: s.Equality}
	if policy := s.createPolicy(); policy != nil {
		target.Policy = []refresh.PolicyField{}
		var before []string // the fields whose values the next ones may read
		for i, definition := range policy.Fields {
			field, err := transform.CompileField(definition, b.c, before...)
			if err != nil {
				faults = append(faults, fmt.Errorf("provisioningPolicies: fields[%d]: %w", i, err))
				continue
			}
			f := refresh.PolicyField{Name: field.Name, Required: field.Required,
				Secret: strings.EqualFold(field.Type, "secret")}
			if field.Transform != nil {
				f.Transform = field.Transform
				reads := field.Transform.Dependencies()
				b.c.readsOthers(&reads)
			}
			if !f.Secret {
				before = append(before, f.Name)
			}
			target.Policy = append(target.Policy, f)
		}
	}
	attributes, wrong := s.syncAttributes()
	for _, a := range attributes {
		known := func(other refresh.SyncAttribute) bool { return other.Account == a.Target }
		if a.Enabled && !slices.ContainsFunc(target.Sync, known) { // of two for one target the first counts
			target.Sync = append(target.Sync, refresh.SyncAttribute{Identity: a.Name, Account: a.Target})
		}
	}
	return target, append(faults, wrong...)
}

// profile compiles an access profile. One with faults is there too, for the roles that name it.
func (b *accessBuilder) profile(row store.Object) (faults []error) {
	p := &compiledAccessProfile{id: row.ID}
	if err := DecodeObject(row.Document, &p.AccessProfile); err != nil {
		return []error{err}
	}
	b.profiles[row.ID] = p
	source := b.c.sourceOf(&p.Source)
	if source == nil {
		return []error{fmt.Errorf("source: %s", b.c.missingSource(p.Source.label()))}
	}
	choice, err := p.ProvisioningCriteria.compile("provisioningCriteria", 1, source)
	if err != nil {
		faults = append(faults, err)
	}
	b.c.noteChoice(row.Name, choice, source)
	for i := range p.Entitlements {
		e, err := b.entitlement(&p.Entitlements[i], source)
		if err != nil {
			faults = append(faults, fmt.Errorf("entitlements[%d]: %w", i, err))
			continue
		}
		p.grants = append(p.grants, refresh.Grant{Entitlement: e, Profile: row.ID, ProfileName: row.Name,
			Choice: choice})
	}
	if p.Enabled != nil && !*p.Enabled {
		p.grants = nil
	}
	return faults
}

// role returns what a role grants.
func (b *accessBuilder) role(r *Role) (grants []refresh.Grant, faults []error) {
	for i := range r.AccessProfiles {
		p := b.profileOf(&r.AccessProfiles[i])
		if p == nil {
			faults = append(faults, fmt.Errorf("accessProfiles[%d]: %s", i,
				b.missingProfile(r.AccessProfiles[i].label())))
			continue
		}
		grants = append(grants, p.grants...)
	}
	for i := range r.Entitlements {
		e, err := b.entitlement(&r.Entitlements[i], nil)
		if err != nil {
			faults = append(faults, fmt.Errorf("entitlements[%d]: %w", i, err))
			continue
		}
		grants = append(grants, refresh.Grant{Entitlement: e})
	}
	return grants, faults
}

// profileOf returns the access profile that a reference names, by ID or by name, or nil if there is none.
func (b *accessBuilder) profileOf(r *Reference) *compiledAccessProfile {
	if id, err := store.ParseID(r.ID); err == nil && b.profiles[id] != nil {
		return b.profiles[id]
	}
	for _, p := range b.profiles {
		if r.Name != "" && store.Fold(p.Name) == store.Fold(r.Name) {
			return p
		}
	}
	return nil
}

// accountActions are the actions of lifecycle states, with the kind of the operation that does each.
var accountActions = map[string]connector.Kind{
	"ENABLE": connector.Enable, "DISABLE": connector.Disable, "DELETE": connector.Delete,
}

// state compiles what a lifecycle state grants and does.
func (b *accessBuilder) state(l *LifecycleState) (state refresh.StateAccess, faults []error) {
	for i, text := range l.AccessProfileIDs {
		p := b.profileOf(&Reference{ID: text, Name: text})
		if p == nil {
			faults = append(faults, fmt.Errorf("accessProfileIds[%d]: %s", i, b.missingProfile(text)))
			continue
		}
		state.Grants = append(state.Grants, p.grants...)
	}
	for i, action := range l.AccountActions {
		kind, known := accountActions[strings.ToUpper(action.Action)]
		if !known {
			faults = append(faults, fmt.Errorf("accountActions[%d].action: %q is unknown: ENABLE, DISABLE and DELETE "+
				"are known%s", i, action.Action, DidYouMean(action.Action, []string{"ENABLE", "DISABLE", "DELETE"})))
		}
		sources, wrong := b.actionSources(l, i)
		faults = append(faults, wrong...)
		for _, source := range sources {
			if state.Actions == nil {
				state.Actions = map[refresh.ID]connector.Kind{}
			}
			if _, twice := state.Actions[source.RowID]; twice {
				faults = append(faults, fmt.Errorf("accountActions[%d]: the source %q has an action already", i,
					source.Name))
			}
			state.Actions[source.RowID] = kind
		}
	}
	state.RemoveAll = l.AccessActions != nil && l.AccessActions.RemoveAllAccessEnabled
	return state, faults
}

// actionSources returns the sources that the i-th account action of a lifecycle state is about. All sources are those
// that there are when it is compiled: also the authoritative ones, as published.
// https://developer.sailpoint.com/discuss/t/authoritative-source-included-in-all-sources-when-disabling-accounts/188815
func (b *accessBuilder) actionSources(l *LifecycleState, i int) (sources []*CompiledSource, faults []error) {
	action, place := &l.AccountActions[i], fmt.Sprintf("accountActions[%d]", i)
	named := func(member string, texts []string) []*CompiledSource {
		var sources []*CompiledSource
		for k, text := range texts {
			source := b.c.SourceByName(text)
			if source == nil {
				faults = append(faults, fmt.Errorf("%s.%s[%d]: %s", place, member, k, b.c.missingSource(text)))
				continue
			}
			sources = append(sources, source)
		}
		return sources
	}
	sources = named("sourceIds", action.SourceIDs)
	excluded := named("excludeSourceIds", action.ExcludeSourceIDs)
	switch {
	case !action.AllSources && len(action.ExcludeSourceIDs) > 0:
		b.c.fault("lifecycle state %q: %s.excludeSourceIds: sources are excluded from all sources only: set "+
			"allSources to true", l.Name, place)
	case !action.AllSources && len(action.SourceIDs) == 0:
		b.c.fault("lifecycle state %q: %s: sourceIds is missing: list sources, or set allSources to true", l.Name,
			place)
	case action.AllSources && len(action.SourceIDs) > 0:
		b.c.fault("lifecycle state %q: %s: allSources and sourceIds exclude each other: leave sourceIds out", l.Name,
			place)
	}
	if !action.AllSources {
		return sources, faults
	}
	sources = nil
	for _, source := range b.c.sortedSources() {
		if !slices.Contains(excluded, source) {
			sources = append(sources, source)
		}
	}
	return sources, faults
}

// StateAccess returns what the lifecycle states of a profile grant and do, by technical name.
func (c *Configuration) StateAccess(profile store.ID) map[string]refresh.StateAccess {
	if len(c.Refresh.Access.States[profile]) == 0 {
		return nil
	}
	return c.Refresh.Access.States[profile]
}

// RoleAccess returns what a role grants.
func (c *Configuration) RoleAccess(role store.ID) []refresh.Grant {
	return c.Refresh.Access.Roles[role].Grants
}
