package refresh

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// Access is what roles and lifecycle states grant, and how sources are written to. It is part of a [Configuration].
type Access struct {
	Roles   map[ID]RoleAccess             // by the role; those that grant nothing need not be there
	States  map[ID]map[string]StateAccess // by the profile and the technical name of the state
	Sources map[ID]*TargetSource
	// Idle says that nothing is granted, done or synchronized: only what somebody asks for of an account concerns it.
	Idle bool
	keys keyMemo
}

// Entitlement is a value of an attribute of a source's accounts that stands for access.
type Entitlement struct {
	SourceID         ID
	Attribute, Value string
}

// Grant is an entitlement that something gives, to the account that a criterion chooses.
type Grant struct {
	Entitlement
	// Profile is the access profile that it belongs to; zero for an entitlement of the role itself.
	Profile     ID
	ProfileName string
	// Choice chooses among several accounts; nil takes the earliest.
	Choice *AccountChoice
}

// RoleAccess is what a role grants.
type RoleAccess struct {
	Name   string
	Grants []Grant
}

// StateAccess is what a lifecycle state grants and does.
type StateAccess struct {
	Grants []Grant
	// Actions are what becomes of the accounts on sources: [connector.Enable], [connector.Disable] or
	// [connector.Delete].
	Actions map[ID]connector.Kind
	// RemoveAll says that whoever is in the state has no access but what the state grants: roles grant nothing, those
	// that were requested are revoked, and access that was there for another reason is removed.
	RemoveAll bool
}

// TargetSource is a source that access is provisioned to.
type TargetSource struct {
	ID     ID
	Name   string
	Manual bool // nothing writes to it: people do what is to be done
	// Policy makes the attributes of a new account; nil where none can be created.
	Policy []PolicyField
	Sync   []SyncAttribute
	// Entitling are the attributes whose values are entitlements, and Single those of them that have one value at most.
	Entitling []string
	Single    map[string]bool
	// Equality returns how the source compares the values of an attribute; nil where it compares what is written.
	Equality func(name string) attribute.Equality
	// Status is the attribute that says whether an account can be used, and how it is written.
	Status, Enabled, Disabled string
}

// PolicyField makes one attribute of a new account.
type PolicyField struct {
	Name      string
	Required  bool
	Secret    bool // calculated when the account is created, and never kept
	Transform Transform
}

// SyncAttribute keeps an account attribute what an identity attribute is.
type SyncAttribute struct{ Identity, Account string }

// AccountChoice is a criterion over an account, by which access finds its account where there are several.
type AccountChoice struct {
	Operation string // EQUALS, NOT_EQUALS, CONTAINS, HAS, AND or OR
	Attribute string
	Value     string             // "" with HAS for any value
	Equality  attribute.Equality // of the attribute
	Children  []*AccountChoice
}

// Holds reports whether the criterion holds for an account. Letter case does not count, and what the source takes to be
// equal is equal.
func (c *AccountChoice) Holds(attributes *attribute.Set) bool {
	switch c.Operation {
	case "AND":
		return !slices.ContainsFunc(c.Children, func(child *AccountChoice) bool { return !child.Holds(attributes) })
	case "OR":
		return slices.ContainsFunc(c.Children, func(child *AccountChoice) bool { return child.Holds(attributes) })
	}
	values := attributes.Get(c.Attribute).Strings()
	equal := func(text string) bool { return strings.EqualFold(text, c.Value) || c.Equality.Same(text, c.Value) }
	switch c.Operation {
	case "HAS":
		if c.Value == "" { // any value
			return slices.ContainsFunc(values, func(text string) bool { return text != "" })
		}
		return slices.ContainsFunc(values, equal)
	case "EQUALS":
		return slices.ContainsFunc(values, equal)
	case "NOT_EQUALS":
		return !slices.ContainsFunc(values, equal)
	default:
		return slices.ContainsFunc(values, func(text string) bool {
			return strings.Contains(strings.ToLower(text), strings.ToLower(c.Value))
		})
	}
}

// Held is an entitlement that was given because something granted it.
type Held struct {
	Entitlement
	AccountID ID // which got it; zero where it is not known
}

// Stray is an entitlement that was given to an account which is not the identity's any more. What was given is the
// person's: an account that comes after the grant and has the entitlement takes the place of one that is gone.
type Stray struct {
	Held
	Given time.Time
	// Owned says that the account is there, and somebody else's or nobody's; Vanished that the source may bring it
	// back. Where it is neither, it is gone for good.
	Owned, Vanished bool
}

