package console

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
)

// historyLimit is how many events a page shows.
const historyLimit = 50

// shownEvent is an event as a page shows it.
type shownEvent struct {
	At       *moment
	Actor    string // "" for the engine
	ActorID  string
	Via      string
	Person   string // the name of the identity, or its ID where it is gone
	PersonID string
	Gone     bool
	Task     string
	Lines    []eventLine
}

// eventLine is one thing that happened.
type eventLine struct {
	Kind string // the type of the event
	Sign string // "+" for what was gained, "−" for what was lost, or ""
	What string
	From string
	To   string
	Arrow,
	FromNone, ToNone bool
	Why string
}

type identityHistoryView struct {
	*subject

	Events []shownEvent
	Older  string
}

func (v *visit) identityHistory() error {
	ctx, cancel := v.reading()
	defer cancel()
	events, err := v.h.eng.History(ctx, v.values["id"], v.r.URL.Query().Get("before"), historyLimit)
	if err != nil {
		return err
	}
	s, err := v.subject(ctx)
	if err != nil {
		if len(events) == 0 {
			return err
		}
		// The history outlives the identity.
		return v.renderHistory(ctx, events, &historyView{Gone: events[0].IdentityID})
	}
	view := &identityHistoryView{subject: s}
	if view.Events, err = v.shownEvents(ctx, events, false); err != nil {
		return err
	}
	if len(events) == historyLimit {
		view.Older = v.with("before", events[len(events)-1].ID)
	}
	return v.render("identity-history", view)
}

// historyView is the history of everybody.
type historyView struct {
	*visit

	Events              []shownEvent
	Older               string
	Types               []typeChoice
	Actor, Since, Until string
	Problem             string
	Gone                string // the identity that was deleted, where it is its history alone
}

type typeChoice struct {
	Name, Title string
	Chosen      bool
}

func (v *visit) history() error {
	query := v.r.URL.Query()
	view := &historyView{Actor: strings.TrimSpace(query.Get("actor")), Since: query.Get("since"),
		Until: query.Get("until")}
	q := engine.EventQuery{Actor: view.Actor, Task: query.Get("task"), Before: query.Get("before"),
		Limit: historyLimit}
	for _, kind := range query["types"] {
		if kind != "" {
			q.Types = append(q.Types, kind)
		}
	}
	ctx, cancel := v.reading()
	defer cancel()
	zone, err := v.h.tenantZone(ctx)
	if err != nil {
		return err
	}
	var sinceRead, untilRead bool
	q.Since, sinceRead = dayOf(view.Since, zone)
	q.Until, untilRead = dayOf(view.Until, zone)
	if view.Until != "" {
		q.Until = q.Until.AddDate(0, 0, 1) // the day is in it
	}
	var events []engine.Event
	if sinceRead && untilRead {
		if events, err = v.h.eng.EventLog(ctx, q); err != nil {
			return err
		}
	} else {
		view.Problem = v.T("A day is written like 2026-01-31.")
		v.status = http.StatusBadRequest
	}
	for _, kind := range engine.EventTypes() {
		chosen := len(q.Types) == 1 && q.Types[0] == kind
		view.Types = append(view.Types, typeChoice{kind, v.T(eventTitles[kind]), chosen})
	}
	return v.renderHistory(ctx, events, view)
}

// dayOf reads a day in a time zone. No text is no day, and is read all the same.
func dayOf(text string, zone *time.Location) (day time.Time, read bool) {
	if text == "" {
		return time.Time{}, true
	}
	day, err := time.ParseInLocation(time.DateOnly, text, zone)
	return day, err == nil
}

func (v *visit) renderHistory(ctx context.Context, events []engine.Event, view *historyView) (err error) {
	view.visit = v
	if view.Events, err = v.shownEvents(ctx, events, true); err != nil {
		return err
	}
	if len(events) == historyLimit {
		view.Older = v.with("before", events[len(events)-1].ID)
	}
	v.rows = len(view.Events)
	return v.render("history", view)
}

// shownEvents says in words what happened. With named each event names its identity.
func (v *visit) shownEvents(ctx context.Context, events []engine.Event, named bool) ([]shownEvent, error) {
	names := map[string]string{}
	if named {
		ids := make([]string, 0, len(events))
		for i := range events {
			ids = append(ids, events[i].IdentityID)
		}
		var err error
		if names, err = v.names(ctx, ids); err != nil {
			return nil, err
		}
	}
	shown := make([]shownEvent, len(events))
	for i := range events {
		e := &events[i]
		name, known := names[e.IdentityID]
		shown[i] = shownEvent{At: v.MomentOf(e.At), Actor: cmp.Or(e.Actor.Name, e.Actor.ID), ActorID: e.Actor.ID,
			Via: e.Actor.Via, PersonID: e.IdentityID, Person: name, Gone: !known, Task: e.TaskID,
			Lines: v.eventLines(e)}
	}
	return shown, nil
}

