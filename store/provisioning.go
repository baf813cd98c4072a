package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// The states of an operation.
const (
	OperationOpen      = "OPEN"      // a job carries it out
	OperationManual    = "MANUAL"    // people carry it out
	OperationParked    = "PARKED"    // it is held back until somebody releases it
	OperationDone      = "DONE"      // it was carried out, or was found to be done
	OperationFailed    = "FAILED"    // it was given up
	OperationRetried   = "RETRIED"   // it was given up, and another one took its place
	OperationCancelled = "CANCELLED" // it was no longer wanted before it was tried
)

// Operation is one change of one account on a source.
type Operation struct {
	ID             ID
	DeliveryID     ID // the delivery; zero for an operation that people carry out
	IdentityID     ID
	SourceID       ID
	AccountID      ID // zero for the creation of an account
	NativeIdentity string
	Kind           string
	// Attribute and Value are what it is about: only one operation is open for the same account, attribute and value.
	Attribute  string
	Value      string
	Attributes []byte // a JSON object
	Reason     string
	Actor      Actor // for whom it was planned
	TaskID     ID    // which planned it; it may be gone
	State      string
	Attempts   int
	Error      *string
	Created    time.Time
	Begun      *time.Time
	Completed  *time.Time
	// Outcome says what came of it where that is not what was asked; nil where it is, or where it has not ended.
	Outcome *string
	// Parked is since when it is held back, ParkedCause why, and the Parker who held it back. They are set together.
	Parked      *time.Time
	ParkedCause *string
	ParkerID    *string
	ParkerName  *string
	ParkerVia   *string
	// Awaits is [AwaitsAggregation] for a parked operation that ends waiting by itself; nil for any other.
	Awaits *string
	// Released is when it was let go again last.
	Released *time.Time
}

// AwaitsAggregation is what the creation of an account waits for on a source that was never read completely.
const AwaitsAggregation = "AGGREGATION"

// operationColumns are the columns of an [Operation]. A new one has no attempts, no error, and has not begun.
var operationColumns = columns[Operation]{
	valueColumn("id", "uuid", func(o *Operation) *ID { return &o.ID }),
	valueColumn("batch_id", "uuid", func(o *Operation) *ID { return &o.DeliveryID }),
	valueColumn("identity_id", "uuid", func(o *Operation) *ID { return &o.IdentityID }),
	valueColumn("source_id", "uuid", func(o *Operation) *ID { return &o.SourceID }),
	valueColumn("account_id", "uuid", func(o *Operation) *ID { return &o.AccountID }),
	textColumn("native_identity", func(o *Operation) *string { return &o.NativeIdentity }),
	textColumn("kind", func(o *Operation) *string { return &o.Kind }),
	textColumn("attribute", func(o *Operation) *string { return &o.Attribute }),
	textColumn("value", func(o *Operation) *string { return &o.Value }),
	documentColumn("attributes", func(o *Operation) *[]byte { return &o.Attributes }),
	textColumn("reason", func(o *Operation) *string { return &o.Reason }),
	textColumn("actor_id", func(o *Operation) *string { return &o.Actor.ID }),
	textColumn("actor_name", func(o *Operation) *string { return &o.Actor.Name }),
	textColumn("actor_via", func(o *Operation) *string { return &o.Actor.Via }),
	valueColumn("task_id", "uuid", func(o *Operation) *ID { return &o.TaskID }),
	textColumn("state", func(o *Operation) *string { return &o.State }),
	readColumn("attempts", func(o *Operation) *int { return &o.Attempts }),
	readColumn("error", func(o *Operation) **string { return &o.Error }),
	valueColumn("created", "timestamptz", func(o *Operation) *time.Time { return &o.Created }),
	readColumn("begun", func(o *Operation) **time.Time { return &o.Begun }),
	readColumn("completed", func(o *Operation) **time.Time { return &o.Completed }),
	readColumn("outcome", func(o *Operation) **string { return &o.Outcome }),
	valueColumn("parked", "timestamptz", func(o *Operation) **time.Time { return &o.Parked }),
	valueColumn("parked_cause", "text", func(o *Operation) **string { return &o.ParkedCause }),
	readColumn("parker_id", func(o *Operation) **string { return &o.ParkerID }),
	readColumn("parker_name", func(o *Operation) **string { return &o.ParkerName }),
	readColumn("parker_via", func(o *Operation) **string { return &o.ParkerVia }),
	readColumn("released", func(o *Operation) **time.Time { return &o.Released }),
	valueColumn("awaits", "text", func(o *Operation) **string { return &o.Awaits }),
}

