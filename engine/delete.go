package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// AssociationsError says that an identity cannot be deleted: because it is protected, or because of what it owns.
type AssociationsError struct {
	Message      string
	Associations []Association // empty for a protected identity
}

func (e *AssociationsError) Error() string {
	var kinds []string
	for _, a := range e.Associations {
		kinds = append(kinds, fmt.Sprintf("%d as %s", len(a.Entities), a.AssociationType))
	}
	if len(kinds) == 0 {
		return e.Message
	}
	return e.Message + ": " + strings.Join(kinds, ", ")
}

// messageOwner is the published text.
const messageOwner = "Identity cannot be deleted as it is owner of following resources"

// ProtectIdentity protects an identity from being deleted, or ends that.
func (e *Engine) ProtectIdentity(ctx context.Context, identity string, protected bool) error {
	return e.protectIdentity(identity, protected).run(ctx)
}

// ProtectIdentityTx is [Engine.ProtectIdentity] in the caller's transaction.
func (e *Engine) ProtectIdentityTx(ctx context.Context, tx pgx.Tx, identity string, protected bool) error {
	return e.protectIdentity(identity, protected).runIn(ctx, tx)
}

func (e *Engine) protectIdentity(identity string, protected bool) write {
	const op = "protect the identity"
	return write{e, op, identity, func(ctx context.Context, tx pgx.Tx) error {
		id, known := store.IDOf(identity)
		if !known {
			return fault.NoIdentity(op, identity)
		}
		cause := e.tenant.NewActionCause(ctx)
		changed, err := e.tenant.Store.ProtectIdentity(ctx, tx, id, protected, cause.At)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return fault.NoIdentity(op, identity)
		case err != nil || !changed:
			return err
		}
		return e.addEvent(ctx, tx, cause, id, &event.Detail{Protection: &event.Protection{Protected: protected}})
	}}
}

// DeleteIdentity deletes an identity. It is a Conflict that wraps an [*AssociationsError] while the identity is
// protected or owns something ([Engine.Ownership]); the transaction that deletes checks both. The accounts stay,
// uncorrelated. Those who had the identity as their manager have none, and their processing is requested. What was to
// be done for it on sources is cancelled. Its history stays, and gets the event.
func (e *Engine) DeleteIdentity(ctx context.Context, identity string) error {
	return e.deleteIdentity(identity).run(ctx)
}

// DeleteIdentityTx is [Engine.DeleteIdentity] in the caller's transaction.
func (e *Engine) DeleteIdentityTx(ctx context.Context, tx pgx.Tx, identity string) error {
	return e.deleteIdentity(identity).runIn(ctx, tx)
}

func (e *Engine) deleteIdentity(identity string) write {
	const op = "delete the identity"
	return write{e, op, identity, func(ctx context.Context, tx pgx.Tx) error {
		id, known := store.IDOf(identity)
		if !known {
			return fault.NoIdentity(op, identity)
		}
		d, exists, err := e.lockForDeletion(ctx, tx, id)
		if err != nil {
			return err
		}
		if !exists {
			return fault.NoIdentity(op, identity)
		}
		row, err := e.demandDeletable(ctx, tx, op, identity, id)
		if err != nil {
			return err
		}
		published, err := identityOf(&row)
		if err != nil {
			return err
		}
		cause := e.tenant.NewCause(ctx)
		if err := e.addEvent(ctx, tx, cause, id, &event.Detail{Deleted: &event.Deleted{
			Identity: Reference{Type: "IDENTITY", ID: published.ID, Name: row.Name}, Attributes: published.Attributes,
		}}); err != nil {
			return err
		}
		if err := e.removeIdentity(ctx, tx, d, cause); err != nil {
			return err
		}
		_, _, err = e.tasks.LaunchRequested(ctx, tx, cause, fmt.Sprintf("Process after the deletion of %s", id), nil)
		return err
	}}
}

// deletion is an identity that will be deleted.
type deletion struct {
	id      store.ID
	reports []store.ID
	// others is what identities read of each other.
	others refresh.Others
}

