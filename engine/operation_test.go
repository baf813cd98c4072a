package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
)

// A worker that is paused for longer than its lease, in the middle of an operation, does no harm when it comes back:
// another one has carried the operation out meanwhile, and what the first one writes then is nothing.
func TestPausedWorker(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]error{
		"its operation succeeds": nil,
		"its operation fails":    connector.Permanent(errors.New("the connection was closed")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTarget(t, "")
			f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
			f.Process()
			paused := false
			f.during = func() error {
				if paused {
					return nil
				}
				paused = true
				f.execute(`UPDATE muster.provisioning_batches SET leased = leased - interval '1 hour'`)
				if result := f.provision(); result.Failed != 0 || result.Open != 0 {
					t.Errorf("the one who took over says %+v, want nothing failed and nothing open", result)
				}
				f.execute(`UPDATE muster.provisioning_operations SET error = 'of the one who took over'`)
				return late
			}
			if result := f.provision(); result.Done != 0 || result.Failed != 0 {
				t.Errorf("the paused worker says %+v, want nothing done and nothing failed", result)
			}
			const others = `muster.provisioning_operations WHERE state <> 'DONE' OR error <> 'of the one who took over'`
			if n := f.CountRows(others); n != 0 {
				t.Errorf("%d operations were written by the paused worker, want 0", n)
			}
			const events = `(SELECT count(*) AS n FROM muster.provisioning_operations) o,
				(SELECT count(*) AS n FROM muster.identity_events WHERE 'IDENTITY_PROVISIONED' = ANY (types)) e WHERE o.n <> e.n`
			if n := f.CountRows(events); n != 0 {
				t.Error("the history has another number of operations than were carried out")
			}
			if n := f.CountRows(`muster.provisioning_batches`); n != 0 {
				t.Errorf("%d deliveries are left, want 0", n)
			}
		})
	}
}

// untried returns a target with one open operation that nobody tried, the creation of an account for ann, and the
// operation.
func untried(t *testing.T) (*target, *engine.Operation) {
	t.Helper()
	f := newTarget(t, "")
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Sales", "Legal"), engine.AggregateOptions{})
	f.settle()
	ann := f.Identity("ann").ID
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ann, Role: "Manager on duty"}); err != nil {
		t.Fatal(err)
	}
	f.Process()
	open, err := f.Operations(t.Context(), engine.OperationQuery{States: []string{"OPEN"}})
	if err != nil || len(open) != 1 {
		t.Fatalf("open are %+v, %v, want one operation", open, err)
	}
	return f, &open[0]
}

func (f *target) park(o *engine.Operation) {
	f.t.Helper()
	if err := f.ParkOperation(f.t.Context(), o.ID, "the audit goes first"); err != nil {
		f.t.Fatal(err)
	}
}

func TestParkedOperation(t *testing.T) {
	t.Parallel()
	f, o := untried(t)
	f.park(o)
	if _, err := f.ProcessAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Process()
	if result := f.provision(); result.Done != 0 || result.Open != 0 {
		t.Errorf("got %+v, want a parked operation left alone", result)
	}
	f.demandFile("")
	list, err := f.Operations(t.Context(), engine.OperationQuery{States: []string{"PARKED"}})
	if err != nil || len(list) != 1 || list[0].ID != o.ID || list[0].Parking == nil ||
		list[0].Parking.Cause != "the audit goes first" {
		t.Fatalf("parked are %+v, %v, want the operation with its cause", list, err)
	}
	if n := f.CountRows(`muster.provisioning_operations WHERE state IN ('OPEN', 'FAILED')`); n != 0 {
		t.Errorf("%d operations were opened beside the parked one, want 0", n)
	}
	if err := f.ReleaseOperation(t.Context(), o.ID); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.demandFile("ann,Ann Boss,ann@example.com,Board,active,sales\n")
	if n := f.CountRows(`muster.provisioning_operations WHERE parked IS NOT NULL`); n != 0 {
		t.Errorf("%d operations are still marked as parked, want 0", n)
	}
}

// A parked operation that is no longer wanted is cancelled, and one of somebody who is deleted too.
func TestParkedOperationIsUnwanted(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for name, end := range map[string]func(f *target, o *engine.Operation) error{
		"revoked": func(f *target, o *engine.Operation) error {
			list, err := f.RoleAssignments(f.t.Context(), o.Identity.ID, engine.RoleAssignmentQuery{})
			if err != nil {
				return err
			}
			return f.RevokeRole(f.t.Context(), o.Identity.ID, list[0].ID)
		},
		"deleted": func(f *target, o *engine.Operation) error { return f.DeleteIdentity(f.t.Context(), o.Identity.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, o := untried(t)
			f.park(o)
			if err := end(f, o); err != nil {
				t.Fatal(err)
			}
			f.Process()
			if got := f.operations("CANCELLED"); !strings.HasPrefix(got, "CREATE") {
				t.Errorf("cancelled are %q, want the parked operation", got)
			}
			if err := f.ReleaseOperation(t.Context(), o.ID); err == nil {
				t.Error("a cancelled operation was released")
			}
			if d := f.doctor(engine.DoctorOptions{Thorough: true}); len(notOK(&d)) > 0 {
				t.Errorf("doctor finds %q, want nothing", notOK(&d))
			}
		})
	}
}

func TestParkingFaults(t *testing.T) {
	t.Parallel()
	f, o := untried(t)
	demand := func(err error, kind engine.Kind, text string) {
		t.Helper()
		if engine.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want an error of the kind %v with %q", err, kind, text)
		}
	}
	demand(f.ParkOperation(t.Context(), o.ID, " "), engine.Invalid, "1 to 1000 bytes")
	demand(f.ParkOperation(t.Context(), o.ID, strings.Repeat("x", engine.ParkedCauseMax+1)), engine.Invalid, "1 to 1000 bytes")
	demand(f.ParkOperation(t.Context(), "nothing", "why"), engine.NotFound, "no operation")
	demand(f.ReleaseOperation(t.Context(), "nothing"), engine.NotFound, "no operation")
	demand(f.ReleaseOperation(t.Context(), o.ID), engine.Conflict, "it is OPEN")
	f.park(o)
	demand(f.ParkOperation(t.Context(), o.ID, "again"), engine.Conflict, "it is PARKED")
	if err := f.ReleaseOperation(t.Context(), o.ID); err != nil {
		t.Fatal(err)
	}
	f.fails.Store(&failure{errors.New("away"), false})
	f.provision()
	demand(f.ParkOperation(t.Context(), o.ID, "too late"), engine.Conflict, "was tried")
	f.fails.Store(nil)
	f.settle()
	demand(f.ParkOperation(t.Context(), o.ID, "too late"), engine.Conflict, "it is DONE")
}
