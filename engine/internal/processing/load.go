package processing

import (
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// Overlay is what a preview assumes of identities that are not in the batch.
type Overlay interface {
	// State makes the state of an identity what it would be.
	State(*refresh.State)
	// KeyHolders and AliasHolders return who would have a key, or an alias by its key, of those who have it.
	KeyHolders(key string, holders []store.ID) []store.ID
	AliasHolders(key store.ID, holders []store.ID) []store.ID
}

// holdersMax is how many holders of a key count: more than the members of a batch, and some that are left over.
func (o *others) holdersMax() int { return len(o.current) + 3 }

// load asks the database what is wanted.
func (o *others) load() error {
	if o.managing == nil && o.reads().Status {
		if err := o.loadManaging(); err != nil {
			return failedLookup(err)
		}
	}
	for w := o.wanted; len(w.states)+len(w.keys)+len(w.aliases) > 0; w = o.wanted {
		o.wanted, o.leading = wanted{}, nil
		for _, load := range []func(*wanted) error{o.loadKeys, o.loadAliases, o.loadStates} {
			if err := load(&w); err != nil {
				return failedLookup(err)
			}
		}
	}
	return nil
}

// reload asks the database again what it was asked, under a lock that keeps the answers as they are from now on. It
// calculates again who got another answer, and reports whether somebody did.
func (o *others) reload() (again bool, err error) {
	for key := range o.holders {
		o.wanted.keys = append(o.wanted.keys, key)
	}
	for _, alias := range o.names {
		o.wanted.aliases = append(o.wanted.aliases, alias)
	}
	for id := range o.strangers {
		o.wanted.states = append(o.wanted.states, id)
	}
	o.managing = nil
	if err := o.load(); err != nil {
		return false, err
	}
	dirty := o.disagreeing()
	if err := o.load(); err != nil {
		return false, err
	}
	return len(dirty) > 0, o.settle(dirty)
}

// loadManaging finds the members that are managers of strangers; of anybody where members are seen as they are stored.
func (o *others) loadManaging() error {
	except := []store.ID{} // not null, of which nobody is another one
	if !o.stored {
		except = o.read.IDs
	}
	managers, err := o.read.Store.Managing(o.ctx, o.read.Tx, o.read.IDs, except)
	o.managing = make(map[store.ID]bool, len(managers))
	for _, id := range managers {
		o.managing[id] = true
	}
	return err
}

// loadKeys finds the strangers that have the keys of managers. Of a key that too many have, it asks for those that were
// managers besides.
func (o *others) loadKeys(w *wanted) error {
	if len(w.keys) == 0 {
		return nil
	}
	keys := distinct(w.keys, strings.Compare)
	rows, err := o.read.Store.KeyHolders(o.ctx, o.read.Tx, keys, o.holdersMax())
	if err != nil {
		return err
	}
	found := map[string][]store.ID{}
	for _, row := range rows {
		found[row.Key] = append(found[row.Key], row.IdentityID)
	}
	var more []store.IdentityKey
	for i, key := range o.managers {
		before := o.read.Snapshots[i].Identity.ManagerID
		if len(found[key]) == o.holdersMax() && !before.IsZero() && !slices.Contains(found[key], before) {
			more = append(more, store.IdentityKey{IdentityID: before, Key: key})
		}
	}
	if len(more) > 0 {
		if rows, err = o.read.Store.HeldKeys(o.ctx, o.read.Tx, more); err != nil {
			return err
		}
		for _, row := range rows {
			found[row.Key] = append(found[row.Key], row.IdentityID)
		}
	}
	for _, key := range keys {
		holders := found[key]
		if o.read.Overlay != nil {
			holders = o.read.Overlay.KeyHolders(key, holders)
		}
		o.holders[key] = o.withoutMembers(holders)
	}
	return nil
}

// loadAliases finds the strangers that have aliases.
func (o *others) loadAliases(w *wanted) error {
	if len(w.aliases) == 0 {
		return nil
	}
	aliases := distinct(w.aliases, strings.Compare)
	rows, err := o.read.Store.AliasHolders(o.ctx, o.read.Tx, aliases, o.holdersMax())
	if err != nil {
		return err
	}
	found := map[store.ID][]store.ID{}
	for _, row := range rows {
		found[row.Key] = append(found[row.Key], row.ID)
	}
	for _, alias := range aliases {
		key := store.AliasKey(alias)
		holders := found[key]
		if o.read.Overlay != nil {
			holders = o.read.Overlay.AliasHolders(key, holders)
		}
		o.aliases[key] = o.withoutMembers(holders)
		for _, id := range o.aliases[key] {
			o.found(id)
		}
	}
	return nil
}

// withoutMembers returns the strangers among identities, by ID.
func (o *others) withoutMembers(ids []store.ID) []store.ID {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id store.ID) bool {
		_, member := o.at[id]
		return member
	})
	slices.SortFunc(ids, store.ID.Compare)
	return ids
}

// loadStates reads strangers.
func (o *others) loadStates(w *wanted) error {
	if len(w.states) == 0 {
		return nil
	}
	ids := distinct(w.states, store.ID.Compare)
	rows, err := o.read.Store.IdentityStates(o.ctx, o.read.Tx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		o.strangers[id] = nil
	}
	for i := range rows {
		someone := new(stranger)
		if err := DecodeState(&rows[i], &someone.state); err != nil {
			return err
		}
		if o.read.Overlay != nil {
			o.read.Overlay.State(&someone.state)
		}
		someone.face = o.reads().Face(&someone.state)
		o.strangers[someone.state.ID] = someone
	}
	return nil
}

// distinct sorts a list and removes what is there twice.
func distinct[T comparable](list []T, compare func(a, b T) int) []T {
	slices.SortFunc(list, compare)
	return slices.Compact(list)
}
