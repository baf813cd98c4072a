package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/store"
)

// How many events one call of [Engine.History] and of [Engine.Events] returns at most.
const (
	HistoryMax = 1000
	EventsMax  = 10_000
)

// The types of events in an identity's history.
const (
	EventCreated           = event.TypeCreated           // IDENTITY_CREATED
	EventAttributesChanged = event.TypeAttributesChanged // IDENTITY_ATTRIBUTES_CHANGED
	EventRolesChanged      = event.TypeRolesChanged      // IDENTITY_ROLES_CHANGED
	EventStateChanged      = event.TypeStateChanged      // IDENTITY_STATE_CHANGED
	EventProvisioned       = event.TypeProvisioned       // IDENTITY_PROVISIONED
	// EventDeleted is the event of a deletion, IDENTITY_DELETED. Its detail has the attributes that the identity had.
	EventDeleted = event.TypeDeleted
)

// Event is something that happened to an identity.
type Event struct {
	// Cursor is the place after the event, for [Engine.Events].
	Cursor     string          `json:"cursor"`
	ID         int64           `json:"id"`
	IdentityID string          `json:"identityId"`
	Type       string          `json:"type"` // one of the constants
	At         time.Time       `json:"at"`
	Detail     json.RawMessage `json:"detail"` // what changed, from what and to what
}

// eventOf gives a row its published shape.
func eventOf(row *store.RecordedEvent) Event {
	return Event{
		Cursor: fmt.Sprintf("%d-%d", row.Transaction, row.EventCursor.ID), ID: row.EventCursor.ID,
		IdentityID: row.IdentityID.String(), Type: row.Type, At: row.At.UTC(), Detail: row.Detail,
	}
}

func eventsOf(rows []store.RecordedEvent) []Event {
	events := make([]Event, len(rows))
	for i := range rows {
		events[i] = eventOf(&rows[i])
	}
	return events
}

// parseCursor reads a cursor as [Event] has it.
func parseCursor(text string) (store.EventCursor, error) {
	var c store.EventCursor
	if text == "" {
		return c, nil
	}
	transaction, id, found := strings.Cut(text, "-")
	var err error
	if c.Transaction, err = strconv.ParseUint(transaction, 10, 63); err == nil && found {
		c.ID, err = strconv.ParseInt(id, 10, 64)
	}
	if err != nil || !found {
		return c, fmt.Errorf("%q is no cursor of an event", text)
	}
	return c, nil
}

// History returns what happened to an identity, the latest first: at most limit events. If before is not 0, it returns
// only events before the one with that ID. The history outlives the identity: one that was deleted is asked for by its
// ID.
func (e *Engine) History(ctx context.Context, id string, before int64, limit int) ([]Event, error) {
	const op = "show the history"
	if limit < 1 || limit > HistoryMax {
		return nil, fault.Invalidf(op, "limit", "%d is given where 1 to %d is allowed", limit, HistoryMax)
	}
	parsed, err := store.ParseID(id)
	if err != nil {
		identity, err := e.FindIdentity(ctx, id)
		if err != nil {
			return nil, err
		}
		if parsed, err = store.ParseID(identity.ID); err != nil {
			return nil, fault.Wrap(op, id, err)
		}
	}
	rows, err := e.tenant.Store.History(ctx, e.tenant.Pool, parsed, before, limit)
	return eventsOf(rows), fault.Wrap(op, id, err)
}

// Events returns the events after a cursor, at most limit; the empty cursor is before the first. A reader that keeps
// the cursor of the last event it has worked with gets every event at least once, and those of one identity in the
// order in which they happened. It misses none when transactions commit out of order: the events wait until every
// transaction that began before theirs has ended. So a transaction that somebody forgot open holds them up.
func (e *Engine) Events(ctx context.Context, after string, limit int) ([]Event, error) {
	const op = "read the events"
	if limit < 1 || limit > EventsMax {
		return nil, fault.Invalidf(op, "limit", "%d is given where 1 to %d is allowed", limit, EventsMax)
	}
	cursor, err := parseCursor(after)
	if err != nil {
		return nil, &Error{Kind: Invalid, Op: op, Subject: "after", Err: err}
	}
	rows, err := e.tenant.Store.Events(ctx, e.tenant.Pool, cursor, limit)
	return eventsOf(rows), fault.Wrap(op, "", err)
}
