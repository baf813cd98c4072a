package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// SourceComplete reports whether a source was ever read completely.
func (s *Store) SourceComplete(ctx context.Context, q Querier, source ID) (bool, error) {
	const statement = `
		SELECT EXISTS (SELECT 1 FROM muster.source_aggregations WHERE source_id = $1 AND complete IS NOT NULL)`
	var complete bool
	err := q.QueryRow(ctx, s.sql(statement), source).Scan(&complete)
	return complete, mapError(err)
}

// RecordComplete records that a source was read completely.
func (s *Store) RecordComplete(ctx context.Context, tx pgx.Tx, source ID, now time.Time) error {
	const statement = `
		INSERT INTO muster.source_aggregations (source_id, complete) VALUES ($1, $2)
		ON CONFLICT (source_id) DO UPDATE SET complete = excluded.complete`
	_, err := tx.Exec(ctx, s.sql(statement), source, now)
	return mapError(err)
}

// RequestAwaiting requests the processing of the identities whose operations await the first complete reading of a
// source, and returns how many those are. The caller has the correlation lock alone, so that it sees the operations of
// every batch that found the source unread.
func (s *Store) RequestAwaiting(ctx context.Context, tx pgx.Tx, source ID, cause Cause) (int, error) {
	const statement = `
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		SELECT $2::uuid, row_number() OVER (), o.identity_id, $3::uuid, 'source aggregated', $4::timestamptz
		FROM (SELECT DISTINCT identity_id FROM muster.provisioning_operations
		      WHERE source_id = $1 AND state = 'PARKED' AND awaits IS NOT NULL) o`
	tag, err := tx.Exec(ctx, s.sql(statement), source, NewID(), cause.Task, cause.At)
	return int(tag.RowsAffected()), mapError(err)
}

// SourceName returns the name of a source, "" where it is gone.
func (s *Store) SourceName(ctx context.Context, q Querier, source ID) (name string, err error) {
	const statement = `SELECT coalesce((SELECT name FROM muster.sources WHERE id = $1), '')`
	err = q.QueryRow(ctx, s.sql(statement), source).Scan(&name)
	return name, mapError(err)
}
