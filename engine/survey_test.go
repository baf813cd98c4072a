package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// A run over everybody finds what is wrong, though nothing told it, and takes over the requests of others. It leaves rows
// alone that are as they should be: it does not even lock them.
func TestRunOverEverybodyTakesUpWhatDiffers(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, engine.Config{BatchSize: 20, Workers: 2})
	f.ApplyText(enginetest.Documents)
	f.ApplyText(fmt.Sprintf(salesRole, true, "Sales"))
	var rows strings.Builder
	rows.WriteString(enginetest.PeopleHeader)
	for i := range 65 {
		fmt.Fprintf(&rows, "%d,Person %d,P,%d,p%d@example.com,Sales,%d,30,active\n", i, i, i, i, (i+1)%65)
	}
	f.AggregateText("HR", rows.String(), engine.AggregateOptions{})
	f.Process()
	const (
		version = `SELECT coalesce(sum(xmin::text::bigint + xmax::text::bigint), 0)::bigint FROM muster.identities
			WHERE alias::int > 10`
		wrong = `SELECT count(*) FROM muster.identities WHERE attributes ->> 'department' = 'spoilt' OR name = 'spoilt' OR manager_id IS NULL`
	)
	before := f.number(version)
	for _, damage := range []string{
		`UPDATE muster.identities SET attributes = attributes || '{"department": "spoilt"}' WHERE alias = '3'`,
		`UPDATE muster.identities SET name = 'spoilt' WHERE alias = '4'`,
		`UPDATE muster.identities SET manager_id = NULL WHERE alias = '2'`,
		`DELETE FROM muster.role_assignments WHERE identity_id = (SELECT id FROM muster.identities WHERE alias = '6')`,
		`UPDATE muster.refresh_state SET due = now() + interval '1 year' WHERE identity_id = (SELECT id FROM muster.identities WHERE alias = '5')`,
	} {
		if tag, err := f.Pool.Exec(t.Context(), damage); err != nil || tag.RowsAffected() != 1 {
			t.Fatal(damage, tag, err)
		}
	}
	members := f.CountRows(`muster.role_assignments`)
	if _, err := f.ProcessIdentities(t.Context(), []string{f.Identity("1").ID}); err != nil {
		t.Fatal(err)
	}
	all, err := f.ProcessAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	status, err := f.ProcessTask(t.Context(), all.ID, engine.ProcessOptions{})
	if err != nil || status.Attributes.IdentityCount != 65 || status.Attributes.ChangedCount != 4 {
		t.Fatalf("got %+v, %v, want err == nil && status.Attributes.IdentityCount == 65 && status.Attributes.ChangedCount == 4", status.Attributes, err)
	}
	for query, want := range map[string]int{
		wrong: 0,
		`SELECT count(*) FROM muster.role_assignments`:                                      members + 1,
		`SELECT count(*) FROM muster.refresh_requests`:                                      0,
		`SELECT count(*) FROM muster.refresh_state WHERE due > now() + interval '300 days'`: 0,
	} {
		if got := f.number(query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	if after := f.number(version); after != before {
		t.Error("identities of which nothing differs were locked or written")
	}
}
