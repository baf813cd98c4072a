package attribute

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind says what a [Value] holds.
type Kind uint8

// The kinds of values.
const (
	KindNull Kind = iota
	KindString
	KindBool
	KindNumber
	KindList
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	switch k {
	case KindNull:
		return "null"
	case KindString:
		return "string"
	case KindBool:
		return "boolean"
	case KindNumber:
		return "number"
	case KindList:
		return "list"
	}
	return "kind " + strconv.Itoa(int(k))
}

// Value is the value of one attribute. The zero Value is [Null]. Values are immutable.
type Value struct {
	kind Kind
	// text is the string, "true" or "false", or the number in JSON. A number keeps its digits.
	text string
	list []string
}

// Null is the absent value.
var Null = Value{}

// String returns the string value s. The empty string is a value, not null.
func String(s string) Value { return Value{kind: KindString, text: s} }

// Bool returns the boolean value b.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, text: "true"}
	}
	return Value{kind: KindBool, text: "false"}
}

// Int returns the number n.
func Int(n int64) Value { return Value{kind: KindNumber, text: strconv.FormatInt(n, 10)} }

// Number returns the number that text holds, which must be a JSON number. It keeps the digits.
func Number(text string) (Value, error) {
	if !isNumber(text) {
		return Null, fmt.Errorf("%q is not a number", text)
	}
	return Value{kind: KindNumber, text: text}, nil
}

// List returns the list of strings l. The value owns l from then on. A nil list is an empty list, not null.
func List(l []string) Value {
	if l == nil {
		l = []string{}
	}
	return Value{kind: KindList, list: l}
}

// Kind returns the kind of v.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Text returns v as text: the string itself, true or false, the number's digits, or the elements of a list joined by
// commas. Null gives an empty string; [Value.IsNull] tells the two apart.
func (v Value) Text() string {
	if v.kind == KindList {
		return strings.Join(v.list, ",")
	}
	return v.text
}

// Strings returns the elements of a list. It returns none for null, and the text as the only element for any other
// value. Do not change the result.
func (v Value) Strings() []string {
	switch v.kind {
	case KindNull:
		return nil
	case KindList:
		return v.list
	default:
		return []string{v.text}
	}
}

// Len returns the number of elements of [Value.Strings], without allocation.
func (v Value) Len() int {
	switch v.kind {
	case KindNull:
		return 0
	case KindList:
		return len(v.list)
	default:
		return 1
	}
}

// Equal reports whether v and w have the same kind and the same content. It compares the digits of numbers.
func (v Value) Equal(w Value) bool {
	return v.kind == w.kind && v.text == w.text && slices.Equal(v.list, w.list)
}

// Any returns v as nil, string, bool, [json.Number] or []string, similar to encoding/json.
func (v Value) Any() any {
	switch v.kind {
	case KindString:
		return v.text
	case KindBool:
		return v.text == "true"
	case KindNumber:
		return json.Number(v.text)
	case KindList:
		return slices.Clone(v.list)
	default:
		return nil
	}
}

// AppendJSON appends v as JSON to dst and returns the extended slice.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.kind {
	case KindString:
		return appendString(dst, v.text)
	case KindBool, KindNumber:
		return append(dst, v.text...)
	case KindList:
		dst = append(dst, '[')
		for i, s := range v.list {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, s)
		}
		return append(dst, ']')
	default:
		return append(dst, "null"...)
	}
}

// MarshalJSON implements [json.Marshaler].
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// UnmarshalJSON implements [json.Unmarshaler]. Objects, and lists with elements that are lists or objects, are errors.
// Numbers and booleans in a list become their text; nulls in a list are dropped.
func (v *Value) UnmarshalJSON(document []byte) error {
	d, err := newDecoder(document)
	if err != nil {
		return err
	}
	value, err := d.value()
	if err != nil {
		return err
	}
	d.space()
	if d.at != len(d.text) {
		return d.fault("end of the value")
	}
	*v = value
	return nil
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD. It escapes only the characters that JSON
// requires.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			i++
			start = i
			continue
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
