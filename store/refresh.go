package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cause says for which task something is written, and when.
type Cause struct {
	Task  ID
	At    time.Time
	Actor Actor
}

// CountPending returns for how many identities processing is requested.
func (s *Store) CountPending(ctx context.Context, q Querier) (int, error) {
	var count int
	err := q.QueryRow(ctx, s.sql(`SELECT count(DISTINCT identity_id) FROM muster.refresh_requests`)).Scan(&count)
	return count, mapError(err)
}

// RequestRefresh requests the processing of identities.
func (s *Store) RequestRefresh(ctx context.Context, tx pgx.Tx, identities []ID, reason string, cause Cause) error {
	const statement = `
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		SELECT $5, row_number() OVER (), id, $2, $3, $4 FROM unnest($1::uuid[]) id`
	_, err := tx.Exec(ctx, s.sql(statement), identities, cause.Task, reason, cause.At, NewID())
	return mapError(err)
}

// RequestProfileRefresh requests the processing of all identities of a profile and returns how many those are.
func (s *Store) RequestProfileRefresh(ctx context.Context, tx pgx.Tx, profile ID, reason string, cause Cause) (int,
	error,
) {
	const statement = `
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		SELECT $5::uuid, row_number() OVER (), id, $2::uuid, $3::text, $4::timestamptz
		FROM muster.identities
		WHERE profile_id = $1`
	tag, err := tx.Exec(ctx, s.sql(statement), profile, cause.Task, reason, cause.At, NewID())
	return int(tag.RowsAffected()), mapError(err)
}

// LockIdentitiesShared locks those of the identities that exist, by ID and FOR KEY SHARE, until the transaction ends,
// so that they are not deleted, and returns them.
func (s *Store) LockIdentitiesShared(ctx context.Context, tx pgx.Tx, identities []ID) ([]ID, error) {
	const statement = `SELECT id FROM muster.identities WHERE id = ANY ($1) ORDER BY id FOR KEY SHARE`
	return collect(ctx, tx, s.sql(statement), pgx.RowTo[ID], identities)
}

// LockIdentities locks those of the identities that exist, by ID and FOR NO KEY UPDATE, until the transaction ends, and
// returns them. See "Lock order" in the documentation of the package.
func (s *Store) LockIdentities(ctx context.Context, tx pgx.Tx, identities []ID) ([]ID, error) {
	const statement = `SELECT id FROM muster.identities WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE`
	return collect(ctx, tx, s.sql(statement), pgx.RowTo[ID], identities)
}

// RequestKey names a request. Numbers begin with 1 in each statement that requests, and the ID is the statement's, so
// that requests made later by the same process have greater keys.
type RequestKey struct {
	Request ID
	Number  int32
}

// RefreshRequest asks for the processing of an identity.
type RefreshRequest struct {
	Key        RequestKey
	IdentityID ID
	TaskID     ID
}

const requestColumns = `request_id, number, identity_id, task_id`

func scanRequest(row pgx.CollectableRow) (RefreshRequest, error) {
	var r RefreshRequest
	err := row.Scan(&r.Key.Request, &r.Key.Number, &r.IdentityID, &r.TaskID)
	return r, err
}

// theseRequests is the condition on the requests whose keys are $1 and $2, parallel lists. It finds each of them by its
// key and then by where it is, whatever the statistics say: a join could take the square of the requests.
const theseRequests = `ctid = ANY (ARRAY (
		    SELECT r.ctid
		    FROM unnest($1::uuid[], $2::int[]) v (request_id, number),
		         LATERAL (SELECT ctid FROM muster.refresh_requests
		                  WHERE request_id = v.request_id AND number = v.number OFFSET 0) r))`

// keyColumns returns the parameters of theseRequests.
func keyColumns(keys []RequestKey) ([]ID, []int32) {
	ids, numbers := make([]ID, len(keys)), make([]int32, len(keys))
	for i, k := range keys {
		ids[i], numbers[i] = k.Request, k.Number
	}
	return ids, numbers
}

// ClaimRefreshRequests locks the oldest requests of a task FOR UPDATE until the transaction ends, at most limit, and
// skips those that another worker has locked. It locks none while the task is being surveyed.
//
// Range and order are those of the index by task: a claim reads neither all requests of the task, to sort them, nor
// those of other tasks, in the order of all.
func (s *Store) ClaimRefreshRequests(ctx context.Context, tx pgx.Tx, task ID, limit int) ([]RefreshRequest, error) {
	const statement = `
		SELECT ` + requestColumns + `
		FROM muster.refresh_requests
		WHERE task_id BETWEEN $1 AND $1 AND NOT EXISTS (` + beingSurveyed + `)
		ORDER BY task_id, request_id, number
		LIMIT $2
		FOR UPDATE SKIP LOCKED`
	return collectOrdered(ctx, tx, s.sql(statement), scanRequest, task, limit)
}

