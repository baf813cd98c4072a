package main

import (
	"context"
	"time"
)

// processesCase compares a run over all identities in two processes, each with one worker, with the same run in one.
// The bare reading of the same rows, with two connections and with one, shows what the machine can do.
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
	reading := func(connections int) measurement {
		return p.ready(func(ctx context.Context) (time.Duration, error) { return p.readEverybodyBy(ctx, connections) })
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	medians, err := b.alternate(ctx, b.rounds, by(2), by(1), reading(2), reading(1))
	if err != nil {
		return err
	}
	b.add(against("two processes", rate(p.people, medians[0]), "one process", rate(p.people, medians[1])).
		chart("full run by two processes"), ratioAtLeast(1.6))
	b.add(against("rows streamed raw by two", rate(p.people, medians[2]), "by one connection",
		rate(p.people, medians[3])), target{})
	return p.settle(ctx)
}
