package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/store"
)

// identityDocuments gives identities their published shape. It takes two exchanges with the server: the rows, and then
// what describes the access that they name.
func (e *Engine) identityDocuments(ctx context.Context, q store.Querier, basis *searchBasis, ids []store.ID,
	nested bool, documents map[store.ID]SearchHit,
) error {
	rows, err := e.tenant.Store.SearchIdentityRows(ctx, q, basis.setup, ids, nested)
	if err != nil {
		return err
	}
	for i := range rows.Identities {
		row := &rows.Identities[i]
		document, err := identityDocument(row)
		if err != nil {
			return fmt.Errorf("identity %s: %w", row.ID, err)
		}
		if nested {
			document["access"], document["accounts"], document["apps"] = []any{}, []any{}, []any{}
		}
		documents[row.ID] = document
	}
	for _, o := range rows.Owned {
		document := documents[o.OwnerID]
		if document == nil {
			continue
		}
		owns := document["owns"].(map[string]any)
		list, _ := owns[o.List].([]any)
		owns[o.List] = append(list, map[string]any{"id": o.ObjectID, "name": o.Name})
		document["ownsCount"] = document["ownsCount"].(int) + 1
	}
	for i := range rows.Accounts {
		element, err := accountDocument(basis, &rows.Accounts[i])
		if err != nil {
			return fmt.Errorf("account %s: %w", rows.Accounts[i].ID, err)
		}
		if document := documents[rows.Accounts[i].IdentityID]; document != nil {
			document["accounts"] = append(document["accounts"].([]any), element)
		}
	}
	return e.addAccess(ctx, q, basis, &rows, nested, documents)
}

// accessCounts are the members that count what an identity has, by its type.
var accessCounts = map[string]string{store.SearchEntitlement: "entitlementCount", store.SearchRole: "roleCount",
	store.SearchAccessProfile: "accessProfileCount"}

// heldAccess is something that an identity has, and until when.
type heldAccess struct {
	access *store.SearchAccess
	until  *time.Time
}

// accessKey is what something that identities have is found by.
type accessKey struct {
	kind string
	id   store.ID
}

// addAccess counts what identities have, and with nested adds it to their documents.
func (e *Engine) addAccess(ctx context.Context, q store.Querier, basis *searchBasis, rows *store.SearchIdentityRows,
	nested bool, documents map[store.ID]SearchHit,
) error {
	type holding struct {
		accessKey
		until *time.Time
	}
	held := make(map[store.ID][]holding, len(documents))
	needed := map[accessKey]bool{}
	add := func(identity store.ID, kind string, id store.ID, until *time.Time) {
		key := accessKey{kind, id}
		needed[key] = true
		held[identity] = append(held[identity], holding{key, until})
	}
	for _, h := range rows.Entitlements {
		add(h.IdentityID, store.SearchEntitlement, h.ID, nil)
	}
	roleProfiles := basis.setup.ProfilesOfRoles()
	for _, h := range rows.Roles {
		add(h.IdentityID, store.SearchRole, h.ID, h.RemoveDate)
		for _, profile := range roleProfiles[h.ID] {
			add(h.IdentityID, store.SearchAccessProfile, profile, h.RemoveDate)
		}
	}
	for i := range rows.Identities {
		row := &rows.Identities[i]
		for _, p := range basis.setup.StateProfiles {
			if row.LifecycleState != nil && p.State == *row.LifecycleState && p.IdentityProfileID == row.ProfileID {
				add(row.ID, store.SearchAccessProfile, p.ProfileID, nil)
			}
		}
	}
	known, err := e.accessOf(ctx, q, needed)
	if err != nil {
		return err
	}
	for identity, document := range documents {
		var list []heldAccess
		for _, h := range held[identity] {
			if access := known[h.accessKey]; access != nil {
				list = append(list, heldAccess{access, h.until})
			}
		}
		showAccess(document, list, nested)
	}
	return nil
}

// accessOf returns what describes access, by what it is found by.
func (e *Engine) accessOf(ctx context.Context, q store.Querier, needed map[accessKey]bool) (
	map[accessKey]*store.SearchAccess, error,
) {
	ids := map[string][]store.ID{}
	for key := range needed {
		ids[key.kind] = append(ids[key.kind], key.id)
	}
	list, err := e.tenant.Store.SearchAccess(ctx, q, ids[store.SearchEntitlement], ids[store.SearchRole],
		ids[store.SearchAccessProfile])
	known := make(map[accessKey]*store.SearchAccess, len(list))
	for i := range list {
		known[accessKey{list[i].Type, list[i].ID}] = &list[i]
	}
	return known, err
}

