package engine

import (
	"errors"
	"fmt"

	"github.com/muster-engine/muster/store"
)

// The guard's defaults.
const (
	GuardShareDefault   = 0.10
	GuardMinimumDefault = 20
)

// Guard limits what a run may take away before somebody confirms it: a mistake in one mapping must not empty a company.
// A run is stopped, with what exceeds the limit not written, when more identities than the limit would lose a role that
// their membership gave them, or would change from one lifecycle state to another, or would cease to be active: each of
// the three is counted by itself. It goes on after [Engine.ConfirmTask]. The limit is a share of the identities that
// the run is about: of all for scheduled runs, of those with an account on the source for aggregations, else of those
// that were marked.
type Guard struct {
	// Share is the limit as a share of the identities, up to 1. Defaults to [GuardShareDefault].
	Share float64
	// Minimum is the least limit, in identities. Defaults to [GuardMinimumDefault].
	Minimum int
	// Off lets every run do everything.
	Off bool
}

func (g Guard) withDefaults() Guard {
	if g.Share == 0 {
		g.Share = GuardShareDefault
	}
	if g.Minimum == 0 {
		g.Minimum = GuardMinimumDefault
	}
	return g
}

func (g Guard) validate() error {
	if !(g.Share > 0 && g.Share <= 1) {
		return fmt.Errorf("Guard.Share must be above 0 and at most 1, it is %v", g.Share)
	}
	if g.Minimum < 0 {
		return errors.New("Guard.Minimum must not be negative")
	}
	return nil
}

// limit returns how many of a population may be concerned.
func (g Guard) limit(population int64) int64 {
	return max(int64(g.Minimum), int64(g.Share*float64(population)))
}

// guardError says that a run is stopped.
type guardError struct{ reason string }

func (e *guardError) Error() string { return e.reason }

// check looks at the sums of a run after a batch.
func (g Guard) check(sums *store.TaskGuard, batch *store.TaskCounts) error {
	if g.Off || sums.Confirmed {
		return nil
	}
	limit := g.limit(sums.Population)
	for _, watched := range []struct {
		sum, batch int64
		what       string
	}{
		{sums.RoleLosers, batch.RoleLosers, "lose a role"},
		{sums.LifecycleChanged, batch.LifecycleChanged, "change their lifecycle state"},
		{sums.Deactivated, batch.Deactivated, "cease to be active"},
	} {
		if watched.sum > limit && watched.batch > 0 {
			return &guardError{fmt.Sprintf("more than %d of %d identities would %s: %d did before, and %d more would "+
				"in the batch that was not written", limit, sums.Population, watched.what,
				watched.sum-watched.batch, watched.batch)}
		}
	}
	return nil
}