// ClaimSmallTasks locks requests FOR UPDATE until the transaction ends, at most limit, and skips those that another
// worker has locked. They are those of the tasks, the oldest tasks first, that have not begun and that are about at
// most small identities.
func (s *Store) ClaimSmallTasks(ctx context.Context, tx pgx.Tx, tasks []ID, small, limit int) ([]RefreshRequest,
	error,
) {
	const statement = `
		SELECT ` + requestColumns + `
		FROM muster.refresh_requests
		WHERE task_id = ANY (ARRAY (
		    SELECT t.id
		    FROM muster.tasks t
		    WHERE t.id = ANY ($1) AND t.completed IS NULL AND t.held IS NULL AND t.launched IS NULL
		      AND t.kind = 'IDENTITY_REFRESH' AND t.population <= $2
		      AND NOT EXISTS (SELECT 1 FROM muster.task_parts p WHERE p.task_id = t.id)
		    ORDER BY t.id
		    LIMIT $3))
		ORDER BY request_id, number
		LIMIT $3
		FOR UPDATE SKIP LOCKED`
	return collect(ctx, tx, s.sql(statement), scanRequest, tasks, small, limit)
}

// RelockRefreshRequests locks those of the requests that still exist FOR UPDATE until the transaction ends, and skips
// those that another worker has locked.
func (s *Store) RelockRefreshRequests(ctx context.Context, tx pgx.Tx, requests []RequestKey) ([]RefreshRequest, error) {
	const statement = `
		SELECT ` + requestColumns + `
		FROM muster.refresh_requests
		WHERE ` + theseRequests + `
		ORDER BY request_id, number
		FOR UPDATE SKIP LOCKED`
	ids, numbers := keyColumns(requests)
	return collect(ctx, tx, s.sql(statement), scanRequest, ids, numbers)
}

// takeRequests and takenRequests, with a condition between them, remove requests as [Store.TakeRefreshRequests] does.
const (
	takeRequests = `
		    DELETE FROM muster.refresh_requests
		    WHERE ctid = ANY (ARRAY (
		        SELECT ctid FROM muster.refresh_requests WHERE `
	takenRequests = ` FOR UPDATE SKIP LOCKED))`
)

// TakenRequest is what the requests for an identity asked for together, beside its processing.
type TakenRequest struct {
	IdentityID  ID
	Synchronize bool // the synchronization of its attributes
	Depth       int  // the greatest one, see [Readers]
}

// TakeRefreshRequests locks all requests for identities, of any task, FOR UPDATE until the transaction ends, skips
// those that another worker has locked, and removes them. It must come after the lock of the identities and before
// their snapshot: a request that commits later stays, and its data is read again.
//
// It returns the identities for which more was requested than their processing. With few, which says that the
// transaction is one of [InBatchTx] about few identities, the plans of what follows are kept.
//
// The rows are removed by where they are. By their IDs the planner joins the table with itself, and where its
// statistics are from before a load it takes the square of the requests. A row that somebody else updates just before
// it is locked may be missed: its request stays, and is taken by the next batch, which drops it where the identity was
// deleted.
func (s *Store) TakeRefreshRequests(ctx context.Context, tx pgx.Tx, identities []ID, few bool) ([]TakenRequest, error) {
	const statement = `
		WITH taken AS (` + takeRequests + `identity_id = ANY ($1)` + takenRequests + `
		    RETURNING identity_id, synchronize, depth
		)
		SELECT identity_id, bool_or(synchronize), max(depth)
		FROM taken
		WHERE synchronize OR depth > 0
		GROUP BY identity_id
		ORDER BY identity_id`
	var batch pgx.Batch
	var taken []TakenRequest
	queueRows(&batch, s.sql(statement), pgx.RowToStructByPos[TakenRequest], &taken, identities)
	if few {
		batch.Queue(keptAgain)
	}
	return taken, mapError(tx.SendBatch(ctx, &batch).Close())
}

