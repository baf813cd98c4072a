package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// movements returns all movements as text, page by page.
func (f *fixture) movements(q engine.MovementQuery) (lines []string) {
	f.t.Helper()
	for {
		page, err := f.Movements(f.t.Context(), q)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, m := range page.Items {
			line := fmt.Sprintf("%s %s", m.Kind, m.Name)
			if m.Deleted {
				line += " (deleted)"
			}
			if m.Gone {
				line += " (gone)"
			}
			for _, c := range m.Changes {
				line += fmt.Sprintf("; %s %s>%s", c.Field, c.From, c.To)
			}
			lines = append(lines, line)
		}
		if page.Next == "" {
			return lines
		}
		q.After = page.Next
	}
}

// People join, move, leave and are deleted: the history tells, the latest first, in pages of any size.
func TestMovements(t *testing.T) {
	t.Parallel()
	clock := enginetest.NewClock(time.Now().Add(-10 * 24 * time.Hour))
	f := &fixture{enginetest.New(t, enginetest.WithClock(clock),
		enginetest.WithConfig(engine.Config{Guard: engine.Guard{Off: true}})), t}
	f.ApplyText(`lifecycleStates: [{name: Active, technicalName: active, identityProfile: {name: Employees}, identityState: ACTIVE}]`)
	f.Process()
	began := clock.Now().Add(time.Minute)
	if joined := f.movements(engine.MovementQuery{Since: began.Add(-time.Hour), Until: began}); len(joined) != 5 ||
		strings.Count(strings.Join(joined, "|"), "JOINED") != 5 {
		t.Errorf("at first %q, want five who joined", joined)
	}
	most := engine.DeletionLimit{Percent: 100, IsPercent: true}
	step := func(people string) {
		t.Helper()
		clock.Advance(24 * time.Hour)
		f.AggregateText("HR", enginetest.PeopleHeader+people, engine.AggregateOptions{MaxDeletions: &most})
		f.Process()
	}
	const ayse = `ayse,"Ünal, Ayşe",Ayşe,Ünal,ayse@example.com,Sales,ann,33,leave` + "\n"
	const ann = "ann,Ann Boss,Ann,Boss,ann@example.com,Board,,60,\n"
	step(ayse + ann + "bob,Bob Twain,Bob,Twain,bob@example.com,Legal,ann,41,\ncy,Cy Self,Cy,Self,cy@example.com,Legal,cy,21,unknown\n" +
		"dee,Dee Strauß,Dee,Strauß,dee@example.com,Sales,ayse,25,leave\nnew,New One,New,One,,Sales,ann,20,\n")
	step(ayse + ann + "bob,Bob Twain,Bob,Twain,bob@example.com,Legal,ann,41,\n" +
		"dee,Dee Strauß,Dee,Strauß,dee@example.com,Sales,ayse,25,leave\nnew,New One,New,One,,Sales,ann,20,\n")
	clock.Advance(time.Hour)
	if err := f.DeleteIdentity(t.Context(), f.ID("cy")); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	week := engine.MovementQuery{Since: began, Until: clock.Now()}
	all := f.movements(week)
	text := strings.Join(all, "\n")
	for _, want := range []string{"LEFT Cy Self (deleted) (gone)", "LEFT  (gone); correlated true>false", "JOINED New One", "department Sales>Legal", "manager Ünal, Ayşe>Ann Boss",
		"LEFT Ünal, Ayşe; ", "identityState ACTIVE>INACTIVE_LONG_TERM", "correlated true>false",
		"MOVED Dee Strauß; lifecycleState inactive>leave"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "age ") || !strings.HasPrefix(all[0], "LEFT Cy Self") || strings.Contains(text, "MOVED New One") {
		t.Errorf("the movements are\n%s", text)
	}
	total := 0
	for _, kind := range engine.MovementKinds() {
		q := week
		q.Kinds = []engine.MovementKind{kind}
		whole := f.movements(q)
		total += len(whole)
		for _, line := range whole {
			if !strings.HasPrefix(line, string(kind)) {
				t.Errorf("among %s is %q", kind, line)
			}
		}
		q.Limit = 1
		if diff := cmp.Diff(whole, f.movements(q)); diff != "" || len(whole) == 0 {
			t.Errorf("%s: pages of one differ from the whole of %d: %s", kind, len(whole), diff)
		}
	}
	if total != len(all) {
		t.Errorf("%d movements of one kind, want %d", total, len(all))
	}
	// Nothing is older than the first of all IDs.
	ancient := engine.MovementQuery{Since: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), Until: clock.Now()}
	if got := f.movements(ancient); len(got) < len(all) {
		t.Errorf("since 1900 there are %d movements, want %d at least", len(got), len(all))
	}
	q := week
	q.Attributes = []string{"lastname"}
	if got := strings.Join(f.movements(q), "\n"); strings.Contains(got, "department") {
		t.Errorf("of another attribute:\n%s", got)
	}
	for _, q := range []struct {
		query engine.MovementQuery
		text  string
	}{
		{engine.MovementQuery{}, "a time before"},
		{engine.MovementQuery{Since: began, Kinds: []engine.MovementKind{"LOST"}}, "JOINED"},
		{engine.MovementQuery{Since: began, Limit: 251}, "1 to 250"},
		{engine.MovementQuery{Since: began, After: "x"}, "no ID"},
		{engine.MovementQuery{Since: began, Attributes: make([]string, 21)}, "20 are allowed"},
		{engine.MovementQuery{Since: began, Attributes: []string{"\x00"}}, "there is no identity attribute"},
		{engine.MovementQuery{Since: began, Attributes: []string{"departmen"}}, `did you mean "department"?`},
	} {
		_, err := f.Movements(t.Context(), q.query)
		demandKind(t, err, engine.Invalid, q.text)
	}
}

// A page looks at so many events, and says where it has come to where it finds none among them.
func TestMovementsAmongMany(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.Process()
	since := time.Now().Add(-time.Hour)
	f.executeAll(`INSERT INTO muster.event_writes (id, events, at, actor_id, actor_name, actor_via)
		SELECT (left(max(id::text), 24) || 'ffffffffffff')::uuid, 20001, now(), '', '', '' FROM muster.event_writes`)
	f.execute(`INSERT INTO muster.identity_events (write_id, number, identity_id, types, detail)
		SELECT w.id, n, i.id, '{IDENTITY_ATTRIBUTES_CHANGED}', '{"attributes": [{"attribute": "x", "oldValue": "a", "newValue": "b"}]}'
		FROM muster.event_writes w, generate_series(1, 20001) n, (SELECT id FROM muster.identities LIMIT 1) i WHERE w.events = 20001`)
	q := engine.MovementQuery{Kinds: []engine.MovementKind{engine.MovementMoved, engine.MovementJoined}, Since: since}
	page, err := f.Movements(t.Context(), q)
	if err != nil || len(page.Items) != 0 || page.Next == "" {
		t.Fatalf("%d movements, next %q: %v", len(page.Items), page.Next, err)
	}
	q.After = page.Next
	if page, err = f.Movements(t.Context(), q); err != nil || len(page.Items) != 5 || page.Next != "" {
		t.Errorf("%d movements, next %q: %v, want the five who joined", len(page.Items), page.Next, err)
	}
}
