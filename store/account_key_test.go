package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// keyed is a tenant with a source that correlates and one that is authoritative, in one transaction.
type keyed struct {
	s                   *store.Store
	tx                  pgx.Tx
	badges, hr, profile store.ID
	cause               store.Cause
	marked              map[store.ID][]string // by source
}

// newKeyed writes the sources and the profile.
func newKeyed(ctx context.Context, s *store.Store, tx pgx.Tx) (*keyed, error) {
	k := &keyed{s: s, tx: tx, badges: store.NewID(), hr: store.NewID(), profile: store.NewID(),
		cause: store.Cause{Task: store.NewID(), At: now}, marked: map[store.ID][]string{}}
	k.marked[k.badges] = []string{"groups"}
	object := func(id store.ID, name string) store.Object {
		return store.Object{ID: id, Name: name, Document: []byte(`{}`), Created: now, Modified: now}
	}
	for name, id := range map[string]store.ID{"badges": k.badges, "hr": k.hr} {
		if err := s.PutSource(ctx, tx, object(id, name)); err != nil {
			return nil, err
		}
	}
	return k, s.PutProfile(ctx, tx, store.Profile{Object: object(k.profile, "P"), AuthoritativeSourceID: k.hr})
}

// staged is an account with keys, whose fingerprint is that of its keys.
func staged(native string, keys ...string) store.StagedAccount {
	a := store.StagedAccount{NativeIdentity: native, Name: native, Attributes: []byte(`{}`),
		CorrelationKeys: append([]string{}, keys...)}
	copy(a.Fingerprint[:], fmt.Sprintf("%-16.16s", fmt.Sprint(keys)))
	return a
}

// stage stages accounts of a source.
func (k *keyed) stage(ctx context.Context, source store.ID, accounts ...store.StagedAccount) (store.Staged, error) {
	n := 0
	return k.s.Stage(ctx, k.tx, source, source == k.hr, true, func() (*store.StagedAccount, bool, error) {
		if n++; n > len(accounts) {
			return nil, false, nil
		}
		return &accounts[n-1], true, nil
	})
}

// aggregate brings the accounts of a source up to those that are given.
func (k *keyed) aggregate(ctx context.Context, source store.ID, accounts ...store.StagedAccount) error {
	count, err := k.stage(ctx, source, accounts...)
	if err != nil {
		return err
	}
	profile := store.ID{}
	if source == k.hr {
		profile = k.profile
	}
	if _, err = k.s.DropDuplicates(ctx, k.tx, count.Run); err == nil {
		_, err = k.s.CountVanished(ctx, k.tx, &count, nil)
	}
	if err == nil {
		var gone []store.ID
		if gone, err = k.s.LockVanished(ctx, k.tx, &count, nil); err == nil {
			err = k.s.DeleteGone(ctx, k.tx, gone, k.cause)
		}
	}
	var changes store.AccountChanges
	if err == nil {
		changes, err = k.s.UpdateChanged(ctx, k.tx, &count, k.cause)
	}
	if err == nil {
		_, err = k.s.InsertNew(ctx, k.tx, &count, profile, store.NewID(), k.cause)
	}
	if err == nil {
		err = k.entitle(ctx, &count, changes.Accounts, accounts)
	}
	if err == nil {
		_, err = k.s.CorrelateSource(ctx, k.tx, source, k.cause)
	}
	if err == nil {
		err = k.s.EndStage(ctx, k.tx, count.Run)
	}
	return err
}

// pick returns one of the IDs that a query finds, zero for none.
func (k *keyed) pick(ctx context.Context, r *rapid.T, query string) (store.ID, error) {
	rows, err := k.tx.Query(ctx, query)
	if err != nil {
		return store.ID{}, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[store.ID])
	if err != nil || len(ids) == 0 {
		return store.ID{}, err
	}
	return rapid.SampledFrom(ids).Draw(r, "id"), nil
}

// keysOf draws some keys.
func keysOf(r *rapid.T) []string {
	return rapid.SliceOfN(rapid.SampledFrom([]string{"k=1", "k=2", "k=3", "k=4", "k=5"}), 0, 3).Draw(r, "keys")
}

// accountsOf draws accounts with different native identities.
func accountsOf(r *rapid.T) []store.StagedAccount {
	natives := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), 0, 5,
		func(native string) string { return native }).Draw(r, "natives")
	accounts := make([]store.StagedAccount, len(natives))
	for i, native := range natives {
		accounts[i] = holding(staged(native, keysOf(r)...), groupsOf(r))
	}
	return accounts
}

