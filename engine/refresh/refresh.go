package refresh

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store/id"
)

// ID identifies an identity, an account or a configured object. The zero ID stands for none.
type ID = id.ID

// The values of processingState and identityState that a calculation gives.
const (
	StateOK    = "OK"
	StateError = "ERROR"
	Active     = "ACTIVE"
	// LongTermInactive is the state in which the schedule leaves an identity out, but for the dates of its roles.
	LongTermInactive = "INACTIVE_LONG_TERM"
)

// Configuration is what identities are calculated by. It is not changed after it was made, and shared.
type Configuration struct {
	Profiles []Profile // the one of the highest priority first
	Roles    []Role    // the enabled ones
	// Index finds the roles whose criterion holds, by their position in Roles. Nil when no role has one.
	Index *criteria.Index
	// Listed are the roles, by their position in Roles, that list an identity as a member.
	Listed map[ID][]int
	// RemovedRoles are roles that a preview takes to be gone: whoever has one loses it, whatever assigned it.
	RemovedRoles []ID
	// Access is what is granted and provisioned; nil when nothing is.
	Access *Access
	// Others is what the mappings of the enabled profiles, and the policies, read of other identities.
	Others Others
}

// Role is a role that identities become members of by themselves.
type Role struct {
	ID        ID
	Name      string
	Criterion *criteria.Criterion // nil for a role that lists its members
}

// Profile makes identities of the accounts of its source.
type Profile struct {
	ID       ID
	Name     string
	SourceID ID
	// Enabled says whether attributes are calculated. Where it is false they keep their values.
	Enabled bool
	// Mappings are fastest in the order of [attribute.Compare], in which sets are. [Profile.Arrange] finds the order in
	// which they are calculated.
	Mappings []Mapping
	// States are the lifecycle states by technical name.
	States map[string]LifecycleState
	// ManagerAttribute is the attribute of the profile's source that names the manager, "" for none.
	ManagerAttribute string
	// ManagerKey makes the key under which the manager is looked for of that attribute's value.
	ManagerKey func(value string) string
	// order is nil when no mapping reads an attribute.
	order *arrangement
}

// Mapping calculates one identity attribute.
type Mapping struct {
	Attribute string
	Transform Transform
	// Periodic says that the attribute is calculated again at every scheduled time.
	Periodic bool
	// Reads are the attributes of the same identity that the transform reads; ReadsAny says that it may read any.
	Reads    []string
	ReadsAny bool
}

// Transform calculates a value: a [*transform.Transform]. It is called by many goroutines at once.
type Transform interface {
	EvaluateUntil(input *transform.Input) (value attribute.Value, due time.Time, err error)
	Trace(input *transform.Input) (attribute.Value, []transform.Step, error)
}

// Calculated is what a calculation gives an identity beside its attributes. It is comparable, so that no field can be
// forgotten where a change is looked for. Package store, which this one must not import, has the same struct, and the
// compiler checks the conversion between the two.
type Calculated struct {
	Name            string
	Alias           string
	Email           string // "" for none
	ProcessingState string // "" for none recorded
	ProcessingError string
	Correlated      bool
	ProfileID       ID
	LifecycleState  string // "" for none
	LifecycleManual bool   // it was set by hand
	// LifecycleBasis is "=" and the value that the mapping of the lifecycle state gave when the state was set by hand;
	// "" if that is not known: then the next calculation takes the value that the mapping gives now. Where the state
	// was left to itself again, it stays until the next calculation.
	LifecycleBasis string
	IdentityState  string // "" before the first calculation
	ManagerID      ID
	ManagerKey     string // "" for none
}

// State is an identity as a calculation reads and leaves it: the attributes are a set that can be calculated with, not
// the database's document of store.IdentityState.
type State struct {
	ID ID
	Calculated
	Attributes attribute.Set
}

// Account is one account of an identity.
type Account struct {
	RowID    ID
	SourceID ID
	transform.Account
}

