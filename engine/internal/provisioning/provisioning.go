package provisioning

import "github.com/muster-engine/muster/engine/internal/task"

// Provisioner carries out the operations of a tenant.
type Provisioner struct{ *task.Ledger }

// New returns the provisioner of the tenant whose tasks a ledger keeps.
func New(tasks *task.Ledger) *Provisioner { return &Provisioner{tasks} }