// steps are the ways in which accounts get and lose keys and identities.
var steps = map[string]func(context.Context, *keyed, *rapid.T) error{
	"aggregate badges": func(ctx context.Context, k *keyed, r *rapid.T) error {
		return k.aggregate(ctx, k.badges, accountsOf(r)...)
	},
	"aggregate hr": func(ctx context.Context, k *keyed, r *rapid.T) error {
		return k.aggregate(ctx, k.hr, accountsOf(r)...)
	},
	"delete identity": func(ctx context.Context, k *keyed, r *rapid.T) error {
		id, err := k.pick(ctx, r, `SELECT id FROM muster.identities ORDER BY id`)
		if err != nil || id.IsZero() {
			return err
		}
		return k.s.DeleteIdentity(ctx, k.tx, id, now)
	},
	"key identity": func(ctx context.Context, k *keyed, r *rapid.T) error {
		id, err := k.pick(ctx, r, `SELECT id FROM muster.identities ORDER BY id`)
		if err != nil || id.IsZero() {
			return err
		}
		var added []store.IdentityKey
		keys := keysOf(r)
		for _, key := range keys {
			added = append(added, store.IdentityKey{IdentityID: id, Key: key})
		}
		if err := k.s.ChangeIdentityKeys(ctx, k.tx, nil, added); err != nil {
			return err
		}
		_, err = k.s.CorrelateKeys(ctx, k.tx, keys, k.cause)
		return err
	},
	"set keys": func(ctx context.Context, k *keyed, r *rapid.T) error {
		id, err := k.pick(ctx, r, `SELECT id FROM muster.accounts ORDER BY id`)
		if err != nil || id.IsZero() {
			return err
		}
		text, err := json.Marshal(keysOf(r))
		if err != nil {
			return err
		}
		return k.s.SetCorrelationKeys(ctx, k.tx, []store.ID{id}, []string{string(text)})
	},
	"provision": func(ctx context.Context, k *keyed, r *rapid.T) error {
		a := store.ProvisionedAccount{SourceID: k.badges, NativeIdentity: store.NewID().String(), Name: "n",
			CorrelationKeys: keysOf(r), Fingerprint: store.NewID()}
		owner, err := k.pick(ctx, r, `SELECT id FROM muster.identities ORDER BY id`)
		if err != nil {
			return err
		}
		if rapid.Bool().Draw(r, "owned") {
			a.IdentityID = owner
		}
		groups := groupsOf(r)
		if rapid.Bool().Draw(r, "new") {
			a.ID = store.NewID()
			k.hold(&a, groups)
			return k.s.AddProvisionedAccount(ctx, k.tx, &a, now)
		}
		if a.ID, err = k.pick(ctx, r, `SELECT id FROM muster.accounts ORDER BY id`); err != nil || a.ID.IsZero() {
			return err
		}
		if err := k.tx.QueryRow(ctx, `SELECT source_id FROM muster.accounts WHERE id = $1`, a.ID).Scan(&a.SourceID); err != nil {
			return err
		}
		k.hold(&a, groups)
		return k.s.UpdateAccount(ctx, k.tx, &a, now)
	},
	"adopt": func(ctx context.Context, k *keyed, _ *rapid.T) error {
		page, err := k.s.UncorrelatedAccounts(ctx, k.tx, k.hr, store.ID{}, 100)
		if err != nil {
			return err
		}
		_, err = k.s.AdoptUncorrelated(ctx, k.tx, k.hr, k.profile, page, store.NewID(), 0, k.cause)
		return err
	},
	"mark": func(ctx context.Context, k *keyed, r *rapid.T) error {
		source := rapid.SampledFrom([]store.ID{k.badges, k.hr}).Draw(r, "source")
		name := rapid.SampledFrom([]string{"groups", "title"}).Draw(r, "attribute")
		if slices.Contains(k.marked[source], name) {
			k.marked[source] = slices.DeleteFunc(k.marked[source], func(other string) bool { return other == name })
			return k.s.UnmarkAttributes(ctx, k.tx, source, []string{name})
		}
		k.marked[source] = append(k.marked[source], name)
		_, err := k.s.MarkAttributes(ctx, k.tx, source, []string{name}, now)
		return err
	},
	"delete accounts": func(ctx context.Context, k *keyed, r *rapid.T) error {
		id, err := k.pick(ctx, r, `SELECT id FROM muster.accounts ORDER BY id`)
		if err != nil {
			return err
		}
		return k.s.DeleteAccounts(ctx, k.tx, []store.ID{id})
	},
	"lose identities": func(ctx context.Context, k *keyed, _ *rapid.T) error {
		for i := range store.References {
			if _, err := k.s.MendMissing(ctx, k.tx, &store.References[i]); err != nil {
				return err
			}
		}
		return nil
	},
}

