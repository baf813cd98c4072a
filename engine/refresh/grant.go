package refresh

import "slices"

// follow records an entitlement that is wanted as given to the accounts that have it in the place of one that is gone.
func (p *planner) follow(e Entitlement) {
	for i := range p.s.Strays {
		stray := &p.s.Strays[i]
		if stray.Entitlement != e || stray.Owned {
			continue
		}
		for _, account := range p.successors(stray) {
			held := Held{e, account.RowID}
			if !slices.Contains(p.s.Grants, held) && !slices.Contains(p.c.Access.Granted, held) {
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
		if account.Created.After(stray.Given) && has(account, &stray.Entitlement) {
			list = append(list, account)
		}
	}
	return list
}

// takeStrays does for what was given to accounts that the identity does not have any more, what [planner.take] does for
// the others. An account that is somebody else's by now carries it. Of one that vanished the grant stays recorded, also
// where it is not wanted any more: when the account comes back, it is taken away.
func (p *planner) takeStrays(wanted map[Entitlement]bool, reason string) {
	for i := range p.s.Strays {
		stray := &p.s.Strays[i]
		if stray.Owned {
			p.c.Access.Left = append(p.c.Access.Left, stray.Held)
			continue
		}
		there := p.successors(stray)
		if !wanted[stray.Entitlement] {
			for _, account := range there {
				if !p.leaving[account.RowID] {
					p.remove(account, stray.Entitlement, reason)
				}
			}
		}
		// Of an account that is gone for good nothing is to be remembered, once its successors have it, or have it no
		// more.
		if !stray.Vanished && (wanted[stray.Entitlement] || len(there) == 0) && !p.begun(&stray.Held) {
			p.c.Access.Dropped = append(p.c.Access.Dropped, stray.Held)
		}
	}
}

// takeCarried takes away what the accounts have because a former owner was given it. Where the identity wants it, it
// counts as given to the identity.
func (p *planner) takeCarried(wanted map[Entitlement]bool) {
	for i := range p.s.Carried {
		carried := &p.s.Carried[i]
		at := slices.IndexFunc(p.s.Accounts, func(a Account) bool { return a.RowID == carried.AccountID })
		if at < 0 {
			continue
		}
		account := &p.s.Accounts[at]
		switch {
		case !has(account, &carried.Entitlement):
			if !carried.Pending {
				p.c.Access.Settled = append(p.c.Access.Settled, carried.Held)
			}
		case wanted[carried.Entitlement]:
			if !slices.Contains(p.s.Grants, carried.Held) {
				p.c.Access.Granted = append(p.c.Access.Granted, carried.Held)
			}
			p.c.Access.Settled = append(p.c.Access.Settled, carried.Held)
		case !p.leaving[account.RowID]:
			p.remove(account, carried.Entitlement, "a former owner of the account was given it")
		}
	}
}
