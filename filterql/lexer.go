package filterql

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	endToken tokenKind = iota
	wordToken
	stringToken
	leftToken  // (
	rightToken // )
	commaToken
)

// token is a part of the text. The token of a string includes the quotes.
type token struct {
	kind     tokenKind
	escaped  bool // the string has escapes
	pos, end int
}

// lexer splits a text into tokens without copying it.
type lexer struct {
	text string
	next int // offset at which the search for the next token begins
}

// The classes of bytes that decide on the next token.
const (
	blankByte = iota + 1
	punctuationByte
	quoteByte
	controlByte
	nonASCIIByte
)

// classes maps each byte to its class; 0 is a byte of a word.
var classes = func() (classes [256]uint8) {
	for b := range classes {
		switch {
		case b == ' ', b == '\t', b == '\n', b == '\r':
			classes[b] = blankByte
		case b == '(', b == ')', b == ',':
			classes[b] = punctuationByte
		case b == '"', b == '\'':
			classes[b] = quoteByte
		case b < ' ', b == 0x7F:
			classes[b] = controlByte
		case b >= utf8.RuneSelf:
			classes[b] = nonASCIIByte
		}
	}
	return classes
}()

// scan returns the next token.
func (l *lexer) scan() (token, *Error) {
	i := l.next
	for i < len(l.text) && classes[l.text[i]] == blankByte {
		i++
	}
	if i == len(l.text) {
		l.next = i
		return token{kind: endToken, pos: i, end: i}, nil
	}
	switch b := l.text[i]; classes[b] {
	case punctuationByte:
		l.next = i + 1
		kind := commaToken
		switch b {
		case '(':
			kind = leftToken
		case ')':
			kind = rightToken
		}
		return token{kind: kind, pos: i, end: i + 1}, nil
	case quoteByte:
		return l.scanString(i)
	default:
		return l.scanWord(i)
	}
}

// scanString reads a string.
//
//	string = '"' { char | '\"' | '\\' } '"' | "'" { char | "\'" | '\"' | '\\' } "'" ;
func (l *lexer) scanString(start int) (token, *Error) {
	quote := l.text[start]
	t := token{kind: stringToken, pos: start}
	for i := start + 1; i < len(l.text); i++ {
		switch l.text[i] {
		case quote:
			t.end, l.next = i+1, i+1
			return t, nil
		case '\\':
			t.escaped = true
			i++
			if i == len(l.text) {
				break
			}
			if b := l.text[i]; b != '\\' && b != '"' && b != quote {
				r, size := utf8.DecodeRuneInString(l.text[i:])
				return t, fault(Syntax, l.text, i-1, i+size, "unknown escape %s in a string", escapeName(r)).
					hint(`write \\ for a backslash and \" for a double quote`)
			}
		}
	}
	hint := fmt.Sprintf("close it with %c", quote)
	if start > 0 && (classes[l.text[start-1]] == 0 || classes[l.text[start-1]] == nonASCIIByte) {
		hint = `put a value that has a quote in it into double quotes, such as "O'Neill"`
	}
	return t, fault(Syntax, l.text, start, len(l.text), "the string has no closing quote").hint("%s", hint)
}

func escapeName(r rune) string {
	if unicode.IsPrint(r) {
		return `\` + string(r)
	}
	return fmt.Sprintf(`\ and U+%04X`, r)
}

// stringText returns the value of a string's token.
func (l *lexer) stringText(t token) string {
	text := l.text[t.pos+1 : t.end-1]
	if !t.escaped {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// scanWord reads a field name, an operator, a keyword, a number, a date-time or a bare word. A blank, a quote, a comma
// or a parenthesis ends it.
func (l *lexer) scanWord(start int) (token, *Error) {
	i := start
	for i < len(l.text) {
		class := classes[l.text[i]]
		if class == 0 {
			i++
			continue
		}
		if class < controlByte {
			break
		}
		r, size := utf8.DecodeRuneInString(l.text[i:])
		if msg, hint := strayRune(r); msg != "" {
			return token{}, fault(Syntax, l.text, i, i+size, "%s", msg).hint("%s", hint)
		}
		i += size
	}
	l.next = i
	return token{kind: wordToken, pos: start, end: i}, nil
}

// strayRune returns the error for a character that gets into a text by copying and cannot be part of a word.
func strayRune(r rune) (msg, hint string) {
	switch {
	case strings.ContainsRune("“”„‟«»", r):
		return fmt.Sprintf("typographic quote %c", r), `use the straight quote "`
	case strings.ContainsRune("‘’‚‛", r):
		return fmt.Sprintf("typographic quote %c", r), `use the straight quote ", even around an apostrophe`
	case unicode.IsSpace(r):
		return fmt.Sprintf("white space U+%04X outside of a string", r), "use a plain blank"
	case !unicode.IsPrint(r):
		return fmt.Sprintf("invisible character U+%04X outside of a string", r), "remove it, or use quotes"
	}
	return "", ""
}

// CheckText refuses a text of more than most bytes, one that is not UTF-8, and one with a NUL, which PostgreSQL does
// not store in a text. what names the text in the message.
func CheckText(what, text string, most int) *Error {
	if len(text) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		return fault(Limit, text, cut, len(text), "the %s has %d bytes, %d are allowed", what, len(text), most).
			hint("ask for less at once")
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return fault(Syntax, text, i, i+1, "NUL character").hint("remove it")
	}
	if utf8.ValidString(text) {
		return nil
	}
	i := strings.IndexByte(strings.ToValidUTF8(text, "\x00"), 0) // it has no other NUL
	return fault(Syntax, text, i, i+1, "byte 0x%02X, which is not UTF-8", text[i]).hint("encode the text as UTF-8")
}

// skipPrefix returns the offset behind "filters=" or "sorters=", which people copy from examples of the API.
func skipPrefix(text, prefix string) int {
	trimmed := strings.TrimLeft(text, " \t\r\n")
	if strings.HasPrefix(trimmed, prefix) {
		return len(text) - len(trimmed) + len(prefix)
	}
	return 0
}
