package engine

import (
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// The guard's defaults, where the tenant's settings do not say otherwise.
const (
	GuardShareDefault   = configuration.GuardShareDefault
	GuardMinimumDefault = configuration.GuardMinimumDefault
)

// Guard limits what a run may take away before somebody confirms it: a mistake in one mapping must not empty a company.
// It counts identities, for each [LossKind], each source and each attribute by itself:
//
//   - [LossRole]: a role that their membership gave them falls away, but not by its remove date;
//   - [LossLifecycle]: they change from one lifecycle state to another, or to none;
//   - [LossActivity]: they cease to be active;
//   - [LossAttribute]: an identity attribute that has a value would have none;
//   - [LossValue]: synchronization would empty an attribute of an account;
//   - [LossAccess]: an operation would remove an entitlement on a source, but not one of a role whose remove date has
//     come;
//   - [LossAccount]: an operation would disable or delete an account on a source.
//
// Of an identity whose lifecycle state changes, or which ceases to be active, only that and its roles count: the rest
// follows from it. An identity that is calculated for the first time loses nothing. An operation that is tried again
// counts once.
//
// A run is held when more identities than the limit would lose the same. One that is larger than a batch is surveyed
// first: everybody whom it concerns is calculated, and it is held before anything is written. What identities lose that
// follow, because they read others, counts with the batches. A batch that exceeds the limit is not written. The run
// goes on after [Engine.ConfirmTask].
//
// The limit is a share of the identities that the run is about: of all for scheduled runs, of those with an account on
// the source for aggregations, else of those whose processing was requested. What follows from a task by provisioning
// adds to what that task did. What all tasks write in the first 24 hours of a version of the configuration adds up too,
// until one of them is confirmed, and its limit is a share of all identities: many small tasks are no way around the
// guard.
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

// LossKind says what an identity loses, as the guard counts it.
type LossKind string

// The kinds of losses. [Guard] says what of each counts.
const (
	LossRole      = LossKind(store.LossRole)      // ROLE: a role that its membership gave it
	LossLifecycle = LossKind(store.LossLifecycle) // LIFECYCLE_STATE: its lifecycle state, to another one or to none
	LossActivity  = LossKind(store.LossActivity)  // ACTIVITY: it ceases to be active
	LossAttribute = LossKind(store.LossAttribute) // ATTRIBUTE: the value of an identity attribute
	LossValue     = LossKind(store.LossValue)     // SYNCHRONIZED_VALUE: the value of an account attribute
	LossAccess    = LossKind(store.LossAccess)    // ACCESS: an entitlement on a source
	LossAccount   = LossKind(store.LossAccount)   // ACCOUNT: an account, which is disabled or deleted
)
