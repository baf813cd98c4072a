package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/muster-engine/muster/store"
)

// The limits of tasks.
const (
	// TaskMessagesMax is how many messages of a task are kept. Its attributes tell how many there were.
	TaskMessagesMax = 100
	// TaskRetention is how long a task can be asked for after it ended: the published time.
	TaskRetention = 90 * 24 * time.Hour
	// TasksMax is how many tasks one call of [Engine.Tasks] returns.
	TasksMax = 250
)

// TaskIdentityRefresh is the kind of the tasks that process identities.
const TaskIdentityRefresh = "IDENTITY_REFRESH"

// The completion statuses that a task gets.
const (
	statusSuccess    = "SUCCESS"
	statusWarning    = "WARNING"
	statusError      = "ERROR"
	statusTerminated = "TERMINATED"
)

// TaskStatus is a task in the published shape.
type TaskStatus struct {
	ID                    string                 `json:"id"`
	Type                  string                 `json:"type"`
	UniqueName            string                 `json:"uniqueName"`
	Description           string                 `json:"description"`
	ParentName            *string                `json:"parentName"`
	Launcher              string                 `json:"launcher"`
	Target                *TaskTarget            `json:"target"`
	Created               time.Time              `json:"created"`
	Modified              *time.Time             `json:"modified"`
	Launched              *time.Time             `json:"launched"`
	Completed             *time.Time             `json:"completed"`
	CompletionStatus      *string                `json:"completionStatus"`
	Messages              []TaskStatusMessage    `json:"messages"`
	Returns               []TaskReturn           `json:"returns"`
	Attributes            TaskAttributes         `json:"attributes"`
	Progress              *string                `json:"progress"`
	PercentComplete       int                    `json:"percentComplete"`
	TaskDefinitionSummary *TaskDefinitionSummary `json:"taskDefinitionSummary"`

	// Held says why the task waits for a confirmation; empty when it does not.
	Held string `json:"-"`
	// Remaining is how many identities are still to be calculated.
	Remaining int `json:"-"`
}

// Ended reports whether the task has come to its end, good or bad.
func (t *TaskStatus) Ended() bool { return t.CompletionStatus != nil }

// TaskTarget is what a task is about.
type TaskTarget struct {
	ID   string  `json:"id"`
	Type *string `json:"type"` // APPLICATION, IDENTITY or null
	Name string  `json:"name"`
}

// TaskStatusMessage is something that a task has to say.
type TaskStatusMessage struct {
	Type          string         `json:"type"` // INFO, WARN or ERROR
	LocalizedText *LocalizedText `json:"localizedText"`
	Key           string         `json:"key"`
	Parameters    []any          `json:"parameters"` // the ID of the identity that it is about
}

// LocalizedText is a text and its language.
type LocalizedText struct {
	Locale  string `json:"locale"`
	Message string `json:"message"`
}

// TaskReturn names an attribute of a task.
type TaskReturn struct {
	Name          string `json:"name"`
	AttributeName string `json:"attributeName"`
}

// TaskAttributes are the counts of a task.
type TaskAttributes struct {
	IdentityCount         int64  `json:"identityCount"` // calculated
	ChangedCount          int64  `json:"changedCount"`
	ErrorCount            int64  `json:"errorCount"`
	WarningCount          int64  `json:"warningCount"`
	CorrelatedCount       int64  `json:"correlatedCount"` // accounts
	RolesGained           int64  `json:"rolesGained"`
	RolesLost             int64  `json:"rolesLost"`
	OperationCount        int64  `json:"operationCount"` // that were opened on sources
	LifecycleChangedCount int64  `json:"lifecycleChangedCount"`
	DeactivatedCount      int64  `json:"deactivatedCount"`
	MessageCount          int64  `json:"messageCount"` // all of them, also those that were not kept
	Held                  string `json:"held,omitempty"`
}

// TaskDefinitionSummary says what kind of task it is.
type TaskDefinitionSummary struct {
	ID          string         `json:"id"`
	UniqueName  string         `json:"uniqueName"`
	Description *string        `json:"description"`
	ParentName  string         `json:"parentName"`
	Executor    *string        `json:"executor"`
	Arguments   map[string]any `json:"arguments"`
}

