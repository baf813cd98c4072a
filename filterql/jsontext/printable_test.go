package jsontext_test

import (
	"testing"

	"github.com/muster-engine/muster/filterql/jsontext"
)

// What would hide a part of an error, or show it in another order, is shown as an escape.
func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                     "",
		"Zoë 王 \u05d0":         "Zoë 王 \u05d0",
		"a\x1b[31mb":           `a\u001b[31mb`,
		"a\nb\tc\rd\x00":       `a\nb\tc\rd\u0000`,
		"\u202egpj.exe\u2066":  `\u202egpj.exe\u2066`,
		"\u200e\u200f\u061c":   `\u200e\u200f\u061c`,
		"\u0085\u2028\u2029\"": `\u0085\u2028\u2029"`,
	} {
		if got := jsontext.Printable(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// A text of several lines keeps its ends of lines, and nothing else that is hidden.
func TestPrintableLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                   "",
		"a\nb\n":             "a\nb\n",
		"\n\nZoë":            "\n\nZoë",
		"a\x07\nb\u202e":     "a\\u0007\nb\\u202e",
		"a\r\nb\tc\n":        "a\\r\nb\\tc\n",
		"a\u2028b\n\u2029\n": "a\\u2028b\n\\u2029\n",
	} {
		if got := jsontext.PrintableLines(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
