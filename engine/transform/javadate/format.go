package javadate

import (
	"strconv"
	"time"
)

// Format writes t in the time zone of its location.
func (f *Format) Format(t time.Time) string { return string(f.Append(nil, t)) }

// Append appends t to dst and returns the extended slice.
func (f *Format) Append(dst []byte, t time.Time) []byte {
	_, offset := t.Zone()
	seconds := int(t.Unix()) + offset
	days := floorDiv(seconds, 86400)
	second := floorMod(seconds, 86400)
	d := dateOf(days)
	for _, field := range f.fields {
		switch field.letter {
		case 0:
			dst = append(dst, field.literal...)
		case 'G', 'M', 'L', 'E', 'a':
			dst = appendText(dst, field, d, days, second)
		case 'z', 'Z', 'X':
			dst = appendZone(dst, field, t, offset)
		case 'y':
			dst = appendYear(dst, yearOfEra(d.year), field.count)
		case 'Y':
			year, _ := weekOfYear(days)
			dst = appendYear(dst, year, field.count)
		case 'S':
			dst = appendNumber(dst, t.Nanosecond()/1e6, field.count)
		default:
			dst = appendNumber(dst, number(field.letter, d, days, second), field.count)
		}
	}
	return dst
}

// number returns the value of a numeric field.
func number(letter byte, d date, days, second int) int {
	hour := second / 3600
	switch letter {
	case 'w':
		_, week := weekOfYear(days)
		return week
	case 'W':
		return weekOfMonth(d, days)
	case 'D':
		return dayOfYear(d, days)
	case 'd':
		return d.day
	case 'F':
		return (d.day-1)/7 + 1
	case 'u':
		return (weekday(days)+6)%7 + 1
	case 'H':
		return hour
	case 'k':
		return (hour+23)%24 + 1
	case 'K':
		return hour % 12
	case 'h':
		return (hour+11)%12 + 1
	case 'm':
		return second / 60 % 60
	default: // s
		return second % 60
	}
}

func appendText(dst []byte, f field, d date, days, second int) []byte {
	switch f.letter {
	case 'G':
		era := 1
		if d.year <= 0 {
			era = 0
		}
		if f.count >= 4 {
			return append(dst, longEras[era]...)
		}
		return append(dst, eras[era]...)
	case 'E':
		return appendName(dst, weekdays[weekday(days)], f.count)
	case 'a':
		return append(dst, halves[second/43200]...)
	default: // M, L
		if f.count >= 3 {
			return appendName(dst, months[d.month-1], f.count)
		}
		return appendNumber(dst, d.month, f.count)
	}
}

// appendName appends a name. Its first three letters are the short form.
func appendName(dst []byte, name string, count int) []byte {
	if count < 4 {
		name = name[:3]
	}
	return append(dst, name...)
}

func yearOfEra(year int) int {
	if year <= 0 {
		return 1 - year
	}
	return year
}

// appendYear appends a year, or its last two digits if the pattern has two letters.
func appendYear(dst []byte, year, count int) []byte {
	if count == 2 {
		return appendNumber(dst, floorMod(year, 100), 2)
	}
	return appendNumber(dst, year, count)
}

func appendNumber(dst []byte, n, digits int) []byte {
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	text := strconv.Itoa(n)
	for i := len(text); i < digits; i++ {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}

func appendZone(dst []byte, f field, t time.Time, offset int) []byte {
	if f.letter == 'z' {
		return append(dst, zoneName(t, f.count >= 4)...)
	}
	if f.letter == 'X' && offset/60 == 0 {
		return append(dst, 'Z')
	}
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	dst = append(dst, sign)
	dst = appendNumber(dst, offset/3600, 2)
	if f.letter == 'X' && f.count == 1 {
		return dst
	}
	if f.letter == 'X' && f.count == 3 {
		dst = append(dst, ':')
	}
	return appendNumber(dst, offset/60%60, 2)
}

var (
	eras     = [...]string{"BC", "AD"}
	longEras = [...]string{"Before Christ", "Anno Domini"}
	halves   = [...]string{"AM", "PM"}
	months   = [...]string{
		"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
		"December",
	}
	weekdays = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
)
