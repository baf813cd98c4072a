package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/store"
)

// ExistsError says that an object of the configuration cannot be created, or cannot get a name, because another object
// has that name already.
type ExistsError struct {
	Type ObjectType
	Name string
	ID   string // of the object that has the name; "" for an identity attribute
}

func (e *ExistsError) Error() string {
	return fmt.Sprintf("an object of the type %s has the name %q already", e.Type, e.Name)
}

// ReferenceError says that an object names an identity that does not exist, and in which member.
type ReferenceError struct{ Member, ID string }

func (e *ReferenceError) Error() string { return e.Member + ": there is no identity with this ID" }

// CreateConfiguration adds one object to the configuration, as [Engine.Apply] adds it. It is a [Conflict] that wraps an
// [*ExistsError] where there is an object with its name, or its ID, already. An owner that the document names by ID
// must exist: otherwise the error is Invalid and wraps a [*ReferenceError]. Of the options [WithComment], [Untrusted],
// [AtVersion] and [Confirm] count.
func (e *Engine) CreateConfiguration(ctx context.Context, document Document, options ...ApplyOption) (
	ApplyResult, error,
) {
	return e.createConfiguration(document, options).run(ctx)
}

// CreateConfigurationTx is [Engine.CreateConfiguration] in the caller's transaction. It keeps other changes and runs
// waiting until that ends.
func (e *Engine) CreateConfigurationTx(ctx context.Context, tx pgx.Tx, document Document, options ...ApplyOption) (
	ApplyResult, error,
) {
	return e.createConfiguration(document, options).runIn(ctx, tx)
}

func (e *Engine) createConfiguration(document Document, options []ApplyOption) writeOf[ApplyResult] {
	const op = "create an object"
	return e.changeConfiguration(op, "", options, func(ctx context.Context, tx pgx.Tx) (change.Change, error) {
		return func(present *change.Present) (change.Request, error) {
			if err := removableType(op, document.Type); err != nil {
				return change.Request{}, err
			}
			objects, err := exportedObjects(&present.Rows, []ObjectType{document.Type})
			if err != nil {
				return change.Request{}, err
			}
			if err := demandNew(op, &document, objects); err != nil {
				return change.Request{}, err
			}
			settled := document
			settled.Object, err = e.settleOwner(ctx, tx, op, document.Object)
			return change.Request{Documents: []Document{settled}}, err
		}, nil
	})
}

// objectNames are the members of a document by which its object is found.
type objectNames struct {
	ID              string    `json:"id"`
	Name            string    `json:"name"`
	TechnicalName   string    `json:"technicalName"`
	IdentityProfile Reference `json:"identityProfile"`
}

// isNamed reports whether an object has one of the names.
func (n *objectNames) isNamed(o *ConfigurationObject) bool {
	if o.Type != TypeLifecycleState {
		return store.Fold(o.Name) == store.Fold(n.Name)
	}
	var other objectNames
	return o.Name == n.TechnicalName && json.Unmarshal(o.Object, &other) == nil &&
		(sameID(other.IdentityProfile.ID, n.IdentityProfile.ID) ||
			store.Fold(other.IdentityProfile.Name) == store.Fold(n.IdentityProfile.Name))
}

// sameID reports whether two texts are the same ID, in whichever spelling.
func sameID(a, b string) bool {
	x, known := store.IDOf(a)
	y, other := store.IDOf(b)
	return known && other && x == y
}

// demandNew fails where one of the objects has a name or the ID of a document that is to become a new one.
func demandNew(op string, document *Document, objects []ConfigurationObject) error {
	var names objectNames
	if err := json.Unmarshal(document.Object, &names); err != nil {
		return wrongMember(op, document.Place, err)
	}
	for i := range objects {
		if o := &objects[i]; sameID(o.ID, names.ID) || names.isNamed(o) {
			return &Error{Kind: Conflict, Op: op, Err: &ExistsError{Type: o.Type, Name: o.Name, ID: o.ID}}
		}
	}
	return nil
}

// EditConfiguration changes one object of the configuration, which an ID or a name stands for. edit gets the object as
// it is, and returns its document as it should become; nobody else changes the configuration in between, so that of two
// edits at once none is lost. A document that says the same changes nothing. edit must do nothing else: it is called
// again where the transaction is tried again, and its error is returned.
//
// The object keeps its ID, a lifecycle state its technical name and its profile, an identity attribute its name. A name
// that another object has is a [Conflict] that wraps an [*ExistsError]. An owner whose ID edit changes must exist:
// otherwise the error is Invalid and wraps a [*ReferenceError]; its name follows the ID. All else is as in
// [Engine.Apply]. Of the options [WithComment], [Untrusted], [Replace], [AtVersion] and [Confirm] count.
func (e *Engine) EditConfiguration(ctx context.Context, kind ObjectType, name string,
	edit func(ConfigurationObject) (json.RawMessage, error), options ...ApplyOption,
) (ApplyResult, error) {
	return e.editConfiguration(kind, name, edit, options).run(ctx)
}

// EditConfigurationTx is [Engine.EditConfiguration] in the caller's transaction. It keeps other changes and runs
// waiting until that ends.
func (e *Engine) EditConfigurationTx(ctx context.Context, tx pgx.Tx, kind ObjectType, name string,
	edit func(ConfigurationObject) (json.RawMessage, error), options ...ApplyOption,
) (ApplyResult, error) {
	return e.editConfiguration(kind, name, edit, options).runIn(ctx, tx)
}

