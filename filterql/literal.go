package filterql

import (
	"math"
	"math/big"
	"strconv"
	"time"
)

// kindOf returns the kind of a literal without quotes.
//
//	number    = [ "+" | "-" ] digits [ "." digits ] [ ( "e" | "E" ) [ "+" | "-" ] digits ] ;
//	boolean   = "true" | "false" ;
//	date-time = RFC 3339 date-time | year "-" month "-" day ;
func kindOf(text string) ValueKind {
	switch {
	case isNumber(text):
		return NumberValue
	case text == "true", text == "false":
		return BooleanValue
	case len(text) >= len(time.DateOnly) && text[4] == '-':
		if _, ok := parsePeriod(text); ok {
			return TimeValue
		}
	}
	return StringValue
}

func isNumber(text string) bool {
	i := 0
	digits := func() bool {
		start := i
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
		return i > start
	}
	sign := func() {
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
	}
	sign()
	if !digits() {
		return false
	}
	if i < len(text) && text[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		i++
		sign()
		if !digits() {
			return false
		}
	}
	return i == len(text)
}

// period is the meaning of a date-time literal: all instants from start to before end. For a single instant both are
// the same.
type period struct{ start, end time.Time }

func (p period) isInstant() bool { return p.end.Equal(p.start) }

// parsePeriod reads an RFC 3339 date-time, a date or a year; dates and years are in UTC. PostgreSQL stores
// microseconds, so finer digits are cut off.
func parsePeriod(text string) (period, bool) {
	switch len(text) {
	case len("2006"):
		if start, err := time.Parse("2006", text); err == nil {
			return period{start, start.AddDate(1, 0, 0)}, true
		}
	case len(time.DateOnly):
		if start, err := time.Parse(time.DateOnly, text); err == nil {
			return period{start, start.AddDate(0, 0, 1)}, true
		}
	default:
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			at = at.UTC().Truncate(time.Microsecond)
			return period{at, at}, true
		}
	}
	return period{}, false
}

// number is a number literal.
type number struct {
	text    string
	integer int64 // set if isInt
	isInt   bool
	float   float64  // the nearest float
	exact   *big.Rat // the value
}

// parseNumber reads a number. It refuses one that a float cannot hold: PostgreSQL could not compare a float with it,
// and its exact value could take any amount of memory.
func parseNumber(text string) (number, bool) {
	if !isNumber(text) {
		return number{}, false
	}
	if isZero(text) {
		text = "0" // PostgreSQL may not read its exponent
	}
	n := number{text: text}
	var err error
	if n.float, err = strconv.ParseFloat(text, 64); err != nil || math.Abs(n.float) < floatMin && text != "0" {
		return number{}, false
	}
	if n.integer, err = strconv.ParseInt(text, 10, 64); err == nil {
		n.isInt = true
	}
	var ok bool
	n.exact, ok = new(big.Rat).SetString(text)
	return n, ok
}

// floatMin is the smallest number that a float holds with all its digits.
const floatMin = 0x1p-1022

// isZero reports whether a number has only the digit 0 before its exponent.
func isZero(number string) bool {
	for i := range len(number) {
		switch b := number[i]; {
		case b == 'e', b == 'E':
			return true
		case b >= '1' && b <= '9':
			return false
		}
	}
	return true
}
