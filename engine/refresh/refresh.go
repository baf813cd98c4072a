package refresh

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/transform"
)

// ID identifies an identity, an account or a configured object. The zero ID stands for none.
type ID = [16]byte

// The values of processingState and identityState that a calculation gives.
const (
	StateOK    = "OK"
	StateError = "ERROR"
	Active     = "ACTIVE"
)

// Configuration is what identities are calculated by. It is not changed after it was made, and shared.
type Configuration struct {
	Profiles []Profile // the one of the highest priority first
	Roles    []Role    // the enabled ones
	// Index finds the roles whose criterion holds, by their position in Roles. Nil when no role has one.
	Index *criteria.Index
	// Listed are the roles, by their position in Roles, that list an identity as a member.
	Listed map[ID][]int
}

// Role is a role that identities become members of by themselves.
type Role struct {
	ID   ID
	Name string
}

// Profile makes identities of the accounts of its source.
type Profile struct {
	ID       ID
	Name     string
	SourceID ID
	// Enabled says whether attributes are calculated. Where it is false they keep their values.
	Enabled  bool
	Mappings []Mapping
	// States are the lifecycle states by technical name; the value is their identity state, "" for none.
	States map[string]string
	// ManagerAttribute is the attribute of the profile's source that names the manager, "" for none.
	ManagerAttribute string
	// ManagerKey makes the key under which the manager is looked for of that attribute's value.
	ManagerKey func(value string) string
}

// Mapping calculates one identity attribute.
type Mapping struct {
	Attribute string
	Transform Transform
}

// Transform calculates a value: a [*transform.Transform]. It is called by many goroutines at once.
type Transform interface {
	Evaluate(input *transform.Input) (attribute.Value, error)
}

// State is what of an identity is calculated.
type State struct {
	ID              ID
	Name            string
	Alias           string
	Email           string // "" for none
	Attributes      attribute.Set
	ProcessingState string // "" for none recorded
	ProcessingError string
	Correlated      bool
	ProfileID       ID
	LifecycleState  string // "" for none
	LifecycleManual bool
	IdentityState   string // "" before the first calculation
	ManagerID       ID
	ManagerKey      string // "" for none
}

// Account is one account of an identity.
type Account struct {
	SourceID ID
	transform.Account
}

// Assignment is a role that the identity has.
type Assignment struct {
	ID     ID
	RoleID ID
	// Membership says that the role's membership assigned it, and that therefore it takes it away.
	Membership bool
	RemoveDate time.Time // zero for none
}

// Snapshot is an identity and its accounts as they are, the earliest account first.
type Snapshot struct {
	Identity State
	Accounts []Account
	// Assignments are the roles of the identity.
	Assignments []Assignment
	// Random is the source of the transforms that make random values.
	Random io.Reader
	// Directory finds other identities for the transforms that ask for them; nil when none can be found.
	Directory transform.Directory
}

// AttributeChange is an attribute that gets another value.
type AttributeChange struct {
	Name     string
	From, To attribute.Value
}

// RoleLoss is an assignment that falls away.
type RoleLoss struct {
	Assignment
	// Expired says that its remove date has come; otherwise the membership does not hold any more.
	Expired bool
}

// Change is what a calculation found: the identity as it is, as it should be, the attributes in which the two differ,
// and the roles that are gained and lost. Err is why the calculation failed, and then only the processing state
// differs.
type Change struct {
	Before, After *State
	Attributes    []AttributeChange
	Gained        []Role
	Lost          []RoleLoss
	Err           error
}

// Differs reports whether anything is to be written.
func (c *Change) Differs() bool { return c.StateDiffers() || len(c.Gained)+len(c.Lost) > 0 }

// StateDiffers reports whether the identity itself is to be written.
func (c *Change) StateDiffers() bool {
	b, a := c.Before, c.After
	return len(c.Attributes) > 0 || b.Name != a.Name || b.Alias != a.Alias || b.Email != a.Email ||
		b.ProcessingState != a.ProcessingState || b.ProcessingError != a.ProcessingError ||
		b.Correlated != a.Correlated || b.ProfileID != a.ProfileID || b.LifecycleState != a.LifecycleState ||
		b.LifecycleManual != a.LifecycleManual || b.IdentityState != a.IdentityState ||
		b.ManagerID != a.ManagerID || b.ManagerKey != a.ManagerKey
}

// SetManager sets the manager that the key of the change found; the zero ID says that it found none, or several. An
// identity is never its own manager.
func (c *Change) SetManager(manager ID) {
	if manager == c.After.ID {
		manager = ID{}
	}
	c.After.ManagerID = manager
}

