package engine

import (
	"context"

	"github.com/muster-engine/muster/engine/fault"
)

// The kinds of a host's own objects that [Owned] has a member for. A host registers them, as any others, by
// [Engine.RegisterOwned].
const (
	OwnedApplication = "APPLICATION"
	// OwnedEntitlement is for owners of entitlements: those whom [Engine.UpdateEntitlement] names, since sources do not
	// report them, and those of entitlements that the engine does not have.
	OwnedEntitlement = "ENTITLEMENT"
	// OwnedFallbackApprover says that an identity approves what has no other approver. The object says for what it does
	// so, as for the tenant.
	OwnedFallbackApprover = "FALLBACK_APPROVER"
	OwnedGovernanceGroup  = "GOVERNANCE_GROUP"
)

// Owned is everything that an identity owns, with the members that the product's search documents have for it. No list
// is nil.
type Owned struct {
	AccessProfiles   []OwnedReference `json:"accessProfiles"`
	Apps             []OwnedReference `json:"apps"`
	Entitlements     []OwnedReference `json:"entitlements"`
	FallbackApprover bool             `json:"fallbackApprover"`
	GovernanceGroups []OwnedReference `json:"governanceGroups"`
	Roles            []OwnedReference `json:"roles"`
	Sources          []OwnedReference `json:"sources"`
	// Others has the objects for which those documents have no list: identity profiles, what the identity is the
	// fallback approver for, and the host's other kinds.
	Others []Reference `json:"others"`
}

// OwnedReference names an object. The list in which it stands tells the object's type.
type OwnedReference struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Owns returns everything that an identity owns, by kind. [Engine.Ownership] returns the same objects as the reasons
// why the identity cannot be deleted: each of them is one, that of a fallback approver too, until it is given to
// somebody else ([Engine.ReassignOwned]) or forgotten ([Engine.ForgetOwned]). In each list configured objects come
// first, by name, and then those that the host has registered, by ID.
func (e *Engine) Owns(ctx context.Context, identity string) (Owned, error) {
	const op = "list what the identity owns"
	id, err := e.tenant.FindIdentityID(ctx, op, identity)
	if err != nil {
		return Owned{}, err
	}
	references, err := e.ownedReferences(ctx, e.tenant.Pool, id)
	if err != nil {
		return Owned{}, fault.Wrap(op, identity, err)
	}
	return sortOwned(references), nil
}

// sortOwned puts each reference into its list.
func sortOwned(references []Reference) Owned {
	owned := Owned{Others: []Reference{}}
	lists := map[string]*[]OwnedReference{
		string(TypeAccessProfile): &owned.AccessProfiles,
		OwnedApplication:          &owned.Apps,
		OwnedEntitlement:          &owned.Entitlements,
		OwnedGovernanceGroup:      &owned.GovernanceGroups,
		string(TypeRole):          &owned.Roles,
		string(TypeSource):        &owned.Sources,
	}
	for _, list := range lists {
		*list = []OwnedReference{}
	}
	for _, r := range references {
		if list := lists[r.Type]; list != nil {
			*list = append(*list, OwnedReference{ID: r.ID, Name: r.Name})
			continue
		}
		owned.FallbackApprover = owned.FallbackApprover || r.Type == OwnedFallbackApprover
		owned.Others = append(owned.Others, r)
	}
	return owned
}
