package processing

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/muster-engine/muster/store"
)

// readings are what a batch changes of what others read.
type readings struct {
	removed, set []store.Lookup
	touched      []int // the members of which others may read something else
}

func (r *readings) empty() bool { return len(r.removed)+len(r.set)+len(r.touched) == 0 }

// agree finds what the batch changes of what others read. Where it changes something, or looks for others in another
// way, it takes the key lock, and has the members agree again with what the database has from then on: of two batches
// the later one sees what the earlier one did.
func (w *writing) agree(ctx context.Context) error {
	w.readings = w.others.readings()
	if !w.changesLookups() && w.readings.empty() {
		return nil
	}
	if err := w.Store.LockKeys(ctx, w.Tx); err != nil {
		return err
	}
	again, err := w.others.reload()
	if err != nil || !again {
		return err
	}
	w.readings = w.others.readings()
	return w.compareKeys(ctx)
}

// writeReadings records the lookups of the members, and requests the processing of those who read the members of which
// others read something else now. They are processed for the task that asked for those members, so that it ends when
// all its consequences are there.
func (w *writing) writeReadings(ctx context.Context) error {
	if w.others == nil {
		return nil
	}
	if err := w.Store.ChangeLookups(ctx, w.Tx, w.readings.removed, w.readings.set); err != nil {
		return err
	}
	byTask := map[store.ID]*store.Readers{}
	of := func(member store.ID) *store.Readers {
		id := w.tally.taskOf(member)
		if byTask[id] == nil {
			byTask[id] = &store.Readers{Except: w.IDs, Depth: w.tally.depthOf(id)}
		}
		return byTask[id]
	}
	reads := w.others.reads()
	for _, i := range w.readings.touched {
		c := &w.Changes[i]
		r := of(c.After.ID)
		if reads.Manager {
			r.Managers = append(r.Managers, c.After.ID)
		}
		if reads.Alias {
			r.Keys = append(r.Keys, store.AliasKey(c.Before.Alias), store.AliasKey(c.After.Alias))
		}
	}
	for i := range w.Changes {
		if c := &w.Changes[i]; reads.Status && c.Before.ManagerID != c.After.ManagerID {
			r := of(c.After.ID)
			r.Others = append(r.Others, c.Before.ManagerID, c.After.ManagerID)
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(byTask), store.ID.Compare) {
		ends, err := w.ends(ctx, byTask[id].Depth)
		if err != nil {
			return err
		}
		if ends {
			continue
		}
		if err := w.Store.RequestReaders(ctx, w.Tx, *byTask[id], w.causeOf(id)); err != nil {
			return err
		}
	}
	return nil
}

// A circle is looked for where changes have followed from changes depthMax times, and again at each multiple of it.
// depthLimit is where they end in any case: a circle through managers who come and go cannot be found.
const (
	depthMax   = 100
	depthLimit = 1000
)

// ends reports whether nothing may follow from the batch at a depth, because identities read each other in a circle.
// These identities get a warning.
func (w *writing) ends(ctx context.Context, depth int) (bool, error) {
	if depth == 0 || depth%depthMax != 0 {
		return false, nil
	}
	circle, err := w.findCircle(ctx)
	if err != nil || len(circle) == 0 && depth < depthLimit {
		return false, err
	}
	for i := range w.Changes {
		c := &w.Changes[i]
		switch {
		case slices.Contains(circle, c.After.ID):
			c.Warnings = append(c.Warnings, circleWarning(circle))
		case len(circle) == 0 && c.StateDiffers():
			c.Warnings = append(c.Warnings, fmt.Sprintf("its values come from others, and changes have followed from "+
				"changes %d times without an end: who reads it was not processed again", depth))
		}
	}
	return true, nil
}

// circleMax is how many identities are searched for a circle.
const circleMax = 10_000

// findCircle returns a circle of identities that read each other with a member that others read on it; nil where there
// is none. The members' states and lookups are written already.
func (w *writing) findCircle(ctx context.Context) ([]store.ID, error) {
	var start []store.ID
	for _, i := range w.readings.touched {
		start = append(start, w.Changes[i].After.ID)
	}
	seen := map[store.ID]bool{}
	var all []store.Reading
	for front := start; len(front) > 0 && len(seen) < circleMax; {
		rows, err := w.Store.Readings(ctx, w.Tx, front, w.others.reads().Manager)
		if err != nil {
			return nil, err
		}
		all, front = append(all, rows...), nil
		for _, row := range rows {
			if !seen[row.Found] {
				seen[row.Found] = true
				front = append(front, row.Found)
			}
		}
	}
	for _, id := range start {
		if circle := circleOf(id, all); len(circle) > 1 || slices.Contains(all, store.Reading{Reader: id, Found: id}) {
			return circle, nil
		}
	}
	return nil, nil
}
