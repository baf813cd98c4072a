package configuration

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// entitlement returns the entitlement that a reference names. source is that of the access profile; for the
// entitlements of a role it is nil, and the reference has its own.
func (b *accessBuilder) entitlement(r *EntitlementReference, source *CompiledSource) (refresh.Entitlement, error) {
	if r.Source != nil {
		if source = b.c.sourceOf(r.Source); source == nil {
			return refresh.Entitlement{}, fmt.Errorf("source: %s", b.c.missingSource(r.Source.label()))
		}
	}
	if id, err := store.ParseID(r.ID); err == nil {
		at := slices.IndexFunc(b.known, func(e store.Entitlement) bool { return e.ID == id })
		if at >= 0 {
			e := &b.known[at]
			if source != nil && e.SourceID != source.RowID {
				return refresh.Entitlement{}, fmt.Errorf("the entitlement %s is one of another source", r.ID)
			}
			return refresh.Entitlement{SourceID: e.SourceID, Attribute: e.Attribute, Value: e.Value}, nil
		}
	}
	if source == nil {
		return refresh.Entitlement{}, errors.New("source is missing: the source of the entitlement")
	}
	if r.Value != "" {
		e, err := source.entitlementOf(r)
		if err == nil {
			e.Value = b.spell(source, e.Attribute, e.Value)
			b.expect(source, e.Attribute, e.Value)
		}
		return e, err
	}
	var found []*store.Entitlement
	for i := range b.known {
		e := &b.known[i]
		if e.SourceID == source.RowID && r.Name != "" && store.Fold(e.Name) == store.Fold(r.Name) &&
			(r.Attribute == "" || r.Attribute == e.Attribute) {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		return refresh.Entitlement{}, fmt.Errorf("%d entitlements of the source %q have the name %q: name one by its "+
			"id, or by attribute and value%s", len(found), source.Name, r.Name, b.entitlementHint(source, r.Name))
	}
	return refresh.Entitlement{SourceID: source.RowID, Attribute: found[0].Attribute,
		Value: found[0].Value}, nil
}

// comparedMax is how many entitlements of a source are compared with one that it does not have.
const comparedMax = 5000

// entitlementHint returns which entitlement of a source may be meant by a name that none has.
func (b *accessBuilder) entitlementHint(source *CompiledSource, name string) string {
	var names []string
	for i := range b.known {
		if e := &b.known[i]; e.SourceID == source.RowID && len(names) < comparedMax {
			names = append(names, e.Name)
		}
	}
	if len(names) == 0 {
		return "; no aggregation has found any yet"
	}
	return DidYouMean(name, names)
}

// valueHint returns which value of an entitlement attribute may be meant by one that no aggregation has found.
func (b *accessBuilder) valueHint(source *CompiledSource, attribute, value string) string {
	var values []string
	for i := range b.known {
		if e := &b.known[i]; e.SourceID == source.RowID && e.Attribute == attribute {
			if values = append(values, e.Value); len(values) > comparedMax {
				return ""
			}
		}
	}
	return DidYouMean(value, values)
}

// spelling is an entitlement in the form that its source compares.
type spelling struct {
	source         store.ID
	attribute, key string
}

// spell returns a value of an entitlement attribute as the source writes it, where it has one that is equal.
func (b *accessBuilder) spell(source *CompiledSource, name, value string) string {
	equality := source.Equality(name)
	if equality == attribute.CaseExactMatch {
		return value
	}
	if b.spelled == nil {
		b.spelled = map[spelling]string{}
		for i := range b.known {
			e := &b.known[i]
			owner := b.c.Sources[e.SourceID]
			if owner == nil || owner.Equality(e.Attribute) == attribute.CaseExactMatch {
				continue
			}
			id := spelling{e.SourceID, e.Attribute, owner.Equality(e.Attribute).Key(e.Value)}
			if _, known := b.spelled[id]; !known {
				b.spelled[id] = e.Value
			}
		}
	}
	if written, known := b.spelled[spelling{source.RowID, name, equality.Key(value)}]; known {
		return written
	}
	return value
}

// entitlementOf returns the entitlement of the source that a reference names by its value.
func (s *CompiledSource) entitlementOf(r *EntitlementReference) (refresh.Entitlement, error) {
	e := refresh.Entitlement{SourceID: s.RowID, Attribute: r.Attribute, Value: r.Value}
	if len(r.Value) > EntitlementLengthMax || !store.Storable(r.Value) {
		return e, fmt.Errorf("value: at most %d bytes without NUL are allowed", EntitlementLengthMax)
	}
	names := s.Entitling("")
	if e.Attribute == "" && len(names) == 1 {
		e.Attribute = names[0]
	}
	if !slices.Contains(names, e.Attribute) {
		return e, fmt.Errorf("attribute: %q is no entitlement attribute of the source %q: those are %s%s", e.Attribute,
			s.Name, ListOrNone(names), DidYouMean(e.Attribute, names))
	}
	return e, nil
}

// Entitlements finds the entitlements that references name, among those that the sources have. Make it with
// [Configuration.EntitlementsOf]. One goroutine uses it.
type Entitlements struct {
	b      accessBuilder
	byID   map[store.ID]*store.Entitlement
	values map[grantedEntitlement]*store.Entitlement
}

// EntitlementsOf returns what finds the entitlements of rows.
func (c *Configuration) EntitlementsOf(rows []store.Entitlement) *Entitlements {
	x := &Entitlements{b: accessBuilder{c: c, known: rows}, byID: map[store.ID]*store.Entitlement{},
		values: map[grantedEntitlement]*store.Entitlement{}}
	for i := range rows {
		e := &rows[i]
		x.byID[e.ID], x.values[grantedEntitlement{e.SourceID, e.Attribute, e.Value}] = e, e
	}
	return x
}

// Find returns the entitlement that a reference names, or nil if no aggregation has found such a one. source is that of
// the access profile; for the entitlements of a role it is nil.
func (x *Entitlements) Find(r *EntitlementReference, source *Reference) *store.Entitlement {
	if id, err := store.ParseID(r.ID); err == nil && x.byID[id] != nil {
		return x.byID[id]
	}
	if r.Source != nil {
		source = r.Source
	}
	if source == nil {
		return nil
	}
	of := x.b.c.sourceOf(source)
	if of == nil {
		return nil
	}
	if r.Value != "" {
		e, err := of.entitlementOf(r)
		if err != nil {
			return nil
		}
		return x.values[grantedEntitlement{of.RowID, e.Attribute, x.b.spell(of, e.Attribute, e.Value)}]
	}
	var found *store.Entitlement
	for i := range x.b.known {
		e := &x.b.known[i]
		if e.SourceID == of.RowID && r.Name != "" && store.Fold(e.Name) == store.Fold(r.Name) &&
			(r.Attribute == "" || r.Attribute == e.Attribute) {
			if found != nil {
				return nil // which one is not known
			}
			found = e
		}
	}
	return found
}

// SourceOf returns the source that a reference names, by ID or by name, or nil if there is none.
func (c *Configuration) SourceOf(r *Reference) *CompiledSource { return c.sourceOf(r) }

// provisioningLevelsMax is how many levels provisioning criteria may have, as published.
const provisioningLevelsMax = 3

// compile compiles criteria over the accounts of a source, at a place of the document and a level, from 1 on. It
// returns nil if there are none.
func (c *ProvisioningCriteria) compile(place string, level int, source *CompiledSource) (*refresh.AccountChoice,
	error,
) {
	if c == nil || level == 1 && c.Operation == "" && c.Attribute == "" && len(c.Children) == 0 {
		return nil, nil
	}
	choice := &refresh.AccountChoice{Operation: strings.ToUpper(c.Operation), Attribute: c.Attribute,
		Value: store.TextOf(c.Value), Equality: source.Equality(c.Attribute)}
	switch choice.Operation {
	case "AND", "OR":
		if len(c.Children) == 0 {
			return nil, fmt.Errorf("%s.children is missing: %s needs some", place, choice.Operation)
		}
		if level == provisioningLevelsMax {
			return nil, fmt.Errorf("%s: there are more than %d levels", place, provisioningLevelsMax)
		}
		for i, child := range c.Children {
			inner, err := child.compile(fmt.Sprintf("%s.children[%d]", place, i), level+1, source)
			if err == nil && inner == nil {
				err = fmt.Errorf("%s.children[%d] is empty", place, i)
			}
			if err != nil {
				return nil, err
			}
			choice.Children = append(choice.Children, inner)
		}
	case "EQUALS", "NOT_EQUALS", "CONTAINS", "HAS":
		if c.Attribute == "" || c.Value == nil && choice.Operation != "HAS" {
			return nil, fmt.Errorf("%s: attribute and value are expected with %s", place, choice.Operation)
		}
	default:
		known := []string{"EQUALS", "NOT_EQUALS", "CONTAINS", "HAS", "AND", "OR"}
		return nil, fmt.Errorf("%s.operation: %q is unknown: EQUALS, NOT_EQUALS, CONTAINS, HAS, AND and OR are known%s",
			place, c.Operation, DidYouMean(c.Operation, known))
	}
	return choice, nil
}
