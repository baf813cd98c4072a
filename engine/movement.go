package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/id"
)

// MovementKind says what somebody did.
type MovementKind string

// The kinds of movements.
const (
	// MovementJoined is a new identity.
	MovementJoined MovementKind = "JOINED"
	// MovementMoved is another value of an attribute, another lifecycle state, manager or identity profile, where there
	// was one.
	MovementMoved MovementKind = "MOVED"
	// MovementLeft is an identity that became inactive and was not before, is in its authoritative source no more, or
	// was deleted. Who is inactive from the first has not left.
	MovementLeft MovementKind = "LEFT"
)

// MovementKinds returns all kinds of movements.
func MovementKinds() []MovementKind {
	return []MovementKind{MovementJoined, MovementMoved, MovementLeft}
}

// The limits of movements.
const (
	// MovementsMax is how many movements one call of [Engine.Movements] returns.
	MovementsMax = 250
	// MovementAttributesMax is how many attributes a query names.
	MovementAttributesMax = 20
	// MovementsLooked is at how many events of the history one call looks.
	MovementsLooked = 20_000
)

// movementAttributes are the attributes of which another value is a movement where a query names none.
var movementAttributes = []string{"department"}

// MovementQuery says which movements are wanted.
type MovementQuery struct {
	Kinds []MovementKind // empty for all
	// Attributes are the identity attributes of which another value is a movement, all known to the tenant. Defaults to
	// department.
	Attributes   []string
	Since, Until time.Time // at or after Since, before Until, which defaults to now
	After        string    // [MovementPage.Next] of the page before; empty for the first one
	Limit        int       // 1 to [MovementsMax], which is the default
}

// Movement is a movement of one identity, by one write of the engine.
type Movement struct {
	Kind       MovementKind `json:"kind"`
	EventID    string       `json:"eventId"`
	IdentityID string       `json:"identityId"`
	Name       string       `json:"name"` // of now, or what it was when it was deleted; "" otherwise
	Gone       bool         `json:"gone"` // there is no such identity any more
	// Deleted says that somebody left by being deleted. Who left and is deleted later has two movements that left, and
	// the later one has this.
	Deleted bool             `json:"deleted"`
	At      time.Time        `json:"at"`
	Actor   Actor            `json:"actor"`   // who asked for it; zero for the engine itself
	TaskID  string           `json:"taskId"`  // "" for none
	Changes []MovementChange `json:"changes"` // never nil
}

// MovementChange is a value that is another one.
type MovementChange struct {
	// Field is the name of an attribute, or lifecycleState, identityState, manager, identityProfile or correlated.
	Field string `json:"field"`
	// From and To are the values; empty for none. Of a manager and a profile they are names, or the ID of one that is
	// gone.
	From string `json:"from"`
	To   string `json:"to"`
}

// MovementPage is a page of movements.
type MovementPage struct {
	Items []Movement `json:"items"` // never nil
	// Next goes on behind the page; empty at the end. A page may have few movements, or none, and yet a next one.
	Next string `json:"next,omitempty"`
}

// Movements returns who joined, moved and left, the latest first, from the history. Of one identity there may be
// several movements, one for each write. One call looks at 20,000 events of the types that may be movements, by their
// indexes, however many there are.
func (e *Engine) Movements(ctx context.Context, q MovementQuery) (MovementPage, error) {
	const op = "show the movements"
	page := MovementPage{Items: []Movement{}}
	if err := e.checkMovementAttributes(ctx, op, q.Attributes); err != nil {
		return page, err
	}
	filter, err := e.movementFilter(op, &q)
	if err != nil {
		return page, err
	}
	place, err := parseEventID(q.After)
	if err != nil {
		return page, &Error{Kind: Invalid, Op: op, Subject: "after", Err: err}
	}
	rows, next, err := e.tenant.Store.Movements(ctx, e.tenant.Pool, filter, place, q.Limit, MovementsLooked)
	if err != nil {
		return page, fault.Wrap(op, "", err)
	}
	if next != (store.EventPlace{}) {
		page.Next = eventID(next)
	}
	for i := range rows {
		event, err := eventOf(&rows[i])
		if err != nil {
			return page, fault.Wrap(op, "", err)
		}
		page.Items = append(page.Items, movementOf(&event, q.Attributes))
	}
	return page, fault.Wrap(op, "", e.nameMovements(ctx, page.Items))
}

// checkMovementAttributes refuses attributes that the tenant does not have.
func (e *Engine) checkMovementAttributes(ctx context.Context, op string, names []string) error {
	if len(names) == 0 || len(names) > MovementAttributesMax {
		return nil // the default, or more than are allowed, of which the filter says so
	}
	c, err := e.tenant.CurrentConfiguration(ctx)
	if err != nil {
		return fault.Wrap(op, "", err)
	}
	known := c.AttributeNames()
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fault.Invalidf(op, "attributes", "there is no identity attribute %q%s", name,
				configuration.DidYouMean(name, known))
		}
	}
	return nil
}

