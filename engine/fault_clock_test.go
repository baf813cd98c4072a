package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
)

// registerConfig has guests who are inactive when their time is over.
const registerConfig = "sources:" + timedConfig

// The clock of an engine that was a year ahead for a while is put right: what it did is found and mended, and everything
// that goes by the clock goes on.
func TestClockJumpsAhead(t *testing.T) {
	t.Parallel()
	var c clock
	day := time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)
	c.set(day)
	m := newMemory()
	f := memoryEngine(t, m, engine.Config{Now: c.now})
	f.apply(registerConfig)
	f.aggregate("Register", "id,until,next\nann,2026-12-01T00:00:00.000Z,\n", engine.AggregateOptions{})
	f.look()
	f.process()
	state := func() string { return f.find("ann").LifecycleState.StateName }
	if got := state(); got != "active" {
		t.Fatalf("the state is %s", got)
	}
	c.set(day.AddDate(1, 0, 0))
	f.look()
	f.process()
	if got := state(); got != "inactive" {
		t.Errorf("a year later the state is %s", got)
	}
	// Workers that have a task, a batch and a message die now.
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: f.find("1").ID, Role: "Lead"}); err != nil {
		t.Fatal(err)
	}
	f.process()
	task, err := f.ProcessAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.execute(`UPDATE muster.provisioning_batches SET leased = $1`, c.now().Add(3*time.Minute))
	f.execute(`UPDATE muster_jobs.river_job SET state = 'discarded', finalized_at = now() WHERE state = 'available'`)

	c.set(day.Add(10 * time.Minute))
	d := f.doctor(engine.DoctorOptions{})
	if found := notOK(&d); !slices.ContainsFunc(found, func(text string) bool { return len(text) > 14 && text[:14] == "refresh-future" }) {
		t.Errorf("the doctor finds %q", found)
	}
	f.look()
	for _, kind := range []string{"muster_run_task", "muster_provision"} {
		if n := f.count(`SELECT count(*) FROM muster_jobs.river_job WHERE state = 'available' AND kind = '` + kind + `'`); n == 0 {
			t.Errorf("what a worker did that is gone has no new job: %s", kind)
		}
	}
	if _, err := f.ProcessTask(t.Context(), task.ID, engine.ProcessOptions{}); err != nil {
		t.Fatal(err)
	}
	if result, err := f.ProvisionPending(t.Context()); err != nil || result.Done == 0 || result.Open != 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if _, err := f.Doctor(t.Context(), engine.DoctorOptions{Repair: true}); err != nil {
		t.Fatal(err)
	}
	f.process()
	if got := state(); got != "active" {
		t.Errorf("the state is %s again", got)
	}
	d = f.doctor(engine.DoctorOptions{})
	for _, text := range notOK(&d) {
		if len(text) > 14 && text[:14] == "refresh-future" {
			t.Errorf("the doctor still finds %s", text)
		}
	}
	// The slots and the sources' schedules of the present have their times.
	aggregations := func() int {
		return f.count(`SELECT count(*) FROM muster_jobs.river_job WHERE kind = 'muster_aggregate_source' AND state = 'available'`)
	}
	c.set(day.Add(31 * time.Minute))
	f.look()
	if n := aggregations(); n != 1 {
		t.Errorf("%d aggregations are due", n)
	}
	c.set(day.Add(11 * time.Hour))
	result, err := f.RunSchedule(t.Context())
	if err != nil || result.Slot.Hour() != 20 || result.Slot.Year() != 2026 {
		t.Errorf("%+v, %v", result, err)
	}
}

// The clock goes back by an hour, over a slot and over the time of a source: neither is done again.
func TestClockJumpsBack(t *testing.T) {
	t.Parallel()
	var c clock
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	c.set(day.Add(7 * time.Hour))
	f := memoryEngine(t, newMemory(), engine.Config{Now: c.now})
	f.look()
	begun := func() (slots, aggregations int) {
		return f.count(`SELECT count(*) FROM muster.schedule_slots`), f.count(`SELECT count(*) FROM muster_jobs.river_job WHERE kind = 'muster_aggregate_source'`)
	}
	for _, step := range []struct {
		minute, slots, aggregations int
	}{
		{7*60 + 29, 1, 0}, {7*60 + 31, 1, 1}, {8 * 60, 2, 1}, {8*60 + 31, 2, 2},
		{7*60 + 31, 2, 2}, {8 * 60, 2, 2}, {8*60 + 31, 2, 2}, // the hour comes again
		{9*60 + 31, 2, 3}, {20 * 60, 3, 4},
	} {
		c.set(day.Add(time.Duration(step.minute) * time.Minute))
		f.look()
		f.execute(`UPDATE muster_jobs.river_job SET state = 'completed', finalized_at = now() WHERE kind = 'muster_aggregate_source'`)
		if slots, aggregations := begun(); slots != step.slots || aggregations != step.aggregations {
			t.Errorf("at %s: %d slots and %d aggregations, want %d and %d", c.now().UTC().Format("15:04"), slots, aggregations, step.slots, step.aggregations)
		}
	}
}
