package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/id"
)

// How many events one call of [Engine.History] and [Engine.EventLog], and of [Engine.Events], returns at most.
const (
	HistoryMax = 1000
	EventsMax  = 10_000
)

// The types of events in the history of identities. Each is a member of [EventDetail].
const (
	EventCreated               = event.TypeCreated               // IDENTITY_CREATED
	EventAttributesChanged     = event.TypeAttributesChanged     // IDENTITY_ATTRIBUTES_CHANGED
	EventRolesChanged          = event.TypeRolesChanged          // IDENTITY_ROLES_CHANGED
	EventStateChanged          = event.TypeStateChanged          // IDENTITY_STATE_CHANGED
	EventLifecycleStateSet     = event.TypeLifecycleStateSet     // IDENTITY_LIFECYCLE_STATE_SET: by hand
	EventProvisioned           = event.TypeProvisioned           // IDENTITY_PROVISIONED
	EventOperationParked       = event.TypeOperationParked       // IDENTITY_OPERATION_PARKED
	EventOperationReleased     = event.TypeOperationReleased     // IDENTITY_OPERATION_RELEASED
	EventProtectionChanged     = event.TypeProtectionChanged     // IDENTITY_PROTECTION_CHANGED
	EventUserLevelsChanged     = event.TypeUserLevelsChanged     // IDENTITY_USER_LEVELS_CHANGED
	EventAccountsChanged       = event.TypeAccountsChanged       // IDENTITY_ACCOUNTS_CHANGED: by hand
	EventAccountDemanded       = event.TypeAccountDemanded       // IDENTITY_ACCOUNT_DEMANDED: by hand
	EventOwnershipChanged      = event.TypeOwnershipChanged      // IDENTITY_OWNERSHIP_CHANGED
	EventInvited               = event.TypeInvited               // IDENTITY_INVITED
	EventRegistered            = event.TypeRegistered            // IDENTITY_REGISTERED: the invitation was redeemed
	EventReset                 = event.TypeReset                 // IDENTITY_RESET
	EventVerificationRequested = event.TypeVerificationRequested // IDENTITY_VERIFICATION_REQUESTED
	EventVerified              = event.TypeVerified              // IDENTITY_VERIFIED: the verification was redeemed
	EventDeleted               = event.TypeDeleted               // IDENTITY_DELETED
)

// EventTypes returns all types of events, in the order in which an event has them.
func EventTypes() []string { return event.Types() }

// EventDetail is what happened to an identity in one write: it has a member for each type of the event.
type EventDetail = event.Detail

// The members of an [EventDetail].
type (
	// EventCreation is the detail of a new identity.
	EventCreation = event.Created
	// EventAttribute is an attribute that has another value.
	EventAttribute = event.AttributeChange
	// EventRoles are roles that were gained and lost.
	EventRoles = event.Roles
	// EventRole is a role that was gained or lost, and why.
	EventRole = event.Role
	// EventStates are states that changed.
	EventStates = event.States
	// EventTextChange is a text before and after.
	EventTextChange = event.TextChange
	// EventLifecycleState is a lifecycle state that was set by hand.
	EventLifecycleState = event.LifecycleState
	// EventOperation is an operation that was carried out on a source.
	EventOperation = event.Provisioned
	// EventParking is an operation that was held back, or is held back no longer.
	EventParking = event.Operation
	// EventProtection is a protection from deletion that was set or ended.
	EventProtection = event.Protection
	// EventUserLevels are user levels before and after.
	EventUserLevels = event.UserLevels
	// EventAccounts are accounts that were correlated and released by hand.
	EventAccounts = event.Accounts
	// EventAccount is one of them.
	EventAccount = event.Account
	// EventDemand is what somebody asked for of an account.
	EventDemand = event.Demanded
	// EventOwnership are objects that were gained and lost.
	EventOwnership = event.Ownership
	// EventInvitation is an invitation.
	EventInvitation = event.Invited
	// EventRegistration is a registration.
	EventRegistration = event.Registered
	// EventRegistrationReset is a reset of the registration.
	EventRegistrationReset = event.Reset
	// EventVerificationRequest is a request for a verification.
	EventVerificationRequest = event.VerificationRequested
	// EventVerification is a verification.
	EventVerification = event.Verified
	// EventDeletion is a deletion, with what the identity had.
	EventDeletion = event.Deleted
)

// Event is what happened to an identity in one write of the engine.
type Event struct {
	// ID identifies the event: that of its write, and a number. It is the place before which [Engine.History] and
	// [Engine.EventLog] go on.
	ID string `json:"id"`
	// Position is the place of the event in the order in which [Engine.Events] returns all events, and Cursor the place
	// after it. They are 0 and "" for an event that was not numbered yet, which happens within a minute.
	Position   int64       `json:"position"`
	Cursor     string      `json:"cursor"`
	IdentityID string      `json:"identityId"`
	Types      []string    `json:"types"` // of the constants, each once
	At         time.Time   `json:"at"`
	Actor      Actor       `json:"actor"`  // who asked for it; zero for the engine itself
	TaskID     string      `json:"taskId"` // the task that did it, or that does what follows; "" for none
	Detail     EventDetail `json:"detail"`
}