// Assignment is a role that the identity has.
type Assignment struct {
	ID     ID
	RoleID ID
	// Membership says that the role's membership assigned it, and that therefore it takes it away.
	Membership bool
	StartDate  time.Time // zero for at once
	RemoveDate time.Time // zero for none
}

// Snapshot is an identity and its accounts as they are, the earliest account first.
type Snapshot struct {
	Identity State
	Accounts []Account
	// Gone are the accounts on sources that a preview takes to be gone.
	Gone []Account
	// Assignments are the roles of the identity.
	Assignments []Assignment
	// Grants are what was given to the identity's accounts because something granted it, and Operations those that are
	// open, or were given up and not tried again.
	Grants     []Held
	Operations []Operation
	// Strays are what was given to accounts that the identity does not have any more, and Carried what a former owner
	// was given on its accounts.
	Strays  []Stray
	Carried []Carried
	// Demands are what somebody asked for of the identity's accounts.
	Demands []Demand
	// Fault is why the identity cannot be calculated, such as an operation that this version does not know; nil for
	// nothing. Its change has the error.
	Fault error
	// Synchronize says that somebody asked for the synchronization of the attributes.
	Synchronize bool
	// Taken reports whether a name is in use on a source; nil when that cannot be known.
	Taken func(source ID, name transform.Candidate) (bool, error)
	// Complete reports whether a source was ever read completely, so that it is known who has an account there; nil
	// when every source counts as read.
	Complete func(source ID) (bool, error)
	// Location is the tenant's time zone, nil for UTC.
	Location *time.Location
	// Random is the source of the transforms that make random values.
	Random io.Reader
	// Directory finds other identities for the transforms that ask for them; nil when none can be found.
	Directory transform.Directory
	// Memory is what the calculation may use, nil for new memory.
	Memory *Memory
}

// Memory is the memory of a calculation. What was calculated is valid until the next one uses it.
type Memory struct {
	after      State
	attributes attribute.Set
	accounts   []transform.Account
	budget     transform.Budget
}

// AttributeChange is an attribute that gets another value. Mapping is what calculated it, nil when the profile does not
// map it any more; [Mapping.Trace] tells how.
type AttributeChange struct {
	Name     string
	From, To attribute.Value
	Mapping  *Mapping
}

// RoleLoss is an assignment that falls away.
type RoleLoss struct {
	Assignment
	// Expired says that its remove date has come. RevokedBy is the lifecycle state that removes all access, also what
	// was requested. Otherwise the membership does not hold any more.
	Expired   bool
	RevokedBy string
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
	// Lookup is a failure of what was asked while access was planned. It is not the identity's.
	Lookup error
	Access AccessChange
	// Due is from when on a calculation may find something else though nothing but the time has changed; zero is never.
	Due time.Time
	// RolesDue is the part of Due that comes from the dates of assignments.
	RolesDue time.Time
	// Periodic says that it may do so at any time, so that the next scheduled time is early enough.
	Periodic bool
	// Warnings say what is not an error, but may not be as it was meant. They hold no values but that of the lifecycle
	// state.
	Warnings []string
}

// due records when the identity must be calculated again. It ignores times that have passed.
func (c *Change) due(at, now time.Time) { c.Due = earlier(c.Due, at, now) }

// earlier returns the earlier one of two times, of which the second counts only if it lies ahead.
func earlier(due, at, now time.Time) time.Time {
	if at.After(now) && (due.IsZero() || at.Before(due)) {
		return at
	}
	return due
}

// Lifecycle reports whether an identity that had a lifecycle state gets another one, or none.
func (c *Change) Lifecycle() bool {
	return c.Before.LifecycleState != "" && c.Before.LifecycleState != c.After.LifecycleState
}

// Deactivated reports whether the identity ceases to be active.
func (c *Change) Deactivated() bool {
	return c.Before.IdentityState == Active && c.After.IdentityState != Active
}

