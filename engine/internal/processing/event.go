package processing

import (
	"context"
	"strconv"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// writeEvents writes the events of changed attributes and roles.
func (w *writing) writeEvents(ctx context.Context) error {
	var events []store.Event
	for i := range w.Changes {
		c := &w.Changes[i]
		var err error
		if len(c.Attributes) > 0 {
			events, err = event.Append(events, c.After.ID, event.TypeAttributesChanged,
				event.AttributesOf(c.Attributes))
		}
		if err == nil && len(c.Gained)+len(c.Lost) > 0 {
			events, err = event.Append(events, c.After.ID, event.TypeRolesChanged, rolesOf(w.Configuration, c))
		}
		if err != nil {
			return err
		}
	}
	return w.Store.AddEvents(ctx, w.Tx, events, w.Cause.At)
}

// rolesOf returns the roles that are gained and lost, and why.
func rolesOf(c *configuration.Configuration, change *refresh.Change) event.Roles {
	detail := event.Roles{Gained: []event.Role{}, Lost: []event.Role{}}
	for _, role := range change.Gained {
		detail.Gained = append(detail.Gained, event.Role{ID: role.ID.String(), Name: role.Name,
			Reason: c.Roles[role.ID].WhyGained()})
	}
	for _, loss := range change.Lost {
		role := c.Roles[loss.RoleID]
		d := event.Role{ID: loss.RoleID.String(), Reason: role.WhyLost(loss.Expired)}
		if role != nil {
			d.Name = role.Name
		}
		detail.Lost = append(detail.Lost, d)
	}
	return detail
}

// appendStateEvent appends an event of the states that changed, if any did.
func appendStateEvent(events []store.Event, c *refresh.Change) ([]store.Event, error) {
	from, to := c.Before, c.After
	detail := event.States{
		LifecycleState:  event.Changed(from.LifecycleState, to.LifecycleState),
		IdentityState:   event.Changed(from.IdentityState, to.IdentityState),
		Manager:         event.Changed(from.ManagerID.String(), to.ManagerID.String()),
		ProcessingState: event.Changed(from.ProcessingState, to.ProcessingState),
		Correlated:      event.Changed(strconv.FormatBool(from.Correlated), strconv.FormatBool(to.Correlated)),
		Profile:         event.Changed(from.ProfileID.String(), to.ProfileID.String()),
	}
	if detail == (event.States{}) {
		return events, nil
	}
	return event.Append(events, to.ID, event.TypeStateChanged, detail)
}
