package refresh

import (
	"time"

	"github.com/muster-engine/muster/engine/criteria"
)

// decideRoles finds the roles that the identity gains and loses. A membership assigns a role while it holds; what was
// assigned in another way falls away on its remove date alone.
func (c *Change) decideRoles(s *Snapshot, configuration *Configuration, now time.Time) {
	member := configuration.members(c.After, s.Accounts)
	c.loseExpired(s, now)
	for _, a := range s.Assignments {
		if a.Membership && !member[a.RoleID] && !a.expired(now) {
			c.Lost = append(c.Lost, RoleLoss{Assignment: a})
		}
		if a.Membership {
			member[a.RoleID] = false // it is assigned already
		}
	}
	for i := range configuration.Roles {
		if role := configuration.Roles[i]; member[role.ID] {
			c.Gained = append(c.Gained, role)
		}
	}
}

func (a *Assignment) expired(now time.Time) bool {
	return !a.RemoveDate.IsZero() && !a.RemoveDate.After(now)
}

// loseExpired takes the assignments whose remove date has come, and notes the dates that are to come. They hold also
// for an identity that cannot be calculated.
func (c *Change) loseExpired(s *Snapshot, now time.Time) {
	for i := range s.Assignments {
		a := &s.Assignments[i]
		c.RolesDue = earlier(earlier(c.RolesDue, a.StartDate, now), a.RemoveDate, now)
		if a.expired(now) {
			c.Lost = append(c.Lost, RoleLoss{Assignment: *a, Expired: true})
		}
	}
	c.due(c.RolesDue, now)
}

// members returns the roles of which the identity is a member.
func (c *Configuration) members(identity *State, accounts []Account) map[ID]bool {
	member := map[ID]bool{}
	for _, i := range c.Listed[identity.ID] {
		member[c.Roles[i].ID] = true
	}
	if c.Index == nil {
		return member
	}
	facts := FactsOf(identity, accounts)
	for _, i := range c.Index.Match(&facts, nil) {
		member[c.Roles[i].ID] = true
	}
	return member
}

// FactsOf returns what membership criteria are held against.
func FactsOf(identity *State, accounts []Account) criteria.Facts {
	facts := criteria.Facts{Identity: &identity.Attributes, Accounts: make([]criteria.Account, len(accounts))}
	for i := range accounts {
		facts.Accounts[i] = criteria.Account{SourceID: accounts[i].SourceID, Attributes: accounts[i].Attributes}
	}
	return facts
}
