package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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

// OwnedObject is an object of a host's own that an identity owns: an application, a governance group, a campaign. While
// it is registered its owner cannot be deleted, whatever its kind is.
type OwnedObject struct {
	Kind  string // one of the constants, such as [OwnedApplication], or in the host's words, such as CAMPAIGN
	ID    string // of the object, in the host's words
	Name  string
	Owner string // the ID of the identity
}

// kindOf returns the type of a configured object, or of an entitlement.
var kindOf = map[string]ObjectType{
	"access_profiles": TypeAccessProfile, "identity_profiles": TypeIdentityProfile, "roles": TypeRole,
	"sources": TypeSource, "entitlements": OwnedEntitlement,
}

// ownedReferences returns everything that an identity owns: configured objects by type and name, then those that the
// host has registered by kind and ID.
func (e *Engine) ownedReferences(ctx context.Context, q store.Querier, owner store.ID) ([]Reference, error) {
	configured, err := e.tenant.Store.OwnedConfigurations(ctx, q, owner)
	if err != nil {
		return nil, err
	}
	registered, err := e.tenant.Store.OwnedObjects(ctx, q, owner)
	if err != nil {
		return nil, err
	}
	entitlements, err := e.tenant.Store.OwnedEntitlements(ctx, q, owner)
	if err != nil {
		return nil, err
	}
	references := make([]Reference, 0, len(configured)+len(entitlements)+len(registered))
	for _, o := range append(configured, entitlements...) {
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

// Ownership returns the objects that keep an identity from being deleted, because it owns them: sources, roles, access
// profiles, identity profiles and entitlements whose document names it as the owner, and objects that the host has
// registered.
// [Engine.Owns] returns the same objects, in the members that search documents have.
func (e *Engine) Ownership(ctx context.Context, identity string) ([]Association, error) {
	const op = "list what the identity owns"
	id, err := e.tenant.FindIdentityID(ctx, op, identity)
	if err != nil {
		return nil, err
	}
	associations, err := e.owned(ctx, e.tenant.Pool, id)
	return associations, fault.Wrap(op, identity, err)
}

// RegisterOwned records that an identity owns an object of the host's, or that another identity does now.
func (e *Engine) RegisterOwned(ctx context.Context, o OwnedObject) error {
	return e.registerOwned(o).run(ctx)
}

// RegisterOwnedTx is [Engine.RegisterOwned] in the caller's transaction.
func (e *Engine) RegisterOwnedTx(ctx context.Context, tx pgx.Tx, o OwnedObject) error {
	return e.registerOwned(o).runIn(ctx, tx)
}

func (e *Engine) registerOwned(o OwnedObject) write {
	const op = "register the owned object"
	return write{e, op, o.ID, func(ctx context.Context, tx pgx.Tx) error {
		for member, text := range map[string]string{"Kind": o.Kind, "ID": o.ID, "Name": o.Name} {
			if text == "" && member != "Name" || len([]rune(text)) > OwnedLengthMax || !store.Storable(text) {
				return fault.Invalidf(op, member, "1 to %d characters without NUL are expected", OwnedLengthMax)
			}
		}
		owner, err := e.tenant.LockIdentityShared(ctx, tx, op, o.Owner)
		if err != nil {
			return err
		}
		cause := e.tenant.NewActionCause(ctx)
		before, err := e.tenant.Store.PutOwnedObject(ctx, tx, store.OwnedObject{Kind: o.Kind, ObjectID: o.ID,
			Name: o.Name, OwnerID: owner, Created: cause.At, Modified: cause.At})
		if err != nil || before == owner {
			return err
		}
		object := []Reference{{Type: o.Kind, ID: o.ID, Name: o.Name}}
		return e.addOwnership(ctx, tx, cause, before, owner, object)
	}}
}

// ForgetOwned records that an object of the host's does not exist any more, or that nobody owns it.
func (e *Engine) ForgetOwned(ctx context.Context, kind, id string) error {
	return e.forgetOwned(kind, id).run(ctx)
}

// ForgetOwnedTx is [Engine.ForgetOwned] in the caller's transaction.
func (e *Engine) ForgetOwnedTx(ctx context.Context, tx pgx.Tx, kind, id string) error {
	return e.forgetOwned(kind, id).runIn(ctx, tx)
}

func (e *Engine) forgetOwned(kind, id string) write {
	const op = "forget the owned object"
	return write{e, op, id, func(ctx context.Context, tx pgx.Tx) error {
		row, err := e.tenant.Store.DeleteOwnedObject(ctx, tx, kind, id)
		if errors.Is(err, store.ErrNotFound) {
			return &Error{Kind: NotFound, Op: op, Subject: id, Err: errors.New("no such object is registered")}
		}
		if err != nil {
			return err
		}
		object := []Reference{{Type: row.Kind, ID: row.ObjectID, Name: row.Name}}
		return e.addOwnership(ctx, tx, e.tenant.NewActionCause(ctx), row.OwnerID, store.ID{}, object)
	}}
}

// ReassignOwned gives what one identity owns to another: the objects named by type and ID, or everything where none is
// named. It returns how many objects it gave. An object that the first identity does not own is not found, and then
// nothing is given.
func (e *Engine) ReassignOwned(ctx context.Context, from, to string, objects ...Reference) (int, error) {
	return e.reassignOwned(from, to, objects).run(ctx)
}

// ReassignOwnedTx is [Engine.ReassignOwned] in the caller's transaction. It locks the configuration first, so that the
// caller does best to call it before its other writes.
func (e *Engine) ReassignOwnedTx(ctx context.Context, tx pgx.Tx, from, to string, objects ...Reference) (int, error) {
	return e.reassignOwned(from, to, objects).runIn(ctx, tx)
}

func (e *Engine) reassignOwned(from, to string, objects []Reference) writeOf[int] {
	const op = "reassign what the identity owns"
	return writeOf[int]{e, op, from, func(ctx context.Context, tx pgx.Tx) (int, error) {
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
		before, err := e.tenant.Store.LoadConfiguration(ctx, tx)
		if err != nil {
			return 0, err
		}
		cause := e.tenant.NewActionCause(ctx)
		r := &reassignment{giver: giver, taker: taker, at: cause.At, objects: objects,
			found: make([]bool, len(objects))}
		configured, entitlements, err := e.reassignConfigured(ctx, tx, r)
		if err != nil {
			return 0, err
		}
		registered, err := e.reassignRegistered(ctx, tx, r)
		if err != nil {
			return 0, err
		}
		if at := slices.Index(r.found, false); at >= 0 {
			return 0, &Error{Kind: NotFound, Op: op, Subject: objects[at].ID,
				Err: fmt.Errorf("the identity owns no %s with this ID", objects[at].Type)}
		}
		if configured > 0 {
			if err := e.recordReassignment(ctx, tx, &before); err != nil {
				return 0, err
			}
		}
		if giver != taker {
			err = e.addOwnership(ctx, tx, cause, giver, taker, r.given)
		}
		return configured + entitlements + registered, err
	}}
}

// recordReassignment gives the configuration, whose objects have other owners than before, its next version, and
// records the revision.
func (e *Engine) recordReassignment(ctx context.Context, tx pgx.Tx, before *store.Configuration) error {
	if _, err := e.tenant.Store.AdvanceConfiguration(ctx, tx); err != nil {
		return err
	}
	after, err := e.tenant.Store.LoadConfiguration(ctx, tx)
	if err != nil {
		return err
	}
	return e.applier.Record(ctx, tx, before, &after, e.tenant.NewCause(ctx), "owned objects were reassigned",
		nil)
}

// reassignConfigured gives the configured objects and the entitlements to the taker, and returns how many of each.
func (e *Engine) reassignConfigured(ctx context.Context, tx pgx.Tx, r *reassignment) (configured, entitlements int,
	err error,
) {
	taker, err := e.tenant.Store.IdentityByID(ctx, tx, r.taker)
	if err != nil {
		return 0, 0, err
	}
	objects, err := e.tenant.Store.OwnedConfigurations(ctx, tx, r.giver)
	if err != nil {
		return 0, 0, err
	}
	owned, err := e.tenant.Store.OwnedEntitlements(ctx, tx, r.giver)
	if err != nil {
		return 0, 0, err
	}
	for i, o := range append(objects, owned...) {
		if !r.includes(string(kindOf[o.Table]), o.ID.String()) {
			continue
		}
		if err := e.tenant.Store.SetConfigurationOwner(ctx, tx, o, r.taker, taker.Name, r.at); err != nil {
			return 0, 0, err
		}
		r.given = append(r.given, Reference{Type: string(kindOf[o.Table]), ID: o.ID.String(), Name: o.Name})
		if i < len(objects) {
			configured++
		} else {
			entitlements++
		}
	}
	return configured, entitlements, nil
}

// reassignRegistered gives the registered objects to the taker, and returns how many.
func (e *Engine) reassignRegistered(ctx context.Context, tx pgx.Tx, r *reassignment) (count int, err error) {
	objects, err := e.tenant.Store.OwnedObjects(ctx, tx, r.giver)
	if err != nil {
		return 0, err
	}
	for _, o := range objects {
		if !r.includes(o.Kind, o.ObjectID) {
			continue
		}
		err := e.tenant.Store.ReassignOwnedObject(ctx, tx, o.Kind, o.ObjectID, r.giver, r.taker, r.at)
		if err != nil {
			return 0, err
		}
		r.given = append(r.given, Reference{Type: o.Kind, ID: o.ObjectID, Name: o.Name})
		count++
	}
	return count, nil
}

// addOwnership writes the events of objects that one identity owned and another owns now. Either is zero for nobody.
func (e *Engine) addOwnership(ctx context.Context, tx pgx.Tx, cause store.Cause, from, to store.ID,
	objects []Reference,
) error {
	var events []store.Event
	var err error
	if !from.IsZero() {
		events, err = event.Append(events, from, &event.Detail{Ownership: event.OwnershipOf(nil, objects)})
	}
	if err == nil && !to.IsZero() {
		events, err = event.Append(events, to, &event.Detail{Ownership: event.OwnershipOf(objects, nil)})
	}
	if err != nil {
		return err
	}
	return e.tenant.AddEvents(ctx, tx, cause, events)
}

// reassignment says which objects one identity gives to another.
type reassignment struct {
	giver, taker store.ID
	at           time.Time
	objects      []Reference // empty for everything that the giver owns
	found        []bool      // which of objects the giver owns
	given        []Reference
}

// includes reports whether an object of the giver is to be given, and records that it was found.
func (r *reassignment) includes(kind, id string) bool {
	if len(r.objects) == 0 {
		return true
	}
	at := slices.IndexFunc(r.objects, func(o Reference) bool {
		parsed, isID := store.IDOf(o.ID)
		return o.Type == kind && (o.ID == id || isID && parsed.String() == id)
	})
	if at >= 0 {
		r.found[at] = true
	}
	return at >= 0
}
