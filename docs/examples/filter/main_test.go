package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container" // MUSTER_TEST_CONTAINERS=1 runs the tests in containers
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestList(t *testing.T) {
	t.Parallel()
	url := storetest.EmptyConnString(t)
	var out strings.Builder
	if err := run(t.Context(), url, &out, "", "title"); err != nil || out.String() != "" {
		t.Fatalf("an empty table has %q, %v", out.String(), err)
	}
	pool := storetest.Empty(t)
	if _, err := pool.Exec(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	for i, title := range []string{"Door of the cellar", "DOOR of the roof", "Straße", "Lamp"} {
		id := fmt.Sprintf("00000000-0000-0000-0000-00000000000%d", i)
		created := time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC)
		if err := add(t.Context(), pool, id, title, i == 1, created); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ filters, sorters, want string }{
		{"", "title", "Door of the cellar|DOOR of the roof / Lamp|Straße"},
		{"", "-created", "Lamp|Straße / DOOR of the roof|Door of the cellar"},
		{`title sw "door"`, "-title", "DOOR of the roof|Door of the cellar"},
		{`title sw "door" and not done eq true`, "title", "Door of the cellar"},
		{`title eq "STRASSE" or created lt 2026-01-02`, "created", "Door of the cellar|Straße"},
		{`id in ("00000000-0000-0000-0000-000000000003")`, "title", "Lamp"},
	} {
		var pages []string
		for after := ""; ; {
			found, err := list(t.Context(), pool, test.filters, test.sorters, after, 2)
			if err != nil {
				t.Fatalf("%s: %v", test.filters, err)
			}
			var titles []string
			for _, ticket := range found.Tickets {
				titles = append(titles, ticket.Title)
			}
			pages = append(pages, strings.Join(titles, "|"))
			if after = found.Next; after == "" {
				break
			}
		}
		if got := strings.Join(pages, " / "); got != test.want {
			t.Errorf("%s by %s: %s, want %s", test.filters, test.sorters, got, test.want)
		}
	}
	err := run(t.Context(), url, &out, `titel sw "door"`, "title")
	if err == nil || !strings.Contains(err.Error(), "^^^^^") || !strings.Contains(err.Error(), "did you mean") {
		t.Errorf("a mistake is told as %v", err)
	}
}
