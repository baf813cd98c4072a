package filterql

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrorKind says what is wrong with a text, for callers that answer each kind with a code of its own.
type ErrorKind uint8

// The kinds of errors.
const (
	Syntax  ErrorKind = iota // the text does not parse
	Illegal                  // it parses, but the field, the operator or the value is not allowed
	Limit                    // it exceeds a limit
)

// String returns the kind's name.
func (k ErrorKind) String() string {
	switch k {
	case Syntax:
		return "syntax"
	case Illegal:
		return "illegal value"
	case Limit:
		return "limit"
	default:
		return "unknown"
	}
}

// Error is a mistake in a filter, in sorters, in a page parameter or in a cursor. It quotes the text, so show it to the
// author of the text and keep it out of logs.
type Error struct {
	Text     string // the whole text that was given
	Pos, End int    // byte offsets of the mistake in Text; equal if something is missing
	Msg      string // what was found, and what is wrong with it
	Hint     string // what would be right; may be empty
	Kind     ErrorKind
}

// Error returns one line: the position, counted in characters from 1, the message, and the hint.
func (e *Error) Error() string {
	line := fmt.Sprintf("position %d: %s", utf8.RuneCountInString(e.Text[:e.offset(e.Pos)])+1, e.Msg)
	if e.Hint != "" {
		line += "; " + e.Hint
	}
	return line
}

// offset keeps an offset inside the text: an Error that was built by hand may have any.
func (e *Error) offset(offset int) int { return max(0, min(offset, len(e.Text))) }

// The widest excerpt that [Error.Render] shows, in columns, and the most columns of it before the mistake.
const (
	renderColumns = 100
	renderBefore  = 60
)

// Render returns the error for a terminal: the message, the line with carets under the mistake, and the hint. It cuts a
// long line to the part around the mistake, and shows invisible characters as U+FFFD.
func (e *Error) Render() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", e.place(), e.Msg)
	excerpt, padding, carets := e.excerpt()
	fmt.Fprintf(&b, "  %s\n  %s%s", excerpt, padding, carets)
	if e.Hint != "" {
		fmt.Fprintf(&b, "\nhint: %s", e.Hint)
	}
	return b.String()
}

// place names the position, and the line if the text has several.
func (e *Error) place() string {
	before := e.Text[:e.offset(e.Pos)]
	if !strings.Contains(e.Text, "\n") {
		return fmt.Sprintf("position %d", utf8.RuneCountInString(before)+1)
	}
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return fmt.Sprintf("line %d, position %d", strings.Count(before, "\n")+1, utf8.RuneCountInString(line)+1)
}

// excerpt returns the part of the text around the mistake, and the blanks and carets for the line under it.
func (e *Error) excerpt() (excerpt, padding, carets string) {
	pos := e.offset(e.Pos)
	end := max(pos, e.offset(e.End))
	start := strings.LastIndexByte(e.Text[:pos], '\n') + 1
	stop := len(e.Text)
	if i := strings.IndexByte(e.Text[pos:], '\n'); i >= 0 {
		stop = pos + i
	}
	if stop > pos && e.Text[stop-1] == '\r' {
		stop--
	}
	end = min(end, stop)

	var before, after strings.Builder
	from := lastColumns(e.Text[start:pos], renderBefore) + start
	if from > start {
		before.WriteRune('…')
		padding = " "
	}
	for _, r := range e.Text[from:pos] {
		r, width := visible(r)
		before.WriteRune(r)
		if r == '\t' {
			padding += "\t"
		} else {
			padding += strings.Repeat(" ", width)
		}
	}
	columns, marked := 0, 0
	for i, r := range e.Text[pos:stop] {
		r, width := visible(r)
		if columns+width > renderColumns-renderBefore {
			after.WriteRune('…')
			break
		}
		after.WriteRune(r)
		columns += width
		if pos+i < end {
			marked += width
		}
	}
	return before.String() + after.String(), padding, strings.Repeat("^", max(1, marked))
}

// lastColumns returns the byte offset at which the last n columns of s begin.
func lastColumns(s string, n int) int {
	i := len(s)
	for i > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:i])
		_, width := visible(r)
		if n -= width; n < 0 {
			break
		}
		i -= size
	}
	return i
}

// visible returns the character to show for r and how many columns it takes.
func visible(r rune) (rune, int) {
	switch {
	case r == '\t':
		return r, 1
	case !unicode.IsPrint(r):
		return utf8.RuneError, 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return r, 0
	case unicode.Is(wide, r):
		return r, 2
	default:
		return r, 1
	}
}

// wide are the characters that take two columns in a terminal: East Asian wide characters and emoji.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x1100, 0x115F, 1}, // Hangul Jamo
		{0x2E80, 0x303E, 1}, // CJK
		{0x3040, 0xA4CF, 1}, // Kana, CJK, Yi
		{0xA960, 0xA97F, 1}, // Hangul Jamo Extended-A
		{0xAC00, 0xD7A3, 1}, // Hangul syllables
		{0xF900, 0xFAFF, 1}, // CJK compatibility ideographs
		{0xFE30, 0xFE6F, 1}, // CJK compatibility forms
		{0xFF00, 0xFF60, 1}, // fullwidth forms
		{0xFFE0, 0xFFE6, 1}, // fullwidth signs
	},
	R32: []unicode.Range32{
		{0x1F300, 0x1F64F, 1}, // emoji
		{0x1F680, 0x1F6FF, 1}, // transport and map symbols
		{0x1F900, 0x1F9FF, 1}, // supplemental symbols
		{0x20000, 0x3FFFD, 1}, // CJK extensions
	},
}

// quotedMax is the most characters of a text that a message quotes.
const quotedMax = 40

// Quoted returns s in double quotes for a message, shortened to 40 characters and on one line.
func Quoted(s string) string {
	n := 0
	for i := range s {
		if n == quotedMax {
			return strconv.Quote(s[:i] + "…")
		}
		n++
	}
	return strconv.Quote(s)
}

// fault returns an error at a place of a text.
func fault(kind ErrorKind, text string, pos, end int, format string, arguments ...any) *Error {
	return &Error{Text: text, Pos: pos, End: end, Msg: fmt.Sprintf(format, arguments...), Kind: kind}
}

// hint sets the error's hint.
func (e *Error) hint(format string, arguments ...any) *Error {
	e.Hint = fmt.Sprintf(format, arguments...)
	return e
}
