package folding

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Case returns s without distinction of letter case: texts that differ only in case have the same result. It is
// lower(upper(s)) by the full case mappings of Unicode, and the final sigma becomes an ordinary one. So ß folds to ss
// and a dotless ı to i. In PostgreSQL it is
//
//	replace(lower(upper(s COLLATE "und-x-icu") COLLATE "und-x-icu"), 'ς', 'σ')
//
// Composed and decomposed letters stay different. Invalid UTF-8 becomes U+FFFD. A text of lower-case ASCII is returned
// as it is. Case(a+b) is Case(a)+Case(b), so prefixes and substrings fold to prefixes and substrings.
func Case(s string) string {
	for i := range len(s) {
		if b := s[i]; b >= utf8.RuneSelf || b >= 'A' && b <= 'Z' {
			return foldFrom(s, i)
		}
	}
	return s
}

// foldFrom folds s, whose first n bytes are folded already.
func foldFrom(s string, n int) string {
	var b strings.Builder
	b.Grow(len(s) + 8)
	b.WriteString(s[:n])
	for _, r := range s[n:] {
		if r < utf8.RuneSelf {
			if r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
			b.WriteByte(byte(r))
			continue
		}
		foldRune(&b, r)
	}
	return b.String()
}

// Text returns s as the tables and their indexes compare it: without distinction of case, and composed and decomposed
// letters are the same. It is [Case] with Unicode's normal form C before and after.
func Text(s string) string { return Compose(Case(Compose(s))) }

func foldRune(b *strings.Builder, r rune) {
	if folded, special := foldings[r]; special {
		b.WriteString(folded)
		return
	}
	// Upper case has only one sigma, so the final one needs no treatment here.
	b.WriteRune(unicode.ToLower(unicode.ToUpper(r)))
}
