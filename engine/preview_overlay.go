package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// overlay is what identities would be for others under the proposed configuration, where that is something else than
// now. It implements [processing.Overlay].
type overlay struct {
	reads *refresh.Others
	// states have the name, the alias and the attributes that others read.
	states map[store.ID]*refresh.State
	// keys and aliases are who would have keys, and aliases by their keys, and who would have them no longer.
	keys    moves[string]
	aliases moves[store.ID]
}

// moves are who gains and loses what identities are found by.
type moves[K comparable] struct{ gained, lost map[K][]store.ID }

func newMoves[K comparable]() moves[K] { return moves[K]{map[K][]store.ID{}, map[K][]store.ID{}} }

// apply returns who would have a key of those who have it.
func (m moves[K]) apply(key K, holders []store.ID) []store.ID {
	left := slices.DeleteFunc(slices.Clone(holders), func(id store.ID) bool {
		return slices.Contains(m.lost[key], id) || slices.Contains(m.gained[key], id)
	})
	return append(left, m.gained[key]...)
}

func newOverlay(reads *refresh.Others) *overlay {
	return &overlay{reads, map[store.ID]*refresh.State{}, newMoves[string](), newMoves[store.ID]()}
}

// State implements [processing.Overlay].
func (o *overlay) State(s *refresh.State) {
	would := o.states[s.ID]
	if would == nil {
		return
	}
	s.Name, s.Alias = would.Name, would.Alias
	if o.reads.Any {
		s.Attributes = would.Attributes
		return
	}
	for _, name := range o.reads.Attributes {
		s.Attributes.Put(name, would.Attributes.Get(name))
	}
}

// KeyHolders implements [processing.Overlay].
func (o *overlay) KeyHolders(key string, holders []store.ID) []store.ID {
	return o.keys.apply(key, holders)
}

// AliasHolders implements [processing.Overlay].
func (o *overlay) AliasHolders(key store.ID, holders []store.ID) []store.ID {
	return o.aliases.apply(key, holders)
}

// add adds what would become of the identities of a batch.
func (o *overlay) add(before, proposed *configuration.Configuration, b *processing.Calculated) {
	for i := range b.Changes {
		c := &b.Changes[i]
		id := c.After.ID
		was, is := before.IdentityKeys(&c.Before.Attributes), proposed.IdentityKeys(&c.After.Attributes)
		for _, k := range configuration.AppendMissing(nil, id, was, is) {
			o.keys.lost[k.Key] = append(o.keys.lost[k.Key], id)
		}
		for _, k := range configuration.AppendMissing(nil, id, is, was) {
			o.keys.gained[k.Key] = append(o.keys.gained[k.Key], id)
		}
		if !o.reads.Read || o.reads.Face(c.Before) == o.reads.Face(c.After) {
			continue
		}
		would := &refresh.State{ID: id, Calculated: refresh.Calculated{Name: c.After.Name, Alias: c.After.Alias}}
		if o.reads.Any {
			would.Attributes = c.After.Attributes.Clone()
		}
		for _, name := range o.reads.Attributes {
			would.Attributes.Put(name, c.After.Attributes.Get(name))
		}
		o.states[id] = would
		if from, to := store.AliasKey(c.Before.Alias), store.AliasKey(c.After.Alias); from != to {
			o.aliases.lost[from] = append(o.aliases.lost[from], id)
			o.aliases.gained[to] = append(o.aliases.gained[to], id)
		}
	}
}

// equal reports whether two overlays are the same.
func (o *overlay) equal(p *overlay) bool {
	return maps.EqualFunc(o.states, p.states, func(a, b *refresh.State) bool {
		return o.reads.Face(a) == o.reads.Face(b)
	}) && maps.EqualFunc(o.keys.gained, p.keys.gained, slices.Equal[[]store.ID]) &&
		maps.EqualFunc(o.keys.lost, p.keys.lost, slices.Equal[[]store.ID])
}

// passesMax is how often a preview calculates everybody at most until values that come from others stay.
const passesMax = 20

// foresee finds what identities would be for others: under which other keys managers would be found, and what would be
// read of them. It calculates everybody for that, or those that choose returns where the configuration stays, unless
// nobody would read anything else.
func (p *preview) foresee(choose func(*preview) (pager, error)) error {
	reads := &p.proposed.Refresh.Others
	if !reads.Read && !p.changesManagerAttributes() {
		return nil
	}
	p.overlay = newOverlay(reads)
	for range passesMax {
		next, seen := p.everybody(nil), newOverlay(reads)
		if len(p.totals.Objects) == 0 {
			var err error
			if next, err = choose(p); err != nil {
				return err
			}
		}
		err := p.run(next, func(b *processing.Calculated) error {
			seen.add(p.before, p.proposed, b)
			return nil
		})
		if err != nil {
			return err
		}
		settled := !reads.Read || seen.equal(p.overlay)
		p.overlay = seen
		if settled {
			return nil
		}
	}
	p.totals.Notes = append(p.totals.Notes, fmt.Sprintf("values that come from others still changed after everybody "+
		"was calculated %d times: identities may read each other in a circle", passesMax))
	return nil
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
