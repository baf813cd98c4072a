package refresh

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/transform"
)

// Access is what roles and lifecycle states grant, and how sources are written to. It is part of a [Configuration].
type Access struct {
	Roles   map[ID]RoleAccess             // by the role; those that grant nothing need not be there
	States  map[ID]map[string]StateAccess // by the profile and the technical name of the state
	Sources map[ID]*TargetSource
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
	// RemoveAll says that access which nothing grants any more is removed, wherever it came from.
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
	// Entitling are the attributes whose values are entitlements.
	Entitling []string
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
	Value     string
	Children  []*AccountChoice
}

// Holds reports whether the criterion holds for an account. Letter case does not count.
func (c *AccountChoice) Holds(attributes *attribute.Set) bool {
	switch c.Operation {
	case "AND":
		return !slices.ContainsFunc(c.Children, func(child *AccountChoice) bool { return !child.Holds(attributes) })
	case "OR":
		return slices.ContainsFunc(c.Children, func(child *AccountChoice) bool { return child.Holds(attributes) })
	}
	values := attributes.Get(c.Attribute).Strings()
	equal := func(text string) bool { return strings.EqualFold(text, c.Value) }
	switch c.Operation {
	case "EQUALS", "HAS":
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
	AccountID ID // which got it
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
	// Parked says that it is held back until somebody releases it. So is whatever else is wanted of the same target.
	Parked bool
	// Awaits says of the creation of an account that it is parked until its source was read completely once. It has no
	// attributes until then.
	Awaits bool
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
	case connector.TargetAccount:
		return "", "account"
	case connector.TargetPassword:
		return "", "password"
	}
	panic(fmt.Sprintf("refresh: the target of operations of the kind %s is unknown", o.Kind))
}

func (o *Operation) target() target {
	name, value := o.Target()
	return target{o.SourceID, o.AccountID, name, value}
}

func (o *Operation) same(other *Operation) bool {
	return o.Kind == other.Kind && (o.Kind == connector.Create || o.Attributes.Equal(&other.Attributes))
}

// AccessChange has the changes to the access of an identity.
type AccessChange struct {
	Open []Operation
	// Fulfilled are operations that were open and that the accounts show as done; Cancelled those that are not wanted
	// any more; Retried those that were given up and of which there is a new one now.
	Fulfilled, Cancelled, Retried []ID
	Granted                       []Held
	Dropped                       []Entitlement
	// Waiting says that something is to be done by operations that are open already.
	Waiting bool
}

// Differs reports whether anything is to be written.
func (c *AccessChange) Differs() bool {
	return len(c.Open)+len(c.Fulfilled)+len(c.Cancelled)+len(c.Retried)+len(c.Granted)+len(c.Dropped) > 0
}

// planner finds the difference between the access that an identity should have and that of its accounts.
type planner struct {
	c        *Change
	s        *Snapshot
	a        *Access
	profile  *Profile // nil for an identity without one
	state    StateAccess
	now      time.Time
	wanted   []wish
	accounts map[ID][]*Account // by source
	leaving  map[ID]bool       // accounts that are to be deleted
	ops      []Operation       // that should be open
	warned   map[string]bool
}

// wish is an entitlement that the identity should have.
type wish struct {
	Grant
	reason string
}

// planAccess decides the operations.
func (c *Change) planAccess(s *Snapshot, configuration *Configuration, profile *Profile, now time.Time) {
	if configuration.Access == nil || !configuration.Access.concerns(c, s, profile) {
		return
	}
	p := &planner{c: c, s: s, a: configuration.Access, profile: profile, now: now, accounts: map[ID][]*Account{},
		leaving: map[ID]bool{}, warned: map[string]bool{}}
	for i := range s.Accounts {
		id := s.Accounts[i].SourceID
		p.accounts[id] = append(p.accounts[id], &s.Accounts[i])
	}
	if profile != nil {
		p.state = p.a.States[profile.ID][c.After.LifecycleState]
	}
	p.wish()
	p.actions()
	p.give()
	p.take()
	p.synchronize()
	p.settle()
}

