package task

import (
	"fmt"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// HeldError says that the guard holds a task, and why.
type HeldError struct{ reason string }

func (e *HeldError) Error() string { return e.reason }

// CheckGuard returns a [HeldError] where a task has taken away more than the guard allows. sums are the task's, with
// those of the batch that was done last. What that batch did not add to does not hold the task.
func CheckGuard(g configuration.Guard, sums *store.TaskGuard, batch *store.TaskCounts) error {
	if g.Off || sums.Confirmed {
		return nil
	}
	limit := g.Limit(sums.Population)
	for _, watched := range []struct {
		sum, batch int64
		what       string
	}{
		{sums.RoleLosers, batch.RoleLosers, "lose a role"},
		{sums.LifecycleChanged, batch.LifecycleChanged, "change their lifecycle state"},
		{sums.Deactivated, batch.Deactivated, "cease to be active"},
	} {
		if watched.sum > limit && watched.batch > 0 {
			return &HeldError{fmt.Sprintf("more than %d of %d identities would %s: %d did before, and %d more would "+
				"in the batch that was not written", limit, sums.Population, watched.what,
				watched.sum-watched.batch, watched.batch)}
		}
	}
	return nil
}