// RequestSynchronization requests the processing of identities with the synchronization of their attributes.
func (s *Store) RequestSynchronization(ctx context.Context, tx pgx.Tx, identities []ID, cause Cause) error {
	const statement = `
		INSERT INTO muster.refresh_requests
		       (request_id, number, identity_id, task_id, reason, requested_at, synchronize)
		SELECT $4, row_number() OVER (), id, $2, 'synchronization requested', $3, true FROM unnest($1::uuid[]) id`
	_, err := tx.Exec(ctx, s.sql(statement), identities, cause.Task, cause.At, NewID())
	return mapError(err)
}

// RequestSourceSynchronization is [Store.RequestSynchronization] for the identities that have an account on a source.
func (s *Store) RequestSourceSynchronization(ctx context.Context, tx pgx.Tx, source ID, cause Cause) error {
	const statement = `
		WITH holders AS MATERIALIZED (
		    SELECT DISTINCT identity_id FROM muster.accounts WHERE source_id = $1 AND identity_id IS NOT NULL
		)
		INSERT INTO muster.refresh_requests
		       (request_id, number, identity_id, task_id, reason, requested_at, synchronize)
		SELECT $4::uuid, row_number() OVER (), identity_id, $2::uuid, 'synchronization requested', $3::timestamptz, true
		FROM holders`
	_, err := tx.Exec(ctx, s.sql(statement), source, cause.Task, cause.At, NewID())
	return mapError(err)
}

// RequestSourceRefresh requests the processing of the identities that have an account on a source.
func (s *Store) RequestSourceRefresh(ctx context.Context, tx pgx.Tx, source ID, reason string, cause Cause) error {
	const statement = `
		WITH holders AS MATERIALIZED (
		    SELECT DISTINCT identity_id FROM muster.accounts WHERE source_id = $1 AND identity_id IS NOT NULL
		)
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		SELECT $5::uuid, row_number() OVER (), identity_id, $2::uuid, $4::text, $3::timestamptz
		FROM holders`
	_, err := tx.Exec(ctx, s.sql(statement), source, cause.Task, cause.At, reason, NewID())
	return mapError(err)
}

// BeginSynchronization records that the synchronization of an identity was requested. If one was requested within a
// time before, it returns when, and ok is false.
func (s *Store) BeginSynchronization(ctx context.Context, tx pgx.Tx, identity ID, now time.Time,
	within time.Duration,
) (last time.Time, ok bool, err error) {
	const statement = `
		INSERT INTO muster.synchronizations AS s (identity_id, at) VALUES ($1, $2)
		ON CONFLICT (identity_id) DO UPDATE SET at = excluded.at WHERE s.at <= $3`
	tag, err := tx.Exec(ctx, s.sql(statement), identity, now, now.Add(-within))
	if err != nil || tag.RowsAffected() > 0 {
		return now, err == nil, mapError(err)
	}
	err = tx.QueryRow(ctx, s.sql(`SELECT at FROM muster.synchronizations WHERE identity_id = $1`), identity).Scan(&last)
	return last, false, mapError(err)
}

