package attribute

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// decoder reads the JSON of stored attributes: an object whose values are null, strings, booleans, numbers or lists of
// those. It is written by hand because a run over a population spends most of its time on decoding. Strings without
// escapes are slices of the text, not copies.
type decoder struct {
	text string
	at   int
}

// newDecoder returns a decoder of a document, which must be UTF-8.
func newDecoder(document []byte) (decoder, error) {
	if !utf8.Valid(document) {
		return decoder{}, errors.New("attributes: the document is not UTF-8 text")
	}
	return decoder{text: string(document)}, nil
}

func (d *decoder) fault(want string) error {
	if d.at >= len(d.text) {
		return fmt.Errorf("attributes: unexpected end of the document, want %s", want)
	}
	// The text is personal data, so the error has only the position.
	return fmt.Errorf("attributes: at byte %d: want %s", d.at, want)
}

func (d *decoder) space() {
	for d.at < len(d.text) {
		switch d.text[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

func (d *decoder) take(c byte) bool {
	d.space()
	if d.at < len(d.text) && d.text[d.at] == c {
		d.at++
		return true
	}
	return false
}

func (d *decoder) object(s *Set) error {
	if !d.take('{') {
		return d.fault("an object")
	}
	sorted := true
	for first := true; !d.take('}'); first = false {
		if !first && !d.take(',') {
			return d.fault("a comma or the end of the object")
		}
		d.space()
		name, err := d.str()
		if err != nil {
			return err
		}
		if !d.take(':') {
			return d.fault("a colon")
		}
		value, err := d.value()
		if err != nil {
			return err
		}
		if n := len(s.entries); n > 0 && compareNames(s.entries[n-1].name, name) >= 0 {
			sorted = false
		}
		s.entries = append(s.entries, entry{name, value})
	}
	d.space()
	if d.at != len(d.text) {
		return d.fault("the end of the document")
	}
	if !sorted {
		slices.SortStableFunc(s.entries, func(a, b entry) int { return compareNames(a.name, b.name) })
		s.entries = lastOfEach(s.entries)
	}
	return nil
}

// lastOfEach keeps only the last of adjacent entries with the same name.
func lastOfEach(entries []entry) []entry {
	kept := entries[:0]
	for i, e := range entries {
		if i+1 < len(entries) && entries[i+1].name == e.name {
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

func (d *decoder) value() (Value, error) {
	d.space()
	if d.at >= len(d.text) {
		return Null, d.fault("a value")
	}
	switch d.text[d.at] {
	case '"':
		s, err := d.str()
		return Value{kind: KindString, text: s}, err
	case '[':
		return d.array()
	case '{':
		return Null, d.fault("a text, a number, a boolean or a list, not an object")
	default:
		return d.literal()
	}
}

func (d *decoder) array() (Value, error) {
	d.at++
	list := []string{}
	for first := true; !d.take(']'); first = false {
		if !first && !d.take(',') {
			return Null, d.fault("a comma or the end of the list")
		}
		d.space()
		if d.at < len(d.text) && d.text[d.at] == '[' {
			return Null, d.fault("a text, not a list within a list")
		}
		element, err := d.value()
		if err != nil {
			return Null, err
		}
		if !element.IsNull() {
			list = append(list, element.text)
		}
	}
	return Value{kind: KindList, list: list}, nil
}

func (d *decoder) literal() (Value, error) {
	start := d.at
	for d.at < len(d.text) && !strings.ContainsRune(" \t\r\n,]}:", rune(d.text[d.at])) {
		d.at++
	}
	switch word := d.text[start:d.at]; {
	case word == "null":
		return Null, nil
	case word == "true" || word == "false":
		return Value{kind: KindBool, text: word}, nil
	case isNumber(word):
		return Value{kind: KindNumber, text: word}, nil
	}
	d.at = start
	return Null, d.fault("a value")
}

func (d *decoder) str() (string, error) {
	if d.at >= len(d.text) || d.text[d.at] != '"' {
		return "", d.fault("a text")
	}
	start := d.at
	for i := start + 1; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c == '"':
			d.at = i + 1
			return d.text[start+1 : i], nil
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			d.at = i
			return "", d.fault("no control character in a text")
		}
	}
	d.at = len(d.text)
	return "", d.fault("a closing quote")
}

// escaped reads a string with an escape. Such strings are rare, so encoding/json is quick enough.
func (d *decoder) escaped(start int) (string, error) {
	for i := start + 1; i < len(d.text); i++ {
		switch d.text[i] {
		case '\\':
			i++
		case '"':
			var s string
			if err := json.Unmarshal([]byte(d.text[start:i+1]), &s); err != nil {
				return "", d.fault("a text with proper escapes")
			}
			d.at = i + 1
			return s, nil
		}
	}
	d.at = len(d.text)
	return "", d.fault("a closing quote")
}

// isNumber reports whether s is a JSON number.
func isNumber(s string) bool {
	i := 0
	digits := func() bool {
		start := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return false
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(s)
}
