package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// The limits of [EntitlementUpdate].
const (
	EntitlementNameMax        = 512  // characters of the name
	EntitlementDescriptionMax = 2000 // characters of the description
	EntitlementSegmentsMax    = 100  // segments, each of [EntitlementNameMax] characters at most
)

// The fields of an entitlement of which it is kept whether somebody updated them by hand.
const (
	FieldDisplayName = "DISPLAY_NAME"
	FieldDescription = "DESCRIPTION"
)

// EntitlementUpdate says what is to be changed of an entitlement. A nil member leaves it as it is.
type EntitlementUpdate struct {
	Name *string
	// Description is removed by "".
	Description *string
	Requestable *bool
	Privileged  *bool
	// Owner is the ID of the identity that owns it; "" for nobody.
	Owner *string
	// Segments are the IDs of the segments that it is assigned to.
	Segments *[]string
	// ManuallyUpdated says of [FieldDisplayName] and [FieldDescription] whether they were updated by hand: the next
	// aggregations leave such a field alone. By default a field that the update changes is one.
	ManuallyUpdated map[string]bool
}

// UpdateEntitlement changes what people say of an entitlement, and returns it. Aggregations leave all of that alone: a
// name that was given by hand stays until its field counts as updated by the source again. A new owner and the one
// before have it in their history.
func (e *Engine) UpdateEntitlement(ctx context.Context, id string, update EntitlementUpdate) (Entitlement, error) {
	return e.updateEntitlement(id, update).run(ctx)
}

// UpdateEntitlementTx is [Engine.UpdateEntitlement] in the caller's transaction.
func (e *Engine) UpdateEntitlementTx(ctx context.Context, tx pgx.Tx, id string, update EntitlementUpdate) (Entitlement,
	error,
) {
	return e.updateEntitlement(id, update).runIn(ctx, tx)
}

func (e *Engine) updateEntitlement(id string, update EntitlementUpdate) writeOf[Entitlement] {
	const op = "update the entitlement"
	return writeOf[Entitlement]{e, op, id, func(ctx context.Context, tx pgx.Tx) (Entitlement, error) {
		if err := update.check(op, id); err != nil {
			return Entitlement{}, err
		}
		parsed, known := store.IDOf(id)
		if !known {
			return Entitlement{}, noEntitlement(op, id)
		}
		owner, err := e.lockEntitlementOwner(ctx, tx, op, update.Owner)
		if err != nil {
			return Entitlement{}, err
		}
		document, err := e.tenant.Store.LockEntitlement(ctx, tx, parsed)
		if errors.Is(err, store.ErrNotFound) {
			return Entitlement{}, noEntitlement(op, id)
		}
		if err != nil {
			return Entitlement{}, err
		}
		row, err := e.tenant.Store.EntitlementByID(ctx, tx, parsed)
		if err != nil {
			return Entitlement{}, err
		}
		before, err := entitlementOf(&row)
		if err != nil {
			return Entitlement{}, err
		}
		cause := e.tenant.NewActionCause(ctx)
		name, changed, err := update.apply(document, before, owner)
		if err != nil {
			return Entitlement{}, err
		}
		if err := e.tenant.Store.PutEntitlement(ctx, tx, parsed, name, changed, cause.At); err != nil {
			return Entitlement{}, err
		}
		if row, err = e.tenant.Store.EntitlementByID(ctx, tx, parsed); err != nil {
			return Entitlement{}, err
		}
		after, err := entitlementOf(&row)
		if err != nil {
			return Entitlement{}, err
		}
		return after, e.addEntitlementOwnership(ctx, tx, cause, &before, &after)
	}}
}

