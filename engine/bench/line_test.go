package main

import (
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	ms := func(n int) value { return duration(time.Duration(n) * time.Millisecond) }
	for _, c := range []struct {
		name   string
		line   line
		target target
		people int
		text   string
		met    string
	}{
		{"no target", against("x", ms(10), "y", ms(5)), target{}, 1000, "", ""},
		{"a ratio that is small enough", against("x", ms(10), "y", ms(5)), ratioAtMost(2), 1000, "ratio <= 2", "yes"},
		{"a ratio that is too large", against("x", ms(11), "y", ms(5)), ratioAtMost(2), 1000, "ratio <= 2", "NO"},
		{"a rate that is high enough", against("x", rate(50, time.Second), "y", rate(100, time.Second)),
			ratioAtLeast(0.5), 1000, "ratio >= 0.5", "yes"},
		{"a rate that is too low", against("x", rate(49, time.Second), "y", rate(100, time.Second)), ratioAtLeast(0.5),
			1000, "ratio >= 0.5", "NO"},
		{"a figure at its limit", alone("x", ms(50)), figureAtMost(ms(50)), 1000, "figure <= 50.0 ms", "yes"},
		{"a figure above its limit", alone("x", ms(51)), figureAtMost(ms(50)), 1000, "figure <= 50.0 ms", "NO"},
		{"a target for more people", against("x", ms(10), "y", ms(5)), ratioAtMost(0.02).fromPeople(1_000_000), 999_999,
			"ratio <= 0.02 from 1,000,000", ""},
		{"a target for as many people", against("x", ms(10), "y", ms(5)), ratioAtMost(0.02).fromPeople(1_000_000),
			1_000_000, "ratio <= 0.02 from 1,000,000", "NO"},
		{"no ratio to nothing", against("x", ms(10), "y", ms(0)), ratioAtMost(2), 1000, "ratio <= 2", ""},
	} {
		judged := c.line.judge(c.target, c.people)
		if cells := judged.cells(); judged.Target != c.text || cells[len(cells)-1] != c.met {
			t.Errorf("got %s: %q, %q, want judged.Target == c.text && cells[len(cells)-1] == c.met", c.name, judged.Target, cells)
		}
	}
}

func TestValueString(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]value{
		"999 ns":      duration(999),
		"1.00 µs":     duration(time.Microsecond),
		"12.3 ms":     duration(12_345 * time.Microsecond),
		"123 s":       duration(123_456 * time.Millisecond),
		"1,234,567/s": {1_234_567, perSecond},
		"12/s":        {12, perSecond},
		"100/s":       {100, perSecond},
		"512 MiB":     {512 << 20, memory},
		"3 allocs":    {3, allocations},
	} {
		if got := v.String(); got != want {
			t.Errorf("%v is %q where it should be %q", v.Number, got, want)
		}
	}
}
