package suggest

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	candidates := []string{"upper", "lower", "trim", "accountAttribute", "eq"}
	for word, want := range map[string]string{
		"uper": "upper", "UPPER": "upper", "acountAtribute": "accountAttribute", "EQ": "eq", "xx": "", "banana": "", "": "",
		strings.Repeat("upper", 20): "",
	} {
		if got := Nearest(word, candidates); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}
