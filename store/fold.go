package store

import (
	"strings"
	"unicode/utf8"

	"github.com/muster-engine/muster/filterql/folding"
)

// Fold returns the form of s in which texts are compared: case does not count, and composed and decomposed letters are
// the same. It is lower(upper(s)) by Unicode's full mappings, with one sigma, in normal form C.
func Fold(s string) string { return folding.Text(s) }

// foldSQL is [Fold] as an expression over the text expression x.
func foldSQL(x string) string {
	return `normalize(replace(lower(upper(normalize(` + x + `) COLLATE "und-x-icu")), 'ς', 'σ') COLLATE "C")`
}

// KeyLengthMax is how many bytes of a text are compared where an index finds it: an entry of a B-tree has room for
// about 2,700 bytes.
const KeyLengthMax = 2000

// Storable reports whether PostgreSQL can store a text: it is UTF-8 and has no NUL character.
func Storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// FoldKey is [Fold], cut to [KeyLengthMax] bytes: the form of the columns whose name ends in _key.
func FoldKey(s string) string { return clip(Fold(s)) }

// clip cuts a text to at most [KeyLengthMax] bytes, between two characters.
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

// foldPointer returns the key of a text that may be absent.
func foldPointer(s *string) *string {
	if s == nil {
		return nil
	}
	folded := FoldKey(*s)
	return &folded
}