// concerns reports whether there may be anything to plan for an identity. For most there is not, and it costs nothing.
func (a *Access) concerns(c *Change, s *Snapshot, profile *Profile) bool {
	if len(s.Grants)+len(s.Operations) > 0 {
		return true
	}
	if profile != nil {
		if _, acts := a.States[profile.ID][c.After.LifecycleState]; acts {
			return true
		}
	}
	for i := range s.Assignments {
		if _, grants := a.Roles[s.Assignments[i].RoleID]; grants {
			return true
		}
	}
	for i := range c.Gained {
		if _, grants := a.Roles[c.Gained[i].ID]; grants {
			return true
		}
	}
	for i := range s.Accounts {
		if source := a.Sources[s.Accounts[i].SourceID]; source != nil && len(source.Sync) > 0 {
			return true
		}
	}
	return false
}

// wish collects what the roles that are in effect and the lifecycle state grant.
func (p *planner) wish() {
	seen := map[Entitlement]bool{}
	add := func(grants []Grant, reason string) {
		for _, grant := range grants {
			if !seen[grant.Entitlement] {
				seen[grant.Entitlement] = true
				p.wanted = append(p.wanted, wish{grant, reason})
			}
		}
	}
	lost := map[ID]bool{}
	for _, loss := range p.c.Lost {
		lost[loss.ID] = true
	}
	for _, assignment := range p.s.Assignments {
		if role, grants := p.a.Roles[assignment.RoleID]; grants && !lost[assignment.ID] &&
			!assignment.StartDate.After(p.now) {
			add(role.Grants, fmt.Sprintf("role %q", role.Name))
		}
	}
	for i := range p.c.Gained {
		if role, grants := p.a.Roles[p.c.Gained[i].ID]; grants {
			add(role.Grants, fmt.Sprintf("role %q", role.Name))
		}
	}
	add(p.state.Grants, fmt.Sprintf("lifecycle state %q", p.c.After.LifecycleState))
}

func (p *planner) warn(format string, arguments ...any) {
	if text := fmt.Sprintf(format, arguments...); !p.warned[text] {
		p.warned[text] = true
		p.c.Warnings = append(p.c.Warnings, text)
	}
}

func (p *planner) open(o Operation) { p.ops = append(p.ops, o) }

// operation is one about an account.
func operation(kind connector.Kind, account *Account, reason string) Operation {
	return Operation{SourceID: account.SourceID, AccountID: account.RowID, Kind: kind,
		NativeIdentity: account.NativeIdentity, Reason: reason}
}

// actions does what the lifecycle state says of accounts. An account that somebody enables again, against the state, is
// disabled or deleted again. An account is enabled only once, when the identity enters the state: somebody who disables
// it later has reasons.
func (p *planner) actions() {
	reason := fmt.Sprintf("lifecycle state %q", p.c.After.LifecycleState)
	for _, source := range sortedIDs(p.state.Actions) {
		kind, target := p.state.Actions[source], p.a.Sources[source]
		if target == nil {
			continue
		}
		for _, account := range p.accounts[source] {
			p.act(kind, target, account, reason)
		}
	}
}

// act opens the operation that a lifecycle state asks for, if the account is not as the state wants it.
func (p *planner) act(kind connector.Kind, target *TargetSource, account *Account, reason string) {
	o, disabled := operation(kind, account, reason), target.disabled(account)
	switch kind {
	case connector.Delete:
		p.leaving[account.RowID] = true
		p.open(o)
	case connector.Disable:
		if !disabled {
			o.Attributes.Put(target.Status, target.statusValue(account, target.Disabled))
			p.open(o)
		}
	case connector.Enable:
		if disabled && (p.entered() || p.hasOperation(account, kind)) {
			o.Attributes.Put(target.Status, target.statusValue(account, target.Enabled))
			p.open(o)
		}
	default:
		panic(fmt.Sprintf("refresh: a lifecycle state cannot ask for the operation %s", kind))
	}
}

// entered reports whether the identity comes into its lifecycle state now. A state that was set by hand is there
// already; its effects on identityState and attributes are not.
func (p *planner) entered() bool {
	before, after := p.c.Before, p.c.After
	return before.LifecycleState != after.LifecycleState ||
		before.Attributes.Get(lifecycleAttribute).Text() != after.Attributes.Get(lifecycleAttribute).Text()
}

