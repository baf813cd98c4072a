package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// guarded is a company of people who have an account on a source of files, under a guard.
type guarded struct {
	*target
	people int
	clock  *enginetest.Clock
}

// guardedPeople returns the rows of people: 4 in 10 of them have no manager, and all have a department.
func guardedPeople(people int) string {
	var b strings.Builder
	b.WriteString(enginetest.PeopleHeader)
	for i := range people {
		manager := "boss"
		if i%10 < 4 {
			manager = ""
		}
		fmt.Fprintf(&b, "g%d,Person %d,P,%d,g%d@example.com,Sales,%s,30,active\n", i, i, i, i, manager)
	}
	return b.String()
}

// newGuarded returns a company that is at rest: everybody has the department Sales, the role of sellers, and an account
// with its access.
func newGuarded(t *testing.T, people int, guard engine.Guard, config engine.Config) *guarded {
	t.Helper()
	f := &guarded{&target{folder: t.TempDir()}, people, enginetest.NewClock(time.Now())}
	config.Guard, config.Now = guard, f.clock.Now
	config.Connectors = map[string]connector.Factory{"delimited-file": f.open}
	f.fixture = newFixtureWith(t, config)
	var accounts strings.Builder
	for i := range people {
		fmt.Fprintf(&accounts, "g%d,Person %d,g%d@example.com,Sales,active,crm;sales\n", i, i, i)
	}
	f.write(targetHeader + accounts.String())
	f.ApplyText(enginetest.Documents)
	f.ApplyText(fmt.Sprintf(targetConfig, f.folder))
	f.AggregateText("HR", guardedPeople(people), engine.AggregateOptions{})
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	if result := f.Process(); len(result.Held) > 0 {
		t.Fatalf("the first load is held: %+v", result)
	}
	// Muster gave what the accounts have.
	f.execute(`INSERT INTO muster.access_grants (identity_id, source_id, attribute, value, account_id, granted)
		SELECT a.identity_id, a.source_id, 'groups', v, a.id, now() FROM muster.accounts a, unnest('{crm,sales}'::text[]) v
		WHERE a.native_identity LIKE 'g%' AND a.source_id = (SELECT id FROM muster.sources WHERE name = 'Files')
		ON CONFLICT DO NOTHING`)
	return f
}

// remap returns the documents in which an attribute comes from another column of HR.
func remap(attribute, from, to string) string {
	return strings.Replace(enginetest.Documents, enginetest.Mapping(attribute, "HR", from),
		enginetest.Mapping(attribute, "HR", to), 1)
}

// departments returns how many have a department.
func (f *guarded) departments() int {
	return f.CountRows(`muster.identities WHERE attributes ->> 'department' IS NOT NULL`)
}

// writes returns how many writes the history has.
func (f *guarded) writes() int { return f.CountRows(`muster.event_writes`) }

