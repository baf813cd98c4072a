package javadate

import "time"

// Twice says which of the two times a local time means that the clocks of a location show twice.
type Twice uint8

// The choices of [Instant].
const (
	// Later is the choice of java.util.GregorianCalendar, and so of SimpleDateFormat: standard time.
	Later Twice = iota
	// Earlier is the choice of java.time for the beginning of a day.
	Earlier
)

// Instant returns the time at which the clocks of a location show what wall shows; wall's own time zone does not
// matter. A local time that the clocks skip is moved forward by the length of the gap, as Java does. This is the only
// place that turns a local time into a time.
func Instant(wall time.Time, location *time.Location, twice Twice) time.Time {
	earlier, later := instants(wall, location)
	if twice == Later {
		return later
	}
	return earlier
}

// InstantNear is [Instant] for the result of a calculation that began with a time at an offset, in seconds east of UTC.
// If the clocks show the local time twice, it means the one at this offset, as in java.time.ZonedDateTime.
func InstantNear(wall time.Time, location *time.Location, offset int) time.Time {
	earlier, later := instants(wall, location)
	if _, o := later.Zone(); o == offset {
		return later
	}
	return earlier
}

// Wall returns what the clocks show at a time, as a time in UTC: a calendar without gaps, for calculating.
func Wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// offsetMax is more than the largest offset of a location from UTC, in seconds.
const offsetMax = 16 * 3600

// instants returns the two times at which the clocks show a local time. They are the same unless it occurs twice.
func instants(wall time.Time, location *time.Location) (earlier, later time.Time) {
	local := Wall(wall).Unix()
	at := func(offset int) time.Time {
		return time.Unix(local-int64(offset), int64(wall.Nanosecond())).In(location)
	}
	// Each period of the location has one offset. The local time belongs to the period in which it lies by that offset,
	// or to the gap between two periods: it is too late for the first, and too early for the second.
	before, found := 0, false
	for t := time.Unix(local-offsetMax, 0).In(location); ; {
		_, offset := t.Zone()
		start, end := t.ZoneBounds()
		u := local - int64(offset)
		if !start.IsZero() && u < start.Unix() {
			if !found {
				earlier, later = at(before), at(before)
			}
			return earlier, later
		}
		if end.IsZero() || u < end.Unix() {
			if later = at(offset); !found {
				earlier, found = later, true
			}
		}
		if end.IsZero() || end.Unix() > local+offsetMax {
			return earlier, later
		}
		t, before = end, offset
	}
}