var (
	selectOperations  = `SELECT ` + operationColumns.selected("o.")
	pendingOperations = selectOperations + `
		FROM muster.provisioning_operations o
		WHERE o.identity_id = ANY ($1) AND o.state IN ('OPEN', 'MANUAL', 'PARKED', 'FAILED')
		ORDER BY o.identity_id, o.id`
	addOperations = `
		INSERT INTO muster.provisioning_operations (` + operationColumns.written().names("") + `)
		SELECT ` + operationColumns.values() + ` FROM ` + operationColumns.unnest()
)

// PendingOperations returns the operations of identities that are open or parked, or were given up and not tried again,
// by identity.
func (s *Store) PendingOperations(ctx context.Context, q Querier, identities []ID) ([]Operation, error) {
	return collect(ctx, q, s.sql(pendingOperations), operationColumns.scan, identities)
}

// dayOperationsMax is how many operations of one identity [Store.DayOperations] returns of each kind.
const dayOperationsMax = 1000

var dayOperations = selectOperations + `
	FROM unnest($1::uuid[]) v (id),
	     LATERAL (SELECT * FROM muster.provisioning_operations
	              WHERE identity_id = v.id AND state = 'DONE' AND completed >= $2
	              ORDER BY completed DESC LIMIT $3) o
	UNION ALL ` + selectOperations + `
	FROM unnest($1::uuid[]) v (id),
	     LATERAL (SELECT * FROM muster.provisioning_operations
	              WHERE identity_id = v.id AND released >= $2 AND (state <> 'DONE' OR completed < $2)
	              ORDER BY released DESC LIMIT $3) o`

// DayOperations returns the operations of identities that were done since a time, the last [dayOperationsMax] of each,
// and those that were released since then. They have no order.
func (s *Store) DayOperations(ctx context.Context, q Querier, identities []ID, since time.Time) ([]Operation, error) {
	if len(identities) == 0 {
		return nil, nil
	}
	return collect(ctx, q, s.sql(dayOperations), operationColumns.scan, identities, since, dayOperationsMax)
}

// AddOperations writes new operations.
func (s *Store) AddOperations(ctx context.Context, tx pgx.Tx, operations []Operation) error {
	if len(operations) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, s.sql(addOperations), operationColumns.arrays(operations)...)
	return mapError(err)
}

// SettleOperations gives operations a final state. One that is done has no error: that of an attempt is over.
func (s *Store) SettleOperations(ctx context.Context, tx pgx.Tx, ids []ID, state string, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	const statement = `
		UPDATE muster.provisioning_operations
		SET state = $2, completed = coalesce(completed, $3),
		    error = CASE WHEN $2 = 'DONE' THEN NULL ELSE error END, ` + unparked + `
		WHERE id = ANY ($1)`
	_, err := tx.Exec(ctx, s.sql(statement), ids, state, now)
	return mapError(err)
}

// AddDelivery writes a delivery: the open operations for one source that one job carries out.
func (s *Store) AddDelivery(ctx context.Context, tx pgx.Tx, id, source ID, job int64, now time.Time) error {
	const statement = `
		INSERT INTO muster.provisioning_batches (id, source_id, job_id, created) VALUES ($1, $2, $3, $4)`
	_, err := tx.Exec(ctx, s.sql(statement), id, source, job, now)
	return mapError(err)
}

// DeliveryJob returns the job that carries a delivery out, zero where it has none. It returns [ErrNotFound] when the
// delivery is done.
func (s *Store) DeliveryJob(ctx context.Context, q Querier, id ID) (job int64, err error) {
	err = q.QueryRow(ctx, s.sql(`SELECT coalesce(job_id, 0) FROM muster.provisioning_batches WHERE id = $1`), id).Scan(
		&job)
	return job, mapError(err)
}

// SetDeliveryJob records which job carries a delivery out.
func (s *Store) SetDeliveryJob(ctx context.Context, tx pgx.Tx, id ID, job int64) error {
	_, err := tx.Exec(ctx, s.sql(`UPDATE muster.provisioning_batches SET job_id = $2 WHERE id = $1`), id, job)
	return mapError(err)
}

// leaseMost is longer than any lease: one that ends later was taken by a clock that was ahead.
const leaseMost = `interval '1 hour'`

