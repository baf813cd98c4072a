package configuration

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/filterql/suggest"
)

// Unresolved returns a note for each name of what is not there and may come later. It is for package engine.
func (c *Configuration) Unresolved() []string {
	var later unresolved
	c.checkReads(&unresolved{}, &later)
	return append(later.lines(), c.notAggregated()...)
}

// ConnectorNote returns a note if no connector of the source's has a name in this program, or "".
func (s *CompiledSource) ConnectorNote(connectors []string) string {
	if s.Connector == "" || settingsShape(s.Connector) == delimitedShape || slices.Contains(connectors, s.Connector) {
		return ""
	}
	hint := ""
	if nearest := suggest.Nearest(s.Connector, connectors); nearest != "" {
		hint = fmt.Sprintf("; did you mean %q?", nearest)
	}
	return fmt.Sprintf("source %q: connector: there is no connector %q in this program%s: its accounts are read from "+
		"the text that is handed to an aggregation, and people carry out its operations", s.Name, clipped(s.Connector),
		hint)
}

// checkReads checks the identity attributes that mappings, saved transforms and policies read, and the account
// attributes that policies fill and criteria compare. A name that is like another one is a fault; of any other, what it
// names may come later.
func (c *Configuration) checkReads(faults, later *unresolved) {
	check := func(definition []byte, object, member string) {
		compiled, err := transform.Compile(definition, c)
		if err != nil {
			return // the configuration did not compile then
		}
		for _, name := range readNames(compiled) {
			c.checkRead(faults, later, name, object, member)
		}
	}
	for i := range c.Profiles {
		p := &c.Profiles[i]
		for _, m := range p.AttributeConfig.Transforms {
			check(m.TransformDefinition, fmt.Sprintf("identity profile %q", p.Name),
				"attribute "+m.IdentityAttributeName)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Transforms)) {
		check(c.Transforms[name], fmt.Sprintf("transform %q", name), "")
	}
	for _, source := range c.sortedSources() {
		c.checkPolicy(faults, later, source)
	}
	for _, role := range slices.SortedFunc(maps.Values(c.Roles), func(a, b *CompiledRole) int {
		return slices.Compare(a.RowID[:], b.RowID[:])
	}) {
		c.checkCriterion(faults, later, role)
	}
}

// readNames returns the identity attributes that a transform reads, of the identity itself and of others.
func readNames(compiled *transform.Transform) []string {
	d := compiled.Dependencies()
	return slices.Concat(d.Attributes, d.OtherAttributes)
}

// checkRead checks that an identity attribute which is read is there.
func (c *Configuration) checkRead(faults, later *unresolved, name, object, member string) {
	_, defined := c.Attributes[name]
	if name == "" || defined || IsStandardAttribute(name) || IsSystemAttribute(name) {
		return
	}
	names := slices.Concat(slices.Collect(maps.Keys(c.Attributes)), slices.Collect(maps.Keys(standardAttributes)),
		slices.Collect(maps.Keys(systemAttributes)))
	slices.Sort(names)
	if suggest.Nearest(name, names) != "" {
		faults.add(missing("identity attribute", name, names), object, member)
		return
	}
	later.add(fmt.Sprintf("there is no identity attribute %q yet: it has no value", clipped(name)), object, member)
}

// checkPolicy checks the fields of a source's policy for new accounts.
func (c *Configuration) checkPolicy(faults, later *unresolved, source *CompiledSource) {
	policy := source.createPolicy()
	if policy == nil {
		return
	}
	object := fmt.Sprintf("source %q", source.Name)
	var before []string
	for i, definition := range policy.Fields {
		field, err := transform.CompileField(definition, c, before...)
		if err != nil {
			return // the configuration did not compile then
		}
		before = append(before, field.Name)
		member := fmt.Sprintf("provisioningPolicies: fields[%d]", i)
		c.checkDeclared(faults, later, source, field.Name, object, member)
		if field.Transform != nil {
			for _, name := range readNames(field.Transform) {
				c.checkRead(faults, later, name, object, member)
			}
		}
	}
}

// checkCriterion checks the account attributes that a role's criterion compares.
func (c *Configuration) checkCriterion(faults, later *unresolved, role *CompiledRole) {
	if role.Criterion == nil {
		return
	}
	for _, key := range role.Criterion.Keys() {
		if source := c.Sources[key.SourceID]; source != nil && key.Type != criteria.Identity {
			c.checkDeclared(faults, later, source, key.Attribute, fmt.Sprintf("role %q", role.Name),
				"membership.criteria")
		}
	}
}

// checkDeclared checks that accounts of a source may have an attribute.
func (c *Configuration) checkDeclared(faults, later *unresolved, source *CompiledSource, name, object, member string) {
	if source.declares(name) {
		return
	}
	schema := source.AccountSchema()
	names := make([]string, len(schema.Attributes))
	for i := range schema.Attributes {
		names[i] = schema.Attributes[i].Name
	}
	if suggest.Nearest(name, names) != "" {
		faults.add(source.noAttribute(name), object, member)
		return
	}
	later.add(fmt.Sprintf("the schema of the source %q does not declare the account attribute %q", source.Name,
		clipped(name)), object, member)
}

// notAggregated returns a note for each source of which entitlements are granted that no aggregation has found yet.
func (c *Configuration) notAggregated() []string {
	var notes []string
	for _, source := range c.sortedSources() {
		values := c.ungranted[source.RowID]
		if len(values) == 0 {
			continue
		}
		slices.Sort(values)
		values = slices.Compact(values)
		are := "entitlements are"
		if len(values) == 1 {
			are = "entitlement is"
		}
		notes = append(notes, fmt.Sprintf("source %q: %d %s granted that no aggregation has found yet: %s", source.Name,
			len(values), are, someOf(values)))
	}
	return notes
}

// expect remembers an entitlement that is granted and that no aggregation has found.
func (b *accessBuilder) expect(source *CompiledSource, attribute, value string) {
	if b.catalogue == nil {
		b.catalogue = map[grantedEntitlement]bool{}
		for i := range b.known {
			e := &b.known[i]
			b.catalogue[grantedEntitlement{source: e.SourceID, attribute: e.Attribute, value: e.Value}] = true
		}
	}
	if b.catalogue[grantedEntitlement{source: source.RowID, attribute: attribute, value: value}] {
		return
	}
	text := attribute + " " + strconv.Quote(Shorten(value, quotedMax))
	if len(b.c.ungranted[source.RowID]) < someMax { // a note lists no more
		text += strings.Replace(b.valueHint(source, attribute, value), "; ", ", ", 1)
	}
	b.c.ungranted[source.RowID] = append(b.c.ungranted[source.RowID], text)
}

// quotedMax is how many characters of a value a note quotes.
const quotedMax = 60

// missingSource says that there is no source of a name, and which one may be meant.
func (c *Configuration) missingSource(name string) string {
	var names []string
	for _, source := range c.sortedSources() {
		names = append(names, source.Name)
	}
	return missing("source", name, names)
}

// missingProfile says that there is no access profile of a name, and which one may be meant.
func (b *accessBuilder) missingProfile(name string) string {
	var names []string
	for _, p := range b.profiles {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return missing("access profile", name, names)
}
