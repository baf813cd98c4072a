package engine_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// Of many who send one form the first does it, until it is given back or a day has passed.
func TestClaimForm(t *testing.T) {
	t.Parallel()
	clock := enginetest.NewClock(time.Now())
	f := enginetest.NewEmpty(t, enginetest.WithClock(clock))
	ctx := t.Context()
	claim := func(key string) bool {
		first, err := f.ClaimForm(ctx, key)
		if err != nil {
			t.Error(err)
		}
		return first
	}
	var firsts atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if claim("a") {
				firsts.Add(1)
			}
		})
	}
	group.Wait()
	if firsts.Load() != 1 || !claim("b") {
		t.Errorf("%d were first, want one, and one of another form", firsts.Load())
	}
	if err := f.ReleaseForm(ctx, "a"); err != nil || !claim("a") || claim("a") {
		t.Errorf("what was given back is not claimed once: %v", err)
	}
	clock.Advance(engine.FormKeyTTL)
	if _, err := f.Purge(ctx, engine.PurgeOptions{}); err != nil || f.CountRows("muster.form_keys") != 0 {
		t.Errorf("%d keys are left: %v", f.CountRows("muster.form_keys"), err)
	}
	_, err := f.ClaimForm(ctx, "")
	demandKind(t, err, engine.Invalid, "1 to")
}