// demandHeld demands that a task is held for reasons.
func (f *guarded) demandHeld(id string, reasons ...string) engine.TaskStatus {
	f.t.Helper()
	task, err := f.Task(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, reason := range reasons {
		if !strings.Contains(task.Held, reason) {
			f.t.Errorf("the task %q is held for %q, want for %q", task.Description, task.Held, reason)
		}
	}
	return task
}

// A wrong mapping would take the department from 40 of 100. The run is held before it has changed anybody, whatever kind
// of run it is, by several workers; a person can see what it would do, and lets it go on.
func TestGuardHoldsBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	const people, losers = 200, 80
	const reason = "more than 20 of 200 identities would lose the attribute department: "
	f := newGuarded(t, people, engine.Guard{}, engine.Config{BatchSize: 10, Workers: 3})
	before := f.writes()
	f.ApplyText(remap("department", "dept", "mgr"))
	applied := f.Process()
	if len(applied.Held) != 1 || applied.Changed != 0 {
		t.Fatalf("got %+v, want the run held with nobody changed", applied)
	}
	held := f.demandHeld(applied.Held[0], reason, "80 would, of which nothing was written", "would lose a role", "would lose access on Files")
	if again := f.Process(); again.Identities != 0 || len(again.Held) != 0 {
		t.Errorf("a task that is held goes on: %+v", again)
	}
	if _, err := f.CancelTask(t.Context(), held.ID); err != nil {
		t.Fatal(err)
	}
	runs := map[string]func() (string, error){
		"everybody": func() (string, error) {
			task, err := f.ProcessAll(t.Context())
			return task.ID, err
		},
		"a profile": func() (string, error) {
			task, err := f.ProcessProfile(t.Context(), "Employees")
			return task.ID, err
		},
		"those who are due": func() (string, error) {
			f.clock.Advance(13 * time.Hour) // the cancelled run left them due at the next slot
			result, err := f.RunSchedule(t.Context())
			if err == nil && len(result.Tasks) != 1 {
				err = fmt.Errorf("the schedule launched %+v", result)
			}
			return strings.Join(result.Tasks, " "), err
		},
	}
	for _, name := range []string{"everybody", "a profile", "those who are due"} {
		id, err := runs[name]()
		if err != nil {
			t.Fatal(err)
		}
		if result := f.Process(); len(result.Held) != 1 || result.Changed != 0 {
			t.Errorf("%s: %+v, want the run held with nobody changed", name, result)
		}
		f.demandHeld(id, reason)
		if f.departments() != people || f.writes() != before {
			t.Fatalf("%s: %d of %d have a department, and the history has %d writes more", name, f.departments(), people, f.writes()-before)
		}
		if name != "those who are due" {
			if _, err := f.CancelTask(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			continue
		}
		_, totals := f.preview(engine.PreviewParams{Task: id})
		if !strings.Contains(totals.Held, "80 would lose the attribute department") {
			t.Errorf("the preview of the task says %q", totals.Held)
		}
		if _, err := f.ConfirmTask(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		f.Process()
		done := f.demandHeld(id)
		if !done.Ended() || f.departments() != people-losers {
			t.Errorf("a confirmed task is %+v, and %d have a department, want it done and %d", done, f.departments(), people-losers)
		}
		if losses := fmt.Sprintf("%+v", done.Attributes.Losses); !strings.Contains(losses, "lose the attribute department Identities:80") {
			t.Errorf("the task says that %s", losses)
		}
	}
	if n := f.CountRows("muster.task_parts"); n != 0 {
		t.Errorf("%d parts of surveys are left, want none", n)
	}
}

// The preview of documents has the guard's verdict on each kind of loss.
func TestPreviewSaysWhatTheGuardWouldHold(t *testing.T) {
	t.Parallel()
	f := newGuarded(t, 60, engine.Guard{}, engine.Config{BatchSize: 20})
	_, totals := f.preview(engine.PreviewParams{Documents: f.documents(remap("department", "dept", "mgr"))})
	var verdicts []string
	for _, l := range totals.Losses {
		verdicts = append(verdicts, fmt.Sprintf("%d would %s, %d may, held %t", l.Identities, l.Text, l.Limit, l.Held))
	}
	got := strings.Join(verdicts, "; ")
	const want = "60 would lose access on Files, 20 may, held true; 60 would lose a role, 20 may, held true; " +
		"24 would lose the attribute department, 20 may, held true"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !strings.Contains(totals.Held, "60 would lose access on Files") || !strings.Contains(totals.Held, "and 20 may") {
		t.Errorf("the preview says %q", totals.Held)
	}
}

// Each kind of loss holds a run by itself, and says what and where.
func TestGuardCountsEachKind(t *testing.T) {
	t.Parallel()
	// enabled is the configuration with the synchronization of departments.
	enabled := strings.Replace(targetConfig, "{name: department, enabled: false", "{name: department, enabled: true", 1)
	for name, c := range map[string]struct {
		before func(f *guarded) // done without a hold
		apply  string
		kind   engine.LossKind
		want   string
	}{
		"an attribute": {
			apply: remap("lastname", "last", "mgr"), kind: engine.LossAttribute,
			want: "more than 5 of 20 identities would lose the attribute lastname",
		},
		"a value by synchronization": {
			// They have no department, but their accounts still have.
			before: func(f *guarded) {
				f.ApplyText("settings: {guard: {off: true}}")
				f.AggregateText("HR", strings.ReplaceAll(guardedPeople(f.people), "Sales", ""), engine.AggregateOptions{})
				f.Process()
				f.ApplyText("settings: {guard: {off: false}}")
			},
			apply: enabled, kind: engine.LossValue,
			want: "more than 5 of 20 identities would lose the value of dept on Files by synchronization",
		},
		"access": {
			apply: `
accessProfiles:
  - name: CRM
    source: {type: SOURCE, name: Files}
    entitlements: [{value: sales}]
`, kind: engine.LossAccess, want: "more than 5 of 20 identities would lose access on Files",
		},
		"an account": {
			apply: `
lifecycleStates:
  - name: Active
    technicalName: active
    identityProfile: {name: Employees}
    accountActions: [{action: DISABLE, sourceIds: [Files]}]
`, kind: engine.LossAccount, want: "more than 5 of 20 identities would have an account disabled or deleted on Files",
		},
		"a role": {
			apply: strings.Replace(targetConfig, "stringValue: Sales", "stringValue: Nobody", 1),
			kind:  engine.LossRole, want: "more than 5 of 20 identities would lose a role",
		},
		"a lifecycle state": {
			apply: remap("cloudLifecycleState", "state", "first"), kind: engine.LossLifecycle,
			want: "more than 5 of 20 identities would change their lifecycle state",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newGuarded(t, 20, engine.Guard{Minimum: 5}, engine.Config{BatchSize: 3, Workers: 2})
			if c.before != nil {
				c.before(f)
			}
			before := f.dumpStates()
			f.ApplyText(strings.Replace(c.apply, "%q", fmt.Sprintf("%q", f.folder), 1))
			result := f.Process()
			if len(result.Held) != 1 || result.Changed != 0 {
				t.Fatalf("got %+v, want the run held with nobody changed", result)
			}
			held := f.demandHeld(result.Held[0], c.want)
			if after := f.dumpStates(); after != before {
				t.Errorf("the run is held, but it changed\n%s\nto\n%s", before, after)
			}
			found := false
			for _, l := range held.Attributes.Losses {
				found = found || l.Kind == c.kind && l.Foreseen > 0 && l.Identities == 0
			}
			if !found {
				t.Errorf("the task has the losses %+v, want foreseen ones of the kind %s", held.Attributes.Losses, c.kind)
			}
			if _, err := f.ConfirmTask(t.Context(), held.ID); err != nil {
				t.Fatal(err)
			}
			f.Process()
			for _, l := range f.demandHeld(held.ID).Attributes.Losses {
				if l.Kind == c.kind && l.Identities < 6 {
					t.Errorf("the confirmed task has %+v, want more than the limit", l)
				}
			}
		})
	}
}

// dumpStates returns what a run may change.
func (f *guarded) dumpStates() string {
	return f.text(`SELECT md5(string_agg(i::text, ',' ORDER BY i.id)) || ' ' ||
		(SELECT count(*) FROM muster.role_assignments) || ' ' || (SELECT count(*) FROM muster.provisioning_operations)
		|| ' ' || (SELECT count(*) FROM muster.access_grants) FROM muster.identities i`)
}

// What is expected is no loss: a role that ends on its date, with its access, and what a leaver loses beside the state.
func TestGuardDoesNotCountWhatIsExpected(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	const people = 30
	f := newGuarded(t, people, engine.Guard{Minimum: 5, Share: 0.2}, engine.Config{BatchSize: 4, Workers: 2})
	f.ApplyText(`
roles:
  - name: Visitor
    enabled: true
    entitlements: [{source: {name: Files}, value: sales}]
accessProfiles:
  - name: CRM
    source: {type: SOURCE, name: Files}
    entitlements: [{attribute: groups, value: crm}]
`)
	ends := f.clock.Now().Add(2 * time.Hour)
	for i := range people {
		_, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: f.ID(fmt.Sprintf("g%d", i)), Role: "Visitor", RemoveDate: &ends})
		if err != nil {
			t.Fatal(err)
		}
	}
	f.Process()
	f.clock.Advance(3 * time.Hour)
	result, err := f.RunSchedule(t.Context())
	if err != nil || len(result.Tasks) != 1 {
		t.Fatalf("got %+v, %v, want one task", result, err)
	}
	if processed := f.Process(); len(processed.Held) != 0 || processed.RolesLost != people || processed.Operations < people {
		t.Errorf("got %+v, want the roles to end, and what they gave", processed)
	}
	if task := f.demandHeld(result.Tasks[0]); len(task.Attributes.Losses) != 0 {
		t.Errorf("the end of a role on its date counts as %+v", task.Attributes.Losses)
	}

	// Five leave, whose accounts are disabled and whose departments are gone: these are five states, and roles.
	rows := strings.Split(guardedPeople(people), "\n")
	for i := range 5 {
		rows[i+1] = strings.NewReplacer("Sales", "", "active", "inactive").Replace(rows[i+1])
	}
	left := f.AggregateText("HR", strings.Join(rows, "\n"), engine.AggregateOptions{})
	if processed := f.Process(); len(processed.Held) != 0 {
		t.Errorf("got %+v, want nothing held", processed)
	}
	var kinds []string
	for _, l := range f.demandHeld(left.Task).Attributes.Losses {
		kinds = append(kinds, fmt.Sprintf("%s %d", l.Kind, l.Identities))
	}
	if got := strings.Join(kinds, ", "); got != "ACTIVITY 5, LIFECYCLE_STATE 5, ROLE 5" {
		t.Errorf("leavers count as %s", got)
	}
}

