package transform

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/muster-engine/muster/engine/transform/lettercase"
)

// particles are the words of a name that stay in lower case.
var particles = map[string]bool{"von": true, "del": true, "of": true, "de": true, "la": true, "y": true}

// generation is a Roman numeral after a name, such as III. Numerals with letters above X are more likely names: Li, Di,
// Mc.
var generation = regexp.MustCompile(`^(?:X{0,3}(?:IX|IV|V?I{0,3}))$`)

// normalizeNames fixes the case of a name. A word begins with a capital, also after a hyphen or an apostrophe; so does
// the rest after Mc and Mac. Particles are in lower case, and the numeral of a generation is in upper case.
func normalizeNames(s string) (string, error) {
	s = lettercase.Lower(s) // as a whole, for the final sigma
	var b strings.Builder
	b.Grow(len(s))
	small := false // the next word follows Mac- or Mc-
	for i := 0; i < len(s); {
		length := strings.IndexFunc(s[i:], isNoWord)
		if length < 0 {
			length = len(s) - i
		}
		if length == 0 {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != '-' {
				small = false
			}
			b.WriteString(s[i : i+size])
			i += size
			continue
		}
		word := s[i : i+length]
		before, after := i == 0, s[i+length:]
		if small {
			b.WriteString(word)
		} else {
			b.WriteString(writeWord(word, !before && unicode.IsSpace(rune(s[i-1])), after))
		}
		small = !small && strings.HasPrefix(after, "-") && (word == "mac" || word == "mc")
		i += length
	}
	return b.String(), nil
}

func isNoWord(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && r != '_'
}

// writeWord fixes the case of one word in lower case.
func writeWord(word string, afterBlank bool, rest string) string {
	if particles[word] {
		return word
	}
	// A numeral follows a name and is followed by a blank or the end.
	if afterBlank && (rest == "" || strings.HasPrefix(rest, " ")) && generation.MatchString(strings.ToUpper(word)) {
		return strings.ToUpper(word)
	}
	for _, prefix := range []string{"mc", "mac"} {
		if rest, ok := strings.CutPrefix(word, prefix); ok && rest != "" {
			return lettercase.Capitalize(prefix) + lettercase.Capitalize(rest)
		}
	}
	return lettercase.Capitalize(word)
}