func taskStatus(t *store.Task, messages []store.TaskMessage) TaskStatus {
	status := TaskStatus{
		ID: t.ID.String(), Type: "QUEUED_TASK", UniqueName: t.Description, Description: t.Description,
		Launcher: t.Launcher, Created: t.Created.UTC(), Modified: utc(&t.Modified), Launched: utc(t.Launched),
		Completed: utc(t.Completed), CompletionStatus: t.CompletionStatus, Messages: []TaskStatusMessage{},
		Returns: []TaskReturn{{"Identities", "identityCount"}, {"Changed", "changedCount"}, {"Errors", "errorCount"}},
		Attributes: TaskAttributes{
			IdentityCount: t.Identities, ChangedCount: t.Changed, ErrorCount: t.Errors, WarningCount: t.Warnings,
			CorrelatedCount: t.Correlated, RolesGained: t.RolesGained, RolesLost: t.RolesLost,
			OperationCount:        t.Operations,
			LifecycleChangedCount: t.LifecycleChanged, DeactivatedCount: t.Deactivated, MessageCount: t.Messages,
		},
		TaskDefinitionSummary: &TaskDefinitionSummary{
			ID: t.Kind, UniqueName: t.Kind, ParentName: t.Kind, Arguments: map[string]any{},
		},
		Remaining: int(t.Remaining),
	}
	if t.TargetType != nil {
		status.Target = &TaskTarget{ID: t.TargetID.String(), Type: t.TargetType, Name: store.TextOf(t.TargetName)}
	}
	for _, m := range messages {
		message := TaskStatusMessage{Type: m.Type, Key: m.Key, Parameters: []any{},
			LocalizedText: &LocalizedText{Locale: "en-US", Message: m.Text}}
		if !m.IdentityID.IsZero() {
			message.Parameters = append(message.Parameters, m.IdentityID.String())
		}
		status.Messages = append(status.Messages, message)
	}
	progress := "Waiting"
	switch {
	case t.Completed != nil:
		progress = "Completed"
		status.PercentComplete = 100
	case t.Held != nil:
		status.Held = store.TextOf(t.HeldReason)
		status.Attributes.Held = status.Held
		progress = "Held: waits for a confirmation"
	case t.Launched != nil:
		progress = fmt.Sprintf("Started: %d of %d identities", t.Identities, t.Identities+t.Remaining)
	}
	if t.Completed == nil && t.Identities > 0 {
		status.PercentComplete = int(min(99, 100*t.Identities/(t.Identities+t.Remaining)))
	}
	status.Progress = &progress
	return status
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	inUTC := t.UTC()
	return &inUTC
}

// The queues of jobs: one for what concerns few identities, one for long runs, so that these do not hold up those.
const (
	queueEvents = river.QueueDefault
	queueBulk   = "bulk"
	// queueProvisioning is for what waits for sources.
	queueProvisioning = "provisioning"
	queueAggregation  = "aggregation"
	queueNotification = "notification"
)

// bulkMin is from how many identities on a run is a long one.
const bulkMin = 10_000

type launcherKey struct{}

// WithLauncher returns a context whose tasks are launched by somebody: a client or a user, as [TaskStatus] shows. Their
// launcher is that of [Config] without it.
func WithLauncher(ctx context.Context, launcher string) context.Context {
	return context.WithValue(ctx, launcherKey{}, launcher)
}

func (e *Engine) launcher(ctx context.Context) string {
	if launcher, ok := ctx.Value(launcherKey{}).(string); ok && launcher != "" && store.Storable(launcher) {
		return launcher
	}
	return e.config.Launcher
}

// launch writes a task and the job that carries it out, in the transaction that made its requests.
func (e *Engine) launch(ctx context.Context, tx pgx.Tx, cause store.Cause, row *store.Task) error {
	return e.launchAt(ctx, tx, cause, row, time.Time{})
}

// launchAt is launch with a scheduled job; the zero time is at once.
func (e *Engine) launchAt(ctx context.Context, tx pgx.Tx, cause store.Cause, row *store.Task, at time.Time) error {
	row.ID, row.Created, row.Modified, row.Kind = cause.Task, cause.At, cause.At, TaskIdentityRefresh
	if row.Launcher == "" {
		row.Launcher = e.launcher(ctx)
	}
	job, err := e.insertJobAt(ctx, tx, row.ID, row.Everybody || row.Population >= bulkMin, at)
	if err != nil {
		return err
	}
	row.JobID = &job
	return e.store.AddTask(ctx, tx, row)
}

