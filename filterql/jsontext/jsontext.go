// Package jsontext finds what of a JSON text encoding/json would change without a word: it reads bytes that are no
// UTF-8, and halves of surrogate pairs, as the replacement character.
package jsontext

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Check says what of a valid JSON text is no character. What an error quotes is the escape alone.
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

// Half is the size of an escape that stands for nothing.
const Half = -1

// Escape returns the size of the escape at the beginning of a text, at least of its first two bytes; of the escapes of
// the two halves of a surrogate pair, which have 12, also the character that they are.
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
