package refresh

import (
	"fmt"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// LockAttribute says of an account whether it is locked, by "true" or "false".
const LockAttribute = "IIQLocked"

// DemandReason is the reason of an operation that somebody asked for.
const DemandReason = "somebody asked for it"

// Demand is what somebody asked for of an account: [connector.Enable], [connector.Disable] or [connector.Unlock]. What
// is asked for is done once. After that the demand only keeps the lifecycle state, in which the identity was then, from
// doing something else with the account.
type Demand struct {
	AccountID  ID
	IdentityID ID // whose the account was
	Kind       connector.Kind
	State      string // the technical name of the lifecycle state that the identity was in; "" for none
	Forced     bool   // the source is written to also where the account looks right
	Asked      time.Time
	Met        bool // it is done
}

// holds reports whether a demand still counts: until the account is another identity's, and until the identity comes
// into another lifecycle state that says something of the accounts on the source.
func (p *planner) holds(d *Demand, source ID) bool {
	action, acts := p.state.Actions[source]
	switch {
	case d.IdentityID != p.c.After.ID, action == connector.Delete:
		return false
	case !acts || d.Kind == connector.Unlock:
		return true
	}
	return d.State == p.c.After.LifecycleState
}

// standing returns the demand that decides whether an account can be used, or nil.
func (p *planner) standing(account *Account) *Demand {
	for i := range p.s.Demands {
		d := &p.s.Demands[i]
		if d.AccountID == account.RowID && d.Kind != connector.Unlock && p.holds(d, account.SourceID) {
			return d
		}
	}
	return nil
}

// demand opens what was asked for of accounts.
func (p *planner) demand() {
	for i := range p.s.Demands {
		d := &p.s.Demands[i]
		at := slices.IndexFunc(p.s.Accounts, func(a Account) bool { return a.RowID == d.AccountID })
		if at < 0 {
			continue // of a source that a preview takes to be gone
		}
		account := &p.s.Accounts[at]
		source := p.a.Sources[account.SourceID]
		if source == nil {
			continue
		}
		if !p.holds(d, account.SourceID) {
			p.c.Access.DemandsEnded = append(p.c.Access.DemandsEnded, *d)
			continue
		}
		held := *d
		if !d.Met {
			o, right := p.demanded(d, account, source)
			if right && (!d.Forced || source.Manual) {
				held.Met = true
			} else {
				p.open(o)
			}
		}
		p.keep(d, held)
	}
}

// keep records what became of a demand that holds. One to unlock ends when it is met.
func (p *planner) keep(before *Demand, held Demand) {
	if held.Met && held.Kind == connector.Unlock {
		p.c.Access.DemandsEnded = append(p.c.Access.DemandsEnded, held)
		return
	}
	held.State = p.c.After.LifecycleState
	if held != *before {
		p.c.Access.DemandsHeld = append(p.c.Access.DemandsHeld, held)
	}
}

// demanded returns the operation that does what was asked for, and whether the account looks as if it was done.
func (p *planner) demanded(d *Demand, account *Account, source *TargetSource) (o Operation, right bool) {
	o = operation(d.Kind, account, DemandReason)
	o.Demanded = true
	if d.Kind == connector.Unlock {
		locked := account.Attributes.Get(LockAttribute)
		value := attribute.String("false")
		if locked.Kind() == attribute.KindBool {
			value = attribute.Bool(false)
		}
		o.Attributes.Put(LockAttribute, value)
		return o, locked.Text() != "true"
	}
	text := source.Enabled
	if d.Kind == connector.Disable {
		text = source.Disabled
	}
	o.Attributes.Put(source.Status, source.statusValue(account, text))
	return o, source.disabled(account) == (d.Kind == connector.Disable)
}

// demandReason says in a warning what decides whether an account can be used.
func demandReason(d *Demand) string { return fmt.Sprintf("%s: %s", d.Kind, DemandReason) }
