package engine

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/registration"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// ScheduleResult says what [Engine.RunSchedule] found to do.
type ScheduleResult struct {
	// Slot is the slot that this call began, zero when the last one was begun before.
	Slot time.Time
	// Tasks are the tasks that were launched.
	Tasks []string
	// StatisticsDue says that [Engine.CountStatistics] is to be called. A started engine does it itself.
	StatisticsDue bool
}

// RunSchedule does what is due by the clock. It begins the last slot, 08:00 or 20:00 in the tenant's time zone, unless
// an engine has begun it, and launches the processing of the identities that are due. Between the slots it launches the
// processing of the identities whose dates have come. It launches the aggregation of sources by their schedules, and
// launches again the work whose job or worker is gone. It numbers the events of [Engine.Events]. A started engine calls
// it every half minute; calling it more often, or from many processes at once, does no harm. Of several slots that were
// missed, only the last one is made up for.
func (e *Engine) RunSchedule(ctx context.Context) (ScheduleResult, error) {
	const op = "run the schedule"
	ctx = tenant.WithActor(ctx, tenant.ScheduleActor)
	settings, err := e.tenant.SettingsIn(ctx, e.tenant.Pool)
	if err != nil {
		return ScheduleResult{}, fault.Wrap(op, "", err)
	}
	now := e.tenant.Now()
	slot := task.LastSlot(now, settings.Location)
	quiet := e.tasks.Quiet()
	due, err := e.tenant.Store.FindDue(ctx, e.tenant.Pool, store.DueTimes{Slot: slot.UTC(), QuietTimes: quiet,
		TokensBefore: now.Add(-registration.TokenRetention), TasksBefore: now.Add(-TaskRetention),
		Silent: tenant.PresenceMax})
	if err != nil {
		return ScheduleResult{}, fault.Wrap(op, "", err)
	}
	// The slots of a new time zone that lie before the change of the zone were never missed.
	due.Slot = due.Slot && !slot.Before(settings.ZoneSince)
	result, err := e.runIdentities(ctx, now, slot, &due)
	if err != nil {
		return result, fault.Wrap(op, "", err)
	}
	if err := e.aggregator.RunAggregations(ctx); err != nil {
		return result, fault.Wrap(op, "", err)
	}
	// Replicas and a purge see the events that have positions.
	if _, err := e.tenant.NumberEvents(ctx); err != nil {
		return result, fault.Wrap(op, "", err)
	}
	result.StatisticsDue = due.Statistics // counting reads everybody, and this no more than what is due
	return result, fault.Wrap(op, "", e.tidy(ctx, &due, quiet))
}

// runIdentities launches the processing of the identities that are due: at a slot that is to begin, or between two.
func (e *Engine) runIdentities(ctx context.Context, now, slot time.Time, due *store.Due) (result ScheduleResult,
	err error,
) {
	if due.Slot {
		result, err = tenant.Transact(ctx, e.tenant, func(tx pgx.Tx) (ScheduleResult, error) {
			return e.runSlot(ctx, tx, now, slot, due.Identities)
		})
		if err != nil {
			return result, err
		}
	}
	if !result.Slot.IsZero() || !due.Identities {
		return result, nil
	}
	task, err := tenant.Transact(ctx, e.tenant, func(tx pgx.Tx) (string, error) { return e.runDue(ctx, tx) })
	if task != "" {
		result.Tasks = append(result.Tasks, task)
	}
	return result, err
}

// runSlot begins a slot, unless another engine has, or the time zone was changed meanwhile. If no identity is due, its
// task has ended at once: it is there for everyone who looks for the run. The next call finds the identities whose time
// comes meanwhile.
func (e *Engine) runSlot(ctx context.Context, tx pgx.Tx, now, slot time.Time, due bool) (ScheduleResult, error) {
	if _, err := e.tenant.Store.LockConfigurationShared(ctx, tx); err != nil {
		return ScheduleResult{}, err
	}
	settings, err := e.tenant.SettingsIn(ctx, tx)
	if err != nil || !task.LastSlot(now, settings.Location).Equal(slot) {
		return ScheduleResult{}, err
	}
	cause := e.tenant.NewCause(ctx)
	taken, err := e.tenant.Store.TakeSlot(ctx, tx, slot.UTC(), cause.Task, cause.At)
	if err != nil || !taken {
		return ScheduleResult{}, err
	}
	row := &store.Task{Description: "Scheduled processing of " + slot.Format("2006-01-02 15:04 MST")}
	result := ScheduleResult{Slot: slot, Tasks: []string{cause.Task.String()}}
	if due {
		count, err := e.tenant.Store.RequestDueRefresh(ctx, tx, "scheduled", cause)
		if err != nil {
			return ScheduleResult{}, err
		}
		row.Population, row.Requested = int64(count), int64(count)
	}
	if row.Population == 0 {
		return result, e.tasks.AddEnded(ctx, tx, cause, row)
	}
	if err := e.tenant.Store.RecordSlot(ctx, tx, slot.UTC(), row.Population); err != nil {
		return ScheduleResult{}, err
	}
	if err := e.setPopulation(ctx, tx, row); err != nil {
		return ScheduleResult{}, err
	}
	return result, e.tasks.Launch(ctx, tx, cause, row)
}

