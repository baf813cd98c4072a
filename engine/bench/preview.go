package main

import (
	"context"
	"errors"
	"time"

	"github.com/muster-engine/muster/engine"
)

// previewCase compares the preview of a changed role for all identities with a run over all identities.
func previewCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	documents, err := p.documents("roles:\n" + p.cohortRole(cohortAttribute, 1))
	if err != nil {
		return err
	}
	preview := func(ctx context.Context) (time.Duration, error) {
		return timed(func() error {
			changes := 0
			totals, err := p.engine.Preview(ctx, engine.PreviewParams{Documents: documents},
				func(*engine.PreviewChange) error {
					changes++
					return nil
				})
			everybody := totals.Identities == p.people && totals.Calculated >= changes
			if err == nil && (!everybody || changes != 2*p.cohortSize()) {
				err = errors.New("the preview did not calculate all identities, or has other changes")
			}
			return err
		})
	}
	full := func(ctx context.Context) (time.Duration, error) { return p.fullRun(ctx, 0) }
	if err := p.settle(ctx); err != nil {
		return err
	}
	medians, err := b.alternate(ctx, b.rounds, p.ready(preview), p.ready(full))
	if err != nil {
		return err
	}
	b.add(against("a changed role", duration(medians[0]), "full run", duration(medians[1])).
		chart("preview of everybody"), ratioAtMost(0.5))
	return p.settle(ctx)
}
