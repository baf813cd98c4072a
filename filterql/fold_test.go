package filterql_test

import (
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/muster-engine/muster/filterql"
)

func TestFold(t *testing.T) {
	tests := []struct{ name, a, b string }{
		{"ASCII", "ADA.Lovelace@Example.ORG", "ada.lovelace@example.org"},
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
			if a, b := filterql.Fold(test.a), filterql.Fold(test.b); a != b {
				t.Errorf("Fold(%q) = %+q, Fold(%q) = %+q", test.a, a, test.b, b)
			}
		})
	}
	if got := filterql.Fold("a\xffB"); got != "a\uFFFDb" {
		t.Errorf("invalid UTF-8 becomes %+q, want %q", got, "a\uFFFDb")
	}
}

// Folding twice is folding once, but for the capital sharp s: its upper case is itself and its lower case ß, which
// folds to ss. So it is in PostgreSQL.
func TestFoldIsIdempotent(t *testing.T) {
	for r := range rune(utf8.MaxRune + 1) {
		if !utf8.ValidRune(r) {
			continue
		}
		once := filterql.Fold(string(r))
		if twice := filterql.Fold(once); twice != once && r != 'ẞ' {
			t.Errorf("%U folds to %+q and then to %+q", r, once, twice)
		}
	}
}

func TestFoldOfParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		if whole, parts := filterql.Fold(a+b), filterql.Fold(a)+filterql.Fold(b); whole != parts {
			t.Fatalf("the whole folds to %+q, its parts to %+q", whole, parts)
		}
	})
}

func TestFoldDoesNotAllocateForFoldedASCII(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { filterql.Fold("ada.lovelace@example.org") }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
