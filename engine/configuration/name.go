package configuration

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/filterql/suggest"
	"github.com/muster-engine/muster/store"
)

// unresolved collects the names that stand for nothing, each with the places that name it, so that a source which was
// renamed is one fault and not one for each mapping.
type unresolved struct{ list []unresolvedName }

type unresolvedName struct {
	fault  string // what there is not, and what may be meant
	places []namingPlace
}

// namingPlace is an object and the members of it that have a name.
type namingPlace struct {
	object  string // such as: identity profile "Employees"
	members []string
}

// add records that a member of an object has a name that stands for nothing. The member may be empty.
func (u *unresolved) add(fault, object, member string) {
	at := slices.IndexFunc(u.list, func(n unresolvedName) bool { return n.fault == fault })
	if at < 0 {
		at = len(u.list)
		u.list = append(u.list, unresolvedName{fault: fault})
	}
	n := &u.list[at]
	in := slices.IndexFunc(n.places, func(p namingPlace) bool { return p.object == object })
	if in < 0 {
		in = len(n.places)
		n.places = append(n.places, namingPlace{object: object})
	}
	if p := &n.places[in]; member != "" && !slices.Contains(p.members, member) {
		p.members = append(p.members, member)
	}
}

// lines returns a fault for each name, with its places.
func (u *unresolved) lines() []string {
	var lines []string
	for _, n := range u.list {
		var places []string
		for _, p := range n.places {
			if len(p.members) > 0 {
				p.object += ": " + strings.Join(p.members, ", ")
			}
			places = append(places, p.object)
		}
		lines = append(lines, fmt.Sprintf("%s: %s", strings.Join(places, "; "), n.fault))
	}
	return lines
}

// checkNames returns a fault for each name in mappings, saved transforms and correlations that stands for nothing.
func (c *Configuration) checkNames() []string {
	var u unresolved
	for i := range c.Profiles {
		p := &c.Profiles[i]
		for k := range p.mappings {
			m := &p.mappings[k]
			c.checkAccounts(&u, m.accounts, fmt.Sprintf("identity profile %q", p.Name), "attribute "+m.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.savedAccounts)) {
		c.checkAccounts(&u, c.savedAccounts[name], fmt.Sprintf("transform %q", name), "")
	}
	c.checkCorrelations(&u)
	c.checkReads(&u, &unresolved{})
	return u.lines()
}

// checkAccounts checks the account attributes that a transform reads.
func (c *Configuration) checkAccounts(u *unresolved, accounts []transform.AccountAttribute, object, member string) {
	for _, a := range accounts {
		sources := c.sourcesOf(&a)
		switch {
		case len(sources) == 0:
			u.add(c.noSource(&a), object, member)
		case a.Own && transform.IsAccountProperty(a.Attribute) ||
			slices.ContainsFunc(sources, func(s *CompiledSource) bool { return s.declares(a.Attribute) }):
		default:
			u.add(sources[0].noAttribute(a.Attribute), object, member)
		}
	}
}

// sourcesOf returns the sources that a transform names: by the ID, and by the exact name.
func (c *Configuration) sourcesOf(a *transform.AccountAttribute) []*CompiledSource {
	return slices.DeleteFunc(c.sortedSources(), func(s *CompiledSource) bool {
		byID := a.SourceID != "" && strings.EqualFold(a.SourceID, s.IDText)
		return !byID && (a.SourceName == "" || a.SourceName != transform.SourceName(s.Name))
	})
}

func (c *Configuration) sortedSources() []*CompiledSource {
	return slices.SortedFunc(maps.Values(c.Sources), func(a, b *CompiledSource) int {
		return store.ID.Compare(a.RowID, b.RowID)
	})
}

func (c *Configuration) noSource(a *transform.AccountAttribute) string {
	named := a.SourceName
	if named == "" {
		named = a.SourceID
	}
	var names []string
	for _, source := range c.Sources {
		names = append(names, source.Name)
	}
	slices.Sort(names)
	return missing("source", named, names)
}

// declares reports whether accounts of the source may have an attribute: those of a source without a schema of its
// accounts may have any.
func (s *CompiledSource) declares(name string) bool {
	schema := s.AccountSchema()
	return schema == nil || len(schema.Attributes) == 0 || schema.Attribute(name) != nil ||
		name == schema.IdentityAttribute || name == schema.DisplayAttribute
}

// noAttribute says that the schema of the source's accounts does not declare an attribute.
func (s *CompiledSource) noAttribute(name string) string {
	schema := s.AccountSchema()
	names := make([]string, len(schema.Attributes))
	for i := range schema.Attributes {
		names[i] = schema.Attributes[i].Name
	}
	return missing(fmt.Sprintf("account attribute of the source %q named", s.Name), name, names)
}

// checkIdentityAttribute checks that an identity attribute is defined: by the tenant, or for every tenant.
func (c *Configuration) checkIdentityAttribute(u *unresolved, name, object, member string) {
	_, defined := c.Attributes[name]
	if name == "" || defined || IsStandardAttribute(name) || IsSystemAttribute(name) {
		return
	}
	names := slices.Concat(slices.Collect(maps.Keys(c.Attributes)), slices.Collect(maps.Keys(standardAttributes)))
	slices.Sort(names)
	u.add(missing("identity attribute", name, names), object, member)
}

// checkCorrelations checks the attributes by which accounts find identities, and identities their managers.
func (c *Configuration) checkCorrelations(u *unresolved) {
	for _, source := range c.sortedSources() {
		object := fmt.Sprintf("source %q", source.Name)
		check := func(account, accountMember, identity, identityMember string) {
			if account != "" && !source.declares(account) {
				u.add(source.noAttribute(account), object, accountMember)
			}
			c.checkIdentityAttribute(u, identity, object, identityMember)
		}
		if m := source.ManagerCorrelation; m != nil {
			check(m.AccountAttributeName, "managerCorrelationMapping.accountAttributeName", m.IdentityAttributeName,
				"managerCorrelationMapping.identityAttributeName")
		}
		for i, a := range source.Assignments() {
			place := fmt.Sprintf("accountCorrelationConfig.attributeAssignments[%d].", i)
			check(a.Value, place+"value", a.Property, place+"property")
		}
	}
}

// DidYouMean returns the part of an error which says what may be meant by a name that stands for nothing, or "". It is
// for package engine.
func DidYouMean(name string, names []string) string {
	if nearest := suggest.Nearest(name, names); nearest != "" {
		return fmt.Sprintf("; did you mean %q?", nearest)
	}
	return ""
}

// namesMax is how many names an error lists.
const namesMax = 20

// missing says that there is no object of a kind with a name, and which one may be meant.
func missing(kind, name string, names []string) string {
	if nearest := suggest.Nearest(name, names); nearest != "" {
		return fmt.Sprintf("there is no %s %q; did you mean %q?", kind, name, nearest)
	}
	quoted := make([]string, 0, len(names))
	for _, n := range names {
		if len(quoted) == namesMax {
			quoted = append(quoted, "…")
			break
		}
		quoted = append(quoted, strconv.Quote(n))
	}
	return fmt.Sprintf("there is no %s %q: there are %s", kind, name, ListOrNone(quoted))
}
