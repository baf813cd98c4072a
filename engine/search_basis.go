package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// searchBasis is what searches take from the configuration.
type searchBasis struct {
	configuration *configuration.Configuration
	setup         *store.SearchSetup
	indexes       []*store.SearchIndex
}

// searchBasis returns what a search takes from the configuration, at the present time.
func (e *Engine) searchBasis(ctx context.Context) (*searchBasis, error) {
	c, err := e.tenant.CurrentConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	b := &searchBasis{configuration: c, setup: searchSetup(c, e.tenant.Now())}
	b.indexes, err = store.NewSearchIndexes(b.setup)
	return b, err
}

// searchSetup returns what the fields of documents depend on.
func searchSetup(c *configuration.Configuration, now time.Time) *store.SearchSetup {
	setup := &store.SearchSetup{Now: now}
	for _, name := range slices.Sorted(maps.Keys(c.Attributes)) {
		setup.Attributes = append(setup.Attributes, store.AttributeField{Name: name, Multi: c.Attributes[name].Multi})
	}
	byID := func(a, b store.ID) int { return a.Compare(b) }
	for _, role := range slices.SortedFunc(maps.Keys(c.Roles), byID) {
		seen := map[store.ID]bool{{}: true}
		for _, grant := range c.RoleAccess(role) {
			if !seen[grant.Profile] {
				seen[grant.Profile] = true
				setup.RoleProfiles = append(setup.RoleProfiles,
					store.RoleProfile{RoleID: role, ProfileID: grant.Profile})
			}
		}
	}
	for i := range c.Profiles {
		states := c.StateAccess(c.Profiles[i].RowID)
		for _, state := range slices.Sorted(maps.Keys(states)) {
			seen := map[store.ID]bool{{}: true}
			for _, grant := range states[state].Grants {
				if !seen[grant.Profile] {
					seen[grant.Profile] = true
					setup.StateProfiles = append(setup.StateProfiles, store.StateProfile{
						IdentityProfileID: c.Profiles[i].RowID, State: state, ProfileID: grant.Profile})
				}
			}
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(c.Sources), byID) {
		status := c.Sources[id].Status()
		setup.Statuses = append(setup.Statuses, store.SourceStatus{SourceID: id, Attribute: status.Attribute,
			Value: status.Disabled})
	}
	return setup
}
