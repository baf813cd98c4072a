package refresh

import (
	"fmt"
	"slices"

	"github.com/muster-engine/muster/engine/connector"
)

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
	if name == source.Status {
		if d := p.standing(account); d != nil {
			return demandReason(d)
		}
	}
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
