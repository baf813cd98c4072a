package configuration

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// Referrer is an object that names another one, and the member in which it does.
type Referrer struct {
	Type ObjectType `json:"type"`
	ID   string     `json:"id,omitempty"` // identity attributes have none
	Name string     `json:"name"`
	Path string     `json:"path"` // such as "accessProfiles[0]"
}

// Key tells objects of a configuration apart: by their ID, and those that have none by their name.
type Key struct {
	Type ObjectType
	ID   store.ID
	Name string // where the object has no ID
}

// Link is one reference of an object to another.
type Link struct {
	From Key
	Referrer
	To Key
}

// Links returns all references between the objects of the configuration, of which rows are the rows: in the order of
// the types, and by name. A transform that is read through another one is not repeated. It is for package engine.
func (c *Configuration) Links(rows *store.Configuration) []Link {
	l := linker{c: c, rows: rows, seen: map[Link]bool{}}
	for _, name := range slices.Sorted(maps.Keys(c.Transforms)) {
		at := slices.IndexFunc(rows.Transforms, func(o store.Object) bool { return o.Name == name })
		l.from(TypeTransform, rows.Transforms[at].ID, name)
		l.transform(c.Transforms[name], "attributes")
	}
	for _, source := range c.sortedSources() {
		l.from(TypeSource, source.RowID, source.Name)
		l.source(source)
	}
	for i := range c.Profiles {
		l.from(TypeIdentityProfile, c.Profiles[i].RowID, c.Profiles[i].Name)
		l.profile(&c.Profiles[i])
	}
	for i := range rows.AccessProfiles {
		l.from(TypeAccessProfile, rows.AccessProfiles[i].ID, rows.AccessProfiles[i].Name)
		l.accessProfile(rows.AccessProfiles[i].Document)
	}
	for i := range c.Profiles {
		states := c.Profiles[i].states
		for _, name := range slices.Sorted(maps.Keys(states)) {
			state := states[name]
			l.from(TypeLifecycleState, state.RowID, name)
			l.to("identityProfile", TypeIdentityProfile, c.Profiles[i].RowID)
			l.state(&state.LifecycleState)
		}
	}
	for _, role := range slices.SortedFunc(maps.Values(c.Roles), func(a, b *CompiledRole) int {
		return cmp.Compare(a.Name, b.Name)
	}) {
		l.from(TypeRole, role.RowID, role.Name)
		l.role(role)
	}
	return l.list
}

// linker collects the references of one object after the other.
type linker struct {
	c    *Configuration
	rows *store.Configuration
	list []Link
	seen map[Link]bool
	// current is the object whose references are collected.
	current  Key
	referrer Referrer
}

func (l *linker) from(kind ObjectType, id store.ID, name string) {
	l.current = Key{Type: kind, ID: id}
	l.referrer = Referrer{Type: kind, ID: id.String(), Name: name}
}

func (l *linker) add(path string, to Key) {
	link := Link{From: l.current, Referrer: l.referrer, To: to}
	link.Path = path
	if !l.seen[link] {
		l.seen[link] = true
		l.list = append(l.list, link)
	}
}

func (l *linker) to(path string, kind ObjectType, id store.ID) { l.add(path, Key{Type: kind, ID: id}) }

func (l *linker) attribute(path, name string) {
	if name != "" {
		l.add(path, Key{Type: TypeIdentityAttribute, Name: name})
	}
}

// named adds a reference to a source that a text names, by ID or by name.
func (l *linker) named(path, text string) {
	if source := l.c.SourceByName(text); source != nil {
		l.to(path, TypeSource, source.RowID)
	}
}

func (l *linker) sourceOf(path string, r *Reference) {
	if source := l.c.sourceOf(r); source != nil {
		l.to(path, TypeSource, source.RowID)
	}
}

// accessProfileOf adds a reference to an access profile, by ID or by name.
func (l *linker) accessProfileOf(path string, r *Reference) {
	profiles := l.rows.AccessProfiles
	at := -1
	if id, err := store.ParseID(r.ID); err == nil {
		at = slices.IndexFunc(profiles, func(o store.Object) bool { return o.ID == id })
	}
	if at < 0 && r.Name != "" {
		at = slices.IndexFunc(profiles, func(o store.Object) bool { return store.Fold(o.Name) == store.Fold(r.Name) })
	}
	if at >= 0 {
		l.to(path, TypeAccessProfile, profiles[at].ID)
	}
}

// shallow is a library in which saved transforms read nothing, so that only what a definition names itself is found.
type shallow struct{ *Configuration }

func (s shallow) Transform(name string) ([]byte, bool) {
	_, found := s.Transforms[name]
	return []byte(`{"type":"static","attributes":{"value":"x"}}`), found
}