// Who is created has nothing to lose: a first load is neither held nor surveyed, by any kind of run.
func TestGuardLeavesTheFirstLoadAlone(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, engine.Config{BatchSize: 5, Workers: 2, Guard: engine.Guard{Minimum: 1, Share: 0.01}})
	f.ApplyText(enginetest.Documents)
	parts := func() int { return f.CountRows("muster.task_parts WHERE survey") }
	loaded := f.AggregateText("HR", guardedPeople(40), engine.AggregateOptions{})
	if n := parts(); n != 0 {
		t.Errorf("the task of a first load has %d parts to survey, want none", n)
	}
	if _, err := f.ProcessAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := parts(); n != 0 {
		t.Errorf("the run over people who were never calculated has %d parts to survey, want none", n)
	}
	if result := f.Process(); len(result.Held) != 0 || result.Errors != 0 {
		t.Errorf("got %+v, want nothing held", result)
	}
	if task, err := f.Task(t.Context(), loaded.Task); err != nil || !task.Ended() || len(task.Attributes.Losses) != 0 {
		t.Errorf("got %+v, %v, want it done without a loss", task, err)
	}
	// 40 more come, and two change: the survey is about nobody.
	more := strings.Replace(guardedPeople(80), "g1,Person 1,P,1", "g1,Person One,P,1", 1)
	f.AggregateText("HR", more, engine.AggregateOptions{})
	if n := parts(); n != 0 {
		t.Errorf("a load of new people has %d parts to survey, want none", n)
	}
	f.Process()
	all, err := f.ProcessAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := parts(); n == 0 {
		t.Error("a run over people who were calculated has no part to survey")
	}
	f.Process()
	if task, err := f.Task(t.Context(), all.ID); err != nil || !task.Ended() || task.Attributes.IdentityCount != 80 || task.Attributes.ChangedCount != 0 {
		t.Errorf("got %+v, %v, want 80 that are as they should be", task.Attributes, err)
	}
}

