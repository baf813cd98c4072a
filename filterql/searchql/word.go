package searchql

import "strings"

// A text consists of words. Separators stand between them: blanks, punctuation and signs. A dot or an apostrophe
// between two other characters of a word belongs to it, so that john.smith, 10.0.1 and o'neill are one word each, and
// steve@acme.com is two. An underscore is like a letter. PostgreSQL finds the same words, by the expression of
// [wordsSQL]: that is why the separators are listed, and no class of characters of Unicode or of a server is used.

// joiners are the characters that belong to a word where they stand alone between two of its other characters.
const joiners = `.'’`

// separators are the ranges of characters that stand between words, without the joiners.
var separators = [][2]rune{
	{0x01, '&'}, {'(', '-'}, {'/', '/'}, {':', '@'}, {'[', '^'}, {'`', '`'}, {'{', 0xA9}, {0xAB, 0xB1}, {0xB4, 0xB4},
	{0xB6, 0xB8}, {0xBB, 0xBB}, {0xBF, 0xBF}, {0xD7, 0xD7}, {0xF7, 0xF7}, {0x1680, 0x1680}, {0x2000, 0x200B},
	{0x200E, 0x2018}, {0x201A, 0x206F}, {0x2190, 0x2BFF}, {0x2E00, 0x2E7F}, {0x3000, 0x3004}, {0x3008, 0x3020},
	{0xFE30, 0xFE6F}, {0xFEFF, 0xFEFF}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40}, {0xFF5B, 0xFF65},
}

// Kinds of characters below 0x80, which are the most.
const (
	ordinary = iota
	separator
	joiner
)

var asciiKinds = func() (kinds [0x80]byte) {
	for r := range kinds {
		switch {
		case inSeparators(rune(r)):
			kinds[r] = separator
		case strings.ContainsRune(joiners, rune(r)):
			kinds[r] = joiner
		}
	}
	return kinds
}()

// kindOf returns whether a character is a separator, a joiner or an ordinary one.
func kindOf(r rune) byte {
	switch {
	case r < 0x80:
		return asciiKinds[r]
	case inSeparators(r):
		return separator
	case strings.ContainsRune(joiners, r):
		return joiner
	}
	return ordinary
}

func inSeparators(r rune) bool {
	for _, s := range separators {
		if r < s[0] {
			return false
		}
		if r <= s[1] {
			return true
		}
	}
	return false
}

// Words returns the words of a text, in their order.
func Words(text string) []string { return appendWords(nil, text) }

func appendWords(words []string, text string) []string {
	start, last := -1, 0 // of the current word, and the end of its last character that is no joiner
	pending := false     // a joiner stands behind that character
	for i, r := range text {
		switch kindOf(r) {
		case separator:
			if start >= 0 {
				words = append(words, text[start:last])
			}
			start, pending = -1, false
		case joiner:
			if start >= 0 && pending {
				words = append(words, text[start:last])
				start, pending = -1, false
			} else {
				pending = start >= 0
			}
		default:
			if start < 0 {
				start = i
			}
			last, pending = i+len(string(r)), false
		}
	}
	if start >= 0 {
		words = append(words, text[start:last])
	}
	return words
}

// separatorClass is the class of characters of the separators, in PostgreSQL.
var separatorClass = func() string {
	var b strings.Builder
	for _, s := range separators {
		b.WriteString(classEscape(s[0]))
		if s[1] > s[0] {
			b.WriteByte('-')
			b.WriteString(classEscape(s[1]))
		}
	}
	return "[" + b.String() + "]"
}()

// classEscape writes a character into a class of characters of PostgreSQL.
func classEscape(r rune) string {
	const digits = "0123456789abcdef"
	return `\u` + string([]byte{digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15]})
}

// wordsSQL returns an SQL expression over a folded text: its words in their order, one blank before and behind each. No
// word has a blank. First each row of separators becomes a blank; then each blank with joiners around it, and each row
// of joiners, become one too.
func wordsSQL(folded string) string {
	return `regexp_replace(' ' || regexp_replace(` + folded + `, '` + separatorClass + `+', ' ', 'g') || ' ', '[ ` +
		strings.ReplaceAll(joiners, `'`, `''`) + `]{2,}', ' ', 'g')`
}
