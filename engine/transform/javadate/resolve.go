package javadate

import "time"

// The fields that a text can set.
const (
	era = iota
	year
	weekYear
	month
	weekOfYearField
	weekOfMonthField
	dayOfMonth
	dayOfYearField
	dayOfWeek // 0 is Sunday
	dayOfWeekInMonth
	half
	hour
	hourOfDay
	minute
	second
	millisecond
	zone // seconds east of UTC
	fieldCount
)

// numbers maps each numeric pattern letter to the field that it sets.
var numbers = map[byte]int{
	'M': month, 'L': month, 'w': weekOfYearField, 'W': weekOfMonthField, 'D': dayOfYearField, 'd': dayOfMonth,
	'F': dayOfWeekInMonth, 'H': hourOfDay, 'k': hourOfDay, 'K': hour, 'h': hour, 'm': minute, 's': second,
	'S': millisecond,
}

// calendar holds the fields that were read and their order: if fields contradict each other, the last one counts.
type calendar struct {
	value [fieldCount]int
	stamp [fieldCount]int
	last  int
}

func (c *calendar) set(field, value int) {
	c.last++
	c.value[field], c.stamp[field] = value, c.last
}

func (c *calendar) isSet(field int) bool { return c.stamp[field] > 0 }

func (c *calendar) get(field, missing int) int {
	if c.isSet(field) {
		return c.value[field]
	}
	return missing
}

// both returns the position of the later of two fields, or 0 unless both were set.
func (c *calendar) both(a, b int) int {
	if !c.isSet(a) || !c.isSet(b) {
		return 0
	}
	return max(c.stamp[a], c.stamp[b])
}

// time returns the time that the fields mean. Fields out of range count on: 30 February is 2 March.
func (c *calendar) time(location *time.Location) time.Time {
	seconds := c.days()*86400 + c.hours()*3600 + c.value[minute]*60 + c.value[second]
	ms := c.value[millisecond]
	seconds += floorDiv(ms, 1000)
	nanoseconds := floorMod(ms, 1000) * int(time.Millisecond)
	if c.isSet(zone) {
		return time.Unix(int64(seconds-c.value[zone]), int64(nanoseconds)).In(location)
	}
	// Go gets the number of the day, not its date: before the cutover the dates of the two calendars differ.
	return Instant(time.Unix(int64(seconds), int64(nanoseconds)).UTC(), location, Later)
}

func (c *calendar) hours() int {
	twelve := c.both(hour, half)
	if twelve == 0 && !c.isSet(hourOfDay) {
		twelve = max(c.stamp[hour], c.stamp[half])
	}
	if c.stamp[hourOfDay] >= twelve {
		return c.value[hourOfDay]
	}
	return c.value[hour] + 12*c.value[half]
}

// days returns the day, in days since 1 January 1970. By the rule of java.util.GregorianCalendar, the last one set of
// the day of the month, the weeks and the day of the year counts.
func (c *calendar) days() int {
	if c.stamp[weekYear] > c.stamp[year] {
		return c.weekDate()
	}
	y := c.get(year, 1970)
	if c.isSet(era) && c.value[era] == 0 {
		y = 1 - y
	}
	switch c.dayBy() {
	case dayOfYearField:
		return daysOf(y, 1, 1) + c.value[dayOfYearField] - 1
	case weekOfYearField:
		return weekStart(daysOf(y, 1, 1)) + 7*(c.value[weekOfYearField]-1) + c.value[dayOfWeek]
	case weekOfMonthField:
		first := daysOf(y, c.get(month, 1), 1)
		return weekStart(first) + 7*(c.value[weekOfMonthField]-1) + c.value[dayOfWeek]
	case dayOfWeekInMonth:
		return c.weekdayInMonth(y)
	default:
		return daysOf(y, c.get(month, 1), c.get(dayOfMonth, 1))
	}
}

func (c *calendar) weekDate() int {
	first := weekStart(daysOf(c.value[weekYear], 1, 1))
	return first + 7*(c.get(weekOfYearField, 1)-1) + c.value[dayOfWeek]
}

// dayBy returns the field that decides the day.
func (c *calendar) dayBy() int {
	candidates := [...]struct{ field, stamp int }{
		{dayOfMonth, c.stamp[dayOfMonth]},
		{weekOfMonthField, c.both(weekOfMonthField, dayOfWeek)},
		{dayOfWeekInMonth, c.both(dayOfWeekInMonth, dayOfWeek)},
		{dayOfYearField, c.stamp[dayOfYearField]},
		{weekOfYearField, c.both(weekOfYearField, dayOfWeek)},
	}
	best := candidates[0]
	for _, candidate := range candidates[1:] {
		if candidate.stamp > best.stamp {
			best = candidate
		}
	}
	if best.stamp > 0 {
		return best.field
	}
	best.field, best.stamp = weekOfMonthField, c.stamp[weekOfMonthField]
	if stamp := max(c.stamp[dayOfWeekInMonth], c.stamp[dayOfWeek]); stamp > best.stamp {
		best.field, best.stamp = dayOfWeekInMonth, stamp
	}
	if stamp := c.stamp[weekOfYearField]; stamp > best.stamp {
		best.field, best.stamp = weekOfYearField, stamp
	}
	if best.stamp == 0 {
		return dayOfMonth
	}
	return best.field
}

// weekdayInMonth returns the n-th given weekday of the month; a negative n counts from the end.
func (c *calendar) weekdayInMonth(y int) int {
	n := c.get(dayOfWeekInMonth, 1)
	m := c.get(month, 1)
	weekdayWanted := c.value[dayOfWeek]
	if n < 0 {
		last := daysOf(y, m+1, 1) - 1
		return last - floorMod(weekday(last)-weekdayWanted, 7) + 7*(n+1)
	}
	first := daysOf(y, m, 1)
	return first + floorMod(weekdayWanted-weekday(first), 7) + 7*(n-1)
}
