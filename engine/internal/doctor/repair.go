package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// repair mends what was found and can be mended. What cannot be done is told, and keeps nothing else from being done.
func (x *examination) repair(ctx context.Context) ([]Repair, error) {
	var done []Repair
	for i, repair := range x.repairs {
		if repair == nil {
			continue
		}
		count, text, err := repair(ctx)
		if err := ctx.Err(); err != nil {
			return done, err
		}
		r := Repair{Check: x.checks[i].Name, Count: count, Done: text}
		if err != nil {
			r.Done, r.Error = "", store.Reason(err)
		}
		if err != nil || count > 0 {
			done = append(done, r)
		}
	}
	return done, nil
}

// marking is a repair in one transaction, which may mark identities for a task that processes them.
func (x *examination) marking(text string, work func(context.Context, pgx.Tx, store.Cause) (int, error)) repairFunc {
	return func(ctx context.Context) (count int, done string, err error) {
		err = x.d.InTx(ctx, func(tx pgx.Tx) (err error) {
			cause := store.Cause{Task: store.NewID(), At: x.d.Now()}
			if count, err = work(ctx, tx, cause); err != nil {
				return err
			}
			_, _, err = x.d.LaunchRequested(ctx, tx, cause, "Process what the doctor found", nil)
			return err
		})
		return count, text, err
	}
}

// simple is a repair in one transaction that marks nobody.
func (x *examination) simple(text string, work func(context.Context, pgx.Tx) (int, error)) repairFunc {
	return x.marking(text, func(ctx context.Context, tx pgx.Tx, _ store.Cause) (int, error) { return work(ctx, tx) })
}

// marks makes the repair that marks the identities which contradict an invariant.
func marks(i store.Invariant) func(*examination) repairFunc {
	return func(x *examination) repairFunc {
		return x.marking("marked identities for processing",
			func(ctx context.Context, tx pgx.Tx, cause store.Cause) (int, error) {
				return x.d.Store.RequestContradicting(ctx, tx, i, &x.given, cause)
			})
	}
}

// renews makes the repair that gives the marks which contradict an invariant to another task. They are not removed: a
// mark may be of a transaction that began before the refresh and committed after it.
func renews(i store.Invariant) func(*examination) repairFunc {
	return func(x *examination) repairFunc {
		return x.marking("gave the marks of identities to a task that processes them",
			func(ctx context.Context, tx pgx.Tx, cause store.Cause) (int, error) {
				return x.d.Store.RenewRequests(ctx, tx, i, &x.given, cause)
			})
	}
}

func (x *examination) mendMissing(r *store.Reference) repairFunc {
	text := "removed rows that belong to nothing"
	if r.Remedy == store.RemedyClear {
		text = "set the column to null"
	}
	return x.simple(text, func(ctx context.Context, tx pgx.Tx) (int, error) {
		return x.d.Store.MendMissing(ctx, tx, r)
	})
}

func (x *examination) cancelTwice(ctx context.Context) (int, string, error) {
	return x.simple("cancelled the later operations", func(ctx context.Context, tx pgx.Tx) (int, error) {
		return x.d.Store.CancelOperationsTwice(ctx, tx, x.d.Now())
	})(ctx)
}

func (x *examination) dropMembershipsTwice(ctx context.Context) (int, string, error) {
	return x.simple("removed later assignments by membership", x.d.Store.DropMembershipsTwice)(ctx)
}

func (x *examination) clearOwnManagers(ctx context.Context) (int, string, error) {
	return x.simple("took the managers away", x.d.Store.ClearOwnManagers)(ctx)
}

func (x *examination) restoreSingletons() repairFunc {
	return x.simple("wrote the rows that were missing", x.d.Store.RestoreSingletons)
}

func (x *examination) advanceSequences() repairFunc {
	return x.simple("advanced the sequences", func(ctx context.Context, tx pgx.Tx) (int, error) {
		found, err := x.d.Store.Contradicting(ctx, tx, store.InvariantSequence, &x.given)
		if err != nil || found.Count == 0 {
			return 0, err
		}
		return int(found.Count), x.d.Store.AdvanceSequences(ctx, tx)
	})
}

func (x *examination) lowerEvents() repairFunc {
	return x.simple("numbered events anew", x.d.Store.LowerEvents)
}

func (x *examination) endLeases() repairFunc {
	return x.simple("ended leases", func(ctx context.Context, tx pgx.Tx) (int, error) {
		return x.d.Store.EndLeases(ctx, tx, x.given.Stalled)
	})
}

