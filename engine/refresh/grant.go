package refresh

import "slices"

// follow records an entitlement that is wanted as given to the accounts that have it in the place of one that is gone.
func (p *planner) follow(w *wish) {
	for i := range p.s.Strays {
		stray := &p.s.Strays[i]
		if p.key(stray.Entitlement) != w.key || stray.Owned {
			continue
		}
		for _, account := range p.successors(stray) {
			if held := (Held{w.Entitlement, account.RowID}); !p.recorded(&held) {
				p.c.Access.Granted = append(p.c.Access.Granted, held)
			}
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
			if !p.recorded(&carried.Held) {
				p.c.Access.Granted = append(p.c.Access.Granted, carried.Held)
			}
			p.c.Access.Settled = append(p.c.Access.Settled, carried.Held)
		case !p.leaving[account.RowID]:
			p.remove(account, Entitlement{carried.SourceID, carried.Attribute, value},
				"a former owner of the account was given it")
		}
	}
}
