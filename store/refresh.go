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
		INSERT INTO muster.refresh_requests (identity_id, task_id, reason, requested_at)
		SELECT id, $2, $3, $4 FROM unnest($1::uuid[]) id`
	_, err := tx.Exec(ctx, s.sql(statement), identities, cause.Task, reason, cause.At)
	return mapError(err)
}

// RequestProfileRefresh requests the processing of all identities of a profile and returns how many those are.
func (s *Store) RequestProfileRefresh(ctx context.Context, tx pgx.Tx, profile ID, reason string, cause Cause) (int,
	error,
) {
	const statement = `
		INSERT INTO muster.refresh_requests (identity_id, task_id, reason, requested_at)
		SELECT id, $2, $3, $4 FROM muster.identities WHERE profile_id = $1`
	tag, err := tx.Exec(ctx, s.sql(statement), profile, cause.Task, reason, cause.At)
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

// RefreshRequest asks for the processing of an identity.
type RefreshRequest struct {
	ID         int64
	IdentityID ID
	TaskID     ID
}

// ClaimRefreshRequests locks the oldest requests of a task FOR UPDATE until the transaction ends, at most limit, and
// skips those that another worker has locked.
func (s *Store) ClaimRefreshRequests(ctx context.Context, tx pgx.Tx, task ID, limit int) ([]RefreshRequest, error) {
	const statement = `
		SELECT id, identity_id, task_id
		FROM muster.refresh_requests
		WHERE task_id = $1
		ORDER BY id
		LIMIT $2
		FOR UPDATE SKIP LOCKED`
	return collect(ctx, tx, s.sql(statement), pgx.RowToStructByPos[RefreshRequest], task, limit)
}

// ClaimSmallTasks locks requests FOR UPDATE until the transaction ends, at most limit, and skips those that another
// worker has locked. They are those of the tasks, the oldest tasks first, that have not begun and that are about at
// most small identities.
func (s *Store) ClaimSmallTasks(ctx context.Context, tx pgx.Tx, tasks []ID, small, limit int) ([]RefreshRequest,
	error,
) {
	const statement = `
		SELECT id, identity_id, task_id
		FROM muster.refresh_requests
		WHERE task_id = ANY (ARRAY (
		    SELECT t.id
		    FROM muster.tasks t
		    WHERE t.id = ANY ($1) AND t.completed IS NULL AND t.held IS NULL AND t.launched IS NULL
		      AND t.kind = 'IDENTITY_REFRESH' AND t.population <= $2
		    ORDER BY t.id
		    LIMIT $3))
		ORDER BY id
		LIMIT $3
		FOR UPDATE SKIP LOCKED`
	return collect(ctx, tx, s.sql(statement), pgx.RowToStructByPos[RefreshRequest], tasks, small, limit)
}

// RelockRefreshRequests locks those of the requests that still exist FOR UPDATE until the transaction ends, and skips
// those that another worker has locked.
func (s *Store) RelockRefreshRequests(ctx context.Context, tx pgx.Tx, requests []int64) ([]RefreshRequest, error) {
	const statement = `
		SELECT id, identity_id, task_id
		FROM muster.refresh_requests
		WHERE id = ANY ($1)
		ORDER BY id
		FOR UPDATE SKIP LOCKED`
	return collect(ctx, tx, s.sql(statement), pgx.RowToStructByPos[RefreshRequest], requests)
}

// TakeRefreshRequests locks all requests for identities, of any task, FOR UPDATE until the transaction ends, skips
// those that another worker has locked, and removes them. It must come after the lock of the identities and before
// their snapshot: a request that commits later stays, and its data is read again.
//
// It returns the identities whose synchronization was requested.
//
// The rows are removed by where they are. By their IDs the planner joins the table with itself, and where its
// statistics are from before a load it takes the square of the requests. A row that somebody else updates just before
// it is locked may be missed: its request stays, and is taken by the next batch, which drops it where the identity was
// deleted.
func (s *Store) TakeRefreshRequests(ctx context.Context, tx pgx.Tx, identities []ID) ([]ID, error) {
	const statement = `
		WITH taken AS (
		    DELETE FROM muster.refresh_requests
		    WHERE ctid = ANY (ARRAY (SELECT ctid FROM muster.refresh_requests
		                             WHERE identity_id = ANY ($1) FOR UPDATE SKIP LOCKED))
		    RETURNING identity_id, synchronize
		)
		SELECT DISTINCT identity_id FROM taken WHERE synchronize`
	return collect(ctx, tx, s.sql(statement), pgx.RowTo[ID], identities)
}

// RequestSynchronization requests the processing of identities with the synchronization of their attributes.
func (s *Store) RequestSynchronization(ctx context.Context, tx pgx.Tx, identities []ID, cause Cause) error {
	const statement = `
		INSERT INTO muster.refresh_requests (identity_id, task_id, reason, requested_at, synchronize)
		SELECT id, $2, 'synchronization requested', $3, true FROM unnest($1::uuid[]) id`
	_, err := tx.Exec(ctx, s.sql(statement), identities, cause.Task, cause.At)
	return mapError(err)
}

// RequestSourceSynchronization is [Store.RequestSynchronization] for the identities that have an account on a source.
func (s *Store) RequestSourceSynchronization(ctx context.Context, tx pgx.Tx, source ID, cause Cause) error {
	const statement = `
		INSERT INTO muster.refresh_requests (identity_id, task_id, reason, requested_at, synchronize)
		SELECT DISTINCT identity_id, $2::uuid, 'synchronization requested', $3::timestamptz, true
		FROM muster.accounts
		WHERE source_id = $1 AND identity_id IS NOT NULL`
	_, err := tx.Exec(ctx, s.sql(statement), source, cause.Task, cause.At)
	return mapError(err)
}

// BeginSynchronization records that the synchronization of an identity was requested. If one was requested within a
// time before, it returns when, and ok is false.
func (s *Store) BeginSynchronization(ctx context.Context, tx pgx.Tx, identity ID, now time.Time,
	within time.Duration,
) (last time.Time, ok bool, err error) {
	const statement = `
		INSERT INTO muster.synchronizations AS s (identity_id, at) VALUES ($1, $2)
		ON CONFLICT ON CONSTRAINT synchronizations_pkey DO UPDATE SET at = excluded.at WHERE s.at <= $3`
	tag, err := tx.Exec(ctx, s.sql(statement), identity, now, now.Add(-within))
	if err != nil || tag.RowsAffected() > 0 {
		return now, err == nil, mapError(err)
	}
	err = tx.QueryRow(ctx, s.sql(`SELECT at FROM muster.synchronizations WHERE identity_id = $1`), identity).Scan(&last)
	return last, false, mapError(err)
}

// DropRefreshRequests removes requests.
func (s *Store) DropRefreshRequests(ctx context.Context, tx pgx.Tx, requests []int64) error {
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.refresh_requests WHERE id = ANY ($1)`), requests)
	return mapError(err)
}

