package store_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

var update = flag.Bool("update", false, "write the list of what the migrations make")

// The list of what the migrations make is what they make.
func TestSchemaList(t *testing.T) {
	t.Parallel()
	objects, err := newStore(t).SchemaObjects(t.Context(), storetest.Pool(t))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(objects, "\n") + "\n"
	if *update {
		if err := os.WriteFile("schema.txt", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	list, err := os.ReadFile("schema.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(list), text); diff != "" {
		t.Errorf("schema.txt is not what the migrations make; write it again with -update: %s", diff)
	}
}

// Every constraint of the migrations is one that the doctor holds the rows against, or one that needs no look at them.
func TestDoctorKnowsEveryConstraint(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	rows, err := pool.Query(t.Context(), `
		SELECT c.conname, c.contype::text, r.relname, a.attname
		FROM pg_constraint c
		JOIN pg_class r ON r.oid = c.conrelid
		JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
		WHERE c.connamespace = 'muster'::regnamespace AND c.contype IN ('c', 'f')`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	known := map[string]bool{"configuration_singleton": true, "refresh_watermark_singleton": true,
		"event_positions_singleton": true, "statistics_state_singleton": true} // the check singleton
	for _, r := range store.Rules {
		known[r.Constraint] = true
	}
	for i := range store.References {
		known[store.References[i].Name()] = true
	}
	seen := 0
	for rows.Next() {
		var name, kind, table, column string
		if err := rows.Scan(&name, &kind, &table, &column); err != nil {
			t.Fatal(err)
		}
		seen++
		if kind == "c" && !known[name] || kind == "f" && !known[table+"."+column] {
			t.Errorf("the doctor does not look for rows that contradict %s", name)
		}
	}
	if rows.Err() != nil || seen < len(store.Rules) {
		t.Errorf("%d constraints were seen: %v", seen, rows.Err())
	}
}
