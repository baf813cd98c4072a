package configuration

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// compileAccess compiles what roles and lifecycle states grant, and how sources are provisioned. connected reports
// whether there is a connector of a name.
func (c *Configuration) compileAccess(rows *store.Configuration, connected func(name string) bool) error {
	access := &refresh.Access{Roles: map[refresh.ID]refresh.RoleAccess{},
		States: map[refresh.ID]map[string]refresh.StateAccess{}, Sources: map[refresh.ID]*refresh.TargetSource{}}
	b := accessBuilder{c: c, known: rows.Entitlements, profiles: map[store.ID]*compiledAccessProfile{}}
	for _, source := range c.Sources {
		target, err := b.source(source)
		if err != nil {
			return fmt.Errorf("source %q: %w", source.Name, err)
		}
		target.Manual = !connected(source.Connector)
		access.Sources[target.ID] = target
		b.grants = b.grants || len(target.Sync) > 0
	}
	for _, row := range rows.AccessProfiles {
		if err := b.profile(row); err != nil {
			return fmt.Errorf("access profile %q: %w", row.Name, err)
		}
	}
	for id, role := range c.Roles {
		grants, err := b.role(&role.Role)
		if err != nil {
			return fmt.Errorf("role %q: %w", role.Name, err)
		}
		if role.Enabled && len(grants) > 0 {
			access.Roles[id] = refresh.RoleAccess{Name: role.Name, Grants: grants}
			b.grants = true
		}
	}
	for i := range c.Profiles {
		p := &c.Profiles[i]
		states := map[string]refresh.StateAccess{}
		for name, state := range p.states {
			compiled, err := b.state(&state.LifecycleState)
			if err != nil {
				return fmt.Errorf("lifecycle state %q: %w", name, err)
			}
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
	return nil
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
func (b *accessBuilder) source(s *CompiledSource) (*refresh.TargetSource, error) {
	status, err := s.accountStatus()
	if err != nil {
		return nil, err
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
				return nil, fmt.Errorf("provisioningPolicies: fields[%d]: %w", i, err)
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
	attributes, err := s.SyncAttributes()
	for _, a := range attributes {
		known := func(other refresh.SyncAttribute) bool { return other.Account == a.Target }
		if a.Enabled && !slices.ContainsFunc(target.Sync, known) { // of two for one target the first counts
			target.Sync = append(target.Sync, refresh.SyncAttribute{Identity: a.Name, Account: a.Target})
		}
	}
	return target, err
}

// profile compiles an access profile.
func (b *accessBuilder) profile(row store.Object) error {
	p := &compiledAccessProfile{id: row.ID}
	if err := DecodeObject(row.Document, &p.AccessProfile); err != nil {
		return err
	}
	source := b.c.sourceOf(&p.Source)
	if source == nil {
		return fmt.Errorf("source: %s", b.c.missingSource(p.Source.label()))
	}
	choice, err := p.ProvisioningCriteria.compile("provisioningCriteria", 1, source)
	if err != nil {
		return err
	}
	b.c.noteChoice(row.Name, choice, source)
	for i := range p.Entitlements {
		e, err := b.entitlement(&p.Entitlements[i], source)
		if err != nil {
			return fmt.Errorf("entitlements[%d]: %w", i, err)
		}
		p.grants = append(p.grants, refresh.Grant{Entitlement: e, Profile: row.ID, ProfileName: row.Name,
			Choice: choice})
	}
	if p.Enabled != nil && !*p.Enabled {
		p.grants = nil
	}
	b.profiles[row.ID] = p
	return nil
}

// role returns what a role grants.
func (b *accessBuilder) role(r *Role) ([]refresh.Grant, error) {
	var grants []refresh.Grant
	for i := range r.AccessProfiles {
		p := b.profileOf(&r.AccessProfiles[i])
		if p == nil {
			return nil, fmt.Errorf("accessProfiles[%d]: %s", i, b.missingProfile(r.AccessProfiles[i].label()))
		}
		grants = append(grants, p.grants...)
	}
	for i := range r.Entitlements {
		e, err := b.entitlement(&r.Entitlements[i], nil)
		if err != nil {
			return nil, fmt.Errorf("entitlements[%d]: %w", i, err)
		}
		grants = append(grants, refresh.Grant{Entitlement: e})
	}
	return grants, nil
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
func (b *accessBuilder) state(l *LifecycleState) (refresh.StateAccess, error) {
	var state refresh.StateAccess
	for i, text := range l.AccessProfileIDs {
		p := b.profileOf(&Reference{ID: text, Name: text})
		if p == nil {
			return state, fmt.Errorf("accessProfileIds[%d]: %s", i, b.missingProfile(text))
		}
		state.Grants = append(state.Grants, p.grants...)
	}
	for i, action := range l.AccountActions {
		kind, known := accountActions[strings.ToUpper(action.Action)]
		if !known {
			return state, fmt.Errorf("accountActions[%d].action: %q is unknown: ENABLE, DISABLE and DELETE are known%s",
				i, action.Action, DidYouMean(action.Action, []string{"ENABLE", "DISABLE", "DELETE"}))
		}
		sources, err := b.actionSources(l, i)
		if err != nil {
			return state, err
		}
		for _, source := range sources {
			if state.Actions == nil {
				state.Actions = map[refresh.ID]connector.Kind{}
			}
			if _, twice := state.Actions[source.RowID]; twice {
				return state, fmt.Errorf("accountActions[%d]: the source %q has an action already", i, source.Name)
			}
			state.Actions[source.RowID] = kind
		}
	}
	state.RemoveAll = l.AccessActions != nil && l.AccessActions.RemoveAllAccessEnabled
	return state, nil
}

// actionSources returns the sources that the i-th account action of a lifecycle state is about. All sources are those
// that there are when it is compiled: also the authoritative ones, as published.
// https://developer.sailpoint.com/discuss/t/authoritative-source-included-in-all-sources-when-disabling-accounts/188815
func (b *accessBuilder) actionSources(l *LifecycleState, i int) ([]*CompiledSource, error) {
	action, place := &l.AccountActions[i], fmt.Sprintf("accountActions[%d]", i)
	named := func(member string, texts []string) ([]*CompiledSource, error) {
		var sources []*CompiledSource
		for k, text := range texts {
			source := b.c.SourceByName(text)
			if source == nil {
				return nil, fmt.Errorf("%s.%s[%d]: %s", place, member, k, b.c.missingSource(text))
			}
			sources = append(sources, source)
		}
		return sources, nil
	}
	sources, err := named("sourceIds", action.SourceIDs)
	if err != nil {
		return nil, err
	}
	excluded, err := named("excludeSourceIds", action.ExcludeSourceIDs)
	if err != nil {
		return nil, err
	}
	switch {
	case !action.AllSources && len(excluded) > 0:
		b.c.fault("lifecycle state %q: %s.excludeSourceIds: sources are excluded from all sources only: set "+
			"allSources to true", l.Name, place)
	case !action.AllSources && len(sources) == 0:
		b.c.fault("lifecycle state %q: %s: sourceIds is missing: list sources, or set allSources to true", l.Name,
			place)
	case action.AllSources && len(sources) > 0:
		b.c.fault("lifecycle state %q: %s: allSources and sourceIds exclude each other: leave sourceIds out", l.Name,
			place)
	}
	if !action.AllSources {
		return sources, nil
	}
	sources = nil
	for _, source := range b.c.Sources {
		if !slices.Contains(excluded, source) {
			sources = append(sources, source)
		}
	}
	return sources, nil
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
