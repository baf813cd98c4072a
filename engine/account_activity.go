package engine

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// AccountActivity is what the engine did for one identity in one task: the operations on sources that the task planned
// for it, or what somebody asked for. What follows from these operations by a later processing is an activity of its
// own. The shape is the published one.
type AccountActivity struct {
	// ID is that of the task where somebody asked for something of the identity, and otherwise that of the first of the
	// operations. The ID of each operation finds the activity too.
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Created   time.Time  `json:"created"`
	Modified  time.Time  `json:"modified"`
	Completed *time.Time `json:"completed"`
	// CompletionStatus is SUCCESS, FAILURE, INCOMPLETE or PENDING.
	CompletionStatus string `json:"completionStatus"`
	// Type is LifecycleStateChange, AccountStateUpdate, AccountAttributeUpdate or CloudAutomated, by what was asked for
	// or by the first operation.
	Type string `json:"type"`
	// Requester is who asked for it: the actor of the task. Null where that was not recorded.
	Requester *IdentitySummary `json:"requesterIdentitySummary"`
	Target    IdentitySummary  `json:"targetIdentitySummary"`
	Errors    []string         `json:"errors"`
	Warnings  []string         `json:"warnings"` // what is held back, and why
	Items     []ActivityItem   `json:"items"`
	// ExecutionStatus is EXECUTING, VERIFYING where people are to do something, TERMINATED or COMPLETED.
	ExecutionStatus string `json:"executionStatus"`
}

// IdentitySummary names an identity, or whoever a face knows by another ID.
type IdentitySummary struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	IdentityID string `json:"identityId,omitempty"` // empty for one who is no identity
	Completed  bool   `json:"completed"`
}

// ActivityItem is an operation of an account activity.
type ActivityItem struct {
	ID                 string    `json:"id"` // of the operation
	Name               string    `json:"name"`
	Requested          time.Time `json:"requested"`
	ProvisioningStatus string    `json:"provisioningStatus"` // PENDING, FINISHED, FAILED or RETRY
	// Operation is CREATE, MODIFY, ADD, REMOVE, ENABLE, DISABLE, UNLOCK or DELETE.
	Operation      string  `json:"operation"`
	Attribute      *string `json:"attribute"`
	Value          *string `json:"value"`
	NativeIdentity *string `json:"nativeIdentity"`
	SourceID       string  `json:"sourceId"`
}

// ActivityParams say which account activities to list. All members that are not zero must hold.
type ActivityParams struct {
	PageParams
	RequestedFor string // the ID of the identity
	RequestedBy  string // the ID of the actor, such as that of an identity
	Regarding    string // the ID of an identity that is either of the two; excludes these
}

// ListAccountActivities returns a page of account activities, the latest first unless sorters say otherwise. Errors are
// those of [Engine.ListAccounts]; identities that do not exist have no activities.
//
// An index serves the activities of an identity. All other lists read all operations.
func (e *Engine) ListAccountActivities(ctx context.Context, params ActivityParams) (Page[AccountActivity], error) {
	const op = "list the account activities"
	none := Page[AccountActivity]{Items: []AccountActivity{}}
	if params.Regarding != "" && params.RequestedFor+params.RequestedBy != "" {
		return none, fault.Invalidf(op, "regarding", "it excludes who asked, and for whom it was asked")
	}
	query := store.ActivityQuery{Requester: params.RequestedBy}
	if id, known := store.IDOf(params.RequestedBy); known {
		query.Requester = id.String()
	}
	known := store.Storable(query.Requester)
	for text, id := range map[string]*store.ID{params.RequestedFor: &query.IdentityID,
		params.Regarding: &query.Regarding} {
		var is bool
		if *id, is = store.IDOf(text); !is && text != "" {
			known = false
		}
	}
	var err error
	query.ListQuery, err = params.query(op, store.ActivitySchema(params.AnyField), newest)
	if err != nil {
		return none, err
	}
	if !known {
		if params.Count {
			none.Total = new(int)
		}
		return none, nil
	}
	var rows []store.AccountActivity
	last, total, err := e.tenant.Store.ListActivities(ctx, e.tenant.Pool, query, params.Count,
		func(row *store.AccountActivity) error {
			rows = append(rows, *row)
			return nil
		})
	if err != nil {
		return none, fault.Wrap(op, "", err)
	}
	page := none
	if page.Items, err = e.activitiesOf(ctx, rows); err != nil {
		return none, fault.Wrap(op, "", err)
	}
	page.Total, page.Next, err = pageEnd(op, params.Count, &query.ListQuery, total, last)
	return page, err
}

// GetAccountActivity returns the account activity with an ID, or the one that the operation with the ID is part of. A
// text that is no ID is not found.
func (e *Engine) GetAccountActivity(ctx context.Context, id string) (AccountActivity, error) {
	const op = "get the account activity"
	none := &Error{Kind: NotFound, Op: op, Subject: id, Err: errors.New("there is no account activity with this ID")}
	parsed, known := store.IDOf(id)
	if !known {
		return AccountActivity{}, none
	}
	row, err := e.tenant.Store.ActivityOf(ctx, e.tenant.Pool, parsed)
	if errors.Is(err, store.ErrNotFound) {
		return AccountActivity{}, none
	}
	if err != nil {
		return AccountActivity{}, fault.Wrap(op, id, err)
	}
	list, err := e.activitiesOf(ctx, []store.AccountActivity{row})
	if err != nil {
		return AccountActivity{}, fault.Wrap(op, id, err)
	}
	return list[0], nil
}