// transform adds what a definition names.
func (l *linker) transform(definition []byte, path string) {
	if compiled, err := transform.Compile(definition, shallow{l.c}); err == nil { // else it would not have compiled
		d := compiled.Dependencies()
		l.reads(&d, path)
	}
}

func (l *linker) reads(d *transform.Dependencies, path string) {
	for _, name := range d.Transforms {
		at := slices.IndexFunc(l.rows.Transforms, func(o store.Object) bool { return o.Name == name })
		if at >= 0 {
			l.to(path, TypeTransform, l.rows.Transforms[at].ID)
		}
	}
	for i := range d.Accounts {
		for _, source := range l.c.sourcesOf(&d.Accounts[i]) {
			l.to(path, TypeSource, source.RowID)
		}
	}
	for _, name := range slices.Concat(d.Attributes, d.OtherAttributes) {
		l.attribute(path, name)
	}
}

func (l *linker) source(s *CompiledSource) {
	for i, a := range s.Assignments() {
		l.attribute(fmt.Sprintf("accountCorrelationConfig.attributeAssignments[%d].property", i), a.Property)
	}
	if m := s.ManagerCorrelation; m != nil {
		l.attribute("managerCorrelationMapping.identityAttributeName", m.IdentityAttributeName)
	}
	if c := s.AttributeSyncConfig; c != nil {
		for i := range c.Attributes {
			l.attribute(fmt.Sprintf("attributeSyncConfig.attributes[%d].name", i), c.Attributes[i].Name)
		}
	}
	for i := range s.ProvisioningPolicies {
		if &s.ProvisioningPolicies[i] != s.createPolicy() {
			continue // it has no effect
		}
		var before []string
		for k, definition := range s.ProvisioningPolicies[i].Fields {
			field, err := transform.CompileField(definition, shallow{l.c}, before...)
			if err != nil {
				break // it would not have compiled
			}
			before = append(before, field.Name)
			if field.Transform != nil {
				d := field.Transform.Dependencies()
				l.reads(&d, fmt.Sprintf("provisioningPolicies[%d].fields[%d].transform", i, k))
			}
		}
	}
}

func (l *linker) profile(p *CompiledProfile) {
	l.to("authoritativeSource", TypeSource, p.sourceID)
	for i, m := range p.AttributeConfig.Transforms {
		path := "identityAttributeConfig.attributeTransforms[" + strconv.Itoa(i) + "]."
		l.attribute(path+"identityAttributeName", m.IdentityAttributeName)
		l.transform(m.TransformDefinition, path+"transformDefinition")
	}
}

func (l *linker) accessProfile(document []byte) {
	var p AccessProfile
	if DecodeObject(document, &p) != nil {
		return // it would not have compiled
	}
	l.sourceOf("source", &p.Source)
	l.entitlements(p.Entitlements)
}

// entitlements adds the sources that references to entitlements name, by themselves or by the ID of the entitlement.
func (l *linker) entitlements(list []EntitlementReference) {
	for i := range list {
		path := fmt.Sprintf("entitlements[%d]", i)
		if list[i].Source != nil {
			l.sourceOf(path+".source", list[i].Source)
			continue
		}
		if id, err := store.ParseID(list[i].ID); err == nil {
			for k := range l.rows.Entitlements {
				if l.rows.Entitlements[k].ID == id {
					l.to(path+".id", TypeSource, l.rows.Entitlements[k].SourceID)
				}
			}
		}
	}
}

func (l *linker) state(state *LifecycleState) {
	for i, text := range state.AccessProfileIDs {
		l.accessProfileOf(fmt.Sprintf("accessProfileIds[%d]", i), &Reference{ID: text, Name: text})
	}
	for i := range state.AccountActions {
		a := &state.AccountActions[i]
		for k, text := range a.SourceIDs {
			l.named(fmt.Sprintf("accountActions[%d].sourceIds[%d]", i, k), text)
		}
		for k, text := range a.ExcludeSourceIDs {
			l.named(fmt.Sprintf("accountActions[%d].excludeSourceIds[%d]", i, k), text)
		}
	}
}

func (l *linker) role(r *CompiledRole) {
	for i := range r.AccessProfiles {
		l.accessProfileOf(fmt.Sprintf("accessProfiles[%d]", i), &r.AccessProfiles[i])
	}
	l.entitlements(r.Entitlements)
	if r.Criterion == nil {
		return
	}
	for _, key := range r.Criterion.Keys() {
		if key.Type == criteria.Identity {
			l.attribute("membership.criteria", key.Attribute)
		} else {
			l.to("membership.criteria", TypeSource, key.SourceID)
		}
	}
}
