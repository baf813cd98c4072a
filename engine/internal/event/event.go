package event

import (
	"encoding/json"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

func Append(events []store.Event, identity refresh.ID, kind string, detail any) ([]store.Event, error) {
	text, err := json.Marshal(detail)
	return append(events, store.Event{IdentityID: identity, Type: kind, Detail: text}), err
}

// Roles is the detail of an event of changed roles.
type Roles struct {
	Gained []Role `json:"gained"`
	Lost   []Role `json:"lost"`
}

type Role struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Attributes is the detail of an event of changed attributes, in the shape that the product's events have.
type Attributes struct {
	Changes []AttributeChange `json:"changes"`
}

type AttributeChange struct {
	Attribute string          `json:"attribute"`
	OldValue  attribute.Value `json:"oldValue"`
	NewValue  attribute.Value `json:"newValue"`
}

func AttributesOf(changes []refresh.AttributeChange) Attributes {
	detail := Attributes{Changes: make([]AttributeChange, len(changes))}
	for i := range changes {
		detail.Changes[i] = AttributeChange{changes[i].Name, changes[i].From, changes[i].To}
	}
	return detail
}

// States is the detail of an event of what is calculated of an identity beside its attributes. Null is none.
type States struct {
	LifecycleState  *TextChange `json:"lifecycleState,omitempty"`
	IdentityState   *TextChange `json:"identityState,omitempty"`
	Manager         *TextChange `json:"manager,omitempty"`
	ProcessingState *TextChange `json:"processingState,omitempty"`
	Correlated      *TextChange `json:"correlated,omitempty"`
	Profile         *TextChange `json:"identityProfile,omitempty"`
}

type TextChange struct {
	OldValue *string `json:"oldValue"`
	NewValue *string `json:"newValue"`
}

func Changed(from, to string) *TextChange {
	if from == to {
		return nil
	}
	return &TextChange{store.NullText(from), store.NullText(to)}
}

// Provisioned is the detail of an event of an operation that was done.
type Provisioned struct {
	Operation      string                  `json:"operation"`
	Source         configuration.Reference `json:"source"`
	NativeIdentity string                  `json:"nativeIdentity"`
	Attribute      string                  `json:"attribute,omitempty"`
	Value          string                  `json:"value,omitempty"`
	Reason         string                  `json:"reason"`
}

// TypeDeleted is the type of the event of a deletion, whose detail has the attributes that the identity had.
const TypeDeleted = "IDENTITY_DELETED"

// Deleted is the detail of the event of a deletion, in the shape that the product's events have.
type Deleted struct {
	Identity   configuration.Reference `json:"identity"`
	Attributes attribute.Set           `json:"attributes"`
}

// The types of events in an identity's history.
const (
	TypeCreated           = "IDENTITY_CREATED"
	TypeAttributesChanged = "IDENTITY_ATTRIBUTES_CHANGED"
	TypeRolesChanged      = "IDENTITY_ROLES_CHANGED"
	TypeStateChanged      = "IDENTITY_STATE_CHANGED"
	TypeProvisioned       = "IDENTITY_PROVISIONED"
)
