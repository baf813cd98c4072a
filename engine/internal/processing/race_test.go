package processing_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// Two identities are calculated at the same time, in two transactions, and one is the other's manager. Whichever
// commits last must see the other: neither the look-up of the manager nor the search for those who look for one may
// miss it.
func TestManagersAcrossBatches(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool := storetest.Pool(t)
	eng, err := engine.New(t.Context(), pool, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	documents, err := engine.ReadDocuments("config", strings.NewReader(`
sources:
  - name: HR
    schemas: [{name: account, identityAttribute: id, attributes: [{name: id}, {name: mgr}]}]
    managerCorrelationMapping: {accountAttributeName: mgr, identityAttributeName: uid}
identityProfiles:
  - name: P
    authoritativeSource: {name: HR}
    identityAttributeConfig:
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: HR, attributeName: id}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eng.Apply(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	const people = 400
	var text strings.Builder
	text.WriteString("id,mgr\n")
	for i := range people {
		fmt.Fprintf(&text, "%d,%d\n", i, i^1) // pairs that manage each other
	}
	result, err := eng.Aggregate(t.Context(), "HR", strings.NewReader(text.String()), engine.AggregateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	task, err := store.ParseID(result.Task)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := pool.Query(t.Context(), `SELECT identity_id FROM muster.refresh_requests ORDER BY request_id, number`)
	if err != nil {
		t.Fatal(err)
	}
	pending, err := pgx.CollectRows(rows, pgx.RowTo[store.ID])
	if err != nil {
		t.Fatal(err)
	}
	p := newProcessor(t, pool)
	for i := 0; i < people; i += 2 {
		var group sync.WaitGroup
		for _, id := range pending[i : i+2] {
			group.Go(func() {
				err := p.InTx(t.Context(), func(tx pgx.Tx) error {
					_, _, err := p.ProcessIn(t.Context(), tx, task, []store.ID{id})
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	if _, err := eng.ProcessPending(t.Context(), engine.ProcessOptions{}); err != nil {
		t.Fatal(err)
	}
	var lost int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM muster.identities WHERE manager_id IS NULL`).Scan(&lost); err != nil {
		t.Fatal(err)
	}
	if lost > 0 {
		t.Errorf("%d of %d have no manager", lost, people)
	}
}
