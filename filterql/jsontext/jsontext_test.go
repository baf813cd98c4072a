package jsontext_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/muster-engine/muster/filterql/jsontext"
)

func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		`"a"`: "", `"\ud83d\ude00 \\ud800 \ufffd \u0000"`: "", `"😀"`: "", `"\\\\"`: "",
		"\"\xff\"":         "it is no UTF-8 text",
		`"\ud83d"`:         `\ud83d is half of a surrogate pair, and no character`,
		`"\uDE00\ud83d"`:   `\uDE00 is half of a surrogate pair, and no character`,
		`"\ud83d\ud83d"`:   `\ud83d is half of a surrogate pair, and no character`,
		`"\\\ud83d\u0041"`: `\ud83d is half of a surrogate pair, and no character`,
	} {
		if !json.Valid([]byte(text)) {
			t.Fatalf("%q is no JSON", text)
		}
		err := jsontext.Check([]byte(text))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestEscape(t *testing.T) {
	for text, want := range map[string]struct {
		pair rune
		size int
	}{
		`\ud83d\ude00`: {'😀', 12}, `\ud83d`: {0, jsontext.Half}, `\ud83d\ud83d`: {0, jsontext.Half}, `\u0041`: {0, 2}, `\n`: {0, 2},
	} {
		if pair, size := jsontext.Escape([]byte(text)); pair != want.pair || size != want.size {
			t.Errorf("%s: got %q and %d, want %q and %d", text, pair, size, want.pair, want.size)
		}
	}
}

// What passes is what encoding/json reads without a replacement of its own.
func FuzzCheck(f *testing.F) {
	for _, text := range []string{`"\ud83d\ude00"`, `"\ud800"`, "\"\xc3\"", `{"\\u": "\udfff\\"}`, `["\ufffd"]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return
		}
		// Without the replacement characters that are written as such, every one that is read was put there.
		for _, written := range []string{"\ufffd", `\ufffd`, `\uFFFD`} {
			if strings.Contains(strings.ToLower(string(text)), strings.ToLower(written)) {
				return
			}
		}
		var value any
		if json.Unmarshal(text, &value) != nil {
			return
		}
		again, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		replaced := strings.ContainsRune(string(again), utf8.RuneError)
		if err := jsontext.Check(text); (err != nil) != replaced && !hasTwice(text, &value) {
			t.Fatalf("%q: %v, read as %q", text, err, again)
		}
	})
}

// hasTwice reports whether a text has more strings than its value: a member that is given twice is read once.
func hasTwice(text []byte, value *any) bool {
	written, read := 0, 0
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	for {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		if _, ok := token.(string); ok {
			written++
		}
	}
	var count func(any)
	count = func(v any) {
		switch v := v.(type) {
		case string:
			read++
		case []any:
			for _, item := range v {
				count(item)
			}
		case map[string]any:
			for _, item := range v {
				read++
				count(item)
			}
		}
	}
	count(*value)
	return written != read
}
