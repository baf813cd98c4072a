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
	keys    keyMemo
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
	Value     string
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
	// Waiting says that something is to be done by operations that are open already.
	Waiting bool
}

// Differs reports whether anything is to be written.
func (c *AccessChange) Differs() bool {
	return len(c.Open)+len(c.Fulfilled)+len(c.Cancelled)+len(c.Retried)+len(c.Granted)+len(c.Dropped)+
		len(c.Left)+len(c.Settled) > 0
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
	targets  map[target]int    // by target, the one in ops
	// values are the wishes that decide attributes of accounts that have one value.
	values map[slot]*wish
	warned map[string]bool
}

// slot is an attribute of an account.
type slot struct {
	account   ID
	attribute string
}

// wish is an entitlement that the identity should have.
type wish struct {
	Grant
	key    Entitlement // in the form that the source compares
	reason string
	// fitting are the accounts that the choice allows, and account the one of them that has it or gets it. There are
	// none where the identity has no account, or none that fits.
	fitting []*Account
	account *Account
	// outvoted says that another wish decides the value.
	outvoted bool
}

// planAccess decides the operations.
func (c *Change) planAccess(s *Snapshot, configuration *Configuration, profile *Profile, now time.Time) {
	if configuration.Access == nil || !configuration.Access.concerns(c, s, profile) {
		return
	}
	p := &planner{c: c, s: s, a: configuration.Access, profile: profile, now: now, accounts: map[ID][]*Account{},
		leaving: map[ID]bool{}, targets: map[target]int{}, values: map[slot]*wish{}, warned: map[string]bool{}}
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
	if len(s.Grants)+len(s.Operations)+len(s.Strays)+len(s.Carried) > 0 {
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

// wish collects what the lifecycle state and the roles that are in effect grant. Their order is that in which they
// decide where only one can have its way: the state first, then the role that was assigned first, and of roles that
// were assigned at once the first by name.
func (p *planner) wish() {
	type one struct {
		Entitlement
		choice *AccountChoice
	}
	seen := map[one]bool{}
	add := func(grants []Grant, reason string) {
		for _, grant := range grants {
			key := p.key(grant.Entitlement)
			if id := (one{key, grant.Choice}); !seen[id] {
				seen[id] = true
				p.wanted = append(p.wanted, wish{Grant: grant, key: key, reason: reason})
			}
		}
	}
	add(p.state.Grants, p.stateReason())
	if p.state.RemoveAll {
		return
	}
	lost := map[ID]bool{}
	for _, loss := range p.c.Lost {
		lost[loss.ID] = true
	}
	assignments := p.s.Assignments
	byAge := func(a, b Assignment) int { return a.ID.Compare(b.ID) } // IDs grow with time
	if !slices.IsSortedFunc(assignments, byAge) {
		assignments = slices.SortedFunc(slices.Values(assignments), byAge)
	}
	for _, assignment := range assignments {
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
}

func (p *planner) stateReason() string {
	return fmt.Sprintf("lifecycle state %q", p.c.After.LifecycleState)
}

// key returns an entitlement in the form that its source compares.
func (p *planner) key(e Entitlement) Entitlement {
	e.Value = p.a.keyOf(e.SourceID, e.Attribute, e.Value)
	return e
}

func (p *planner) warn(format string, arguments ...any) {
	if text := fmt.Sprintf(format, arguments...); !p.warned[text] {
		p.warned[text] = true
		p.c.Warnings = append(p.c.Warnings, text)
	}
}

// open notes an operation that should be open. Of several with one target the last counts.
func (p *planner) open(o Operation) {
	p.targets[p.a.target(&o)] = len(p.ops)
	p.ops = append(p.ops, o)
}

// openOnce is open for an operation that counts only if it is the first with its target.
func (p *planner) openOnce(o Operation) {
	if _, open := p.targets[p.a.target(&o)]; !open {
		p.open(o)
	}
}

// operation is one about an account.
func operation(kind connector.Kind, account *Account, reason string) Operation {
	return Operation{SourceID: account.SourceID, AccountID: account.RowID, Kind: kind,
		NativeIdentity: account.NativeIdentity, Reason: reason}
}

// actions does what the lifecycle state says of accounts. An account that somebody enables again, against the state, is
// disabled or deleted again. An account is enabled only once, when the identity enters the state: somebody who disables
// it later has reasons.
func (p *planner) actions() {
	reason := p.stateReason()
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

// has returns whether an account has an entitlement, and how the account writes its value.
func (p *planner) has(account *Account, e *Entitlement) (value string, found bool) {
	texts := account.Attributes.Get(e.Attribute).Strings()
	if slices.Contains(texts, e.Value) {
		return e.Value, true
	}
	if len(texts) == 0 || !p.a.Sources[e.SourceID].ignores(e.Attribute) {
		return "", false
	}
	key := p.a.keyOf(e.SourceID, e.Attribute, e.Value)
	for _, text := range texts {
		if p.a.keyOf(e.SourceID, e.Attribute, text) == key {
			return text, true
		}
	}
	return "", false
}

// give opens what is needed for what is wanted and not there: entitlements, or an account first.
func (p *planner) give() {
	for i := range p.wanted {
		w := &p.wanted[i]
		if source := p.a.Sources[w.SourceID]; source != nil && p.place(w, source) && !p.outvote(w, source) {
			p.add(w)
		}
	}
}

// place finds the account of a wish, and reports whether it has one. Where there is none yet it opens the creation.
func (p *planner) place(w *wish, source *TargetSource) bool {
	all := p.accounts[w.SourceID]
	staying := 0
	for _, account := range all {
		if p.leaving[account.RowID] {
			continue
		}
		staying++
		if w.Choice == nil || w.Choice.Holds(account.Attributes) {
			w.fitting = append(w.fitting, account)
		}
	}
	switch {
	case len(all) == 0 && p.state.Actions[w.SourceID] != connector.Delete:
		p.create(source, w.reason)
	case staying > 0 && len(w.fitting) == 0:
		p.warn("no account on %q fits the provisioning criteria of the access profile %q", source.Name, w.ProfileName)
	}
	if len(w.fitting) == 0 {
		return false
	}
	w.account = w.fitting[0]
	for _, account := range w.fitting {
		if _, has := p.has(account, &w.Entitlement); has {
			w.account = account // given before, or there for another reason
			break
		}
	}
	return true
}

// outvote reports whether an earlier wish decides the value of an attribute that has one.
func (p *planner) outvote(w *wish, source *TargetSource) bool {
	if !source.Single[w.Attribute] {
		return false
	}
	at := slot{w.account.RowID, w.Attribute}
	first := p.values[at]
	if first == nil {
		p.values[at] = w
		return false
	}
	if first.key == w.key {
		return false
	}
	p.warn("%s and %s want different values of %s on %q, which has one: it is %q, because %s comes first", first.reason,
		w.reason, w.Attribute, source.Name, first.Value, first.reason)
	w.outvoted = true
	return true
}

// add opens the operation that gives an account what is wanted, if it does not have it, and records it as given.
func (p *planner) add(w *wish) {
	if _, has := p.has(w.account, &w.Entitlement); has {
		p.follow(w)
		return
	}
	o := operation(connector.AddValues, w.account, w.reason)
	o.Attributes.Put(w.Attribute, attribute.List([]string{w.Value}))
	p.openOnce(o)
	p.grant(w)
}

// grant records what an account is given.
func (p *planner) grant(w *wish) {
	if held := (Held{w.Entitlement, w.account.RowID}); !p.recorded(&held) {
		p.c.Access.Granted = append(p.c.Access.Granted, held)
	}
}

// recorded reports whether an entitlement counts as given to an account already.
func (p *planner) recorded(held *Held) bool {
	key := p.key(held.Entitlement)
	same := func(other Held) bool { return other.AccountID == held.AccountID && p.key(other.Entitlement) == key }
	return slices.ContainsFunc(p.s.Grants, same) || slices.ContainsFunc(p.c.Access.Granted, same)
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
			o.Awaits, o.Parked, o.Cause = true, true, AwaitCause(source.Name)
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

// CreateInput returns the input of the fields of a source's create policy, for an identity in a state. Its variables
// are the fields before the one that is calculated, and so there are none yet.
func (s *Snapshot) CreateInput(source ID, state *State, now time.Time) transform.Input {
	input := s.input(new(Memory), now)
	input.Identity.Name, input.Identity.Alias, input.Identity.Attributes = state.Name, state.Alias, &state.Attributes
	input.Variables = map[string]attribute.Value{}
	if s.Taken != nil {
		input.Taken = func(c transform.Candidate) (bool, error) { return s.Taken(source, c) }
	}
	return input
}

// AwaitCause says why the creation of an account is held back until its source was read completely once.
func AwaitCause(source string) string {
	return fmt.Sprintf("waits for the first complete aggregation of the source %q", source)
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
	reason := "nothing grants it any more"
	if p.state.RemoveAll {
		reason = p.stateReason() + " removes all access"
	}
	for _, held := range p.s.Grants {
		found := false
		var its *Account // nil where it is not known
		for _, account := range p.accounts[held.SourceID] {
			if account.RowID == held.AccountID {
				its = account
			}
			value, has := p.has(account, &held.Entitlement)
			if !has || held.AccountID != (ID{}) && held.AccountID != account.RowID {
				continue
			}
			if found = true; !p.leaving[account.RowID] && !p.keeps(account, &held.Entitlement) {
				p.remove(account, Entitlement{held.SourceID, held.Attribute, value}, reason)
			}
		}
		if !found && !p.keeps(its, &held.Entitlement) && !p.begun(&held) {
			p.c.Access.Dropped = append(p.c.Access.Dropped, held)
		}
	}
	p.takeStrays(reason)
	p.takeCarried()
	if !p.state.RemoveAll {
		return
	}
	for i := range p.s.Accounts {
		account := &p.s.Accounts[i]
		source := p.a.Sources[account.SourceID]
		if source == nil || p.leaving[account.RowID] {
			continue
		}
		for _, name := range source.Entitling {
			for _, value := range account.Attributes.Get(name).Strings() {
				if e := (Entitlement{source.ID, name, value}); !p.keeps(account, &e) {
					p.remove(account, e, reason)
				}
			}
		}
	}
}

// keeps reports whether an entitlement is wanted on an account, or on any for nil. Where no account fits the criteria
// of who wants it, it stays where it is.
func (p *planner) keeps(account *Account, e *Entitlement) bool {
	key := p.key(*e)
	for i := range p.wanted {
		w := &p.wanted[i]
		if w.key == key && !w.outvoted &&
			(account == nil || w.Choice == nil || len(w.fitting) == 0 || slices.Contains(w.fitting, account)) {
			return true
		}
	}
	return false
}

// begun reports whether an operation that gives an entitlement was tried, so that it may be there though no account
// shows it yet.
func (p *planner) begun(held *Held) bool {
	key := p.key(held.Entitlement)
	return slices.ContainsFunc(p.s.Operations, func(o Operation) bool {
		name, value := o.Target()
		return o.Begun && !o.Failed && o.Kind == connector.AddValues && o.SourceID == held.SourceID &&
			name == held.Attribute && p.a.keyOf(o.SourceID, name, value) == key.Value
	})
}

func (p *planner) remove(account *Account, e Entitlement, reason string) {
	source := p.a.Sources[e.SourceID]
	if source == nil || p.values[slot{account.RowID, e.Attribute}] != nil {
		return // what is given instead replaces it
	}
	o := operation(connector.RemoveValues, account, reason)
	o.Attributes.Put(e.Attribute, attribute.List([]string{e.Value}))
	p.openOnce(o)
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
			if source.equality(sync.Account).SameValues(old, value) || !p.profile.maps(sync.Identity) {
				continue
			}
			if reason := p.outranks(account, source, sync.Account); reason != "" {
				p.warn("the attribute %s on %q is not synchronized with %s of the identity, because %s decides it",
					sync.Account, source.Name, sync.Identity, reason)
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

// outranks returns what decides an attribute of an account, so that it is not synchronized; "" for nothing. Access
// decides before synchronization, or the two would undo each other for ever.
func (p *planner) outranks(account *Account, source *TargetSource, name string) string {
	if _, acts := p.state.Actions[source.ID]; acts && name == source.Status {
		return p.stateReason()
	}
	if !slices.Contains(source.Entitling, name) {
		return ""
	}
	if p.state.RemoveAll {
		return p.stateReason()
	}
	for i := range p.wanted {
		if w := &p.wanted[i]; w.account == account && w.Attribute == name && !w.outvoted {
			return w.reason
		}
	}
	for i := range p.ops {
		o := &p.ops[i]
		if target, _ := o.Target(); o.Kind == connector.RemoveValues && o.AccountID == account.RowID && target == name {
			return "a removal: " + o.Reason
		}
	}
	return ""
}

func (p *Profile) maps(name string) bool {
	return slices.ContainsFunc(p.Mappings, func(m Mapping) bool { return m.Attribute == name })
}

// settle compares the operations that should be open with those that are. It does not replace an operation that was
// tried: when that ends, its effect is visible, and another operation follows if it is still needed.
func (p *planner) settle() {
	access := &p.c.Access
	is := map[target]bool{}
	for i := range p.s.Operations {
		old := &p.s.Operations[i]
		key := p.a.target(old)
		var wanted *Operation
		if at, open := p.targets[key]; open {
			wanted = &p.ops[at]
		}
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
		case wanted != nil && p.a.same(wanted, old) || old.Begun:
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
		if key := p.a.target(o); is[key] || p.targets[key] != i {
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
	case connector.Adds, connector.Removes:
		return every(&o.Attributes, func(name string, value attribute.Value) bool {
			_, has := p.has(account, &Entitlement{o.SourceID, name, value.Text()})
			return has == (effect == connector.Adds)
		})
	case connector.Sets:
		source := p.a.Sources[o.SourceID]
		return every(&o.Attributes, func(name string, value attribute.Value) bool {
			return source.equality(name).SameValues(account.Attributes.Get(name), value)
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
