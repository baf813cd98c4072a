package console

import (
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
)

// A run that is held does not go on: its time ended when it was held.
func TestHeldRunsInPlots(t *testing.T) {
	t.Parallel()
	launched := time.Now().Add(-time.Hour)
	held := launched.Add(5 * time.Second)
	run := engine.TaskStatus{Launched: &launched, HeldAt: &held, Held: "too many"}
	if outcomeOf(&run) != runHeld || outcomeText(&run) != "HELD" || lastedOf(&run) != 5*time.Second {
		t.Errorf("held: %d %q %s", outcomeOf(&run), outcomeText(&run), lastedOf(&run))
	}
	done := "SUCCESS"
	run = engine.TaskStatus{Launched: &launched, Completed: &held, CompletionStatus: &done}
	if outcomeOf(&run) != runDone || outcomeText(&run) != done || lastedOf(&run) != 5*time.Second {
		t.Errorf("done: %d %q %s", outcomeOf(&run), outcomeText(&run), lastedOf(&run))
	}
	run = engine.TaskStatus{Launched: &launched}
	if outcomeOf(&run) != runGoesOn || outcomeText(&run) != "" || lastedOf(&run) < time.Hour {
		t.Errorf("going on: %d %q %s", outcomeOf(&run), outcomeText(&run), lastedOf(&run))
	}
}