// Lease is the right to carry out a delivery. A lease that was taken over has a smaller number than the delivery's, and
// gives no right any more, however long its worker was paused.
type Lease struct {
	DeliveryID ID
	SourceID   ID
	Owner      ID // the engine
	Number     int64
}

// LeaseDelivery leases a delivery to an engine until a time. It returns [ErrNotFound] when the delivery is done, or
// somebody else has leased it.
func (s *Store) LeaseDelivery(ctx context.Context, q Querier, id, owner ID, now, until time.Time) (Lease, error) {
	const statement = `
		UPDATE muster.provisioning_batches SET leased = $3, lease_owner = $4, lease_number = lease_number + 1
		WHERE id = $1 AND (leased IS NULL OR leased NOT BETWEEN $2 AND $2::timestamptz + ` + leaseMost + `)
		RETURNING source_id, lease_number`
	lease := Lease{DeliveryID: id, Owner: owner}
	err := q.QueryRow(ctx, s.sql(statement), id, now, until, owner).Scan(&lease.SourceID, &lease.Number)
	return lease, mapError(err)
}

// leaseHeld is the condition that a delivery b is leased by the lease whose arguments are $1 to $3.
const leaseHeld = `b.id = $1 AND b.lease_owner = $2 AND b.lease_number = $3`

func (l *Lease) arguments(more ...any) []any {
	return append([]any{l.DeliveryID, l.Owner, l.Number}, more...)
}

// HoldLease locks the row of a delivery FOR SHARE until the transaction ends, so that nobody takes the lease over
// before what the transaction writes is committed. It returns [ErrNotFound] when the lease was taken over.
func (s *Store) HoldLease(ctx context.Context, tx pgx.Tx, lease *Lease) error {
	var held int
	err := tx.QueryRow(ctx, s.sql(`SELECT 1 FROM muster.provisioning_batches b WHERE `+leaseHeld+` FOR SHARE`),
		lease.arguments()...).Scan(&held)
	return mapError(err)
}

// ExtendLease extends a lease. It returns [ErrNotFound] when the lease was taken over.
func (s *Store) ExtendLease(ctx context.Context, q Querier, lease *Lease, until time.Time) error {
	const statement = `UPDATE muster.provisioning_batches b SET leased = $4 WHERE ` + leaseHeld
	tag, err := q.Exec(ctx, s.sql(statement), lease.arguments(until)...)
	return oneRow(tag, err)
}

// ReleaseDelivery ends a lease, and removes the delivery when none of its operations is open. It does nothing when the
// lease was taken over.
func (s *Store) ReleaseDelivery(ctx context.Context, q Querier, lease *Lease) error {
	const forget = `
		DELETE FROM muster.provisioning_batches b
		WHERE ` + leaseHeld + `
		  AND NOT EXISTS (SELECT 1 FROM muster.provisioning_operations o WHERE o.batch_id = b.id AND o.state = 'OPEN')`
	tag, err := q.Exec(ctx, s.sql(forget), lease.arguments()...)
	if err != nil || tag.RowsAffected() > 0 {
		return mapError(err)
	}
	const release = `UPDATE muster.provisioning_batches b SET leased = NULL, lease_owner = NULL WHERE ` + leaseHeld
	_, err = q.Exec(ctx, s.sql(release), lease.arguments()...)
	return mapError(err)
}

var deliveryOperations = selectOperations + `
	FROM muster.provisioning_operations o
	WHERE o.batch_id = $1 AND o.state = 'OPEN'
	  AND NOT EXISTS (SELECT 1 FROM muster.provisioning_operations e
	                  WHERE e.identity_id = o.identity_id AND e.source_id = o.source_id AND e.state = 'OPEN'
	                    AND e.id < o.id AND e.batch_id <> o.batch_id)
	ORDER BY o.id`

// DeliveryOperations returns the open operations of a delivery, in their order. It leaves out those that wait for an
// earlier operation of another delivery for the same identity and source; waiting says that there are some.
func (s *Store) DeliveryOperations(ctx context.Context, q Querier, delivery ID) (operations []Operation, waiting bool,
	err error,
) {
	if operations, err = collect(ctx, q, s.sql(deliveryOperations), operationColumns.scan, delivery); err != nil {
		return nil, false, err
	}
	var open int
	err = q.QueryRow(ctx, s.sql(`
		SELECT count(*) FROM muster.provisioning_operations WHERE batch_id = $1 AND state = 'OPEN'`),
		delivery).Scan(&open)
	return operations, open > len(operations), mapError(err)
}

