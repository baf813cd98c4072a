package searchql

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/muster-engine/muster/filterql"
)

// fault returns an error at a place of a text.
func fault(kind filterql.ErrorKind, at place, format string, arguments ...any) *filterql.Error {
	return &filterql.Error{
		Text: at.text, Pos: at.pos, End: at.end, Msg: fmt.Sprintf(format, arguments...), Kind: kind,
	}
}

// hinted sets the hint of an error.
func hinted(e *filterql.Error, format string, arguments ...any) *filterql.Error {
	e.Hint = fmt.Sprintf(format, arguments...)
	return e
}

// quotedMax is the most characters of a text that a message quotes.
const quotedMax = 40

// quoted returns s in double quotes for a message, shortened and on one line.
func quoted(s string) string {
	n := 0
	for i := range s {
		if n == quotedMax {
			return strconv.Quote(s[:i] + "…")
		}
		n++
	}
	return strconv.Quote(s)
}

// checkText refuses a text that is too long, not UTF-8, or has a NUL, which PostgreSQL does not store in a text.
func checkText(text string) *filterql.Error {
	if len(text) > TextMax {
		cut := TextMax
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		return hinted(fault(filterql.Limit, place{text, cut, len(text)}, "the query has %d bytes, %d are allowed",
			len(text), TextMax), "ask for less at once")
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return hinted(fault(filterql.Syntax, place{text, i, i + 1}, "NUL character"), "remove it")
	}
	if !utf8.ValidString(text) {
		i := 0
		for i < len(text) {
			r, size := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			i += size
		}
		return hinted(fault(filterql.Syntax, place{text, i, i + 1}, "byte 0x%02X, which is not UTF-8", text[i]),
			"encode the text as UTF-8")
	}
	return nil
}
