package filterql

import "github.com/muster-engine/muster/filterql/folding"

// Fold returns s without distinction of letter case, as [folding.Case] does: texts that differ only in case fold to the
// same text. In PostgreSQL it is
//
//	replace(lower(upper(s COLLATE "und-x-icu") COLLATE "und-x-icu"), 'ς', 'σ')
//
// Composed and decomposed letters stay different. Fold(a+b) is Fold(a)+Fold(b), so prefixes and substrings fold to
// prefixes and substrings.
func Fold(s string) string { return folding.Case(s) }