func (p *planner) hasOperation(account *Account, kind connector.Kind) bool {
	return slices.ContainsFunc(p.s.Operations, func(o Operation) bool {
		return o.AccountID == account.RowID && o.Kind == kind
	})
}

func (t *TargetSource) disabled(account *Account) bool {
	return t.Status != "" && account.Attributes.Get(t.Status).Text() == t.Disabled
}

// statusValue is the value of the status attribute, in the kind that the account has it.
func (t *TargetSource) statusValue(account *Account, text string) attribute.Value {
	if account.Attributes.Get(t.Status).Kind() == attribute.KindBool && (text == "true" || text == "false") {
		return attribute.Bool(text == "true")
	}
	return attribute.String(text)
}

func has(account *Account, e *Entitlement) bool {
	return slices.Contains(account.Attributes.Get(e.Attribute).Strings(), e.Value)
}

// give opens what is needed for what is wanted and not there: entitlements, or an account first.
func (p *planner) give() {
	granted := map[Entitlement]bool{}
	for _, held := range p.s.Grants {
		granted[held.Entitlement] = true
	}
	for i := range p.wanted {
		w := &p.wanted[i]
		source := p.a.Sources[w.SourceID]
		if source == nil {
			continue
		}
		var staying []*Account
		holds := false
		for _, account := range p.accounts[w.SourceID] {
			if !p.leaving[account.RowID] {
				staying = append(staying, account)
				holds = holds || has(account, &w.Entitlement)
			}
		}
		if holds {
			continue // given before, or there for another reason
		}
		if len(staying) == 0 {
			if len(p.accounts[w.SourceID]) == 0 && p.state.Actions[w.SourceID] != connector.Delete {
				p.create(source, w.reason)
			}
			continue
		}
		account := staying[0]
		if w.Choice != nil {
			at := slices.IndexFunc(staying, func(a *Account) bool { return w.Choice.Holds(a.Attributes) })
			if at < 0 {
				p.warn("no account on %q fits the provisioning criteria of the access profile %q", source.Name,
					w.ProfileName)
				continue
			}
			account = staying[at]
		}
		o := operation(connector.AddValues, account, w.reason)
		o.Attributes.Put(w.Attribute, attribute.List([]string{w.Value}))
		p.open(o)
		if !granted[w.Entitlement] {
			p.c.Access.Granted = append(p.c.Access.Granted, Held{w.Entitlement, account.RowID})
		}
	}
}

// create opens the creation of an account by the source's policy, once.
func (p *planner) create(source *TargetSource, reason string) {
	for i := range p.ops {
		if p.ops[i].Kind == connector.Create && p.ops[i].SourceID == source.ID {
			return
		}
	}
	o := Operation{SourceID: source.ID, Kind: connector.Create, Reason: reason}
	// What was calculated once stays: another generated name would be another account.
	for i := range p.s.Operations {
		if old := &p.s.Operations[i]; !old.Failed && !old.Awaits && old.Kind == connector.Create &&
			old.SourceID == source.ID {
			p.open(o)
			return
		}
	}
	if source.Policy == nil {
		p.warn("there is no account on %q, and no policy by which one is created", source.Name)
		return
	}
	if !source.Manual && p.s.Complete != nil { // people look before they create
		complete, err := p.s.Complete(source.ID)
		if err != nil {
			p.c.failed(err)
			return
		}
		if !complete {
			o.Awaits = true
			p.open(o)
			return
		}
	}
	input := p.s.CreateInput(source.ID, p.c.After, p.now)
	for i := range source.Policy {
		f := &source.Policy[i]
		if f.Secret || f.Transform == nil {
			continue
		}
		value, err := f.Evaluate(&input)
		if err == nil && f.Required && value.Text() == "" {
			err = errNoValue
		}
		if err != nil {
			p.c.failed(err)
			p.warn("the account on %q cannot be created: attribute %s: %v", source.Name, f.Name, err)
			return
		}
		input.Variables[f.Name] = value
		if !value.IsNull() {
			o.Attributes.Put(f.Name, value)
		}
	}
	p.open(o)
}

