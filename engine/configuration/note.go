package configuration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/refresh"
)

// Notes says what is as it was given, but may not be what was meant: names that stand for nothing, and parts that work
// against each other. Apply and preview show them. It is for package engine.
func (c *Configuration) Notes() []string {
	notes := append(c.Unmapped(), c.nameNotes()...)
	for _, source := range c.sortedSources() {
		notes = append(notes, c.syncNotes(source)...)
	}
	for _, role := range c.Roles {
		notes = append(notes, c.roleNotes(role)...)
	}
	for i := range c.Profiles {
		for _, name := range c.Profiles[i].StateNames() {
			if state, configured := c.Profiles[i].states[name]; configured {
				notes = append(notes, c.stateNotes(&c.Profiles[i], &state.LifecycleState)...)
			}
		}
	}
	notes = append(notes, c.choiceNotes...)
	slices.Sort(notes)
	return slices.Compact(notes)
}

// TypeOfNote returns the type of the objects that a note is about, as a tenant's or as an export's, or "" where it
// tells none. Notes begin with their object, or with what was skipped. It is for package engine.
func TypeOfNote(note string) ObjectType {
	for _, group := range groups {
		if rest, is := strings.CutPrefix(note, typeWords(group.Kind)); is && strings.HasPrefix(rest+" ", " ") ||
			is && strings.HasPrefix(rest, ":") {
			return group.Kind
		}
	}
	switch {
	case strings.HasPrefix(note, "identity attributes "):
		return TypeIdentityAttribute
	case strings.HasPrefix(note, "synchronization of "):
		return typeAttributeSync
	}
	number, rest, _ := strings.Cut(note, " ")
	word, _, found := strings.Cut(rest, " skipped: ")
	if _, err := strconv.Atoi(number); err != nil || !found {
		return ""
	}
	kind, one := strings.CutSuffix(word, " is")
	if !one {
		kind = strings.TrimSuffix(strings.TrimSuffix(word, " are"), "s")
	}
	return ObjectType(kind)
}

// syncNotes are about the synchronization of a source.
func (c *Configuration) syncNotes(s *CompiledSource) []string {
	attributes, err := s.SyncAttributes()
	if err != nil {
		return nil // the configuration does not compile
	}
	status, err := s.accountStatus()
	if err != nil {
		status = statusDefault
	}
	var notes []string
	note := func(format string, arguments ...any) {
		notes = append(notes, fmt.Sprintf("source %q: attributeSyncConfig: ", s.Name)+fmt.Sprintf(format, arguments...))
	}
	if c := s.AttributeSyncConfig; c != nil {
		for _, a := range c.Attributes {
			if !a.Enabled && !slices.ContainsFunc(attributes, func(b AttributeSync) bool {
				return a.Name == b.Name && a.Target == b.Target
			}) {
				note("%s to %q is not enabled, and cannot be: new accounts do not get %q from %s", a.Name, a.Target,
					a.Target, a.Name)
			}
		}
	}
	first := map[string]string{}
	for _, a := range attributes {
		if !a.Enabled {
			continue
		}
		if other, twice := first[a.Target]; twice {
			note("%s and %s are both synchronized to %q: %s counts, which comes first", other, a.Name, a.Target, other)
			continue
		}
		first[a.Target] = a.Name
		switch {
		case slices.Contains(s.Entitling(""), a.Target):
			note("%s is synchronized to %q, whose values are entitlements: where access gives an account one or takes "+
				"one, it decides", a.Name, a.Target)
		case a.Target == status.Attribute:
			note("%s is synchronized to %q, which says whether an account can be used: where the lifecycle state says "+
				"what becomes of the accounts, it decides", a.Name, a.Target)
		}
		for i := range c.Refresh.Profiles {
			if path := c.readsAccount(i, a.Name, s, a.Target); path != "" {
				note("%s is synchronized to %q, and the identity profile %q calculates %s of it: unless the two "+
					"agree, each changes the other again and again", a.Name, a.Target, c.Refresh.Profiles[i].Name, path)
			}
		}
	}
	return notes
}