// showAccess puts what an identity has into its document, by type, name and ID. What comes from two accounts, or from
// two assignments, is one element: that which ends first.
func showAccess(document SearchHit, list []heldAccess, nested bool) {
	slices.SortFunc(list, func(a, b heldAccess) int {
		return cmp.Or(cmp.Compare(a.access.Type, b.access.Type), cmp.Compare(a.access.Name, b.access.Name),
			a.access.ID.Compare(b.access.ID), compareEnds(a.until, b.until))
	})
	list = slices.CompactFunc(list, func(a, b heldAccess) bool { return a.access == b.access })
	counts := map[string]int{}
	elements := make([]any, 0, len(list))
	for _, h := range list {
		counts[h.access.Type]++
		if nested {
			elements = append(elements, accessDocument(h))
		}
	}
	for kind, member := range accessCounts {
		document[member] = counts[kind]
	}
	document["accessCount"] = len(list)
	if nested {
		document["access"] = elements
	}
}

// compareEnds compares times until which something is held. Nil is for ever.
func compareEnds(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return a.Compare(*b)
}

// identityDocument gives the row of an identity its published shape, without its nested lists.
func identityDocument(row *store.SearchIdentity) (SearchHit, error) {
	attributes, err := attribute.Members(row.Attributes)
	if err != nil {
		return nil, err
	}
	for name, value := range attributes {
		if value == nil {
			delete(attributes, name)
		}
	}
	d := SearchHit{
		"id": row.ID.String(), "name": row.Alias, "displayName": row.Name, "created": documentTime(row.Created),
		"modified": documentTime(row.Modified), "synced": documentTime(row.Modified), "inactive": row.Inactive,
		"protected": row.Protected, "correlated": row.Correlated, "status": row.CloudStatus,
		"disabled": row.CloudStatus == "DISABLED", "locked": row.CloudStatus == "LOCKED", "isManager": row.IsManager,
		"attributes": attributes, "accountCount": row.AccountCount, "appCount": 0, "accessCount": 0,
		"entitlementCount": 0, "roleCount": 0, "accessProfileCount": 0, "owns": map[string]any{}, "ownsCount": 0,
		"tags":      []any{},
		"tagsCount": 0, "visibleSegments": []any{}, "visibleSegmentCount": 0, "processingState": nil,
		"processingDetails": nil, "manager": nil,
	}
	if row.FallbackApprover {
		d["owns"].(map[string]any)["fallbackApprover"] = true
	}
	put(d, "email", row.Email)
	put(d, "processingState", row.ProcessingState)
	if row.ProcessingError != nil {
		d["processingDetails"] = map[string]any{"message": *row.ProcessingError}
	}
	if manager := reference(row.ManagerID.String(), row.ManagerAlias); manager != nil {
		put(manager, "displayName", row.ManagerName)
		d["manager"] = manager
	}
	putObject(d, "identityProfile", reference(row.ProfileID.String(), row.ProfileName))
	putObject(d, "source", reference(row.SourceID.String(), row.SourceName))
	for member, attribute := range map[string]string{
		"firstName": "firstname", "lastName": "lastname", "phone": "phone", "employeeNumber": "identificationNumber",
	} {
		if value, ok := attributes[attribute]; ok {
			d[member] = value
		}
	}
	return d, nil
}

func accessDocument(held heldAccess) map[string]any {
	row := held.access
	d := map[string]any{"id": row.ID.String(), "name": row.Name, "displayName": row.Name, "type": row.Type,
		"description": nil, "enabled": row.Enabled, "disabled": !row.Enabled, "requestable": row.Requestable,
		"privileged": row.Privileged}
	put(d, "description", row.Description)
	putObject(d, "source", reference(row.SourceID.String(), row.SourceName))
	put(d, "attribute", row.Attribute)
	put(d, "value", row.Value)
	if row.OwnerID != nil {
		putObject(d, "owner", reference(shownID(*row.OwnerID), row.OwnerName))
	}
	if held.until != nil {
		d["removeDate"] = documentTime(*held.until)
	}
	return d
}

func accountDocument(basis *searchBasis, row *store.SearchAccount) (map[string]any, error) {
	attributes, err := attribute.Members(row.Attributes)
	if err != nil {
		return nil, err
	}
	entitlements := map[string]any{}
	if source := basis.configuration.Sources[row.SourceID]; source != nil {
		for _, name := range source.Entitling("") {
			if value, ok := attributes[name]; ok && value != nil {
				entitlements[name] = value
			}
		}
	}
	source := reference(row.SourceID.String(), &row.SourceName)
	put(source, "type", row.SourceType)
	return map[string]any{
		"id": row.ID.String(), "name": row.Name, "accountId": row.NativeIdentity, "source": source,
		"disabled": row.Disabled, "locked": row.Locked, "privileged": false,
		"manuallyCorrelated": row.ManuallyCorrelated, "created": documentTime(row.Created),
		"modified": documentTime(row.Modified), "accountAttributes": attributes, "entitlementAttributes": entitlements,
		"supportsPasswordChange": false,
	}, nil
}
