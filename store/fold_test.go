package store

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/muster-engine/muster/store/storetest"
)

func TestFold(t *testing.T) {
	for _, same := range [][]string{
		{"Straße", "STRASSE", "strasse"},
		{"ΟΔΟΣ", "οδος", "οδοσ"},
		{"É", "e\u0301", "E\u0301"},
		{"İSTANBUL", "i\u0307stanbul"},
		{"ISPARTA", "ısparta", "isparta"},
		{"Владимир", "ВЛАДИМИР"},
		{"ﬃ", "FFI"},
		{"O'Brien", "o'brien"},
		{"ŁÓDŹ", "łódź"},
		{"ᾼ", "αι"},
	} {
		for _, other := range same[1:] {
			if Fold(same[0]) != Fold(other) {
				t.Errorf("%q folds to %q, and %q to %q", same[0], Fold(same[0]), other, Fold(other))
			}
		}
	}
	if Fold("e") == Fold("é") || Fold("山田") == Fold("田山") {
		t.Error("different texts fold alike")
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		if once := Fold(s); Fold(once) != once {
			t.Fatalf("%q folds to %q, and that to %q", s, once, Fold(once))
		}
	})
}

// The server folds as the engine does: every letter alone, and letters within a text.
func TestFoldSQL(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool := storetest.Empty(t)
	var texts []string
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf) {
			texts = append(texts, string(r))
		}
	}
	texts = append(texts, "\ufffe\uffff\U0001FFFE\ue000", "\ufeffA\ufeff", "A\r\nB\u2028C\u0085", "ΑΣ\u200dΣ Σ. ΣΑ\u0301Σ", "I\u0307\u0331 İ\u0300",
		"Z"+strings.Repeat("\u0351\u036b", 500), "\u1100\u1161\u11a8 각 \u0958 \u212b", strings.Repeat("Straße ΣΑΣ É\u0301 ", 50_000))
	// Long runs of marks of several classes, before and behind letters that they compose with.
	mark := rapid.StringOfN(rapid.RuneFrom([]rune("\u0301\u0327\u0323\u0345\u0308\u034f\u0300\u05b0\u3099eEaαιΣΣßは가\u1100\u1161\u11a8Å")), 20, 120, -1)
	texts = append(texts, rapid.SliceOfN(mark, 1000, 1000).Example(2)...)
	texts = append(texts, rapid.SliceOfN(rapid.String(), 2000, 2000).Example(1)...)
	texts = slices.DeleteFunc(texts, func(s string) bool { return slices.Contains([]rune(s), 0) })
	rows, err := pool.Query(t.Context(), `SELECT x, `+foldSQL("x")+` FROM unnest($1::text[]) x`, texts)
	if err != nil {
		t.Fatal(err)
	}
	var text, folded string
	wrong := 0
	_, err = pgx.ForEachRow(rows, []any{&text, &folded}, func() error {
		if Fold(text) != folded {
			if wrong++; wrong <= 20 {
				t.Errorf("%.100q (%.10U): the server folds it to %.100q, the engine to %.100q", text, []rune(text), folded, Fold(text))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if wrong > 0 {
		t.Errorf("%d of %d texts fold differently", wrong, len(texts))
	}
}
