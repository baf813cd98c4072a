package javadate

import (
	"fmt"
	"slices"
	"strings"
)

// PatternMax is the most bytes of a pattern.
const PatternMax = 256

// letters are the pattern letters of SimpleDateFormat.
const letters = "GyYMLwWDdFEuaHkKhmsSzZX"

// Format is a compiled pattern.
type Format struct {
	pattern string
	fields  []field
	// weekYear says that Y is read as the year of a week, because the pattern also has a week or a day of the week.
	weekYear bool
}

// field is one part of a pattern: a pattern letter with the number of its repetitions, or literal text.
type field struct {
	letter  byte // 0 for literal text
	count   int
	literal string
	// abutting says that another number follows the field directly, so its count of letters is its count of digits.
	abutting bool
}

// Compile reads a pattern. The error says which character is wrong.
func Compile(pattern string) (*Format, error) {
	if len(pattern) > PatternMax {
		return nil, fmt.Errorf("the pattern has %d bytes, %d are allowed", len(pattern), PatternMax)
	}
	f := &Format{pattern: pattern}
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			text, next, err := quoted(pattern, i)
			if err != nil {
				return nil, err
			}
			f.literal(text)
			i = next
		case isLetter(c):
			count := 1
			for i+count < len(pattern) && pattern[i+count] == c {
				count++
			}
			if err := checkLetter(c, count); err != nil {
				return nil, err
			}
			f.fields = append(f.fields, field{letter: c, count: count})
			i += count
		default:
			f.literal(pattern[i : i+1])
			i++
		}
	}
	if len(f.fields) == 0 {
		return nil, fmt.Errorf("the pattern is empty")
	}
	f.findAbutting()
	f.findWeekYear()
	return f, nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func checkLetter(c byte, count int) error {
	if strings.IndexByte(letters, c) < 0 {
		return fmt.Errorf("%q is no pattern letter: put text between single quotes, as in yyyy-MM-dd'T'HH:mm", c)
	}
	if c == 'X' && count > 3 {
		return fmt.Errorf("X may be repeated 3 times, %d are given", count)
	}
	return nil
}

// quoted reads literal text from the quote at start. Two quotes mean one.
func quoted(pattern string, start int) (text string, next int, err error) {
	if strings.HasPrefix(pattern[start:], "''") {
		return "'", start + 2, nil
	}
	var b strings.Builder
	for i := start + 1; i < len(pattern); i++ {
		if pattern[i] != '\'' {
			b.WriteByte(pattern[i])
			continue
		}
		if i+1 < len(pattern) && pattern[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), i + 1, nil
	}
	return "", 0, fmt.Errorf("the quote at position %d is not closed", start)
}

func (f *Format) literal(text string) {
	if n := len(f.fields); n > 0 && f.fields[n-1].letter == 0 {
		f.fields[n-1].literal += text
		return
	}
	f.fields = append(f.fields, field{literal: text})
}

// findAbutting sets abutting on numbers that another field follows directly. The last number of such a row reads all
// digits.
func (f *Format) findAbutting() {
	for i := range f.fields {
		if i+1 < len(f.fields) && f.fields[i+1].isNumber() {
			f.fields[i].abutting = true
		}
	}
}

// findWeekYear sets weekYear. Users write YYYY-MM-dd and mean yyyy-MM-dd.
func (f *Format) findWeekYear() {
	letter := func(c byte) bool {
		return slices.ContainsFunc(f.fields, func(field field) bool { return field.letter == c })
	}
	f.weekYear = letter('Y') && !letter('y') && (letter('w') || !letter('M') && !letter('L') && !letter('D'))
}

func (f field) isNumber() bool {
	switch f.letter {
	case 0, 'G', 'E', 'a', 'z', 'Z', 'X':
		return false
	case 'M', 'L':
		return f.count <= 2
	default:
		return true
	}
}

// isName reports whether the field is a word.
func (f field) isName() bool {
	switch f.letter {
	case 'G', 'E', 'a':
		return true
	default:
		return (f.letter == 'M' || f.letter == 'L') && f.count > 2
	}
}

// String returns the pattern.
func (f *Format) String() string { return f.pattern }
