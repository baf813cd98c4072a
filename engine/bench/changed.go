package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store"
)

// changedEvery is the number of people for each person with a changed account.
const changedEvery = 20

// changedCase measures a run over all identities, one in twenty of which has a changed account. It compares it with the
// same reading and the bare writing of the same rows. The bare writing undoes the run, so both work on the same number
// of rows, in turn.
func changedCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	people := p.everyNth(changedEvery)
	count := len(people)
	u, err := p.keep(ctx, people)
	if err != nil {
		return err
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	text := p.register(people, true)
	var events store.ID
	run := func(ctx context.Context) (took time.Duration, err error) {
		events, err = scalar[store.ID](ctx, p.pool, `SELECT max(id::text)::uuid FROM muster.event_writes`)
		if err != nil {
			return 0, err
		}
		result, err := p.aggregate(ctx, registerSource, text, engine.AggregateOptions{Delta: true})
		if err == nil && result.Changed != count {
			err = fmt.Errorf("%d accounts changed where %d should", result.Changed, count)
		}
		if err != nil {
			return 0, err
		}
		if err := p.checkpoint(ctx); err != nil {
			return 0, err
		}
		if took, err = p.fullRun(ctx, count); err != nil {
			return 0, err
		}
		// The task of the aggregation has nothing left to do.
		_, err = p.doTask(ctx, result.Task)
		return took, err
	}
	back := func(ctx context.Context) (time.Duration, error) { return u.writeBack(ctx, events) }
	medians, err := b.alternate(ctx, b.rounds, run, back)
	if err != nil {
		return err
	}
	b.add(against("5 % changed", rate(p.people, medians[0]), "read, COPY, UPDATE of the rows",
		rate(p.people, medians[1])).
		chart("full run, 5 % changed"), ratioAtLeast(0.5))
	return errors.Join(u.forget(ctx), p.settle(ctx))
}

// rowsOf are rows in the binary format of COPY.
type rowsOf struct{ identities, lost, gained, writes, events bytes.Buffer }

// fetch fetches the rows for writeBack: the identities as they were, the lost and the gained assignments, and the
// events after a given write.
func (u *undo) fetch(ctx context.Context, events store.ID) (*rowsOf, error) {
	conn, err := u.p.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	var r rowsOf
	for _, part := range []struct {
		into  *bytes.Buffer
		query string
	}{
		{&r.identities, `SELECT * FROM bench.identities`},
		{&r.lost, `SELECT s.* FROM bench.role_assignments s
			WHERE NOT EXISTS (SELECT FROM muster.role_assignments r WHERE r.id = s.id)`},
		{&r.gained, `SELECT r.id FROM muster.role_assignments r JOIN bench.chosen c ON c.id = r.identity_id
			WHERE NOT EXISTS (SELECT FROM bench.role_assignments s WHERE s.id = r.id)`},
		{&r.writes, `SELECT id, events, at, task_id, actor_id, actor_name, actor_via
			FROM muster.event_writes WHERE id > '` + events.Dashed() + `'`},
		{&r.events, `SELECT * FROM muster.identity_events WHERE write_id > '` + events.Dashed() + `'`},
	} {
		if _, err := conn.Conn().PgConn().CopyTo(ctx, part.into,
			`COPY (`+part.query+`) TO STDOUT (FORMAT binary)`); err != nil {
			return nil, err
		}
	}
	return &r, nil
}

// writeBack reads all identities, writes the kept rows back, and writes as many events as the run did. Only that is
// timed.
func (u *undo) writeBack(ctx context.Context, events store.ID) (time.Duration, error) {
	rows, err := u.fetch(ctx, events)
	if err != nil {
		return 0, err
	}
	if err := u.p.checkpoint(ctx); err != nil {
		return 0, err
	}
	reading, err := u.p.readEverybody(ctx)
	if err != nil {
		return 0, err
	}
	writing, err := timed(func() error {
		return pgx.BeginFunc(ctx, u.p.pool, func(tx pgx.Tx) error { return rows.write(ctx, tx) })
	})
	if err != nil {
		return 0, err
	}
	return reading + writing, u.restore(ctx, "accounts", "identity_keys", "role_assignments")
}

func (r *rowsOf) write(ctx context.Context, tx pgx.Tx) error {
	columns, err := assignments(ctx, tx, "identities")
	if err != nil {
		return err
	}
	for _, step := range []struct {
		table, columns string
		from           *bytes.Buffer
		write          string
	}{
		{"copied", `(LIKE muster.identities)`, &r.identities,
			`UPDATE muster.identities t SET ` + columns + ` FROM copied s WHERE t.id = s.id`},
		{"lost", `(LIKE muster.role_assignments)`, &r.lost,
			`INSERT INTO muster.role_assignments SELECT * FROM lost`},
		{"gained", `(id uuid)`, &r.gained,
			`DELETE FROM muster.role_assignments r USING gained g WHERE r.id = g.id`},
		// As other writes: their own are there.
		{"written", `(id uuid, events integer, at timestamptz, task_id uuid, actor_id text, actor_name text,
			actor_via text)`, &r.writes, `
				INSERT INTO muster.event_writes (id, events, at, task_id, actor_id, actor_name, actor_via)
			SELECT (left(id::text, 28) || right(md5(id::text), 8))::uuid, events, at, task_id, actor_id, actor_name,
			       actor_via FROM written`},
		{"happened", `(LIKE muster.identity_events)`,
			&r.events, `INSERT INTO muster.identity_events
			SELECT (left(write_id::text, 28) || right(md5(write_id::text), 8))::uuid, number, identity_id, types, detail
			FROM happened`},
	} {
		if _, err := tx.Exec(ctx, `CREATE TEMPORARY TABLE `+step.table+` `+step.columns+` ON COMMIT DROP`); err != nil {
			return err
		}
		if _, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(step.from.Bytes()),
			`COPY pg_temp.`+step.table+` FROM STDIN (FORMAT binary)`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, step.write); err != nil {
			return err
		}
	}
	return nil
}
