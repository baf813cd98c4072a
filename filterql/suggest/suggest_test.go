package suggest

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	longest := strings.Repeat("long", 16)
	candidates := []string{"upper", "lower", "trim", "accountAttribute", "eq", longest, longest + "er"}
	for word, want := range map[string]string{
		"uper": "upper", "UPPER": "upper", "acountAtribute": "accountAttribute", "EQ": "eq", "xx": "", "banana": "", "": "",
		"tri": "trim", "lowre": "lower", "olwer": "lower", "pupre": "", "eper": "", "l" + longest[2:]: longest, "a" + longest[1:]: longest,
		"a" + longest[1:] + "er": "", // longer than what is compared
	} {
		if got := Nearest(word, candidates); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}
