package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

func TestTaskOfARun(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann, bob := f.Identity("ann").ID, f.Identity("bob").ID
	task, err := f.ProcessIdentities(t.Context(), []string{ann, bob, strings.ToUpper(ann)})
	if err != nil {
		t.Fatal(err)
	}
	if task.Ended() || task.PercentComplete != 0 || *task.Progress != "Waiting" || task.Launched != nil {
		t.Errorf("the new task is %+v", task)
	}
	var shown []string
	done, err := f.ProcessTask(t.Context(), task.ID, engine.ProcessOptions{Progress: func(done, waiting int) {
		shown = append(shown, fmt.Sprint(done, waiting))
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !done.Ended() || *done.CompletionStatus != "SUCCESS" || done.PercentComplete != 100 || done.Completed == nil ||
		done.Attributes.IdentityCount != 2 || done.Attributes.ChangedCount != 0 || !slices.Equal(shown, []string{"2 0"}) {
		t.Errorf("%+v, shown %q", done, shown)
	}
	text, err := json.Marshal(done)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id", "type", "uniqueName", "description", "parentName", "attributes", "created",
		"modified", "launched", "launcher", "completed", "completionStatus", "messages", "progress", "percentComplete",
		"returns", "target", "taskDefinitionSummary"} {
		if _, there := members[name]; !there {
			t.Errorf("the published member %s is missing", name)
		}
	}
	tasks, err := f.Tasks(t.Context(), engine.TaskQuery{})
	if err != nil || len(tasks) != 2 || tasks[0].ID != task.ID {
		t.Errorf("got %+v, %v, want err == nil && len(tasks) == 2 && tasks[0].ID == task.ID", tasks, err)
	}
	if pending, err := f.Tasks(t.Context(), engine.TaskQuery{Pending: true}); err != nil || len(pending) != 0 {
		t.Errorf("got %+v and the error %v, want 0 of them", pending, err)
	}
	if n := f.jobs("muster_run_task"); n != 0 {
		t.Errorf("%d jobs of tasks that are done wait for a worker, want 0", n)
	}
}

func TestProcessIdentitiesFaults(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann := f.Identity("ann").ID
	many := make([]string, engine.ProcessIdentitiesMax+1)
	for _, test := range []struct {
		ids  []string
		kind engine.Kind
		text string
	}{
		{nil, engine.Invalid, "no identity is named"},
		{many, engine.Invalid, "251 identities"},
		{[]string{ann, "nobody"}, engine.NotFound, "nobody"},
		{[]string{ann, strings.Repeat("a", 32)}, engine.NotFound, strings.Repeat("a", 32)},
		{[]string{"nobody", ann, strings.Repeat("a", 32)}, engine.NotFound, "nobody, " + strings.Repeat("a", 32)},
	} {
		_, err := f.ProcessIdentities(t.Context(), test.ids)
		demandKind(t, err, test.kind, test.text)
	}
	if n := f.requests(); n != 0 {
		t.Errorf("processing is requested for %d identities, want 0", n)
	}
}

// A client that repeats its call gets the task that it has launched, for as long as that has not begun.
func TestProcessIdentitiesRepeated(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann, bob := f.Identity("ann").ID, f.Identity("bob").ID
	launch := func(launcher string, ids ...string) engine.TaskStatus {
		t.Helper()
		task, err := f.ProcessIdentities(engine.WithActor(t.Context(), engine.Actor{Name: launcher}), ids)
		if err != nil {
			t.Fatal(err)
		}
		if task.Launcher != launcher || task.Remaining != len(ids) && task.Remaining != 0 {
			t.Errorf("got %+v, want task.Launcher == launcher && (task.Remaining == len(ids) || task.Remaining == 0)", task)
		}
		return task
	}
	first := launch("client", ann, bob)
	if again := launch("client", bob, ann); again.ID != first.ID {
		t.Errorf("the call was repeated, and made the task %s beside %s", again.ID, first.ID)
	}
	if other := launch("client", ann); other.ID == first.ID {
		t.Error("another call got the same task")
	}
	// A batch that works on it has read what there was.
	tx, err := f.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "DELETE FROM muster.refresh_requests WHERE task_id = $1", first.ID); err != nil {
		t.Fatal(err)
	}
	if later := launch("client", ann, bob); later.ID == first.ID {
		t.Error("a call got a task that has begun")
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := f.CountTasks(t.Context(), engine.TaskQuery{Pending: true}); n != 3 || err != nil {
		t.Errorf("%d tasks wait, %v", n, err)
	}
	f.Process()
	if later := launch("client", ann, bob); later.ID == first.ID {
		t.Error("a call got a task that has ended")
	}
}

// The second run over everybody writes no row of an identity: PostgreSQL's own counters say so.
func TestProcessingTwiceWritesNothing(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText(fmt.Sprintf(salesRole, true, "Sales"))
	f.AggregateText("Directory", enginetest.DirectoryHeader+"annb,ann@example.com,ann,a;b,true\n", engine.AggregateOptions{})
	f.Process()
	all := func() engine.TaskStatus {
		t.Helper()
		task, err := f.ProcessAll(t.Context())
		if err == nil {
			task, err = f.ProcessTask(t.Context(), task.ID, engine.ProcessOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
		return task
	}
	all()
	const counters = `
		SELECT pg_stat_force_next_flush() IS NULL, coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)
		FROM pg_stat_user_tables
		WHERE schemaname = 'muster' AND relname <> ALL ('{tasks,task_parts,task_messages,refresh_watermark}')`
	written := func() (rows int) {
		t.Helper()
		// The counters of a session are there when it is idle; a new one sees them.
		f.Pool.Reset()
		time.Sleep(100 * time.Millisecond)
		if err := f.Pool.QueryRow(t.Context(), counters).Scan(new(bool), &rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	before := f.Identity("ann").LastRefresh
	start := written()
	task := all()
	// The one warning is of cy, whose lifecycle state is not there.
	if a := task.Attributes; a.IdentityCount != 5 || a.ChangedCount != 0 || *task.CompletionStatus != "WARNING" ||
		a.WarningCount != 1 {
		t.Errorf("the second run was %s %+v, want WARNING, 5 identities, none changed, 1 warning", *task.CompletionStatus, a)
	}
	if end := written(); start == 0 || end != start {
		t.Errorf("the second run wrote %d rows", end-start)
	}
	if after := f.Identity("ann").LastRefresh; !after.After(*before) {
		t.Errorf("lastRefresh was %v and is %v", before, after)
	}
}

// One identity whose mapping fails is in error, the others are done, and it is well again when the mapping is mended.
func TestBrokenMapping(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	mapping := "{sourceName: HR, attributeName: dept}}}"
	broken := strings.Replace(enginetest.Documents, "{type: accountAttribute, attributes: "+mapping,
		"{type: lookup, attributes: {table: {Sales: S, Board: B, Legal: L}, input: {type: accountAttribute, attributes: "+mapping+"}}", 1)
	if broken == enginetest.Documents {
		t.Fatal("the mapping is not there")
	}
	f.ApplyText(broken)
	f.AggregateText("HR", strings.Replace(enginetest.People, "Legal", "Finance", 1), engine.AggregateOptions{})
	if result := f.Process(); result.Errors != 1 {
		t.Errorf("got %+v, want Errors 1", result)
	}
	tasks, err := f.Tasks(t.Context(), engine.TaskQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	task, err := f.Task(t.Context(), tasks[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if *task.CompletionStatus != "WARNING" || len(task.Messages) != 1 || task.Messages[0].Type != "ERROR" ||
		task.Messages[0].Parameters[0] != f.Identity("Cy Self").ID ||
		!strings.Contains(task.Messages[0].LocalizedText.Message, "attribute department") {
		t.Errorf("got %+v, want *task.CompletionStatus == \"WARNING\" && len(task.Messages) == 1 && task.Messages[0].Type == \"ERROR\" && task.Messages[0].Parameters[0] == f.Identity(\"Cy Self\").ID && strings.Contains(task.Messages[0].LocalizedText.Message, \"attribute department\")", task)
	}
	if n := f.inError(); n != 1 {
		t.Errorf("%d identities are in error, want 1", n)
	}
	f.ApplyText(enginetest.Documents)
	if result := f.Process(); result.Errors != 0 {
		t.Errorf("got %+v, want Errors 0", result)
	}
	if n := f.inError(); n != 0 {
		t.Errorf("%d identities are in error, want 0", n)
	}
}

// many is a company of people in one department, who all have its role.
func many(t *testing.T, people int, config engine.Config) *fixture {
	t.Helper()
	f := companyWith(t, config)
	f.ApplyText(fmt.Sprintf(salesRole, true, "Sales"))
	f.AggregateText("HR", manyRows(people, "Sales"), engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Percent: 100, IsPercent: true}})
	f.Process()
	return f
}

func manyRows(people int, department string) string {
	var b strings.Builder
	b.WriteString(enginetest.PeopleHeader)
	for i := range people {
		fmt.Fprintf(&b, "p%d,Person %d,P,%d,p%d@example.com,%s,,30,active\n", i, i, i, i, department)
	}
	return b.String()
}

func TestGuardHoldsAMistake(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	const people = 300
	f := many(t, people, engine.Config{BatchSize: 7, Workers: 3})
	members := func() int {
		return f.CountRows(`muster.role_assignments`)
	}
	f.ApplyText(fmt.Sprintf(salesRole, true, "Sails"))
	result := f.Process()
	if len(result.Held) != 1 || result.RolesLost > people/10 || members() < people-people/10 {
		t.Fatalf("%+v, %d members", result, members())
	}
	held, err := f.Wait(t.Context(), result.Held[0])
	if err != nil || held.Ended() || !strings.Contains(held.Held, "more than 30 of 302 identities would lose a role") {
		t.Fatalf("got %+v and the error %v, want "+
			"Ended false and Held containing more than 30 of 302 identities would lose a role", held, err)
	}
	if again := f.Process(); again.Identities != 0 {
		t.Errorf("a task that is held went on: %+v", again)
	}
	if _, err := f.ConfirmTask(t.Context(), held.ID); err != nil {
		t.Fatal(err)
	}
	f.Process()
	if done, err := f.Task(t.Context(), held.ID); err != nil || *done.CompletionStatus != "SUCCESS" || done.Attributes.RolesLost != people+2 {
		t.Errorf("got %+v, %v, want err == nil && *done.CompletionStatus == \"SUCCESS\" && done.Attributes.RolesLost == people + 2", done, err)
	}
	_, err = f.ConfirmTask(t.Context(), held.ID)
	demandKind(t, err, engine.Conflict, "not held")
}

func TestGuardWatchesLifecycle(t *testing.T) {
	t.Parallel()
	f := many(t, 250, engine.Config{BatchSize: 10, Guard: engine.Guard{Share: 0.2}})
	text := strings.ReplaceAll(manyRows(250, "Sales"), "active", "inactive")
	result := f.AggregateText("HR", text, engine.AggregateOptions{})
	f.Process()
	task, err := f.Task(t.Context(), result.Task)
	if err != nil || !strings.Contains(task.Held, "more than 50 of 250 identities would change their lifecycle state") {
		t.Errorf("got %+v and the error %v, want "+
			"Held containing more than 50 of 250 identities would change their lifecycle state", task, err)
	}
	cancelled, err := f.CancelTask(t.Context(), result.Task)
	if err != nil || *cancelled.CompletionStatus != "TERMINATED" ||
		!strings.HasPrefix(*cancelled.Progress, "Cancelled after ") {
		t.Errorf("got %+v and the error %v, want CompletionStatus TERMINATED and a Progress that says so", cancelled, err)
	}
	inactive := f.CountRows(`muster.identities WHERE lifecycle_state = 'inactive'`)
	due := f.dueLater()
	if inactive != 1 || due != 250 || f.requests() != 0 { // Dee was inactive before
		t.Errorf("%d are inactive, %d are due at the next slot, want nobody more and those of the task", inactive, due)
	}
	_, err = f.CancelTask(t.Context(), result.Task)
	demandKind(t, err, engine.Conflict, "ended already")
}

// Workers of several engines carry tasks out in the background, and stop without leaving anything half done.
func TestWorkers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f := many(t, 120, engine.Config{BatchSize: 5})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var engines []*engine.Engine
	for range 2 {
		eng, err := engine.New(ctx, f.Pool, engine.Config{BatchSize: 5})
		if err != nil {
			t.Fatal(err)
		}
		if err := eng.Start(ctx); err != nil {
			t.Fatal(err)
		}
		engines = append(engines, eng)
	}
	stop := func(eng *engine.Engine) {
		if err := eng.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}
	all, err := f.ProcessAll(ctx)
	if err != nil {
		t.Fatal(err)
	}
	result := f.AggregateText("HR", manyRows(120, "Legal"), engine.AggregateOptions{})
	stop(engines[0])
	for _, id := range []string{all.ID, result.Task} {
		task, err := f.Wait(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if task.Held != "" {
			if _, err := f.ConfirmTask(ctx, id); err != nil {
				t.Fatal(err)
			}
			if task, err = f.Wait(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		if *task.CompletionStatus != "SUCCESS" {
			t.Errorf("got %+v, want CompletionStatus SUCCESS", task)
		}
	}
	stop(engines[1])
	if n := f.CountRows(`muster.identities WHERE attributes ->> 'department' = 'Legal' AND correlated`); n != 120 {
		t.Errorf("%d identities were processed, want 120", n)
	}
}

func TestProcessProfile(t *testing.T) {
	t.Parallel()
	f := company(t)
	task, err := f.ProcessProfile(t.Context(), "employees")
	if err != nil {
		t.Fatal(err)
	}
	f.Process()
	if done, err := f.Task(t.Context(), task.ID); err != nil || done.Attributes.IdentityCount != 5 {
		t.Errorf("got %+v and the error %v, want Attributes.IdentityCount 5", done, err)
	}
	_, err = f.ProcessProfile(t.Context(), "Nobody")
	demandKind(t, err, engine.NotFound, `"Employees"`)
}

// A host's row and a task stand or fall together.
func TestProcessIdentitiesTxRollsBack(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann := f.Identity("ann").ID
	tx, err := f.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	task, err := f.ProcessIdentitiesTx(t.Context(), tx, []string{ann})
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = f.Task(t.Context(), task.ID)
	demandKind(t, err, engine.NotFound, "")
	if n := f.requests() + f.CountRows(`muster_jobs.river_job`); n != 0 {
		t.Errorf("%d rows are left, want 0", n)
	}
}

// A row that the database refuses costs its own identity, not those of its batch.
func TestBatchIsolatesTheIdentityAtFault(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	_, err := f.Pool.Exec(t.Context(), `ALTER TABLE muster.identities ADD CONSTRAINT poisoned CHECK (alias <> 'cy')`)
	if err != nil {
		// The identity has its alias from its creation on.
		_, err = f.Pool.Exec(t.Context(), `ALTER TABLE muster.identities ADD CONSTRAINT poisoned CHECK (coalesce(email, '') <> 'cy@example.com')`)
	}
	if err != nil {
		t.Fatal(err)
	}
	result := f.Process()
	if result.Errors != 1 {
		t.Errorf("got %+v, want Errors 1", result)
	}
	if got, want := f.processingError(), "could not be written"; !strings.Contains(got, want) ||
		strings.Contains(got, "cy@example.com") {
		t.Errorf("got the error %q, want one with %q and without the address", got, want)
	}
	if n := f.CountRows(`muster.identities WHERE email IS NOT NULL`); n != 4 {
		t.Errorf("%d identities were done, want 4", n)
	}
	all, err := f.ProcessAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if done, err := f.ProcessTask(t.Context(), all.ID, engine.ProcessOptions{}); err != nil || done.Attributes.ErrorCount != 1 {
		t.Errorf("got %+v and the error %v, want Attributes.ErrorCount 1", done, err)
	}
}
