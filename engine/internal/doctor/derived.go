package doctor

import (
	"context"
	"fmt"
	"slices"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// examineDerived reads all identities and uncorrelated accounts, and compares what is derived from their values with
// the values.
func (x *examination) examineDerived(ctx context.Context) error {
	if x.compiled == nil {
		return nil // the check of the configuration tells
	}
	c := x.compiled
	if err := x.readIdentities(ctx, c); err != nil {
		return err
	}
	x.add("identity-keys", SeverityFailure, store.FoundIDs(x.keys), "write the keys of the identities again", x.rekey)
	x.add("folded-columns", SeverityFailure, store.FoundIDs(x.folded), "write the folded columns again",
		x.foldIdentities(x.folded))
	if err := x.readAccounts(ctx, c); err != nil {
		return err
	}
	x.add("correlation-keys", SeverityFailure, store.FoundIDs(x.accounts), "write the keys of the accounts again",
		x.rekeyAccounts)
	return nil
}

// readIdentities finds the identities whose keys or folded columns are not those of their values.
func (x *examination) readIdentities(ctx context.Context, c *configuration.Configuration) error {
	s := x.d.Store
	for last := (store.ID{}); ; {
		page, err := s.FoldedIdentities(ctx, x.tx, last, tenant.PageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		held, err := heldKeys(ctx, s, x.tx, page)
		if err != nil {
			return err
		}
		for i := range page {
			wrong, err := derive(c, &page[i])
			if err != nil {
				return err
			}
			if wrong.folded {
				x.folded = append(x.folded, page[i].ID)
			}
			if removed, added := wrong.keys(page[i].ID, held[page[i].ID]); len(removed)+len(added) > 0 {
				x.keys = append(x.keys, page[i].ID)
			}
		}
		last = page[len(page)-1].ID
	}
}

// readAccounts finds the uncorrelated accounts whose keys are not those of their values. The keys of other accounts may
// be from before the correlation was changed.
func (x *examination) readAccounts(ctx context.Context, c *configuration.Configuration) error {
	for last := (store.ID{}); ; {
		page, err := x.d.Store.KeyedAccounts(ctx, x.tx, last, tenant.PageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			wanted, err := c.AccountKeys(&page[i])
			if err != nil {
				return err
			}
			if wanted != nil && !slices.Equal(wanted, page[i].Keys) {
				x.accounts = append(x.accounts, page[i].ID)
			}
		}
		last = page[len(page)-1].ID
	}
}

// heldKeys returns the keys that identities have, by identity.
func heldKeys(ctx context.Context, s *store.Store, q store.Querier, page []store.FoldedIdentity) (
	map[store.ID][]string, error,
) {
	ids := make([]store.ID, len(page))
	for i := range page {
		ids[i] = page[i].ID
	}
	rows, err := s.IdentityKeys(ctx, q, ids)
	held := map[store.ID][]string{}
	for _, row := range rows {
		held[row.IdentityID] = append(held[row.IdentityID], row.Key)
	}
	return held, err
}

// derivation is what is derived from an identity's values.
type derivation struct {
	folded bool     // the folded columns of the row were wrong
	wanted []string // the keys
}

// derive calculates what is derived from an identity's values, and writes the folded columns into the row.
func derive(c *configuration.Configuration, row *store.FoldedIdentity) (derivation, error) {
	var set attribute.Set
	if err := set.Decode(row.Attributes); err != nil {
		return derivation{}, fmt.Errorf("identity %s: %w", row.ID, err)
	}
	folded := row.Fold(set.Get("firstname").NullText(), set.Get("lastname").NullText())
	return derivation{folded, c.IdentityKeys(&set)}, nil
}

// keys returns the keys that an identity has and should not have, and those that it should have and has not.
func (d *derivation) keys(id store.ID, held []string) (removed, added []store.IdentityKey) {
	return configuration.AppendMissing(nil, id, held, d.wanted), configuration.AppendMissing(nil, id, d.wanted, held)
}