// BeginOperation records that the holder of a lease tries an operation. It comes before the attempt: from then on it
// may have happened. It returns [ErrNotFound] when the operation is no longer open, or the lease was taken over.
func (s *Store) BeginOperation(ctx context.Context, q Querier, lease *Lease, id ID, now time.Time) error {
	const statement = `
		UPDATE muster.provisioning_operations
		SET begun = coalesce(begun, $5), attempts = attempts + 1
		WHERE id = $4 AND state = 'OPEN'
		  AND EXISTS (SELECT 1 FROM muster.provisioning_batches b WHERE ` + leaseHeld + `)`
	tag, err := q.Exec(ctx, s.sql(statement), lease.arguments(id, now)...)
	return oneRow(tag, err)
}

// RecordOperationError records why the holder of a lease did not succeed with an open operation. It is tried again.
// Where the lease was taken over, it records nothing.
func (s *Store) RecordOperationError(ctx context.Context, q Querier, lease *Lease, id ID, reason string) error {
	const statement = `
		UPDATE muster.provisioning_operations SET error = $5
		WHERE id = $4 AND state = 'OPEN'
		  AND EXISTS (SELECT 1 FROM muster.provisioning_batches b WHERE ` + leaseHeld + `)`
	_, err := q.Exec(ctx, s.sql(statement), lease.arguments(id, reason)...)
	return mapError(err)
}

// CountAttempt counts an attempt of open operations that could not even begin. Where the lease was taken over, it
// counts nothing.
func (s *Store) CountAttempt(ctx context.Context, q Querier, lease *Lease, ids []ID) error {
	const statement = `
		UPDATE muster.provisioning_operations SET attempts = attempts + 1
		WHERE id = ANY ($4) AND state = 'OPEN'
		  AND EXISTS (SELECT 1 FROM muster.provisioning_batches b WHERE ` + leaseHeld + `)`
	_, err := q.Exec(ctx, s.sql(statement), lease.arguments(ids)...)
	return mapError(err)
}

// OperationEnd is how an operation ended.
type OperationEnd struct {
	ID             ID
	State          string
	Error          *string // why it was given up; nil for any other end
	Outcome        *string // what came of it where that is not what was asked
	AccountID      ID      // zero to leave it
	NativeIdentity string  // "" to leave it
}

// FinishOperation records how an open operation ended. It reports whether the operation was still open: the deletion of
// its identity cancels it also while it is carried out, and nothing more becomes of it then.
func (s *Store) FinishOperation(ctx context.Context, tx pgx.Tx, end *OperationEnd, now time.Time) (bool, error) {
	const statement = `
		UPDATE muster.provisioning_operations
		SET state = $2, error = $3, account_id = coalesce($4::uuid, account_id),
		    native_identity = CASE WHEN $5 = '' THEN native_identity ELSE $5 END, completed = $6, outcome = $7
		WHERE id = $1 AND state = 'OPEN'`
	tag, err := tx.Exec(ctx, s.sql(statement), end.ID, end.State, end.Error, end.AccountID, end.NativeIdentity, now,
		end.Outcome)
	return tag.RowsAffected() > 0, mapError(err)
}

// unparked empties the columns of an operation that is not parked any more.
const unparked = `parked = NULL, parked_cause = NULL, parker_id = NULL, parker_name = NULL, parker_via = NULL,
		    awaits = NULL`

// LockOperation locks an operation FOR UPDATE until the transaction ends and returns it, or [ErrNotFound].
func (s *Store) LockOperation(ctx context.Context, tx pgx.Tx, id ID) (Operation, error) {
	return s.operation(ctx, tx, lockOperation, id)
}

// FindOperation returns an operation, or [ErrNotFound].
func (s *Store) FindOperation(ctx context.Context, q Querier, id ID) (Operation, error) {
	return s.operation(ctx, q, findOperation, id)
}

func (s *Store) operation(ctx context.Context, q Querier, statement string, id ID) (Operation, error) {
	found, err := collect(ctx, q, s.sql(statement), operationColumns.scan, id)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Operation{}, err
	}
	return found[0], nil
}

var (
	findOperation = selectOperations + ` FROM muster.provisioning_operations o WHERE o.id = $1`
	lockOperation = findOperation + ` FOR UPDATE`
)

