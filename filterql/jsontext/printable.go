package jsontext

import (
	"fmt"
	"strings"
	"unicode"
)

// Printable returns a text as an error or a note repeats it: in one line, and in the order in which it is read. Control
// characters, marks that change the direction of a text, and separators of lines become escapes of JSON, as \u202e.
func Printable(text string) string {
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// PrintableLines is [Printable] of a text that may have several lines.
func PrintableLines(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r != '\n' && hidden(r) }) < 0 {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Printable(line)
	}
	return strings.Join(lines, "\n")
}

// hidden reports whether a character is not shown as itself, or changes how others are shown.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
