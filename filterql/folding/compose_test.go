package folding

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// Where package norm puts nothing in, the two ways agree; where it does, the form is stable and has nothing put in.
func TestCompose(t *testing.T) {
	marks := []rune("\u0301\u0327\u0323\u0345\u0308\u0300\u05b0\u3099\u0344eEaαιΣは가\u1100\u1161\u11a8Å\u212b\u1f82q")
	rapid.Check(t, func(t *rapid.T) {
		short := rapid.StringOfN(rapid.RuneFrom(marks), 0, 12, -1).Draw(t, "short")
		if want := norm.NFC.String(short); composeLong(short) != want || Compose(short) != want {
			t.Fatalf("%+q becomes %+q, want %+q", short, composeLong(short), want)
		}
		long := rapid.StringOfN(rapid.RuneFrom(marks), 30, 120, -1).Draw(t, "long")
		once := Compose(long)
		if Compose(once) != once || strings.Contains(once, joiner) {
			t.Fatalf("%+q becomes %+q, and that %+q", long, once, Compose(once))
		}
	})
	for text, want := range map[string]string{
		"e\u033d" + strings.Repeat("\u0301", 40):          "e\u033d" + strings.Repeat("\u0301", 40), // a mark of the same class blocks
		strings.Repeat("\u0344", 16):                      strings.Repeat("\u0308\u0301", 16),
		"a" + strings.Repeat("\u0323", 40) + "\u0302":     "\u1ead" + strings.Repeat("\u0323", 39),
		"q" + strings.Repeat("\u0301", 40) + "\u0327":     "q\u0327" + strings.Repeat("\u0301", 40),
		joiner + strings.Repeat("\u0301", 40) + "e\u0301": joiner + strings.Repeat("\u0301", 40) + "é",
	} {
		if got := Compose(text); got != want {
			t.Errorf("%+q becomes %+q, want %+q", text, got, want)
		}
	}
}
