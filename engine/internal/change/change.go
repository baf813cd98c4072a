package change

import "github.com/muster-engine/muster/engine/internal/processing"

// Applier changes the configuration of a tenant.
type Applier struct{ *processing.Processor }

// New returns the applier of the tenant whose identities a processor processes.
func New(processor *processing.Processor) *Applier { return &Applier{processor} }
