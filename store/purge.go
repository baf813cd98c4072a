package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// PurgeEvents removes the events of whole writes, from the first position on, up to the first write that is not older
// than a time: some more than limit at most where a write has many. A write with a time after now, from a clock that
// was ahead, is as old as what follows it. It locks the row of event_positions until the transaction ends. It returns
// how many events it removed, and whether it may find more. Writes without a position stay.
func (s *Store) PurgeEvents(ctx context.Context, tx pgx.Tx, before, now time.Time, limit int) (rows int64, more bool,
	err error,
) {
	positions, err := s.LockEventPositions(ctx, tx)
	if err != nil {
		return 0, false, err
	}
	type oldWrite struct {
		ID     ID
		End    int64
		Events int64
		At     time.Time
	}
	const statement = `
		SELECT id, position + events - 1, events, at FROM muster.event_writes
		WHERE position > $1 ORDER BY position LIMIT $2`
	writes, err := collect(ctx, tx, s.sql(statement), pgx.RowToStructByPos[oldWrite], positions.Purged, limit)
	if err != nil {
		return 0, false, err
	}
	// The last write of the page that is to go. One with a time ahead of now goes only with an old one behind it.
	var gone []ID
	last, count := 0, int64(0)
	for i, w := range writes {
		if !w.At.Before(before) && !w.At.After(now) {
			break
		}
		if count += w.Events; w.At.Before(before) {
			last = i + 1
		}
		if count >= int64(limit) && last > 0 {
			break
		}
	}
	if last == 0 {
		return 0, false, nil
	}
	for _, w := range writes[:last] {
		gone = append(gone, w.ID)
	}
	tag, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.identity_events WHERE write_id = ANY ($1)`), gone)
	if err != nil {
		return 0, false, mapError(err)
	}
	if _, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.event_writes WHERE id = ANY ($1)`), gone); err != nil {
		return 0, false, mapError(err)
	}
	_, err = tx.Exec(ctx, s.sql(`UPDATE muster.event_positions SET purged = $1`), writes[last-1].End)
	return tag.RowsAffected(), true, mapError(err)
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
		           AND NOT EXISTS (SELECT 1 FROM muster.identities i WHERE i.id = o.identity_id))
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
// it still has requests, parts, or messages that wait to be sent. Sums of losses go that nothing was added to since.
func (s *Store) PurgeTasks(ctx context.Context, tx pgx.Tx, before time.Time) (int64, error) {
	const statement = `
		DELETE FROM muster.tasks t
		WHERE t.completed < $1
		  AND NOT EXISTS (SELECT 1 FROM muster.refresh_requests r WHERE r.task_id = t.id)
		  AND NOT EXISTS (SELECT 1 FROM muster.task_parts p WHERE p.task_id = t.id)
		  AND NOT EXISTS (SELECT 1 FROM muster.notifications n WHERE n.task_id = t.id AND n.state = 'PENDING')`
	tag, err := tx.Exec(ctx, s.sql(statement), before)
	if err == nil {
		_, err = tx.Exec(ctx, s.sql(deleteLosses), before)
	}
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
