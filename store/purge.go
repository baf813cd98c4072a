package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// PurgeEvents removes events that are older than a time and behind an ID, at most limit. It returns how many, and the
// ID of the last one.
func (s *Store) PurgeEvents(ctx context.Context, tx pgx.Tx, before time.Time, after int64, limit int) (rows, next int64,
	err error,
) {
	const statement = `
		WITH old AS (
		    SELECT id FROM muster.identity_events WHERE at < $1 AND id > $2 ORDER BY id LIMIT $3
		), gone AS (
		    DELETE FROM muster.identity_events e USING old WHERE e.id = old.id RETURNING e.id
		)
		SELECT count(*), coalesce(max(id), $2) FROM gone`
	err = tx.QueryRow(ctx, s.sql(statement), before, after, limit).Scan(&rows, &next)
	return rows, next, mapError(err)
}

// PurgeOperations removes operations that ended before a time and are behind an ID, at most limit. Those that were
// given up stay while their identity exists, because processing reads them. It returns how many, and the ID of the last
// one.
func (s *Store) PurgeOperations(ctx context.Context, tx pgx.Tx, before time.Time, after ID, limit int) (rows int64,
	next ID, err error,
) {
	const statement = `
		WITH old AS (
		    SELECT o.id
		    FROM muster.provisioning_operations o
		    WHERE o.completed < $1 AND ($2::uuid IS NULL OR o.id > $2)
		      AND (o.state IN ('DONE', 'RETRIED', 'CANCELLED') OR o.state = 'FAILED'
		           AND NOT EXISTS (SELECT FROM muster.identities i WHERE i.id = o.identity_id))
		    ORDER BY o.id
		    LIMIT $3
		), gone AS (
		    DELETE FROM muster.provisioning_operations o USING old WHERE o.id = old.id RETURNING o.id
		)
		SELECT count(*), max(id::text)::uuid FROM gone`
	err = tx.QueryRow(ctx, s.sql(statement), before, after, limit).Scan(&rows, &next)
	return rows, next, mapError(err)
}

// PurgeTasks removes the tasks that ended before a time, with their messages, and returns how many. A task stays while
// it still has requests, parts, or messages that wait to be sent.
func (s *Store) PurgeTasks(ctx context.Context, tx pgx.Tx, before time.Time) (int64, error) {
	const statement = `
		DELETE FROM muster.tasks t
		WHERE t.completed < $1
		  AND NOT EXISTS (SELECT FROM muster.refresh_requests r WHERE r.task_id = t.id)
		  AND NOT EXISTS (SELECT FROM muster.task_parts p WHERE p.task_id = t.id)
		  AND NOT EXISTS (SELECT FROM muster.notifications n WHERE n.task_id = t.id AND n.state = 'PENDING')`
	tag, err := tx.Exec(ctx, s.sql(statement), before)
	return tag.RowsAffected(), mapError(err)
}

// PurgeSlots removes the slots before a time, and returns how many.
func (s *Store) PurgeSlots(ctx context.Context, tx pgx.Tx, before time.Time) (int64, error) {
	tag, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.schedule_slots WHERE slot < $1`), before)
	return tag.RowsAffected(), mapError(err)
}

// PurgeTokens removes the tokens that expired before a time, and returns how many.
func (s *Store) PurgeTokens(ctx context.Context, tx pgx.Tx, before time.Time) (int64, error) {
	tag, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.one_time_tokens WHERE expires < $1`), before)
	return tag.RowsAffected(), mapError(err)
}