// Differs reports whether anything is to be written.
func (c *Change) Differs() bool {
	return c.StateDiffers() || len(c.Gained)+len(c.Lost) > 0 || c.Access.Differs()
}

// StateDiffers reports whether the identity itself is to be written.
func (c *Change) StateDiffers() bool {
	return len(c.Attributes) > 0 || c.Before.Calculated != c.After.Calculated
}

// SetManager sets the manager that the key of the change found; the zero ID says that it found none, or several. An
// identity is never its own manager.
func (c *Change) SetManager(manager ID) {
	if manager == c.After.ID {
		manager = ID{}
	}
	c.After.ManagerID = manager
}

// Calculate calculates an identity. An identity without an account on an authoritative source is not correlated; there
// is nothing then to calculate its attributes from, so they keep their values.
func Calculate(s *Snapshot, c *Configuration, now time.Time) Change {
	m := s.Memory
	if m == nil {
		m = new(Memory)
	}
	after := &m.after
	*after = s.Identity
	change := Change{Before: &s.Identity, After: after}
	if s.Fault != nil {
		return change.fail(s, s.Fault, now)
	}
	profile, account := Choose(s, c)
	after.Correlated = profile != nil
	if profile == nil {
		after.clearError()
		change.decideRoles(s, c, now)
		change.planAccess(s, c, nil, now)
		return change
	}
	after.ProfileID = profile.ID
	after.ManagerKey = profile.managerKey(account)
	if profile.Enabled {
		attributes, err := change.evaluate(profile, account, s, m, now)
		if err != nil {
			return change.fail(s, err, now)
		}
		after.Attributes = attributes
		change.Attributes = difference(&s.Identity.Attributes, &after.Attributes)
		profile.nameMappings(change.Attributes)
		change.checkRequired()
		change.readNextProcessing(now)
	}
	after.promote(account)
	change.setLifecycle(profile)
	after.clearError()
	change.decideRoles(s, c, now)
	change.planAccess(s, c, profile, now)
	return change
}

// fail makes the change of an identity that cannot be calculated: it keeps what it has, but for what has expired.
func (c Change) fail(s *Snapshot, err error, now time.Time) Change {
	*c.After = s.Identity
	c.After.ProcessingState, c.After.ProcessingError = StateError, err.Error()
	c.Err, c.Periodic = err, true
	c.loseExpired(s, now)
	return c
}

