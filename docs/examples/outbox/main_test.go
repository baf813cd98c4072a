package main

import (
	"context"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container" // MUSTER_TEST_CONTAINERS=1 runs the tests in containers
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestOutbox(t *testing.T) {
	t.Parallel()
	c := enginetest.New(t)
	if _, err := c.Pool.Exec(t.Context(), strings.ReplaceAll(tables, "CREATE TABLE IF NOT EXISTS", "CREATE TABLE")); err != nil {
		t.Fatal(err)
	}
	all := func() {
		t.Helper()
		for {
			count, err := next(t.Context(), c.Pool, c.Engine)
			if err != nil {
				t.Fatal(err)
			}
			if count == 0 {
				return
			}
		}
	}
	all()
	if n := c.CountRows("welcomes WHERE gone IS NULL"); n != 5 {
		t.Errorf("%d people are welcome, want 5", n)
	}
	// Nothing is done twice, and what comes later is found.
	if _, err := c.Pool.Exec(t.Context(), `DELETE FROM welcomes`); err != nil {
		t.Fatal(err)
	}
	all()
	if n := c.CountRows("welcomes"); n != 0 {
		t.Errorf("%d people were read again", n)
	}
	c.AggregateText("HR", enginetest.People+"eve,Eve New,Eve,New,eve@example.com,Sales,ann,30,active\n",
		engine.AggregateOptions{})
	c.Process()
	eve := c.ID("eve")
	all()
	if n := c.CountRows("welcomes WHERE identity_id = $1", eve); n != 1 {
		t.Error("the newcomer is not welcome")
	}
	// Where the work fails, the place stays where it was.
	if err := c.DeleteIdentity(t.Context(), eve); err != nil {
		t.Fatal(err)
	}
	failing, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := next(failing, c.Pool, c.Engine); err == nil {
		t.Error("a context that has ended fails nothing")
	}
	all()
	if n := c.CountRows("welcomes WHERE gone IS NOT NULL"); n != 1 {
		t.Error("the leaver is not gone")
	}
}
