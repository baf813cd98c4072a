package criteria

import "strings"

// decimalDigitsMax is the most digits of a number before the point, and also after it.
const decimalDigitsMax = 100

// DecimalPattern is a POSIX regular expression that matches the texts of numbers.
const DecimalPattern = `^[ \t]*[+-]?[0-9]{1,100}(\.[0-9]{1,100})?[ \t]*$`

// decimal is a number of any size: its digits before and after the point, without zeros at the ends.
type decimal struct {
	whole, fraction string
	negative        bool
	valid           bool
}

func parseDecimal(text string) decimal {
	text = strings.Trim(text, " \t")
	var d decimal
	if text != "" && (text[0] == '-' || text[0] == '+') {
		d.negative = text[0] == '-'
		text = text[1:]
	}
	whole, fraction, point := strings.Cut(text, ".")
	if !digits(whole) || point && !digits(fraction) {
		return decimal{}
	}
	d.whole, d.fraction, d.valid = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0"), true
	if d.whole == "" && d.fraction == "" {
		d.negative = false
	}
	return d
}

func digits(text string) bool {
	if text == "" || len(text) > decimalDigitsMax {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// compare returns -1, 0 or 1.
func (d decimal) compare(e decimal) int {
	if d.negative != e.negative {
		if d.negative {
			return -1
		}
		return 1
	}
	order := len(d.whole) - len(e.whole)
	if order == 0 {
		order = strings.Compare(d.whole, e.whole)
	}
	if order == 0 {
		order = strings.Compare(d.fraction, e.fraction)
	}
	if d.negative {
		order = -order
	}
	return max(-1, min(1, order))
}
