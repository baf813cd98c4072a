// Package lettercase writes texts in other letter cases, by the full mappings of Unicode and of no language. All
// operations and templates use it, so that a name has one spelling:
//
//	lettercase.Lower("ΟΔΟΣ")      // οδος, with the final sigma
//	lettercase.Upper("straße")    // STRASSE
//	lettercase.Capitalize("ǆur")  // ǅur
//
// Package folding of filterql compares texts without regard to letter case.
package lettercase

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// Lower returns s in lower case, as Java's String.toLowerCase does in the root locale.
func Lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

// Upper returns s in upper case.
func Upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

// Capitalize returns s with its first character in title case. The others stay as they are.
func Capitalize(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToTitle(r)) + s[size:]
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
