package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/muster-engine/muster/engine"
)

// The limits of the event path.
const (
	eventMedianMax = 50 * time.Millisecond
	// eventConnections is the number of event transactions that an engine runs at the same time.
	eventConnections = 4
	eventTimeout     = time.Minute
)

// eventCase changes accounts and measures the time from the commit of the change to the commit of its consequences. A
// commit counts when it has returned, because PostgreSQL's commit times are from before it waits for the disk. One
// transaction commits all concurrent changes, each with its own task. The case records the transactions of the
// consequences, which may serve several changes, and runs them again, bare, with as many connections as the engine has
// workers for them. The statements of the queue itself are not part of that. A change's bare latency is that of its
// transaction.
func eventCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	tracer := &recorder{}
	pool, err := connect(ctx, p.url, tracer)
	if err != nil {
		return err
	}
	defer pool.Close()
	started, err := engine.New(ctx, pool, engine.Config{Guard: engine.Guard{Off: true}})
	if err != nil {
		return err
	}
	if err := started.Start(ctx); err != nil {
		return err
	}
	for _, concurrent := range []int{1, 10, 100} {
		w := &wave{p: p, engine: started, recorder: tracer}
		// The last people manage no one, so a change concerns no one else.
		for i := range min(concurrent, p.people) {
			w.people = append(w.people, p.people-1-i)
		}
		if err = w.measure(ctx, b); err != nil {
			err = fmt.Errorf("%d at once: %w", concurrent, err)
			break
		}
	}
	if err = errors.Join(err, started.Stop(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	return p.settle(ctx)
}

// wave is a set of changes that are committed at the same time.
type wave struct {
	p        *population
	engine   *engine.Engine
	recorder *recorder
	people   []int // people with changed accounts
	texts    [][]byte
	undo     *undo
	conns    []*pgxpool.Conn // for the bare statements

	tasks           []string // by person
	changed         time.Time
	latencies, bare []time.Duration
}

func (w *wave) measure(ctx context.Context, b *bench) (err error) {
	if w.undo, err = w.p.keep(ctx, w.people); err != nil {
		return err
	}
	for _, person := range w.people {
		w.texts = append(w.texts, w.p.register([]int{person}, true))
	}
	for range min(eventConnections, len(w.people)) {
		conn, err := w.p.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		w.conns = append(w.conns, conn)
	}
	if err := w.wait(ctx); err != nil { // for the engine's work at its start
		return err
	}
	if err := w.p.settle(ctx); err != nil {
		return err
	}
	// The first waves warm up: they prepare statements.
	const warm = 2
	for i := range max(60/len(w.people), 2)*b.rounds + warm {
		if i == warm {
			w.latencies, w.bare = nil, nil
		}
		if err := w.once(ctx); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("%d at once", len(w.people))
	p50 := duration(percentile(w.latencies, 0.5))
	b.add(against(name+", p50", p50, "its statements bare", duration(percentile(w.bare, 0.5))).
		chart("event, "+name+", p50"), ratioAtMost(2))
	b.add(against(name+", p99", duration(percentile(w.latencies, 0.99)), "its statements bare",
		duration(percentile(w.bare, 0.99))), ratioAtMost(3))
	b.add(alone(name+", p50", p50), figureAtMost(duration(eventMedianMax)))
	return w.undo.forget(ctx)
}

// once changes the accounts, waits for the consequences, runs their transactions again, and undoes everything.
func (w *wave) once(ctx context.Context) error {
	w.recorder.begin()
	err := w.change(ctx)
	if err == nil {
		err = w.wait(ctx)
	}
	recorded := w.recorder.end()
	if err != nil {
		return err
	}
	written := 0
	for i := range recorded {
		t := &recorded[i]
		took := t.committed.Sub(w.changed)
		w.latencies = append(w.latencies, slices.Repeat([]time.Duration{took}, t.identities())...)
		written += t.identities()
	}
	if written != len(w.people) {
		return fmt.Errorf("%d identities were written where there should be %d", written, len(w.people))
	}
	if err := w.reopen(ctx); err != nil {
		return err
	}
	if err := w.replay(ctx, recorded); err != nil {
		return err
	}
	return w.takeBack(ctx)
}

// change changes the accounts in one transaction.
func (w *wave) change(ctx context.Context) error {
	w.tasks = nil
	err := pgx.BeginFunc(ctx, w.p.pool, func(tx pgx.Tx) error {
		for _, text := range w.texts {
			result, err := w.engine.AggregateTx(ctx, tx, registerSource, bytes.NewReader(text),
				engine.AggregateOptions{Delta: true})
			if err != nil {
				return err
			}
			if result.Changed != 1 || result.Task == "" {
				return fmt.Errorf("%d accounts changed where one should", result.Changed)
			}
			w.tasks = append(w.tasks, result.Task)
		}
		return nil
	})
	w.changed = time.Now()
	return err
}

// wait waits until no task is open and no job is left that may read a task.
func (w *wave) wait(ctx context.Context) error {
	const left = `
		SELECT (SELECT count(*) FROM muster.tasks WHERE completed IS NULL) +
		       (SELECT count(*) FROM muster_jobs.river_job WHERE state IN ('available', 'running', 'retryable'))`
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	for {
		open, err := scalar[int](ctx, w.p.pool, left)
		if err != nil || open == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d tasks and jobs are still open: %w", open, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// reopen restores everything except the accounts to the state at the commit of the change.
func (w *wave) reopen(ctx context.Context) error {
	if err := w.undo.restore(ctx, "identities", "identity_keys", "role_assignments"); err != nil {
		return err
	}
	const (
		tasks  = `UPDATE muster.tasks SET completed = NULL, completion_status = NULL WHERE id = ANY ($1::uuid[])`
		events = `
			DELETE FROM muster.identity_events
			WHERE write_id = ANY (ARRAY (SELECT id FROM muster.event_writes WHERE task_id = ANY ($1::uuid[])))`
		writes   = `DELETE FROM muster.event_writes WHERE task_id = ANY ($1::uuid[])`
		requests = `
			INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
			SELECT v.task, row_number() OVER (), i.id, v.task, 'account changed', now()
			FROM unnest($1::uuid[], $2::int[]) v (task, person)
			JOIN bench.identities i ON i.attributes ->> 'uid' = v.person::text`
	)
	return pgx.BeginFunc(ctx, w.p.pool, func(tx pgx.Tx) error {
		// The transactions that are run again write the same events.
		for _, statement := range []string{tasks, events, writes} {
			if _, err := tx.Exec(ctx, statement, w.tasks); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, requests, w.tasks, w.people)
		return err
	})
}

// replay runs recorded transactions, which all begin at the same moment, and records the commit time of each.
func (w *wave) replay(ctx context.Context, recorded []transaction) error {
	waiting := make(chan *transaction, len(recorded))
	for i := range recorded {
		waiting <- &recorded[i]
	}
	close(waiting)
	var mutex sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for _, conn := range w.conns {
		group.Go(func() error {
			for t := range waiting {
				if err := t.run(ctx, conn); err != nil {
					return err
				}
				took := time.Since(start)
				mutex.Lock()
				w.bare = append(w.bare, slices.Repeat([]time.Duration{took}, t.identities())...)
				mutex.Unlock()
			}
			return nil
		})
	}
	return group.Wait()
}

// takeBack restores the state before the change. It checks that the bare transactions did the work: no refresh request
// may be left.
func (w *wave) takeBack(ctx context.Context) error {
	const (
		requests = `SELECT count(*) FROM muster.refresh_requests WHERE task_id = ANY ($1::uuid[])`
		tasks    = `
			UPDATE muster.tasks SET completed = now(), completion_status = 'SUCCESS' WHERE id = ANY ($1::uuid[])`
	)
	left, err := scalar[int](ctx, w.p.pool, requests, w.tasks)
	if err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("the transactions, run again, left %d refresh requests", left)
	}
	if _, err := w.p.pool.Exec(ctx, tasks, w.tasks); err != nil {
		return err
	}
	return w.undo.restore(ctx, "identities", "accounts", "identity_keys", "role_assignments")
}
