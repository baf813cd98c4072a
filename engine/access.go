package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// IdentityAccess is what an identity has, and why: its roles, and the entitlements that its accounts hold or are to
// hold.
type IdentityAccess struct {
	Identity Reference `json:"identity"`
	// Roles have no account targets: the entitlements say who holds them.
	Roles        []RoleAssignment  `json:"roles"`
	Entitlements []HeldEntitlement `json:"entitlements"` // by source, attribute and value
}

// HeldEntitlement is an entitlement that an identity has, or is to have.
type HeldEntitlement struct {
	ID        string    `json:"id,omitempty"` // empty for one that its source has not told yet
	Name      string    `json:"name"`
	Source    Reference `json:"source"`
	Attribute string    `json:"attribute"`
	Value     string    `json:"value"`
	// Accounts are those that hold it; none where it is still to be given.
	Accounts []AccountInfo `json:"accounts"`
	// Granted is when access gave it; null where it did not.
	Granted *time.Time `json:"granted"`
	// Reasons are what grants it now; none where nothing does, and it is there for another reason.
	Reasons []AccessReason `json:"reasons"`
	// Operations are those about it that are open or parked, or were given up.
	Operations []ExplainedOperation `json:"operations,omitempty"`
}

// AccessReason is a role or the lifecycle state that grants an entitlement, by itself or by an access profile.
type AccessReason struct {
	Type          string     `json:"type"` // ROLE or LIFECYCLE_STATE
	ID            string     `json:"id,omitempty"`
	Name          string     `json:"name"`
	AccessProfile *Reference `json:"accessProfile,omitempty"`
}

// Access returns what an identity, named by its ID, has and is to have, and why, at one moment. It tells what is
// stored: roles that the next processing gives or takes are what [Engine.Explain] tells. A role that begins later
// grants nothing yet.
func (e *Engine) Access(ctx context.Context, identity string) (IdentityAccess, error) {
	const op = "show the access"
	id, err := e.tenant.FindIdentityID(ctx, op, identity)
	if err != nil {
		return IdentityAccess{}, err
	}
	r := accessReader{e: e, id: id, now: e.tenant.Now()}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = store.InTx(ctx, e.tenant.Pool, options, func(tx pgx.Tx) error { return r.read(ctx, tx) })
	if errors.Is(err, store.ErrNotFound) {
		err = fault.NoIdentity(op, identity)
	}
	return r.access, fault.Wrap(op, identity, err)
}

// accessReader is one call of [Engine.Access].
type accessReader struct {
	e      *Engine
	id     store.ID
	now    time.Time
	c      *configuration.Configuration
	access IdentityAccess
}

func (r *accessReader) read(ctx context.Context, tx pgx.Tx) error {
	s := r.e.tenant.Store
	rows, err := s.LoadConfiguration(ctx, tx)
	if err != nil {
		return err
	}
	if r.c, err = r.e.tenant.Compile(rows); err != nil {
		return err
	}
	states, err := s.IdentityStates(ctx, tx, []store.ID{r.id})
	if err != nil {
		return err
	}
	if len(states) == 0 {
		return store.ErrNotFound
	}
	r.access = IdentityAccess{Identity: Reference{Type: "IDENTITY", ID: r.id.String(), Name: states[0].Name},
		Roles: []RoleAssignment{}, Entitlements: []HeldEntitlement{}}
	held, err := s.HeldEntitlements(ctx, tx, r.id)
	if err != nil {
		return err
	}
	for i := range held {
		h := r.entitlement(&refresh.Entitlement{SourceID: held[i].SourceID, Attribute: held[i].Attribute,
			Value: held[i].Value})
		h.ID, h.Name = held[i].ID.String(), held[i].Name
		h.Accounts = append(h.Accounts, AccountInfo{NativeIdentity: held[i].NativeIdentity,
			DisplayName: held[i].AccountName, UUID: held[i].AccountID.String()})
	}
	if err := r.readReasons(ctx, tx, &states[0]); err != nil {
		return err
	}
	if err := r.readGiven(ctx, tx); err != nil {
		return err
	}
	slices.SortStableFunc(r.access.Entitlements, func(a, b HeldEntitlement) int {
		return cmp.Or(strings.Compare(a.Source.Name, b.Source.Name), strings.Compare(a.Attribute, b.Attribute),
			strings.Compare(a.Value, b.Value))
	})
	return nil
}

