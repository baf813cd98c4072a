package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// together is a company of which some accounts change, each with a task of its own.
type together struct {
	*fixture
	tasks []string // that launched them
}

// change reads accounts that changed, each by itself.
func (f *together) change(lines ...string) {
	f.t.Helper()
	for _, line := range lines {
		result := f.AggregateText("HR", enginetest.PeopleHeader+line+"\n", engine.AggregateOptions{Delta: true})
		f.tasks = append(f.tasks, result.Task)
	}
}

// ended returns the tasks that were launched, which must have ended with a status each.
func (f *together) ended(statuses ...string) []engine.TaskStatus {
	f.t.Helper()
	var tasks []engine.TaskStatus
	for i, id := range f.tasks {
		task, err := f.Task(f.t.Context(), id)
		if err != nil {
			f.t.Fatal(err)
		}
		if !task.Ended() || *task.CompletionStatus != statuses[i] {
			f.t.Errorf("task %d: %+v, want %s", i, task, statuses[i])
		}
		tasks = append(tasks, task)
	}
	return tasks
}

// transactions returns in how many transactions the tasks got their last change.
func (f *together) transactions() int {
	f.t.Helper()
	return f.number(`SELECT count(DISTINCT xmin::text) FROM muster.tasks WHERE replace(id::text, '-', '') IN ('` +
		strings.Join(f.tasks, "', '") + `')`)
}

func newTogether(t *testing.T, guard engine.Guard) *together {
	t.Helper()
	f := &together{fixture: newFixtureWith(t, engine.Config{Guard: guard})}
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	return f
}

// Small tasks that wait are carried out by one transaction, and each tells its own share.
func TestSmallTasksTogether(t *testing.T) {
	t.Parallel()
	f := newTogether(t, engine.Guard{})
	f.change(`dee,Dee New,Dee,New,dee@example.com,Sales,ayse,26,inactive`, `ann,Ann Boss,Ann,Boss,ann@example.com,Board,,61,`,
		`ayse,"Ünal, Ayşe",Ayşe,Ünal,ayse@example.com,Sales,dee,33,active`)
	result := f.Process()
	tasks := f.ended("SUCCESS", "SUCCESS", "WARNING") // Dee is managed by Ayşe, who is managed by Dee
	for i, changed := range []int64{1, 0, 1} {
		if a := tasks[i].Attributes; a.IdentityCount != 1 || a.ChangedCount != changed {
			t.Errorf("task %d: %+v, want %d changed", i, a, changed)
		}
	}
	if n := len(tasks[2].Messages); n != 1 || tasks[2].Messages[0].Parameters[0] != f.Identity("ayse").ID {
		t.Errorf("got %+v, want n == 1 && tasks[2].Messages[0].Parameters[0] == f.Identity(\"ayse\").ID", tasks[2].Messages)
	}
	if result.Identities != 3 || result.Changed != 2 || result.Warnings != 1 || f.transactions() != 1 {
		t.Errorf("%+v in %d transactions, want all of it in one", result, f.transactions())
	}
	if n := f.jobs("muster_run_task"); n != 0 {
		t.Errorf("%d jobs of tasks that are done wait for a worker, want 0", n)
	}
}

// What follows from one of them belongs to its own task, which ends after it.
func TestSmallTasksTogetherConsequences(t *testing.T) {
	t.Parallel()
	f := newTogether(t, engine.Guard{})
	f.AggregateText("Directory", enginetest.DirectoryHeader+"inan,new@example.com,,,true\n", engine.AggregateOptions{})
	// Ina, who will be the manager of Dee, is not there yet.
	f.change(`dee,Dee Strauß,Dee,Strauß,dee@example.com,Sales,ina,25,inactive`)
	f.Process()
	f.tasks = nil
	f.change(`bob,Bob Thorne,Bob,Thorne,bob@example.com,Sales,ayse,41,leave`, `ina,Ina New,Ina,New,new@example.com,Sales,ann,44,active`)
	f.Process()
	tasks := f.ended("SUCCESS", "SUCCESS")
	if f.Identity("dee").ManagerRef == nil || f.Identity("dee").ManagerRef.ID != f.Identity("ina").ID {
		t.Errorf("the manager of Dee is %+v, want Ina", f.Identity("dee").ManagerRef)
	}
	// The second task: the new identity, who is managed by it, and itself with the account that it found.
	a, b := tasks[0].Attributes, tasks[1].Attributes
	if a.IdentityCount != 1 || a.CorrelatedCount != 0 || b.IdentityCount != 3 || b.CorrelatedCount != 1 {
		t.Errorf("got %+v, %+v, want a.IdentityCount == 1 && a.CorrelatedCount == 0 && b.IdentityCount == 3 && b.CorrelatedCount == 1", a, b)
	}
}

