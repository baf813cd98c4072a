package transform

import (
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
)

// clock says how a value depends on the present time.
type clock uint8

// The ways of depending on the present time. A value that is rounded to a unit stands still within the unit, and jumps
// at its end.
const (
	readsNow clock = 1 << iota
	// returns says that the value does not only grow with the time: a format without the year begins again every year.
	returns
	toSecond
	toMinute
	toHour
	toDay
	toMonth
	toYear
)

// units are the units of the rounding, with the number of them that recordTurns looks at. The next ones are like them:
// months and years differ in length, and the hours and days at which the clocks change are looked at too.
var units = [...]struct {
	bit    clock
	letter byte
	count  int
	zone   bool
}{
	{toSecond, 's', 2, false}, {toMinute, 'm', 2, false}, {toHour, 'h', 3, true}, {toDay, 'd', 3, true},
	{toMonth, 'M', 60, false}, {toYear, 'y', 9, false},
}

// roundingTo returns the bit of a unit.
func roundingTo(letter byte) clock {
	for i := range units {
		if units[i].letter == letter {
			return units[i].bit
		}
	}
	return 0
}

// clockOf returns what writing and reading a time in a pattern does to it: it rounds it to the finest field. Without
// the fields of a larger unit the value begins again at the end of that unit.
func clockOf(pattern string) (c clock) {
	fields := [...]struct {
		bit     clock
		letters string
	}{
		{toSecond, "sS"}, {toMinute, "m"}, {toHour, "HkKh"}, {toDay, "dDEuF"}, {toMonth, "MLDwW"}, {toYear, "yY"},
	}
	found := false
	for i := range fields {
		switch has := strings.ContainsAny(pattern, fields[i].letters); {
		case has && !found:
			c |= fields[i].bit
			found = true
		case !has && found:
			c |= returns | fields[i].bit
		}
	}
	return c
}

// horizon is how far ahead recordTurns looks for the turn of a comparison.
const horizon = 200 * 365 * 24 * time.Hour

// turns looks for the times at which a comparison turns. It tries times.
type turns struct {
	holds bool // at the present time
	at    func(time.Time) (bool, error)
	due   time.Time // the first turn that was found
}

// recordTurns records when the comparison turns, to the second.
func (c *dateCompare) recordTurns(e *evaluation, input attribute.Value, holds bool, first, second clock) error {
	outer := *e
	e.steps, e.trial = nil, true
	t := turns{holds: holds, at: func(now time.Time) (bool, error) {
		in := *outer.in
		in.Now = now
		e.in, e.frame, e.count = &in, outer.frame.forget(), outer.count
		held, _, _, err := c.holds(e, input)
		if err != nil && !isLimit(err) {
			return !holds, nil // from then on the value is another one: an error
		}
		return held, err
	}}
	err := t.find(outer.in.Now.In(outer.location()), outer.due, first, second)
	e.in, e.frame, e.steps, e.count, e.trial = outer.in, outer.frame, outer.steps, outer.count, false
	e.due = outer.due
	e.recordDue(t.due)
	return err
}

// find looks for the first turn after a time, up to a time at which the value is calculated again in any case. Sides
// that move only forward turn a comparison once if one of them stands still. If both move, or one begins again, it may
// turn in every unit that they are rounded to.
func (t *turns) find(now, again time.Time, first, second clock) error {
	until := now.Add(horizon)
	if again.After(now) && again.Before(until) {
		until = again.Add(-2 * time.Second) // it is right to the second
	}
	if err := t.between(now, until); err != nil {
		return err
	}
	if (first|second)&returns == 0 && first&second&readsNow == 0 {
		return nil
	}
	for i := range units {
		if unit := &units[i]; (first|second)&unit.bit != 0 {
			if err := t.inUnits(now, unit.letter, unit.count, unit.zone); err != nil {
				return err
			}
		}
	}
	return nil
}

// between records a turn between two times, if the comparison is different at the second one.
func (t *turns) between(low, high time.Time) error {
	if !high.After(low) {
		return nil
	}
	held, err := t.at(high)
	if err != nil || held == t.holds {
		return err
	}
	for high.Sub(low) > time.Second {
		middle := low.Add(high.Sub(low) / 2)
		held, err := t.at(middle)
		if err != nil {
			return err
		}
		if held == t.holds {
			low = middle
		} else {
			high = middle
		}
	}
	if t.due.IsZero() || high.Before(t.due) {
		t.due = high
	}
	return nil
}

// inUnits looks for a turn in the next units. Within one unit a comparison turns at most once, and once more at its
// end.
func (t *turns) inUnits(from time.Time, unit byte, count int, zone bool) error {
	for range count {
		next := round(from, unit, 1)
		for _, end := range []time.Time{next.Add(-time.Second), next} {
			if !end.After(from) {
				continue
			}
			if err := t.between(from, end); err != nil {
				return err
			}
			if !t.due.IsZero() && !t.due.After(end) {
				return nil
			}
			from = end
		}
	}
	if !zone {
		return nil
	}
	// The clocks change about twice a year; a zone can do so more often.
	for range 4 {
		_, change := from.ZoneBounds()
		if change.IsZero() {
			return nil
		}
		before := round(change.Add(-time.Second), unit, 0)
		if before.After(from) {
			from = before
		}
		if err := t.inUnits(from, unit, 2, false); err != nil {
			return err
		}
		from = change
	}
	return nil
}
