package javadate

// cutover is 15 October 1582, the first day of the Gregorian calendar, in days since 1 January 1970.
const cutover = -141427

// date is a day of the Gregorian calendar or, before the cutover, of the Julian one. The year 0 is 1 BC.
type date struct{ year, month, day int }

// daysOf returns the days from 1 January 1970 to a day. The day counts from the first of the month and may be outside
// of it.
func daysOf(year, month, day int) int {
	month--
	year += floorDiv(month, 12)
	month = floorMod(month, 12) + 1
	if days := gregorianDays(year, month) + day - 1; days >= cutover {
		return days
	}
	days := julianDays(year, month) + day - 1
	if days >= cutover {
		// The calendar skipped these days. The first of them counts as the first Gregorian day.
		return gregorianDays(year, month) + day - 1 + 10
	}
	return days
}

// gregorianDays returns the days from 1 January 1970 to the first of a month.
func gregorianDays(year, month int) int {
	y, doy := shifted(year, month)
	return y*365 + floorDiv(y, 4) - floorDiv(y, 100) + floorDiv(y, 400) + doy - 719468
}

func julianDays(year, month int) int {
	y, doy := shifted(year, month)
	return y*365 + floorDiv(y, 4) + doy - 719470
}

// shifted returns the year, if years began with March, and the days from that March to the first of the month.
func shifted(year, month int) (y, days int) {
	if month <= 2 {
		return year - 1, (153*(month+9) + 2) / 5
	}
	return year, (153*(month-3) + 2) / 5
}

// dateOf returns the date that is days after 1 January 1970.
func dateOf(days int) date {
	// Begin with an estimate that is never too large, and go up a few years.
	year := 1970 + floorDiv(days*400, 146097) - 2
	if days < cutover {
		year = 1970 + floorDiv(days*4, 1461) - 2
	}
	for daysOf(year+1, 1, 1) <= days {
		year++
	}
	month := 1
	for month < 12 && daysOf(year, month+1, 1) <= days {
		month++
	}
	first := daysOf(year, month, 1)
	if year == 1582 && month == 10 && days >= cutover {
		first -= 10
	}
	return date{year, month, days - first + 1}
}

func dayOfYear(d date, days int) int { return days - daysOf(d.year, 1, 1) + 1 }

// weekday returns 0 for Sunday to 6 for Saturday.
func weekday(days int) int { return floorMod(days+4, 7) }

// weekStart returns the Sunday that begins a day's week.
func weekStart(days int) int { return days - weekday(days) }

// weekOfYear returns a day's week and the year of the week. Week 1 contains 1 January.
func weekOfYear(days int) (year, week int) {
	year = dateOf(weekStart(days) + 6).year
	return year, (weekStart(days)-weekStart(daysOf(year, 1, 1)))/7 + 1
}

func weekOfMonth(d date, days int) int {
	return (weekStart(days)-weekStart(daysOf(d.year, d.month, 1)))/7 + 1
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func floorMod(a, b int) int { return a - floorDiv(a, b)*b }
