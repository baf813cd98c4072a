package processing

import (
	"context"
	"errors"
	"slices"
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
	for i := range r.Snapshots {
		r.changes[i] = refresh.Calculate(&r.Snapshots[i], &r.Configuration.Refresh, r.Cause.At)
		for _, err := range []error{r.changes[i].Err, r.changes[i].Lookup} {
			if failed := (*lookupError)(nil); errors.As(err, &failed) {
				return nil, failed
			}
		}
	}
	return &Calculated{r, r.changes}, nil
}

// FindManagers sets the managers of the identities. find returns the identities that have keys; a key that several
// identities have names no manager.
func (c *Calculated) FindManagers(ctx context.Context,
	find func(context.Context, store.Querier, []string) ([]store.KeyMatch, error),
) error {
	var keys []string
	for i := range c.Changes {
		if key := c.Changes[i].After.ManagerKey; key != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	matches, err := find(ctx, c.Tx, slices.Compact(keys))
	if err != nil {
		return err
	}
	managers := map[string]store.ID{}
	for _, match := range matches {
		if match.Matches == 1 {
			managers[match.Key] = match.IdentityID
		}
	}
	for i := range c.Changes {
		c.Changes[i].SetManager(managers[c.Changes[i].After.ManagerKey])
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