// lockForDeletion takes the locks of a deletion, in the lock order of package store: also those of the reports, which
// are written.
func (e *Engine) lockForDeletion(ctx context.Context, tx pgx.Tx, id store.ID) (d deletion, exists bool, err error) {
	d.id = id
	c, err := e.tenant.LockConfigurationShared(ctx, tx)
	if err != nil {
		return d, false, err
	}
	d.others = c.Refresh.Others
	if err := e.tenant.Store.LockDeletions(ctx, tx); err != nil {
		return d, false, err
	}
	// Batches write their managers before they take the key lock: none may be about to write the identity as one.
	if err := e.tenant.Store.LockCorrelation(ctx, tx); err != nil {
		return d, false, err
	}
	if d.reports, err = e.tenant.Store.ReportsOf(ctx, tx, id); err != nil {
		return d, false, err
	}
	locked, err := e.tenant.Store.LockIdentities(ctx, tx, append([]store.ID{id}, d.reports...))
	return d, slices.Contains(locked, id), err
}

// demandDeletable returns an identity, and fails while it is protected, or owns something.
func (e *Engine) demandDeletable(ctx context.Context, tx pgx.Tx, op, identity string, id store.ID) (store.Identity,
	error,
) {
	row, err := e.tenant.Store.IdentityByID(ctx, tx, id)
	if err != nil {
		return row, err
	}
	associations, err := e.owned(ctx, tx, id)
	switch {
	case err != nil:
		return row, err
	case row.Protected:
		return row, &Error{Kind: Conflict, Op: op, Subject: identity,
			Err: &AssociationsError{Message: "Identity cannot be deleted as it is protected"}}
	case len(associations) > 0:
		return row, &Error{Kind: Conflict, Op: op, Subject: identity,
			Err: &AssociationsError{Message: messageOwner, Associations: associations}}
	}
	return row, nil
}

// removeIdentity deletes an identity that may be deleted, and does what follows for others: its reports have no
// manager, and the keys by which it was found may now find somebody else alone.
func (e *Engine) removeIdentity(ctx context.Context, tx pgx.Tx, d deletion, cause store.Cause) error {
	s, id, reports := e.tenant.Store, d.id, d.reports
	if err := s.LockKeys(ctx, tx); err != nil {
		return err
	}
	// An identity that got it as its manager since then is not locked here, and a transaction that waits for the keys
	// may have locked it.
	now, err := s.ReportsOf(ctx, tx, id)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(now, func(report store.ID) bool { return !slices.Contains(reports, report) }) {
		return &store.RetryableError{Err: errors.New("the identity became somebody's manager meanwhile")}
	}
	rows, err := s.IdentityKeys(ctx, tx, []store.ID{id})
	if err != nil {
		return err
	}
	keys := make([]string, len(rows))
	for i := range rows {
		keys[i] = rows[i].Key
	}
	if err := s.CancelOperationsOf(ctx, tx, id, cause.At); err != nil {
		return err
	}
	if _, err := s.TakeRefreshRequests(ctx, tx, []store.ID{id}, false); err != nil {
		return err
	}
	readers, err := e.readersOf(ctx, tx, d)
	if err != nil {
		return err
	}
	if err := s.DeleteIdentity(ctx, tx, id, cause.At); err != nil {
		return err
	}
	if err := s.RequestRefresh(ctx, tx, readers, "an identity that it reads was deleted", cause); err != nil {
		return err
	}
	if err := s.RequestRefresh(ctx, tx, reports, "manager deleted", cause); err != nil {
		return err
	}
	if err := s.RequestManagedRefresh(ctx, tx, keys, append(reports, id), 0, cause); err != nil {
		return err
	}
	_, err = s.CorrelateKeys(ctx, tx, keys, cause)
	return err
}

// readersOf returns whose values may come from an identity that will be deleted, beside its reports: who looked its
// alias up, and its manager, which may not be one any more.
func (e *Engine) readersOf(ctx context.Context, tx pgx.Tx, d deletion) ([]store.ID, error) {
	if !d.others.Alias && !d.others.Status {
		return nil, nil
	}
	states, err := e.tenant.Store.IdentityStates(ctx, tx, []store.ID{d.id})
	if err != nil || len(states) == 0 {
		return nil, err
	}
	readers, err := e.tenant.Store.LookedUpBy(ctx, tx, store.AliasKey(states[0].Alias))
	if manager := states[0].ManagerID; d.others.Status && !manager.IsZero() {
		readers = append(readers, manager)
	}
	return slices.DeleteFunc(readers, func(reader store.ID) bool { return reader == d.id }), err
}