// addEnded writes a task that has ended at once, for there is nothing to do.
func (e *Engine) addEnded(ctx context.Context, tx pgx.Tx, cause store.Cause, row *store.Task) error {
	row.ID, row.Created, row.Modified, row.Kind = cause.Task, cause.At, cause.At, TaskIdentityRefresh
	row.Completed, row.CompletionStatus = &cause.At, store.NullText(statusSuccess)
	return e.store.AddTask(ctx, tx, row)
}

func (e *Engine) insertJob(ctx context.Context, tx pgx.Tx, task store.ID, bulk bool) (int64, error) {
	return e.insertJobAt(ctx, tx, task, bulk, time.Time{})
}

func (e *Engine) insertJobAt(ctx context.Context, tx pgx.Tx, task store.ID, bulk bool, at time.Time) (int64, error) {
	options := &river.InsertOpts{Queue: queueEvents, MaxAttempts: runAttemptsMax, ScheduledAt: at}
	if bulk {
		options.Queue = queueBulk
	}
	return e.insert(ctx, tx, runTask{Task: task.String()}, options)
}

// insert writes a job and returns its ID.
func (e *Engine) insert(ctx context.Context, tx pgx.Tx, args river.JobArgs, options *river.InsertOpts) (int64, error) {
	inserted, err := e.jobs.InsertTx(ctx, tx, args, options)
	if err != nil {
		return 0, store.MapError(err)
	}
	return inserted.Job.ID, nil
}

// launchMarked writes the task of the requests that were made for a cause, unless there are none. population returns
// of how many identities the guard's limit is a share; it is asked only where that can matter.
func (e *Engine) launchMarked(ctx context.Context, tx pgx.Tx, cause store.Cause, description string,
	population func() (int64, error),
) (id string, marked int, err error) {
	count, err := e.store.CountTaskRequests(ctx, tx, cause.Task)
	if err != nil || count == 0 {
		return "", 0, err
	}
	task := &store.Task{Description: description, Population: count}
	if population != nil && count > int64(e.config.Guard.Minimum) {
		if task.Population, err = population(); err != nil {
			return "", 0, err
		}
	}
	return cause.Task.String(), int(count), e.launch(ctx, tx, cause, task)
}

// dropJob removes the job of a task that was carried out without it.
func (e *Engine) dropJob(ctx context.Context, id store.ID) error {
	task, err := e.store.FindTask(ctx, e.pool, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || task.JobID == nil {
		return err
	}
	_, err = e.jobs.JobDelete(ctx, *task.JobID)
	if errors.Is(err, rivertype.ErrNotFound) || errors.Is(err, rivertype.ErrJobRunning) {
		return nil // it had its turn, or has it now
	}
	return store.MapError(err)
}

func (e *Engine) findTask(ctx context.Context, op, id string) (store.Task, error) {
	parsed, err := store.ParseID(id)
	var task store.Task
	if err == nil {
		task, err = e.store.FindTask(ctx, e.pool, parsed)
	} else {
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrNotFound) {
		return task, &Error{Kind: NotFound, Op: op, Subject: id, Err: errors.New("there is no task with this ID")}
	}
	return task, wrap(op, id, err)
}

// Task returns a task. Tasks that ended longer than [TaskRetention] ago are not found.
func (e *Engine) Task(ctx context.Context, id string) (TaskStatus, error) {
	const op = "get the task"
	task, err := e.findTask(ctx, op, id)
	if err != nil {
		return TaskStatus{}, err
	}
	messages, err := e.store.TaskMessages(ctx, e.pool, task.ID)
	if err != nil {
		return TaskStatus{}, wrap(op, id, err)
	}
	return taskStatus(&task, messages), nil
}

// TaskQuery selects tasks. The zero TaskQuery selects the latest.
type TaskQuery struct {
	Pending bool // only those that have not ended
	Limit   int  // defaults to [TasksMax], which is also the most
	Offset  int
}

// Tasks returns tasks without their messages, the latest first.
func (e *Engine) Tasks(ctx context.Context, q TaskQuery) ([]TaskStatus, error) {
	const op = "list the tasks"
	if q.Limit == 0 {
		q.Limit = TasksMax
	}
	if q.Limit < 0 || q.Limit > TasksMax || q.Offset < 0 {
		return nil, invalid(op, "", "limit %d and offset %d: a limit of 1 to %d and an offset from 0 are allowed",
			q.Limit, q.Offset, TasksMax)
	}
	rows, err := e.store.Tasks(ctx, e.pool, e.now().Add(-TaskRetention), q.Pending, q.Limit, q.Offset)
	if err != nil {
		return nil, wrap(op, "", err)
	}
	tasks := make([]TaskStatus, len(rows))
	for i := range rows {
		tasks[i] = taskStatus(&rows[i], nil)
	}
	return tasks, nil
}

// CountTasks returns how many tasks a query selects, whatever its limit and offset.
func (e *Engine) CountTasks(ctx context.Context, q TaskQuery) (int, error) {
	count, err := e.store.CountTasks(ctx, e.pool, e.now().Add(-TaskRetention), q.Pending)
	return count, wrap("count the tasks", "", err)
}

// waitEvery is how often a task is looked at that somebody waits for.
const waitEvery = 50 * time.Millisecond

// Wait returns a task when it has ended, or when it is held and so waits for somebody. It does not work on it.
func (e *Engine) Wait(ctx context.Context, id string) (TaskStatus, error) {
	return e.Follow(ctx, id, func(TaskStatus) {})
}

// Follow is [Engine.Wait] that calls show each time the task has moved.
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
			return task, wrap(op, id, ctx.Err())
		case <-time.After(waitEvery):
		}
	}
}

