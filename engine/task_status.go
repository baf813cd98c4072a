package engine

import (
	"cmp"
	"fmt"
	"time"

	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
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

	// Actor is who launched the task, and by whom everything is done that is done for it. Its name is the Launcher.
	Actor Actor `json:"-"`
	// ConfirmedBy and CancelledBy are who confirmed and who cancelled the task; nil for nobody. It was confirmed at
	// ConfirmedAt, and cancelled when it was completed.
	ConfirmedBy *Actor     `json:"-"`
	ConfirmedAt *time.Time `json:"-"`
	CancelledBy *Actor     `json:"-"`
	// Held says why the task waits for a confirmation; empty when it does not.
	Held string `json:"-"`
	// HeldAt is since when it waits for a confirmation; nil when it does not.
	HeldAt *time.Time `json:"-"`
	// Remaining is how many identities are still to be processed.
	Remaining int `json:"-"`
}

// Ended reports whether the task has ended, good or bad.
func (t *TaskStatus) Ended() bool { return t.CompletionStatus != nil }

// TaskTarget is what a task is about.
type TaskTarget struct {
	ID   string  `json:"id"`
	Type *string `json:"type"` // APPLICATION, IDENTITY or null
	Name string  `json:"name"`
}

// TaskReturn names an attribute of a task.
type TaskReturn struct {
	Name          string `json:"name"`
	AttributeName string `json:"attributeName"`
}

// TaskAttributes are the counts of a task.
type TaskAttributes struct {
	IdentityCount         int64 `json:"identityCount"` // processed
	ChangedCount          int64 `json:"changedCount"`
	ErrorCount            int64 `json:"errorCount"`
	WarningCount          int64 `json:"warningCount"`
	CorrelatedCount       int64 `json:"correlatedCount"` // accounts
	RolesGained           int64 `json:"rolesGained"`
	RolesLost             int64 `json:"rolesLost"`
	OperationCount        int64 `json:"operationCount"` // that were opened on sources
	LifecycleChangedCount int64 `json:"lifecycleChangedCount"`
	DeactivatedCount      int64 `json:"deactivatedCount"`
	// MessageCount is how many messages there were: each of each identity, also those that were not stored.
	MessageCount int64  `json:"messageCount"`
	Held         string `json:"held,omitempty"`
	// AppID is the name of the source that an aggregation was asked for, and OptimizedAggregation is "disabled" where
	// also identities are processed in whose accounts nothing changed.
	AppID                string `json:"appId,omitempty"`
	OptimizedAggregation string `json:"optimizedAggregation,omitempty"`
	// Aggregation is what an aggregation did, and Removal what a removal did. [Engine.Tasks] leaves them out.
	Aggregation *AggregateResult `json:"aggregation,omitempty"`
	Removal     *ApplyResult     `json:"removal,omitempty"`
	// Losses are what identities lost by the task and by the tasks that follow from it, as the guard counts it, the
	// most frequent first. [Engine.Tasks] leaves them out.
	Losses []TaskLoss `json:"losses,omitempty"`
	// Parked are the operations that the task planned and that are parked. [Engine.Tasks] leaves them out.
	Parked []ParkedTarget `json:"parked,omitempty"`
}

// TaskLoss counts the identities that lost something.
type TaskLoss struct {
	Kind       LossKind `json:"kind"`
	Source     string   `json:"source,omitempty"`    // where an account lost something
	Attribute  string   `json:"attribute,omitempty"` // of the identity or of the accounts of the source
	Text       string   `json:"text"`                // what the identities did, such as "lose a role"
	Identities int64    `json:"identities"`
	// Foreseen is how many the survey found that would lose it, before the first batch of the task. It is 0 where the
	// task was not surveyed.
	Foreseen int64 `json:"foreseen,omitempty"`
}

// taskLosses gives the sums of a task and of its survey the shape of a task's losses.
func taskLosses(sums []store.NamedLoss, survey store.LossCause) []TaskLoss {
	var losses []TaskLoss
	at := map[store.Loss]int{}
	for i := range sums {
		sum := &sums[i]
		k, known := at[sum.Loss]
		if !known {
			k = len(losses)
			at[sum.Loss] = k
			named := task.Loss{Loss: sum.Loss, Source: sum.Source}
			losses = append(losses, TaskLoss{Kind: LossKind(sum.Kind), Source: sum.Source, Attribute: sum.Attribute,
				Text: named.Text()})
		}
		if sum.Cause == survey {
			losses[k].Foreseen = sum.Identities
		} else {
			losses[k].Identities = sum.Identities
		}
	}
	return losses
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

// taskStatus gives a row its published shape.
func taskStatus(t *store.Task, messages []store.TaskMessageGroup) TaskStatus {
	status := TaskStatus{
		ID: t.ID.String(), Type: store.QueuedTask, UniqueName: t.Description, Description: t.Description,
		Launcher: t.Launcher, Created: t.Created.UTC(), Modified: utc(&t.Modified), Launched: utc(t.Launched),
		Completed: utc(t.Completed), CompletionStatus: t.CompletionStatus, Messages: taskMessages(messages),
		Returns: []TaskReturn{
			{Name: "Identities", AttributeName: "identityCount"},
			{Name: "Changed", AttributeName: "changedCount"},
			{Name: "Errors", AttributeName: "errorCount"},
		},
		Attributes: TaskAttributes{
			IdentityCount: t.Identities, ChangedCount: t.Changed, ErrorCount: t.Errors, WarningCount: t.Warnings,
			CorrelatedCount: t.Correlated, RolesGained: t.RolesGained, RolesLost: t.RolesLost,
			OperationCount: t.Operations, LifecycleChangedCount: t.LifecycleChanged, DeactivatedCount: t.Deactivated,
			MessageCount: t.Messages,
		},
		TaskDefinitionSummary: &TaskDefinitionSummary{
			ID: t.Kind, UniqueName: t.Kind, ParentName: t.Kind, Arguments: map[string]any{},
		},
		Actor: Actor(t.Actor()), ConfirmedBy: actorOrNil(t.Confirmer()), ConfirmedAt: utc(t.Confirmed),
		CancelledBy: actorOrNil(t.Canceller()), Remaining: int(t.Remaining),
	}
	if t.TargetType != nil {
		status.Target = &TaskTarget{ID: t.TargetID.String(), Type: t.TargetType,
			Name: cmp.Or(store.TextOf(t.TargetName), store.TextOf(t.TargetIdentity))}
	}
	terminated := store.TextOf(t.CompletionStatus) == task.StatusTerminated
	progress := "Waiting"
	switch {
	case terminated:
		progress = fmt.Sprintf("Cancelled after %d identities", t.Identities)
	case t.Completed != nil:
		progress = "Completed"
	case t.Held != nil:
		status.Held, status.HeldAt = store.TextOf(t.HeldReason), t.Held
		status.Attributes.Held = status.Held
		progress = "Held: waits for a confirmation"
	case t.Launched != nil && isErrand(t.Kind):
		progress = "Started"
	case t.Launched != nil:
		progress = fmt.Sprintf("Started: %d of %d identities", t.Identities, t.Identities+t.Remaining)
	}
	status.Progress = &progress
	switch {
	case t.Completed != nil:
		status.PercentComplete = 100
	case t.Identities > 0:
		status.PercentComplete = int(min(99, 100*t.Identities/(t.Identities+t.Remaining)))
	}
	return status
}
