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
	Slot         time.Time // the last one
	Now          time.Time
	StalledSince time.Time // a task or delivery that has done nothing since has stalled
	TokensBefore time.Time // tokens that expired before are too old
	TasksBefore  time.Time // tasks that ended before are too old
}

// Due says which work the clock asks for.
type Due struct {
	Slot       bool // the last slot has not begun
	Identities bool // some identities are due
	Stalled    bool // tasks or deliveries have lost their worker
	Old        bool // tokens or tasks may be too old
	Forsaken   bool // tasks ended and left requests or parts
}

// FindDue looks for everything that may be due in one statement, and locks nothing. It reads the earliest times instead
// of asking whether there are any before now: the planner does not know the parameter, would expect a third of all rows
// to be before it, and would look for the first one from the start of the table.
func (s *Store) FindDue(ctx context.Context, q Querier, jobSchema string, at DueTimes) (Due, error) {
	const statement = `
		SELECT NOT EXISTS (SELECT FROM muster.schedule_slots WHERE slot = $3),
		       coalesce((SELECT min(due) FROM muster.refresh_state) <= $1, false),
		       EXISTS (SELECT FROM muster.tasks t WHERE ` + stalledTask + `)
		       OR EXISTS (SELECT FROM muster.provisioning_batches b WHERE ` + stalledDelivery + `),
		       EXISTS (SELECT FROM muster.one_time_tokens WHERE expires < $4)
		       OR coalesce((SELECT min(created) FROM muster.tasks) < $5, false),
		       EXISTS (` + forsakenTasks + `)`
	var d Due
	err := q.QueryRow(ctx, s.withJobs(statement, jobSchema), at.Now, at.StalledSince, at.Slot, at.TokensBefore,
		at.TasksBefore).Scan(&d.Slot, &d.Identities, &d.Stalled, &d.Old, &d.Forsaken)
	return d, mapError(err)
}