// ConfirmTask lets a task that the guard holds go on, to its end.
func (e *Engine) ConfirmTask(ctx context.Context, id string) (TaskStatus, error) {
	const op = "confirm the task"
	row, err := e.findTask(ctx, op, id)
	if err != nil {
		return TaskStatus{}, err
	}
	err = e.inTx(ctx, func(tx pgx.Tx) error {
		now := e.now()
		if err := e.store.ConfirmTask(ctx, tx, row.ID, now); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return &Error{Kind: Conflict, Op: op, Subject: id, Err: errors.New("the task is not held")}
			}
			return err
		}
		job, err := e.insertJob(ctx, tx, row.ID, row.Everybody || row.Population >= bulkMin)
		if err != nil {
			return err
		}
		return e.store.SetTaskJob(ctx, tx, row.ID, job, now)
	})
	if err != nil {
		return TaskStatus{}, wrap(op, id, err)
	}
	return e.Task(ctx, id)
}

// CancelTask ends a task before its time: batches that are committed stay, those that run are not committed. The
// identities it did not come to are due at the next scheduled time, so that what marked them is not forgotten.
func (e *Engine) CancelTask(ctx context.Context, id string) (TaskStatus, error) {
	const op = "cancel the task"
	row, err := e.findTask(ctx, op, id)
	if err != nil {
		return TaskStatus{}, err
	}
	err = e.endTask(ctx, row.ID, statusTerminated, nil)
	if errors.Is(err, store.ErrNotFound) {
		err = &Error{Kind: Conflict, Op: op, Subject: id, Err: errors.New("the task has ended already")}
	}
	if err == nil {
		err = e.dropJob(ctx, row.ID)
	}
	if err != nil {
		return TaskStatus{}, wrap(op, id, err)
	}
	return e.Task(ctx, id)
}

// endTask ends a task that has not come to its end, in two transactions: the first keeps batches from committing, the
// second needs what they have locked. When the second fails, the schedule does it later.
func (e *Engine) endTask(ctx context.Context, id store.ID, status string, messages []store.TaskMessage) error {
	err := e.inTx(ctx, func(tx pgx.Tx) error {
		now := e.now()
		if err := e.store.EndTask(ctx, tx, id, status, now); err != nil {
			return err
		}
		return e.store.AddTaskMessages(ctx, tx, id, messages, now)
	})
	if err != nil {
		return err
	}
	return e.release(ctx, id)
}

// release lets go what a task that has ended did not come to.
func (e *Engine) release(ctx context.Context, id store.ID) error {
	return e.inTx(ctx, func(tx pgx.Tx) error {
		if err := e.store.DropTaskParts(ctx, tx, id); err != nil {
			return err
		}
		if err := e.store.CancelNotifications(ctx, tx, id, e.now()); err != nil {
			return err
		}
		_, err := e.store.ReleaseRefreshRequests(ctx, tx, id, e.nextSlot(e.now()).UTC())
		return err
	})
}
