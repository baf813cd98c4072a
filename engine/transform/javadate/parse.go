package javadate

import (
	"fmt"
	"strings"
	"time"
)

// numberMax is the largest number of a text. A larger one is not part of a date.
const numberMax = 999_999_999

// Options are the inputs of [Format.Parse] besides the text.
type Options struct {
	// Location is the time zone of a text without one. Nil means UTC.
	Location *time.Location
	// Now decides the century of two-digit years.
	Now time.Time
}

// Parse reads the beginning of text. The error says which part of the pattern does not fit and where. It never quotes
// the text, which is personal data.
func (f *Format) Parse(text string, o Options) (time.Time, error) {
	if o.Location == nil {
		o.Location = time.UTC
	}
	p := parser{text: text, format: f, options: o}
	for i := range f.fields {
		if err := p.field(&f.fields[i]); err != nil {
			return time.Time{}, err
		}
	}
	t := p.calendar.time(o.Location)
	if p.ambiguous && t.Before(centuryStart(o.Now)) {
		p.calendar.value[p.yearField()] += 100
		t = p.calendar.time(o.Location)
	}
	return t, nil
}

// centuryStart returns the earliest time that a year of two digits can mean.
func centuryStart(now time.Time) time.Time { return now.AddDate(-80, 0, 0) }

type parser struct {
	text     string
	at       int
	format   *Format
	options  Options
	calendar calendar
	// ambiguous says that the two digits of the year fit both the first and the last year of the century, so the day
	// decides.
	ambiguous bool
}

func (p *parser) field(f *field) error {
	if f.letter == 0 {
		if !strings.HasPrefix(p.text[p.at:], f.literal) {
			return fmt.Errorf("at character %d: want %q", p.at+1, f.literal)
		}
		p.at += len(f.literal)
		return nil
	}
	start := p.at
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
	if f.isName() {
		p.at = start // Only numbers and zones may follow skipped blanks.
	}
	if !p.read(f, start) {
		return fmt.Errorf("at character %d: want %s", p.at+1, strings.Repeat(string(f.letter), f.count))
	}
	return nil
}

// read reads one field. The field starts at start, before the skipped blanks.
func (p *parser) read(f *field, start int) bool {
	switch {
	case f.letter == 'G':
		return p.name(era, longEras[:], 0, len("BC")) || p.name(era, eras[:], 0, len("BC"))
	case (f.letter == 'M' || f.letter == 'L') && f.count > 2:
		return p.name(month, months[:], 1, 3)
	case f.letter == 'E':
		return p.name(dayOfWeek, weekdays[:], 0, 3)
	case f.letter == 'a':
		return p.name(half, halves[:], 0, len("AM"))
	case f.letter == 'z' || f.letter == 'Z' || f.letter == 'X':
		offset, length := parseZone(p.text[p.at:])
		p.at += length
		p.calendar.set(zone, offset)
		return length > 0
	}
	return p.readNumber(f, start)
}

func (p *parser) readNumber(f *field, start int) bool {
	begin := p.at
	n, ok := p.number(f, start)
	if !ok {
		return false
	}
	switch f.letter {
	case 'y', 'Y':
		p.calendar.set(p.yearField(), p.fullYear(f, n, begin))
	case 'k', 'h':
		if n == map[byte]int{'k': 24, 'h': 12}[f.letter] {
			n = 0
		}
		p.calendar.set(numbers[f.letter], n)
	case 'u':
		if n > 7 {
			n-- // SimpleDateFormat counts these days from Sunday.
		}
		p.calendar.set(dayOfWeek, floorMod(n, 7))
	default:
		p.calendar.set(numbers[f.letter], n)
	}
	return true
}

// number reads an integer. It leaves the digits of the next field.
func (p *parser) number(f *field, start int) (int, bool) {
	end := len(p.text)
	if f.abutting {
		if start+f.count > end {
			return 0, false
		}
		end = start + f.count
	}
	i, n := p.at, 0
	negative := i < end && p.text[i] == '-'
	if negative {
		i++
	}
	first := i
	for ; i < end && p.text[i] >= '0' && p.text[i] <= '9'; i++ {
		if n = n*10 + int(p.text[i]-'0'); n > numberMax {
			return 0, false
		}
	}
	if i == first {
		return 0, false
	}
	p.at = i
	if negative {
		n = -n
	}
	return n, true
}

// yearField returns the field that y and Y set. Nobody means a week year without a week.
func (p *parser) yearField() int {
	if p.format.weekYear {
		return weekYear
	}
	return year
}

// fullYear adds the century to a year of exactly two digits if the pattern has at most two letters.
func (p *parser) fullYear(f *field, n, begin int) int {
	digits := strings.Trim(p.text[begin:p.at], "0123456789") == ""
	if f.count > 2 || p.at-begin != 2 || !digits {
		return n
	}
	start := centuryStart(p.options.Now).Year()
	pivot := floorMod(start, 100)
	p.ambiguous = n == pivot
	n += start - pivot
	if n < start {
		n += 100
	}
	return n
}

// name reads one of the names, in full or its first short letters, and sets the field to its number. The longest match
// wins.
func (p *parser) name(field int, names []string, first, short int) bool {
	rest := p.text[p.at:]
	best, length := -1, 0
	for i, name := range names {
		for _, n := range [...]int{len(name), min(short, len(name))} {
			if n > length && len(rest) >= n && strings.EqualFold(rest[:n], name[:n]) {
				best, length = i, n
			}
		}
	}
	if best < 0 {
		return false
	}
	p.at += length
	p.calendar.set(field, best+first)
	return true
}
