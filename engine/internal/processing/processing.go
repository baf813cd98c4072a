package processing

import "github.com/muster-engine/muster/engine/internal/task"

// Processor processes the identities of a tenant. It is safe for concurrent use.
type Processor struct{ *task.Ledger }

// New returns the processor of the tenant whose tasks a ledger keeps.
func New(tasks *task.Ledger) *Processor { return &Processor{tasks} }