// ParkOperation holds an operation back, for a cause: until somebody releases it, or until what it awaits has come. An
// operation that awaits something has no attributes: they are calculated when it has come. The caller has locked it.
func (s *Store) ParkOperation(ctx context.Context, tx pgx.Tx, id ID, reason string, awaits *string, cause Cause) error {
	const statement = `
		UPDATE muster.provisioning_operations
		SET state = 'PARKED', batch_id = NULL, parked = $2, parked_cause = $3, parker_id = $4, parker_name = $5,
		    parker_via = $6, awaits = $7, attributes = CASE WHEN $7::text IS NULL THEN attributes ELSE '{}' END
		WHERE id = $1`
	_, err := tx.Exec(ctx, s.sql(statement), id, cause.At, reason, cause.Actor.ID, cause.Actor.Name, cause.Actor.Via,
		awaits)
	return mapError(err)
}

// ReopenOperation makes a parked operation part of a delivery again, and records when. The caller has locked it.
func (s *Store) ReopenOperation(ctx context.Context, tx pgx.Tx, id, delivery ID, now time.Time) error {
	const statement = `
		UPDATE muster.provisioning_operations SET state = 'OPEN', batch_id = $2, released = $3, ` + unparked + `
		WHERE id = $1`
	_, err := tx.Exec(ctx, s.sql(statement), id, delivery, now)
	return mapError(err)
}

// OpenDeliveries returns the deliveries that are not done, the oldest first.
func (s *Store) OpenDeliveries(ctx context.Context, q Querier) ([]ID, error) {
	const statement = `SELECT id FROM muster.provisioning_batches ORDER BY created, id`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID])
}

// DeliveryIsOpen reports whether a delivery is not done.
func (s *Store) DeliveryIsOpen(ctx context.Context, q Querier, id ID) (bool, error) {
	var open bool
	err := q.QueryRow(ctx, s.sql(`SELECT EXISTS (SELECT 1 FROM muster.provisioning_batches WHERE id = $1)`), id).Scan(
		&open)
	return open, mapError(err)
}

// CountOperations returns how many operations are in a state.
func (s *Store) CountOperations(ctx context.Context, q Querier, state string) (int64, error) {
	var count int64
	err := q.QueryRow(ctx, s.sql(`SELECT count(*) FROM muster.provisioning_operations WHERE state = $1`), state).Scan(
		&count)
	return count, mapError(err)
}

// OperationFilter narrows operations. Zero fields do not.
type OperationFilter struct {
	IdentityID ID
	SourceID   ID
	States     []string
}

// ListedOperation is an operation with the names of what it is about.
type ListedOperation struct {
	Operation
	IdentityName *string // nil when the identity is gone
	SourceName   string  // "" when the source is gone
}

var listOperations = selectOperations + `, i.name, coalesce(s.name, '')
	FROM muster.provisioning_operations o
	LEFT JOIN muster.sources s ON s.id = o.source_id
	LEFT JOIN muster.identities i ON i.id = o.identity_id
	WHERE ($1::uuid IS NULL OR o.identity_id = $1) AND ($2::uuid IS NULL OR o.source_id = $2)
	  AND ($3::text[] = '{}' OR o.state = ANY ($3))
	ORDER BY o.id DESC
	LIMIT $4 OFFSET $5`

// Operations returns operations, the latest first.
func (s *Store) Operations(ctx context.Context, q Querier, filter OperationFilter, limit, offset int) (
	[]ListedOperation, error,
) {
	scan := func(row pgx.CollectableRow) (o ListedOperation, err error) {
		err = row.Scan(operationColumns.targets(&o.Operation, &o.IdentityName, &o.SourceName)...)
		return o, err
	}
	return collect(ctx, q, s.sql(listOperations), scan, filter.IdentityID, filter.SourceID, nonNil(filter.States),
		limit, offset)
}

// CancelOperationsOf cancels the operations of an identity that are open or parked, or were given up.
func (s *Store) CancelOperationsOf(ctx context.Context, tx pgx.Tx, identity ID, now time.Time) error {
	const statement = `
		UPDATE muster.provisioning_operations SET state = 'CANCELLED', completed = $2, ` + unparked + `
		WHERE identity_id = $1 AND state IN (` + cancelled + `)`
	_, err := tx.Exec(ctx, s.sql(statement), identity, now)
	return mapError(err)
}
