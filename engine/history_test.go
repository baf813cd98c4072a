package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// read returns the events behind a cursor, page by page.
func (f *fixture) read(after string, limit int) (events []engine.Event) {
	f.t.Helper()
	for {
		page, err := f.Events(f.t.Context(), after, limit)
		if err != nil {
			f.t.Fatal(err)
		}
		if len(page) == 0 {
			return events
		}
		events, after = append(events, page...), page[len(page)-1].Cursor
	}
}

// A batch writes one event for each identity, with its task, and the history shows them, the latest first.
func TestHistory(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText(fmt.Sprintf(salesRole, true, "Sales"))
	f.Process()
	f.AggregateText("HR", strings.Replace(enginetest.People, "Sales,ayse,25,inactive", "Legal,ayse,25,active", 1), engine.AggregateOptions{})
	f.Process()
	events, err := f.History(t.Context(), "dee", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range events {
		types = append(types, strings.Join(e.Types, " "))
		if e.TaskID == "" || e.ID == "" || e.At.IsZero() {
			t.Errorf("got %+v, want a task, an ID and a time", e)
		}
	}
	want := []string{
		"IDENTITY_ATTRIBUTES_CHANGED IDENTITY_ROLES_CHANGED IDENTITY_STATE_CHANGED", "IDENTITY_ROLES_CHANGED",
		"IDENTITY_ATTRIBUTES_CHANGED IDENTITY_STATE_CHANGED", "IDENTITY_CREATED",
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Error(diff)
	}
	older, err := f.History(t.Context(), events[0].IdentityID, events[1].ID, 2)
	if err != nil || len(older) != 2 || older[0].ID != events[2].ID {
		t.Errorf("got %+v, %v, want the two events before the second", older, err)
	}
	if n := f.CountRows(`(SELECT FROM muster.identity_events GROUP BY write_id, identity_id HAVING count(*) > 1) x`); n != 0 {
		t.Errorf("%d identities have several events in one write", n)
	}
	_, err = f.History(t.Context(), "dee", "", 0)
	demandKind(t, err, engine.Invalid, "1 to 1000")
	_, err = f.History(t.Context(), "dee", "7", 1)
	demandKind(t, err, engine.Invalid, "no ID of an event")
	_, err = f.Events(t.Context(), "yesterday", 1)
	demandKind(t, err, engine.Invalid, "no cursor")
}

// What people do to an identity is told, each with its type.
func TestEventsOfActs(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText("roles: [{name: Lead, enabled: true}]")
	f.Process()
	ann, bob := f.Identity("ann").ID, f.Identity("bob").ID
	ctx := t.Context()
	object := engine.OwnedObject{Kind: "CAMPAIGN", ID: "1", Name: "Spring", Owner: ann}
	last := func(identity string) *engine.Event {
		t.Helper()
		events, err := f.History(ctx, identity, "", 1)
		if err != nil || len(events) == 0 {
			t.Fatal(events, err)
		}
		return &events[0]
	}
	for _, test := range []struct {
		name string
		do   func() error
		want string
	}{
		{"protected", func() error { return f.ProtectIdentity(ctx, ann, true) }, `{"protection":{"protected":true}}`},
		{"protected again", func() error { return f.ProtectIdentity(ctx, ann, true) }, `{"protection":{"protected":true}}`},
		{"not protected", func() error { return f.ProtectIdentity(ctx, ann, false) }, `{"protection":{"protected":false}}`},
		{"levels", func() error { return f.SetUserLevels(ctx, ann, []string{"ADMIN"}) }, `{"userLevels":{"oldValue":[],"newValue":["ADMIN"]}}`},
		{"reset", func() error { return f.ResetIdentity(ctx, ann) }, `{"reset":{"userLevels":{"oldValue":["ADMIN"],"newValue":[]}}}`},
		{"owned", func() error { return f.RegisterOwned(ctx, object) },
			`{"ownership":{"gained":[{"type":"CAMPAIGN","id":"1","name":"Spring"}],"lost":[],"gainedCount":1,"lostCount":0}}`},
		{"given", func() error { _, err := f.ReassignOwned(ctx, ann, bob); return err },
			`{"ownership":{"gained":[],"lost":[{"type":"CAMPAIGN","id":"1","name":"Spring"}],"gainedCount":0,"lostCount":1}}`},
	} {
		if err := test.do(); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if got, err := json.Marshal(last(ann).Detail); err != nil || string(got) != test.want {
			t.Errorf("%s: %s, %v, want %s", test.name, got, err, test.want)
		}
	}
	if e := last(bob); !e.Is(engine.EventOwnershipChanged) || e.Detail.Ownership.GainedCount != 1 {
		t.Errorf("got %+v, want that bob gained an object", e)
	}
	if err := f.ForgetOwned(ctx, "CAMPAIGN", "1"); err != nil || last(bob).Detail.Ownership.LostCount != 1 {
		t.Errorf("got %+v, %v, want that bob lost it", last(bob), err)
	}
	if _, err := f.InviteIdentities(ctx, engine.InviteParams{IDs: []string{ann}}); err != nil || !last(ann).Is(engine.EventInvited) {
		t.Errorf("got %+v, %v, want an invitation", last(ann), err)
	}
	if _, err := f.SetLifecycleState(ctx, ann, ""); err != nil || !last(ann).Is(engine.EventLifecycleStateSet) {
		t.Errorf("got %+v, %v, want a lifecycle state that is calculated again", last(ann), err)
	}
}

// Everybody's history is narrowed down, and goes on where a page ended.
func TestEventLog(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.Process()
	all := f.read("", 100)
	ann := f.Identity("ann").ID
	if err := f.ProtectIdentity(t.Context(), ann, true); err != nil {
		t.Fatal(err)
	}
	log := func(q engine.EventQuery) (ids []string) {
		t.Helper()
		limit := q.Limit
		for {
			events, err := f.EventLog(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				ids = append(ids, e.ID)
			}
			if len(events) < limit {
				return ids
			}
			q.Before = events[len(events)-1].ID
		}
	}
	everything := log(engine.EventQuery{Limit: 1000})
	if len(everything) != len(all)+1 {
		t.Errorf("%d events are shown, want %d", len(everything), len(all)+1)
	}
	task := ""
	for _, e := range all {
		if e.TaskID != "" {
			task = e.TaskID
		}
	}
	for _, q := range []engine.EventQuery{
		{}, {Task: task}, {Task: task, Types: engine.EventTypes()}, {Types: []string{engine.EventCreated}},
		{Types: engine.EventTypes()}, {Types: []string{engine.EventCreated, engine.EventStateChanged}},
		{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)},
		{Since: time.Now().Add(-time.Hour), Types: []string{engine.EventProtectionChanged}},
	} {
		q.Limit = 1000
		whole := log(q)
		q.Limit = 2
		if diff := cmp.Diff(whole, log(q)); diff != "" || len(whole) == 0 {
			t.Errorf("%+v: pages of two differ from the whole of %d: %s", q, len(whole), diff)
		}
	}
	for _, q := range []engine.EventQuery{{Actor: "nobody"}, {Task: ann}, {Types: []string{engine.EventDeleted}},
		{Since: time.Now().Add(time.Hour)}, {Until: time.Now().Add(-time.Hour)},
		{Until: time.Now().Add(-time.Hour), Types: []string{engine.EventCreated}}} {
		q.Limit = 10
		if got := log(q); len(got) != 0 {
			t.Errorf("%+v finds %q", q, got)
		}
	}
	_, err := f.EventLog(t.Context(), engine.EventQuery{Types: []string{"X"}, Limit: 1})
	demandKind(t, err, engine.Invalid, "IDENTITY_CREATED")
}