// Carried is an entitlement of an account that a former owner was given. Pending says that an operation may still give
// it, though the account does not have it.
type Carried struct {
	Held
	Pending bool
}

// Operation is something to be done on a source.
type Operation struct {
	ID       ID // zero for one that is new
	SourceID ID
	// AccountID is zero, and NativeIdentity empty, for the creation of an account.
	AccountID      ID
	NativeIdentity string
	Kind           connector.Kind
	Attributes     attribute.Set
	Reason         string
	// Failed says that it was given up, Begun that it was tried: what was tried may have happened.
	Failed, Begun bool
	// Manual says that people are to do it.
	Manual bool
	// Parked says that it is held back until somebody releases it. So is whatever else is wanted of the same target. A
	// new one has a cause.
	Parked bool
	// Awaits says of the creation of an account that it is parked until its source was read completely once. It has no
	// attributes until then.
	Awaits bool
	Cause  string
	// Demanded says of a new one that somebody asked for it, and not the configuration.
	Demanded bool
}

// target identifies what an operation is about. At most one operation on a target may be open.
type target struct {
	source, account  ID
	attribute, value string
}

// Target returns the attribute and the value that an operation is about. Of the operations with the same account and
// the same target, one can be open.
func (o *Operation) Target() (name, value string) {
	switch o.Kind.Target() {
	case connector.TargetCreation:
		return "", ""
	case connector.TargetAttribute:
		for name := range o.Attributes.All() {
			return name, ""
		}
		return "", "" // of no attribute
	case connector.TargetValue:
		for name, value := range o.Attributes.All() {
			return name, strings.Join(value.Strings(), "\n")
		}
		return "", "" // of no value
	case connector.TargetStatus:
		return "", "status"
	case connector.TargetLock:
		return "", "lock"
	case connector.TargetAccount:
		return "", "account"
	case connector.TargetPassword:
		return "", "password"
	}
	panic(fmt.Sprintf("refresh: the target of operations of the kind %s is unknown", o.Kind))
}

// target returns the target of an operation. Values that the source takes to be equal are one target.
func (a *Access) target(o *Operation) target {
	name, value := o.Target()
	if o.Kind.Target() == connector.TargetValue {
		texts := o.Attributes.Get(name).Strings()
		keys := make([]string, len(texts))
		for i, text := range texts {
			keys[i] = a.keyOf(o.SourceID, name, text)
		}
		value = strings.Join(keys, "\n")
	}
	return target{o.SourceID, o.AccountID, name, value}
}

// same reports whether two operations with the same target do the same.
func (a *Access) same(o, other *Operation) bool {
	if o.Kind != other.Kind || o.Attributes.Len() != other.Attributes.Len() {
		return o.Kind == other.Kind && o.Kind == connector.Create
	}
	source := a.Sources[o.SourceID]
	return o.Kind == connector.Create || every(&o.Attributes, func(name string, value attribute.Value) bool {
		return other.Attributes.Has(name) && source.equality(name).SameValues(value, other.Attributes.Get(name))
	})
}

// AccessChange has the changes to the access of an identity.
type AccessChange struct {
	Open []Operation
	// Fulfilled are operations that were open and that the accounts show as done; Cancelled those that are not wanted
	// any more; Retried those that were given up and of which there is a new one now.
	Fulfilled, Cancelled, Retried []ID
	// Granted are given from now on, Dropped not any more.
	Granted, Dropped []Held
	// Left are grants whose accounts carry them for their next owners, Settled those that the identity's accounts carry
	// no longer.
	Left, Settled []Held
	// DemandsHeld are demands that hold and of which something is to be recorded, DemandsEnded those that do not hold
	// any more.
	DemandsHeld, DemandsEnded []Demand
	// Waiting says that something is to be done by operations that are open already.
	Waiting bool
}

// Differs reports whether anything is to be written.
func (c *AccessChange) Differs() bool {
	return len(c.Open)+len(c.Fulfilled)+len(c.Cancelled)+len(c.Retried)+len(c.Granted)+len(c.Dropped)+
		len(c.Left)+len(c.Settled)+len(c.DemandsHeld)+len(c.DemandsEnded) > 0
}