// names returns the names of identities that are there, with one read.
func (v *visit) names(ctx context.Context, ids []string) (map[string]string, error) {
	names := map[string]string{}
	var list []string
	for _, id := range ids {
		if _, asked := names[id]; id != "" && !asked {
			names[id] = ""
			list = append(list, quoted(id))
		}
	}
	clear(names)
	if len(list) == 0 {
		return names, nil
	}
	limit := len(list)
	page, err := v.h.eng.ListIdentities(ctx, engine.ListParams{DefaultFilter: engine.NoDefault,
		Filters: "id in (" + strings.Join(list, ",") + ")", Limit: &limit})
	if err != nil {
		return nil, err
	}
	for i := range page.Identities {
		names[page.Identities[i].ID] = page.Identities[i].Name
	}
	return names, nil
}

// eventTitles call the types of events by words that people use.
var eventTitles = map[string]string{
	engine.EventCreated:               text("Created"),
	engine.EventAttributesChanged:     text("Attributes changed"),
	engine.EventRolesChanged:          text("Roles changed"),
	engine.EventStateChanged:          text("State changed"),
	engine.EventLifecycleStateSet:     text("Lifecycle state set by hand"),
	engine.EventAccountsChanged:       text("Accounts correlated by hand"),
	engine.EventAccountDemanded:       text("Asked for of an account"),
	engine.EventProvisioned:           text("Provisioned"),
	engine.EventOperationParked:       text("Operation held back"),
	engine.EventOperationReleased:     text("Operation released"),
	engine.EventProtectionChanged:     text("Protection changed"),
	engine.EventUserLevelsChanged:     text("User levels changed"),
	engine.EventOwnershipChanged:      text("Ownership changed"),
	engine.EventInvited:               text("Invited"),
	engine.EventRegistered:            text("Registered"),
	engine.EventReset:                 text("Registration reset"),
	engine.EventVerificationRequested: text("Verification asked for"),
	engine.EventVerified:              text("Verified"),
	engine.EventDeleted:               text("Deleted"),
}

// eventLines says in words what an event has.
func (v *visit) eventLines(e *engine.Event) []eventLine {
	var lines []eventLine
	add := func(kind string, l eventLine) {
		l.Kind = v.T(eventTitles[kind])
		lines = append(lines, l)
	}
	d := &e.Detail
	if d.Created != nil {
		add(engine.EventCreated, eventLine{What: v.T("from an account of an authoritative source")})
	}
	for i := range d.Attributes {
		c := &d.Attributes[i]
		add(engine.EventAttributesChanged, eventLine{What: c.Attribute, Arrow: true,
			From: strings.Join(c.OldValue.Strings(), ", "), FromNone: c.OldValue.IsNull(),
			To: strings.Join(c.NewValue.Strings(), ", "), ToNone: c.NewValue.IsNull()})
	}
	if d.Roles != nil {
		for _, r := range d.Roles.Gained {
			add(engine.EventRolesChanged, eventLine{Sign: "+", What: cmp.Or(r.Name, r.ID), Why: r.Reason})
		}
		for _, r := range d.Roles.Lost {
			add(engine.EventRolesChanged, eventLine{Sign: "−", What: cmp.Or(r.Name, r.ID), Why: r.Reason})
		}
	}
	v.stateLines(d.States, func(l eventLine) { add(engine.EventStateChanged, l) })
	if d.LifecycleState != nil {
		line := eventLine{What: v.T("the lifecycle state is calculated again")}
		if d.LifecycleState.State != nil {
			line.What = *d.LifecycleState.State
		}
		add(engine.EventLifecycleStateSet, line)
	}
	for i := range d.Provisioned {
		p := &d.Provisioned[i]
		what := strings.Join(strings.Fields(p.Operation+" "+p.NativeIdentity), " ") + ", " + p.Source.Name
		if p.Attribute != "" {
			what += ": " + p.Attribute + " " + p.Value
		}
		if p.Linked {
			what += " (" + v.T("the account was there already and was linked") + ")"
		}
		add(engine.EventProvisioned, eventLine{What: what, Why: p.Reason})
	}
	for _, held := range []struct {
		kind       string
		operations []engine.EventParking
	}{{engine.EventOperationParked, d.Parked}, {engine.EventOperationReleased, d.Released}} {
		for i := range held.operations {
			o := &held.operations[i]
			what := strings.Join(strings.Fields(o.Operation+" "+o.NativeIdentity), " ")
			what += strings.TrimRight(", "+o.Source.Name+" "+o.Attribute+" "+o.Value, " ")
			add(held.kind, eventLine{What: what, Why: o.Cause})
		}
	}
	v.actLines(d, add)
	if len(lines) == 0 { // of types that are not known here
		lines = append(lines, eventLine{Kind: strings.Join(e.Types, " ")})
	}
	for i := len(lines) - 1; i > 0; i-- { // each kind is said once
		if lines[i].Kind == lines[i-1].Kind {
			lines[i].Kind = ""
		}
	}
	return lines
}

