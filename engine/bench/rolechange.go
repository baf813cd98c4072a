package main

import (
	"context"
	"fmt"
	"time"
)

// roleChangeFrom is the smallest size with a target for roleChangeCase.
const roleChangeFrom = 1_000_000

// roleChangeCase moves a role from one cohort to another. It compares that, with all its consequences, with reading all
// identities.
func roleChangeCase(ctx context.Context, b *bench) error {
	p, err := b.population(ctx, b.people)
	if err != nil {
		return err
	}
	for _, by := range []struct{ attribute, name string }{
		{cohortAttribute, "by a searchable attribute"}, {plainCohortAttribute, "by another attribute"},
	} {
		cohort := 0
		change := func(ctx context.Context) (time.Duration, error) {
			cohort = 1 - cohort
			return p.changeRole(ctx, p.cohortRole(by.attribute, cohort), 2*p.cohortSize())
		}
		if err := p.settle(ctx); err != nil {
			return err
		}
		medians, err := b.alternate(ctx, 2*b.rounds+1, p.ready(change), p.ready(p.readEverybody))
		if err != nil {
			return fmt.Errorf("%s: %w", by.name, err)
		}
		name := fmt.Sprintf("%s, %d concerned", by.name, 2*p.cohortSize())
		b.add(against(name, duration(medians[0]), "reading everybody", duration(medians[1])).
			chart("changed role, "+by.name), ratioAtMost(0.02).fromPeople(roleChangeFrom))
		if _, err := p.changeRole(ctx, p.cohortRole(by.attribute, 0), 2*cohort*p.cohortSize()); err != nil {
			return err
		}
	}
	return p.settle(ctx)
}

// changeRole applies a role and carries out the requested processing, which must concern the given number of
// identities.
func (p *population) changeRole(ctx context.Context, role string, concerned int) (time.Duration, error) {
	return timed(func() error {
		result, err := p.apply(ctx, "roles:\n"+role)
		if err != nil {
			return err
		}
		if result.Marked != concerned {
			return fmt.Errorf("processing was requested for %d identities where %d were concerned", result.Marked,
				concerned)
		}
		if concerned == 0 {
			return nil
		}
		task, err := p.doTask(ctx, result.Task)
		if err == nil && task.Attributes.ChangedCount != int64(concerned) {
			err = fmt.Errorf("%d identities changed where %d should", task.Attributes.ChangedCount, concerned)
		}
		return err
	})
}
