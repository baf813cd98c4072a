//go:build !race

package criteria

import "testing"

// The race detector lets pools forget at random, so that this is told without it.
func TestMatchAllocatesNothing(t *testing.T) {
	index, people := company(t, 1000)
	dst := make([]int, 0, 100)
	f := &people[0]
	index.Match(f, dst)
	if n := testing.AllocsPerRun(200, func() { index.Match(f, dst) }); n >= 1 {
		t.Errorf("a match makes %v allocations", n)
	}
}
