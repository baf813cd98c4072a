package event

import (
	"encoding/json"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// The types of events in the history of an identity.
const (
	TypeCreated           = "IDENTITY_CREATED"
	TypeAttributesChanged = "IDENTITY_ATTRIBUTES_CHANGED"
	TypeRolesChanged      = "IDENTITY_ROLES_CHANGED"
	TypeStateChanged      = "IDENTITY_STATE_CHANGED"
	TypeProvisioned       = "IDENTITY_PROVISIONED"
	TypeDeleted           = "IDENTITY_DELETED"
)

// Append appends an event of a type with its detail.
func Append(events []store.Event, identity refresh.ID, kind string, detail any) ([]store.Event, error) {
	text, err := json.Marshal(detail)
	return append(events, store.Event{IdentityID: identity, Type: kind, Detail: text}), err
}

// Roles is the detail of changed roles. Its lists are never null.
type Roles struct {
	Gained []Role `json:"gained"`
	Lost   []Role `json:"lost"`
}

// Role is a role that an identity gained or lost, and why.
type Role struct {
	ID     string `json:"id"`
	Name   string `json:"name"` // empty if the role is gone
	Reason string `json:"reason"`
}

// Attributes is the detail of changed attributes, in the shape of the product's events.
type Attributes struct {
	Changes []AttributeChange `json:"changes"`
}

// AttributeChange is an attribute that has another value now.
type AttributeChange struct {
	Attribute string          `json:"attribute"`
	OldValue  attribute.Value `json:"oldValue"`
	NewValue  attribute.Value `json:"newValue"`
}

// AttributesOf returns the detail of the changes that a calculation found.
func AttributesOf(changes []refresh.AttributeChange) Attributes {
	detail := Attributes{Changes: make([]AttributeChange, len(changes))}
	for i := range changes {
		detail.Changes[i] = AttributeChange{changes[i].Name, changes[i].From, changes[i].To}
	}
	return detail
}

// States is the detail of what changed of an identity beside its attributes and roles. A nil member did not change.
type States struct {
	LifecycleState  *TextChange `json:"lifecycleState,omitempty"`
	IdentityState   *TextChange `json:"identityState,omitempty"`
	Manager         *TextChange `json:"manager,omitempty"` // IDs
	ProcessingState *TextChange `json:"processingState,omitempty"`
	Correlated      *TextChange `json:"correlated,omitempty"`      // "true" or "false"
	Profile         *TextChange `json:"identityProfile,omitempty"` // IDs
}

// TextChange is a text that is another one now. A value is nil if there was, or is, none.
type TextChange struct {
	OldValue *string `json:"oldValue"`
	NewValue *string `json:"newValue"`
}

// Changed returns the change from one text to another, or nil if they are equal. An empty text stands for none.
func Changed(from, to string) *TextChange {
	if from == to {
		return nil
	}
	return &TextChange{store.NullText(from), store.NullText(to)}
}

// Provisioned is the detail of an operation that was carried out.
type Provisioned struct {
	Operation      string                  `json:"operation"` // its kind
	Source         configuration.Reference `json:"source"`
	NativeIdentity string                  `json:"nativeIdentity"`
	Attribute      string                  `json:"attribute,omitempty"` // with Value the target of the operation
	Value          string                  `json:"value,omitempty"`
	Reason         string                  `json:"reason"`
}

// Deleted is the detail of a deletion, in the shape of the product's events.
type Deleted struct {
	Identity   configuration.Reference `json:"identity"`
	Attributes attribute.Set           `json:"attributes"` // those that the identity had
}
