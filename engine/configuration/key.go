package configuration

import (
	"fmt"
	"slices"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/store"
)

// AppendMissing appends the keys of an identity that are in keys and not in other. It is for package engine.
func AppendMissing(dst []store.IdentityKey, identity store.ID, keys, other []string) []store.IdentityKey {
	for _, key := range keys {
		if !slices.Contains(other, key) {
			dst = append(dst, store.IdentityKey{IdentityID: identity, Key: key})
		}
	}
	return dst
}

// keying says in which forms the values of an attribute become keys of identities.
type keying struct{ folded, exact bool }

// compileKeys finds the attributes that identities are found by: those that are searchable, and those that a
// correlation names.
func (c *Configuration) compileKeys() {
	for name, searchable := range standardAttributes {
		if searchable {
			c.Keyed[name] = keying{folded: true}
		}
	}
	for name, a := range c.Attributes {
		if a.Searchable {
			c.Keyed[name] = keying{folded: true}
		}
	}
	for _, source := range c.Sources {
		if m := source.ManagerCorrelation; m != nil && m.IdentityAttributeName != "" {
			k := c.Keyed[m.IdentityAttributeName]
			k.folded = true
			c.Keyed[m.IdentityAttributeName] = k
		}
		for _, a := range source.Assignments() {
			k := c.Keyed[a.Property]
			if a.exact() {
				k.exact = true
			} else {
				k.folded = true
			}
			c.Keyed[a.Property] = k
		}
	}
}

// CorrelationKeys returns the keys by which an account of the source finds its identity, the most telling first. For an
// authoritative source the last one finds the identity that the account had before, if the account comes back.
func (s *CompiledSource) CorrelationKeys(nativeIdentity string, attributes *attribute.Set) []string {
	keys := []string{}
	s.EachKey(nativeIdentity, attributes, func(_ *AttributeAssignment, _, key string) { keys = append(keys, key) })
	return keys
}

// EachKey calls each for every key of [CompiledSource.CorrelationKeys], with the assignment that it comes from and the
// value of the account. The assignment is nil for the trace of the account's own origin. It is for package engine.
func (s *CompiledSource) EachKey(nativeIdentity string, attributes *attribute.Set,
	each func(a *AttributeAssignment, value, key string),
) {
	assignments := s.Assignments()
	for i := range assignments {
		a := &assignments[i]
		for _, value := range attributes.Get(a.Value).Strings() {
			switch {
			case value == "":
			case a.exact():
				each(a, value, store.KeyExact(a.Property, value))
			default:
				each(a, value, store.KeyIgnoringCase(a.Property, value))
			}
		}
	}
	if !s.ProfileID.IsZero() {
		each(nil, nativeIdentity, store.KeyOrigin(s.RowID, nativeIdentity))
	}
}

// IgnoresCase reports whether letter case does not count.
func (a *AttributeAssignment) IgnoresCase() bool { return !a.exact() }

// FoldedAttributes returns the identity attributes by whose values identities are found where case does not count,
// sorted. It is for package engine.
func (c *Configuration) FoldedAttributes() []string {
	var names []string
	for name, k := range c.Keyed {
		if k.folded {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Correlates reports whether an account of the source tells whose it is, whoever that is: by a key that is no trace of
// the account's own origin.
func (s *CompiledSource) Correlates(nativeIdentity string, attributes *attribute.Set) bool {
	keys := s.CorrelationKeys(nativeIdentity, attributes)
	if !s.ProfileID.IsZero() {
		keys = keys[:len(keys)-1]
	}
	return len(keys) > 0
}

// IdentityKeys returns the keys by which an identity with these attributes is found.
func (c *Configuration) IdentityKeys(attributes *attribute.Set) []string {
	var keys []string
	for name, value := range attributes.All() {
		k, keyed := c.Keyed[name]
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

// AccountKeys returns the keys that an account should have, or nil if its source is not configured.
func (c *Configuration) AccountKeys(row *store.KeyedAccount) ([]string, error) {
	source := c.Sources[row.SourceID]
	if source == nil {
		return nil, nil
	}
	var set attribute.Set
	if err := set.Decode(row.Attributes); err != nil {
		return nil, fmt.Errorf("account %s: %w", row.ID, err)
	}
	return source.CorrelationKeys(row.NativeIdentity, &set), nil
}
