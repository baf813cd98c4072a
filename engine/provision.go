package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// readAccess reads what the identities of the batch were given, and what is still to be done for them.
func (b *batch) readAccess(ctx context.Context) error {
	if b.config.refresh.Access == nil {
		return nil
	}
	grants, err := b.e.store.GrantsOf(ctx, b.tx, b.ids)
	if err != nil {
		return err
	}
	operations, err := b.e.store.PendingOperations(ctx, b.tx, b.ids)
	if err != nil {
		return err
	}
	taken := b.taken(ctx)
	for i := range b.snapshots {
		s := &b.snapshots[i]
		id := s.Identity.ID
		for len(grants) > 0 && grants[0].IdentityID == id {
			g := &grants[0]
			s.Grants = append(s.Grants, refresh.Held{Entitlement: refresh.Entitlement{SourceID: g.SourceID,
				Attribute: g.Attribute, Value: g.Value}, AccountID: g.AccountID})
			grants = grants[1:]
		}
		for len(operations) > 0 && operations[0].IdentityID == id {
			o, err := plannedOperation(&operations[0])
			if err != nil {
				return err
			}
			s.Operations = append(s.Operations, o)
			operations = operations[1:]
		}
		s.Synchronize = slices.Contains(b.synchronize, id)
		s.Taken = taken
	}
	return nil
}

// taken returns what tells whether a name is in use on a source: by an account, by one that is to be created, or by one
// of this batch.
func (b *batch) taken(ctx context.Context) func(refresh.ID, string) (bool, error) {
	return func(source refresh.ID, name string) (bool, error) {
		for i := range b.changes {
			for k := range b.changes[i].Access.Open {
				o := &b.changes[i].Access.Open[k]
				if o.Kind != connector.Create || o.SourceID != source {
					continue
				}
				for _, value := range o.Attributes.All() {
					if value.Text() == name {
						return true, nil
					}
				}
			}
		}
		taken, err := b.e.store.NameTaken(ctx, b.tx, source, name)
		return taken, failedLookup(err)
	}
}

// plannedOperation returns an operation as a calculation sees it.
func plannedOperation(row *store.Operation) (refresh.Operation, error) {
	o := refresh.Operation{ID: row.ID, SourceID: row.SourceID,
		AccountID: row.AccountID, NativeIdentity: row.NativeIdentity, Kind: connector.Kind(row.Kind),
		Reason: row.Reason, Failed: row.State == store.OperationFailed, Begun: row.Begun != nil,
		Manual: row.State == store.OperationManual}
	if err := o.Attributes.Decode(row.Attributes); err != nil {
		return o, fmt.Errorf("operation %s: %w", row.ID, err)
	}
	return o, nil
}

// applyAccess writes what is to be done on sources, with the jobs that do it.
func (b *batch) applyAccess(ctx context.Context) error {
	if b.config.refresh.Access == nil {
		return nil
	}
	var granted, dropped []store.AccessGrant
	settled := map[string][]store.ID{}
	settle := func(ids []refresh.ID, state string) {
		for _, id := range ids {
			settled[state] = append(settled[state], id)
		}
	}
	var open []store.Operation
	batches := map[store.ID]store.ID{} // by source
	for i := range b.changes {
		id, access := b.changes[i].After.ID, &b.changes[i].Access
		for _, held := range access.Granted {
			granted = append(granted, grantRow(id, held.Entitlement, held.AccountID))
		}
		for _, e := range access.Dropped {
			dropped = append(dropped, grantRow(id, e, refresh.ID{}))
		}
		settle(access.Fulfilled, store.OperationDone)
		settle(access.Cancelled, store.OperationCancelled)
		settle(access.Retried, store.OperationRetried)
		for k := range access.Open {
			o := b.operationRow(id, &access.Open[k])
			if o.State == store.OperationOpen {
				if batches[o.SourceID].IsZero() {
					batches[o.SourceID] = store.NewID()
				}
				o.BatchID = batches[o.SourceID]
			}
			open = append(open, o)
		}
		b.progressOf(b.taskOf(id)).counts.Operations += int64(len(access.Open))
	}
	s := b.e.store
	for _, state := range []string{store.OperationDone, store.OperationCancelled, store.OperationRetried} {
		if err := s.SettleOperations(ctx, b.tx, settled[state], state, b.cause.At); err != nil {
			return err
		}
	}
	if err := s.DropGrants(ctx, b.tx, dropped); err != nil {
		return err
	}
	if err := s.AddGrants(ctx, b.tx, granted, b.cause.At); err != nil {
		return err
	}
	if err := s.AddOperations(ctx, b.tx, open); err != nil {
		return err
	}
	for source, id := range batches {
		if err := b.e.launchBatch(ctx, b.tx, id, source, b.cause); err != nil {
			return err
		}
	}
	return nil
}

