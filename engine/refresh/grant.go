package refresh

import (
	"slices"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

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

// follow records an entitlement that is wanted as given to the accounts that have it in the place of one that is gone.
func (p *planner) follow(w *wish) {
	for i := range p.s.Strays {
		stray := &p.s.Strays[i]
		if p.key(stray.Entitlement) != w.key || stray.Owned {
			continue
		}
		for _, account := range p.successors(stray) {
			p.grant(Held{w.Entitlement, account.RowID})
		}
	}
}

// successors returns the accounts that have what was given to one that is gone, and that came after the grant. An
// account that was there before has it for a reason of its own.
func (p *planner) successors(stray *Stray) []*Account {
	var list []*Account
	for _, account := range p.accounts[stray.SourceID] {
		if _, has := p.has(account, &stray.Entitlement); has && account.Created.After(stray.Given) {
			list = append(list, account)
		}
	}
	return list
}

// takeStrays does for what was given to accounts that the identity does not have any more, what [planner.take] does for
// the others. An account that is somebody else's by now carries it. Of one that vanished the grant stays recorded, also
// where it is not wanted any more: when the account comes back, it is taken away.
func (p *planner) takeStrays(reason string) {
	for i := range p.s.Strays {
		stray := &p.s.Strays[i]
		if stray.Owned {
			p.c.Access.Left = append(p.c.Access.Left, stray.Held)
			continue
		}
		taken := false
		for _, account := range p.successors(stray) {
			if p.keeps(account, &stray.Entitlement) {
				continue
			}
			if taken = true; !p.leaving[account.RowID] {
				value, _ := p.has(account, &stray.Entitlement)
				p.remove(account, Entitlement{stray.SourceID, stray.Attribute, value}, reason)
			}
		}
		// Of an account that is gone for good nothing is to be remembered, once its successors have it, or have it no
		// more.
		if !stray.Vanished && !taken && !p.begun(&stray.Held) {
			p.c.Access.Dropped = append(p.c.Access.Dropped, stray.Held)
		}
	}
}

// takeCarried takes away what the accounts have because a former owner was given it. Where the identity wants it, it
// counts as given to the identity.
func (p *planner) takeCarried() {
	for i := range p.s.Carried {
		carried := &p.s.Carried[i]
		at := slices.IndexFunc(p.s.Accounts, func(a Account) bool { return a.RowID == carried.AccountID })
		if at < 0 {
			continue
		}
		account := &p.s.Accounts[at]
		value, has := p.has(account, &carried.Entitlement)
		switch {
		case !has:
			if !carried.Pending {
				p.c.Access.Settled = append(p.c.Access.Settled, carried.Held)
			}
		case p.keeps(account, &carried.Entitlement):
			p.grant(carried.Held)
			p.c.Access.Settled = append(p.c.Access.Settled, carried.Held)
		case !p.leaving[account.RowID]:
			p.remove(account, Entitlement{carried.SourceID, carried.Attribute, value},
				"a former owner of the account was given it")
		}
	}
}