// movementFilter checks a query, gives it its defaults, and makes a filter of it.
func (e *Engine) movementFilter(op string, q *MovementQuery) (*store.MovementFilter, error) {
	if len(q.Kinds) == 0 {
		q.Kinds = MovementKinds()
	}
	for _, kind := range q.Kinds {
		if !slices.Contains(MovementKinds(), kind) {
			return nil, fault.Invalidf(op, "kinds", "%q is unknown: %s, %s and %s are known", kind, MovementJoined,
				MovementMoved, MovementLeft)
		}
	}
	if len(q.Attributes) == 0 {
		q.Attributes = movementAttributes
	}
	if len(q.Attributes) > MovementAttributesMax {
		return nil, fault.Invalidf(op, "attributes", "%d are given where %d are allowed", len(q.Attributes),
			MovementAttributesMax)
	}
	q.Limit = cmp.Or(q.Limit, MovementsMax)
	if q.Limit < 1 || q.Limit > MovementsMax {
		return nil, fault.Invalidf(op, "limit", "%d is given where 1 to %d is allowed", q.Limit, MovementsMax)
	}
	if q.Until.IsZero() {
		q.Until = e.tenant.Now().Add(time.Minute) // clocks of other engines may be ahead
	}
	if q.Since.IsZero() || !q.Since.Before(q.Until) {
		return nil, fault.Invalidf(op, "since", "%s is given where a time before %s is expected",
			q.Since.Format(time.RFC3339), q.Until.Format(time.RFC3339))
	}
	has := func(kind MovementKind) bool { return slices.Contains(q.Kinds, kind) }
	return &store.MovementFilter{Joined: has(MovementJoined), Moved: has(MovementMoved), Left: has(MovementLeft),
		Attributes: q.Attributes, Since: q.Since, Until: q.Until,
		// A write has the time in its ID when it was made: never before the time of its transaction.
		From: id.First(q.Since), To: id.First(q.Until.Add(untilSlack))}, nil
}

// movementOf makes a movement of an event that is one.
func movementOf(e *Event, attributes []string) Movement {
	m := Movement{Kind: MovementMoved, EventID: e.ID, IdentityID: e.IdentityID, At: e.At, Actor: e.Actor,
		TaskID: e.TaskID, Changes: []MovementChange{}}
	d := &e.Detail
	for i := range d.Attributes {
		if c := &d.Attributes[i]; slices.Contains(attributes, c.Attribute) {
			m.Changes = append(m.Changes, MovementChange{c.Attribute, strings.Join(c.OldValue.Strings(), ", "),
				strings.Join(c.NewValue.Strings(), ", ")})
		}
	}
	if s := d.States; s != nil {
		for _, c := range []struct {
			field  string
			change *EventTextChange
		}{{"lifecycleState", s.LifecycleState}, {"identityState", s.IdentityState}, {fieldManager, s.Manager},
			{fieldProfile, s.Profile}, {"correlated", s.Correlated}} {
			if c.change != nil {
				m.Changes = append(m.Changes, MovementChange{c.field, store.TextOf(c.change.OldValue),
					store.TextOf(c.change.NewValue)})
			}
		}
		if becameInactive(s) || s.Correlated != nil && store.TextOf(s.Correlated.NewValue) == "false" {
			m.Kind = MovementLeft
		}
	}
	switch {
	case d.Deleted != nil:
		m.Kind, m.Name, m.Deleted = MovementLeft, d.Deleted.Identity.Name, true
	case d.Created != nil:
		m.Kind = MovementJoined
	}
	return m
}

// becameInactive reports whether somebody became inactive who was not. Who is inactive from the first has not left.
func becameInactive(s *EventStates) bool {
	if s.IdentityState == nil || !strings.HasPrefix(store.TextOf(s.IdentityState.NewValue), "INACTIVE") {
		return false
	}
	if s.IdentityState.OldValue != nil {
		return !strings.HasPrefix(*s.IdentityState.OldValue, "INACTIVE")
	}
	return s.LifecycleState != nil && s.LifecycleState.OldValue != nil
}

// The fields of movements whose values are IDs.
const (
	fieldManager = "manager"
	fieldProfile = "identityProfile"
)

// nameMovements gives movements the names of the identities and objects that they are about, with two reads.
func (e *Engine) nameMovements(ctx context.Context, movements []Movement) error {
	var people []string
	var profiles []store.ID
	each := func(visit func(value *string, field string)) {
		for i := range movements {
			for k := range movements[i].Changes {
				c := &movements[i].Changes[k]
				if c.Field == fieldManager || c.Field == fieldProfile {
					visit(&c.From, c.Field)
					visit(&c.To, c.Field)
				}
			}
		}
	}
	for i := range movements {
		people = append(people, movements[i].IdentityID)
	}
	each(func(value *string, field string) {
		if field == fieldManager {
			people = append(people, *value)
		} else if id, known := store.IDOf(*value); known {
			profiles = append(profiles, id)
		}
	})
	names, err := e.IdentityNames(ctx, people)
	if err != nil {
		return err
	}
	objects := map[store.ID]string{}
	if len(profiles) > 0 {
		if objects, err = e.tenant.Store.ObjectNames(ctx, e.tenant.Pool, profiles); err != nil {
			return err
		}
	}
	for i := range movements {
		m := &movements[i]
		name, known := names[m.IdentityID]
		m.Name, m.Gone = cmp.Or(name, m.Name), !known
	}
	each(func(value *string, field string) {
		if field == fieldManager {
			*value = cmp.Or(names[*value], *value)
		} else if id, known := store.IDOf(*value); known {
			*value = cmp.Or(objects[id], *value)
		}
	})
	return nil
}