// CreateInput returns the input of the fields of a source's create policy, for an identity in a state. Its variables are
// the fields before the one that is calculated, and so there are none yet.
func (s *Snapshot) CreateInput(source ID, state *State, now time.Time) transform.Input {
	input := s.input(new(Memory), now)
	input.Identity.Name, input.Identity.Alias, input.Identity.Attributes = state.Name, state.Alias, &state.Attributes
	input.Variables = map[string]attribute.Value{}
	if s.Taken != nil {
		input.Taken = func(c transform.Candidate) (bool, error) { return s.Taken(source, c) }
	}
	return input
}

var errNoValue = errors.New("it has no value, but is required")

// Evaluate calculates the attribute of a new account.
func (f *PolicyField) Evaluate(input *transform.Input) (attribute.Value, error) {
	input.Attribute = f.Name
	value, _, err := f.Transform.EvaluateUntil(input)
	return value, err
}

// failed keeps an error that is not the identity's own: of a database that was asked.
func (c *Change) failed(err error) {
	if c.Lookup == nil {
		c.Lookup = err
	}
}

// take opens the removal of what was given and is not wanted any more. What nobody gave stays, unless the lifecycle
// state removes everything.
func (p *planner) take() {
	wanted := map[Entitlement]bool{}
	for i := range p.wanted {
		wanted[p.wanted[i].Entitlement] = true
	}
	reason := "nothing grants it any more"
	for _, held := range p.s.Grants {
		if wanted[held.Entitlement] {
			continue
		}
		found := false
		for _, account := range p.accounts[held.SourceID] {
			if !has(account, &held.Entitlement) || held.AccountID != (ID{}) && held.AccountID != account.RowID {
				continue
			}
			found = true
			if !p.leaving[account.RowID] {
				p.remove(account, held.Entitlement, reason)
			}
		}
		if !found && !p.begun(&held) {
			p.c.Access.Dropped = append(p.c.Access.Dropped, held.Entitlement)
		}
	}
	if !p.state.RemoveAll {
		return
	}
	reason = fmt.Sprintf("lifecycle state %q removes all access", p.c.After.LifecycleState)
	for i := range p.s.Accounts {
		account := &p.s.Accounts[i]
		source := p.a.Sources[account.SourceID]
		if source == nil || p.leaving[account.RowID] {
			continue
		}
		for _, name := range source.Entitling {
			for _, value := range account.Attributes.Get(name).Strings() {
				if e := (Entitlement{source.ID, name, value}); !wanted[e] {
					p.remove(account, e, reason)
				}
			}
		}
	}
}

// begun reports whether an operation that gives an entitlement was tried, so that it may be there though no account
// shows it yet.
func (p *planner) begun(held *Held) bool {
	return slices.ContainsFunc(p.s.Operations, func(o Operation) bool {
		name, value := o.Target()
		return o.Begun && !o.Failed && o.Kind == connector.AddValues && o.SourceID == held.SourceID &&
			name == held.Attribute && value == held.Value
	})
}

func (p *planner) remove(account *Account, e Entitlement, reason string) {
	if p.a.Sources[e.SourceID] == nil {
		return
	}
	o := operation(connector.RemoveValues, account, reason)
	o.Attributes.Put(e.Attribute, attribute.List([]string{e.Value}))
	if key := o.target(); slices.ContainsFunc(p.ops, func(other Operation) bool { return other.target() == key }) {
		return
	}
	p.open(o)
}

// synchronize opens what makes the accounts' attributes those of the identity: for attributes that the profile maps.
// Who is long-term inactive is synchronized once, on coming into that state, and when asked for.
func (p *planner) synchronize() {
	if p.profile == nil || !p.profile.Enabled {
		return
	}
	if p.c.After.IdentityState == LongTermInactive && !p.s.Synchronize && p.c.Before.IdentityState == LongTermInactive {
		p.keepSynchronizing()
		return
	}
	for i := range p.s.Accounts {
		account := &p.s.Accounts[i]
		source := p.a.Sources[account.SourceID]
		if source == nil || p.leaving[account.RowID] {
			continue
		}
		for _, sync := range source.Sync {
			value := p.c.After.Attributes.Get(sync.Identity)
			old := account.Attributes.Get(sync.Account)
			if sameContent(old, value) || !p.profile.maps(sync.Identity) {
				continue
			}
			o := operation(connector.SetAttributes, account, fmt.Sprintf("attribute %s of the identity", sync.Identity))
			o.Attributes.Put(sync.Account, value)
			p.open(o)
		}
	}
}