// readsAccount returns the identity attribute, of those that one of a profile is calculated of, whose mapping reads an
// account attribute; "" where none does.
func (c *Configuration) readsAccount(profile int, name string, s *CompiledSource, target string) string {
	reading := []string{name}
	for i := 0; i < len(reading); i++ {
		compiled, p := &c.Profiles[profile], &c.Refresh.Profiles[profile]
		for k := range compiled.mappings {
			m := &compiled.mappings[k]
			if m.name != reading[i] {
				continue
			}
			for _, a := range m.accounts {
				if a.Attribute == target && slices.Contains(c.sourcesOf(&a), s) {
					return m.name
				}
			}
		}
		for k := range p.Mappings {
			if p.Mappings[k].Attribute != reading[i] {
				continue
			}
			for _, read := range p.Mappings[k].Reads {
				if !slices.Contains(reading, read) {
					reading = append(reading, read)
				}
			}
		}
	}
	return ""
}

// roleNotes are about what the criterion of a role reads.
func (c *Configuration) roleNotes(r *CompiledRole) []string {
	if r.Criterion == nil {
		return nil
	}
	var notes []string
	note := func(format string, arguments ...any) {
		notes = append(notes, fmt.Sprintf("role %q: membership.criteria: ", r.Name)+fmt.Sprintf(format, arguments...))
	}
	for _, key := range r.Criterion.Keys() {
		if key.Type == criteria.Identity {
			if !c.hasAttribute(key.Attribute) {
				note("%s: nobody has a value there, so that a comparison never holds, and its negation for everybody",
					missing("identity attribute that a profile maps", key.Attribute, c.mappedNames()))
			}
			continue
		}
		source := c.Sources[key.SourceID]
		if schema := source.AccountSchema(); schema != nil && len(schema.Attributes) > 0 &&
			!source.declares(key.Attribute) {
			note("%s", source.noAttribute(key.Attribute))
		}
	}
	for _, grant := range c.RoleAccess(r.RowID) {
		var holding attribute.Set
		holding.Put(grant.Attribute, attribute.List([]string{grant.Value}))
		facts := criteria.Facts{Accounts: []criteria.Account{{SourceID: grant.SourceID, Attributes: &holding}}}
		if r.Criterion.Excludes(&facts, grant.SourceID, grant.Attribute) {
			note("it excludes who has %q, which the role grants: whoever gets the role may lose it again, and again",
				grant.Value)
		}
	}
	return notes
}

// stateNotes are about a lifecycle state.
func (c *Configuration) stateNotes(p *CompiledProfile, l *LifecycleState) []string {
	var notes []string
	for i := range l.AccountActions {
		action := &l.AccountActions[i]
		source := c.Sources[p.sourceID]
		if !action.AllSources || source == nil || slices.ContainsFunc(action.ExcludeSourceIDs, func(text string) bool {
			return c.SourceByName(text) == source
		}) {
			continue
		}
		notes = append(notes, fmt.Sprintf("lifecycle state %q: accountActions[%d]: all sources include %q, the "+
			"authoritative source of the identity profile %q, whose accounts are to %s too: name it in "+
			"excludeSourceIds where they are not", l.Name, i, source.Name, p.Name, strings.ToLower(action.Action)))
	}
	return notes
}

// noteChoice keeps a note for each attribute of provisioning criteria that the accounts of the source do not have.
func (c *Configuration) noteChoice(profile string, choice *refresh.AccountChoice, source *CompiledSource) {
	if choice == nil {
		return
	}
	schema := source.AccountSchema()
	if choice.Attribute != "" && schema != nil && len(schema.Attributes) > 0 && !source.declares(choice.Attribute) {
		c.choiceNotes = append(c.choiceNotes, fmt.Sprintf("access profile %q: provisioningCriteria: %s", profile,
			source.noAttribute(choice.Attribute)))
	}
	for _, child := range choice.Children {
		c.noteChoice(profile, child, source)
	}
}

// mappedNames returns the identity attributes that profiles map, sorted.
func (c *Configuration) mappedNames() []string {
	var names []string
	for i := range c.Profiles {
		for _, m := range c.Profiles[i].AttributeConfig.Transforms {
			names = append(names, m.IdentityAttributeName)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lifecycleAttribute has a value where no profile maps it, if the lifecycle state is set by hand.
const lifecycleAttribute = "cloudLifecycleState"

// hasAttribute reports whether identities may have an attribute. Without a profile nobody knows yet.
func (c *Configuration) hasAttribute(name string) bool {
	return len(c.Profiles) == 0 || name == lifecycleAttribute || slices.Contains(c.mappedNames(), name)
}
