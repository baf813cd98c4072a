package configuration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/muster-engine/muster/filterql/jsontext"
)

// The limits of numbers in a configuration. The database writes all digits of a number, so 1e9999 would become ten
// thousand digits.
const (
	NumberLengthMax   = 100 // characters
	NumberExponentMax = 308 // that of the largest float64
)

// CheckNumber says what is wrong with a JSON number: it is too long, or its exponent is too large. Any other text is
// right. It is for package engine.
func CheckNumber(text string) error {
	if text == "" || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return nil
	}
	if len(text) > NumberLengthMax {
		return fmt.Errorf("a number has %d characters, %d are allowed: write it as a text", len(text), NumberLengthMax)
	}
	at := strings.IndexAny(text, "eE")
	if at < 0 {
		return nil
	}
	if n, err := strconv.Atoi(text[at+1:]); err != nil || n > NumberExponentMax || n < -NumberExponentMax {
		return fmt.Errorf("the exponent of a number is beyond %d: write it as a text", NumberExponentMax)
	}
	return nil
}

// StoredNumber returns a JSON number as the database gives it back: it writes exponents out, and knows no negative
// zero. [CheckNumber] must have found it right.
func StoredNumber(text string) string {
	at := strings.IndexAny(text, "eE")
	if at < 0 && !strings.HasPrefix(text, "-0") {
		return text
	}
	number, valid := new(big.Rat).SetString(text)
	if !valid {
		return text
	}
	mantissa, exponent := text, 0
	if at >= 0 {
		mantissa = text[:at]
		exponent, _ = strconv.Atoi(text[at+1:])
	}
	_, decimals, _ := strings.Cut(mantissa, ".")
	return number.FloatString(max(len(decimals)-exponent, 0))
}

// isPlainLiteral reports whether the text of a YAML scalar is also a number or a boolean of JSON.
func isPlainLiteral(text string) bool {
	if text == "true" || text == "false" {
		return true
	}
	return text != "" && (text[0] == '-' || text[0] >= '0' && text[0] <= '9') && json.Valid([]byte(text))
}

// clipped returns the beginning of a text, for an error that quotes it.
func clipped(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// CheckJSON returns an error for the parts of a JSON text that the database cannot store, or would not return as they
// were. It is for package engine.
func CheckJSON(text []byte) error {
	if err := jsontext.Check(text); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("it is no JSON text: %w", err)
		}
		switch t := token.(type) {
		case json.Number:
			err = CheckNumber(string(t))
		case string:
			if strings.IndexByte(t, 0) >= 0 {
				err = errors.New("a text must not contain the NUL character")
			}
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
			if depth > configurationDepthMax {
				err = fmt.Errorf("it is nested deeper than %d levels", configurationDepthMax)
			}
		}
		if err != nil {
			return err
		}
		if depth == 0 {
			return trailing(decoder)
		}
	}
}

// trailing returns an error if another value follows.
func trailing(decoder *json.Decoder) error {
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("it is more than one JSON value")
	}
	return nil
}

// textPart is a part of a text, and how many lines of the text stand before it.
type textPart struct {
	text []byte
	line int
}

// jsonValues returns the JSON values of a text that is nothing but several of them, as in NDJSON, and otherwise the
// whole text.
func jsonValues(text []byte) []textPart {
	whole := []textPart{{text, 0}}
	if start := bytes.TrimLeft(text, " \t\r\n"); len(start) == 0 || start[0] != '{' && start[0] != '[' {
		return whole
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	var parts []textPart
	line, counted := 0, 0
	for {
		var value json.RawMessage
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return whole // YAML, or its reader says what is wrong
		}
		start := int(decoder.InputOffset()) - len(value)
		line += bytes.Count(text[counted:start], []byte("\n"))
		counted = start
		parts = append(parts, textPart{value, line})
	}
	if len(parts) < 2 {
		return whole
	}
	return parts
}

// lineSeparators are line ends in YAML 1.1, and ordinary characters in JSON and YAML 1.2.
const lineSeparators = "\u0085\u2028\u2029"

// plainText rewrites a JSON text so that YAML reads the same from it: YAML knows no surrogate pairs, refuses control
// characters, and takes some characters for line ends. It refuses a YAML text with such line ends, because they would
// get lost.
func plainText(text []byte) ([]byte, error) {
	if !json.Valid(text) {
		at := bytes.IndexAny(text, lineSeparators)
		if at < 0 || !utf8.Valid(text) {
			return text, nil
		}
		separator, _ := utf8.DecodeRune(text[at:])
		return nil, fmt.Errorf(`line %d has the character U+%04X, which YAML takes for a line end: write \u%04x `+
			`between double quotes`, bytes.Count(text[:at], []byte("\n"))+1, separator, separator)
	}
	if err := jsontext.Check(text); err != nil {
		return nil, err
	}
	plain := make([]byte, 0, len(text))
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		switch {
		case r == '\\':
			var pair rune
			if pair, size = jsontext.Escape(text[at:]); pair == 0 {
				plain = append(plain, text[at:at+size]...)
			} else {
				plain = utf8.AppendRune(plain, pair)
			}
		case r >= 0x7f && r <= 0x9f, r == 0xfffe, r == 0xffff, strings.ContainsRune(lineSeparators, r):
			plain = fmt.Appendf(plain, `\u%04x`, r)
		default:
			plain = append(plain, text[at:at+size]...)
		}
		at += size
	}
	return plain, nil
}

// DecodeObject reads an object in its published shape into shape, a pointer to one of the shapes of this package. Its
// errors name the member and what is expected there. It is for package engine; [ReadDocuments] is the way in for hosts.
func DecodeObject(object []byte, shape any) error {
	err := json.Unmarshal(object, shape)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return fmt.Errorf("%s: a %s is given where %s is expected", mismatch.Field, mismatch.Value,
			article(mismatch.Type.Kind().String()))
	}
	return err
}

// article returns a kind of Go value in the words of JSON.
func article(kind string) string {
	switch kind {
	case "slice":
		return "a list"
	case "struct", "map":
		return "an object"
	case "bool":
		return "true or false"
	case "int", "int64":
		return "a whole number"
	}
	return "a " + kind
}

// isNone reports whether a JSON member is missing or null.
func isNone(text json.RawMessage) bool { return len(text) == 0 || string(text) == "null" }
