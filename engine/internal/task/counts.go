package task

import "github.com/muster-engine/muster/store"

// countFields returns where each count stands. A test compares it with the fields of the type, so that none is
// forgotten.
func countFields(c *store.TaskCounts) [10]*int64 {
	return [...]*int64{
		&c.Identities, &c.Changed, &c.Errors, &c.Warnings, &c.Correlated, &c.RolesGained, &c.RolesLost, &c.Operations,
		&c.LifecycleChanged, &c.Deactivated,
	}
}

// AddCounts returns the sum of counts.
func AddCounts(a, b store.TaskCounts) store.TaskCounts {
	more := countFields(&b)
	for i, count := range countFields(&a) {
		*count += *more[i]
	}
	return a
}
