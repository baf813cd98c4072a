package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// PublishedObjects are objects of the configuration as the API shows them. In documents an object may name another one
// by its ID or by its name, and an entitlement by its value; here every reference has its ID, its type, and the name
// that the object has now. Make it with [Engine.PublishedObjects]. One goroutine uses it.
type PublishedObjects struct {
	Objects []ConfigurationObject
	x       *references
}

// PublishedObjects returns the objects of some types as the API shows them, in the order of
// [Engine.ConfigurationObjects]. An entitlement that no aggregation has found yet has no ID.
func (e *Engine) PublishedObjects(ctx context.Context, kinds ...ObjectType) (*PublishedObjects, error) {
	const op = "list the configuration"
	for _, kind := range kinds {
		if err := knownType(op, kind); err != nil {
			return nil, err
		}
	}
	p, err := tenant.Transact(ctx, e.tenant, func(tx pgx.Tx) (*PublishedObjects, error) {
		if _, err := e.tenant.Store.LockConfigurationShared(ctx, tx); err != nil {
			return nil, err
		}
		rows, err := e.tenant.Store.LoadConfiguration(ctx, tx)
		if err != nil {
			return nil, err
		}
		p := &PublishedObjects{}
		if p.Objects, err = exportedObjects(&rows, kinds); err != nil {
			return nil, err
		}
		if p.x, err = e.references(ctx, tx, &rows, p.Objects); err != nil {
			return nil, err
		}
		for i := range p.Objects {
			if p.Objects[i].Object, err = p.Publish(p.Objects[i]); err != nil {
				return nil, err
			}
		}
		return p, nil
	})
	return p, fault.Wrap(op, "", err)
}

// Object returns the object with an ID, whose kind is NotFound where there is none.
func (p *PublishedObjects) Object(kind ObjectType, id string) (ConfigurationObject, error) {
	const op = "get the configuration"
	for i := range p.Objects {
		if o := &p.Objects[i]; o.Type == kind && sameID(o.ID, id) {
			return *o, nil
		}
	}
	return ConfigurationObject{}, &Error{Kind: NotFound, Op: op, Subject: id,
		Err: fmt.Errorf("there is no object of the type %s with this ID", kind)}
}

// ListAccessProfileEntitlements returns a page of the entitlements of an access profile, which is named by its ID.
// Those that no aggregation has found yet are not among them. Errors are those of [Engine.ListAccounts].
func (e *Engine) ListAccessProfileEntitlements(ctx context.Context, profile string, params PageParams) (
	Page[Entitlement], error,
) {
	const op = "list the entitlements of the access profile"
	schema := store.ProfileEntitlementSchema()
	if params.AnyField {
		schema = store.EntitlementSchema(true)
	}
	var query store.EntitlementQuery
	var err error
	if query.ListQuery, err = params.query(op, schema, byID); err != nil {
		return Page[Entitlement]{}, err
	}
	published, err := e.PublishedObjects(ctx, TypeAccessProfile)
	if err != nil {
		return Page[Entitlement]{}, err
	}
	object, err := published.Object(TypeAccessProfile, profile)
	if err != nil {
		return Page[Entitlement]{}, err
	}
	var document configuration.AccessProfile
	if err := json.Unmarshal(object.Object, &document); err != nil {
		return Page[Entitlement]{}, fault.Wrap(op, profile, err)
	}
	query.IDs = []store.ID{}
	for i := range document.Entitlements {
		if id, known := store.IDOf(document.Entitlements[i].ID); known {
			query.IDs = append(query.IDs, id)
		}
	}
	l := listing[store.ListedEntitlement, Entitlement]{op: op, params: params, query: query.ListQuery,
		item: entitlementOf,
		list: func(ctx context.Context, q store.Querier, count bool, each func(*store.ListedEntitlement) error) (
			[]any, int, error,
		) {
			return e.tenant.Store.ListEntitlements(ctx, q, query, count, each)
		}}
	return l.page(ctx, e)
}

// Publish returns a document of the configuration with whole references.
func (p *PublishedObjects) Publish(o ConfigurationObject) (json.RawMessage, error) {
	members, err := membersOf(o.Object)
	if err != nil {
		return nil, err
	}
	for _, place := range referencePlaces(o.Type) {
		if err := place.change(members, func(element json.RawMessage) (json.RawMessage, error) {
			return p.x.publish(members, place.kind, element)
		}); err != nil {
			return nil, fmt.Errorf("%s %q: %s: %w", o.Type, o.Name, place.name, err)
		}
	}
	return encodeMembers(members)
}

// referencePlace is a member, maybe of another member, that has a reference or a list of them.
type referencePlace struct {
	name string // parts with a dot between
	kind string // of what it names
	list bool
}

// The kinds of references that are completed.
const (
	referencesIdentity    = "IDENTITY"
	referencesOwner       = "owner" // an identity, or a governance group
	referencesEntitlement = "ENTITLEMENT"
)

// referencePlaces returns where objects of a type name others.
func referencePlaces(kind ObjectType) []referencePlace {
	owned := []referencePlace{{"owner", referencesIdentity, false}, {"additionalOwners", referencesOwner, true}}
	switch kind {
	case TypeSource:
		return owned[:1]
	case TypeIdentityProfile:
		return append(owned[:1], referencePlace{"authoritativeSource", string(TypeSource), false})
	case TypeAccessProfile:
		return append(owned, referencePlace{"source", string(TypeSource), false},
			referencePlace{"entitlements", referencesEntitlement, true})
	case TypeRole:
		return append(owned, referencePlace{"accessProfiles", string(TypeAccessProfile), true},
			referencePlace{"entitlements", referencesEntitlement, true},
			referencePlace{"membership.identities", referencesIdentity, true})
	}
	return nil
}