// Writers commit in any order, or not at all, while readers follow with small pages: each reader gets every event that
// was committed, once, and those of an identity in their order.
func TestEventsMissNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s, err := store.New("muster")
	if err != nil {
		t.Fatal(err)
	}
	const writers, writes, readers = 6, 40, 3
	identities := []store.ID{store.NewID(), store.NewID(), store.NewID()}
	locks := make([]sync.Mutex, len(identities)) // as the lock of an identity's row, until the commit
	var counter [3]int
	var mu sync.Mutex
	committed := map[string]bool{}
	var group, following sync.WaitGroup
	done := make(chan struct{})
	for range writers {
		group.Go(func() {
			for range writes {
				k := rand.IntN(len(identities))
				locks[k].Lock()
				name := fmt.Sprintf("%d-%d", k, counter[k])
				failed := errors.New("rolled back")
				err := pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error {
					events := []store.Event{{IdentityID: identities[k], Types: []string{"IDENTITY_PROVISIONED"},
						Detail: fmt.Appendf(nil, `{"provisioned": [{"nativeIdentity": %q}]}`, name)}}
					for range rand.IntN(3) {
						events = append(events, store.Event{IdentityID: store.NewID(), Types: []string{"X"}, Detail: []byte("{}")})
					}
					if err := s.AddEvents(t.Context(), tx, store.NewID(), store.Cause{At: time.Now()}, events); err != nil {
						return err
					}
					time.Sleep(time.Duration(rand.IntN(8)) * time.Millisecond) // others commit meanwhile
					if rand.IntN(5) == 0 {
						return failed
					}
					return nil
				})
				if err == nil {
					counter[k]++
					mu.Lock()
					committed[name] = true
					mu.Unlock()
				} else if !errors.Is(err, failed) {
					t.Error(err)
				}
				locks[k].Unlock()
			}
		})
	}
	read := make([][]engine.Event, readers)
	for r := range readers {
		following.Go(func() {
			eng, err := engine.New(t.Context(), f.Pool, engine.Config{})
			if err != nil {
				t.Error(err)
				return
			}
			cursor, ended := "", false
			for {
				events, err := eng.Events(t.Context(), cursor, 1+r)
				if err != nil {
					t.Error(err)
					return
				}
				if len(events) == 0 && ended {
					return
				}
				read[r] = append(read[r], events...)
				if len(events) > 0 {
					cursor = events[len(events)-1].Cursor
				}
				select {
				case <-done:
					ended = true
				default:
				}
			}
		})
	}
	group.Wait()
	close(done)
	following.Wait()
	for r := range readers {
		names := map[string]bool{}
		next := map[string]int{}
		for i, e := range read[r] {
			if i > 0 && e.Position <= read[r][i-1].Position {
				t.Fatalf("reader %d: %d comes after %d", r, e.Position, read[r][i-1].Position)
			}
			for _, p := range e.Detail.Provisioned {
				if want := fmt.Sprintf("%s-%d", p.NativeIdentity[:1], next[p.NativeIdentity[:1]]); p.NativeIdentity != want {
					t.Fatalf("reader %d: %s comes where %s should", r, p.NativeIdentity, want)
				}
				next[p.NativeIdentity[:1]]++
				names[p.NativeIdentity] = true
			}
		}
		if diff := cmp.Diff(committed, names); diff != "" || len(read[r]) != f.CountRows("muster.identity_events") {
			t.Errorf("reader %d got %d events: %s", r, len(read[r]), diff)
		}
	}
}

