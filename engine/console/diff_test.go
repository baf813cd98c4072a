package console

import (
	"strings"
	"testing"
)

// The comparison of two texts shows what went and what came, with the lines around it.
func TestDiff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ before, after, want string }{
		{"", "", ""},
		{"a\n", "a\n", ""},
		{"", "a\nb\n", "+a|+b"},
		{"a\nb\n", "", "−a|−b"},
		{"a\nb\nc\n", "a\nx\nc\n", "a|−b|+x|c"},
		{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\n0\n", "…|6|7|8|−9|+0"},
		{"0\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\n6\n", "−0|+1|2|3|4|…"},
	} {
		var lines []string
		for _, line := range diff(test.before, test.after) {
			lines = append(lines, line.Sign+line.Text)
		}
		if got := strings.Join(lines, "|"); got != test.want {
			t.Errorf("%q -> %q: got %s, want %s", test.before, test.after, got, test.want)
		}
	}
	long := strings.Repeat("a\n", diffLinesMax+1)
	if got := diff(long, "b\n"); len(got) != diffLinesMax+2 {
		t.Errorf("a long text has %d lines", len(got))
	}
}

// A document is YAML that reads as the same JSON, with its members in their order.
func TestYAML(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{"b":1,"a":{"c":[true,null,"x"]}}`:              "b: 1\na:\n  c:\n    - true\n    - null\n    - x\n",
		`{"a":"true","b":"12","c":"","d":"x: y","e":[]}`: "a: \"true\"\nb: \"12\"\nc: \"\"\nd: \"x: y\"\ne: []\n",
		`null`: "",
	} {
		if got, err := yamlOf([]byte(document)); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", document, got, err, want)
		}
	}
}
