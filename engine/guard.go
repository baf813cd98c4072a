package engine

import (
	"errors"
	"fmt"
)

// The guard's defaults.
const (
	GuardShareDefault   = 0.10
	GuardMinimumDefault = 20
)

// Guard limits what a run may take away before somebody confirms it: a mistake in one mapping must not empty a company.
// A run is held when more identities than the limit would lose a role that their membership gave them, or would change
// from one lifecycle state to another, or would cease to be active: each of the three is counted by itself. The changes
// that exceed the limit are not written. The run goes on after [Engine.ConfirmTask]. The limit is a share of the
// identities that the run is about: of all for scheduled runs, of those with an account on the source for aggregations,
// else of those whose processing was requested.
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
