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

// Statistics counts. It reads everything, so it is for people to look at, not for a hot path.
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
