package main

import (
	"context"
	"time"
)

// processesCase compares a run over everybody by two processes, each with one worker, with the same by one.
func processesCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	by := func(processes int) measurement {
		return p.ready(func(ctx context.Context) (time.Duration, error) {
			took, _, err := p.fullRunIn(ctx, processes, 1)
			return took, err
		})
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	medians, err := b.alternate(ctx, b.rounds, by(2), by(1))
	if err != nil {
		return err
	}
	b.add(against("two processes", rate(p.people, medians[0]), "one process", rate(p.people, medians[1])).
		chart("full run by two processes"), ratioAtLeast(1.6))
	return p.settle(ctx)
}