// activitiesOf gives rows their published shape.
func (e *Engine) activitiesOf(ctx context.Context, rows []store.AccountActivity) ([]AccountActivity, error) {
	list := make([]AccountActivity, len(rows))
	if len(rows) == 0 {
		return list, nil
	}
	operations, err := e.tenant.Store.ActivityOperations(ctx, e.tenant.Pool, rows)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if list[i], err = activityOf(&rows[i], operations[rows[i].ID]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func activityOf(row *store.AccountActivity, operations []store.Operation) (AccountActivity, error) {
	id := row.IdentityID.String()
	a := AccountActivity{ID: row.ID.String(), Name: row.ID.String(), Created: row.Created.UTC(),
		Modified: row.Modified.UTC(), Type: row.Type, Errors: []string{}, Warnings: []string{},
		Items:  make([]ActivityItem, len(operations)),
		Target: IdentitySummary{ID: id, Name: store.TextOf(row.IdentityName), IdentityID: id}}
	if row.RequesterID != "" {
		a.Requester = &IdentitySummary{ID: row.RequesterID, Name: row.RequesterName}
		if _, is := store.IDOf(row.RequesterID); is {
			a.Requester.IdentityID = row.RequesterID
		}
	}
	progress := activityProgress{ended: row.Created}
	if !row.TaskGone && row.TaskCompleted == nil {
		progress.open = true
	} else if row.TaskCompleted != nil && len(operations) == 0 {
		progress.end(*row.TaskCompleted)
		progress.failed = store.TextOf(row.TaskStatus) == task.StatusError
		progress.cancelled = store.TextOf(row.TaskStatus) == task.StatusTerminated
	}
	for i := range operations {
		o := &operations[i]
		var err error
		if a.Items[i], err = activityItem(o); err != nil {
			return a, err
		}
		progress.add(o)
		if o.Error != nil {
			a.Errors = append(a.Errors, *o.Error)
		}
		if o.ParkedCause != nil {
			a.Warnings = append(a.Warnings, *o.ParkedCause)
		}
	}
	a.CompletionStatus, a.ExecutionStatus = progress.status()
	if a.CompletionStatus != "PENDING" {
		a.Completed = utc(&progress.ended)
	}
	a.Target.Completed = a.Completed != nil
	return a, nil
}

// activityProgress sums up how far the operations of an activity are.
type activityProgress struct {
	open, manual, done, failed, cancelled bool
	ended                                 time.Time
}

func (p *activityProgress) add(o *store.Operation) {
	switch o.State {
	case store.OperationDone:
		p.done = true
	case store.OperationFailed, store.OperationRetried:
		p.failed = true
	case store.OperationCancelled:
		p.cancelled = true
	case store.OperationManual:
		p.manual = true
	default:
		p.open = true
	}
	if o.Completed != nil {
		p.end(*o.Completed)
	}
}

func (p *activityProgress) end(at time.Time) {
	if at.After(p.ended) {
		p.ended = at
	}
}

// status returns the published status of completion and of execution.
func (p *activityProgress) status() (completion, execution string) {
	switch {
	case p.open:
		return "PENDING", "EXECUTING"
	case p.manual:
		return "PENDING", "VERIFYING"
	case p.failed && p.done:
		return "INCOMPLETE", "COMPLETED"
	case p.failed:
		return "FAILURE", "COMPLETED"
	case p.cancelled && p.done:
		return "INCOMPLETE", "COMPLETED"
	case p.cancelled:
		return "INCOMPLETE", "TERMINATED"
	}
	return "SUCCESS", "COMPLETED"
}

// itemOperations are the published operations of items, by the kinds of operations; others have the same name.
var itemOperations = map[string]string{
	string(connector.SetAttributes): "MODIFY", string(connector.AddValues): "ADD",
	string(connector.RemoveValues): "REMOVE", string(connector.SetPassword): "SET",
}

// itemStates are the published states of items.
var itemStates = map[string]string{
	store.OperationDone: "FINISHED", store.OperationFailed: "FAILED", store.OperationRetried: "RETRY",
	store.OperationCancelled: "UNVERIFIABLE",
}

func activityItem(o *store.Operation) (ActivityItem, error) {
	item := ActivityItem{ID: o.ID.String(), Name: o.Reason, Requested: o.Created.UTC(), ProvisioningStatus: "PENDING",
		Operation: o.Kind, Attribute: store.NullText(o.Attribute), NativeIdentity: store.NullText(o.NativeIdentity),
		SourceID: o.SourceID.String()}
	if published, known := itemOperations[o.Kind]; known {
		item.Operation = published
	}
	if state, known := itemStates[o.State]; known {
		item.ProvisioningStatus = state
	}
	if o.Attribute == "" {
		return item, nil
	}
	var attributes attribute.Set
	if err := attributes.Decode(o.Attributes); err != nil {
		return item, err
	}
	if value := attributes.Get(o.Attribute); !value.IsNull() {
		text := strings.Join(value.Strings(), ", ")
		item.Value = &text
	}
	return item, nil
}
