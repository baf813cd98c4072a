package folding

import (
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCase(t *testing.T) {
	tests := []struct{ name, a, b string }{
		{"ASCII", "ADA.Lovelace@Example.ORG", "ada.lovelace@example.org"},
		{"the ends of the alphabet", "Z@[A", "z@[a"},
		{"umlauts", "MÜLLER", "müller"},
		{"sharp s", "Strauß", "STRAUSS"},
		{"final sigma", "Οδυσσεύς", "ΟΔΥΣΣΕΎΣ"},
		{"iota below", "ᾳ", "ΑΙ"},
		{"Cyrillic", "ЖАННА", "жанна"},
		{"Armenian ligature", "և", "ԵՒ"},
		{"ligatures", "eﬃcient", "EFFICIENT"},
		{"dotted capital I", "İ", "i\u0307"},
		{"dotless i", "ı", "I"},
		{"long s", "ſ", "S"},
		{"Kelvin", "K", "k"},
		{"Deseret", "𐐀", "𐐨"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if a, b := Case(test.a), Case(test.b); a != b {
				t.Errorf("Case(%q) = %+q, Case(%q) = %+q", test.a, a, test.b, b)
			}
		})
	}
	for _, text := range []string{"a\xffB", "a\x80b"} {
		if got := Case(text); got != "a\uFFFDb" {
			t.Errorf("invalid UTF-8 becomes %+q, want %q", got, "a\uFFFDb")
		}
	}
}

// Folding twice is folding once, but for the capital sharp s: its upper case is itself and its lower case ß, which
// folds to ss. So it is in PostgreSQL.
func TestCaseIsIdempotent(t *testing.T) {
	for r := range rune(utf8.MaxRune + 1) {
		if !utf8.ValidRune(r) {
			continue
		}
		once := Case(string(r))
		if twice := Case(once); twice != once && r != 'ẞ' {
			t.Errorf("%U folds to %+q and then to %+q", r, once, twice)
		}
	}
}

func TestCaseOfParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		if whole, parts := Case(a+b), Case(a)+Case(b); whole != parts {
			t.Fatalf("the whole folds to %+q, its parts to %+q", whole, parts)
		}
	})
}

func TestCaseDoesNotAllocateForLowerASCII(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Case("ada.lovelace@example.org") }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
