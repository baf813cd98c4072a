package engine

import "github.com/muster-engine/muster/engine/configuration"

// The guard's defaults, where the tenant's settings do not say otherwise.
const (
	GuardShareDefault   = configuration.GuardShareDefault
	GuardMinimumDefault = configuration.GuardMinimumDefault
)

// Guard limits what a run may take away before somebody confirms it: a mistake in one mapping must not empty a company.
// A run is held when more identities than the limit would lose a role that their membership gave them, or would change
// from one lifecycle state to another, or would cease to be active: each of the three is counted by itself. The changes
// that exceed the limit are not written. The run goes on after [Engine.ConfirmTask]. The limit is a share of the
// identities that the run is about: of all for scheduled runs, of those with an account on the source for aggregations,
// else of those whose processing was requested.
//
// The guard is a setting of the tenant: see [Config]. Each zero field stands for the tenant's setting, but a Guard with
// a Share or a Minimum also says that the guard is not off.
type Guard struct {
	// Share is the limit as a share of the identities, above 0 and at most 1. The tenant's is [GuardShareDefault] where
	// nobody set it.
	Share float64
	// Minimum is the least limit, in identities. The tenant's is [GuardMinimumDefault] where nobody set it.
	Minimum int
	// Off lets every run do everything. Share and Minimum do not matter then.
	Off bool
}