// Compute calculates an identity. An identity without an account on an authoritative source is not correlated; there
// is nothing then to calculate its attributes from, so they keep their values.
func Compute(s *Snapshot, c *Configuration, now time.Time) Change {
	after := s.Identity
	change := Change{Before: &s.Identity, After: &after}
	profile, account := choose(s, c)
	after.Correlated = profile != nil
	if profile == nil {
		after.clearError()
		change.decideRoles(s, c, now)
		return change
	}
	after.ProfileID = profile.ID
	after.ManagerKey = profile.managerKey(account)
	if profile.Enabled {
		attributes, err := profile.evaluate(s, now)
		if err != nil {
			after = s.Identity
			after.ProcessingState, after.ProcessingError = StateError, err.Error()
			change.Err = err
			return change
		}
		after.Attributes = attributes
		change.Attributes = difference(&s.Identity.Attributes, &after.Attributes)
	}
	after.promote(account)
	after.setLifecycle(profile)
	after.clearError()
	change.decideRoles(s, c, now)
	return change
}

// choose returns the profile of the highest priority on whose source the identity has an account, and that account.
func choose(s *Snapshot, c *Configuration) (*Profile, *Account) {
	for i := range c.Profiles {
		for k := range s.Accounts {
			if s.Accounts[k].SourceID == c.Profiles[i].SourceID {
				return &c.Profiles[i], &s.Accounts[k]
			}
		}
	}
	return nil, nil
}

func (p *Profile) managerKey(account *Account) string {
	if p.ManagerAttribute == "" {
		return ""
	}
	value := account.Attributes.Get(p.ManagerAttribute)
	if value.Text() == "" {
		return ""
	}
	return p.ManagerKey(value.Text())
}

// evaluate calculates the attributes that the profile maps. Attributes that it does not map fall away.
func (p *Profile) evaluate(s *Snapshot, now time.Time) (attribute.Set, error) {
	accounts := make([]transform.Account, len(s.Accounts))
	for i := range s.Accounts {
		accounts[i] = s.Accounts[i].Account
	}
	input := transform.Input{
		Identity: transform.Identity{
			ID: hex.EncodeToString(s.Identity.ID[:]), Name: s.Identity.Name, Alias: s.Identity.Alias,
			Attributes: &s.Identity.Attributes,
		},
		Accounts: accounts, Now: now, Random: s.Random, Directory: s.Directory,
	}
	var attributes attribute.Set
	for _, m := range p.Mappings {
		input.Attribute, input.OldValue = m.Attribute, s.Identity.Attributes.Get(m.Attribute)
		value, err := m.Transform.Evaluate(&input)
		if err != nil {
			return attributes, fmt.Errorf("attribute %s of profile %q: %w", m.Attribute, p.Name, err)
		}
		if !value.IsNull() {
			attributes.Put(m.Attribute, value)
		}
	}
	return attributes, nil
}

// promote takes the properties of an identity that are attributes of it. An identity always has a name and an alias:
// where no attribute gives them, the name of its authoritative account does.
func (s *State) promote(account *Account) {
	s.Name = firstText(s.Attributes.Get("displayName"), attribute.String(account.Name),
		attribute.String(account.NativeIdentity))
	s.Alias = firstText(s.Attributes.Get("uid"), attribute.String(account.Name),
		attribute.String(account.NativeIdentity))
	s.Email = s.Attributes.Get("email").Text()
}

func firstText(values ...attribute.Value) string {
	for _, value := range values {
		if text := value.Text(); text != "" {
			return text
		}
	}
	return ""
}

// setLifecycle takes the state whose technical name the attribute cloudLifecycleState equals, unless the state was
// set by hand.
func (s *State) setLifecycle(profile *Profile) {
	if !s.LifecycleManual {
		s.LifecycleState = s.Attributes.Get("cloudLifecycleState").Text()
		if _, exists := profile.States[s.LifecycleState]; !exists {
			s.LifecycleState = ""
		}
	}
	s.IdentityState = profile.States[s.LifecycleState]
	if s.IdentityState == "" {
		s.IdentityState = Active
	}
}

// clearError ends an error that an earlier calculation left. An identity that never had one records nothing.
func (s *State) clearError() {
	if s.ProcessingState == StateError {
		s.ProcessingState, s.ProcessingError = StateOK, ""
	}
}

// difference returns the attributes in which two sets differ, by name.
func difference(from, to *attribute.Set) []AttributeChange {
	if from.Equal(to) {
		return nil
	}
	var changes []AttributeChange
	for name, value := range to.All() {
		if old := from.Get(name); !old.Equal(value) {
			changes = append(changes, AttributeChange{name, old, value})
		}
	}
	for name, value := range from.All() {
		if !to.Has(name) && !value.IsNull() {
			changes = append(changes, AttributeChange{name, value, attribute.Null})
		}
	}
	slices.SortFunc(changes, func(a, b AttributeChange) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return changes
}