// DropRefreshRequests removes requests.
func (s *Store) DropRefreshRequests(ctx context.Context, tx pgx.Tx, requests []RequestKey) error {
	ids, numbers := keyColumns(requests)
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.refresh_requests WHERE `+theseRequests), ids, numbers)
	return mapError(err)
}

// RequestDueRefresh locks the rows of refresh_state of the identities that are due, by identity and FOR NO KEY UPDATE,
// until the transaction ends. It requests their processing, after which they are no longer due, and returns how many
// identities those are.
func (s *Store) RequestDueRefresh(ctx context.Context, tx pgx.Tx, reason string, cause Cause) (int, error) {
	const lock = `
		SELECT identity_id
		FROM muster.refresh_state
		WHERE due <= $1
		ORDER BY identity_id
		FOR NO KEY UPDATE`
	due, err := collect(ctx, tx, s.sql(lock), pgx.RowTo[ID], cause.At)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	const settle = `UPDATE muster.refresh_state SET due = NULL WHERE identity_id = ANY ($1)`
	if _, err := tx.Exec(ctx, s.sql(settle), due); err != nil {
		return 0, mapError(err)
	}
	return len(due), s.RequestRefresh(ctx, tx, due, reason, cause)
}

// ReleaseRefreshRequests removes the requests that a task left when it ended, and makes their identities due at a time
// instead, so that none is forgotten. It waits for the batches that hold some of the requests, and returns how many
// identities it made due.
func (s *Store) ReleaseRefreshRequests(ctx context.Context, tx pgx.Tx, task ID, due time.Time) (int, error) {
	const remove = `DELETE FROM muster.refresh_requests WHERE task_id = $1 RETURNING identity_id`
	released, err := collect(ctx, tx, s.sql(remove), pgx.RowTo[ID], task)
	if err != nil || len(released) == 0 {
		return 0, err
	}
	const statement = `
		INSERT INTO muster.refresh_state (identity_id, due)
		SELECT id, $2 FROM muster.identities WHERE id = ANY ($1) ORDER BY id
		ON CONFLICT (identity_id)
		DO UPDATE SET due = least(muster.refresh_state.due, excluded.due)`
	tag, err := tx.Exec(ctx, s.sql(statement), released, due)
	return int(tag.RowsAffected()), mapError(err)
}

// SetLifecycleState sets the lifecycle state of an identity, whether it was set by hand, and its basis then.
func (s *Store) SetLifecycleState(ctx context.Context, tx pgx.Tx, id ID, state *string, manual bool, basis string,
	now time.Time,
) error {
	const statement = `
		UPDATE muster.identities SET lifecycle_state = $2, lifecycle_manual = $3, lifecycle_basis = $4, modified = $5
		WHERE id = $1`
	_, err := tx.Exec(ctx, s.sql(statement), id, state, manual, basis, now)
	return mapError(err)
}

// RecordProcessed records that identities were processed now, and when processing may find something else though only
// time has passed. due is parallel to identities; nil is never.
func (s *Store) RecordProcessed(ctx context.Context, tx pgx.Tx, identities []ID, due []*time.Time,
	now time.Time,
) error {
	const statement = `
		INSERT INTO muster.refresh_state (identity_id, last_refresh, due)
		SELECT id, $3, due FROM unnest($1::uuid[], $2::timestamptz[]) v (id, due)
		ON CONFLICT (identity_id)
		DO UPDATE SET last_refresh = excluded.last_refresh, due = excluded.due`
	_, err := tx.Exec(ctx, s.sql(statement), identities, due, now)
	return mapError(err)
}

// MakeDue makes an identity due at a time, unless it is due before.
func (s *Store) MakeDue(ctx context.Context, tx pgx.Tx, identity ID, at time.Time) error {
	const statement = `
		INSERT INTO muster.refresh_state (identity_id, due) VALUES ($1, $2)
		ON CONFLICT (identity_id)
		DO UPDATE SET due = least(muster.refresh_state.due, excluded.due)`
	_, err := tx.Exec(ctx, s.sql(statement), identity, at)
	return mapError(err)
}

// RaiseWatermark records that all identities that were created before a time were processed after it.
func (s *Store) RaiseWatermark(ctx context.Context, tx pgx.Tx, at time.Time) error {
	_, err := tx.Exec(ctx, s.sql(`UPDATE muster.refresh_watermark SET at = greatest(at, $1)`), at)
	return mapError(err)
}

// FailIdentity records that an identity could not be processed, and why.
func (s *Store) FailIdentity(ctx context.Context, tx pgx.Tx, id ID, reason string, now time.Time) error {
	const statement = `
		UPDATE muster.identities SET processing_state = 'ERROR', processing_error = $2, modified = $3 WHERE id = $1`
	_, err := tx.Exec(ctx, s.sql(statement), id, reason, now)
	return mapError(err)
}

// managerLevelsMax is how many levels up a cycle of managers is looked for.
const managerLevelsMax = 50

// ManagerCycles returns those of the identities that are their own manager through others. OFFSET 0 keeps the planner
// from a join over all identities: each manager is one look into an index, whatever the statistics say.
func (s *Store) ManagerCycles(ctx context.Context, q Querier, identities []ID) ([]ID, error) {
	const statement = `
		WITH RECURSIVE above (start_id, id, level) AS (
		    SELECT s.id, i.manager_id, 1
		    FROM unnest($1::uuid[]) s (id),
		         LATERAL (SELECT manager_id FROM muster.identities WHERE id = s.id OFFSET 0) i
		    WHERE i.manager_id IS NOT NULL
		    UNION ALL
		    SELECT a.start_id, i.manager_id, a.level + 1
		    FROM above a,
		         LATERAL (SELECT manager_id FROM muster.identities WHERE id = a.id OFFSET 0) i
		    WHERE i.manager_id IS NOT NULL AND a.id <> a.start_id AND a.level < $2
		)
		SELECT DISTINCT start_id FROM above WHERE id = start_id ORDER BY start_id`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID], identities, managerLevelsMax)
}