// RequestDueRefresh locks the rows of refresh_state of the identities that are due, by identity and FOR NO KEY UPDATE,
// until the transaction ends. It requests their processing, after which they are no longer due, and returns how many
// identities those are.
func (s *Store) RequestDueRefresh(ctx context.Context, tx pgx.Tx, reason string, cause Cause) (int, error) {
	const statement = `
		WITH due AS (
		    UPDATE muster.refresh_state r
		    SET due = NULL
		    FROM (SELECT identity_id
		          FROM muster.refresh_state
		          WHERE due <= $3
		          ORDER BY identity_id
		          FOR NO KEY UPDATE) found
		    WHERE r.identity_id = found.identity_id
		    RETURNING r.identity_id
		)
		INSERT INTO muster.refresh_requests (identity_id, task_id, reason, requested_at)
		SELECT identity_id, $1, $2, $3 FROM due`
	tag, err := tx.Exec(ctx, s.sql(statement), cause.Task, reason, cause.At)
	return int(tag.RowsAffected()), mapError(err)
}

// ReleaseRefreshRequests removes the requests that a task left when it ended, and makes their identities due at a time
// instead, so that none is forgotten.
func (s *Store) ReleaseRefreshRequests(ctx context.Context, tx pgx.Tx, task ID, due time.Time) (int, error) {
	const statement = `
		WITH gone AS (
		    DELETE FROM muster.refresh_requests WHERE task_id = $1 RETURNING identity_id
		)
		INSERT INTO muster.refresh_state (identity_id, due)
		SELECT i.id, $2 FROM (SELECT DISTINCT identity_id FROM gone) g JOIN muster.identities i ON i.id = g.identity_id
		ORDER BY i.id
		ON CONFLICT ON CONSTRAINT refresh_state_pkey
		DO UPDATE SET due = least(muster.refresh_state.due, excluded.due)`
	tag, err := tx.Exec(ctx, s.sql(statement), task, due)
	return int(tag.RowsAffected()), mapError(err)
}

// SetLifecycleState sets the lifecycle state of an identity, and whether it was set by hand.
func (s *Store) SetLifecycleState(ctx context.Context, tx pgx.Tx, id ID, state *string, manual bool,
	now time.Time,
) error {
	const statement = `
		UPDATE muster.identities SET lifecycle_state = $2, lifecycle_manual = $3, modified = $4 WHERE id = $1`
	_, err := tx.Exec(ctx, s.sql(statement), id, state, manual, now)
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
		ON CONFLICT ON CONSTRAINT refresh_state_pkey
		DO UPDATE SET last_refresh = excluded.last_refresh, due = excluded.due`
	_, err := tx.Exec(ctx, s.sql(statement), identities, due, now)
	return mapError(err)
}

// MakeDue makes an identity due at a time, unless it is due before.
func (s *Store) MakeDue(ctx context.Context, tx pgx.Tx, identity ID, at time.Time) error {
	const statement = `
		INSERT INTO muster.refresh_state (identity_id, due) VALUES ($1, $2)
		ON CONFLICT ON CONSTRAINT refresh_state_pkey
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