// Is reports whether an event has a type.
func (e *Event) Is(kind string) bool { return slices.Contains(e.Types, kind) }

// addEvent writes an event of one identity as a write of its own, unless its detail has no member.
func (e *Engine) addEvent(ctx context.Context, tx pgx.Tx, cause store.Cause, identity store.ID,
	detail *event.Detail,
) error {
	events, err := event.Append(nil, identity, detail)
	if err != nil {
		return err
	}
	return e.tenant.AddEvents(ctx, tx, cause, events)
}

// eventOf gives a row its published shape.
func eventOf(row *store.RecordedEvent) (Event, error) {
	e := Event{
		ID: eventID(row.EventPlace), Position: row.Position, IdentityID: row.IdentityID.String(),
		Types: row.Types, At: row.At.UTC(), Actor: Actor(row.Actor), TaskID: row.TaskID.String(),
	}
	if row.Position > 0 {
		e.Cursor = eventCursor{row.Position, markOf(row.Write)}.String()
	}
	var err error
	if e.Detail, err = event.Decode(row.Detail); err != nil {
		return e, fmt.Errorf("the detail of the event %s: %w", e.ID, err)
	}
	return e, nil
}

// eventID returns the ID of the event at a place.
func eventID(place store.EventPlace) string { return fmt.Sprintf("%s-%d", place.Write, place.Number) }

