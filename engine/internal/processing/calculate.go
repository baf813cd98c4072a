package processing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// Calculated is a batch whose identities are calculated. Changes is parallel to IDs.
type Calculated struct {
	*Read
	Changes []refresh.Change
}

// Calculate calculates every identity of the batch. It returns an error of the database alone: the error of an identity
// is in its change.
func (r *Read) Calculate() (*Calculated, error) {
	r.changes = r.memory.changes
	if cap(r.changes) < len(r.Snapshots) {
		r.changes = make([]refresh.Change, len(r.Snapshots))
	}
	r.changes = r.changes[:len(r.Snapshots)]
	r.memory.changes = r.changes
	clear(r.changes)
	if r.others != nil {
		return &Calculated{r, r.changes}, r.others.calculate()
	}
	for i := range r.Snapshots {
		if _, err := r.calculateOne(i); err != nil {
			return nil, err
		}
	}
	return &Calculated{r, r.changes}, nil
}

// calculateOne calculates an identity of the batch.
func (r *Read) calculateOne(i int) (*refresh.Change, error) {
	c := &r.changes[i]
	*c = refresh.Change{} // it does not count for itself where names are taken
	*c = refresh.Calculate(&r.Snapshots[i], &r.Configuration.Refresh, r.Cause.At)
	for _, err := range []error{c.Err, c.Lookup} {
		if failed := (*lookupError)(nil); errors.As(err, &failed) {
			return nil, failed
		}
	}
	return c, nil
}

// FindManagers sets the managers of the identities: who alone has the key under which the manager is looked for. Where
// several have it, and one of them is the manager already, that one stays; there is a warning in any case.
func (c *Calculated) FindManagers(ctx context.Context) error {
	if c.others != nil {
		for i := range c.Changes {
			holders, _ := c.others.managerHolders(i)
			c.setManager(&c.Changes[i], holders)
		}
		c.others.warn()
		return nil
	}
	holders, err := c.managerHolders(ctx)
	for i := range c.Changes {
		c.setManager(&c.Changes[i], holders[c.Changes[i].After.ManagerKey])
	}
	return err
}

// guessManagers is FindManagers without warnings, before what others write is known.
func (c *Calculated) guessManagers(ctx context.Context) error {
	holders, err := c.managerHolders(ctx)
	for i := range c.Changes {
		manager, _ := pickManager(holders[c.Changes[i].After.ManagerKey], c.Changes[i].Before)
		c.Changes[i].SetManager(manager)
	}
	return err
}

// setManager sets the manager of an identity, of those who have the key of its manager.
func (c *Calculated) setManager(change *refresh.Change, holders []store.ID) {
	manager, ambiguous := pickManager(holders, change.Before)
	change.SetManager(manager)
	if !ambiguous {
		return
	}
	kept := "it has no manager until one of them alone has it"
	if !manager.IsZero() {
		kept = "it keeps its manager " + manager.String()
	}
	change.Warnings = append(change.Warnings, fmt.Sprintf("several identities are found as its manager (%s): %s",
		named(holders), kept))
}

// namedMax is how many identities a warning names.
const namedMax = 5

// named names identities by their IDs.
func named(ids []store.ID) string {
	texts := make([]string, 0, namedMax)
	for _, id := range ids[:min(len(ids), namedMax)] {
		texts = append(texts, id.String())
	}
	text := strings.Join(texts, ", ")
	if len(ids) > namedMax {
		text += " and more"
	}
	return text
}

// pickManager returns which of the identities that have the key of the manager of an identity is that: the only one, or
// the one that was it before, where there are several now. Nobody is the manager of itself.
func pickManager(holders []store.ID, before *refresh.State) (manager store.ID, ambiguous bool) {
	switch {
	case len(holders) == 1 && holders[0] != before.ID:
		return holders[0], false
	case len(holders) < 2:
		return store.ID{}, false
	case slices.Contains(holders, before.ManagerID):
		return before.ManagerID, true
	}
	return store.ID{}, true
}

// managerHolders returns who has the keys under which the managers of the identities are looked for. Of those that many
// have it returns some, and among them those that are a manager by it already.
func (c *Calculated) managerHolders(ctx context.Context) (map[string][]store.ID, error) {
	var keys []string
	for i := range c.Changes {
		if key := c.Changes[i].After.ManagerKey; key != "" {
			keys = append(keys, key)
		}
	}
	keys = distinct(keys, strings.Compare)
	matches, err := c.Store.FindByKeys(ctx, c.Tx, keys)
	if err != nil {
		return nil, err
	}
	holders := map[string][]store.ID{}
	ambiguous := map[string]bool{}
	for _, match := range matches {
		holders[match.Key] = []store.ID{match.IdentityID}
		ambiguous[match.Key] = match.Matches > 1
	}
	if err := c.addRivals(ctx, holders, ambiguous); err != nil {
		return nil, err
	}
	if c.Overlay != nil {
		for _, key := range keys {
			holders[key] = c.Overlay.KeyHolders(key, holders[key])
		}
	}
	return holders, nil
}

// overlaidMax is how many holders of a key count where an overlay changes who has it.
const overlaidMax = 1000

// addRivals completes the holders of the keys that several have.
func (c *Calculated) addRivals(ctx context.Context, holders map[string][]store.ID, ambiguous map[string]bool) error {
	var keys []string
	var before []store.IdentityKey
	for i := range c.Changes {
		key, manager := c.Changes[i].After.ManagerKey, c.Changes[i].Before.ManagerID
		if !ambiguous[key] {
			continue
		}
		keys = append(keys, key)
		if !manager.IsZero() {
			before = append(before, store.IdentityKey{IdentityID: manager, Key: key})
		}
	}
	if len(keys) == 0 {
		return nil
	}
	keys = distinct(keys, strings.Compare)
	limit := namedMax + 1
	if c.Overlay != nil { // it may take some of them away
		limit = overlaidMax
	}
	rivals, err := c.Store.KeyHolders(ctx, c.Tx, keys, limit)
	if err != nil {
		return err
	}
	kept, err := c.Store.HeldKeys(ctx, c.Tx, before)
	if err != nil {
		return err
	}
	for _, key := range keys {
		holders[key] = nil
	}
	for _, row := range slices.Concat(rivals, kept) {
		if !slices.Contains(holders[row.Key], row.IdentityID) {
			holders[row.Key] = append(holders[row.Key], row.IdentityID)
		}
	}
	return nil
}

// nextDue returns when an identity is due, that is, processed again though nothing but the time has changed. It is nil
// for never.
func (b *Batch) nextDue(c *refresh.Change, now time.Time) *time.Time {
	due := c.Due
	switch {
	case c.After.IdentityState == refresh.LongTermInactive:
		due = c.RolesDue
	case c.Periodic:
		if slot := task.NextSlot(now, b.Configuration.Settings.Location); due.IsZero() || slot.Before(due) {
			due = slot
		}
	}
	if due.IsZero() {
		return nil
	}
	due = due.UTC().Truncate(time.Microsecond)
	return &due
}

// sameTime reports whether two times are the same or both nil.
func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}
