package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// TaskIdentityRefresh is the kind of the tasks that process identities.
const TaskIdentityRefresh = task.TaskIdentityRefresh // IDENTITY_REFRESH

// The kinds of the tasks that are one piece of work: see [Engine.StartAggregation] and [Engine.StartDeletion].
const (
	TaskAggregation = task.TaskAggregation // CLOUD_ACCOUNT_AGGREGATION
	TaskRemoval     = task.TaskRemoval     // CONFIGURATION_REMOVAL
)

// TaskRetention is how long a task can be asked for after it ended: the published time.
const TaskRetention = 90 * 24 * time.Hour

// TasksMax is how many tasks one call of [Engine.Tasks] returns.
const TasksMax = 250

// TaskQuery selects tasks. The zero TaskQuery selects the latest.
type TaskQuery struct {
	Pending bool // only those that have not ended
	Limit   int  // defaults to [TasksMax], which is also the most
	Offset  int
}

// Task returns a task. Tasks that ended longer than [TaskRetention] ago are not found.
func (e *Engine) Task(ctx context.Context, id string) (TaskStatus, error) {
	const op = "get the task"
	task, err := e.tasks.FindTask(ctx, op, id)
	if err != nil {
		return TaskStatus{}, err
	}
	messages, err := e.tenant.Store.TaskMessages(ctx, e.tenant.Pool, []store.ID{task.ID})
	if err != nil {
		return TaskStatus{}, fault.Wrap(op, id, err)
	}
	survey := store.LossesOfSurvey(task.ID)
	losses, err := e.tenant.Store.Losses(ctx, e.tenant.Pool, store.LossesOfTask(task.ID), survey)
	if err != nil {
		return TaskStatus{}, fault.Wrap(op, id, err)
	}
	status := taskStatus(&task, messages)
	if err := e.addErrand(ctx, &task, &status); err != nil {
		return TaskStatus{}, fault.Wrap(op, id, err)
	}
	status.Attributes.Losses = taskLosses(losses, survey)
	status.Attributes.Parked, err = e.parkedTargets(ctx, task.ID)
	return status, fault.Wrap(op, id, err)
}

// TaskProgress returns how far tasks are, without their messages and losses: those that are there, in the order of
// their IDs, and at most [TasksMax]. It asks once for all of them, so that one caller can follow many tasks.
func (e *Engine) TaskProgress(ctx context.Context, ids []string) ([]TaskStatus, error) {
	const op = "show the progress of tasks"
	if len(ids) > TasksMax {
		return nil, fault.Invalidf(op, "", "%d tasks are given where %d are allowed", len(ids), TasksMax)
	}
	var known []store.ID
	for _, id := range ids {
		if parsed, is := store.IDOf(id); is {
			known = append(known, parsed)
		}
	}
	rows, err := e.tenant.Store.TasksByID(ctx, e.tenant.Pool, known)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	var asked []store.ID
	for i := range rows {
		if isErrand(rows[i].Kind) {
			asked = append(asked, rows[i].ID)
		}
	}
	errands := map[store.ID]store.Errand{}
	if len(asked) > 0 {
		if errands, err = e.tenant.Store.Errands(ctx, e.tenant.Pool, asked); err != nil {
			return nil, fault.Wrap(op, "", err)
		}
	}
	tasks := make([]TaskStatus, len(rows))
	for i := range rows {
		tasks[i] = taskStatus(&rows[i], nil)
		if errand, is := errands[rows[i].ID]; is {
			if err := describeErrand(&rows[i], &errand, &tasks[i]); err != nil {
				return nil, fault.Wrap(op, tasks[i].ID, err)
			}
		}
	}
	return tasks, nil
}

// Tasks returns tasks without their messages, the latest first.
func (e *Engine) Tasks(ctx context.Context, q TaskQuery) ([]TaskStatus, error) {
	const op = "list the tasks"
	if q.Limit == 0 {
		q.Limit = TasksMax
	}
	if q.Limit < 0 || q.Limit > TasksMax || q.Offset < 0 {
		return nil, fault.Invalidf(op, "",
			"limit %d and offset %d: a limit of 1 to %d and an offset from 0 are allowed", q.Limit, q.Offset, TasksMax)
	}
	since := e.tenant.Now().Add(-TaskRetention)
	rows, err := e.tenant.Store.Tasks(ctx, e.tenant.Pool, since, q.Pending, q.Limit, q.Offset)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	tasks := make([]TaskStatus, len(rows))
	for i := range rows {
		tasks[i] = taskStatus(&rows[i], nil)
	}
	return tasks, nil
}

// CountTasks returns how many tasks a query selects, whatever its limit and offset.
func (e *Engine) CountTasks(ctx context.Context, q TaskQuery) (int, error) {
	since := e.tenant.Now().Add(-TaskRetention)
	count, err := e.tenant.Store.CountTasks(ctx, e.tenant.Pool, since, q.Pending)
	return count, fault.Wrap("count the tasks", "", err)
}

// waitEvery is how often [Engine.Wait] looks at its task.
const waitEvery = 50 * time.Millisecond

