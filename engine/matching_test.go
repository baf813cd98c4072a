package engine_test

import (
	"testing"

	"github.com/muster-engine/muster/engine"
)

// A task takes all that match a filter when it is launched, and nobody else.
func TestProcessMatching(t *testing.T) {
	t.Parallel()
	f := company(t)
	ctx := t.Context()
	sales := engine.ListParams{AnyField: true, DefaultFilter: engine.NoDefault, Filters: `department eq "Sales"`}
	people := len(f.Names(sales))
	if people < 2 {
		t.Fatalf("%d people are in Sales", people)
	}
	count, more, err := f.CountIdentities(ctx, sales, people)
	if err != nil || count != people || more {
		t.Errorf("%d are counted, more is %t: %v", count, more, err)
	}
	if count, more, err = f.CountIdentities(ctx, sales, people-1); err != nil || count != people-1 || !more {
		t.Errorf("with a limit %d are counted, more is %t: %v", count, more, err)
	}
	task, err := f.ProcessMatching(ctx, sales)
	if err != nil || f.CountRows("muster.refresh_requests WHERE NOT synchronize") != people || task.Ended() {
		t.Errorf("the task is %+v, %v", task, err)
	}
	f.Process()
	if task, err = f.Task(ctx, task.ID); err != nil || int(task.Attributes.IdentityCount) != people {
		t.Errorf("the task is %+v, %v", task.Attributes, err)
	}
	// By the properties of the manager too, which stand in another row.
	managed := engine.ListParams{AnyField: true, DefaultFilter: engine.NoDefault, Filters: `manager.name isnull`}
	if task, err = f.SynchronizeMatching(ctx, managed); err != nil ||
		f.CountRows("muster.refresh_requests WHERE synchronize") != len(f.Names(managed)) {
		t.Errorf("the task is %+v, %v", task, err)
	}
	f.Process()
	nobody := sales
	nobody.Filters = `department eq "Nowhere"`
	if task, err = f.ProcessMatching(ctx, nobody); err != nil || !task.Ended() || *task.CompletionStatus != "SUCCESS" {
		t.Errorf("the task for nobody is %+v, %v", task, err)
	}
	everybody := engine.ListParams{DefaultFilter: engine.NoDefault}
	if task, err = f.ProcessMatching(ctx, everybody); err != nil || f.CountRows("muster.task_parts") == 0 {
		t.Errorf("the task for everybody is %+v, %v", task, err)
	}
	tasks := f.CountRows("muster.tasks")
	limit := 5
	_, err = f.ProcessMatching(ctx, engine.ListParams{Limit: &limit})
	demandKind(t, err, engine.Invalid, "all that match")
	_, err = f.SynchronizeMatching(ctx, engine.ListParams{Filters: "alias eqq"})
	demandKind(t, err, engine.Invalid, "")
	_, _, err = f.CountIdentities(ctx, sales, 0)
	demandKind(t, err, engine.Invalid, "1 or more")
	if got := f.CountRows("muster.tasks"); got != tasks {
		t.Errorf("%d tasks were launched by calls that are refused", got-tasks)
	}
}

// Those who match a filter are invited, but for the registered.
func TestInviteMatching(t *testing.T) {
	t.Parallel()
	f := company(t)
	ctx := t.Context()
	const sales = `department eq "Sales"`
	people := len(f.Names(engine.ListParams{AnyField: true, DefaultFilter: engine.NoDefault, Filters: sales}))
	if _, err := f.Pool.Exec(ctx, `UPDATE muster.identities SET cloud_status = 'REGISTERED' WHERE alias = 'bob'`); err != nil {
		t.Fatal(err)
	}
	task, err := f.InviteIdentities(ctx, engine.InviteParams{Filters: sales})
	if err != nil || f.CountRows("muster.notifications") != people-1 {
		t.Errorf("%d of %d are invited by %+v: %v", f.CountRows("muster.notifications"), people, task, err)
	}
	if task, err = f.InviteIdentities(ctx, engine.InviteParams{Filters: `alias eq "bob"`}); err != nil ||
		task.Description != "Invite 0 identities" {
		t.Errorf("for nobody the task is %+v, %v", task, err)
	}
	_, err = f.InviteIdentities(ctx, engine.InviteParams{Filters: sales, Uninvited: true})
	demandKind(t, err, engine.Invalid, "exclude")
	_, err = f.InviteIdentities(ctx, engine.InviteParams{Filters: "alias eqq"})
	demandKind(t, err, engine.Invalid, "")
}
