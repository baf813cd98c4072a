package task

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// TaskIdentityRefresh is the kind of the tasks that process identities.
const TaskIdentityRefresh = "IDENTITY_REFRESH"

// Ledger keeps the tasks of a tenant. It is safe for concurrent use.
type Ledger struct {
	*tenant.Tenant
	// applied is the version of the configuration that the guard asked for last, and counted how many identities there
	// were when it last counted them.
	applied atomic.Pointer[applied]
	counted atomic.Int64
}

// New returns the ledger of a tenant.
func New(t *tenant.Tenant) *Ledger { return &Ledger{Tenant: t} }

// FindTask returns the task with an ID. Where there is none, the error is of the kind NotFound.
func (l *Ledger) FindTask(ctx context.Context, op, id string) (store.Task, error) {
	parsed, ok := store.IDOf(id)
	if !ok {
		return store.Task{}, noTask(op, id)
	}
	task, err := l.Store.FindTask(ctx, l.Pool, parsed)
	if errors.Is(err, store.ErrNotFound) {
		return task, noTask(op, id)
	}
	return task, fault.Wrap(op, id, err)
}

func noTask(op, id string) error {
	return &fault.Error{Kind: fault.NotFound, Op: op, Subject: id, Err: errors.New("there is no task with this ID")}
}

// CauseOf returns the cause of what is done for a task now: the actor is the one that launched the task, or that of the
// settings where the task does not exist.
func (l *Ledger) CauseOf(ctx context.Context, q store.Querier, task store.ID) (store.Cause, error) {
	origins, err := l.Store.TaskOrigins(ctx, q, []store.ID{task})
	cause := store.Cause{Task: task, At: l.Now(), Actor: l.Actor}
	if origin, found := origins[task]; found {
		cause.Actor = origin.Actor
	}
	return cause, err
}