// change replaces each reference at the place by what do returns.
func (p *referencePlace) change(members map[string]json.RawMessage,
	do func(json.RawMessage) (json.RawMessage, error),
) error {
	outer, inner, nested := strings.Cut(p.name, ".")
	text, given := members[outer]
	if !given || isNull(text) {
		return nil
	}
	if nested {
		below, err := membersOf(text)
		if err != nil {
			return err
		}
		place := referencePlace{inner, p.kind, p.list}
		if err := place.change(below, do); err != nil {
			return err
		}
		members[outer], err = encodeMembers(below)
		return err
	}
	if !p.list {
		changed, err := do(text)
		members[outer] = changed
		return err
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(text, &elements); err != nil {
		return err
	}
	for i := range elements {
		var err error
		if elements[i], err = do(elements[i]); err != nil {
			return err
		}
	}
	changed, err := json.Marshal(elements)
	members[outer] = changed
	return err
}

// references completes references.
type references struct {
	compiled     *configuration.Configuration
	profiles     []store.Object
	names        map[store.ID]string // of identities
	entitlements *configuration.Entitlements
}

// references returns what completes the references of objects.
func (e *Engine) references(ctx context.Context, tx pgx.Tx, rows *store.Configuration,
	objects []ConfigurationObject,
) (*references, error) {
	compiled, err := e.tenant.Compile(*rows)
	if err != nil {
		return nil, err
	}
	x := &references{compiled: compiled, profiles: rows.AccessProfiles, names: map[store.ID]string{},
		entitlements: compiled.EntitlementsOf(rows.Entitlements)}
	var identities []store.ID
	for i := range objects {
		members, err := membersOf(objects[i].Object)
		if err != nil {
			return nil, err
		}
		for _, place := range referencePlaces(objects[i].Type) {
			if place.kind != referencesIdentity && place.kind != referencesOwner {
				continue
			}
			if err := place.change(members, func(element json.RawMessage) (json.RawMessage, error) {
				var r Reference
				if err := json.Unmarshal(element, &r); err != nil {
					return nil, err
				}
				if id, known := store.IDOf(r.ID); known {
					identities = append(identities, id)
				}
				return element, nil
			}); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(identities, store.ID.Compare)
	named, err := e.tenant.Store.IdentityNames(ctx, tx, slices.Compact(identities))
	for _, n := range named {
		x.names[n.ID] = n.Name
	}
	return x, err
}

// publish returns a reference with its ID, its type and the name of the object. members are those of the document.
func (x *references) publish(members map[string]json.RawMessage, kind string, text json.RawMessage) (json.RawMessage,
	error,
) {
	if isNull(text) {
		return text, nil
	}
	if kind == referencesEntitlement {
		return x.publishEntitlement(members, text)
	}
	var r Reference
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	switch kind {
	case referencesIdentity, referencesOwner:
		if kind == referencesIdentity || r.Type == "" {
			r.Type = "IDENTITY"
		}
		if id, known := store.IDOf(r.ID); known {
			r.ID = id.String()
			if name, known := x.names[id]; known {
				r.Name = name
			}
		}
	case string(TypeSource):
		if source := x.compiled.SourceOf(&r); source != nil {
			r.ID, r.Name = source.IDText, source.Name
		}
		r.Type = kind
	case string(TypeAccessProfile):
		for i := range x.profiles {
			p := &x.profiles[i]
			if sameID(p.ID.String(), r.ID) || r.ID == "" && store.Fold(p.Name) == store.Fold(r.Name) {
				r.ID, r.Name = p.ID.String(), p.Name
				break
			}
		}
		r.Type = kind
	}
	return json.Marshal(r)
}

// publishEntitlement is publish for an entitlement. One that no aggregation has found is told as the document does.
func (x *references) publishEntitlement(members map[string]json.RawMessage, text json.RawMessage) (json.RawMessage,
	error,
) {
	var r configuration.EntitlementReference
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	var source *configuration.Reference
	if given := members["source"]; len(given) > 0 && !isNull(given) {
		if err := json.Unmarshal(given, &source); err != nil {
			return nil, err
		}
	}
	found := x.entitlements.Find(&r, source)
	if found == nil {
		r.Type = referencesEntitlement
		if r.Name == "" {
			r.Name = r.Value
		}
		return json.Marshal(r)
	}
	return json.Marshal(Reference{Type: referencesEntitlement, ID: found.ID.String(), Name: found.Name})
}

// membersOf returns the members of a JSON object.
func membersOf(text json.RawMessage) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, fmt.Errorf("an object is expected, and null was found")
	}
	return members, nil
}

// encodeMembers is the inverse of membersOf.
func encodeMembers(members map[string]json.RawMessage) (json.RawMessage, error) {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(members)
	return bytes.TrimSpace(encoded.Bytes()), err
}

// isNull reports whether a JSON text is null.
func isNull(text json.RawMessage) bool { return string(bytes.TrimSpace(text)) == "null" }
