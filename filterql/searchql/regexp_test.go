package searchql_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
)

// regexpClause is a query as an expression of JSON has it: no slash needs a backslash.
func regexpClause(field, expression string) searchql.Expr {
	field, exact := strings.CutSuffix(field, ".exact")
	return &searchql.Clause{Field: field, Exact: exact, Kind: searchql.Regexp, Text: expression}
}

// An expression is about a whole word, without regard to letter case; of .exact about the whole value as it is written.
func TestRegexpFinds(t *testing.T) {
	tests := []struct{ field, expression, found, not string }{
		{"name", "a{2}", "aa|AA|x aa", "a|aaa"},
		{"name", "a{2,}", "aa|aaaaa", "a"},
		{"name", "a{2,3}", "aa|aaa", "a|aaaa"},
		{"name", "xa{0}", "x", "xa"},
		{"name", "xa{0,1}", "x|xa", "xaa"},
		{"name", "(ab){2}", "abab", "ab"},
		{"name", "(a{2}){2}", "aaaa", "aa|aaa"},
		{"name", "xa*", "x|xaa", "a"},
		{"name", "xa+", "xa|xaa", "x"},
		{"name", "xa?", "x|xa", "xaa"},
		{"name", "xß+", "xss|XSSSS|xß", "xsss"},
		{"name", "jo(hn|e)", "John|joe|mary joe", "jo|johne"},
		{"name", "a||b", "a|b", "c"},
		{"name", "x()", "x", "y"},
		{"name", "x.", "xy|xö", "x|xyz|x y"},
		{"name", "[a-c]x", "ax|CX", "dx"},
		{"name", "[A-C]x", "ax|Cx", "dx"},
		{"name", "[ÄX]a", "äa|xa", "a|ba"},
		{"name", "[^a-c]x", "dx|DX", "ax|x"},
		{"name", "[^A]x", "bx", "ax|Ax"},
		{"name", "x[^y]", "xz|xZ", "x|x z|xy"},
		{"name", `[a\]]x`, "ax", "bx"},
		{"name", `[a\-c]x`, "ax|cx", "bx"},
		{"name", "[a-]x", "ax", "bx"},
		{"name", "x[ -9]", "x1|x9", "x|xa|x 1"},
		{"name", "x[\x01- ]", "", "x|x a"},
		{"name", "x[ ]a", "", "x a|xa"},
		{"name", "x a", "", "x a|xa"},
		{"name", `a\.b`, "a.b", "axb"},
		{"name", `a/b`, "", "a/b"},
		{"name.exact", "a b", "a b", "A b|a bc"},
		{"name.exact", "a[ -/]b", "a b|a/b", "ab|aab"},
		{"name.exact", "[A-C]x", "Ax", "ax"},
		{"name.exact", "[^A]x", "ax|bx", "Ax"},
		{"name.exact", `\~\@\&\#\<\>\"\]\}\^\$\\`, `~@&#<>"]}^$\`, `~`},
		{"name.exact", "", "", "a"},
		{"id", "018f.*1", "018f0000-0000-7000-8000-000000000001", "018f0000-0000-7000-8000-000000000002"},
		{"manager.id", "018f.*1", "018f0000000070008000000000000001", "118f0000000070008000000000000001"},
	}
	for _, test := range tests {
		t.Run(test.field+" "+test.expression, func(t *testing.T) {
			query, err := searchql.Check(regexpClause(test.field, test.expression), schema(t),
				searchql.Options{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := query.Where().ToSql(); err != nil {
				t.Error(err)
			}
			demand := func(values string, want bool) {
				t.Helper()
				for value := range strings.SplitSeq(values, "|") {
					document := map[string]any{"name": value, "id": value, "manager": map[string]any{"id": value}}
					if got := query.Eval(document); value != "" && got != want {
						t.Errorf("%q is found: %v, want %v", value, got, want)
					}
				}
			}
			demand(test.found, true)
			demand(test.not, false)
		})
	}
}

func TestRegexpFaults(t *testing.T) {
	deep := func(n int, count string) string {
		return strings.Repeat("(", n) + "a" + strings.Repeat(count+")", n)
	}
	const noNumbers, tooMany = "regular expression: a repetition that has no numbers",
		"the regular expression has more than 1000 parts with its repetitions"
	tests := []struct {
		name, expression string
		kind             filterql.ErrorKind
		want             string
	}{
		{"an open repetition", "a{2", filterql.Syntax, noNumbers},
		{"an empty repetition", "a{}", filterql.Syntax, noNumbers},
		{"a repetition without its least", "a{,3}", filterql.Syntax, noNumbers},
		{"a repetition of letters", "a{b}", filterql.Syntax, noNumbers},
		{"a repetition up to letters", "a{1,b}", filterql.Syntax, noNumbers},
		{"a sign in a repetition", "a{-1}", filterql.Syntax, noNumbers},
		{"a repetition that is turned round", "a{3,2}", filterql.Syntax, noNumbers},
		{"the first number that is too large", "a{251}", filterql.Syntax, noNumbers},
		{"a number that is far too large", "a{99999999999999999999}", filterql.Syntax, noNumbers},
		{"two repetitions", "a{2}{3}", filterql.Syntax, "regular expression: a repetition behind a repetition"},
		{"two signs", "a+?", filterql.Syntax, "regular expression: a repetition behind a repetition"},
		{"a repetition of nothing", "+a", filterql.Syntax, "regular expression: '+' repeats nothing"},
		{"a repetition of nothing in a group", "({2})", filterql.Syntax, "regular expression: '{' repeats nothing"},
		{"an anchor at the end", "a$", filterql.Syntax, "regular expression: '$' is no anchor here"},
		{"a backslash at the end", `a\`, filterql.Syntax, `regular expression: nothing stands behind "\"`},
		{"a backslash at the end of a class", `[a\`, filterql.Syntax,
			"regular expression: a class of characters is not closed"},
		{"an open class", "[a-", filterql.Syntax, "regular expression: a class of characters is not closed"},
		{"an empty class", "[^]", filterql.Syntax, "regular expression: a class without characters"},
		{"a range that is turned round", "[z-a]", filterql.Syntax,
			"regular expression: the range z-a ends before it begins"},
		{"an open group", "(a", filterql.Syntax, "regular expression: a parenthesis is not closed"},
		{"a loose parenthesis", "a)", filterql.Syntax, `regular expression: ")" without "("`},
		{"a bracket", "a]", filterql.Syntax,
			"regular expression: ']' has a meaning in the product that is not known here"},
		{"any text", "a@b", filterql.Syntax,
			"regular expression: '@' has a meaning in the product that is not known here"},
		{"too much, written out", "(a{100}){11}", filterql.Limit, tooMany},
		{"too much in a row", strings.Repeat("a{250}", 4) + "a", filterql.Limit, tooMany},
		{"more than an int counts", deep(11, "{64}"), filterql.Limit, tooMany},
		{"more than an int counts, with a sign", deep(20, "{250}"), filterql.Limit, tooMany},
		{"too deep", deep(21, ""), filterql.Limit,
			"more than 20 parentheses inside each other in a regular expression"},
		{"too long", strings.Repeat("ä", searchql.RegexpMax+1), filterql.Limit,
			"the regular expression has more than 250 characters"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, field := range []string{"name", "name.exact", "id"} {
				_, err := searchql.Check(regexpClause(field, test.expression), schema(t), searchql.Options{Now: now})
				var mistake *filterql.Error
				if !errors.As(err, &mistake) || mistake.Kind != test.kind || mistake.Msg != test.want {
					t.Errorf("%s: the error is %v, want %s", field, err, test.want)
				}
			}
		})
	}
	for name, expression := range map[string]string{
		"the most repetitions": "a{250}", "the most, written out": "(a{100}){10}", "the deepest": deep(20, ""),
		"the longest": strings.Repeat("ä", searchql.RegexpMax),
	} {
		if _, err := searchql.Check(regexpClause("name", expression), schema(t), searchql.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
