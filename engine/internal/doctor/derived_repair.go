package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// foldIdentities makes the repair that writes the folded columns of identities again. Without ids, which is nil then,
// it takes the identities whose address has no folded form, or a wrong one.
func (x *examination) foldIdentities(ids []store.ID) repairFunc {
	return x.simple("wrote folded columns", func(ctx context.Context, tx pgx.Tx) (int, error) {
		c, err := x.d.LockConfigurationShared(ctx, tx)
		if err != nil {
			return 0, err
		}
		if ids == nil {
			if ids, err = x.d.Store.UnfoldedAddresses(ctx, tx); err != nil {
				return 0, err
			}
		}
		total := 0
		err = x.eachLocked(ctx, tx, ids, func(page []store.FoldedIdentity) error {
			wrong := page[:0]
			for i := range page {
				d, err := derive(c, &page[i])
				if err != nil {
					return err
				}
				if d.folded {
					wrong = append(wrong, page[i])
				}
			}
			total += len(wrong)
			return x.d.Store.SetFolded(ctx, tx, wrong)
		})
		return total, err
	})
}

// eachLocked locks identities in the order of their IDs and calls work with them, page by page.
func (x *examination) eachLocked(ctx context.Context, tx pgx.Tx, ids []store.ID,
	work func([]store.FoldedIdentity) error,
) error {
	slices.SortFunc(ids, func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
	locked, err := x.d.Store.LockIdentities(ctx, tx, ids)
	if err != nil {
		return err
	}
	for page := range slices.Chunk(locked, tenant.PageSize) {
		rows, err := x.d.Store.FoldedIdentitiesOf(ctx, tx, page)
		if err == nil {
			err = work(rows)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rekey writes the keys of identities again. What follows for others follows as in processing: those whose manager is
// found by a key are requested, and accounts are correlated.
func (x *examination) rekey(ctx context.Context) (int, string, error) {
	const done = "wrote keys of identities"
	return x.requesting(done, func(ctx context.Context, tx pgx.Tx, cause store.Cause) (int, error) {
		s := x.d.Store
		c, err := x.d.LockConfigurationShared(ctx, tx)
		if err != nil {
			return 0, err
		}
		if err := s.LockCorrelationShared(ctx, tx); err != nil {
			return 0, err
		}
		var removed, added []store.IdentityKey
		total := 0
		err = x.eachLocked(ctx, tx, x.keys, func(page []store.FoldedIdentity) error {
			held, err := heldKeys(ctx, s, tx, page)
			if err != nil {
				return err
			}
			for i := range page {
				d, err := derive(c, &page[i])
				if err != nil {
					return err
				}
				gone, fresh := d.keys(page[i].ID, held[page[i].ID])
				if removed, added = append(removed, gone...), append(added, fresh...); len(gone)+len(fresh) > 0 {
					total++
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		if err := s.LockKeys(ctx, tx); err != nil {
			return 0, err
		}
		if err := s.ChangeIdentityKeys(ctx, tx, removed, added); err != nil {
			return 0, err
		}
		touched := append(keyTexts(removed), keyTexts(added)...)
		if err := s.RequestManagedRefresh(ctx, tx, touched, []store.ID{}, 0, cause); err != nil {
			return 0, err
		}
		_, err = s.CorrelateKeys(ctx, tx, touched, cause)
		return total, err
	})(ctx)
}

// keyTexts returns the keys without their identities.
func keyTexts(keys []store.IdentityKey) []string {
	texts := make([]string, len(keys))
	for i := range keys {
		texts[i] = keys[i].Key
	}
	return texts
}

// rekeyAccounts writes the keys of uncorrelated accounts again and correlates them.
func (x *examination) rekeyAccounts(ctx context.Context) (int, string, error) {
	return x.requesting("wrote keys of accounts", func(ctx context.Context, tx pgx.Tx, cause store.Cause) (int, error) {
		c, err := x.d.LockConfigurationShared(ctx, tx)
		if err != nil {
			return 0, err
		}
		rows, err := x.d.Store.LockKeyedAccounts(ctx, tx, x.accounts)
		if err != nil {
			return 0, err
		}
		var ids []store.ID
		var keys []string
		for i := range rows {
			wanted, err := c.AccountKeys(&rows[i])
			if err != nil {
				return 0, err
			}
			if wanted == nil || slices.Equal(wanted, rows[i].Keys) {
				continue
			}
			text, err := json.Marshal(wanted)
			if err != nil {
				return 0, err
			}
			ids, keys = append(ids, rows[i].ID), append(keys, string(text))
		}
		if err := x.d.Store.SetCorrelationKeys(ctx, tx, ids, keys); err != nil {
			return 0, err
		}
		_, err = x.correlateAll(ctx, tx, cause)
		return len(ids), err
	})(ctx)
}
