package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for _, c := range []struct {
		values []time.Duration
		share  float64
		want   time.Duration
	}{
		{[]time.Duration{3, 1, 2}, 0.5, 2},
		{[]time.Duration{4, 1, 3, 2}, 0.5, 3},
		{[]time.Duration{7}, 0.99, 7},
		{hundred, 0.99, 100},
		{hundred, 0.5, 51},
	} {
		if got := percentile(c.values, c.share); got != c.want {
			t.Errorf("%v of %v is %d where it should be %d", c.share, c.values, got, c.want)
		}
	}
}

// Figure and baselines are measured in turn, and each has the median of its own.
func TestAlternate(t *testing.T) {
	t.Parallel()
	var order []string
	measure := func(name string, times ...time.Duration) measurement {
		return func(context.Context) (time.Duration, error) {
			order = append(order, name)
			d := times[0]
			times = times[1:]
			return d, nil
		}
	}
	medians, err := (&bench{}).alternate(t.Context(), 3, measure("figure", 5, 90, 6), measure("baseline", 2, 1, 3))
	if err != nil || !slices.Equal(medians, []time.Duration{6, 2}) {
		t.Error(medians, err)
	}
	if want := []string{"figure", "baseline", "figure", "baseline", "figure", "baseline"}; !slices.Equal(order, want) {
		t.Error(order)
	}
	broken := errors.New("broken")
	_, err = (&bench{}).alternate(t.Context(), 3, func(context.Context) (time.Duration, error) { return 0, broken })
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestMeasureOps(t *testing.T) {
	t.Parallel()
	calls := 0
	var kept []byte
	costs, err := (&bench{rounds: 1}).measureOps(
		func() error { calls++; return nil },
		func() error { kept = make([]byte, 1<<16); return nil })
	if err != nil || calls < 1000 || costs[0].time <= 0 || len(kept) == 0 || costs[1].time <= costs[0].time {
		t.Error(costs, calls, err)
	}
	broken := errors.New("broken")
	if _, err := (&bench{rounds: 1}).measureOps(func() error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
}
