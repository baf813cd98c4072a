package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
)

// slotEvery is the time between two slots of the schedule.
const slotEvery = 12 * time.Hour

// shortRounds is the number of measurements of short work in each round.
const shortRounds = 7

// nothingDueCase compares a scheduled run with nothing to do with its bare look-ups, and with the same run over a
// hundredth of the people.
func nothingDueCase(ctx context.Context, b *bench) error {
	large, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	small, err := b.population(ctx, max(b.people/100, 1))
	if err != nil {
		return err
	}
	conn, err := large.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	rounds := shortRounds * b.rounds
	atSlot, err := b.alternate(ctx, rounds, large.slotRun, large.lookups(conn), small.slotRun)
	if err != nil {
		return err
	}
	between, err := b.alternate(ctx, rounds, large.quietRun, large.lookups(conn))
	if err != nil {
		return err
	}
	b.add(against("at a slot", duration(atSlot[0]), "its look-ups", duration(atSlot[1])).
		chart("scheduled run, nothing due"), ratioAtMost(5))
	b.add(against("at a slot", duration(atSlot[0]), fmt.Sprintf("%s people", grouped(float64(small.people))),
		duration(atSlot[2])), ratioAtMost(2))
	b.add(against("between slots", duration(between[0]), "its look-ups", duration(between[1])), ratioAtMost(5))
	return errors.Join(large.settle(ctx), small.settle(ctx))
}

// schedule runs the schedule and the tasks that it launches and that have not ended at once. It returns the number of
// identities that they calculated.
func (p *population) schedule(ctx context.Context) (engine.ScheduleResult, int, error) {
	result, err := p.engine.RunSchedule(ctx)
	if err != nil {
		return result, 0, err
	}
	done := 0
	for _, id := range result.Tasks {
		task, err := p.engine.Task(ctx, id)
		if err == nil && !task.Ended() {
			task, err = p.doTask(ctx, id)
		}
		if err != nil {
			return result, 0, err
		}
		done += int(task.Attributes.IdentityCount)
	}
	return result, done, nil
}

// slotRun is a run at the next slot with nothing due.
func (p *population) slotRun(ctx context.Context) (time.Duration, error) {
	p.clock.advance(slotEvery)
	return timed(func() error {
		result, done, err := p.schedule(ctx)
		if err == nil && (result.Slot.IsZero() || done != 0) {
			err = fmt.Errorf("a slot began at %v and calculated %d where nothing was due", result.Slot, done)
		}
		return err
	})
}

// quietRun is a run between two slots.
func (p *population) quietRun(ctx context.Context) (time.Duration, error) {
	return timed(func() error {
		result, _, err := p.schedule(ctx)
		if err == nil && (!result.Slot.IsZero() || len(result.Tasks) > 0) {
			err = errors.New("something was begun where nothing was due")
		}
		return err
	})
}

// dueLookups are the queries of a scheduled run, by hand: whether the slot has begun, which identities are due, which
// source to aggregate, which task or delivery has lost its worker, and which tokens and tasks are too old.
var dueLookups = []string{
	`SELECT EXISTS (SELECT FROM muster.schedule_slots WHERE slot = $1)`,
	lookupDue,
	`SELECT source_id FROM muster.source_aggregations WHERE next <= $1`,
	`SELECT id FROM muster.tasks WHERE completed IS NULL AND held IS NULL AND modified < $1`,
	`SELECT id FROM muster.provisioning_batches WHERE created < $1`,
	`SELECT expires FROM muster.one_time_tokens WHERE expires < $1`,
	`SELECT id FROM muster.tasks WHERE completed < $1::timestamptz - interval '90 days'`,
}

const lookupDue = `SELECT identity_id FROM muster.refresh_state WHERE due <= $1`

func (p *population) lookups(conn *pgxpool.Conn) measurement {
	return func(ctx context.Context) (time.Duration, error) {
		return timed(func() error {
			for _, query := range dueLookups {
				if err := discard(ctx, conn, query, p.clock.now()); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// dueCase compares a scheduled run with one identity in a hundred due with a run over all identities.
func dueCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	run := func(ctx context.Context) (time.Duration, error) {
		due, err := p.makeDue(ctx)
		if err != nil {
			return 0, err
		}
		return timed(func() error {
			_, done, err := p.schedule(ctx)
			if err == nil && done != due {
				err = fmt.Errorf("%d identities were calculated where %d were due", done, due)
			}
			return err
		})
	}
	full := func(ctx context.Context) (time.Duration, error) { return p.fullRun(ctx, 0) }
	bare := func(ctx context.Context) (time.Duration, error) {
		if _, err := p.makeDue(ctx); err != nil {
			return 0, err
		}
		return timed(func() error { return p.recordDueBare(ctx) })
	}
	medians, err := b.alternate(ctx, b.rounds, p.ready(run), p.ready(full), p.ready(bare))
	if err != nil {
		return err
	}
	b.add(against("1 % due", duration(medians[0]), "full run", duration(medians[1])).
		chart("scheduled run, 1 % due"), ratioAtMost(0.03))
	b.add(against("their rows read raw, and noted", duration(medians[2]), "full run", duration(medians[1])), target{})
	return p.settle(ctx)
}

// recordDueBare does the least work for the identities that are due: it finds them, reads their rows without decoding
// them, and records that they are not due any more.
func (p *population) recordDueBare(ctx context.Context) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, lookupDue+` ORDER BY identity_id`, p.clock.now())
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[pgtype.UUID])
		if err != nil {
			return err
		}
		for _, query := range []string{readIdentitiesOf, readAccountsOf} {
			if err := discard(ctx, tx, query, ids); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `UPDATE muster.refresh_state SET due = NULL WHERE identity_id = ANY ($1)`, ids)
		return err
	})
}

// makeDue advances to the next slot and makes one identity in a hundred due there, as if its nextProcessing had come.
// It returns their number.
func (p *population) makeDue(ctx context.Context) (int, error) {
	const statement = `
		INSERT INTO muster.refresh_state (identity_id, due)
		SELECT id, $1 FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM muster.identities) numbered
		WHERE n % 100 = 0
		ON CONFLICT (identity_id) DO UPDATE SET due = excluded.due`
	tag, err := p.pool.Exec(ctx, statement, p.clock.advance(slotEvery).Add(-time.Second))
	if err != nil {
		return 0, err
	}
	// New rows have no hint bits yet. That must not count for the run.
	_, err = p.pool.Exec(ctx, `VACUUM ANALYZE muster.refresh_state`)
	return int(tag.RowsAffected()), err
}

// scalar returns the only value of a statement.
func scalar[T any](ctx context.Context, q interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, statement string, arguments ...any,
) (T, error) {
	var v T
	err := q.QueryRow(ctx, statement, arguments...).Scan(&v)
	return v, err
}
