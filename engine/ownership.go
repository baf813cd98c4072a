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
	"github.com/muster-engine/muster/store"
)

// OwnedLengthMax is how many characters the kind, the identifier and the name of an owned object may have.
const OwnedLengthMax = 512

// Association is a kind of objects that an identity owns, in the published shape.
type Association struct {
	AssociationType string              `json:"associationType"` // ROLE_OWNER, SOURCE_OWNER, ...
	Entities        []AssociationEntity `json:"entities"`
}

// AssociationEntity is one object of an [Association].
type AssociationEntity struct {
	IdentityEntity Reference `json:"identityEntity"`
}

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

// OwnedObject is an object of a host's own that an identity owns: an application, a governance group, a campaign. While
// it is registered its owner cannot be deleted, whatever its kind is.
type OwnedObject struct {
	Kind  string // one of the constants, as [OwnedApplication], or in the host's words, as CAMPAIGN
	ID    string // of the object, in the host's words
	Name  string
	Owner string // the ID of the identity
}

// kindOf returns the type of a configured object.
var kindOf = map[string]ObjectType{
	"access_profiles": TypeAccessProfile, "identity_profiles": TypeIdentityProfile, "roles": TypeRole,
	"sources": TypeSource,
}

// ownedReferences returns everything that an identity owns: what is configured by type and name, then what the host has
// registered by kind and ID.
func (e *Engine) ownedReferences(ctx context.Context, q store.Querier, owner store.ID) ([]Reference, error) {
	configured, err := e.tenant.Store.OwnedConfigurations(ctx, q, owner)
	if err != nil {
		return nil, err
	}
	registered, err := e.tenant.Store.OwnedObjects(ctx, q, owner)
	if err != nil {
		return nil, err
	}
	references := make([]Reference, 0, len(configured)+len(registered))
	for _, o := range configured {
		references = append(references, Reference{Type: string(kindOf[o.Table]), ID: o.ID.String(), Name: o.Name})
	}
	for _, o := range registered {
		references = append(references, Reference{Type: o.Kind, ID: o.ObjectID, Name: o.Name})
	}
	return references, nil
}

// owned returns everything that an identity owns, by kind.
func (e *Engine) owned(ctx context.Context, q store.Querier, owner store.ID) ([]Association, error) {
	references, err := e.ownedReferences(ctx, q, owner)
	if err != nil {
		return nil, err
	}
	byKind := map[string][]AssociationEntity{}
	for _, r := range references {
		byKind[r.Type] = append(byKind[r.Type], AssociationEntity{r})
	}
	associations := []Association{}
	for kind, entities := range byKind {
		associations = append(associations, Association{AssociationType: kind + "_OWNER", Entities: entities})
	}
	slices.SortFunc(associations, func(a, b Association) int {
		return strings.Compare(a.AssociationType, b.AssociationType)
	})
	return associations, nil
}

// Ownership returns what keeps an identity from being deleted because it owns it: sources, roles, access profiles and
// identity profiles whose document names it as the owner, and objects that the host has registered. [Engine.Owns] tells
// the same by the members that search documents have.
func (e *Engine) Ownership(ctx context.Context, identity string) ([]Association, error) {
	const op = "list what the identity owns"
	id, err := e.tenant.FindIdentityID(ctx, op, identity)
	if err != nil {
		return nil, err
	}
	associations, err := e.owned(ctx, e.tenant.Pool, id)
	return associations, fault.Wrap(op, identity, err)
}

// RegisterOwned notes that an identity owns an object of the host's, or that another identity does now.
func (e *Engine) RegisterOwned(ctx context.Context, o OwnedObject) error {
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) error { return e.registerOwned(ctx, tx, o) })
	return fault.Wrap("register the owned object", o.ID, err)
}

// RegisterOwnedTx is [Engine.RegisterOwned] in the caller's transaction.
func (e *Engine) RegisterOwnedTx(ctx context.Context, tx pgx.Tx, o OwnedObject) error {
	return fault.Wrap("register the owned object", o.ID, e.registerOwned(ctx, tx, o))
}

func (e *Engine) registerOwned(ctx context.Context, tx pgx.Tx, o OwnedObject) error {
	const op = "register the owned object"
	for member, text := range map[string]string{"Kind": o.Kind, "ID": o.ID, "Name": o.Name} {
		if text == "" && member != "Name" || len([]rune(text)) > OwnedLengthMax || !store.Storable(text) {
			return fault.Invalidf(op, member, "1 to %d characters without NUL are expected", OwnedLengthMax)
		}
	}
	owner, err := e.tenant.LockIdentityShared(ctx, tx, op, o.Owner)
	if err != nil {
		return err
	}
	now := e.tenant.Now()
	return e.tenant.Store.PutOwnedObject(ctx, tx, store.OwnedObject{Kind: o.Kind, ObjectID: o.ID, Name: o.Name,
		OwnerID: owner, Created: now, Modified: now})
}

