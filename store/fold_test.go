package store

import (
	"slices"
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
	pool := storetest.Empty(t)
	var texts []string
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z) {
			texts = append(texts, string(r))
		}
	}
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
				t.Errorf("%q (%U): the server folds it to %q, the engine to %q", text, []rune(text), folded, Fold(text))
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
