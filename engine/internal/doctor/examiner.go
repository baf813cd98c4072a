package doctor

import "github.com/muster-engine/muster/engine/internal/task"

// Doctor examines a tenant.
type Doctor struct{ *task.Ledger }

// New returns the doctor of the tenant whose tasks a ledger keeps.
func New(tasks *task.Ledger) *Doctor { return &Doctor{tasks} }