const (
	keyRows    = `SELECT account_id || ' ' || key FROM muster.account_keys ORDER BY 1`
	wantedRows = `
		SELECT DISTINCT a.id || ' ' || k FROM muster.accounts a, unnest(a.correlation_keys) k
		WHERE a.identity_id IS NULL ORDER BY 1`
	stageRows = `SELECT run_id::text FROM muster.aggregation_seen UNION ALL SELECT run_id::text FROM muster.aggregation_stage`
)

func rowsOf(ctx context.Context, q store.Querier, query string) ([]string, error) {
	rows, err := q.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Whatever happens to accounts and identities, the rows of account_keys are the keys of the uncorrelated accounts, those
// of account_entitlements are the values of marked attributes, and the stage is empty.
func TestAccountRowsStayTrue(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	names := make([]string, 0, len(steps))
	for name := range steps {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(r *rapid.T) {
		ctx := t.Context()
		tx, err := pool.Begin(ctx)
		if err != nil {
			r.Fatal(err)
		}
		defer func() { _ = tx.Rollback(ctx) }()
		k, err := newKeyed(ctx, s, tx)
		if err != nil {
			r.Fatal(err)
		}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 1, 12).Draw(r, "steps") {
			if err := steps[name](ctx, k, r); err != nil {
				r.Fatalf("%s: %v", name, err)
			}
			got, err := rowsOf(ctx, tx, keyRows)
			if err != nil {
				r.Fatal(err)
			}
			want, err := rowsOf(ctx, tx, wantedRows)
			if err != nil {
				r.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				r.Fatalf("after %s the rows differ: %s", name, diff)
			}
			if diff, err := k.entitlementDiff(ctx); err != nil || diff != "" {
				r.Fatalf("after %s the entitlements differ: %s, %v", name, diff, err)
			}
			if left, err := rowsOf(ctx, tx, stageRows); err != nil || len(left) > 0 {
				r.Fatalf("after %s the stage has %v, %v", name, left, err)
			}
		}
	})
}

