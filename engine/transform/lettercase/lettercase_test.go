package lettercase

import "testing"

func TestCases(t *testing.T) {
	for _, test := range []struct{ text, lower, upper, capitalized string }{
		{"", "", "", ""},
		{"mIxEd", "mixed", "MIXED", "MIxEd"},
		{"ÀÉî", "àéî", "ÀÉÎ", "ÀÉî"},
		{"straße", "straße", "STRASSE", "Straße"},
		{"ΟΔΥΣΣΕΥΣ", "οδυσσευς", "ΟΔΥΣΣΕΥΣ", "ΟΔΥΣΣΕΥΣ"},
		{"ΟΔΟΣ ΣΟΦΙΑΣ.", "οδος σοφιας.", "ΟΔΟΣ ΣΟΦΙΑΣ.", "ΟΔΟΣ ΣΟΦΙΑΣ."},
		{"Σ", "σ", "Σ", "Σ"},
		{"ς", "ς", "Σ", "Σ"},
		{"İ", "i̇", "İ", "İ"},
		{"ǆur", "ǆur", "ǄUR", "ǅur"},
		{"1a", "1a", "1A", "1a"},
	} {
		if got := Lower(test.text); got != test.lower {
			t.Errorf("%s in lower case is %s, want %s", test.text, got, test.lower)
		}
		if got := Upper(test.text); got != test.upper {
			t.Errorf("%s in upper case is %s, want %s", test.text, got, test.upper)
		}
		if got := Capitalize(test.text); got != test.capitalized {
			t.Errorf("%s capitalized is %s, want %s", test.text, got, test.capitalized)
		}
	}
}