// keepSynchronizing continues what was opened on coming into the state.
func (p *planner) keepSynchronizing() {
	for i := range p.s.Operations {
		if o := p.s.Operations[i]; o.Kind == connector.SetAttributes && !o.Failed {
			p.open(o)
		}
	}
}

// sameContent reports whether two values say the same: a source may have a number where the identity has a text.
func sameContent(a, b attribute.Value) bool {
	return a.Equal(b) || a.Len() == b.Len() && slices.Equal(a.Strings(), b.Strings()) ||
		a.Text() == "" && b.Text() == ""
}

func (p *Profile) maps(name string) bool {
	return slices.ContainsFunc(p.Mappings, func(m Mapping) bool { return m.Attribute == name })
}

// settle compares the operations that should be open with those that are. It does not replace an operation that was
// tried: when that ends, its effect is visible, and another operation follows if it is still needed.
func (p *planner) settle() {
	access := &p.c.Access
	should := make(map[target]*Operation, len(p.ops))
	for i := range p.ops {
		should[p.ops[i].target()] = &p.ops[i]
	}
	is := map[target]bool{}
	for i := range p.s.Operations {
		old := &p.s.Operations[i]
		key := old.target()
		wanted := should[key]
		switch {
		case old.Failed && wanted == nil:
			access.Cancelled = append(access.Cancelled, old.ID)
		case old.Failed:
			access.Retried = append(access.Retried, old.ID)
		case old.Awaits && wanted != nil && !wanted.Awaits:
			access.Cancelled = append(access.Cancelled, old.ID) // it has come: what is created is calculated now
		case old.Parked && wanted != nil:
			is[key] = true // also where another value is wanted by now: a release opens that
		case old.Manual && wanted != nil && !p.a.Sources[old.SourceID].Manual:
			access.Cancelled = append(access.Cancelled, old.ID) // there is a connector now
		case wanted != nil && wanted.same(old) || old.Begun:
			is[key] = true
			access.Waiting = true
		case p.fulfilled(old):
			access.Fulfilled = append(access.Fulfilled, old.ID)
		default:
			access.Cancelled = append(access.Cancelled, old.ID)
		}
	}
	for i := range p.ops {
		o := &p.ops[i]
		if is[o.target()] || should[o.target()] != o {
			continue
		}
		o.ID, o.Failed, o.Begun = ID{}, false, false
		o.Manual = p.a.Sources[o.SourceID].Manual
		access.Open = append(access.Open, *o)
	}
}

// fulfilled reports whether the accounts show what an operation was to do.
func (p *planner) fulfilled(o *Operation) bool {
	effect := o.Kind.Effect()
	if effect == connector.Creates {
		return len(p.accounts[o.SourceID]) > 0
	}
	at := slices.IndexFunc(p.s.Accounts, func(a Account) bool { return a.RowID == o.AccountID })
	if at < 0 {
		return effect == connector.Deletes
	}
	switch account := &p.s.Accounts[at]; effect {
	case connector.Adds:
		return every(&o.Attributes, func(name string, value attribute.Value) bool {
			return has(account, &Entitlement{o.SourceID, name, value.Text()})
		})
	case connector.Removes:
		return every(&o.Attributes, func(name string, value attribute.Value) bool {
			return !has(account, &Entitlement{o.SourceID, name, value.Text()})
		})
	case connector.Sets:
		return every(&o.Attributes, func(name string, value attribute.Value) bool {
			return sameContent(account.Attributes.Get(name), value)
		})
	case connector.Deletes, connector.SetsPassword: // no reading shows a password
		return false
	}
	panic(fmt.Sprintf("refresh: the effect of operations of the kind %s is unknown", o.Kind))
}

// every reports whether a condition holds for every attribute of a set.
func every(set *attribute.Set, holds func(name string, value attribute.Value) bool) bool {
	for name, value := range set.All() {
		if !holds(name, value) {
			return false
		}
	}
	return true
}

func sortedIDs[V any](m map[ID]V) []ID {
	ids := make([]ID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b ID) int { return strings.Compare(string(a[:]), string(b[:])) })
	return ids
}
