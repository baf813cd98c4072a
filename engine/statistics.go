package engine

import (
	"context"

	"github.com/muster-engine/muster/engine/fault"
)

// Statistics count everything that the tenant has.
type Statistics struct {
	Identities int                `json:"identities"`
	Correlated int                `json:"correlated"`
	Managers   int                `json:"managers"`
	Managed    int                `json:"managed"` // have a manager
	Errors     int                `json:"errors"`  // whose last processing failed
	Pending    int                `json:"pending"` // wait for processing
	Sources    []SourceStatistics `json:"sources"` // by name
}

// SourceStatistics are the counts of one source.
type SourceStatistics struct {
	Name         string `json:"name"`
	Accounts     int    `json:"accounts"`
	Uncorrelated int    `json:"uncorrelated"`
}

// Statistics counts. It reads everything, so it is for people to look at, not for a hot path: [Engine.Population] has
// counts that are stored.
func (e *Engine) Statistics(ctx context.Context) (Statistics, error) {
	const op = "count"
	counts, err := e.tenant.Store.CountIdentityStates(ctx, e.tenant.Pool)
	if err != nil {
		return Statistics{}, fault.Wrap(op, "", err)
	}
	accounts, err := e.tenant.Store.CountAccounts(ctx, e.tenant.Pool)
	if err != nil {
		return Statistics{}, fault.Wrap(op, "", err)
	}
	pending, err := e.tenant.Store.CountPending(ctx, e.tenant.Pool)
	if err != nil {
		return Statistics{}, fault.Wrap(op, "", err)
	}
	s := Statistics{
		Identities: counts.Identities, Correlated: counts.Correlated, Managers: counts.Managers,
		Managed: counts.Managed, Errors: counts.Errors, Pending: pending, Sources: []SourceStatistics{},
	}
	for _, a := range accounts {
		s.Sources = append(s.Sources, SourceStatistics{Name: a.Source, Accounts: a.Accounts,
			Uncorrelated: a.Uncorrelated})
	}
	return s, nil
}

// ProfileStatistics are the counts of an identity profile.
type ProfileStatistics struct {
	Identities int
	// Pending says that some of them wait to be processed.
	Pending bool
	// States counts them by the technical names of their lifecycle states.
	States map[string]int
}

// ProfileStatistics counts the identities of the identity profiles, by the IDs of these. Profiles that have none may be
// missing. It reads all identities: [Engine.Population] does not.
func (e *Engine) ProfileStatistics(ctx context.Context) (map[string]ProfileStatistics, error) {
	const op = "count the identities of profiles"
	counts, err := e.tenant.Store.CountStates(ctx, e.tenant.Pool)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	pending, err := e.tenant.Store.PendingProfiles(ctx, e.tenant.Pool)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	all := map[string]ProfileStatistics{}
	for _, n := range counts {
		s := all[n.ProfileID.String()]
		if s.States == nil {
			s.States = map[string]int{}
		}
		s.Identities += n.Count
		s.States[n.State] += n.Count
		all[n.ProfileID.String()] = s
	}
	for _, id := range pending {
		s := all[id.String()]
		s.Pending = true
		all[id.String()] = s
	}
	return all, nil
}