func eventsOf(rows []store.RecordedEvent) (events []Event, err error) {
	events = make([]Event, len(rows))
	for i := range rows {
		if events[i], err = eventOf(&rows[i]); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// eventCursor is the place after an event. mark is of the write that has the position: the position has another write
// in a history that went on from an older backup.
type eventCursor struct {
	position int64
	mark     string
}

// markLength is how many of the last digits of a write's ID a cursor has. They are random; the first are its time.
const markLength = 8

func markOf(write store.ID) string {
	text := write.String()
	return text[len(text)-markLength:]
}

func (c eventCursor) String() string { return fmt.Sprintf("%d-%s", c.position, c.mark) }

// parseCursor reads a cursor as [Event] has it. The empty one is the zero cursor.
func parseCursor(text string) (eventCursor, error) {
	if text == "" {
		return eventCursor{}, nil
	}
	position, mark, _ := strings.Cut(text, "-")
	number, err := strconv.ParseInt(position, 10, 64)
	c := eventCursor{number, mark}
	if err != nil || number < 1 || len(mark) != markLength || strings.Trim(mark, "0123456789abcdef") != "" ||
		c.String() != text {
		return eventCursor{}, fmt.Errorf("%q is no cursor of an event", text)
	}
	return c, nil
}

// parseEventID reads the ID of an event, as [Event] has it. The empty one is the zero place.
func parseEventID(text string) (store.EventPlace, error) {
	if text == "" {
		return store.EventPlace{}, nil
	}
	write, number, _ := strings.Cut(text, "-")
	parsed, err := store.ParseID(write)
	if err == nil {
		var n int64
		n, err = strconv.ParseInt(number, 10, 32)
		if place := (store.EventPlace{Write: parsed, Number: int(n)}); err == nil && n > 0 && !parsed.IsZero() {
			return place, nil
		}
	}
	return store.EventPlace{}, fmt.Errorf("%q is no ID of an event", text)
}

// History returns what happened to an identity, the latest first: at most limit events. If before is not empty, it
// returns only events before the one with that ID. Events are there as soon as they have committed, in the order of the
// clocks of the processes that wrote them. The history outlives the identity: one that was deleted is asked for by its
// ID.
func (e *Engine) History(ctx context.Context, identity, before string, limit int) ([]Event, error) {
	const op = "show the history"
	place, err := checkHistory(op, before, limit)
	if err != nil {
		return nil, err
	}
	parsed, err := store.ParseID(identity)
	if err != nil {
		found, err := e.FindIdentity(ctx, identity)
		if err != nil {
			return nil, err
		}
		if parsed, err = store.ParseID(found.ID); err != nil {
			return nil, fault.Wrap(op, identity, err)
		}
	}
	rows, err := e.tenant.Store.History(ctx, e.tenant.Pool, parsed, place, limit)
	if err != nil {
		return nil, fault.Wrap(op, identity, err)
	}
	events, err := eventsOf(rows)
	return events, fault.Wrap(op, identity, err)
}

func checkHistory(op, before string, limit int) (store.EventPlace, error) {
	if limit < 1 || limit > HistoryMax {
		return store.EventPlace{}, fault.Invalidf(op, "limit", "%d is given where 1 to %d is allowed", limit,
			HistoryMax)
	}
	place, err := parseEventID(before)
	if err != nil {
		return place, &Error{Kind: Invalid, Op: op, Subject: "before", Err: err}
	}
	return place, nil
}

// EventQuery says which events of all identities are wanted. All members that are not zero must hold.
type EventQuery struct {
	Types        []string  // one of them; see [EventTypes]
	Actor        string    // the ID of who asked for it
	Task         string    // the ID of the task
	Since, Until time.Time // at or after Since, before Until
	Before       string    // the ID of an event: only events before it
	Limit        int       // at most so many, 1 to [HistoryMax]
}

// untilSlack is how much later than its time a write may be made: its transaction has run so long.
const untilSlack = 24 * time.Hour

// EventLog returns what happened to all identities, the latest first. It reads what it returns, by an index: for an
// actor, for a task, or for types; of a task or an actor with types it reads all events of that task or actor.
func (e *Engine) EventLog(ctx context.Context, query EventQuery) ([]Event, error) {
	const op = "show the events"
	place, err := checkHistory(op, query.Before, query.Limit)
	if err != nil {
		return nil, err
	}
	filter := store.EventFilter{Actor: query.Actor, Since: query.Since, Until: query.Until}
	for _, kind := range query.Types {
		if !slices.Contains(event.Types(), kind) {
			return nil, fault.Invalidf(op, "types", "%q is unknown: %s are known", kind,
				strings.Join(event.Types(), ", "))
		}
		if !slices.Contains(filter.Types, kind) {
			filter.Types = append(filter.Types, kind)
		}
	}
	if !store.Storable(query.Actor) {
		return []Event{}, nil
	}
	if query.Task != "" {
		var known bool
		if filter.Task, known = store.IDOf(query.Task); !known {
			return nil, &Error{Kind: NotFound, Op: op, Subject: query.Task,
				Err: errors.New("there is no task with this ID")}
		}
	}
	// A write has its time in its ID, when it was made: never before the time of its transaction.
	if !query.Since.IsZero() {
		filter.From = id.First(query.Since)
	}
	if !query.Until.IsZero() {
		filter.To = id.First(query.Until.Add(untilSlack))
	}
	var rows []store.RecordedEvent
	for {
		more, next, err := e.tenant.Store.EventLog(ctx, e.tenant.Pool, &filter, place, query.Limit-len(rows))
		if err != nil {
			return nil, fault.Wrap(op, "", err)
		}
		rows = append(rows, more...)
		if place = next; next == (store.EventPlace{}) || len(rows) == query.Limit {
			break
		}
	}
	events, err := eventsOf(rows)
	return events, fault.Wrap(op, "", err)
}

// Events returns the events after a cursor, at most limit, in the order of their positions; the empty cursor is before
// the first one that is there. A reader that keeps the cursor of the last event it has worked with gets every event
// once, and those of one identity in the order in which they happened, whatever order their transactions commit in:
// events get their positions after they have committed, here or by an engine that works. No open transaction holds them
// up. Where there is no event, it returns none.
//
// A cursor is a Conflict where its reader has missed something, or would: where the events behind it were purged, and
// where the history was restored from a backup that does not have the event of the cursor. The reader then reads from
// the empty cursor again.
func (e *Engine) Events(ctx context.Context, after string, limit int) ([]Event, error) {
	const op = "read the events"
	if limit < 1 || limit > EventsMax {
		return nil, fault.Invalidf(op, "limit", "%d is given where 1 to %d is allowed", limit, EventsMax)
	}
	cursor, err := parseCursor(after)
	if err != nil {
		return nil, &Error{Kind: Invalid, Op: op, Subject: "after", Err: err}
	}
	if _, err := e.tenant.NumberEvents(ctx); err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	var rows []store.RecordedEvent
	for position := cursor.position; ; {
		page, err := e.tenant.Store.Events(ctx, e.tenant.Pool, position, limit-len(rows))
		if err != nil {
			return nil, fault.Wrap(op, "", err)
		}
		if position == cursor.position {
			if err := cursor.check(&page); err != nil {
				return nil, &Error{Kind: Conflict, Op: op, Subject: "after", Err: err}
			}
		}
		rows = append(rows, page.Events...)
		if len(rows) == limit || page.Through == position || page.Through >= page.Last {
			break
		}
		position = page.Through
	}
	events, err := eventsOf(rows)
	return events, fault.Wrap(op, "", err)
}

// check fails where the events behind the cursor are not those that follow what its reader has read.
func (c eventCursor) check(page *store.EventPage) error {
	switch {
	case c.position == 0: // before the first
	case c.position > page.Last || !page.At.IsZero() && markOf(page.At) != c.mark:
		return errors.New("the history was restored from a backup that does not have the event of the cursor: read " +
			"from the start again")
	case c.position < page.Purged:
		return errors.New("events behind the cursor were purged: read from the start again")
	}
	return nil
}
