package store

import (
	"golang.org/x/text/unicode/norm"

	"github.com/muster-engine/muster/filterql"
)

// Fold returns the form of s in which texts are compared: without distinction of case, and with composed and
// decomposed letters alike. It is lower(upper(s)) by Unicode's full mappings, with one sigma, in normal form C.
func Fold(s string) string { return norm.NFC.String(filterql.Fold(norm.NFC.String(s))) }

// foldSQL is [Fold] as an expression over the text expression x.
func foldSQL(x string) string {
	return `normalize(replace(lower(upper(normalize(` + x + `) COLLATE "und-x-icu")), 'ς', 'σ') COLLATE "C")`
}

// foldPointer folds a text that may be absent.
func foldPointer(s *string) *string {
	if s == nil {
		return nil
	}
	folded := Fold(*s)
	return &folded
}
