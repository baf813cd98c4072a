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
		{"a**", "", "there is nothing for * to repeat"},
		{"a|*", "", "there is nothing for * to repeat"},
		{"(*a)", "", "there is nothing for * to repeat"},
		{"(?i)*", "", "there is nothing for * to repeat"},
		{"a{10000}", "", "{ begins a repetition"},
		{"(?<1a>x)", "", "a group's name consists of letters and digits"},
		{"(?<a_>x)", "", "a group's name consists of letters and digits"},
		{`(a)\2`, "", "there is no group 2 before it"},
		{`\p`, "", "is no class that is known"},
		{`\c`, "", `\c is followed by an ASCII character`},
		{`\cé`, "", `\c is followed by an ASCII character`},
		{`[\A]`, "", `\A is not an escape`},
		{`[\Z]`, "", `\Z is not an escape`},
		{`[\z]`, "", `\z is not an escape`},
		{`[\1]`, "", `\1 is not an escape`},
		{`[\9]`, "", `\9 is not an escape`},
		{`\x{110000}`, "", `\x is followed by the hexadecimal digits of a character`},
		{`\x{41`, "", `\x{ is not closed`},
		{`\u004`, "", `\u is followed by 4 hexadecimal digits`},
		{`\08`, "", `\0 is followed by octal digits`},
		{`\0`, "", `\0 is followed by octal digits`},
		{strings.Repeat("[", 102), "", "classes are nested deeper than 100"},
		{"[" + strings.Repeat("[a]", 101) + "]", "", "a class has more than 100 classes in it"},
	} {
		_, err := replaceAll(test.pattern, "a", test.replacement)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.20q by %q: %v, want %q", test.pattern, test.replacement, err, test.want)
		}
	}
}

// What java.util.regex allows at the edges of its rules.
func TestReplaceAtBounds(t *testing.T) {
	const ten = "(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)"
	many := strings.Repeat("(a)", 18) + "(b)"
	for _, test := range []struct{ rule, pattern, text, replacement, want string }{
		{"a range may have one character", "[a-a]", "ab", "_", "_b"},
		{"a class may quote", `[\Q^]\E]`, "a^]b", "_", "a__b"},
		{"the rest of a class may be quoted", `[\Q^]\Eb]`, "a^]b", "_", "a___"},
		{"a control character", `\cJ`, "a\nb", "_", "a_b"},
		{"a class of one letter", `\pL`, "a1", "_", "_1"},
		{"hexadecimal digits", `\x41`, "AB", "_", "_B"},
		{"hexadecimal digits in braces", `\x{41}B`, "ABC", "_", "_C"},
		{"four hexadecimal digits", `\u0041`, "AB", "_", "_B"},
		{"the last character", `\x{10FFFF}`, "a\U0010FFFF", "_", "a_"},
		{"octal digits", `\0101`, "AB", "_", "_B"},
		{"one octal digit", `\07`, "a\a", "_", "a_"},
		{"octal digits end with 8", `\018`, "\x018", "_", "_"},
		{"the greatest octal number", `\0377`, "ÿ", "_", "_"},
		{"two octal digits where three are too many", `\0400`, " 0", "_", "_"},
		{"at most three octal digits", `\00012`, "\x012", "_", "_"},
		{"the last group of one digit", "(a)(b)(c)(d)(e)(f)(g)(h)(i)" + `\9`, "abcdefghii", "_", "_"},
		{"a group of two digits", ten + `\10`, "abcdefghijj", "_", "_"},
		{"the group 19", many + `\19`, strings.Repeat("a", 18) + "bb", "$19", "b"},
		{"a digit behind the group 1", ten + `\19`, "abcdefghija9", "_", "_"},
		{"a digit behind the only group", `(a)\11`, "aa1", "$1", "a"},
		{"a group by its name", `(?<x>a)\k<x>b`, "aab", "_", "_"},
		{"a name with the edges of the alphabet", "(?<azAZ09>a)", "a", "<${azAZ09}>", "<a>"},
		{"four digits of a repetition", "a{1000}", strings.Repeat("a", 1000), "_", "_"},
		{"a hundred classes in a class", "[" + strings.Repeat("[a]", 100) + "]", "ab", "_", "_b"},
		{"a hundred nested classes", strings.Repeat("[", 101) + "a" + strings.Repeat("]", 101), "ab", "_", "_b"},
		{"the longest pattern", strings.Repeat("a", PatternMax), "a", "_", "a"},
	} {
		if got, err := replaceAll(test.pattern, test.text, test.replacement); err != nil || got != test.want {
			t.Errorf("%s: %.40q in %.40q gives %q %v, want %q", test.rule, test.pattern, test.text, got, err, test.want)
		}
	}
}

// A result may be as long as the limit.
func TestLimitOfResult(t *testing.T) {
	for _, pattern := range []string{"a", "[a]"} {
		re, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		r, err := re.Replacement("xx")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.ReplaceAll("aa", 4, nil); err != nil || got != "xxxx" {
			t.Errorf("%s in 4 bytes: %q %v", pattern, got, err)
		}
		if got, err := r.ReplaceAll("aa", 3, nil); !errors.Is(err, ErrTooLong) {
			t.Errorf("%s in 3 bytes: %q %v, want %v", pattern, got, err, ErrTooLong)
		}
	}
}

// With a negative limit the empty text at the end stays, also behind an empty match.
func TestSplitLimit(t *testing.T) {
	for _, test := range []struct {
		pattern string
		limit   int
		want    string
	}{{"", -1, "a|b|,|"}, {"", 0, "a|b|,"}, {",", -1, "ab|"}, {",", 0, "ab"}, {"b", 2, "a|,"}} {
		re, err := Compile(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := re.SplitLimit("ab,", test.limit, nil)
		if got := strings.Join(parts, "|"); err != nil || got != test.want {
			t.Errorf("%q with %d: %q %v, want %q", test.pattern, test.limit, got, err, test.want)
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
	if testing.Short() {
		t.Skip("it takes long")
	}
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
			_, err := slow.ReplaceAll(strings.Repeat("a", 40_000), 1<<20, b)
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
