package refresh

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

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
	p.state, _ = p.a.stateOf(c, profile)
	p.wish()
	p.actions()
	p.demand()
	p.give()
	p.take()
	p.synchronize()
	p.settle()
}

// concerns reports whether there may be anything to plan for an identity. For most there is not, and it costs nothing.
func (a *Access) concerns(c *Change, s *Snapshot, profile *Profile) bool {
	if len(s.Grants)+len(s.Operations)+len(s.Strays)+len(s.Carried)+len(s.Demands) > 0 {
		return true
	}
	if a.Idle {
		return false
	}
	if _, acts := a.stateOf(c, profile); acts {
		return true
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

// stateOf returns what the lifecycle state of an identity says of access. That of an identity whose authoritative
// source does not have it any more goes on: who has left stays out.
func (a *Access) stateOf(c *Change, profile *Profile) (state StateAccess, acts bool) {
	id := c.After.ProfileID
	if profile != nil {
		id = profile.ID
	}
	state, acts = a.States[id][c.After.LifecycleState]
	return state, acts
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
// it later has reasons. What somebody asked for while the identity was in the state comes before it, unless the state
// deletes the account.
func (p *planner) actions() {
	reason := p.stateReason()
	for _, source := range sortedIDs(p.state.Actions) {
		kind, target := p.state.Actions[source], p.a.Sources[source]
		if target == nil {
			continue
		}
		for _, account := range p.accounts[source] {
			if kind == connector.Delete || p.standing(account) == nil {
				p.act(kind, target, account, reason)
			}
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
	p.grant(Held{w.Entitlement, w.account.RowID})
}

// grant records an entitlement as given to an account, unless it counts as given to it already.
func (p *planner) grant(held Held) {
	key := p.key(held.Entitlement)
	same := func(other Held) bool { return other.AccountID == held.AccountID && p.key(other.Entitlement) == key }
	if !slices.ContainsFunc(p.s.Grants, same) && !slices.ContainsFunc(p.c.Access.Granted, same) {
		p.c.Access.Granted = append(p.c.Access.Granted, held)
	}
}

// failed keeps an error that is not the identity's own: of a database that was asked.
func (c *Change) failed(err error) {
	if c.Lookup == nil {
		c.Lookup = err
	}
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