// race runs other in a goroutine while first, which has run in a transaction, is not committed, and returns what other
// returned after the commit. It demands that other waits.
func race(t *testing.T, pool *pgxpool.Pool, first, other func(context.Context, pgx.Tx) error) {
	t.Helper()
	ctx := t.Context()
	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if err := first(ctx, tx); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return other(ctx, tx) }) }()
	const waiting = `
		SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
	for n := 0; n == 0; time.Sleep(time.Millisecond) {
		select {
		case err := <-ended:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		if err := pool.QueryRow(ctx, waiting).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// badged is a tenant with an identity that has the key k=1, and accounts of the source badges.
func badged(t *testing.T, accounts ...store.StagedAccount) (*pgxpool.Pool, *keyed, store.ID) {
	t.Helper()
	pool, s := storetest.Pool(t), newStore(t)
	ann := people(t, pool, "Ann")[0]
	var k *keyed
	err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) (err error) {
		if k, err = newKeyed(ctx, s, tx); err != nil {
			return err
		}
		return k.aggregate(ctx, k.badges, accounts...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return pool, k, ann
}

// account returns the ID of an account of the source badges.
func account(t *testing.T, q store.Querier, native string) (id store.ID) {
	t.Helper()
	err := q.QueryRow(t.Context(), `SELECT id FROM muster.accounts WHERE native_identity = $1`, native).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// provisioned is an account as an operation leaves it.
func (k *keyed) provisioned(id, owner store.ID, a store.StagedAccount) *store.ProvisionedAccount {
	return &store.ProvisionedAccount{ID: id, SourceID: k.badges, IdentityID: owner, NativeIdentity: a.NativeIdentity,
		Name: a.Name, Attributes: a.Attributes, Fingerprint: a.Fingerprint, CorrelationKeys: a.CorrelationKeys}
}

func demandRows(t *testing.T, pool *pgxpool.Pool, query string, want ...string) {
	t.Helper()
	got, err := rowsOf(t.Context(), pool, query)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append([]string{}, want...), append([]string{}, got...)); diff != "" {
		t.Errorf("%s: %s", query, diff)
	}
}

// Between the look for the accounts that differ and their lock, one comes to be as the stage has it, one is removed,
// one gets another native identity. None of them is written.
func TestChangedUntilLocked(t *testing.T) {
	t.Parallel()
	pool, k, _ := badged(t, staged("a"), staged("b"), staged("c"), staged("d"))
	a, b, c := account(t, pool, "a"), account(t, pool, "b"), account(t, pool, "c")
	race(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		if err := k.s.UpdateAccount(ctx, tx, k.provisioned(a, store.ID{}, staged("a", "k=9")), now); err != nil {
			return err
		}
		if err := k.s.DeleteAccounts(ctx, tx, []store.ID{b}); err != nil {
			return err
		}
		return k.s.UpdateAccount(ctx, tx, k.provisioned(c, store.ID{}, staged("cc")), now)
	}, func(ctx context.Context, tx pgx.Tx) error {
		k := *k
		k.tx = tx
		count, err := k.stage(ctx, k.badges, staged("a", "k=9"), staged("b", "k=9"), staged("c", "k=9"), staged("d", "k=9"))
		if err != nil {
			return err
		}
		changes, err := k.s.UpdateChanged(ctx, tx, &count, k.cause)
		if err == nil && changes.Changed != 1 {
			t.Errorf("%d accounts were changed, want d alone", changes.Changed)
		}
		if err != nil {
			return err
		}
		return k.s.EndStage(ctx, tx, count.Run)
	})
	demandRows(t, pool, `SELECT native_identity || correlation_keys::text FROM muster.accounts ORDER BY 1`, "a{k=9}", "cc{}",
		"d{k=9}")
	demandRows(t, pool, `SELECT key FROM muster.account_keys`, "k=9", "k=9")
}

// An account gets its identity after it was found to fit another one, and before it is locked: it stays where it is.
func TestCorrelatedUntilLocked(t *testing.T) {
	t.Parallel()
	pool, k, ann := badged(t, staged("a", "k=1"))
	bob := people(t, pool, "Bob")[0]
	a := account(t, pool, "a")
	if _, err := pool.Exec(t.Context(), `INSERT INTO muster.identity_keys VALUES ('k=1', $1)`, ann); err != nil {
		t.Fatal(err)
	}
	race(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		return k.s.UpdateAccount(ctx, tx, k.provisioned(a, bob, staged("a", "k=1")), now)
	}, func(ctx context.Context, tx pgx.Tx) error {
		n, err := k.s.CorrelateSource(ctx, tx, k.badges, k.cause)
		if n != 0 {
			t.Errorf("%d accounts were correlated, want none", n)
		}
		return err
	})
	demandRows(t, pool, `SELECT i.name FROM muster.accounts a JOIN muster.identities i ON i.id = a.identity_id`, "Bob")
	demandRows(t, pool, keyRows)
}

// Nobody waits for an account that somebody else has locked, and the others are correlated.
func TestCorrelateKeysSkipsLocked(t *testing.T) {
	t.Parallel()
	pool, k, ann := badged(t, staged("a", "k=1"), staged("b", "k=2", "k=1"), staged("c", "k=3"))
	if _, err := pool.Exec(t.Context(), `INSERT INTO muster.identity_keys VALUES ('k=1', $1)`, ann); err != nil {
		t.Fatal(err)
	}
	err := inTx(t, pool, func(ctx context.Context, holder pgx.Tx) error {
		if _, err := k.s.LockAccountNamed(ctx, holder, k.badges, "a"); err != nil {
			return err
		}
		return inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
			n, err := k.s.CorrelateKeys(ctx, tx, []string{"k=1"}, k.cause)
			if n != 1 {
				t.Errorf("%d accounts were correlated, want b", n)
			}
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	demandRows(t, pool, `SELECT native_identity FROM muster.accounts WHERE identity_id IS NOT NULL`, "b")
	demandRows(t, pool, `SELECT key FROM muster.account_keys ORDER BY 1`, "k=1", "k=3")
}

// An identity is deleted while one account of it gets other keys, and while it gets another account. Both are found by
// their keys afterwards.
func TestKeysOfTheDeleted(t *testing.T) {
	t.Parallel()
	pool, k, ann := badged(t, staged("a", "k=1"), staged("b", "k=2"))
	a, b := account(t, pool, "a"), account(t, pool, "b")
	if _, err := pool.Exec(t.Context(), `INSERT INTO muster.identity_keys VALUES ('k=1', $1)`, ann); err != nil {
		t.Fatal(err)
	}
	if err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		_, err := k.s.CorrelateSource(ctx, tx, k.badges, k.cause)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	remove := func(ctx context.Context, tx pgx.Tx) error { return k.s.DeleteIdentity(ctx, tx, ann, now) }
	race(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		if err := k.s.UpdateAccount(ctx, tx, k.provisioned(a, store.ID{}, staged("a", "k=5")), now); err != nil {
			return err
		}
		return k.s.UpdateAccount(ctx, tx, k.provisioned(b, ann, staged("b", "k=2")), now)
	}, remove)
	demandRows(t, pool, `SELECT key FROM muster.account_keys ORDER BY 1`, "k=2", "k=5")
}

// A row that another transaction has just made due later is not requested.
func TestDueUntilLocked(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	ids := people(t, pool, "Ann", "Bob")
	past, later := now.Add(-time.Hour), now.Add(time.Hour)
	cause := store.Cause{Task: store.NewID(), At: now}
	if err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		return s.RecordProcessed(ctx, tx, ids, []*time.Time{&past, &past}, now)
	}); err != nil {
		t.Fatal(err)
	}
	race(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		return s.RecordProcessed(ctx, tx, ids[:1], []*time.Time{&later}, now)
	}, func(ctx context.Context, tx pgx.Tx) error {
		n, err := s.RequestDueRefresh(ctx, tx, "due", cause)
		if n != 1 {
			t.Errorf("%d identities were requested, want Bob", n)
		}
		return err
	})
	demandRows(t, pool, `SELECT i.name FROM muster.refresh_requests r JOIN muster.identities i ON i.id = r.identity_id`, "Bob")
	demandRows(t, pool, `SELECT i.name FROM muster.refresh_state r JOIN muster.identities i ON i.id = r.identity_id
		WHERE due IS NOT NULL`, "Ann")
}

// A request that a batch has taken is not released.
func TestReleasedUntilTaken(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	ids := people(t, pool, "Ann", "Bob")
	cause := store.Cause{Task: store.NewID(), At: now}
	if err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		return s.RequestRefresh(ctx, tx, append(ids, ids[1]), "x", cause)
	}); err != nil {
		t.Fatal(err)
	}
	race(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		_, err := s.TakeRefreshRequests(ctx, tx, ids[:1], false)
		return err
	}, func(ctx context.Context, tx pgx.Tx) error {
		n, err := s.ReleaseRefreshRequests(ctx, tx, cause.Task, now)
		if n != 1 {
			t.Errorf("%d identities are due, want Bob", n)
		}
		return err
	})
	demandRows(t, pool, `SELECT i.name FROM muster.refresh_state r JOIN muster.identities i ON i.id = r.identity_id`, "Bob")
	demandRows(t, pool, `SELECT reason FROM muster.refresh_requests`)
}

// Requests are claimed in the order in which they were made, and locked again and dropped by their keys alone.
func TestRequestKeys(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	ids := people(t, pool, "Ann", "Bob", "Cem", "Dee")
	cause := store.Cause{Task: store.NewID(), At: now}
	if err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		for _, two := range [][]store.ID{{ids[3], ids[1]}, {ids[0], ids[2]}} {
			if err := s.RequestRefresh(ctx, tx, two, "x", cause); err != nil {
				return err
			}
		}
		claimed, err := s.ClaimRefreshRequests(ctx, tx, cause.Task, 10)
		if err != nil {
			return err
		}
		var order []store.ID
		for _, r := range claimed {
			order = append(order, r.IdentityID)
		}
		if want := []store.ID{ids[3], ids[1], ids[0], ids[2]}; !slices.Equal(order, want) {
			t.Errorf("claimed %v, want %v", order, want)
		}
		// The number of one with the statement of the other is the key of a third.
		keys := []store.RequestKey{claimed[0].Key, claimed[3].Key}
		locked, err := s.RelockRefreshRequests(ctx, tx, keys)
		if err != nil || len(locked) != 2 || locked[0] != claimed[0] || locked[1] != claimed[3] {
			t.Errorf("locked %v, %v, want the first and the last of %v", locked, err, claimed)
		}
		return s.DropRefreshRequests(ctx, tx, keys)
	}); err != nil {
		t.Fatal(err)
	}
	demandRows(t, pool, `SELECT i.name FROM muster.refresh_requests r JOIN muster.identities i ON i.id = r.identity_id
		ORDER BY 1`, "Ann", "Bob")
}
