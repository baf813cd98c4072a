package store_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// TestSmallStatements asks what one statement each answers or changes, over two people, one of whom manages the other,
// and the accounts of one source.
func TestSmallStatements(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	ids := people(t, pool, "Ann", "Bob")
	source, first, second := store.NewID(), store.NewID(), store.NewID()
	_, err := pool.Exec(t.Context(), `INSERT INTO muster.sources (id, name, name_key, document, created, modified)
		VALUES ($1, 'HR', 'hr', '{}', $2, $2)`, source, now)
	if err == nil {
		_, err = pool.Exec(t.Context(), `
			INSERT INTO muster.accounts (id, source_id, native_identity, name, identity_id, attributes, fingerprint, created,
			       modified)
			VALUES ($1, $3, 'ann', 'Ann', $4, '{}', $1, $5, $5), ($2, $3, 'stray', 'Stray', NULL, '{}', $2, $5, $5)`,
			first, second, source, ids[0], now)
	}
	if err == nil {
		_, err = pool.Exec(t.Context(), `UPDATE muster.identities SET manager_id = $1, processing_state = 'ERROR'
			WHERE id = $2`, ids[0], ids[1])
	}
	if err != nil {
		t.Fatal(err)
	}

	counts, err := s.CountIdentityStates(t.Context(), pool)
	want := store.IdentityCounts{Identities: 2, Correlated: 2, Managers: 1, Managed: 1, Errors: 1}
	if err != nil || counts != want {
		t.Errorf("the counts are %+v, %v, want %+v", counts, err, want)
	}
	for i, want := range []bool{true, false} {
		managers, err := s.Managing(t.Context(), pool, ids[i:i+1], []store.ID{})
		if is := len(managers) == 1; err != nil || is != want {
			t.Errorf("person %d is a manager: %v, %v, want %v", i, is, err, want)
		}
	}
	for native, want := range map[bool]bool{true: true, false: false} {
		if names, err := s.NamesInUse(t.Context(), pool, source, "login", native); err != nil ||
			slices.Contains(names, "ann") != want {
			t.Errorf("the names with native identities %v are %q, %v, want ann among them: %v", native, names, err, want)
		}
	}
	if err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error { return s.DeleteAccount(ctx, tx, second) }); err != nil {
		t.Error(err)
	}
	accounts, err := s.CountAccounts(t.Context(), pool)
	if diff := cmp.Diff([]store.AccountCounts{{Source: "HR", Accounts: 1}}, accounts); err != nil || diff != "" {
		t.Errorf("the accounts are counted otherwise: %v %s", err, diff)
	}
}

func TestEngineIsSeen(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	e := store.Engine{ID: store.NewID(), Host: "a", Process: 1, Version: "1", Settings: []byte(`{}`)}
	if seen, err := s.SeeEngine(t.Context(), pool, e.ID); err != nil || seen {
		t.Errorf("an engine that is not recorded is seen: %v, %v", seen, err)
	}
	for range 2 { // the second time as after a stop while the database was away
		if err := s.AddEngine(t.Context(), pool, &e); err != nil {
			t.Fatal(err)
		}
	}
	if seen, err := s.SeeEngine(t.Context(), pool, e.ID); err != nil || !seen {
		t.Errorf("the engine is seen: %v, %v, want true", seen, err)
	}
}
