package folding

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// joiner is what package norm puts into a run of more than 30 combining marks, and the server does not.
const joiner = "\u034F"

// runLengthMin is how many bytes a text has at least that holds more than 30 marks: two marks in each two bytes.
const runLengthMin = 31

// Compose returns the normal form C of a text. It does so for texts with long runs of combining marks too, in which
// golang.org/x/text/unicode/norm inserts characters that other implementations do not.
func Compose(s string) string {
	composed := norm.NFC.String(s)
	if len(s) < runLengthMin || strings.Count(composed, joiner) == strings.Count(s, joiner) {
		return composed
	}
	return composeLong(s)
}

// composeLong is [Compose] for texts with long runs of combining marks, by the definition of the form: every character is
// decomposed, marks are ordered by their class, and each that nothing blocks is composed with its starter.
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
