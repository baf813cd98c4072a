package event

import (
	"encoding/json"
	"slices"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// The types of events in the history of an identity.
const (
	TypeCreated               = "IDENTITY_CREATED"
	TypeAttributesChanged     = "IDENTITY_ATTRIBUTES_CHANGED"
	TypeRolesChanged          = "IDENTITY_ROLES_CHANGED"
	TypeStateChanged          = "IDENTITY_STATE_CHANGED"
	TypeLifecycleStateSet     = "IDENTITY_LIFECYCLE_STATE_SET"
	TypeProvisioned           = "IDENTITY_PROVISIONED"
	TypeOperationParked       = "IDENTITY_OPERATION_PARKED"
	TypeOperationReleased     = "IDENTITY_OPERATION_RELEASED"
	TypeProtectionChanged     = "IDENTITY_PROTECTION_CHANGED"
	TypeUserLevelsChanged     = "IDENTITY_USER_LEVELS_CHANGED"
	TypeAccountsChanged       = "IDENTITY_ACCOUNTS_CHANGED"
	TypeAccountDemanded       = "IDENTITY_ACCOUNT_DEMANDED"
	TypeOwnershipChanged      = "IDENTITY_OWNERSHIP_CHANGED"
	TypeInvited               = "IDENTITY_INVITED"
	TypeRegistered            = "IDENTITY_REGISTERED"
	TypeReset                 = "IDENTITY_RESET"
	TypeVerificationRequested = "IDENTITY_VERIFICATION_REQUESTED"
	TypeVerified              = "IDENTITY_VERIFIED"
	TypeDeleted               = "IDENTITY_DELETED"
)

// types are all types in the order in which an event has them, each with whether a detail has its member. The database
// has an index for each (migrations, identity_events).
var types = []struct {
	name string
	of   func(*Detail) bool
}{
	{TypeCreated, func(d *Detail) bool { return d.Created != nil }},
	{TypeAttributesChanged, func(d *Detail) bool { return len(d.Attributes) > 0 }},
	{TypeRolesChanged, func(d *Detail) bool { return d.Roles != nil }},
	{TypeStateChanged, func(d *Detail) bool { return d.States != nil }},
	{TypeLifecycleStateSet, func(d *Detail) bool { return d.LifecycleState != nil }},
	{TypeProvisioned, func(d *Detail) bool { return len(d.Provisioned) > 0 }},
	{TypeOperationParked, func(d *Detail) bool { return len(d.Parked) > 0 }},
	{TypeOperationReleased, func(d *Detail) bool { return len(d.Released) > 0 }},
	{TypeProtectionChanged, func(d *Detail) bool { return d.Protection != nil }},
	{TypeUserLevelsChanged, func(d *Detail) bool { return d.UserLevels != nil }},
	{TypeAccountsChanged, func(d *Detail) bool { return d.Accounts != nil }},
	{TypeAccountDemanded, func(d *Detail) bool { return len(d.Demanded) > 0 }},
	{TypeOwnershipChanged, func(d *Detail) bool { return d.Ownership != nil }},
	{TypeInvited, func(d *Detail) bool { return d.Invited != nil }},
	{TypeRegistered, func(d *Detail) bool { return d.Registered != nil }},
	{TypeReset, func(d *Detail) bool { return d.Reset != nil }},
	{TypeVerificationRequested, func(d *Detail) bool { return d.VerificationRequested != nil }},
	{TypeVerified, func(d *Detail) bool { return d.Verified != nil }},
	{TypeDeleted, func(d *Detail) bool { return d.Deleted != nil }},
}

// Types returns all types of events, in the order in which an event has them.
func Types() []string {
	names := make([]string, len(types))
	for i := range types {
		names[i] = types[i].name
	}
	return names
}

// Detail is what happened to an identity in one write: it has a member for each type of the event, and those alone.
type Detail struct {
	Created *Created `json:"created,omitempty"`
	// Attributes are the attributes that changed, by name.
	Attributes     []AttributeChange `json:"attributes,omitempty"`
	Roles          *Roles            `json:"roles,omitempty"`
	States         *States           `json:"states,omitempty"`
	LifecycleState *LifecycleState   `json:"lifecycleState,omitempty"`
	// Provisioned are the operations that were carried out.
	Provisioned []Provisioned `json:"provisioned,omitempty"`
	// Parked are the operations that were held back, and Released those that are held back no longer.
	Parked                []Operation            `json:"parked,omitempty"`
	Released              []Operation            `json:"released,omitempty"`
	Protection            *Protection            `json:"protection,omitempty"`
	UserLevels            *UserLevels            `json:"userLevels,omitempty"`
	Accounts              *Accounts              `json:"accounts,omitempty"`
	Demanded              []Demanded             `json:"demanded,omitempty"`
	Ownership             *Ownership             `json:"ownership,omitempty"`
	Invited               *Invited               `json:"invited,omitempty"`
	Registered            *Registered            `json:"registered,omitempty"`
	Reset                 *Reset                 `json:"reset,omitempty"`
	VerificationRequested *VerificationRequested `json:"verificationRequested,omitempty"`
	Verified              *Verified              `json:"verified,omitempty"`
	Deleted               *Deleted               `json:"deleted,omitempty"`
}

// Types returns the types that a detail has members for.
func (d *Detail) Types() []string {
	var names []string
	for i := range types {
		if types[i].of(d) {
			names = append(names, types[i].name)
		}
	}
	return names
}

// Append appends the event of a detail, unless it has no member.
func Append(events []store.Event, identity refresh.ID, detail *Detail) ([]store.Event, error) {
	names := detail.Types()
	if len(names) == 0 {
		return events, nil
	}
	text, err := json.Marshal(detail)
	return append(events, store.Event{IdentityID: identity, Types: names, Detail: text}), err
}

// Decode reads a detail. Members of types that it does not know are left out: a newer engine wrote them.
func Decode(document []byte) (detail Detail, err error) {
	err = json.Unmarshal(document, &detail)
	return detail, err
}

// Created says from which account an identity was made. Package store writes it.
type Created struct {
	AccountID string `json:"accountId"`
	SourceID  string `json:"sourceId"`
}

// Roles are changed roles. Its lists are never null.
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

// AttributeChange is an attribute that has another value now. A value that there was not, or is not any more, is null;
// as JSON it is left out, since most of a history is about identities that had no values before.
type AttributeChange struct {
	Attribute string          `json:"attribute"`
	OldValue  attribute.Value `json:"oldValue,omitzero"`
	NewValue  attribute.Value `json:"newValue,omitzero"`
}

// AttributesOf returns the changes that a calculation found.
func AttributesOf(changes []refresh.AttributeChange) []AttributeChange {
	list := make([]AttributeChange, len(changes))
	for i := range changes {
		list[i] = AttributeChange{changes[i].Name, changes[i].From, changes[i].To}
	}
	return list
}

// States is what changed of an identity beside its attributes and roles. A nil member did not change.
type States struct {
	LifecycleState  *TextChange `json:"lifecycleState,omitempty"`
	IdentityState   *TextChange `json:"identityState,omitempty"`
	Manager         *TextChange `json:"manager,omitempty"` // IDs
	ProcessingState *TextChange `json:"processingState,omitempty"`
	Correlated      *TextChange `json:"correlated,omitempty"`      // "true" or "false"
	Profile         *TextChange `json:"identityProfile,omitempty"` // IDs
	CloudStatus     *TextChange `json:"cloudStatus,omitempty"`
}

// TextChange is a text that is another one now. A value is nil if there was, or is, none.
type TextChange struct {
	OldValue *string `json:"oldValue,omitempty"`
	NewValue *string `json:"newValue,omitempty"`
}

// Changed returns the change from one text to another, or nil if they are equal. An empty text stands for none.
func Changed(from, to string) *TextChange {
	if from == to {
		return nil
	}
	return &TextChange{store.NullText(from), store.NullText(to)}
}

// LifecycleState says that somebody set the lifecycle state by hand, or left it to its calculation again.
type LifecycleState struct {
	State *string `json:"state"` // the technical name; nil where it is calculated again
}

// Provisioned is an operation that was carried out.
type Provisioned struct {
	Operation      string                  `json:"operation"` // its kind
	Source         configuration.Reference `json:"source"`
	NativeIdentity string                  `json:"nativeIdentity"`
	Attribute      string                  `json:"attribute,omitempty"` // with Value the target of the operation
	Value          string                  `json:"value,omitempty"`
	Reason         string                  `json:"reason"`
	// Linked says that no account was created: the one that was there already became the identity's.
	Linked bool `json:"linked,omitempty"`
}

// Operation is an operation that was held back, or is held back no longer.
type Operation struct {
	ID             string                  `json:"id"`
	Operation      string                  `json:"operation"` // its kind
	Source         configuration.Reference `json:"source"`
	NativeIdentity string                  `json:"nativeIdentity,omitempty"` // empty for a creation
	Attribute      string                  `json:"attribute,omitempty"`      // with Value the target of the operation
	Value          string                  `json:"value,omitempty"`
	Cause          string                  `json:"cause"` // why it was held back
}

// OperationOf is what the history keeps of an operation that was held back.
func OperationOf(row *store.Operation, sourceName, cause string) Operation {
	return Operation{ID: row.ID.String(), Operation: row.Kind, NativeIdentity: row.NativeIdentity,
		Source: configuration.Reference{Type: string(configuration.TypeSource), ID: row.SourceID.String(),
			Name: sourceName}, Attribute: row.Attribute, Value: row.Value, Cause: cause}
}

// Protection says that an identity is protected from being deleted, or is not any more.
type Protection struct {
	Protected bool `json:"protected"`
}

// UserLevels are the user levels of an identity before and after. Its lists are never null.
type UserLevels struct {
	OldValue []string `json:"oldValue"`
	NewValue []string `json:"newValue"`
}

// LevelsChanged returns the change from some user levels to others, or nil if they are equal.
func LevelsChanged(from, to []string) *UserLevels {
	if slices.Equal(from, to) {
		return nil
	}
	return &UserLevels{append([]string{}, from...), append([]string{}, to...)}
}

// OwnedMax is how many objects an [Ownership] names at most in each list.
const OwnedMax = 100

// Accounts says which accounts an identity was given by hand, or that were taken from it by hand, and of which that was
// begun or ended while it kept them. Its lists are never null.
type Accounts struct {
	Gained []Account `json:"gained"`
	Lost   []Account `json:"lost"`
	Kept   []Account `json:"kept"`
}

// Account is an account of an [Accounts].
type Account struct {
	ID                 string                  `json:"id"`
	Source             configuration.Reference `json:"source"`
	ManuallyCorrelated bool                    `json:"manuallyCorrelated"` // from then on
}

// AccountOf returns an account as an event names it.
func AccountOf(row *store.Account, sourceName string, manually bool) Account {
	return Account{row.ID.String(), configuration.Reference{Type: string(configuration.TypeSource),
		ID: row.SourceID.String(), Name: sourceName}, manually}
}

// Demanded says what somebody asked for of an account.
type Demanded struct {
	Operation      string                  `json:"operation"` // ENABLE, DISABLE or UNLOCK
	Account        string                  `json:"account"`   // its ID
	Source         configuration.Reference `json:"source"`
	NativeIdentity string                  `json:"nativeIdentity"`
	// the source is written to also where the account looks right
	Forced bool `json:"forced"`
}

// Ownership says which objects an identity owns now, or does not own any more. Its lists are never null, and name
// [OwnedMax] objects at most; the counts are of all.
type Ownership struct {
	Gained      []configuration.Reference `json:"gained"`
	Lost        []configuration.Reference `json:"lost"`
	GainedCount int                       `json:"gainedCount"`
	LostCount   int                       `json:"lostCount"`
}

// OwnershipOf returns the change of some objects gained and others lost, or nil if there are none.
func OwnershipOf(gained, lost []configuration.Reference) *Ownership {
	if len(gained)+len(lost) == 0 {
		return nil
	}
	first := func(list []configuration.Reference) []configuration.Reference {
		return append([]configuration.Reference{}, list[:min(len(list), OwnedMax)]...)
	}
	return &Ownership{first(gained), first(lost), len(gained), len(lost)}
}

// Invited says that somebody asked for an invitation of the identity. The message follows.
type Invited struct {
	Message string `json:"message"` // its ID
}

// Registered says that the invitation was redeemed.
type Registered struct {
	CloudStatus *TextChange `json:"cloudStatus,omitempty"` // nil for one that had registered before
}

// Reset says that the registration was ended: user levels, tokens and messages went too.
type Reset struct {
	CloudStatus *TextChange `json:"cloudStatus,omitempty"`
	UserLevels  *UserLevels `json:"userLevels,omitempty"`
}

// VerificationRequested says that somebody asked for a token by which the identity sets a new password. The message
// follows.
type VerificationRequested struct {
	Message string `json:"message"` // its ID
	Via     string `json:"via"`
	Source  string `json:"source,omitempty"` // the ID of that whose password it is; empty for the host's own
}

// Verified says that the token of a verification was redeemed. That a source got the password is an event of its own:
// an operation SET_PASSWORD.
type Verified struct {
	Source string `json:"source,omitempty"` // as of the request
}

// Deleted is the deletion of an identity.
type Deleted struct {
	Identity   configuration.Reference `json:"identity"`
	Attributes attribute.Set           `json:"attributes"` // those that the identity had
}
