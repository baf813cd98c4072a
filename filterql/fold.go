package filterql

import "github.com/muster-engine/muster/filterql/folding"

// Fold returns the form of s in which texts are the same that differ in letter case alone, as [folding.Case] does. In
// PostgreSQL it is
//
//	replace(lower(upper(s COLLATE "und-x-icu") COLLATE "und-x-icu"), 'ς', 'σ')
//
// Composed and decomposed letters stay apart. Fold(a+b) is Fold(a)+Fold(b), so prefixes and substrings fold to prefixes
// and substrings.
func Fold(s string) string { return folding.Case(s) }