// Wait returns a task when it has ended, or when it is held and so waits for a confirmation. It does not work on it.
func (e *Engine) Wait(ctx context.Context, id string) (TaskStatus, error) {
	return e.Follow(ctx, id, func(TaskStatus) {})
}

// Follow is [Engine.Wait] that calls show each time the task has advanced.
func (e *Engine) Follow(ctx context.Context, id string, show func(TaskStatus)) (TaskStatus, error) {
	const op = "wait for the task"
	shown := time.Time{}
	for {
		task, err := e.Task(ctx, id)
		if err != nil || task.Ended() || task.Held != "" {
			return task, err
		}
		if task.Modified.After(shown) {
			show(task)
			shown = *task.Modified
		}
		select {
		case <-ctx.Done():
			return task, fault.Wrap(op, id, ctx.Err())
		case <-time.After(waitEvery):
		}
	}
}

// ConfirmTask lets a task that the guard holds go on, to its end. The task records who confirmed it; what it does is
// still done by the actor that launched it.
func (e *Engine) ConfirmTask(ctx context.Context, id string) (TaskStatus, error) {
	const op = "confirm the task"
	row, err := e.tasks.FindTask(ctx, op, id)
	if err != nil {
		return TaskStatus{}, err
	}
	err = e.tenant.InTx(ctx, func(tx pgx.Tx) error {
		now := e.tenant.Now()
		if err := e.tenant.Store.EndSurvey(ctx, tx, row.ID); err != nil {
			return err
		}
		if err := e.tenant.Store.ConfirmTask(ctx, tx, row.ID, e.tenant.ActorOf(ctx), now); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return &Error{Kind: Conflict, Op: op, Subject: id, Err: errors.New("the task is not held")}
			}
			return err
		}
		job, err := e.tasks.InsertJobOf(ctx, tx, &row)
		if err != nil {
			return err
		}
		if err := e.tenant.Store.SetTaskJob(ctx, tx, row.ID, job, now); err != nil {
			return err
		}
		// Who confirms a task has seen what the configuration takes away: that counts from zero again.
		version, err := e.tenant.Store.LatestVersion(ctx, tx)
		if err != nil {
			return err
		}
		return e.tenant.Store.ForgetLosses(ctx, tx, store.LossesOfVersion(version))
	})
	if err != nil {
		return TaskStatus{}, fault.Wrap(op, id, err)
	}
	return e.Task(ctx, id)
}

// TaskEnd says how a task ends that somebody ends by hand.
type TaskEnd struct {
	// Status is the completion status, in any letter case: SUCCESS, WARNING, ERROR, TERMINATED or TEMPERROR.
	Status string
	// Completed is when it ended: not before it was created, and not later than now. The zero time is now.
	Completed time.Time
}

// taskClockSkew is how far the clock of the one who ends a task may be ahead.
const taskClockSkew = time.Minute

// taskEnds are the completion statuses that somebody may give.
var taskEnds = []string{task.StatusSuccess, task.StatusWarning, task.StatusError, task.StatusTerminated,
	task.StatusTempError}

// CancelTask ends a task before its time: batches that are committed stay, those that run are not committed. The
// identities that it did not come to are due at the next slot, so that their requests are not forgotten. The task
// records who cancelled it.
func (e *Engine) CancelTask(ctx context.Context, id string) (TaskStatus, error) {
	return e.endTask(ctx, "cancel the task", id, TaskEnd{Status: task.StatusTerminated})
}

// EndTask is [Engine.CancelTask] with a completion status, and a time, that somebody gives: to clear a task that hangs.
// It is a Conflict for a task that has ended already.
func (e *Engine) EndTask(ctx context.Context, id string, end TaskEnd) (TaskStatus, error) {
	return e.endTask(ctx, "end the task", id, end)
}

func (e *Engine) endTask(ctx context.Context, op, id string, end TaskEnd) (TaskStatus, error) {
	row, err := e.tasks.FindTask(ctx, op, id)
	if err != nil {
		return TaskStatus{}, err
	}
	status := strings.ToUpper(end.Status)
	if !slices.Contains(taskEnds, status) {
		return TaskStatus{}, fault.Invalidf(op, id, "completionStatus: one of %s is expected",
			strings.Join(taskEnds, ", "))
	}
	now := e.tenant.Now()
	if end.Completed.IsZero() {
		end.Completed = now
	}
	if end.Completed.After(now) && end.Completed.Before(now.Add(taskClockSkew)) {
		end.Completed = now
	}
	if end.Completed.Before(row.Created) || end.Completed.After(now) {
		return TaskStatus{}, fault.Invalidf(op, id, "completed: a time between that of the task and now is expected")
	}
	err = e.tasks.EndTaskBy(ctx, row.ID, status, e.tenant.ActorOf(ctx), end.Completed, nil)
	if errors.Is(err, store.ErrNotFound) {
		err = &Error{Kind: Conflict, Op: op, Subject: id, Err: errors.New("the task has ended already")}
	}
	if err == nil {
		err = e.tasks.DropJob(ctx, row.ID)
	}
	if err != nil {
		return TaskStatus{}, fault.Wrap(op, id, err)
	}
	return e.Task(ctx, id)
}
