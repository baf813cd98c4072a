package searchql

import (
	"strings"
	"time"
)

// period is the meaning of a date: all instants from start to before end. For a single instant both are the same.
type period struct{ start, end time.Time }

func (p period) isInstant() bool { return p.end.Equal(p.start) }

// dateLayouts are the forms of a date, each with the part of time that it leaves open. A text with a zone of its own is
// read by the same form with one.
var dateLayouts = []struct {
	layout string
	unit   byte
	time   bool
}{
	{"2006", 'y', false},
	{"2006-01", 'M', false},
	{"2006-01-02", 'd', false},
	{"2006-01-02T15", 'h', true},
	{"2006-01-02T15:04", 'm', true},
	{"2006-01-02T15:04:05", 's', true},
}

// dateStepsMax is the most steps of date arithmetic in a value.
const dateStepsMax = 10

// parseDate reads a date with its arithmetic, such as 2017-09-25, now-7d/d or 2024-01-01||+1M/d. Dates without a zone,
// and the parts of time that are rounded to, are those of zone.
func parseDate(text string, now time.Time, zone *time.Location) (period, bool) {
	base, steps := text, ""
	var p period
	switch {
	case strings.HasPrefix(text, "now"):
		steps = text[len("now"):]
		at := now.Truncate(time.Microsecond)
		p = period{at, at}
	default:
		if i := strings.Index(text, "||"); i >= 0 {
			base, steps = text[:i], text[i+len("||"):]
			if steps == "" {
				return period{}, false
			}
		}
		var ok bool
		if p, ok = parsePlainDate(base, zone); !ok {
			return period{}, false
		}
	}
	for n := 0; steps != ""; n++ {
		var ok bool
		if p, steps, ok = dateStep(p, steps, zone); !ok || n == dateStepsMax {
			return period{}, false
		}
	}
	return p, p.start.Year() >= 0 && p.end.Year() <= 9999 // PostgreSQL and JSON know others, but nobody means them
}

func parsePlainDate(text string, zone *time.Location) (period, bool) {
	for _, form := range dateLayouts {
		if at, err := time.ParseInLocation(form.layout, text, zone); err == nil && !strings.ContainsAny(text, ".,") {
			return period{at, addUnit(at, 1, form.unit)}, true
		}
		if !form.time {
			continue
		}
		for _, suffix := range []string{"Z07:00", "Z0700"} {
			if at, err := time.Parse(form.layout+suffix, text); err == nil && !strings.ContainsAny(text, ".,") {
				return period{at, addUnit(at, 1, form.unit)}, true
			}
		}
	}
	const fraction = "2006-01-02T15:04:05.999999999"
	for _, layout := range []string{fraction, fraction + "Z07:00", fraction + "Z0700"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			at = at.Truncate(time.Microsecond)
			return period{at, at}, true
		}
	}
	return period{}, false
}

// dateStep reads one step: +7d, -1M or /d.
func dateStep(p period, steps string, zone *time.Location) (period, string, bool) {
	sign := steps[0]
	i := 1
	n := 0
	for i < len(steps) && steps[i] >= '0' && steps[i] <= '9' && i <= 6 {
		n = 10*n + int(steps[i]-'0')
		i++
	}
	digits := i - 1
	if i == len(steps) || strings.IndexByte("yMwdhHms", steps[i]) < 0 {
		return p, "", false
	}
	unit, rest := steps[i], steps[i+1:]
	switch sign {
	case '/':
		if digits > 0 {
			return p, "", false
		}
		start := floor(p.start.In(zone), unit)
		return period{start, addUnit(start, 1, unit)}, rest, true
	case '+', '-':
		if digits == 0 {
			n = 1
		}
		if sign == '-' {
			n = -n
		}
		start, length := p.start.In(zone), p.end.Sub(p.start)
		start = addUnit(start, n, unit)
		if length == 0 {
			return period{start, start}, rest, true
		}
		return period{start, addUnit(p.end.In(zone), n, unit)}, rest, true
	}
	return p, "", false
}

// addUnit adds parts of time. Days and longer ones are those of the calendar, in the zone of the time; a month later
// than the 31st of January is the last day of February.
func addUnit(at time.Time, n int, unit byte) time.Time {
	switch unit {
	case 'y':
		return addMonths(at, 12*n)
	case 'M':
		return addMonths(at, n)
	case 'w':
		return at.AddDate(0, 0, 7*n)
	case 'd':
		return at.AddDate(0, 0, n)
	case 'h', 'H':
		return at.Add(time.Duration(n) * time.Hour)
	case 'm':
		return at.Add(time.Duration(n) * time.Minute)
	default:
		return at.Add(time.Duration(n) * time.Second)
	}
}

func addMonths(at time.Time, n int) time.Time {
	first := time.Date(at.Year(), at.Month()+time.Month(n), 1, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(),
		at.Location())
	last := time.Date(first.Year(), first.Month()+1, 0, 0, 0, 0, 0, at.Location()).Day()
	return first.AddDate(0, 0, min(at.Day(), last)-1)
}

// floor returns the beginning of the part of time that an instant is in. A week begins on Monday.
func floor(at time.Time, unit byte) time.Time {
	year, month, day := at.Date()
	switch unit {
	case 'y':
		month, day = time.January, 1
	case 'M':
		day = 1
	case 'w':
		day -= (int(at.Weekday()) + 6) % 7
	case 'h', 'H':
		return at.Truncate(0).Add(-time.Duration(at.Minute())*time.Minute - time.Duration(at.Second())*time.Second -
			time.Duration(at.Nanosecond()))
	case 'm':
		return at.Add(-time.Duration(at.Second())*time.Second - time.Duration(at.Nanosecond()))
	case 's':
		return at.Add(-time.Duration(at.Nanosecond()))
	}
	return time.Date(year, month, day, 0, 0, 0, 0, at.Location())
}

// dateText returns an instant as dates in texts are compared with it: without a time where it is midnight in UTC, so
// that a date and a date with a time have one order.
func dateText(at time.Time) string {
	at = at.UTC()
	text := at.Format("2006-01-02T15:04:05.999999")
	return strings.TrimSuffix(text, "T00:00:00")
}
