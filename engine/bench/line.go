package main

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// unit is the unit of a value.
type unit string

const (
	seconds     unit = "s"
	perSecond   unit = "/s"
	memory      unit = "B"
	allocations unit = "allocations"
	times       unit = "x"
)

// value is a measured quantity.
type value struct {
	Number float64 `json:"value"`
	Unit   unit    `json:"unit"`
}

func duration(d time.Duration) value { return value{d.Seconds(), seconds} }

// rate returns count per second.
func rate(count int, d time.Duration) value { return value{float64(count) / d.Seconds(), perSecond} }

func (v value) String() string {
	switch v.Unit {
	case seconds:
		return significant(time.Duration(v.Number * float64(time.Second)))
	case perSecond:
		return grouped(v.Number) + "/s"
	case memory:
		return fmt.Sprintf("%.0f MiB", v.Number/(1<<20))
	case allocations:
		return fmt.Sprintf("%.0f allocs", v.Number)
	}
	return fmt.Sprintf("%.2f", v.Number)
}

// significant returns a duration with three significant digits.
func significant(d time.Duration) string {
	for _, step := range []struct {
		unit time.Duration
		name string
	}{{time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "µs"}} {
		if d >= step.unit {
			n := float64(d) / float64(step.unit)
			return strconv.FormatFloat(n, 'f', max(0, 2-int(math.Log10(n))), 64) + " " + step.name
		}
	}
	return fmt.Sprintf("%d ns", d)
}

// grouped returns a number without a fraction, with commas.
func grouped(n float64) string {
	text := strconv.FormatFloat(n, 'f', 0, 64)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// target is the target of a line. The zero target means none.
type target struct {
	quantity string // "ratio" or "figure"
	least    bool   // limit is a minimum, not a maximum
	limit    value
	from     int // it applies from this number of people on
}

func ratioAtMost(limit float64) target {
	return target{quantity: "ratio", limit: value{limit, times}}
}

func ratioAtLeast(limit float64) target {
	return target{quantity: "ratio", least: true, limit: value{limit, times}}
}

func figureAtMost(limit value) target { return target{quantity: "figure", limit: limit} }

// fromPeople returns t for populations of at least n people.
func (t target) fromPeople(n int) target {
	t.from = n
	return t
}

func (t target) String() string {
	if t.quantity == "" {
		return ""
	}
	sign := "<= "
	if t.least {
		sign = ">= "
	}
	limit := t.limit.String()
	if t.limit.Unit == times {
		limit = strconv.FormatFloat(t.limit.Number, 'g', -1, 64)
	}
	text := t.quantity + " " + sign + limit
	if t.from > 0 {
		text += " from " + grouped(float64(t.from))
	}
	return text
}

// line is a figure, its baseline and its target.
type line struct {
	Case         string   `json:"case"`
	Name         string   `json:"name"`
	Figure       value    `json:"figure"`
	BaselineName string   `json:"baselineName,omitempty"`
	Baseline     *value   `json:"baseline,omitempty"`
	Ratio        *float64 `json:"ratio,omitempty"`
	Target       string   `json:"target,omitempty"`
	Met          *bool    `json:"met,omitempty"` // nil if there is no target, or none for so few people
	column       string   // in the table of growth; empty for none
}

// against returns a line that compares a figure with a baseline of the same unit. The ratio is figure to baseline.
func against(name string, figure value, baselineName string, baseline value) line {
	l := line{Name: name, Figure: figure, BaselineName: baselineName, Baseline: &baseline}
	if baseline.Number != 0 {
		ratio := figure.Number / baseline.Number
		l.Ratio = &ratio
	}
	return l
}

// alone returns a line without a baseline.
func alone(name string, figure value) line { return line{Name: name, Figure: figure} }

// chart adds the figure to the table of growth, under a name that is the same for all sizes.
func (l line) chart(column string) line {
	l.column = fmt.Sprintf("%s [%s]", column, l.Figure.Unit)
	return l
}

// judge sets the target of the line and whether the line reaches it.
func (l line) judge(t target, people int) line {
	l.Target = t.String()
	if people < t.from || t.quantity == "" {
		return l
	}
	got := l.Figure.Number
	if t.quantity == "ratio" {
		if l.Ratio == nil {
			return l
		}
		got = *l.Ratio
	}
	met := got <= t.limit.Number
	if t.least {
		met = got >= t.limit.Number
	}
	l.Met = &met
	return l
}
