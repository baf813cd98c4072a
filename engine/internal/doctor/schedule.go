package doctor

import (
	"context"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// slotGrace is how long a slot may be late.
const slotGrace = 10 * time.Minute

// examineSchedule looks for slots that were not begun although there were identities to process.
func (x *examination) examineSchedule(ctx context.Context) error {
	if x.settings == nil {
		return nil // the check of the configuration tells
	}
	zone := x.settings.Location
	first, err := x.d.Store.FirstIdentity(ctx, x.tx)
	if err != nil {
		return err
	}
	now := x.given.Now
	begun, err := x.d.Store.SlotsSince(ctx, x.tx, now.Add(-48*time.Hour))
	if err != nil {
		return err
	}
	last := task.LastSlot(now.Add(-slotGrace), zone)
	var late, missed []string
	for _, slot := range task.SlotsAround(now, zone) {
		if first.IsZero() || slot.Before(first) || slot.Before(now.Add(-48*time.Hour)) || slot.After(last) ||
			slot.Before(x.settings.ZoneSince) ||
			slices.ContainsFunc(begun, slot.Equal) {
			continue
		}
		if text := slot.UTC().Format(time.RFC3339); slot.Equal(last) {
			late = append(late, text)
		} else {
			missed = append(missed, text)
		}
	}
	x.add("slot", SeverityWarning, store.Found(late), "run a worker, or muster schedule run from a timer", nil)
	x.add("slot-missed", SeverityWarning, store.Found(missed),
		"nobody worked then: run a worker all the time. The last slot was made up for, or will be", nil)
	return nil
}
