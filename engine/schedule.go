package engine

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/registration"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// ScheduleResult says what [Engine.RunSchedule] found to do.
type ScheduleResult struct {
	// Slot is the slot that was begun, zero when the last one was begun before.
	Slot time.Time
	// Tasks are the tasks that were launched.
	Tasks []string
}

// RunSchedule does what is due by the clock: it begins the last slot, 08:00 or 20:00 in the tenant's time zone, unless
// an engine has begun it, and launches the processing of the identities that are due, of those between the slots whose
// dates have come, the aggregation of sources by their schedules, and again what a worker did that is gone. A started
// engine calls it every half minute; calling it more often, or from many processes at once, does no harm. Of slots that
// were missed only the last one is made up for.
func (e *Engine) RunSchedule(ctx context.Context) (ScheduleResult, error) {
	const op = "run the schedule"
	now := e.tenant.Now()
	slot := e.tasks.LastSlot(now)
	due, err := e.tenant.Store.FindDue(ctx, e.tenant.Pool, e.tenant.JobSchema, store.DueTimes{Slot: slot.UTC(), Now: now,
		StalledSince: now.Add(-task.StalledAfter), TokensBefore: now.Add(-registration.TokenRetention),
		TasksBefore: now.Add(-TaskRetention)})
	if err != nil {
		return ScheduleResult{}, fault.Wrap(op, "", err)
	}
	result, err := e.runIdentities(ctx, slot, due)
	if err != nil {
		return result, fault.Wrap(op, "", err)
	}
	if err := e.aggregator.RunAggregations(ctx); err != nil {
		return result, fault.Wrap(op, "", err)
	}
	return result, fault.Wrap(op, "", e.tidy(ctx, due))
}

// runIdentities launches the processing of the identities that are due, at a slot that is to be begun or between two.
func (e *Engine) runIdentities(ctx context.Context, slot time.Time, due store.Due) (ScheduleResult, error) {
	var result ScheduleResult
	if due.Slot {
		err := e.tenant.InTx(ctx, func(tx pgx.Tx) (err error) {
			result, err = e.runSlot(ctx, tx, slot, due.Identities)
			return err
		})
		if err != nil {
			return result, err
		}
	}
	if !result.Slot.IsZero() || !due.Identities {
		return result, nil
	}
	task, err := e.runDue(ctx)
	if task != "" {
		result.Tasks = append(result.Tasks, task)
	}
	return result, err
}

// runSlot begins a slot, if nobody has. Where nobody was due its task has ended at once: it is there for those who look
// for the run. Whose time comes meanwhile is found by the next look at the clock.
func (e *Engine) runSlot(ctx context.Context, tx pgx.Tx, slot time.Time, due bool) (ScheduleResult, error) {
	cause := store.Cause{Task: store.NewID(), At: e.tenant.Now()}
	taken, err := e.tenant.Store.TakeSlot(ctx, tx, slot.UTC(), cause.Task, cause.At)
	if err != nil || !taken {
		return ScheduleResult{}, err
	}
	task := &store.Task{Launcher: "schedule",
		Description: "Scheduled processing of " + slot.Format("2006-01-02 15:04 MST")}
	result := ScheduleResult{Slot: slot, Tasks: []string{cause.Task.String()}}
	if due {
		count, err := e.tenant.Store.RequestDueRefresh(ctx, tx, "scheduled", cause)
		if err != nil {
			return ScheduleResult{}, err
		}
		task.Population = int64(count)
	}
	if task.Population == 0 {
		return result, e.tasks.AddEnded(ctx, tx, cause, task)
	}
	if err := e.tenant.Store.RecordSlot(ctx, tx, slot.UTC(), task.Population); err != nil {
		return ScheduleResult{}, err
	}
	if err := e.setPopulation(ctx, tx, task); err != nil {
		return ScheduleResult{}, err
	}
	return result, e.tasks.Launch(ctx, tx, cause, task)
}

// setPopulation makes the guard's limit of a scheduled run a share of all identities: of those that happen to be due
// together, most may well change.
func (e *Engine) setPopulation(ctx context.Context, tx pgx.Tx, task *store.Task) (err error) {
	if task.Population > int64(e.tenant.Guard.Minimum) {
		task.Population, err = e.tenant.Store.CountPopulation(ctx, tx)
	}
	return err
}

// runDue launches the processing of the identities whose time has come between two slots. It returns "" where there is
// none.
func (e *Engine) runDue(ctx context.Context) (string, error) {
	var id string
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) error {
		id = ""
		cause := store.Cause{Task: store.NewID(), At: e.tenant.Now()}
		count, err := e.tenant.Store.RequestDueRefresh(ctx, tx, "due", cause)
		if err != nil || count == 0 {
			return err
		}
		task := &store.Task{Launcher: "schedule", Population: int64(count),
			Description: "Process the identities whose time has come"}
		if err := e.setPopulation(ctx, tx, task); err != nil {
			return err
		}
		id = cause.Task.String()
		return e.tasks.Launch(ctx, tx, cause, task)
	})
	return id, err
}

// tidy gives tasks whose worker is gone a new job, lets go what ended tasks did not come to, and forgets old tasks, as
// far as there is any of it.
func (e *Engine) tidy(ctx context.Context, due store.Due) error {
	if due.Stalled || due.Old {
		if err := e.requeueAndForget(ctx); err != nil {
			return err
		}
	}
	if !due.Forsaken {
		return nil
	}
	forsaken, err := e.tenant.Store.ForsakenTasks(ctx, e.tenant.Pool)
	for _, task := range forsaken {
		if err := e.tasks.Release(ctx, task); err != nil {
			return err
		}
	}
	return err
}

func (e *Engine) requeueAndForget(ctx context.Context) error {
	return e.tenant.InTx(ctx, func(tx pgx.Tx) error {
		now := e.tenant.Now()
		if _, err := e.tasks.Requeue(ctx, tx, now, now.Add(-task.StalledAfter)); err != nil {
			return err
		}
		if err := e.tenant.Store.DeleteTokens(ctx, tx, now.Add(-registration.TokenRetention)); err != nil {
			return err
		}
		return e.tenant.Store.DeleteTasks(ctx, tx, now.Add(-TaskRetention))
	})
}

// Slot is a time of scheduled processing.
type Slot struct {
	Slot       time.Time  `json:"slot"`
	Begun      *time.Time `json:"begun"` // null for one that is to come
	TaskID     string     `json:"taskId,omitempty"`
	Identities int64      `json:"identities"` // that were due
}

// Schedule says when processing runs, in the tenant's time zone.
type Schedule struct {
	TimeZone string `json:"timeZone"`
	Next     []Slot `json:"next"` // the two slots that come
	Last     []Slot `json:"last"` // those that were begun, the latest first
}

// Schedule returns the next slots and the last ones, at most limit.
func (e *Engine) Schedule(ctx context.Context, limit int) (Schedule, error) {
	s := Schedule{TimeZone: e.tenant.Location.String(), Last: []Slot{}}
	next := e.tasks.NextSlot(e.tenant.Now())
	s.Next = []Slot{{Slot: next}, {Slot: e.tasks.NextSlot(next)}}
	rows, err := e.tenant.Store.Slots(ctx, e.tenant.Pool, limit)
	for _, row := range rows {
		s.Last = append(s.Last, Slot{row.Slot.In(e.tenant.Location), utc(&row.Begun), row.TaskID.String(),
			row.Identities})
	}
	return s, fault.Wrap("show the schedule", "", err)
}