// A large write is read in small pages, whatever was erased of it, and a cursor that would skip events is refused.
func TestEventCursors(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s, err := store.New("muster")
	if err != nil {
		t.Fatal(err)
	}
	add := func(count int, at time.Time) {
		t.Helper()
		events := make([]store.Event, count)
		for i := range events {
			events[i] = store.Event{IdentityID: store.NewID(), Types: []string{engine.EventProvisioned}, Detail: []byte("{}")}
		}
		err := pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error {
			return s.AddEvents(t.Context(), tx, store.NewID(), store.Cause{At: at}, events)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-3 * 365 * 24 * time.Hour)
	const many = 2000
	add(many, old)
	add(3, old)
	add(3, time.Now())
	all := f.read("", 1000)
	if len(all) != many+6 || all[len(all)-1].Position != many+6 {
		t.Fatalf("%d events are read, the last at %d, want %d", len(all), all[len(all)-1].Position, many+6)
	}
	pages := f.read(all[many-300].Cursor, 7)
	if diff := cmp.Diff(all[many-299:], pages); diff != "" {
		t.Errorf("pages of 7 differ: %s", diff)
	}
	f.executeAll(`DELETE FROM muster.identity_events e USING muster.event_writes w
		WHERE w.id = e.write_id AND (w.events = 2000 AND (number < 1000 OR number > 1990 OR number % 2 = 0) OR w.position = 2001)`)
	left := f.read("", 7)
	if want := f.CountRows("muster.identity_events"); len(left) != want || want == 0 {
		t.Errorf("%d events are read, want the %d that are left", len(left), want)
	}

	if result, err := f.Purge(t.Context(), engine.PurgeOptions{}); err != nil || result.Events == 0 {
		t.Fatalf("got %+v, %v, want events purged", result, err)
	}
	_, err = f.Events(t.Context(), all[5].Cursor, 1)
	demandKind(t, err, engine.Conflict, "were purged")
	for _, cursor := range []string{"", all[many+2].Cursor} { // the last one that was purged is read
		if got := f.read(cursor, 2); len(got) != 3 {
			t.Errorf("%d events are left behind %q, want 3", len(got), cursor)
		}
	}

	// An older backup: the last write is not there, and then another one is.
	last := all[len(all)-1].Cursor
	f.executeAll("DELETE FROM muster.event_writes WHERE position = 2004",
		"DELETE FROM muster.identity_events", "UPDATE muster.event_positions SET last = 2003")
	_, err = f.Events(t.Context(), last, 1)
	demandKind(t, err, engine.Conflict, "restored from a backup")
	add(5, time.Now())
	_, err = f.Events(t.Context(), last, 1)
	demandKind(t, err, engine.Conflict, "restored from a backup")
	if got := f.read("", 10); len(got) != 5 {
		t.Errorf("%d events are read after the restore, want 5", len(got))
	}
}

// The history of version 7 becomes one event for each identity and transaction, in its order, and goes on.
func TestHistoryIsUpgraded(t *testing.T) {
	t.Parallel()
	pool := storetest.Empty(t)
	ctx := t.Context()
	if _, err := migrations.To(ctx, pool, migrations.Config{}, 7); err != nil {
		t.Fatal(err)
	}
	const ann, bob = "11111111-1111-7111-8111-111111111111", "22222222-2222-7222-8222-222222222222"
	for _, e := range []struct {
		transaction           int
		at, who, kind, detail string
	}{
		{9, "2026-01-01 08:00:00.000001", ann, "IDENTITY_CREATED", `{"accountId": "1", "sourceId": "2"}`},
		{9, "2026-01-01 08:00:00.000001", bob, "IDENTITY_CREATED", `{"accountId": "3", "sourceId": "2"}`},
		{12, "2026-01-02", ann, "IDENTITY_STATE_CHANGED", `{"manager": {"oldValue": "c", "newValue": "d"}}`},
		{11, "2026-01-03", ann, "IDENTITY_ROLES_CHANGED", `{"gained": [{"id": "r", "name": "R", "reason": "x"}], "lost": []}`},
		{11, "2026-01-03", ann, "IDENTITY_ATTRIBUTES_CHANGED", `{"changes": [{"attribute": "a", "oldValue": null, "newValue": "1"}]}`},
		{11, "2026-01-03", ann, "IDENTITY_STATE_CHANGED", `{"manager": {"oldValue": null, "newValue": "b"}}`},
		{11, "2026-01-03", ann, "IDENTITY_STATE_CHANGED", `{"manager": {"oldValue": "b", "newValue": "c"}, "correlated": {"oldValue": "true", "newValue": "false"}}`},
		{11, "2026-01-03", bob, "IDENTITY_PROVISIONED", `{"operation": "CREATE", "source": {"type": "SOURCE", "id": "2", "name": "S"}, "nativeIdentity": "b", "reason": "x"}`},
		{13, "2026-01-04", bob, "IDENTITY_DELETED", `{"identity": {"type": "IDENTITY", "id": "2", "name": "Bob"}, "attributes": {"a": 1}}`},
	} {
		if _, err := pool.Exec(ctx, `INSERT INTO muster.identity_events (identity_id, type, detail, at, transaction_id)
			VALUES ($1, $2, $3, $4::text::timestamptz, $5::text::xid8)`, e.who, e.kind, e.detail, e.at, fmt.Sprint(e.transaction)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := migrations.Up(ctx, pool, migrations.Config{}); err != nil {
		t.Fatal(err)
	}
	eng, err := engine.New(ctx, pool, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	events, err := eng.Events(ctx, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, e := range events {
		detail, err := json.Marshal(e.Detail)
		if err != nil || e.Position != int64(i+1) {
			t.Errorf("got %+v and the error %v, want the position %d", e, err, i+1)
		}
		got = append(got, e.IdentityID[:1]+" "+strings.ReplaceAll(strings.Join(e.Types, " "), "IDENTITY_", "")+" "+string(detail))
	}
	want := []string{
		`1 CREATED {"created":{"accountId":"1","sourceId":"2"}}`,
		`2 CREATED {"created":{"accountId":"3","sourceId":"2"}}`,
		`1 ATTRIBUTES_CHANGED ROLES_CHANGED STATE_CHANGED {"attributes":[{"attribute":"a","newValue":"1"}],` +
			`"roles":{"gained":[{"id":"r","name":"R","reason":"x"}],"lost":[]},` +
			`"states":{"manager":{"newValue":"c"},"correlated":{"oldValue":"true","newValue":"false"}}}`,
		`2 PROVISIONED {"provisioned":[{"operation":"CREATE","source":{"type":"SOURCE","id":"2","name":"S"},"nativeIdentity":"b","reason":"x"}]}`,
		`1 STATE_CHANGED {"states":{"manager":{"oldValue":"c","newValue":"d"}}}`,
		`2 DELETED {"deleted":{"identity":{"type":"IDENTITY","id":"2","name":"Bob"},"attributes":{"a":1}}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !slices.IsSortedFunc(events, func(a, b engine.Event) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("the IDs are not in the order of the positions")
	}
	// Back again each type is an event of its own; and readers of version 8 go on where they were.
	if _, err := migrations.To(ctx, pool, migrations.Config{}, 7); err != nil {
		t.Fatal(err)
	}
	var count int
	if err := pool.QueryRow(ctx, `SELECT count(*) FROM muster.identity_events`).Scan(&count); err != nil || count != 8 {
		t.Errorf("%d events are there after the way back, %v, want 8", count, err)
	}
}
