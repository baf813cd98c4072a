package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
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
		result := f.aggregate("HR", hrHeader+line+"\n", engine.AggregateOptions{Delta: true})
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
	return f.count(`SELECT count(DISTINCT xmin::text) FROM muster.tasks WHERE replace(id::text, '-', '') IN ('` +
		strings.Join(f.tasks, "', '") + `')`)
}

func newTogether(t *testing.T, guard engine.Guard) *together {
	t.Helper()
	f := &together{fixture: newFixtureWith(t, engine.Config{Guard: guard})}
	f.apply(companyConfig)
	f.aggregate("HR", hrRows, engine.AggregateOptions{})
	f.process()
	return f
}

// Small tasks that wait are carried out by one transaction, and each tells its own share.
func TestSmallTasksTogether(t *testing.T) {
	t.Parallel()
	f := newTogether(t, engine.Guard{})
	f.change(`5,Dee New,Dee,New,dee@example.com,Sales,3,26,inactive`, `1,Ann Boss,Ann,Boss,ann@example.com,Board,,61,`,
		`3,"Ünal, Ayşe",Ayşe,Ünal,ayse@example.com,Sales,5,33,active`)
	result := f.process()
	tasks := f.ended("SUCCESS", "SUCCESS", "WARNING") // 5 is managed by 3, who is managed by 5
	for i, changed := range []int64{1, 0, 1} {
		if a := tasks[i].Attributes; a.IdentityCount != 1 || a.ChangedCount != changed {
			t.Errorf("task %d: %+v, want %d changed", i, a, changed)
		}
	}
	if n := len(tasks[2].Messages); n != 1 || tasks[2].Messages[0].Parameters[0] != f.find("3").ID {
		t.Errorf("%+v", tasks[2].Messages)
	}
	if result.Identities != 3 || result.Changed != 2 || result.Warnings != 1 || f.transactions() != 1 {
		t.Errorf("%+v in %d transactions, want all of it in one", result, f.transactions())
	}
	if n := f.count(`SELECT count(*) FROM muster_jobs.river_job WHERE kind = 'muster_run_task'`); n != 0 {
		t.Errorf("%d jobs of tasks that are done wait for a worker", n)
	}
}

// What follows from one of them belongs to its own task, which ends after it.
func TestSmallTasksTogetherConsequences(t *testing.T) {
	t.Parallel()
	f := newTogether(t, engine.Guard{})
	f.aggregate("Directory", "sam,mail,emp,groups,active\nnew,new@example.com,,,true\n", engine.AggregateOptions{})
	// Nobody has number 9 yet, whom the fifth is managed by then.
	f.change(`5,Dee Strauß,Dee,Strauß,dee@example.com,Sales,9,25,inactive`)
	f.process()
	f.tasks = nil
	f.change(`2,Bob Three,Bob,Three,bob@example.com,Sales,3,41,leave`, `9,Ina Nine,Ina,Nine,new@example.com,Sales,1,44,active`)
	f.process()
	tasks := f.ended("SUCCESS", "SUCCESS")
	if f.find("5").ManagerRef == nil || f.find("5").ManagerRef.ID != f.find("9").ID {
		t.Errorf("the manager of 5 is %+v, want 9", f.find("5").ManagerRef)
	}
	// The second task: the new identity, who is managed by it, and itself with the account that it found.
	a, b := tasks[0].Attributes, tasks[1].Attributes
	if a.IdentityCount != 1 || a.CorrelatedCount != 0 || b.IdentityCount != 3 || b.CorrelatedCount != 1 {
		t.Errorf("%+v, %+v", a, b)
	}
}

// One that cannot be written, one that is cancelled and one that the guard stops do not keep the others from their end.
func TestSmallTasksTogetherFaults(t *testing.T) {
	t.Parallel()
	t.Run("error", func(t *testing.T) {
		t.Parallel()
		f := newTogether(t, engine.Guard{})
		f.exec(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.alias = '4' AND NEW.processing_state IS NULL THEN RAISE EXCEPTION 'refused'; END IF;
			RETURN NEW; END $$`,
			`CREATE TRIGGER refuse BEFORE UPDATE ON muster.identities FOR EACH ROW EXECUTE FUNCTION refuse()`)
		f.change(`5,Dee New,Dee,New,dee@example.com,Sales,3,25,inactive`, `4,Cy New,Cy,New,cy@example.com,Legal,1,20,active`,
			`1,Ann New,Ann,New,ann@example.com,Board,,60,`)
		f.process()
		tasks := f.ended("SUCCESS", "WARNING", "SUCCESS")
		if len(tasks[1].Messages) != 1 || f.find("4").ProcessingState == nil || f.find("5").Name != "Dee New" ||
			f.find("1").Name != "Ann New" {
			t.Errorf("%+v, %+v", tasks[1].Messages, f.find("4"))
		}
	})
	t.Run("guard", func(t *testing.T) {
		t.Parallel()
		f := newTogether(t, engine.Guard{Share: 0.0001, Minimum: 1})
		f.change(`5,Dee New,Dee,New,dee@example.com,Sales,3,25,inactive`)
		result := f.aggregate("HR", hrHeader+"1,Ann Boss,Ann,Boss,ann@example.com,Board,,60,leave\n"+
			`3,"Ünal, Ayşe",Ayşe,Ünal,ayse@example.com,Sales,1,33,leave`+"\n", engine.AggregateOptions{Delta: true})
		if held := f.process().Held; !slices.Equal(held, []string{result.Task}) {
			t.Errorf("held are %q, want %s", held, result.Task)
		}
		f.ended("SUCCESS")
		if f.find("5").Name != "Dee New" {
			t.Errorf("%+v", f.find("5"))
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		f := newTogether(t, engine.Guard{})
		f.change(`5,Dee New,Dee,New,dee@example.com,Sales,3,25,inactive`, `1,Ann New,Ann,New,ann@example.com,Board,,60,`)
		if _, err := f.CancelTask(t.Context(), f.tasks[1]); err != nil {
			t.Fatal(err)
		}
		f.process()
		f.ended("SUCCESS", "TERMINATED")
		if f.find("1").Name != "Ann Boss" || f.find("5").Name != "Dee New" {
			t.Errorf("%q, %q", f.find("1").Name, f.find("5").Name)
		}
	})
}

// A large task does not take up small ones, and one that is carried out by itself does not either.
func TestSmallTasksApart(t *testing.T) {
	t.Parallel()
	f := newTogether(t, engine.Guard{})
	f.change(`5,Dee New,Dee,New,dee@example.com,Sales,3,25,inactive`, `1,Ann New,Ann,New,ann@example.com,Board,,60,`)
	if _, err := f.ProcessTask(t.Context(), f.tasks[1], engine.ProcessOptions{}); err != nil {
		t.Fatal(err)
	}
	if f.find("5").Name == "Dee New" || f.find("1").Name != "Ann New" {
		t.Errorf("%q, %q", f.find("5").Name, f.find("1").Name)
	}
	f.process()
	f.ended("SUCCESS", "SUCCESS")
}
