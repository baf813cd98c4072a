package store

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/muster-engine/muster/filterql"
)

// Fold returns the form of s in which texts are compared: without distinction of case, and with composed and
// decomposed letters alike. It is lower(upper(s)) by Unicode's full mappings, with one sigma, in normal form C.
func Fold(s string) string { return compose(filterql.Fold(compose(s))) }

// joiner is what package norm puts into a run of more than 30 combining marks, and the server does not.
const joiner = "\u034F"

// runLengthMin is how many bytes a text has at least that holds more than 30 marks: two marks in each two bytes.
const runLengthMin = 31

// compose is normal form C.
func compose(s string) string {
	composed := norm.NFC.String(s)
	if len(s) < runLengthMin || strings.Count(composed, joiner) == strings.Count(s, joiner) {
		return composed
	}
	return composeLong(s)
}

// composeLong is compose for texts with long runs of combining marks, by the definition of the form: every character is
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

// foldSQL is [Fold] as an expression over the text expression x.
func foldSQL(x string) string {
	return `normalize(replace(lower(upper(normalize(` + x + `) COLLATE "und-x-icu")), 'ς', 'σ') COLLATE "C")`
}

// KeyLengthMax is how many bytes of a text are compared where it is found by an index: an entry of a B-tree has no room
// for more than about 2,700.
const KeyLengthMax = 2000

// FoldKey is [Fold], cut to [KeyLengthMax] bytes: the form of the columns whose name ends in _key.
func FoldKey(s string) string { return clip(Fold(s)) }

// clip cuts a text between two characters.
func clip(s string) string {
	if len(s) <= KeyLengthMax {
		return s
	}
	end := KeyLengthMax
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// foldPointer makes the key of a text that may be absent.
func foldPointer(s *string) *string {
	if s == nil {
		return nil
	}
	folded := FoldKey(*s)
	return &folded
}
