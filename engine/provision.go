package engine

import (
	"context"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/provisioning"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/store"
)

// Operation is one change of one account on a source, to be carried out or carried out.
type Operation struct {
	ID             string        `json:"id"`
	Identity       Reference     `json:"identity"`
	Source         Reference     `json:"source"`
	NativeIdentity string        `json:"nativeIdentity,omitempty"` // of the account; empty until one is created
	Kind           string        `json:"operation"`
	Attributes     attribute.Set `json:"attributes"`
	Reason         string        `json:"reason"`
	// Actor is for whom the operation was planned: who launched the task that planned it. All texts are empty where it
	// was planned before that was recorded.
	Actor    Actor  `json:"actor"`
	Task     string `json:"task,omitempty"` // which planned it; it is forgotten before the operation
	State    string `json:"state"`          // OPEN, MANUAL, PARKED, DONE, FAILED, RETRIED or CANCELLED
	Attempts int    `json:"attempts"`
	Error    string `json:"error,omitempty"` // of the last attempt; empty once it is DONE
	// Outcome says what came of it where that is not what was asked: the account was there already and was linked, or
	// it is gone or another identity's.
	Outcome   string     `json:"outcome,omitempty"`
	Created   time.Time  `json:"created"`
	Begun     *time.Time `json:"begun"`     // when it was tried first
	Completed *time.Time `json:"completed"` // when it ended, good or bad
	Parking   *Parking   `json:"parking,omitempty"`
}

// Parking says why an operation is held back.
type Parking struct {
	Since time.Time `json:"since"`
	Cause string    `json:"cause"`
	By    Actor     `json:"by"` // empty where the operation went round: see [OperationsPerDayMax]
	// Awaits is AGGREGATION for the creation of an account that waits for the first complete aggregation of its source,
	// which ends the waiting by itself. It is empty for what a person must release.
	Awaits string `json:"awaits,omitempty"`
}

// OperationQuery selects operations. The zero OperationQuery selects the latest.
type OperationQuery struct {
	Identity string   // its ID
	Source   string   // its ID or name
	States   []string // empty for any
	Limit    int      // defaults to [OperationsMax], which is also the most
	Offset   int
}

// OperationsMax is how many operations one call of [Engine.Operations] returns.
const OperationsMax = 1000

// Operations returns operations, the latest first.
func (e *Engine) Operations(ctx context.Context, q OperationQuery) ([]Operation, error) {
	const op = "list the operations"
	if q.Limit == 0 {
		q.Limit = OperationsMax
	}
	if q.Limit < 0 || q.Limit > OperationsMax || q.Offset < 0 {
		return nil, fault.Invalidf(op, "",
			"limit %d and offset %d: a limit of 1 to %d and an offset from 0 are allowed",
			q.Limit, q.Offset, OperationsMax)
	}
	filter, err := e.operationFilter(ctx, op, &q)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	rows, err := e.tenant.Store.Operations(ctx, e.tenant.Pool, filter, q.Limit, q.Offset)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	operations := make([]Operation, len(rows))
	for i := range rows {
		if operations[i], err = operationOf(&rows[i]); err != nil {
			return nil, fault.Wrap(op, operations[i].ID, err)
		}
	}
	return operations, nil
}

// operationFilter checks what a query asks for.
func (e *Engine) operationFilter(ctx context.Context, op string, q *OperationQuery) (store.OperationFilter, error) {
	filter := store.OperationFilter{States: q.States}
	known := []string{store.OperationOpen, store.OperationManual, store.OperationParked, store.OperationDone,
		store.OperationFailed, store.OperationRetried, store.OperationCancelled}
	for _, state := range q.States {
		if !slices.Contains(known, state) {
			return filter, fault.Invalidf(op, "state", "%q is unknown: %q are known", state, known)
		}
	}
	if q.Identity != "" {
		id, known := store.IDOf(q.Identity)
		if !known {
			return filter, fault.NoIdentity(op, q.Identity)
		}
		filter.IdentityID = id
	}
	if q.Source != "" {
		c, err := e.tenant.CurrentConfiguration(ctx)
		if err != nil {
			return filter, err
		}
		source := c.SourceByName(q.Source)
		if source == nil {
			return filter, c.NoSource(op, q.Source)
		}
		filter.SourceID = source.RowID
	}
	return filter, nil
}

// operationOf gives a row its published shape.
func operationOf(r *store.ListedOperation) (Operation, error) {
	o := Operation{ID: r.ID.String(), NativeIdentity: r.NativeIdentity, Kind: r.Kind, Reason: r.Reason,
		Identity: Reference{Type: "IDENTITY", ID: r.IdentityID.String(), Name: store.TextOf(r.IdentityName)},
		Source:   Reference{Type: string(TypeSource), ID: r.SourceID.String(), Name: r.SourceName},
		Actor:    Actor(r.Actor), Task: r.TaskID.String(), State: r.State,
		Attempts: r.Attempts, Error: store.TextOf(r.Error), Outcome: store.TextOf(r.Outcome),
		Created: r.Created.UTC(), Begun: utc(r.Begun), Completed: utc(r.Completed)}
	if r.Parked != nil {
		o.Parking = &Parking{Since: r.Parked.UTC(), Cause: store.TextOf(r.ParkedCause), By: Actor{
			ID: store.TextOf(r.ParkerID), Name: store.TextOf(r.ParkerName), Via: store.TextOf(r.ParkerVia)},
			Awaits: store.TextOf(r.Awaits)}
	}
	err := o.Attributes.Decode(r.Attributes)
	return o, err
}

// The limits of provisioning.
const (
	// OperationAttemptsMax is how often an operation is tried, over some hours, before it is given up: 10 times. If the
	// access is still wanted, the next processing of the identity opens another one.
	OperationAttemptsMax = task.OperationAttemptsMax
	// OperationTimeout ends an operation that its source does not answer: 2 minutes.
	OperationTimeout = provisioning.OperationTimeout
)

// SetPassword gives a password to the accounts that an identity has on a source, named by ID or by name: at once and by
// the source's connector. The password is stored nowhere.
func (e *Engine) SetPassword(ctx context.Context, identity, source, password string) error {
	return e.provisioner.SetPassword(ctx, identity, source, password)
}

// ProvisionResult says what [Engine.ProvisionPending] did.
type ProvisionResult struct {
	Done   int `json:"done"`
	Failed int `json:"failed"` // attempts
	Open   int `json:"open"`   // operations that are still to be done
}

// ProvisionPending tries every operation that is open, once. It is for programs that have no workers running; any
// number of callers may do it at the same time, beside workers. It requests the processing of the identities whose
// accounts it changes.
func (e *Engine) ProvisionPending(ctx context.Context) (ProvisionResult, error) {
	result, err := e.provisioner.ProvisionPending(ctx)
	return ProvisionResult(result), err
}
