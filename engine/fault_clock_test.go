package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// registerConfig has guests who are inactive when their time is over.
const registerConfig = "sources:" + timedConfig

// The clock of an engine that was a year ahead for a while is put right: what it did is found and mended, and everything
// that goes by the clock goes on.
func TestClockJumpsAhead(t *testing.T) {
	t.Parallel()
	var c enginetest.Clock
	day := time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)
	c.Set(day)
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{Now: c.Now})
	f.ApplyText(registerConfig)
	f.AggregateText("Register", "id,until,next\ngil,2026-12-01T00:00:00.000Z,\n", engine.AggregateOptions{})
	f.look()
	f.Process()
	state := func() string { return f.Identity("gil").LifecycleState.StateName }
	if got := state(); got != "active" {
		t.Fatalf("the state is %s", got)
	}
	c.Set(day.AddDate(1, 0, 0))
	f.look()
	f.Process()
	if got := state(); got != "inactive" {
		t.Errorf("a year later the state is %s, want %q", got, "inactive")
	}
	// Workers that have a task, a batch and a message die now.
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: f.Identity("ann").ID, Role: "Lead"}); err != nil {
		t.Fatal(err)
	}
	f.Process()
	task, err := f.ProcessAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.execute(`UPDATE muster.provisioning_batches SET leased = $1`, c.Now().Add(3*time.Minute))
	f.execute(`UPDATE muster_jobs.river_job SET state = 'discarded', finalized_at = now() WHERE state = 'available'`)

	c.Set(day.Add(10 * time.Minute))
	d := f.doctor(engine.DoctorOptions{})
	if found := notOK(&d); !slices.ContainsFunc(found, func(text string) bool { return len(text) > 14 && text[:14] == "refresh-future" }) {
		t.Errorf("the doctor finds %q", found)
	}
	f.look()
	for _, kind := range []string{"muster_run_task", "muster_provision"} {
		if n := f.CountRows(`muster_jobs.river_job WHERE state = 'available' AND kind = '` + kind + `'`); n == 0 {
			t.Errorf("what a worker did that is gone has no new job: %s", kind)
		}
	}
	if _, err := f.ProcessTask(t.Context(), task.ID, engine.ProcessOptions{}); err != nil {
		t.Fatal(err)
	}
	if result, err := f.ProvisionPending(t.Context()); err != nil || result.Done == 0 || result.Open != 0 {
		t.Errorf("got %+v and the error %v, want Done above 0 and Open 0", result, err)
	}
	if _, err := f.Doctor(t.Context(), engine.DoctorOptions{Repair: true}); err != nil {
		t.Fatal(err)
	}
	f.Process()
	if got := state(); got != "active" {
		t.Errorf("the state is %s again, want %q", got, "active")
	}
	d = f.doctor(engine.DoctorOptions{})
	for _, text := range notOK(&d) {
		if len(text) > 14 && text[:14] == "refresh-future" {
			t.Errorf("the doctor still finds %s", text)
		}
	}
	// The slots and the sources' schedules of the present have their times.
	aggregations := func() int {
		return f.aggregationJobs("available")
	}
	c.Set(day.Add(31 * time.Minute))
	f.look()
	if n := aggregations(); n != 1 {
		t.Errorf("%d aggregations are due, want 1", n)
	}
	c.Set(day.Add(11 * time.Hour))
	result, err := f.RunSchedule(t.Context())
	if err != nil || result.Slot.Hour() != 20 || result.Slot.Year() != 2026 {
		t.Errorf("got %+v, %v, want err == nil && result.Slot.Hour() == 20 && result.Slot.Year() == 2026", result, err)
	}
}

// The clock goes back by an hour, over a slot and over the time of a source: neither is done again.
func TestClockJumpsBack(t *testing.T) {
	t.Parallel()
	var c enginetest.Clock
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	c.Set(day.Add(7 * time.Hour))
	f := memoryEngine(t, newMemory(), engine.Config{Now: c.Now})
	f.look()
	begun := func() (slots, aggregations int) {
		return f.CountRows(`muster.schedule_slots`), f.jobs("muster_aggregate_source")
	}
	for _, step := range []struct {
		minute, slots, aggregations int
	}{
		{7*60 + 29, 1, 0}, {7*60 + 31, 1, 1}, {8 * 60, 2, 1}, {8*60 + 31, 2, 2},
		{7*60 + 31, 2, 2}, {8 * 60, 2, 2}, {8*60 + 31, 2, 2}, // the hour comes again
		{9*60 + 31, 2, 3}, {20 * 60, 3, 4},
	} {
		c.Set(day.Add(time.Duration(step.minute) * time.Minute))
		f.look()
		f.execute(`UPDATE muster_jobs.river_job SET state = 'completed', finalized_at = now() WHERE kind = 'muster_aggregate_source'`)
		if slots, aggregations := begun(); slots != step.slots || aggregations != step.aggregations {
			t.Errorf("at %s: %d slots and %d aggregations, want %d and %d", c.Now().UTC().Format("15:04"), slots, aggregations, step.slots, step.aggregations)
		}
	}
}
