package store_test

import (
	"testing"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// All pages of a list are one statement: each connection prepares and keeps every text that it is given.
func TestPagesAreOneStatement(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	if _, err := pool.Exec(t.Context(), population, 100); err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	order, err := filterql.ParseOrdering("name", store.IdentitySchema(false), "id")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[store.ID]bool{}
	for offset := 1; offset <= 91; offset += 10 {
		query := store.IdentityQuery{Order: order, Limit: 10, Offset: offset}
		_, _, err := s.ListIdentities(t.Context(), conn, query, false, func(i *store.Identity) error {
			seen[i.ID] = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 99 {
		t.Errorf("the pages have %d identities in them", len(seen))
	}
	var prepared int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%OFFSET%'
		AND statement NOT LIKE '%pg_prepared_statements%'`).Scan(&prepared); err != nil {
		t.Fatal(err)
	}
	if prepared != 1 {
		t.Errorf("%d statements are prepared", prepared)
	}
}
