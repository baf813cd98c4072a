package processing

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// Adopt makes identities of the uncorrelated accounts of an authoritative source that find no identity: accounts that
// were there before the source had a profile. Of several that share a key the first becomes one: the others may be the
// same person's, and are correlated when that person's values are calculated. So it is with those that wait, which it
// leaves. It returns how many identities it made. Their events belong to a write that has some events already; the
// caller adds it.
func (p *Processor) Adopt(ctx context.Context, tx pgx.Tx, source *configuration.CompiledSource, waiting []store.ID,
	write store.ID, events int, cause store.Cause,
) (int, error) {
	if source.ProfileID.IsZero() {
		return 0, nil
	}
	total := 0
	leave := slices.Clone(waiting)
	slices.SortFunc(leave, store.ID.Compare)
	left := func(a store.CorrelationInput) bool {
		_, found := slices.BinarySearchFunc(leave, a.AccountID, store.ID.Compare)
		return found
	}
	asked := len(source.Assignments()) == 0 // without correlation, accounts share no key
	for last := (store.ID{}); ; {
		page, err := p.Store.UncorrelatedAccounts(ctx, tx, source.RowID, last, tenant.PageSize)
		if err != nil || len(page) == 0 {
			return total, err
		}
		next := page[len(page)-1].AccountID
		page = slices.DeleteFunc(page, left)
		if len(page) > 0 && !asked {
			sharing, err := p.Store.SharingAccounts(ctx, tx, source.RowID)
			if err != nil {
				return total, err
			}
			asked = true
			leave = append(leave, sharing...)
			slices.SortFunc(leave, store.ID.Compare)
			page = slices.DeleteFunc(page, left)
		}
		adopted, err := p.Store.AdoptUncorrelated(ctx, tx, source.RowID, source.ProfileID, page, write,
			events+total, cause)
		if err != nil {
			return total, err
		}
		total += adopted
		last = next
	}
}
