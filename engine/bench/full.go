package main

import (
	"context"
	"time"
)

// fullCase compares a run over all identities, which changes nothing, with the bare reading of the identities and the
// accounts.
func fullCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	full := func(ctx context.Context) (time.Duration, error) { return p.fullRun(ctx, 0) }
	medians, err := b.alternate(ctx, b.rounds, p.ready(full), p.ready(p.readEverybody))
	if err != nil {
		return err
	}
	b.add(against("nothing changed", rate(p.people, medians[0]), "rows streamed raw", rate(p.people, medians[1])).
		chart("full run, nothing changed"), ratioAtLeast(0.5))
	return p.settle(ctx)
}
