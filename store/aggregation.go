package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Aggregation is what is recorded of the aggregation of a source by its connector.
type Aggregation struct {
	SourceID ID
	Schedule *string // that Next belongs to
	Next     *time.Time
	Last     *time.Time // that succeeded
	Failed   *time.Time // that failed, if it was the last
	Error    *string
	Result   []byte
}

// Aggregations returns what is recorded of the aggregation of the sources.
func (s *Store) Aggregations(ctx context.Context, q Querier) ([]Aggregation, error) {
	const statement = `
		SELECT source_id, schedule, next, last, failed, error, result
		FROM muster.source_aggregations
		ORDER BY source_id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByName[Aggregation])
}

// SourceCursor returns the cursor from which the changes of a source can be read, "" when there is none.
func (s *Store) SourceCursor(ctx context.Context, q Querier, source ID) (string, error) {
	const statement = `
		SELECT coalesce((SELECT cursor FROM muster.source_aggregations WHERE source_id = $1), '')`
	var cursor string
	err := q.QueryRow(ctx, s.sql(statement), source).Scan(&cursor)
	return cursor, mapError(err)
}

// LastAggregation returns when a source was aggregated by its connector last, nil where it never was.
func (s *Store) LastAggregation(ctx context.Context, q Querier, source ID) (*time.Time, error) {
	const statement = `SELECT (SELECT last FROM muster.source_aggregations WHERE source_id = $1)`
	var last *time.Time
	err := q.QueryRow(ctx, s.sql(statement), source).Scan(&last)
	return last, mapError(err)
}

// RecordAggregation records that a source was aggregated, and from where its changes can be read.
func (s *Store) RecordAggregation(ctx context.Context, tx pgx.Tx, source ID, cursor *string, now time.Time) error {
	const statement = `
		INSERT INTO muster.source_aggregations (source_id, cursor, last) VALUES ($1, $2, $3)
		ON CONFLICT (source_id)
		DO UPDATE SET cursor = excluded.cursor, last = excluded.last, failed = NULL, error = NULL`
	_, err := tx.Exec(ctx, s.sql(statement), source, cursor, now)
	return mapError(err)
}

// AggregationFailure is an aggregation that did not succeed.
type AggregationFailure struct {
	Began, Failed time.Time
	Reason        string
}

// RecordAggregationError records why a source could not be aggregated. It does nothing where the source is gone, and
// where another aggregation succeeded after this one began, or failed later.
func (s *Store) RecordAggregationError(ctx context.Context, q Querier, source ID, f *AggregationFailure) error {
	const statement = `
		INSERT INTO muster.source_aggregations AS a (source_id, failed, error)
		SELECT id, $3, $2 FROM muster.sources WHERE id = $1
		ON CONFLICT (source_id)
		DO UPDATE SET failed = excluded.failed, error = excluded.error
		WHERE coalesce(a.last <= $4, true) AND coalesce(a.failed <= excluded.failed, true)`
	_, err := q.Exec(ctx, s.sql(statement), source, f.Reason, f.Failed, f.Began)
	return mapError(err)
}

// RecordAggregationResult records what an aggregation did: a JSON object.
func (s *Store) RecordAggregationResult(ctx context.Context, q Querier, source ID, result []byte) error {
	const statement = `UPDATE muster.source_aggregations SET result = $2 WHERE source_id = $1`
	_, err := q.Exec(ctx, s.sql(statement), source, result)
	return mapError(err)
}

// TakeAggregation locks what is recorded of a source FOR UPDATE until the transaction ends. It reports whether the time
// of the source's schedule has come, and then sets the next one, so that only one of several callers is told so. A new
// schedule begins with its next time, and so does one whose next time is after latest: a clock that was ahead set it.
func (s *Store) TakeAggregation(ctx context.Context, tx pgx.Tx, source ID, schedule string, now, next,
	latest time.Time,
) (bool, error) {
	const lock = `
		SELECT coalesce(next <= $3, false)
		FROM muster.source_aggregations
		WHERE source_id = $1 AND schedule = $2
		FOR UPDATE`
	const write = `
		INSERT INTO muster.source_aggregations AS a (source_id, schedule, next) VALUES ($1, $2, $4)
		ON CONFLICT (source_id)
		DO UPDATE SET schedule = excluded.schedule, next = excluded.next
		WHERE a.schedule IS DISTINCT FROM excluded.schedule OR a.next <= $3 OR a.next > $5`
	var batch pgx.Batch
	var due bool
	batch.Queue(s.sql(lock), source, schedule, now).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&due)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	batch.Queue(s.sql(write), source, schedule, now, next, latest)
	err := tx.SendBatch(ctx, &batch).Close()
	return due, mapError(err)
}

// RunningJob is a job that the queue has given to a worker.
type RunningJob struct {
	ID          int64
	Source      string // from its arguments
	Attempt     int
	MaxAttempts int
	Since       time.Duration // for how long the worker has had it
}

// RunningAggregations returns the jobs of a kind that were given to a worker longer ago than a time. The clock is the
// server's, as it is for all times of the queue.
func (s *Store) RunningAggregations(ctx context.Context, q Querier, jobSchema, kind string, longer time.Duration) (
	[]RunningJob, error,
) {
	statement := `
		SELECT id, args ->> 'source', attempt, max_attempts, now() - attempted_at
		FROM ` + jobSchema + `.river_job
		WHERE state = 'running' AND kind = $1 AND attempted_at < now() - $2::interval
		ORDER BY id`
	return collect(ctx, q, statement, pgx.RowToStructByPos[RunningJob], kind, longer)
}

// ReturnJob takes a job from a worker that is gone: another one gets it at once, or nobody does where it was tried
// often enough. The queue itself does the same when the time of the job is over. Where the worker has ended the job
// meanwhile, it does nothing.
func (s *Store) ReturnJob(ctx context.Context, tx pgx.Tx, jobSchema string, job *RunningJob) (returned bool,
	err error,
) {
	statement := `
		UPDATE ` + jobSchema + `.river_job
		SET state = CASE WHEN attempt < max_attempts THEN 'available' ELSE 'discarded' END::` + jobSchema + `.` +
		`river_job_state,
		    finalized_at = CASE WHEN attempt < max_attempts THEN NULL ELSE now() END,
		    scheduled_at = now(),
		    errors = array_append(errors, jsonb_build_object('at', now(), 'attempt', attempt,
		                                                     'error', 'the worker is gone', 'trace', ''))
		WHERE id = $1 AND attempt = $2 AND state = 'running'`
	tag, err := tx.Exec(ctx, statement, job.ID, job.Attempt)
	return tag.RowsAffected() > 0, mapError(err)
}
