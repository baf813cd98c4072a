package folding

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// joiner is the character that package norm inserts into a run of more than 30 combining marks. The server does not.
const joiner = "\u034F"

// runLengthMin is the least bytes of a text with more than 30 marks: a character of two bytes can hold two marks.
const runLengthMin = 31

// Compose returns the normal form C of a text, also of one with long runs of combining marks. There
// golang.org/x/text/unicode/norm inserts characters that other implementations do not insert.
func Compose(s string) string {
	composed := norm.NFC.String(s)
	if len(s) < runLengthMin || strings.Count(composed, joiner) == strings.Count(s, joiner) {
		return composed
	}
	return composeLong(s)
}

// composeLong is [Compose] for texts with long runs of combining marks. It follows the definition of the form:
// decompose every character, order marks by their class, and compose each mark that is not blocked with its starter.
func composeLong(s string) string {
	class := func(r rune) uint8 { return norm.NFC.PropertiesString(string(r)).CCC() }
	var runes []rune
	for _, r := range s {
		runes = append(runes, []rune(norm.NFD.String(string(r)))...)
	}
	for from := 0; from < len(runes); from++ {
		to := from
		for to < len(runes) && class(runes[to]) != 0 {
			to++
		}
		slices.SortStableFunc(runes[from:to], func(a, b rune) int { return int(class(a)) - int(class(b)) })
		from = max(from, to-1)
	}
	out, starter, last := runes[:0], -1, uint8(0)
	for _, r := range runes {
		c := class(r)
		if starter >= 0 && (starter == len(out)-1 || last < c) {
			if pair := []rune(norm.NFC.String(string([]rune{out[starter], r}))); len(pair) == 1 {
				out[starter] = pair[0]
				continue
			}
		}
		if c == 0 {
			starter = len(out)
		}
		last = c
		out = append(out, r)
	}
	return string(out)
}
