package refresh

import (
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/criteria"
)

// decideRoles finds the roles that the identity gains and loses. A membership assigns a role while it holds; what was
// assigned in another way falls away on its remove date, or when the identity is in a lifecycle state that removes all
// access.
func (c *Change) decideRoles(s *Snapshot, configuration *Configuration, now time.Time) {
	var few [16]int // most have no more roles
	members := configuration.members(c.After, s.Accounts, few[:0])
	c.loseExpired(s, now)
	revoking := configuration.removesAll(c.After)
	for i := range s.Assignments {
		a := &s.Assignments[i]
		if !a.Membership {
			if slices.Contains(configuration.RemovedRoles, a.RoleID) {
				if !a.expired(now) {
					c.Lost = append(c.Lost, RoleLoss{Assignment: *a})
				}
				continue
			}
			if revoking && !a.expired(now) {
				c.Lost = append(c.Lost, RoleLoss{Assignment: *a, RevokedBy: c.After.LifecycleState})
			}
			continue
		}
		at := slices.IndexFunc(members, func(i int) bool { return configuration.Roles[i].ID == a.RoleID })
		if at >= 0 {
			members = slices.Delete(members, at, at+1) // it is assigned already
		} else if !a.expired(now) {
			c.Lost = append(c.Lost, RoleLoss{Assignment: *a})
		}
	}
	for _, i := range members {
		c.Gained = append(c.Gained, configuration.Roles[i])
	}
}

// removesAll reports whether the lifecycle state of an identity removes all access.
func (c *Configuration) removesAll(s *State) bool {
	return c.Access != nil && c.Access.States[s.ProfileID][s.LifecycleState].RemoveAll
}

func (a *Assignment) expired(now time.Time) bool {
	return !a.RemoveDate.IsZero() && !a.RemoveDate.After(now)
}

// loseExpired removes the assignments whose remove date has come, and records the next dates. It does so also for an
// identity that cannot be calculated.
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

// members appends the roles of which the identity is a member, by their position, to dst.
func (c *Configuration) members(identity *State, accounts []Account, dst []int) []int {
	if c.Index != nil {
		facts := FactsOf(identity, accounts)
		dst = c.Index.Match(&facts, dst)
	}
	if listed := c.Listed[identity.ID]; len(listed) > 0 {
		dst = append(dst, listed...)
		slices.Sort(dst)
		dst = slices.Compact(dst)
	}
	return dst
}

// FactsOf returns what membership criteria are held against.
func FactsOf(identity *State, accounts []Account) criteria.Facts {
	facts := criteria.Facts{Identity: &identity.Attributes, Accounts: make([]criteria.Account, len(accounts))}
	for i := range accounts {
		facts.Accounts[i] = criteria.Account{SourceID: accounts[i].SourceID, Attributes: accounts[i].Attributes}
	}
	return facts
}
