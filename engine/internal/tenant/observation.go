package tenant

import (
	"context"
	"time"
)

// Observation is something that an engine did: a batch of processing, or a job of the queue.
type Observation struct {
	Job        string // the kind of the job, "" for a batch
	Identities int    // of a batch
	Duration   time.Duration
	Failed     bool
}

// ObserveBatch tells who looks at the engine of a batch that began at a time.
func (t *Tenant) ObserveBatch(ctx context.Context, begun time.Time, identities int, failed bool) {
	if t.Observe != nil && (identities > 0 || failed) {
		t.Observe(ctx, Observation{Identities: identities, Duration: time.Since(begun), Failed: failed})
	}
}