// Many small tasks under one version of the configuration are no way around the guard: what they take away adds up, for
// a day, until somebody confirms one of them.
func TestGuardAddsUpByVersion(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	const people = 100
	f := newGuarded(t, people, engine.Guard{Minimum: 10}, engine.Config{BatchSize: 50})
	// few processes ten people, four of whom lose their last name.
	few := func(number int) engine.TaskStatus {
		t.Helper()
		var ids []string
		for i := range 10 {
			ids = append(ids, f.ID(fmt.Sprintf("g%d", 10*number+i)))
		}
		launched, err := f.ProcessIdentities(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		f.Process()
		return f.demandHeld(launched.ID)
	}
	applied := f.ApplyText(remap("lastname", "last", "mgr"))
	if result := f.Process(); len(result.Held) != 1 {
		t.Fatalf("got %+v, want the run held", result)
	}
	for i := range 2 {
		if task := few(i); task.Held != "" || !task.Ended() {
			t.Fatalf("small task %d is %+v, want it done: 4 lose a last name by it", i, task)
		}
	}
	named := func() int { return f.CountRows(`muster.identities WHERE attributes ->> 'lastname' IS NOT NULL`) }
	before := named()
	third := few(2)
	f.demandHeld(third.ID, fmt.Sprintf("more than 10 of %d identities would lose the attribute lastname since version %d of the configuration was applied: "+
		"8 did before, and 4 more", people, applied.Version))
	if named() != before {
		t.Errorf("%d have a last name after the hold, %d before", named(), before)
	}
	if _, err := f.ConfirmTask(t.Context(), third.ID); err != nil {
		t.Fatal(err)
	}
	f.Process()
	for i := 3; i < 5; i++ { // it counts from zero again
		if task := few(i); task.Held != "" {
			t.Fatalf("after the confirmation small task %d is held: %s", i, task.Held)
		}
	}
	if task := few(5); !strings.Contains(task.Held, "8 did before, and 4 more") {
		t.Errorf("after the confirmation the third small task is held for %q", task.Held)
	}
	f.clock.Advance(25 * time.Hour) // what is lost a day later has other causes
	for i := 6; i < 10; i++ {
		if task := few(i); task.Held != "" {
			t.Errorf("a day later small task %d is held: %s", i, task.Held)
		}
	}
}

// A survey that a worker leaves in the middle goes on with another one: nothing is forgotten, nothing counts twice, and
// nobody is changed.
func TestSurveyOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	const people = 120
	f := newGuarded(t, people, engine.Guard{Minimum: 60, Share: 0.5}, engine.Config{BatchSize: 4, Workers: 1})
	runs := []func() string{
		func() string { return f.ApplyText(remap("lastname", "last", "mgr")).Task },
		func() string {
			task, err := f.ProcessAll(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return task.ID
		},
	}
	for i, run := range runs {
		f.clock.Advance(time.Duration(i) * 25 * time.Hour) // so that it does not add to what the version took away before
		id := run()
		before := f.writes()
		for range 5 { // each time it comes some pages further
			ctx, cancel := context.WithCancel(t.Context())
			pages := 0
			_, err := f.ProcessTask(ctx, id, engine.ProcessOptions{Progress: func(int, int) {
				if pages++; pages == 3 {
					cancel()
				}
			}})
			cancel()
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("run %d: the worker ended with %v", i, err)
			}
		}
		if f.writes() != before {
			t.Errorf("run %d: %d writes before the survey was done", i, f.writes()-before)
		}
		var group sync.WaitGroup
		for _, eng := range []*engine.Engine{f.another(engine.Config{BatchSize: 4, Workers: 2, Now: f.clock.Now}), f.Engine} {
			group.Go(func() {
				if _, err := eng.ProcessTask(t.Context(), id, engine.ProcessOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		done := f.demandHeld(id)
		if !done.Ended() || done.Held != "" || done.Attributes.IdentityCount != people {
			t.Errorf("run %d: %+v, want it done: 48 of 120 may lose a last name", i, done)
		}
		for _, l := range done.Attributes.Losses {
			if l.Foreseen != l.Identities {
				t.Errorf("run %d: %d were foreseen to %s, and %d did", i, l.Foreseen, l.Text, l.Identities)
			}
		}
		f.execute(`UPDATE muster.identities SET attributes = attributes || '{"lastname": "spoilt"}'`) // for the next run
	}
}

// A survey that nobody needs any more ends: where the guard is turned off, and where the task is cancelled.
func TestSurveyEnds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	const people = 60
	f := newGuarded(t, people, engine.Guard{}, engine.Config{BatchSize: 5})
	all, err := f.ProcessAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	applied := f.ApplyText(remap("department", "dept", "mgr"))
	if n := f.CountRows("muster.task_parts WHERE survey AND request_id IS NOT NULL"); n != people/5 {
		t.Errorf("there are %d pages of requests to survey, want %d", n, people/5)
	}
	if _, err := f.CancelTask(t.Context(), applied.Task); err != nil {
		t.Fatal(err)
	}
	if n := f.CountRows("muster.task_parts WHERE request_id IS NOT NULL"); n != 0 {
		t.Errorf("%d pages of a cancelled task are left, want none", n)
	}
	applied = f.ApplyText(remap("lastname", "last", "mgr")) // department is as it was
	f.ApplyText("settings: {guard: {off: true}}")
	if result := f.Process(); len(result.Held) != 0 {
		t.Errorf("with the guard off %+v, want nothing held", result)
	}
	for _, id := range []string{all.ID, applied.Task} {
		if task := f.demandHeld(id); !task.Ended() {
			t.Errorf("got %+v, want it done", task)
		}
	}
	if n := f.CountRows(`muster.identities WHERE attributes ->> 'lastname' IS NULL`); n != 24 {
		t.Errorf("%d lost their last name, want 24", n)
	}
}

// What follows from a task by provisioning adds to what that task did, and is held against its limit.
func TestGuardFollowsTheCause(t *testing.T) {
	t.Parallel()
	f := newGuarded(t, 40, engine.Guard{}, engine.Config{BatchSize: 50})
	rows := strings.Replace(guardedPeople(40), "g7,Person 7,P,7,g7@example.com", "g7,Person 7,P,7,seven@example.com", 1)
	result := f.AggregateText("HR", rows, engine.AggregateOptions{})
	f.Process()
	if done := f.provision().Done; done != 1 {
		t.Fatalf("%d operations were carried out, want the address of one", done)
	}
	if got := f.text(`SELECT replace(cause_id::text, '-', '') FROM muster.tasks WHERE description LIKE 'Process after prov%'`); got != result.Task {
		t.Errorf("the task after provisioning follows from %q, want from that of the aggregation, %s", got, result.Task)
	}
}

// The texts of losses, and of numbers.
func TestTextsOfLosses(t *testing.T) {
	t.Parallel()
	kinds := []engine.LossKind{engine.LossRole, engine.LossLifecycle, engine.LossActivity, engine.LossAttribute, engine.LossValue,
		engine.LossAccess, engine.LossAccount}
	seen := map[string]bool{}
	for _, kind := range kinds {
		loss := task.Loss{Loss: store.Loss{Kind: store.LossKind(kind), Attribute: "mail"}, Source: "Directory"}
		text := loss.Text()
		if seen[text] {
			t.Errorf("%s has the text of another kind, %q", kind, text)
		}
		seen[text] = true
	}
}