// Choose returns the profile of the highest priority on whose source the identity has an account, and that account; nil
// when there is none.
func Choose(s *Snapshot, c *Configuration) (*Profile, *Account) {
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

// input returns what the profile's transforms are evaluated with, but for the attribute. They share a budget, so that
// an identity takes no longer for having many attributes.
func (s *Snapshot) input(m *Memory, now time.Time) transform.Input {
	m.accounts, m.budget = slices.Grow(m.accounts[:0], len(s.Accounts)), transform.Budget{}
	for i := range s.Accounts {
		m.accounts = append(m.accounts, s.Accounts[i].Account)
	}
	return transform.Input{
		Identity: transform.Identity{
			ID: s.Identity.ID.String(), Name: s.Identity.Name, Alias: s.Identity.Alias,
			Attributes: &s.Identity.Attributes,
		},
		Accounts: m.accounts, Now: now, Location: s.Location, Random: s.Random, Directory: s.Directory,
		Budget: &m.budget,
	}
}

// evaluate calculates the attributes that the profile maps. Attributes that it does not map fall away.
func (c *Change) evaluate(p *Profile, account *Account, s *Snapshot, memory *Memory, now time.Time) (attribute.Set,
	error,
) {
	attributes := &memory.attributes
	attributes.Reset()
	attributes.Grow(len(p.Mappings))
	if p.order != nil {
		o := ordered{c: c, p: p, s: s, account: account, now: now, input: s.input(memory, now), attributes: attributes}
		err := o.run()
		return *attributes, err
	}
	input, old := s.input(memory, now), s.Identity.Attributes.Cursor()
	for i := range p.Mappings {
		m := &p.Mappings[i]
		input.Attribute, input.OldValue = m.Attribute, old.Get(m.Attribute)
		value, due, err := m.Transform.EvaluateUntil(&input)
		if err != nil {
			return attribute.Set{}, m.fail(p, err)
		}
		if !value.IsNull() {
			attributes.Put(m.Attribute, value)
		}
		c.calculated(m, due, now)
	}
	if c.After.LifecycleBasis != "" || c.After.LifecycleManual {
		value := c.lifecycleValue(p, attributes.Get(lifecycleAttribute))
		if attributes.Delete(lifecycleAttribute); !value.IsNull() {
			attributes.Put(lifecycleAttribute, value)
		}
	}
	return *attributes, nil
}

// calculated records when a mapping that was calculated is due again.
func (c *Change) calculated(m *Mapping, due, now time.Time) {
	if m.Periodic || due.Equal(now) {
		c.Periodic = true
	}
	c.due(due, now)
}

// fail makes the error of a mapping.
func (m *Mapping) fail(p *Profile, err error) error {
	return fmt.Errorf("attribute %s of profile %q: %w", m.Attribute, p.Name, err)
}

// nameMappings records by which mappings attributes are calculated, for those that change: most identities have none.
func (p *Profile) nameMappings(changes []AttributeChange) {
	for i := range changes {
		for k := range p.Mappings {
			if p.Mappings[k].Attribute == changes[i].Name {
				changes[i].Mapping = &p.Mappings[k]
			}
		}
	}
}

// requiredAttributes are those without which an identity is incomplete, as published.
var requiredAttributes = []string{"uid", "email", "firstname", "lastname"}

// Missing returns the required attributes that an identity lacks.
func Missing(attributes *attribute.Set) []string {
	var missing []string
	for _, name := range requiredAttributes {
		if attributes.Get(name).Text() == "" {
			missing = append(missing, name)
		}
	}
	return missing
}

func (c *Change) checkRequired() {
	if missing := Missing(&c.After.Attributes); len(missing) > 0 {
		c.Warnings = append(c.Warnings, "the identity is incomplete: it has no "+strings.Join(missing, ", "))
	}
}

// nextProcessingLayouts are the forms of ISO 8601 in which a point in time may be written: with Z or an offset.
var nextProcessingLayouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00",
	"2006-01-02T15:04Z0700"}

// readNextProcessing takes the point in time at which the identity itself asks to be calculated again.
func (c *Change) readNextProcessing(now time.Time) {
	text := c.After.Attributes.Get("nextProcessing").Text()
	if text == "" {
		return
	}
	for _, layout := range nextProcessingLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			c.due(at, now)
			return
		}
	}
	c.Warnings = append(c.Warnings, "nextProcessing is no point in time: ISO 8601 with Z or an offset is expected, "+
		"as 2026-03-01T08:00:00Z")
}

// promote takes the properties of an identity that are attributes of it. An identity always has a name and an alias:
// where no attribute gives them, the name of its authoritative account does.
func (s *State) promote(account *Account) {
	s.Name = firstText(s.Attributes.Get("displayName"), attribute.String(account.name()))
	s.Alias = firstText(s.Attributes.Get("uid"), attribute.String(account.name()))
	s.Email = s.Attributes.Get("email").Text()
}

// name returns the name that an account gives its identity.
func (a *Account) name() string {
	if a.Account.Name != "" {
		return a.Account.Name
	}
	return a.NativeIdentity
}

func firstText(values ...attribute.Value) string {
	for _, value := range values {
		if text := value.Text(); text != "" {
			return text
		}
	}
	return ""
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
			changes = append(changes, AttributeChange{Name: name, From: old, To: value})
		}
	}
	for name, value := range from.All() {
		if !to.Has(name) && !value.IsNull() {
			changes = append(changes, AttributeChange{Name: name, From: value, To: attribute.Null})
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
