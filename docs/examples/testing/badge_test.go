package badge

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container" // MUSTER_TEST_CONTAINERS=1 runs the tests in containers
)

// TestMain starts the PostgreSQL of the tests when the first one asks, and ends it.
func TestMain(m *testing.M) { storetest.Main(m) }

// Each test has a database of its own with a small company in it, so tests run side by side.
func TestHandedOutBy(t *testing.T) {
	t.Parallel()
	c := enginetest.New(t)
	if by, err := HandedOutBy(t.Context(), c.Engine, c.ID("bob")); err != nil || by != "Ünal, Ayşe" {
		t.Errorf("the badge of Bob is handed out by %q, %v", by, err)
	}
	if _, err := HandedOutBy(t.Context(), c.Engine, c.ID("ann")); !errors.Is(err, ErrNoManager) {
		t.Errorf("the badge of Ann: %v", err)
	}
	if _, err := HandedOutBy(t.Context(), c.Engine, "nobody"); engine.KindOf(err) != engine.NotFound {
		t.Errorf("the badge of nobody: %v", err)
	}
}

// A test brings its own people, and waits for nothing: Process carries out what waits.
func TestAfterAMove(t *testing.T) {
	t.Parallel()
	c := enginetest.New(t)
	c.AggregateText("HR", strings.Replace(enginetest.People, "Sales,ayse,41", "Legal,ann,41", 1), engine.AggregateOptions{})
	c.Process()
	if by, err := HandedOutBy(t.Context(), c.Engine, c.ID("bob")); err != nil || by != "Ann Boss" {
		t.Errorf("the badge of Bob is handed out by %q, %v", by, err)
	}
}

// A test has a clock of its own: what only time changes is found when the schedule runs.
func TestWithAClock(t *testing.T) {
	t.Parallel()
	clock := enginetest.NewClock(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC))
	c := enginetest.New(t, enginetest.WithClock(clock))
	before := c.Identity("bob").Created
	if !before.Equal(clock.Now()) {
		t.Errorf("Bob was made at %s, want %s", before, clock.Now())
	}
}
