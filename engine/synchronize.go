package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/task"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// AttributeSyncConfig returns the attributes of a source, named by ID or by name, that can be synchronized, and whether
// they are. [Engine.Apply] changes that by the source's attributeSyncConfig.
func (e *Engine) AttributeSyncConfig(ctx context.Context, source string) (AttributeSyncConfig, error) {
	const op = "show the attribute synchronization"
	s, err := e.tenant.SourceNamed(ctx, op, source)
	if err != nil {
		return AttributeSyncConfig{}, err
	}
	attributes, err := s.SyncAttributes()
	return AttributeSyncConfig{
		Source:     Reference{Type: string(TypeSource), ID: s.RowID.String(), Name: s.Name},
		Attributes: attributes,
	}, fault.Wrap(op, source, err)
}

// SynchronizeInterval is the least time between two calls that synchronize one identity: the published limit.
const SynchronizeInterval = 10 * time.Second

// IdentitySyncJob is a synchronization that was asked for, in the published shape.
type IdentitySyncJob struct {
	ID      string      `json:"id"`     // that of its task
	Status  string      `json:"status"` // QUEUED, IN_PROGRESS, SUCCESS or ERROR
	Payload SyncPayload `json:"payload"`
}

// SyncPayload says what is synchronized.
type SyncPayload struct {
	Type     string `json:"type"`
	DataJSON string `json:"dataJson"` // JSON, as a text
}

// SynchronizeAttributes asks that the accounts of an identity get the attributes of the identity, as the sources'
// attributeSyncConfig says, also of one that is long-term inactive. A worker analyses all accounts of the identity and
// opens the operations. The same identity can be synchronized again after [SynchronizeInterval]: before that the error
// is RateLimited and tells how long to wait, whichever process asked first.
func (e *Engine) SynchronizeAttributes(ctx context.Context, identity string) (IdentitySyncJob, error) {
	return e.synchronizeAttributes(identity).run(ctx)
}

// SynchronizeAttributesTx is [Engine.SynchronizeAttributes] in the caller's transaction.
func (e *Engine) SynchronizeAttributesTx(ctx context.Context, tx pgx.Tx, identity string) (IdentitySyncJob, error) {
	return e.synchronizeAttributes(identity).runIn(ctx, tx)
}

func (e *Engine) synchronizeAttributes(identity string) writeOf[IdentitySyncJob] {
	const op = "synchronize the attributes"
	return writeOf[IdentitySyncJob]{e, op, identity, func(ctx context.Context, tx pgx.Tx) (IdentitySyncJob, error) {
		id, err := e.tenant.LockIdentityShared(ctx, tx, op, identity)
		if err != nil {
			return IdentitySyncJob{}, err
		}
		cause := e.tenant.NewCause(ctx)
		last, ok, err := e.tenant.Store.BeginSynchronization(ctx, tx, id, cause.At, SynchronizeInterval)
		if err != nil {
			return IdentitySyncJob{}, err
		}
		if !ok {
			return IdentitySyncJob{}, &Error{Kind: RateLimited, Op: op, Subject: identity,
				RetryAfter: last.Add(SynchronizeInterval).Sub(cause.At),
				Err:        fmt.Errorf("it was asked for less than %s ago", SynchronizeInterval)}
		}
		if err := e.tenant.Store.RequestSynchronization(ctx, tx, []store.ID{id}, cause); err != nil {
			return IdentitySyncJob{}, err
		}
		err = e.tasks.Launch(ctx, tx, cause, &store.Task{Description: "Synchronize the attributes of an identity",
			Population: 1, TargetType: store.NullText("IDENTITY"), TargetID: id})
		return identitySyncJob(cause.Task, id), err
	}}
}

func identitySyncJob(task, identity store.ID) IdentitySyncJob {
	return syncJob(task, "SYNCHRONIZE_IDENTITY_ATTRIBUTES", "identityId", identity)
}

func sourceSyncJob(task, source store.ID) IdentitySyncJob {
	return syncJob(task, "SYNCHRONIZE_SOURCE_ATTRIBUTES", "sourceId", source)
}

func syncJob(task store.ID, kind, member string, subject store.ID) IdentitySyncJob {
	data, err := json.Marshal(map[string]string{member: subject.String()})
	if err != nil {
		panic(err) // texts can always be marshalled
	}
	return IdentitySyncJob{ID: task.String(), Status: "QUEUED",
		Payload: SyncPayload{Type: kind, DataJSON: string(data)}}
}

// SynchronizeSource is [Engine.SynchronizeAttributes] for all identities with an account on a source, named by ID or by
// name.
func (e *Engine) SynchronizeSource(ctx context.Context, name string) (IdentitySyncJob, error) {
	const op = "synchronize the source"
	source, err := e.tenant.SourceNamed(ctx, op, name)
	if err != nil {
		return IdentitySyncJob{}, err
	}
	job, err := tenant.Transact(ctx, e.tenant, func(tx pgx.Tx) (IdentitySyncJob, error) {
		cause := e.tenant.NewCause(ctx)
		if err := e.tenant.Store.RequestSourceSynchronization(ctx, tx, source.RowID, cause); err != nil {
			return IdentitySyncJob{}, err
		}
		population, err := e.tenant.Store.CountTaskRequests(ctx, tx, cause.Task)
		if err != nil {
			return IdentitySyncJob{}, err
		}
		err = e.tasks.Launch(ctx, tx, cause, &store.Task{Population: population, Requested: population,
			TargetType: store.NullText("APPLICATION"), TargetID: source.RowID, TargetName: &source.Name,
			Description: fmt.Sprintf("Synchronize the attributes on %q", source.Name)})
		return sourceSyncJob(cause.Task, source.RowID), err
	})
	return job, fault.Wrap(op, name, err)
}

// SyncJob returns the state of a synchronization that was asked for: SUCCESS says that all accounts were analysed and
// the operations opened.
func (e *Engine) SyncJob(ctx context.Context, id string) (IdentitySyncJob, error) {
	const op = "get the synchronization"
	row, err := e.tasks.FindTask(ctx, op, id)
	if err != nil {
		return IdentitySyncJob{}, err
	}
	var job IdentitySyncJob
	switch {
	case row.TargetType == nil || row.Kind != TaskIdentityRefresh:
		return job, &Error{Kind: NotFound, Op: op, Subject: id, Err: errors.New("the task is no synchronization")}
	case *row.TargetType == "APPLICATION":
		job = sourceSyncJob(row.ID, row.TargetID)
	default:
		job = identitySyncJob(row.ID, row.TargetID)
	}
	switch {
	case row.Completed == nil && row.Launched != nil:
		job.Status = "IN_PROGRESS"
	case row.Completed != nil && (store.TextOf(row.CompletionStatus) == task.StatusError ||
		store.TextOf(row.CompletionStatus) == task.StatusTerminated || row.Errors > 0):
		job.Status = "ERROR"
	case row.Completed != nil:
		job.Status = "SUCCESS"
	}
	return job, nil
}