// check fails where an update has a value that is not allowed.
func (u *EntitlementUpdate) check(op, id string) error {
	text := func(member string, value *string, least, most int) error {
		if value == nil {
			return nil
		}
		if n := utf8.RuneCountInString(*value); n < least || n > most || !store.Storable(*value) {
			return fault.Invalidf(op, id, "%s: a text of %d to %d characters without NUL is expected", member, least,
				most)
		}
		return nil
	}
	if err := text("name", u.Name, 1, EntitlementNameMax); err != nil {
		return err
	}
	if err := text("description", u.Description, 0, EntitlementDescriptionMax); err != nil {
		return err
	}
	if u.Segments != nil {
		if len(*u.Segments) > EntitlementSegmentsMax {
			return fault.InvalidAs(fault.TooMany, op, id, "segments: %d are given where %d are allowed",
				len(*u.Segments), EntitlementSegmentsMax)
		}
		for i := range *u.Segments {
			if err := text("segments", &(*u.Segments)[i], 1, EntitlementNameMax); err != nil {
				return err
			}
		}
	}
	for _, field := range slices.Sorted(maps.Keys(u.ManuallyUpdated)) {
		if field != FieldDisplayName && field != FieldDescription {
			return fault.Invalidf(op, id, "manuallyUpdatedFields: %q is unknown: %s and %s are known", field,
				FieldDisplayName, FieldDescription)
		}
	}
	return nil
}

// lockEntitlementOwner locks who is to own an entitlement, so that nobody deletes the identity, and returns the
// reference; nil for nobody.
func (e *Engine) lockEntitlementOwner(ctx context.Context, tx pgx.Tx, op string, owner *string) (*Reference, error) {
	if owner == nil || *owner == "" {
		return nil, nil
	}
	id, err := e.tenant.LockIdentityShared(ctx, tx, op, *owner)
	if err != nil {
		return nil, err
	}
	row, err := e.tenant.Store.IdentityByID(ctx, tx, id)
	return &Reference{Type: "IDENTITY", ID: id.String(), Name: row.Name}, err
}

// apply returns the name and the document of an entitlement after an update. Members of the document that it does not
// know stay.
func (u *EntitlementUpdate) apply(document []byte, before Entitlement, owner *Reference) (string, []byte, error) {
	members := map[string]any{}
	if err := json.Unmarshal(document, &members); err != nil {
		return "", nil, fmt.Errorf("the document of the entitlement: %w", err)
	}
	manually := maps.Clone(before.ManuallyUpdatedFields)
	if manually == nil {
		manually = map[string]bool{}
	}
	name := before.Name
	if u.Name != nil && *u.Name != name {
		name, manually[FieldDisplayName] = *u.Name, true
	}
	if u.Description != nil && *u.Description != store.TextOf(before.Description) {
		members["description"], manually[FieldDescription] = *u.Description, true
		if *u.Description == "" {
			delete(members, "description")
		}
	}
	for member, flag := range map[string]*bool{"requestable": u.Requestable, "privileged": u.Privileged} {
		if flag != nil {
			members[member] = *flag
		}
	}
	if u.Owner != nil {
		members["owner"] = owner
		if owner == nil {
			delete(members, "owner")
		}
	}
	if u.Segments != nil {
		segments := slices.Clone(*u.Segments)
		slices.Sort(segments)
		members["segments"] = slices.Compact(segments)
	}
	maps.Copy(manually, u.ManuallyUpdated)
	if len(manually) > 0 {
		members["manuallyUpdatedFields"] = manually
	}
	changed, err := json.Marshal(members)
	return name, changed, err
}

// addEntitlementOwnership writes the events of an entitlement that one identity owned and another owns now.
func (e *Engine) addEntitlementOwnership(ctx context.Context, tx pgx.Tx, cause store.Cause,
	before, after *Entitlement,
) error {
	ownerOf := func(entitlement *Entitlement) (store.ID, error) {
		if entitlement.Owner == nil {
			return store.ID{}, nil
		}
		return store.ParseID(entitlement.Owner.ID)
	}
	from, err := ownerOf(before)
	if err != nil {
		return err
	}
	to, err := ownerOf(after)
	if err != nil || from == to {
		return err
	}
	return e.addOwnership(ctx, tx, cause, from, to, []Reference{{Type: OwnedEntitlement, ID: after.ID,
		Name: after.Name}})
}