// ForgetOwned notes that an object of the host's does not exist any more, or that nobody owns it.
func (e *Engine) ForgetOwned(ctx context.Context, kind, id string) error {
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) error { return e.forgetOwned(ctx, tx, kind, id) })
	return fault.Wrap("forget the owned object", id, err)
}

// ForgetOwnedTx is [Engine.ForgetOwned] in the caller's transaction.
func (e *Engine) ForgetOwnedTx(ctx context.Context, tx pgx.Tx, kind, id string) error {
	return fault.Wrap("forget the owned object", id, e.forgetOwned(ctx, tx, kind, id))
}

func (e *Engine) forgetOwned(ctx context.Context, tx pgx.Tx, kind, id string) error {
	err := e.tenant.Store.DeleteOwnedObject(ctx, tx, kind, id)
	if errors.Is(err, store.ErrNotFound) {
		return &Error{Kind: NotFound, Op: "forget the owned object", Subject: id,
			Err: errors.New("no such object is registered")}
	}
	return err
}

// ReassignOwned gives what one identity owns to another: the objects named by type and ID, or everything where none is
// named. It returns how many objects that were. One that the first does not own is not found, and nothing is given
// then.
func (e *Engine) ReassignOwned(ctx context.Context, from, to string, objects ...Reference) (int, error) {
	count := 0
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) (err error) {
		count, err = e.reassignOwned(ctx, tx, from, to, objects)
		return err
	})
	return count, fault.Wrap("reassign what the identity owns", from, err)
}

// ReassignOwnedTx is [Engine.ReassignOwned] in the caller's transaction. It locks the configuration first, so that the
// caller does best to call it before its other writes.
func (e *Engine) ReassignOwnedTx(ctx context.Context, tx pgx.Tx, from, to string, objects ...Reference) (int, error) {
	count, err := e.reassignOwned(ctx, tx, from, to, objects)
	return count, fault.Wrap("reassign what the identity owns", from, err)
}

func (e *Engine) reassignOwned(ctx context.Context, tx pgx.Tx, from, to string, objects []Reference) (int, error) {
	const op = "reassign what the identity owns"
	if _, err := e.tenant.Store.LockConfiguration(ctx, tx); err != nil {
		return 0, err
	}
	giver, err := e.tenant.LockIdentityShared(ctx, tx, op, from)
	if err != nil {
		return 0, err
	}
	taker, err := e.tenant.LockIdentityShared(ctx, tx, op, to)
	if err != nil {
		return 0, err
	}
	successor, err := e.tenant.Store.IdentityByID(ctx, tx, taker)
	if err != nil {
		return 0, err
	}
	configured, err := e.tenant.Store.OwnedConfigurations(ctx, tx, giver)
	if err != nil {
		return 0, err
	}
	registered, err := e.tenant.Store.OwnedObjects(ctx, tx, giver)
	if err != nil {
		return 0, err
	}
	found := make([]bool, len(objects))
	wanted := func(kind, id string) bool {
		if len(objects) == 0 {
			return true
		}
		at := slices.IndexFunc(objects, func(r Reference) bool {
			parsed, isID := store.IDOf(r.ID)
			return r.Type == kind && (r.ID == id || isID && parsed.String() == id)
		})
		if at >= 0 {
			found[at] = true
		}
		return at >= 0
	}
	now, count, changed := e.tenant.Now(), 0, false
	for _, o := range configured {
		if !wanted(string(kindOf[o.Table]), o.ID.String()) {
			continue
		}
		if err := e.tenant.Store.SetConfigurationOwner(ctx, tx, o, taker, successor.Name, now); err != nil {
			return 0, err
		}
		count, changed = count+1, true
	}
	for _, o := range registered {
		if !wanted(o.Kind, o.ObjectID) {
			continue
		}
		if err := e.tenant.Store.ReassignOwnedObject(ctx, tx, o.Kind, o.ObjectID, giver, taker, now); err != nil {
			return 0, err
		}
		count++
	}
	if at := slices.Index(found, false); at >= 0 {
		return 0, &Error{Kind: NotFound, Op: op, Subject: objects[at].ID,
			Err: fmt.Errorf("the identity owns no %s with this ID", objects[at].Type)}
	}
	if !changed {
		return count, nil
	}
	_, err = e.tenant.Store.AdvanceConfiguration(ctx, tx)
	return count, err
}

// ProtectIdentity protects an identity from being deleted, or ends that.
func (e *Engine) ProtectIdentity(ctx context.Context, identity string, protected bool) error {
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) error { return e.protectIdentity(ctx, tx, identity, protected) })
	return fault.Wrap("protect the identity", identity, err)
}

