package main

import (
	"context"

	"github.com/muster-engine/muster/engine"
)

// The limits of memory. Memory counts as constant if ten times as many identities need hardly more.
const (
	memoryMax       = 512 << 20
	memoryGrowthMax = 1.25
)

// memoryCase measures the most memory of a process that carries out a run over all identities, and compares it with a
// run over a tenth of the people.
func memoryCase(ctx context.Context, b *bench) error {
	large, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	small, err := b.population(ctx, max(b.people/10, 1))
	if err != nil {
		return err
	}
	var most [2]int64
	for range b.rounds {
		for i, p := range []*population{large, small} {
			_, reports, err := p.fullRunIn(ctx, 1, engine.WorkersDefault)
			if err != nil {
				return err
			}
			most[i] = max(most[i], reports[0].MaxRSS)
		}
	}
	figure, smaller := value{float64(most[0]), memory}, value{float64(most[1]), memory}
	b.add(alone("full run, max RSS", figure).chart("full run, max RSS"), figureAtMost(value{memoryMax, memory}))
	b.add(against("full run, max RSS", figure, grouped(float64(small.people))+" people", smaller),
		ratioAtMost(memoryGrowthMax))
	return nil
}