// One that cannot be written, one that is cancelled and one that the guard stops do not keep the others from their end.
func TestSmallTasksTogetherFaults(t *testing.T) {
	t.Parallel()
	t.Run("error", func(t *testing.T) {
		t.Parallel()
		f := newTogether(t, engine.Guard{})
		f.executeAll(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.alias = 'cy' AND NEW.processing_state IS NULL THEN RAISE EXCEPTION 'refused'; END IF;
			RETURN NEW; END $$`,
			`CREATE TRIGGER refuse BEFORE UPDATE ON muster.identities FOR EACH ROW EXECUTE FUNCTION refuse()`)
		f.change(`dee,Dee New,Dee,New,dee@example.com,Sales,ayse,25,inactive`, `cy,Cy New,Cy,New,cy@example.com,Legal,ann,20,active`,
			`ann,Ann New,Ann,New,ann@example.com,Board,,60,`)
		f.Process()
		tasks := f.ended("SUCCESS", "WARNING", "SUCCESS")
		if len(tasks[1].Messages) != 1 || f.Identity("cy").ProcessingState == nil || f.Identity("dee").Name != "Dee New" ||
			f.Identity("ann").Name != "Ann New" {
			t.Errorf("got %+v, %+v, want len(tasks[1].Messages) == 1 && f.Identity(\"cy\").ProcessingState != nil && f.Identity(\"dee\").Name == \"Dee New\" && f.Identity(\"ann\").Name == \"Ann New\"", tasks[1].Messages, f.Identity("cy"))
		}
	})
	t.Run("guard", func(t *testing.T) {
		t.Parallel()
		f := newTogether(t, engine.Guard{Share: 0.0001, Minimum: 1})
		f.change(`dee,Dee New,Dee,New,dee@example.com,Sales,ayse,25,inactive`)
		result := f.AggregateText("HR", enginetest.PeopleHeader+"ann,Ann Boss,Ann,Boss,ann@example.com,Board,,60,leave\n"+
			`ayse,"Ünal, Ayşe",Ayşe,Ünal,ayse@example.com,Sales,ann,33,leave`+"\n", engine.AggregateOptions{Delta: true})
		if held := f.Process().Held; !slices.Equal(held, []string{result.Task}) {
			t.Errorf("held are %q, want %s", held, result.Task)
		}
		f.ended("SUCCESS")
		if f.Identity("dee").Name != "Dee New" {
			t.Errorf("got %+v, want f.Identity(\"dee\").Name == \"Dee New\"", f.Identity("dee"))
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		f := newTogether(t, engine.Guard{})
		f.change(`dee,Dee New,Dee,New,dee@example.com,Sales,ayse,25,inactive`, `ann,Ann New,Ann,New,ann@example.com,Board,,60,`)
		if _, err := f.CancelTask(t.Context(), f.tasks[1]); err != nil {
			t.Fatal(err)
		}
		f.Process()
		f.ended("SUCCESS", "TERMINATED")
		if f.Identity("ann").Name != "Ann Boss" || f.Identity("dee").Name != "Dee New" {
			t.Errorf("got %q, %q, want f.Identity(\"ann\").Name == \"Ann Boss\" && f.Identity(\"dee\").Name == \"Dee New\"", f.Identity("ann").Name, f.Identity("dee").Name)
		}
	})
}

// A large task does not take up small ones, and one that is carried out by itself does not either.
func TestSmallTasksApart(t *testing.T) {
	t.Parallel()
	f := newTogether(t, engine.Guard{})
	f.change(`dee,Dee New,Dee,New,dee@example.com,Sales,ayse,25,inactive`, `ann,Ann New,Ann,New,ann@example.com,Board,,60,`)
	if _, err := f.ProcessTask(t.Context(), f.tasks[1], engine.ProcessOptions{}); err != nil {
		t.Fatal(err)
	}
	if f.Identity("dee").Name == "Dee New" || f.Identity("ann").Name != "Ann New" {
		t.Errorf("got %q, %q, want f.Identity(\"dee\").Name != \"Dee New\" && f.Identity(\"ann\").Name == \"Ann New\"", f.Identity("dee").Name, f.Identity("ann").Name)
	}
	f.Process()
	f.ended("SUCCESS", "SUCCESS")
}
