package password

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The limits of passwords, in Unicode code points.
const (
	LengthMin = 15  // NIST SP 800-63B-4, section 3.1.1.2, where no second factor is asked for
	LengthMax = 256 // the standard asks for at least 64
)

// What is wrong with a password.
var (
	ErrShort  = fmt.Errorf("it is too short: at least %d characters are expected, and a few words are fine", LengthMin)
	ErrLong   = fmt.Errorf("it is too long: at most %d characters are expected", LengthMax)
	ErrText   = errors.New("it is no text: UTF-8 without control characters is expected")
	ErrCommon = errors.New("it is one of the passwords that attackers try first: choose another one")
	ErrOwn    = errors.New("it is made of the person's name, account or address: choose another one")
)

// Normal returns the form of a password that is hashed.
func Normal(text string) string { return norm.NFC.String(text) }

// Check returns what is wrong with a password: one of the errors of this package. own are words of the person, such as
// the name and the address, and of the place, such as the name of the installation.
func Check(text string, own ...string) error {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return ErrText
	}
	text = Normal(text)
	switch length := utf8.RuneCountInString(text); {
	case length < LengthMin:
		return ErrShort
	case length > LengthMax:
		return ErrLong
	}
	plain := strings.ToLower(text)
	if common(plain) {
		return ErrCommon
	}
	if rest := without(plain, own); len(rest) < len(plain) && (utf8.RuneCountInString(rest) < ownRest || common(rest)) {
		return ErrOwn
	}
	return nil
}

// ownRest is how many characters a password has at least beside the person's own words.
const ownRest = 8

// without takes the words of a person away from a text. Words of fewer than four characters are in too many others.
func without(text string, own []string) string {
	var words []string
	for _, phrase := range own {
		phrase = strings.ToLower(Normal(phrase))
		words = append(words, phrase)
		words = append(words, strings.FieldsFunc(phrase, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsNumber(r)
		})...)
	}
	// The longest first: otherwise a part of one would be left.
	slices.SortStableFunc(words, func(a, b string) int { return len(b) - len(a) })
	for _, word := range words {
		if utf8.RuneCountInString(word) >= wordLeast {
			text = strings.ReplaceAll(text, word, "")
		}
	}
	return text
}

// wordLeast is the least length of a common password that is looked for inside others, and of a person's own word.
const wordLeast = 4

// common reports whether a text, in small letters, is a common password: one of the list, one again and again, two in a
// row, or one with figures and signs at its ends. Keys that stand in a row count as one of the list.
func common(text string) bool {
	core := strings.TrimFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
	for _, candidate := range []string{text, core} {
		if candidate == "" {
			continue
		}
		if unit := unitOf(candidate); known(unit) || utf8.RuneCountInString(unit) < wordLeast || twoKnown(unit) {
			return true
		}
	}
	return false
}

// unitOf returns the shortest text that gives a text when it is repeated. The last time may be cut off.
func unitOf(text string) string {
	for i := range text {
		if i > 0 && strings.HasPrefix(strings.Repeat(text[:i], len(text)/i+1), text) {
			return text[:i]
		}
	}
	return text
}

// twoKnown reports whether a text is two that are known.
func twoKnown(text string) bool {
	for i := range text {
		if i >= wordLeast && known(text[:i]) && known(text[i:]) {
			return true
		}
	}
	return false
}

// known reports whether a text is on the list, or a row of keys.
func known(text string) bool {
	_, listed := slices.BinarySearch(list(), text)
	return listed || slices.ContainsFunc(rows, func(row string) bool {
		return len(text) >= wordLeast && strings.Contains(row, text)
	})
}

// rows are keys and letters in their order and against it. Some keyboards have y and z the other way round.
var rows = func() []string {
	var list []string
	for _, row := range []string{
		"abcdefghijklmnopqrstuvwxyz", "012345678901234567890", "qwertyuiopasdfghjklzxcvbnm",
		"qwertzuiopasdfghjklyxcvbnm",
		"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp", "1q2w3e4r5t6y7u8i9o0p",
	} {
		backwards := []rune(row)
		slices.Reverse(backwards)
		list = append(list, row, string(backwards))
	}
	return list
}()

//go:embed common.txt
var commonFile string

// list returns the common passwords, sorted. They are read when the first password is checked, and not by each program
// that links the engine.
var list = sync.OnceValue(func() []string {
	var words []string
	for line := range strings.Lines(commonFile) {
		if !strings.HasPrefix(line, "#") {
			words = append(words, strings.TrimSuffix(line, "\n"))
		}
	}
	slices.Sort(words)
	return words
})