// runDue launches the processing of the identities whose time has come between two slots. It returns "" if there is
// none.
func (e *Engine) runDue(ctx context.Context, tx pgx.Tx) (string, error) {
	cause := e.tenant.NewCause(ctx)
	count, err := e.tenant.Store.RequestDueRefresh(ctx, tx, "due", cause)
	if err != nil || count == 0 {
		return "", err
	}
	task := &store.Task{Population: int64(count), Requested: int64(count),
		Description: "Process the identities whose time has come"}
	if err := e.setPopulation(ctx, tx, task); err != nil {
		return "", err
	}
	if err := e.tasks.Launch(ctx, tx, cause, task); err != nil {
		return "", err
	}
	return cause.Task.String(), nil
}

// setPopulation makes the guard's limit of a scheduled run a share of all identities: of those that happen to be due
// together, most may well change.
func (e *Engine) setPopulation(ctx context.Context, tx pgx.Tx, task *store.Task) (err error) {
	settings, err := e.tenant.SettingsIn(ctx, tx)
	if err == nil && task.Population > int64(settings.Guard.Minimum) {
		task.Population, err = e.tenant.Store.CountPopulation(ctx, tx)
	}
	return err
}

// tidy forgets engines that are gone, gives a new job to each task whose job or worker is gone, releases what ended
// tasks did not come to, and forgets old tasks. It does only what is due.
func (e *Engine) tidy(ctx context.Context, due *store.Due, at store.QuietTimes) error {
	if due.Gone {
		if err := e.tenant.Store.RemoveStaleEngines(ctx, e.tenant.Pool, tenant.PresenceMax); err != nil {
			return err
		}
	}
	if _, err := e.tasks.RequeueLostOf(ctx, due.Quiet, at); err != nil {
		return err
	}
	if due.Old {
		if err := e.forget(ctx); err != nil {
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

func (e *Engine) forget(ctx context.Context) error {
	return e.tenant.InTx(ctx, func(tx pgx.Tx) error {
		now := e.tenant.Now()
		if err := e.tenant.Store.DeleteTokens(ctx, tx, now.Add(-registration.TokenRetention)); err != nil {
			return err
		}
		return e.tenant.Store.DeleteTasks(ctx, tx, now.Add(-TaskRetention))
	})
}

// Slot is a time of scheduled processing.
type Slot struct {
	Slot       time.Time  `json:"slot"`
	Begun      *time.Time `json:"begun"` // null for one in the future
	TaskID     string     `json:"taskId,omitempty"`
	Identities int64      `json:"identities"` // that were due
}

// Schedule says when processing runs, in the tenant's time zone.
type Schedule struct {
	TimeZone string `json:"timeZone"`
	Next     []Slot `json:"next"` // the next two slots
	Last     []Slot `json:"last"` // those that were begun, the latest first
}

// Schedule returns the next two slots and the last ones, at most limit.
func (e *Engine) Schedule(ctx context.Context, limit int) (Schedule, error) {
	settings, err := e.tenant.SettingsIn(ctx, e.tenant.Pool)
	if err != nil {
		return Schedule{}, fault.Wrap("show the schedule", "", err)
	}
	zone := settings.Location
	s := Schedule{TimeZone: zone.String(), Last: []Slot{}}
	next := task.NextSlot(e.tenant.Now(), zone)
	s.Next = []Slot{{Slot: next}, {Slot: task.NextSlot(next, zone)}}
	rows, err := e.tenant.Store.Slots(ctx, e.tenant.Pool, limit)
	for _, row := range rows {
		s.Last = append(s.Last, Slot{Slot: row.Slot.In(zone), Begun: utc(&row.Begun),
			TaskID: row.TaskID.String(), Identities: row.Identities})
	}
	return s, fault.Wrap("show the schedule", "", err)
}
