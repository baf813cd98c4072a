package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

func location(t *testing.T, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Eight engines look at the clock at once, every twenty minutes over the days around both changes of the clocks. Every
// 08:00 and 20:00 of the local time is begun once, and nothing else is.
func TestSlotsOverClockChanges(t *testing.T) {
	t.Parallel()
	for _, zone := range []struct {
		name string
		from []string // days before a change of the clocks
	}{
		{"Europe/Berlin", []string{"2026-03-28", "2026-10-24"}},
		{"America/New_York", []string{"2026-03-07", "2026-10-31"}},
		{"Australia/Lord_Howe", []string{"2026-04-04", "2026-10-03"}}, // half an hour
	} {
		t.Run(zone.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			local := location(t, zone.name)
			var c enginetest.Clock
			engines := make([]*engine.Engine, 8)
			for i := range engines {
				eng, err := engine.New(t.Context(), f.Pool, engine.Config{Location: local, Now: c.Now})
				if err != nil {
					t.Fatal(err)
				}
				engines[i] = eng
			}
			for _, day := range zone.from {
				start, err := time.ParseInLocation("2006-01-02 15:04", day+" 07:30", local)
				if err != nil {
					t.Fatal(err)
				}
				offset := start.Format("-07:00")
				var begun []string
				for at := start; at.Before(start.Add(50 * time.Hour)); at = at.Add(20 * time.Minute) {
					c.Set(at)
					var taken atomic.Int32
					var group sync.WaitGroup
					for _, eng := range engines {
						group.Go(func() {
							result, err := eng.RunSchedule(t.Context())
							if err != nil {
								t.Error(err)
							}
							if !result.Slot.IsZero() {
								taken.Add(1)
							}
						})
					}
					group.Wait()
					switch n := taken.Load(); {
					case n > 1:
						t.Errorf("%d engines begun the slot at %v", n, at)
					case n == 1:
						begun = append(begun, at.Format("02 15:04"))
					}
				}
				first := start.Format("02")
				var want []string
				want = append(want, first+" 07:30") // the slot of the evening before is made up for
				for i := range 3 {
					d := start.AddDate(0, 0, i).Format("02")
					want = append(want, d+" 08:10", d+" 20:10")
				}
				got := strings.Join(begun, ", ")
				// Twenty minutes from 07:30 on meet the slots at ten minutes past, also when the clocks are changed by
				// an hour; by half an hour they meet some of them at the hour.
				for i, w := range want[:min(len(want), len(begun))] {
					if begun[i][:5] != w[:5] {
						t.Errorf("the slots of %s (%s) were begun at %s", day, offset, got)
						break
					}
				}
				if len(begun) < 5 || len(begun) > 6 {
					t.Errorf("the slots of %s were begun at %s", day, got)
				}
			}
			slots, err := engines[0].Schedule(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, slot := range slots.Last {
				if text := slot.Slot.Format("15:04:05"); text != "08:00:00" && text != "20:00:00" {
					t.Errorf("a slot is at %s local time", slot.Slot)
				}
			}
			if text := slots.Next[0].Slot.Format("15:04"); text != "08:00" && text != "20:00" {
				t.Errorf("the next slot is at %s", text)
			}
		})
	}
}

// After three days without any engine the last slot is made up for, once.
func TestMissedSlotsAreMadeUpForOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var c enginetest.Clock
	c.Set(time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC))
	eng, err := engine.New(t.Context(), f.Pool, engine.Config{Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	run := func() string {
		t.Helper()
		result, err := eng.RunSchedule(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return result.Slot.Format("02 15")
	}
	if got := run(); got != "01 08" {
		t.Errorf("at the hour itself the slot is %s, want %q", got, "01 08")
	}
	c.Set(time.Date(2026, 5, 4, 19, 59, 59, 0, time.UTC))
	if got := run() + run(); got != "04 08"+(time.Time{}).Format("02 15") {
		t.Errorf("the slots are %s", got)
	}
}

const timedConfig = `
  - name: Register
    connector: delimited-file
    schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: until}, {name: next}]}]
identityProfiles:
  - name: Guests
    authoritativeSource: {name: Register}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: Register, attributeName: id}}}
        - {identityAttributeName: nextProcessing, transformDefinition: {type: accountAttribute, attributes: {sourceName: Register, attributeName: next}}}
        - identityAttributeName: cloudLifecycleState
          transformDefinition:
            type: dateCompare
            attributes:
              firstDate: {type: accountAttribute, attributes: {sourceName: Register, attributeName: until}}
              secondDate: now
              operator: GT
              positiveCondition: active
              negativeCondition: inactive
    lifecycleStates: [{name: Gone, technicalName: gone, identityState: INACTIVE_LONG_TERM}]
`

// An identity changes its lifecycle state at the point in time at which its dates say so, not at the next slot.
func TestDueInTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var c enginetest.Clock
	day := time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)
	c.Set(day)
	eng, err := engine.New(t.Context(), f.Pool, engine.Config{Now: c.Now, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	f.Engine = eng
	f.ApplyText("sources:" + timedConfig)
	f.AggregateText("Register", "id,until,next\nann,2026-05-01T12:30:00.000Z,\nbob,2027-01-01T00:00:00.000Z,2026-05-01T15:00:00+02:00\n"+
		"cy,2027-01-01T00:00:00.000Z,tomorrow\n", engine.AggregateOptions{})
	if result := f.Process(); result.Warnings != 3 { // they all are incomplete
		t.Errorf("got %+v, want result.Warnings == 3", result)
	}
	at := func(hour, minute int) engine.ScheduleResult {
		t.Helper()
		c.Set(time.Date(2026, 5, 1, hour, minute, 0, 0, time.UTC))
		result, err := eng.RunSchedule(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	at(9, 0)
	f.Process()
	if n := f.CountRows(`muster.task_messages WHERE text LIKE 'nextProcessing is no point%'`); n != 1 {
		t.Errorf("%d messages say that a nextProcessing cannot be read, want 1", n)
	}
	for _, step := range []struct {
		hour, minute, tasks int
		state               string
	}{{12, 29, 0, "active"}, {12, 31, 1, "inactive"}, {12, 59, 0, "inactive"}, {13, 1, 1, "inactive"}, {13, 2, 0, "inactive"}} {
		result := at(step.hour, step.minute)
		f.Process()
		if len(result.Tasks) != step.tasks || f.Identity("ann").LifecycleState.StateName != step.state {
			t.Errorf("at %d:%d: %d tasks, the state is %s", step.hour, step.minute, len(result.Tasks), f.Identity("ann").LifecycleState.StateName)
		}
	}
	slot := at(20, 0)
	if len(slot.Tasks) != 1 {
		t.Fatalf("got %+v, want 1 Tasks", slot)
	}
	task, err := f.Task(t.Context(), slot.Tasks[0])
	if err != nil || !task.Ended() || *task.CompletionStatus != "SUCCESS" || task.Launched == nil {
		t.Errorf("the task of a slot at which nobody was due is %+v, %v", task, err)
	}
	schedule, err := eng.Schedule(t.Context(), 1)
	if err != nil || schedule.Last[0].Identities != 0 || schedule.Last[0].Slot.Hour() != 20 {
		t.Errorf("got %+v, %v, want err == nil && schedule.Last[0].Identities == 0 && schedule.Last[0].Slot.Hour() == 20", schedule, err)
	}
}

// Who is long-term inactive is left out by the schedule, and is processed when named.
func TestLongTermInactiveIsLeftOut(t *testing.T) {
	t.Parallel()
	var c enginetest.Clock
	day := time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)
	c.Set(day)
	f := newFixtureWith(t, engine.Config{Now: c.Now, Workers: 1})
	f.ApplyText("sources:" + timedConfig)
	f.AggregateText("Register", "id,until,next\nann,2026-05-01T12:30:00.000Z,\nbob,2026-05-01T12:30:00.000Z,\n",
		engine.AggregateOptions{})
	f.Process()
	ann := f.Identity("ann").ID
	if _, err := f.SetLifecycleState(t.Context(), ann, "gone"); err != nil {
		t.Fatal(err)
	}
	f.Process()
	c.Set(day.Add(24 * time.Hour))
	if _, err := f.RunSchedule(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result := f.Process(); result.Identities != 1 || f.Identity("bob").LifecycleState.StateName != "inactive" {
		t.Errorf("got %+v, want result.Identities == 1 && f.Identity(\"bob\").LifecycleState.StateName == \"inactive\"", result)
	}
	if _, err := f.ProcessIdentities(t.Context(), []string{ann}); err != nil {
		t.Fatal(err)
	}
	if result := f.Process(); result.Identities != 1 {
		t.Errorf("got %+v, want Identities 1", result)
	}
}

// A worker that is gone leaves its task to others.
func TestStalledTaskGetsAnotherJob(t *testing.T) {
	t.Parallel()
	f := company(t)
	task, err := f.ProcessAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	jobs := func() int {
		return f.jobs("muster_run_task")
	}
	stall := func(state string) {
		t.Helper()
		f.execute(`UPDATE muster.tasks SET modified = now() - interval '10 minutes' WHERE completed IS NULL`)
		f.execute(fmt.Sprintf(`UPDATE muster_jobs.river_job SET state = '%s'`, state))
		if _, err := f.RunSchedule(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	waiting := jobs()
	stall("available")
	before := jobs()
	if before > waiting+1 { // that of the slot
		t.Errorf("a task whose job waits for its turn has %d more", before-waiting-1)
	}
	stall("running")
	if jobs() <= before {
		t.Error("a task whose worker is gone has no new job")
	}
	if _, err := f.ProcessTask(t.Context(), task.ID, engine.ProcessOptions{}); err != nil {
		t.Fatal(err)
	}
}

// The requests that an ended task did not reach are released, and a task that ended long ago is forgotten. Other tasks
// are not touched.
func TestScheduleTidies(t *testing.T) {
	t.Parallel()
	f := company(t)
	var tasks []string
	for _, alias := range []string{"ann", "bob", "ayse", "cy"} {
		task, err := f.ProcessIdentities(t.Context(), []string{f.Identity(alias).ID})
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, task.ID)
	}
	f.execute(`UPDATE muster.tasks SET completed = now(), completion_status = 'TERMINATED' WHERE id = $1::uuid`, tasks[1])
	f.execute(`UPDATE muster.tasks SET created = now() - interval '91 days', completed = now() - interval '90 days 1 hour',
		completion_status = 'SUCCESS' WHERE id = $1::uuid`, tasks[3])
	if _, err := f.RunSchedule(t.Context()); err != nil {
		t.Fatal(err)
	}
	waits := func(task string) int {
		t.Helper()
		return f.CountRows(`muster.refresh_requests WHERE task_id = '` + task + `'`)
	}
	if got := []int{waits(tasks[0]), waits(tasks[1]), waits(tasks[2])}; !slices.Equal(got, []int{1, 0, 1}) {
		t.Errorf("%v identities wait for the tasks, of which the second ended", got)
	}
	if n := f.dueLater(); n != 1 {
		t.Errorf("%d identities are due at the next slot, want 1", n)
	}
	_, err := f.Task(t.Context(), tasks[3])
	demandKind(t, err, engine.NotFound, "no task with this ID")
}
