package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// TaskMessagesMax is how many messages of a task are kept: 100. Its attributes tell how many there were.
const TaskMessagesMax = task.TaskMessagesMax

// TaskIdentityRefresh is the kind of the tasks that process identities.
const TaskIdentityRefresh = task.TaskIdentityRefresh

// TaskRetention is how long a task can be asked for after it ended: the published time.
const TaskRetention = 90 * 24 * time.Hour

// TasksMax is how many tasks one call of [Engine.Tasks] returns.
const TasksMax = 250

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

// Task returns a task. Tasks that ended longer than [TaskRetention] ago are not found.
func (e *Engine) Task(ctx context.Context, id string) (TaskStatus, error) {
	const op = "get the task"
	task, err := e.tasks.FindTask(ctx, op, id)
	if err != nil {
		return TaskStatus{}, err
	}
	messages, err := e.tenant.Store.TaskMessages(ctx, e.tenant.Pool, task.ID)
	if err != nil {
		return TaskStatus{}, fault.Wrap(op, id, err)
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
		return nil, fault.Invalidf(op, "", "limit %d and offset %d: a limit of 1 to %d and an offset from 0 are allowed",
			q.Limit, q.Offset, TasksMax)
	}
	rows, err := e.tenant.Store.Tasks(ctx, e.tenant.Pool, e.tenant.Now().Add(-TaskRetention), q.Pending, q.Limit, q.Offset)
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
	count, err := e.tenant.Store.CountTasks(ctx, e.tenant.Pool, e.tenant.Now().Add(-TaskRetention), q.Pending)
	return count, fault.Wrap("count the tasks", "", err)
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
			return task, fault.Wrap(op, id, ctx.Err())
		case <-time.After(waitEvery):
		}
	}
}

// ConfirmTask lets a task that the guard holds go on, to its end.
func (e *Engine) ConfirmTask(ctx context.Context, id string) (TaskStatus, error) {
	const op = "confirm the task"
	row, err := e.tasks.FindTask(ctx, op, id)
	if err != nil {
		return TaskStatus{}, err
	}
	err = e.tenant.InTx(ctx, func(tx pgx.Tx) error {
		now := e.tenant.Now()
		if err := e.tenant.Store.ConfirmTask(ctx, tx, row.ID, now); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return &Error{Kind: Conflict, Op: op, Subject: id, Err: errors.New("the task is not held")}
			}
			return err
		}
		job, err := e.tasks.InsertJob(ctx, tx, row.ID, row.Everybody || row.Population >= task.BulkMin)
		if err != nil {
			return err
		}
		return e.tenant.Store.SetTaskJob(ctx, tx, row.ID, job, now)
	})
	if err != nil {
		return TaskStatus{}, fault.Wrap(op, id, err)
	}
	return e.Task(ctx, id)
}

// CancelTask ends a task before its time: batches that are committed stay, those that run are not committed. The
// identities it did not come to are due at the next scheduled time, so that what marked them is not forgotten.
func (e *Engine) CancelTask(ctx context.Context, id string) (TaskStatus, error) {
	const op = "cancel the task"
	row, err := e.tasks.FindTask(ctx, op, id)
	if err != nil {
		return TaskStatus{}, err
	}
	err = e.tasks.EndTask(ctx, row.ID, task.StatusTerminated, nil)
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

// WithLauncher returns a context whose tasks are launched by somebody: a client or a user, as [TaskStatus] shows. Their
// launcher is that of [Config] without it.
func WithLauncher(ctx context.Context, launcher string) context.Context {
	return task.WithLauncher(ctx, launcher)
}
