package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/muster-engine/muster/engine"
)

const (
	// paceEvents is the number of events of each line in a round.
	paceEvents = 240
	// paceEvery is how often an event is looked at until it is done.
	paceEvery = time.Millisecond
)

// paceCase asks for the processing of one identity, waits for it, and asks for the next one: by one client, by eight at
// once, and by one whose transactions are each rolled back and run again. It compares the slow events with the median
// of the first line. What a notification misses waits for the queue's next look, up to a second, which is a hundred
// times that.
func paceCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	started, err := engine.New(ctx, p.pool, engine.Config{Guard: engine.Guard{Off: true}})
	if err != nil {
		return err
	}
	if err := started.Start(ctx); err != nil {
		return err
	}
	const idle = 3 * time.Second // the engine's work at its start
	select {
	case <-ctx.Done():
	case <-time.After(idle):
	}
	var median time.Duration // of one at a time
	for _, line := range []struct {
		name       string
		clients    int
		rolledBack bool
		most       float64
	}{{"1 at a time", 1, false, 10}, {"8 at once", 8, false, 20}, {"1 at a time, each after a rollback", 1, true, 10}} {
		c := &pace{p: p, engine: started, rolledBack: line.rolledBack}
		if err = c.measure(ctx, line.clients, paceEvents*b.rounds); err != nil {
			err = fmt.Errorf("%s: %w", line.name, err)
			break
		}
		if median == 0 {
			median = percentile(c.latencies, 0.5)
		}
		p95 := percentile(c.latencies, 0.95)
		b.add(against(line.name+", p95", duration(p95), "1 at a time, median", duration(median)).
			chart("pace, "+line.name), ratioAtMost(line.most))
	}
	if err = errors.Join(err, started.Stop(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	return p.settle(ctx)
}

// pace is the events of one line.
type pace struct {
	p          *population
	engine     *engine.Engine
	rolledBack bool // each transaction is rolled back once, and run again

	mutex     sync.Mutex
	latencies []time.Duration
}

// measure lets clients take turns: all begin an event at once, and the next one when all are done.
func (c *pace) measure(ctx context.Context, clients, events int) error {
	const someone = `SELECT replace(id::text, '-', '') FROM muster.identities ORDER BY id DESC LIMIT $1`
	rows, err := c.p.pool.Query(ctx, someone, clients)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for range max(events/clients, 1) {
		group, ctx := errgroup.WithContext(ctx)
		for i := range clients {
			group.Go(func() error { return c.once(ctx, ids[i%len(ids)]) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// once asks for the processing of an identity, and waits until its task has ended.
func (c *pace) once(ctx context.Context, id string) error {
	if c.rolledBack {
		err := pgx.BeginFunc(ctx, c.p.pool, func(tx pgx.Tx) error {
			_, err := c.engine.ProcessIdentitiesTx(ctx, tx, []string{id})
			return errors.Join(err, errRolledBack)
		})
		if !errors.Is(err, errRolledBack) {
			return err
		}
	}
	var task engine.TaskStatus
	err := pgx.BeginFunc(ctx, c.p.pool, func(tx pgx.Tx) (err error) {
		task, err = c.engine.ProcessIdentitiesTx(ctx, tx, []string{id})
		return err
	})
	if err != nil {
		return err
	}
	begun := time.Now()
	const done = `SELECT completed IS NOT NULL FROM muster.tasks WHERE id = $1::uuid`
	for deadline := begun.Add(eventTimeout); ; {
		ended, err := scalar[bool](ctx, c.p.pool, done, task.ID)
		if err != nil {
			return err
		}
		if ended {
			break
		}
		if time.Now().After(deadline) {
			return errors.New("the task does not end")
		}
		time.Sleep(paceEvery)
	}
	took := time.Since(begun)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.latencies = append(c.latencies, took)
	return nil
}

var errRolledBack = errors.New("rolled back")