func (x *examination) cancelForsaken() repairFunc {
	return x.simple("cancelled messages", func(ctx context.Context, tx pgx.Tx) (int, error) {
		return x.d.Store.CancelForsakenNotifications(ctx, tx, x.d.Now())
	})
}

func (x *examination) dropForsakenParts() repairFunc {
	return x.simple("forgot parts of tasks that have ended", x.d.Store.DropForsakenParts)
}

// correlate gives accounts to the identities that they find. The source's lock comes before that of the correlation, as
// in an aggregation.
func (x *examination) correlate() repairFunc {
	return x.marking("correlated accounts", x.correlateAll)
}

func (x *examination) correlateAll(ctx context.Context, tx pgx.Tx, cause store.Cause) (int, error) {
	sources, err := x.d.Store.SourcesWithStrays(ctx, tx)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, source := range sources {
		count, err := x.d.Store.CorrelateSource(ctx, tx, source, cause)
		if err != nil {
			return total, err
		}
		total += count
	}
	return total, nil
}

// requeue gives tasks and batches whose worker is gone another job.
func (x *examination) requeue() repairFunc {
	return x.simple("gave tasks and batches jobs", func(ctx context.Context, tx pgx.Tx) (int, error) {
		return x.d.Requeue(ctx, tx, x.d.Now(), x.given.Stalled)
	})
}

// adoptOperations puts operations that belong to no batch into one, with a job.
func (x *examination) adoptOperations() repairFunc {
	return x.marking("put operations into batches", x.adoptAll)
}

func (x *examination) adoptAll(ctx context.Context, tx pgx.Tx, cause store.Cause) (int, error) {
	sources, err := x.d.Store.SourcesWithoutDelivery(ctx, tx)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, source := range sources {
		batch := store.NewID()
		count, err := x.d.Store.AdoptOperations(ctx, tx, source, batch)
		if err == nil {
			err = x.d.LaunchDelivery(ctx, tx, batch, source, cause)
		}
		if err != nil {
			return total, err
		}
		total += count
	}
	return total, nil
}

// validateConstraints holds each constraint against all rows.
func (x *examination) validateConstraints(ctx context.Context) (int, string, error) {
	return x.simple("validated constraints", func(ctx context.Context, tx pgx.Tx) (int, error) {
		for _, name := range x.unverified {
			if err := x.d.Store.ValidateConstraint(ctx, tx, name); err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
		}
		return len(x.unverified), nil
	})(ctx)
}

// reindex builds each index anew, one after the other, without a transaction.
func (x *examination) reindex(ctx context.Context) (int, string, error) {
	const done = "built indexes anew"
	for i, name := range x.indexes {
		if err := x.d.Store.Reindex(ctx, x.d.Pool, name); err != nil {
			return i, done, fmt.Errorf("%s: %w", name, err)
		}
	}
	return len(x.indexes), done, nil
}

func (x *examination) foldNames(ctx context.Context) (int, string, error) {
	return x.simple("wrote folded names", func(ctx context.Context, tx pgx.Tx) (int, error) {
		if _, err := x.d.Store.LockConfiguration(ctx, tx); err != nil {
			return 0, err
		}
		for i := range x.names {
			if err := x.d.Store.SetFoldedName(ctx, tx, &x.names[i]); err != nil {
				return 0, err
			}
		}
		_, err := x.d.Store.AdvanceConfiguration(ctx, tx)
		return len(x.names), err
	})(ctx)
}

// foldIdentities writes the folded columns of identities anew, or of all whose address has none, or a wrong one.
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

// rekey writes the keys of identities anew, and does what follows for others, as processing does.
func (x *examination) rekey(ctx context.Context) (int, string, error) {
	return x.marking("wrote keys of identities", func(ctx context.Context, tx pgx.Tx, cause store.Cause) (int, error) {
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
		gained, touched := keyTexts(added), append(keyTexts(removed), keyTexts(added)...)
		if err := s.RequestManagedRefresh(ctx, tx, touched, []store.ID{}, cause); err != nil {
			return 0, err
		}
		_, err = s.CorrelateKeys(ctx, tx, gained, cause)
		return total, err
	})(ctx)
}

func keyTexts(keys []store.IdentityKey) []string {
	texts := make([]string, len(keys))
	for i := range keys {
		texts[i] = keys[i].Key
	}
	return texts
}

// rekeyAccounts writes the keys of uncorrelated accounts anew, and correlates them.
func (x *examination) rekeyAccounts(ctx context.Context) (int, string, error) {
	return x.marking("wrote keys of accounts", func(ctx context.Context, tx pgx.Tx, cause store.Cause) (int, error) {
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
