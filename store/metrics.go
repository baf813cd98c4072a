package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// metricRows is how many rows of one kind are counted at most. What monitors ask for again and again must not cost more
// the more there is: above this, counts stay at it.
const metricRows = 20_000

// TaskMetric counts tasks of one kind in one state.
type TaskMetric struct {
	Kind  string
	State string // WAITING, RUNNING or HELD, or the status of tasks that have ended
	// Held tasks are or were held by the guard, Confirmed ones were let go on.
	Held, Confirmed int64
	Tasks           int64
	Oldest          time.Time // when the first of them was created
	// In seconds: how long tasks that have ended ran, and how long they took since they were created.
	Ran, RanMost, Took, TookMost float64
	Identities, Changed, Errors  int64
}

const taskMetric = `
	SELECT t.kind, coalesce(t.completion_status, CASE WHEN t.held IS NOT NULL THEN 'HELD'
	       WHEN t.launched IS NOT NULL THEN 'RUNNING' ELSE 'WAITING' END) AS state,
	       count(t.held_reason), count(t.confirmed), count(*), min(t.created),
	       coalesce(sum(extract(epoch FROM t.completed - t.launched)), 0)::float8,
	       coalesce(max(extract(epoch FROM t.completed - t.launched)), 0)::float8,
	       coalesce(sum(extract(epoch FROM t.completed - t.created)), 0)::float8,
	       coalesce(max(extract(epoch FROM t.completed - t.created)), 0)::float8,
	       sum(t.identities)::bigint, sum(t.changed)::bigint, sum(t.errors)::bigint`

// OpenTaskMetrics counts the tasks that have not ended.
func (s *Store) OpenTaskMetrics(ctx context.Context, q Querier) ([]TaskMetric, error) {
	const statement = taskMetric + `
		FROM (SELECT * FROM muster.tasks WHERE completed IS NULL ORDER BY id LIMIT $1) t
		GROUP BY 1, 2 ORDER BY 1, 2`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[TaskMetric], metricRows)
}

// EndedTaskMetrics counts the tasks that were created since a time and have ended.
func (s *Store) EndedTaskMetrics(ctx context.Context, q Querier, since time.Time) ([]TaskMetric, error) {
	const statement = taskMetric + `
		FROM (SELECT * FROM muster.tasks WHERE created >= $2 ORDER BY created DESC, id DESC LIMIT $1) t
		WHERE t.completed IS NOT NULL
		GROUP BY 1, 2 ORDER BY 1, 2`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[TaskMetric], metricRows, since)
}

// OperationMetric counts the operations on one source in one state.
type OperationMetric struct {
	SourceID   ID
	State      string
	Operations int64
	Oldest     time.Time // when the first of them was planned
}

// OperationMetrics counts the operations in a state that have an ID from one on: the zero ID for all.
func (s *Store) OperationMetrics(ctx context.Context, q Querier, state string, from ID) ([]OperationMetric, error) {
	const statement = `
		SELECT o.source_id, o.state, count(*), min(o.created)
		FROM (SELECT source_id, state, created
		      FROM muster.provisioning_operations
		      WHERE state = $2 AND id >= $3
		      ORDER BY id
		      LIMIT $1) o
		GROUP BY 1, 2 ORDER BY 1, 2`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[OperationMetric], metricRows, state, from)
}

// RequestMetric counts the requests for processing that wait.
type RequestMetric struct {
	Requests int64
	Oldest   *time.Time
}

// RequestMetrics counts the requests for processing that wait.
func (s *Store) RequestMetrics(ctx context.Context, q Querier) (RequestMetric, error) {
	const statement = `
		SELECT count(*), min(r.requested_at)
		FROM (SELECT requested_at FROM muster.refresh_requests ORDER BY request_id, number LIMIT $1) r`
	var m RequestMetric
	err := q.QueryRow(ctx, s.sql(statement), metricRows).Scan(&m.Requests, &m.Oldest)
	return m, mapError(err)
}

// QueueMetric counts the jobs of one queue in one state.
type QueueMetric struct {
	Queue string
	State string // available, running, retryable or scheduled
	Jobs  int64
	Due   time.Time // the first of them
}

// QueueMetrics counts the jobs that have not ended.
func (s *Store) QueueMetrics(ctx context.Context, q Querier, jobSchema string) ([]QueueMetric, error) {
	const statement = `
		SELECT j.queue, j.state, count(*), min(j.scheduled_at)
		FROM (SELECT queue, state::text, scheduled_at
		      FROM {jobs}.river_job
		      WHERE state IN ('available', 'running', 'retryable', 'scheduled')
		      LIMIT $1) j
		GROUP BY 1, 2 ORDER BY 1, 2`
	return collect(ctx, q, withJobs(statement, jobSchema), pgx.RowToStructByPos[QueueMetric], metricRows)
}
