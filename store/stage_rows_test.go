package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// Two aggregations of different sources are in the stage at once, with the same native identities. Neither sees the
// rows of the other, or waits for them.
func TestStagesAtOnce(t *testing.T) {
	t.Parallel()
	pool, k, _ := badged(t, staged("a"), staged("b"), staged("gone"))
	if err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		first := *k
		first.tx = tx
		count, err := first.stage(ctx, k.badges, staged("a", "k=1"), staged("b"), staged("c"), staged("c", "k=2"),
			staged("b"))
		if err != nil {
			return err
		}
		if err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
			other := *k
			other.tx = tx
			return other.aggregate(ctx, k.hr, staged("a", "k=7"), staged("c", "k=7"), staged("d", "k=7"))
		}); err != nil {
			return err
		}
		duplicates, err := k.s.DropDuplicates(ctx, tx, count.Run)
		if err != nil || len(duplicates) != 2 || duplicates[0].Place != 4 || duplicates[1].Place != 5 {
			t.Errorf("got %v, %v, want the second rows of c and b", duplicates, err)
		}
		left, err := rowsOf(ctx, tx, `SELECT native_identities::text || places::text || cardinality(fingerprints) FROM muster.aggregation_seen`)
		if err != nil || len(left) != 1 || left[0] != "{b}{2}1" {
			t.Errorf("got %v, %v, want the first row of b alone to be seen", left, err)
		}
		before, err := k.s.CountVanished(ctx, tx, &count, nil)
		if err != nil || before != (store.SourceAccounts{Accounts: 3, Vanished: 1}) {
			t.Errorf("got %+v, %v, want 3 accounts, one of them vanished", before, err)
		}
		if err := k.s.DemandSeen(ctx, tx, &count); err != nil {
			t.Error(err)
		}
		gone, err := k.s.LockVanished(ctx, tx, &count, nil)
		if err != nil || len(gone) != 1 {
			t.Errorf("%v vanished, %v, want 1", gone, err)
		}
		if err := k.s.DeleteGone(ctx, tx, gone, k.cause); err != nil {
			t.Error(err)
		}
		changes, err := k.s.UpdateChanged(ctx, tx, &count, k.cause)
		if err != nil || changes.Changed != 1 {
			t.Errorf("got %+v, %v, want 1 changed", changes, err)
		}
		fresh, err := k.s.InsertNew(ctx, tx, &count, store.ID{}, store.NewID(), k.cause)
		if err != nil || fresh.Accounts != 1 {
			t.Errorf("got %+v, %v, want 1 account", fresh, err)
		}
		return k.s.EndStage(ctx, tx, count.Run)
	}); err != nil {
		t.Fatal(err)
	}
	demandRows(t, pool, stageRows)
	demandRows(t, pool, `SELECT s.name || ' ' || native_identity FROM muster.accounts a JOIN muster.sources s ON s.id = a.source_id
		ORDER BY 1`, "badges a", "badges b", "badges c", "hr a", "hr c", "hr d")
}

// Those that are named as gone are removed, but for those that are staged, and those that the source does not have.
func TestDeleteGone(t *testing.T) {
	t.Parallel()
	pool, k, _ := badged(t, staged("a"), staged("b", "k=1"), staged("c"))
	if err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		k := *k
		k.tx = tx
		count, err := k.stage(ctx, k.badges, staged("a"), staged("c", "k=2"))
		if err != nil {
			return err
		}
		gone, err := k.s.LockNamed(ctx, tx, &count, []string{"a", "b", "b", "c", "x"})
		if err != nil || len(gone) != 1 {
			t.Errorf("%v are gone, %v, want b", gone, err)
		}
		if err := k.s.DeleteGone(ctx, tx, gone, k.cause); err != nil {
			t.Error(err)
		}
		return k.s.EndStage(ctx, tx, count.Run)
	}); err != nil {
		t.Fatal(err)
	}
	demandRows(t, pool, `SELECT native_identity FROM muster.accounts ORDER BY 1`, "a", "c")
	demandRows(t, pool, keyRows)
}

// A rollback leaves no rows in the stage, nor does a commit of the caller's after the data could not be read.
func TestStageIsLeftEmpty(t *testing.T) {
	t.Parallel()
	pool, k, _ := badged(t, staged("a"))
	failure := errors.New("the source is gone")
	for _, commit := range []bool{false, true} {
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(context.Background()) }()
		read := 0
		_, err = k.s.Stage(t.Context(), tx, k.badges, false, true, func() (*store.StagedAccount, bool, error) {
			if read++; read > 5000 {
				return nil, false, failure
			}
			a := staged(store.NewID().String())
			return &a, true, nil
		})
		if !errors.Is(err, failure) {
			t.Fatalf("got %v, want the failure of the reader", err)
		}
		if commit {
			err = tx.Commit(t.Context())
		} else {
			_, err = (&keyed{s: k.s, tx: tx}).stage(t.Context(), k.badges, staged("b"))
			if err == nil {
				err = tx.Rollback(t.Context())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		demandRows(t, pool, stageRows)
	}
}
