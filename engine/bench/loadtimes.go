package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine"
)

// The limits of loadTimesCase.
const (
	slowestLoadMax = 1.3 // of the median
	fullAfterMax   = 1.3 // of a settled full run
)

// vacuuming is when a server takes its statistics.
type vacuuming struct {
	name     string
	settings map[string]string
}

var vacuumings = []vacuuming{
	{"autovacuum as it comes", nil},
	{"autovacuum every second", map[string]string{"autovacuum_naptime": "1s"}},
	{"autovacuum off", map[string]string{"autovacuum": "off"}},
}

// loadTimesCase loads the population again and again, each time into a database of its own, with autovacuum as it
// comes, every second and off, on private servers. The time of a load may not depend on when the server took its
// statistics; nor may that of the full run right after it, before anything is vacuumed.
func loadTimesCase(ctx context.Context, b *bench) error {
	for _, v := range vacuumings {
		if err := b.loadTimes(ctx, v); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
	}
	return nil
}

func (b *bench) loadTimes(ctx context.Context, v vacuuming) (err error) {
	s, err := startPrivate(ctx, nil, v.settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	var loads, after, settled []time.Duration
	for i := range b.rounds {
		t, err := b.loadOnce(ctx, s, i)
		if err != nil {
			return err
		}
		b.say("%s: load %s, full run right after %s, settled %s; history of %d rows, %d MB", v.name,
			significant(t.load), significant(t.after), significant(t.settled), t.events, t.bytes>>20)
		loads, after, settled = append(loads, t.load), append(after, t.after), append(settled, t.settled)
	}
	b.add(against(v.name+", slowest load", duration(slices.Max(loads)), "median load", duration(median(loads))).
		chart("load, "+v.name), ratioAtMost(slowestLoadMax))
	b.add(against(v.name+", full run right after", duration(median(after)), "settled full run",
		duration(median(settled))), ratioAtMost(fullAfterMax))
	return nil
}

type loadTime struct {
	load, after, settled time.Duration
	events, bytes        int64 // of the history after the load, with its indexes
}

// loadOnce loads the population into a database of its own, and drops that.
func (b *bench) loadOnce(ctx context.Context, s *server, i int) (t loadTime, err error) {
	p := &population{company: company{people: b.people, seed: b.seed}, clock: newClock(time.Now().UTC())}
	if p.url, p.pool, err = s.database(ctx, fmt.Sprintf("load_%d", i)); err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, s.drop(context.WithoutCancel(ctx))) }()
	defer p.pool.Close()
	if p.engine, err = engine.New(ctx, p.pool, p.engineConfig()); err != nil {
		return t, err
	}
	if err := p.checkpoint(ctx); err != nil {
		return t, err
	}
	if t.load, err = timed(func() error { return p.load(ctx) }); err != nil {
		return t, err
	}
	const history = `
		SELECT (SELECT count(*) FROM muster.identity_events), pg_total_relation_size('muster.identity_events')`
	if err := p.pool.QueryRow(ctx, history).Scan(&t.events, &t.bytes); err != nil {
		return t, err
	}
	if t.after, err = p.fullRun(ctx, 0); err != nil {
		return t, err
	}
	if err := p.settle(ctx); err != nil {
		return t, err
	}
	var runs []time.Duration
	for range 3 {
		run, err := p.fullRun(ctx, 0)
		if err != nil {
			return t, err
		}
		runs = append(runs, run)
	}
	t.settled = median(runs)
	return t, nil
}
