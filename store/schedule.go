package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Slot is a time of scheduled processing that has begun.
type Slot struct {
	Slot       time.Time
	Begun      time.Time
	TaskID     ID
	Identities int64 // the number of identities that were due
}

// TakeSlot begins a slot. It returns false when the slot has begun before.
func (s *Store) TakeSlot(ctx context.Context, tx pgx.Tx, slot time.Time, task ID, now time.Time) (bool, error) {
	const statement = `
		INSERT INTO muster.schedule_slots (slot, begun, task_id, identities)
		VALUES ($1, $2, $3, 0)
		ON CONFLICT (slot) DO NOTHING`
	tag, err := tx.Exec(ctx, s.sql(statement), slot, now, task)
	return tag.RowsAffected() == 1, mapError(err)
}

// RecordSlot records how many identities were due at a slot.
func (s *Store) RecordSlot(ctx context.Context, tx pgx.Tx, slot time.Time, identities int64) error {
	_, err := tx.Exec(ctx, s.sql(`UPDATE muster.schedule_slots SET identities = $2 WHERE slot = $1`), slot, identities)
	return mapError(err)
}

// Slots returns the last slots that have begun, the latest first.
func (s *Store) Slots(ctx context.Context, q Querier, limit int) ([]Slot, error) {
	const statement = `
		SELECT slot, begun, task_id, identities FROM muster.schedule_slots ORDER BY slot DESC LIMIT $1`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[Slot], limit)
}

// DueTimes are the times by which [Store.FindDue] decides.
type DueTimes struct {
	Slot         time.Time     // the last one
	TokensBefore time.Time     // tokens that expired before are too old
	TasksBefore  time.Time     // tasks that ended before are too old
	Silent       time.Duration // an engine without a sign of life for so long is gone
	QuietTimes
}

// Due says which work the clock asks for.
type Due struct {
	Slot       bool // the last slot has not begun
	Identities bool // some identities are due
	Old        bool // tokens or tasks may be too old
	Forsaken   bool // tasks ended and left requests or parts
	Gone       bool // engines are gone, and are not forgotten
	Statistics bool // it is time to count
	// Quiet are tasks and deliveries that may have lost their job, as [Store.Quiet] finds them.
	Quiet []Carried
}

// FindDue looks for everything that may be due in one round trip, and locks nothing. It reads the earliest times
// instead of asking whether there are any before now: the planner does not know the parameter, would expect a third of
// all rows to be before it, and would look for the first one from the start of the table.
func (s *Store) FindDue(ctx context.Context, q Querier, at DueTimes) (Due, error) {
	const due = `
		SELECT NOT EXISTS (SELECT 1 FROM muster.schedule_slots WHERE slot = $2),
		       coalesce((SELECT min(due) FROM muster.refresh_state) <= $1, false),
		       EXISTS (SELECT 1 FROM muster.one_time_tokens WHERE expires < $3)
		       OR coalesce((SELECT min(created) FROM muster.tasks) < $4, false),
		       EXISTS (SELECT 1 FROM muster.engines WHERE seen < now() - $5::interval),
		       EXISTS (SELECT 1 FROM muster.statistics_state
		               WHERE due <= $1 OR due > $1::timestamptz + interval '2 hours')`
	var d Due
	var batch pgx.Batch
	batch.Queue(s.sql(due), at.Now, at.Slot, at.TokensBefore, at.TasksBefore, at.Silent).QueryRow(
		func(row pgx.Row) error {
			return row.Scan(&d.Slot, &d.Identities, &d.Old, &d.Gone, &d.Statistics)
		})
	batch.Queue(s.sql(forsakenTasks)).Query(func(rows pgx.Rows) error {
		forsaken, err := pgx.CollectRows(rows, pgx.RowTo[ID])
		d.Forsaken = len(forsaken) > 0
		return err
	})
	s.queueQuiet(&batch, at.QuietTimes, &d.Quiet)
	return d, mapError(q.SendBatch(ctx, &batch).Close())
}
