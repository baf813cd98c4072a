package javaregex

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// unescape reads what Vectors.java escaped.
var unescape = strings.NewReplacer(`\\`, `\`, `\u000a`, "\n", `\u000d`, "\r", `\u0009`, "\t", `\u2028`, "\u2028", `\u00a0`, "\u00a0")

func replaceAll(pattern, text, replacement string) (string, error) {
	re, err := Compile(pattern)
	if err != nil {
		return "", err
	}
	r, err := re.Replacement(replacement)
	if err != nil {
		return "", err
	}
	return r.ReplaceAll(text, 1000, nil)
}

// TestVectors compares with what java.util.regex does: testdata/Vectors.java wrote the vectors.
func TestVectors(t *testing.T) {
	vectors, err := os.ReadFile("testdata/vectors.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(vectors)) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i := range columns {
			columns[i] = unescape.Replace(columns[i])
		}
		switch columns[0] {
		case "BAD":
			if re, err := Compile(columns[1]); err == nil {
				t.Errorf("%s is read as %s", columns[1], re.re)
			}
		case "SPLIT":
			re, err := Compile(columns[1])
			if err != nil {
				t.Errorf("%s: %v", columns[1], err)
				continue
			}
			parts, err := re.Split(columns[2], 100, nil)
			if got := strings.Join(parts, "␟"); err != nil || got != columns[3] {
				t.Errorf("%q splits %q into %q %v, want %q", columns[1], columns[2], got, err, columns[3])
			}
		default:
			want := columns[3]
			got, err := replaceAll(columns[0], columns[1], columns[2])
			if want == "ERR" {
				if err == nil {
					t.Errorf("%q is accepted", columns[0])
				}
				continue
			}
			if err != nil || got != want {
				t.Errorf("%q in %q by %q gives %q %v, want %q", columns[0], columns[1], columns[2], got, err, want)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	for _, test := range []struct{ pattern, replacement, want string }{
		{"(", "", "a group is not closed"},
		{"ab)", "", "at character 3 of the pattern: ) closes no group"},
		{"+a", "", `at character 1 of the pattern: there is nothing for + to repeat: write \+`},
		{"ä{2", "", "at character 2 of the pattern: { begins a repetition"},
		{`\X`, "", `\X is not an escape that is supported here`},
		{`\p{Alhpa}`, "", `\p{Alhpa} is no class that is known`},
		{"[b-a]", "", "the range b-a is upside down"},
		{"(?<a>x)(?<a>y)", "", `the group "a" is there twice`},
		{strings.Repeat("(", 200), "", "groups are nested deeper than 100"},
		{strings.Repeat("a", 5000), "", "4096 are allowed"},
		{"\xff", "", "not UTF-8"},
		{"a", "$1", "the replacement names the group 1, the pattern has 0"},
		{"a", "${x}", `the group "x", which the pattern does not have`},
		{"a", "$", `write \$ for a dollar sign`},
		{"a", `\`, "ends with a backslash"},
	} {
		_, err := replaceAll(test.pattern, "a", test.replacement)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.20q by %q: %v, want %q", test.pattern, test.replacement, err, test.want)
		}
	}
}

func TestReplaceFirst(t *testing.T) {
	for _, pattern := range []string{"a", "[a]", "z"} {
		re, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		r, err := re.Replacement("<$0>")
		if err != nil {
			t.Fatal(err)
		}
		want := "b<a>nana"
		if pattern == "z" {
			want = "banana"
		}
		if got, err := r.ReplaceFirst("banana", 100, nil); err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", pattern, got, err, want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{{"abc", "abc", true}, {"abc", "abcd", false}, {"a|ab", "ab", true}, {"[a-z]+", "abC", false}, {"", "", true}} {
		re, err := Compile(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := re.Matches(test.text, nil); err != nil || got != test.want {
			t.Errorf("%q matches %q: %v, %v", test.pattern, test.text, got, err)
		}
	}
}

// A pattern that would take hours is given up, and a result that grows is cut off.
func TestLimits(t *testing.T) {
	start := time.Now()
	if _, err := replaceAll("(a+)+$", strings.Repeat("a", 40)+"b", ""); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v, want errors.Is(err, ErrTimeout)", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, pattern := range []string{"a", "[a]"} {
		if _, err := replaceAll(pattern, strings.Repeat("a", 500), "xyz"); !errors.Is(err, ErrTooLong) {
			t.Errorf("got %s: %v, want errors.Is(err, ErrTooLong)", pattern, err)
		}
	}
	if re, err := Compile(","); err != nil {
		t.Error(err)
	} else if parts, err := re.Split("a,b,c", 2, nil); err != nil || len(parts) != 2 {
		t.Errorf("got %q %v, want err == nil && len(parts) == 2", parts, err)
	}
}

// Searches that share a budget take no more than it together: not by many slow ones, of which none is given up, and not
// by going on after one that was.
func TestBudget(t *testing.T) {
	compile := func(pattern string) *Regexp {
		t.Helper()
		re, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		return re
	}
	quick := compile("[a]")
	slow, err := compile("a*b|a").Replacement("c")
	if err != nil {
		t.Fatal(err)
	}
	endless := strings.Repeat("a", 40) + "b"
	for name, search := range map[string]func(*Budget) error{
		"quadratic": func(b *Budget) error {
			_, err := slow.ReplaceAll(strings.Repeat("a", 200_000), 1<<20, b)
			return err
		},
		"matches": func(b *Budget) error { _, err := compile("(a+)+").Matches(endless, b); return err },
		"split":   func(b *Budget) error { _, err := compile("(a+)+$").Split(endless, 9, b); return err },
		"replaceFirst": func(b *Budget) error {
			r, err := compile("(a+)+$").Replacement("")
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.ReplaceFirst(endless, 99, b)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var budget Budget
			if matches, err := quick.Matches("a", &budget); err != nil || !matches {
				t.Fatalf("before: %v %v", matches, err)
			}
			want := ErrTimeout
			if name == "quadratic" {
				want = ErrBudget
			}
			if err := search(&budget); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			if _, err := quick.Matches("a", &budget); !errors.Is(err, ErrBudget) {
				t.Errorf("a search after it: %v", err)
			}
			if _, err := budget.Compile("[a]"); !errors.Is(err, ErrBudget) {
				t.Errorf("a pattern after it: %v", err)
			}
		})
	}
	var budget Budget
	if re, err := budget.Compile("[a"); err == nil {
		t.Errorf("%v is no pattern", re)
	}
	if re, err := budget.Compile("[a]"); err != nil || re.String() != "[a]" {
		t.Errorf("got %v %v, want err == nil && re.String() == \"[a]\"", re, err)
	}
}

func FuzzReplaceAll(f *testing.F) {
	f.Add(`(?<a>\w+)[^\d&&[a-c]]\p{L}*+`, "text of words", "$1${a}")
	f.Add(`[\W\D\p{Alpha}\P{IsLatin}]|\Qx\E{2,3}?`, "x1 ", `\$`)
	f.Fuzz(func(t *testing.T, pattern, text, replacement string) {
		if len(pattern) > 40 || len(text) > 40 {
			return // Long ones only reach the time-out, which has a test.
		}
		result, err := replaceAll(pattern, text, replacement)
		if err == nil && len(result) > 1000 {
			t.Errorf("%d bytes", len(result))
		}
	})
}

func BenchmarkReplaceAll(b *testing.B) {
	for _, pattern := range []string{"-", "[^a-zA-Z0-9]"} {
		b.Run(pattern, func(b *testing.B) {
			re, err := Compile(pattern)
			if err != nil {
				b.Fatal(err)
			}
			r, err := re.Replacement("_")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.ReplaceAll("Anna-Maria Baker", 1000, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
