package processing

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// writeEvents writes one event for each identity that differs, and one write for each task that asked for some of them,
// so that each event has its cause.
func (w *writing) writeEvents(ctx context.Context) error {
	byTask := map[store.ID][]store.Event{}
	for i := range w.Changes {
		c := &w.Changes[i]
		detail := event.Detail{Attributes: event.AttributesOf(c.Attributes), States: statesOf(c)}
		if c.LifecycleEnded() {
			detail.LifecycleState = &event.LifecycleState{}
		}
		if len(c.Gained)+len(c.Lost) > 0 {
			detail.Roles = rolesOf(w.Configuration, c)
		}
		w.parkingOf(i, &detail)
		task := w.tally.taskOf(c.After.ID)
		var err error
		if byTask[task], err = event.Append(byTask[task], c.After.ID, &detail); err != nil {
			return err
		}
	}
	maps.DeleteFunc(byTask, func(_ store.ID, events []store.Event) bool { return len(events) == 0 })
	tasks := slices.SortedFunc(maps.Keys(byTask), store.ID.Compare)
	for _, id := range tasks {
		if err := w.AddEvents(ctx, w.Tx, w.causeOf(id), byTask[id]); err != nil {
			return err
		}
	}
	return nil
}

// parkingOf adds the operations of an identity that are held back from now on, and those that are held back no longer:
// what they waited for has come, or nothing wants them any more.
func (w *writing) parkingOf(change int, detail *event.Detail) {
	id, access := w.Changes[change].After.ID, &w.Changes[change].Access
	for k := range w.parked {
		if o := &w.parked[k]; o.IdentityID == id {
			detail.Parked = append(detail.Parked, event.OperationOf(o, w.Configuration.Sources[o.SourceID].Name,
				store.TextOf(o.ParkedCause)))
		}
	}
	for k := range w.Snapshots[change].Operations {
		o := &w.Snapshots[change].Operations[k]
		source := w.Configuration.Sources[o.SourceID]
		why := whyReleased(o, access)
		if why == "" || source == nil {
			continue
		}
		row := &store.Operation{ID: o.ID, Kind: string(o.Kind), SourceID: o.SourceID, NativeIdentity: o.NativeIdentity}
		row.Attribute, row.Value = o.Target()
		detail.Released = append(detail.Released, event.OperationOf(row, source.Name, why))
	}
}

// whyReleased says why an operation is not held back any more; "" where it still is, or never was.
func whyReleased(o *refresh.Operation, access *refresh.AccessChange) string {
	switch {
	case !o.Parked:
		return ""
	case o.Awaits && slices.ContainsFunc(access.Open, func(other refresh.Operation) bool {
		return other.Kind == o.Kind && other.SourceID == o.SourceID && !other.Awaits
	}):
		return "the source was read completely"
	case slices.Contains(access.Fulfilled, o.ID):
		return "the account shows that it was done"
	case slices.Contains(access.Cancelled, o.ID):
		return "nothing wants it any more"
	}
	return ""
}

// rolesOf returns the roles that are gained and lost, and why.
func rolesOf(c *configuration.Configuration, change *refresh.Change) *event.Roles {
	detail := &event.Roles{Gained: []event.Role{}, Lost: []event.Role{}}
	for _, role := range change.Gained {
		detail.Gained = append(detail.Gained, event.Role{ID: role.ID.String(), Name: role.Name,
			Reason: c.Roles[role.ID].WhyGained()})
	}
	for _, loss := range change.Lost {
		role := c.Roles[loss.RoleID]
		d := event.Role{ID: loss.RoleID.String(), Reason: role.WhyLost(&loss)}
		if role != nil {
			d.Name = role.Name
		}
		detail.Lost = append(detail.Lost, d)
	}
	return detail
}

// statesOf returns the states that changed, or nil if none did.
func statesOf(c *refresh.Change) *event.States {
	if !c.StateDiffers() {
		return nil
	}
	from, to := c.Before, c.After
	states := event.States{
		LifecycleState:  event.Changed(from.LifecycleState, to.LifecycleState),
		IdentityState:   event.Changed(from.IdentityState, to.IdentityState),
		Manager:         event.Changed(from.ManagerID.String(), to.ManagerID.String()),
		ProcessingState: event.Changed(from.ProcessingState, to.ProcessingState),
		Correlated:      event.Changed(strconv.FormatBool(from.Correlated), strconv.FormatBool(to.Correlated)),
		Profile:         event.Changed(from.ProfileID.String(), to.ProfileID.String()),
	}
	if states == (event.States{}) {
		return nil
	}
	return &states
}