func (e *Engine) editConfiguration(kind ObjectType, name string,
	edit func(ConfigurationObject) (json.RawMessage, error), options []ApplyOption,
) writeOf[ApplyResult] {
	const op = "change an object"
	return e.changeConfiguration(op, "", options, func(ctx context.Context, tx pgx.Tx) (change.Change, error) {
		return func(present *change.Present) (change.Request, error) {
			if err := removableType(op, kind); err != nil {
				return change.Request{}, err
			}
			objects, err := exportedObjects(&present.Rows, []ObjectType{kind})
			if err != nil {
				return change.Request{}, err
			}
			object, err := pickObject(op, kind, name, objects)
			if err != nil {
				return change.Request{}, err
			}
			edited, err := edit(object)
			if err != nil {
				return change.Request{}, err
			}
			if edited, err = demandSame(op, &object, edited, objects); err != nil {
				return change.Request{}, err
			}
			if !sameOwner(object.Object, edited) {
				if edited, err = e.settleOwner(ctx, tx, op, edited); err != nil {
					return change.Request{}, err
				}
			}
			return change.Request{Documents: []Document{{Type: kind, Object: edited}}}, nil
		}, nil
	})
}

// wrongMember says which member of a document has a value of another type than a text.
func wrongMember(op, place string, err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fault.Invalidf(op, place, "%s: a text is expected, %s was found", wrong.Field, wrong.Value)
	}
	return fault.Invalidf(op, place, "a JSON object is expected")
}

// demandSame fails where an edited document is that of another object, or has a name that another one has. It returns
// the document with the ID of its object.
func demandSame(op string, object *ConfigurationObject, edited json.RawMessage, objects []ConfigurationObject) (
	json.RawMessage, error,
) {
	var before, after objectNames
	if err := json.Unmarshal(object.Object, &before); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(edited, &after); err != nil {
		return nil, wrongMember(op, "", err)
	}
	switch {
	case object.ID != "" && after.ID != "" && !sameID(before.ID, after.ID):
		return nil, fault.Invalidf(op, "id", "an object keeps its ID")
	case object.Type == TypeLifecycleState && before.TechnicalName != after.TechnicalName:
		return nil, fault.Invalidf(op, "technicalName", "a lifecycle state keeps its technical name")
	case object.Type == TypeLifecycleState && !sameID(before.IdentityProfile.ID, after.IdentityProfile.ID):
		return nil, fault.Invalidf(op, "identityProfile", "a lifecycle state keeps its identity profile")
	case object.Type == TypeIdentityAttribute && before.Name != after.Name:
		return nil, fault.Invalidf(op, "name", "an identity attribute keeps its name")
	}
	for i := range objects {
		if o := &objects[i]; o.ID != object.ID && after.isNamed(o) {
			return nil, &Error{Kind: Conflict, Op: op, Err: &ExistsError{Type: o.Type, Name: o.Name, ID: o.ID}}
		}
	}
	if object.ID == "" || after.ID != "" {
		return edited, nil
	}
	return withMember(edited, "id", object.ID)
}

// ownedDocument is the owner in a document.
type ownedDocument struct {
	Owner *configuration.Reference `json:"owner"`
}

// sameOwner reports whether two documents name the same owner.
func sameOwner(before, after json.RawMessage) bool {
	var x, y ownedDocument
	if json.Unmarshal(before, &x) != nil || json.Unmarshal(after, &y) != nil {
		return false
	}
	return x.Owner == nil && y.Owner == nil || x.Owner != nil && y.Owner != nil && *x.Owner == *y.Owner
}

// settleOwner returns a document whose owner, where it is named by ID, has the name of that identity. The identity is
// locked, so that nobody deletes it before the transaction ends.
func (e *Engine) settleOwner(ctx context.Context, tx pgx.Tx, op string, document json.RawMessage) (json.RawMessage,
	error,
) {
	var owned ownedDocument
	if err := json.Unmarshal(document, &owned); err != nil {
		return nil, fault.Invalidf(op, "owner", "a reference to an identity is expected")
	}
	if owned.Owner == nil || owned.Owner.ID == "" {
		return document, nil
	}
	if kind := owned.Owner.Type; kind != "" && kind != "IDENTITY" {
		return nil, fault.Invalidf(op, "owner.type", "IDENTITY is expected")
	}
	missing := &Error{Kind: Invalid, Op: op, Err: &ReferenceError{"owner", owned.Owner.ID}}
	id, known := store.IDOf(owned.Owner.ID)
	if !known {
		return nil, missing
	}
	locked, err := e.tenant.Store.LockIdentitiesShared(ctx, tx, []store.ID{id})
	if err != nil {
		return nil, err
	}
	if len(locked) == 0 {
		return nil, missing
	}
	identity, err := e.tenant.Store.IdentityByID(ctx, tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	return withMember(document, "owner", configuration.Reference{Type: "IDENTITY", ID: id.String(),
		Name: identity.Name})
}

// withMember returns a document with another value of one member. The others keep their spelling.
func withMember(document json.RawMessage, name string, value any) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(document, &members); err != nil {
		return nil, err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	members[name] = text
	return encodeMembers(members)
}