// ProtectIdentityTx is [Engine.ProtectIdentity] in the caller's transaction.
func (e *Engine) ProtectIdentityTx(ctx context.Context, tx pgx.Tx, identity string, protected bool) error {
	return fault.Wrap("protect the identity", identity, e.protectIdentity(ctx, tx, identity, protected))
}

func (e *Engine) protectIdentity(ctx context.Context, tx pgx.Tx, identity string, protected bool) error {
	id, known := store.IDOf(identity)
	err := store.ErrNotFound
	if known {
		err = e.tenant.Store.ProtectIdentity(ctx, tx, id, protected, e.tenant.Now())
	}
	if errors.Is(err, store.ErrNotFound) {
		return fault.NoIdentity("protect the identity", identity)
	}
	return err
}

// DeleteIdentity deletes an identity. One that is protected, or owns something ([Engine.Ownership]), is a Conflict that
// wraps an [*AssociationsError]; both are checked in the transaction that deletes. The accounts stay, uncorrelated;
// those who had it as their manager have none, and are marked for processing; what was to be done for it on sources is
// cancelled; its history stays, and gets the event.
func (e *Engine) DeleteIdentity(ctx context.Context, identity string) error {
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) error { return e.deleteIdentity(ctx, tx, identity) })
	return fault.Wrap("delete the identity", identity, err)
}

// DeleteIdentityTx is [Engine.DeleteIdentity] in the caller's transaction.
func (e *Engine) DeleteIdentityTx(ctx context.Context, tx pgx.Tx, identity string) error {
	return fault.Wrap("delete the identity", identity, e.deleteIdentity(ctx, tx, identity))
}

func (e *Engine) deleteIdentity(ctx context.Context, tx pgx.Tx, identity string) error {
	const op = "delete the identity"
	missing := fault.NoIdentity(op, identity)
	id, known := store.IDOf(identity)
	if !known {
		return missing
	}
	reports, exists, err := e.lockForDeletion(ctx, tx, id)
	if err != nil {
		return err
	}
	if !exists {
		return missing
	}
	row, err := e.demandDeletable(ctx, tx, op, identity, id)
	if err != nil {
		return err
	}
	cause := store.Cause{Task: store.NewID(), At: e.tenant.Now()}
	published, err := identityOf(&row)
	if err != nil {
		return err
	}
	events, err := event.Append(nil, [16]byte(id), EventDeleted, event.Deleted{
		Identity: Reference{Type: "IDENTITY", ID: published.ID, Name: row.Name}, Attributes: published.Attributes})
	if err != nil {
		return err
	}
	if err := e.tenant.Store.AddEvents(ctx, tx, events, cause.At); err != nil {
		return err
	}
	if err := e.removeIdentity(ctx, tx, id, reports, cause); err != nil {
		return err
	}
	_, _, err = e.tasks.LaunchRequested(ctx, tx, cause, fmt.Sprintf("Process after the deletion of %s", id), nil)
	return err
}

// lockForDeletion takes the locks of a deletion in the order that holds everywhere: the configuration, the deletions,
// the correlation, the identity and its reports, which are written too.
func (e *Engine) lockForDeletion(ctx context.Context, tx pgx.Tx, id store.ID) (reports []store.ID, exists bool,
	err error,
) {
	if _, err := e.tenant.Store.LockConfigurationShared(ctx, tx); err != nil {
		return nil, false, err
	}
	if err := e.tenant.Store.LockDeletions(ctx, tx); err != nil {
		return nil, false, err
	}
	if err := e.tenant.Store.LockCorrelationShared(ctx, tx); err != nil {
		return nil, false, err
	}
	if reports, err = e.tenant.Store.ReportsOf(ctx, tx, id); err != nil {
		return nil, false, err
	}
	locked, err := e.tenant.Store.LockIdentities(ctx, tx, append([]store.ID{id}, reports...))
	return reports, slices.Contains(locked, id), err
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

// removeIdentity deletes an identity that may be, and does what follows for others: its reports have no manager, and
// what it was found by may find somebody else alone now.
func (e *Engine) removeIdentity(ctx context.Context, tx pgx.Tx, id store.ID, reports []store.ID,
	cause store.Cause,
) error {
	s := e.tenant.Store
	if err := s.LockKeys(ctx, tx); err != nil {
		return err
	}
	// Whoever got it as manager since is not locked, and may be by somebody who waits for the keys.
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
	if _, err := s.TakeRefreshRequests(ctx, tx, []store.ID{id}); err != nil {
		return err
	}
	if err := s.DeleteIdentity(ctx, tx, id); err != nil {
		return err
	}
	if err := s.RequestRefresh(ctx, tx, reports, "manager deleted", cause); err != nil {
		return err
	}
	if err := s.RequestManagedRefresh(ctx, tx, keys, append(reports, id), cause); err != nil {
		return err
	}
	_, err = s.CorrelateKeys(ctx, tx, keys, cause)
	return err
}