func grantRow(identity store.ID, e refresh.Entitlement, account refresh.ID) store.AccessGrant {
	return store.AccessGrant{IdentityID: identity, SourceID: e.SourceID, Attribute: e.Attribute,
		Value: e.Value, AccountID: account}
}

func (b *batch) operationRow(identity store.ID, o *refresh.Operation) store.Operation {
	row := store.Operation{ID: store.NewID(), IdentityID: identity, SourceID: o.SourceID,
		AccountID: o.AccountID, NativeIdentity: o.NativeIdentity, Kind: string(o.Kind),
		Attributes: o.Attributes.AppendJSON(nil), Reason: o.Reason, State: store.OperationOpen, Created: b.cause.At}
	row.Attribute, row.Value = o.Target()
	if o.Manual {
		row.State = store.OperationManual
	}
	return row
}

// launchBatch writes a batch of operations and the job that does it.
func (e *Engine) launchBatch(ctx context.Context, tx pgx.Tx, id, source store.ID, cause store.Cause) error {
	job, err := e.insertProvision(ctx, tx, id)
	if err != nil {
		return err
	}
	return e.store.AddBatch(ctx, tx, id, source, job, cause.At)
}

func (e *Engine) insertProvision(ctx context.Context, tx pgx.Tx, batch store.ID) (int64, error) {
	return e.insert(ctx, tx, provision{Batch: batch.String()},
		&river.InsertOpts{Queue: queueProvisioning, MaxAttempts: OperationAttemptsMax})
}

// Operation is something to be done, or done, on a source.
type Operation struct {
	ID             string        `json:"id"`
	Identity       Reference     `json:"identity"`
	Source         Reference     `json:"source"`
	NativeIdentity string        `json:"nativeIdentity,omitempty"` // of the account; empty until one is created
	Kind           string        `json:"operation"`
	Attributes     attribute.Set `json:"attributes"`
	Reason         string        `json:"reason"`
	State          string        `json:"state"` // OPEN, MANUAL, DONE, FAILED, RETRIED or CANCELLED
	Attempts       int           `json:"attempts"`
	Error          string        `json:"error,omitempty"` // of the last attempt
	Created        time.Time     `json:"created"`
	Begun          *time.Time    `json:"begun"`     // when it was tried first
	Completed      *time.Time    `json:"completed"` // when it came to its end, good or bad
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
		return nil, invalid(op, "", "limit %d and offset %d: a limit of 1 to %d and an offset from 0 are allowed",
			q.Limit, q.Offset, OperationsMax)
	}
	known := []string{store.OperationOpen, store.OperationManual, store.OperationDone, store.OperationFailed,
		store.OperationRetried, store.OperationCancelled}
	for _, state := range q.States {
		if !slices.Contains(known, state) {
			return nil, invalid(op, "state", "%q is unknown: %q are known", state, known)
		}
	}
	filter := store.OperationFilter{States: q.States}
	if q.Identity != "" {
		id, known := store.IDOf(q.Identity)
		if !known {
			return nil, noIdentity(op, q.Identity)
		}
		filter.IdentityID = id
	}
	if q.Source != "" {
		c, err := e.currentConfiguration(ctx)
		if err != nil {
			return nil, wrap(op, "", err)
		}
		source := c.sourceByName(q.Source)
		if source == nil {
			return nil, &Error{Kind: NotFound, Op: op, Subject: q.Source, Err: errors.New("there is no such source")}
		}
		filter.SourceID = source.id
	}
	rows, err := e.store.Operations(ctx, e.pool, filter, q.Limit, q.Offset)
	if err != nil {
		return nil, wrap(op, "", err)
	}
	operations := make([]Operation, len(rows))
	for i := range rows {
		r := &rows[i]
		o := Operation{ID: r.ID.String(), NativeIdentity: r.NativeIdentity, Kind: r.Kind, Reason: r.Reason,
			Identity: Reference{Type: "IDENTITY", ID: r.IdentityID.String(), Name: store.TextOf(r.IdentityName)},
			Source:   Reference{Type: string(TypeSource), ID: r.SourceID.String(), Name: r.SourceName},
			State:    r.State, Attempts: r.Attempts, Error: store.TextOf(r.Error),
			Created: r.Created.UTC(), Begun: utc(r.Begun), Completed: utc(r.Completed)}
		if err := o.Attributes.Decode(r.Attributes); err != nil {
			return nil, wrap(op, o.ID, err)
		}
		operations[i] = o
	}
	return operations, nil
}
