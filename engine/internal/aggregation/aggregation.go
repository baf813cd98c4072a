package aggregation

import "github.com/muster-engine/muster/engine/internal/processing"

// Aggregator aggregates the sources of a tenant. It is safe for concurrent use.
type Aggregator struct{ *processing.Processor }

// New returns the aggregator of the tenant whose identities a processor processes.
func New(processor *processing.Processor) *Aggregator { return &Aggregator{processor} }