func change(what string, c *engine.EventTextChange) eventLine {
	return eventLine{What: what, Arrow: true, From: textOf(c.OldValue), FromNone: c.OldValue == nil,
		To: textOf(c.NewValue), ToNone: c.NewValue == nil}
}

// stateLines says which states changed.
func (v *visit) stateLines(s *engine.EventStates, add func(eventLine)) {
	if s == nil {
		return
	}
	for _, c := range []struct {
		name   string
		change *engine.EventTextChange
	}{
		{text("Identity profile"), s.Profile},
		{text("Correlated"), s.Correlated},
		{text("Lifecycle state"), s.LifecycleState},
		{text("Identity state"), s.IdentityState},
		{text("Manager"), s.Manager},
		{text("Processing state"), s.ProcessingState},
		{text("Status"), s.CloudStatus},
	} {
		if c.change != nil {
			add(change(v.T(c.name), c.change))
		}
	}
}

// actLines says in words what people did.
func (v *visit) actLines(d *engine.EventDetail, add func(kind string, l eventLine)) {
	if d.Accounts != nil {
		for _, changed := range []struct {
			sign     string
			accounts []engine.EventAccount
		}{{"+", d.Accounts.Gained}, {"−", d.Accounts.Lost}, {"", d.Accounts.Kept}} {
			for _, a := range changed.accounts {
				add(engine.EventAccountsChanged, eventLine{Sign: changed.sign, What: a.ID + ", " + a.Source.Name})
			}
		}
	}
	for i := range d.Demanded {
		demanded := &d.Demanded[i]
		add(engine.EventAccountDemanded, eventLine{What: demanded.Operation + " " + demanded.NativeIdentity + ", " +
			demanded.Source.Name})
	}
	if d.Protection != nil {
		text := v.T("not protected any more")
		if d.Protection.Protected {
			text = v.T("protected from being deleted")
		}
		add(engine.EventProtectionChanged, eventLine{What: text})
	}
	levels := func(kind string, c *engine.EventUserLevels) {
		if c != nil {
			add(kind, eventLine{What: v.T("User levels"), Arrow: true, From: strings.Join(c.OldValue, ", "),
				FromNone: len(c.OldValue) == 0, To: strings.Join(c.NewValue, ", "), ToNone: len(c.NewValue) == 0})
		}
	}
	levels(engine.EventUserLevelsChanged, d.UserLevels)
	if d.Ownership != nil {
		owned := func(sign string, list []engine.Reference, count int) {
			for _, o := range list {
				add(engine.EventOwnershipChanged, eventLine{Sign: sign, What: o.Type + " " + cmp.Or(o.Name, o.ID)})
			}
			if more := count - len(list); more > 0 {
				add(engine.EventOwnershipChanged, eventLine{Sign: sign, What: v.T("and %d more", more)})
			}
		}
		owned("+", d.Ownership.Gained, d.Ownership.GainedCount)
		owned("−", d.Ownership.Lost, d.Ownership.LostCount)
	}
	if d.Invited != nil {
		add(engine.EventInvited, eventLine{What: v.T("an invitation was asked for")})
	}
	if d.Registered != nil {
		add(engine.EventRegistered, eventLine{What: v.T("the invitation was redeemed")})
	}
	if d.Reset != nil {
		add(engine.EventReset, eventLine{What: v.T("the registration was ended")})
		levels(engine.EventReset, d.Reset.UserLevels)
	}
	if d.VerificationRequested != nil {
		add(engine.EventVerificationRequested, eventLine{What: d.VerificationRequested.Via})
	}
	if d.Verified != nil {
		add(engine.EventVerified, eventLine{What: v.T("the verification was redeemed")})
	}
	if d.Deleted != nil {
		add(engine.EventDeleted, eventLine{What: cmp.Or(d.Deleted.Identity.Name, d.Deleted.Identity.ID)})
	}
}
