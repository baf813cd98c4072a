package refresh

import (
	"time"

	"github.com/muster-engine/muster/engine/criteria"
)

// decideRoles finds the roles that the identity gains and loses. A membership assigns a role while it holds; what was
// assigned in another way falls away on its remove date alone.
func (c *Change) decideRoles(s *Snapshot, configuration *Configuration, now time.Time) {
	member := configuration.members(c.After, s.Accounts)
	for _, a := range s.Assignments {
		c.due(a.StartDate, now)
		c.due(a.RemoveDate, now)
		switch {
		case !a.RemoveDate.IsZero() && !a.RemoveDate.After(now):
			c.Lost = append(c.Lost, RoleLoss{Assignment: a, Expired: true})
		case a.Membership && !member[a.RoleID]:
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
