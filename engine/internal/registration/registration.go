package registration

import "github.com/muster-engine/muster/engine/internal/task"

// Registrar registers the identities of a tenant.
type Registrar struct {
	*task.Ledger
	notifier Notifier
}

// New returns the registrar of the tenant whose tasks a ledger keeps. Without a notifier, which is nil then, no message
// is sent.
func New(tasks *task.Ledger, notifier Notifier) *Registrar { return &Registrar{tasks, notifier} }