// readReasons reads the roles, and what they and the lifecycle state grant.
func (r *accessReader) readReasons(ctx context.Context, tx pgx.Tx, state *store.IdentityState) error {
	rows, err := r.e.tenant.Store.RoleAssignments(ctx, tx, r.id, store.RoleAssignmentFilter{})
	if err != nil {
		return err
	}
	var inState refresh.StateAccess
	if access := r.c.Refresh.Access; access != nil && state.Correlated {
		inState = access.States[state.ProfileID][state.LifecycleState]
	}
	r.add(inState.Grants, AccessReason{Type: string(TypeLifecycleState), Name: state.LifecycleState})
	for i := range rows {
		r.access.Roles = append(r.access.Roles, roleAssignment(&rows[i]))
		if begins := rows[i].StartDate; !inState.RemoveAll && (begins == nil || !begins.After(r.now)) {
			r.add(r.c.RoleAccess(rows[i].RoleID), AccessReason{Type: string(TypeRole), ID: rows[i].RoleID.String(),
				Name: rows[i].RoleName})
		}
	}
	return nil
}

func (r *accessReader) add(grants []refresh.Grant, reason AccessReason) {
	for i := range grants {
		one := reason
		if !grants[i].Profile.IsZero() {
			one.AccessProfile = &Reference{Type: string(TypeAccessProfile), ID: grants[i].Profile.String(),
				Name: grants[i].ProfileName}
		}
		h := r.entitlement(&grants[i].Entitlement)
		same := func(other AccessReason) bool {
			return other.Type == one.Type && other.ID == one.ID && other.Name == one.Name &&
				(other.AccessProfile == nil) == (one.AccessProfile == nil) &&
				(one.AccessProfile == nil || *other.AccessProfile == *one.AccessProfile)
		}
		if !slices.ContainsFunc(h.Reasons, same) {
			h.Reasons = append(h.Reasons, one)
		}
	}
}

// readGiven reads what access gave, and the operations that are still to give or to take something.
func (r *accessReader) readGiven(ctx context.Context, tx pgx.Tx) error {
	given, err := r.e.tenant.Store.GrantsOf(ctx, tx, []store.ID{r.id})
	if err != nil {
		return err
	}
	for i := range given {
		h := r.entitlement(&refresh.Entitlement{SourceID: given[i].SourceID, Attribute: given[i].Attribute,
			Value: given[i].Value})
		h.Granted = utc(&given[i].Granted)
	}
	pending, err := r.e.tenant.Store.PendingOperations(ctx, tx, []store.ID{r.id})
	if err != nil {
		return err
	}
	for i := range pending {
		o := &pending[i]
		if o.Kind != "ADD_ENTITLEMENT" && o.Kind != "REMOVE_ENTITLEMENT" {
			continue
		}
		waits := store.TextOf(o.Error)
		if o.Parked != nil {
			waits = store.TextOf(o.ParkedCause)
		}
		h := r.entitlement(&refresh.Entitlement{SourceID: o.SourceID, Attribute: o.Attribute, Value: o.Value})
		h.Operations = append(h.Operations, ExplainedOperation{Source: h.Source.Name, NativeIdentity: o.NativeIdentity,
			Operation: o.Kind, State: o.State, Reason: o.Reason, Waits: waits})
	}
	return nil
}

// entitlement returns the place of an entitlement in the result, which it adds where it is not there yet. Values that
// the source takes to be equal are the same. The place is valid until the next call.
func (r *accessReader) entitlement(e *refresh.Entitlement) *HeldEntitlement {
	source := r.c.Sources[e.SourceID]
	reference := Reference{Type: string(TypeSource), ID: e.SourceID.String()}
	if source != nil {
		reference.Name = source.Name
	}
	list := r.access.Entitlements
	for i := range list {
		h := &list[i]
		if h.Source.ID == reference.ID && h.Attribute == e.Attribute &&
			(h.Value == e.Value || source != nil && source.Equality(e.Attribute).Same(h.Value, e.Value)) {
			return h
		}
	}
	r.access.Entitlements = append(list, HeldEntitlement{Name: e.Value, Source: reference, Attribute: e.Attribute,
		Value: e.Value, Accounts: []AccountInfo{}, Reasons: []AccessReason{}})
	return &r.access.Entitlements[len(list)]
}
