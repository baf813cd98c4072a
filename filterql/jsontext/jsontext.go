// Package jsontext finds the parts of a JSON text that encoding/json would change silently: it replaces bytes that are
// not UTF-8, and halves of surrogate pairs, with the replacement character.
//
//	err := jsontext.Check([]byte(`"a\ud800"`)) // names the escape of half a pair
package jsontext

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Check returns an error if a valid JSON text has a part that is not a character. The error quotes nothing but the
// escape.
func Check(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("it is no UTF-8 text")
	}
	for at := 0; at < len(text); {
		next := bytes.IndexByte(text[at:], '\\')
		if next < 0 {
			return nil
		}
		at += next
		_, size := Escape(text[at:])
		if size == Half {
			return fmt.Errorf("%s is half of a surrogate pair, and no character", text[at:at+6])
		}
		at += size
	}
	return nil
}

// Half is the size that [Escape] returns for half of a surrogate pair, which stands for nothing.
const Half = -1

// Escape returns how many bytes to skip for the escape that begins a text: 12 for the two escapes of a surrogate pair,
// whose character is pair, [Half] for half of a pair, and 2 for every other escape (which may be longer).
func Escape(text []byte) (pair rune, size int) {
	first, ok := unit(text)
	if !ok || !utf16.IsSurrogate(first) {
		return 0, 2
	}
	second, _ := unit(text[6:])
	if pair = utf16.DecodeRune(first, second); pair == utf8.RuneError {
		return 0, Half
	}
	return pair, 12
}

// unit reads one \uXXXX.
func unit(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}
