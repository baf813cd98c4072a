package engine

import (
	"context"
	"slices"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/store"
)

// findKeys finds the other keys under which managers would be found. It calculates everybody for that, unless the
// attributes in which managers are looked for are calculated as before.
func (p *preview) findKeys() error {
	if !p.changesManagerAttributes() {
		return nil
	}
	p.gained, p.lost = map[string][]store.ID{}, map[string][]store.ID{}
	return p.run(p.everybody(nil), func(b *processing.Calculated) error {
		for i := range b.Changes {
			c := &b.Changes[i]
			id := c.After.ID
			was, is := p.before.IdentityKeys(&c.Before.Attributes), p.proposed.IdentityKeys(&c.After.Attributes)
			for _, k := range configuration.AppendMissing(nil, id, was, is) {
				p.lost[k.Key] = append(p.lost[k.Key], id)
			}
			for _, k := range configuration.AppendMissing(nil, id, is, was) {
				p.gained[k.Key] = append(p.gained[k.Key], id)
			}
		}
		return nil
	})
}

// changesManagerAttributes reports whether the proposed configuration calculates differently one of the attributes in
// which it looks for managers.
func (p *preview) changesManagerAttributes() bool {
	for _, source := range p.proposed.Sources {
		m := source.ManagerCorrelation
		if m != nil && m.IdentityAttributeName != "" && !p.sameMappings(m.IdentityAttributeName) {
			return true
		}
	}
	return false
}

// sameMappings reports whether all profiles calculate an attribute as before, and its keys are made as before.
func (p *preview) sameMappings(name string) bool {
	if len(p.before.Profiles) != len(p.proposed.Profiles) ||
		p.before.Settings.Location.String() != p.proposed.Settings.Location.String() ||
		p.before.Keyed[name] != p.proposed.Keyed[name] {
		return false
	}
	var changed []string
	for transform, definition := range p.proposed.Transforms {
		if !change.SameJSON(definition, p.before.Transforms[transform]) {
			changed = append(changed, transform)
		}
	}
	for i := range p.proposed.Profiles {
		before, after := &p.before.Profiles[i], &p.proposed.Profiles[i]
		if before.RowID != after.RowID || after.RefersTo(changed) ||
			!change.SameJSON(before.Mapping(name), after.Mapping(name)) {
			return false
		}
	}
	return true
}

// find is [store.Store.FindByKeys] under the proposed configuration.
func (p *preview) find(ctx context.Context, q store.Querier, keys []string) ([]store.KeyMatch, error) {
	if p.gained == nil {
		return p.e.tenant.Store.FindByKeys(ctx, q, keys)
	}
	holders, err := p.e.tenant.Store.KeyHolders(ctx, q, keys)
	if err != nil {
		return nil, err
	}
	found := map[string][]store.ID{}
	for _, h := range holders {
		if !slices.Contains(p.lost[h.Key], h.IdentityID) {
			found[h.Key] = append(found[h.Key], h.IdentityID)
		}
	}
	var matches []store.KeyMatch
	for _, key := range keys {
		ids := append(found[key], p.gained[key]...)
		if len(ids) > 0 {
			matches = append(matches, store.KeyMatch{Key: key, IdentityID: ids[0], Matches: len(ids)})
		}
	}
	return matches, nil
}
