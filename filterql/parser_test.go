package filterql_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/filterql"
)

func TestCanonicalForm(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"string", `name eq "Ada"`, `name eq "Ada"`},
		{"single quotes", `name eq 'Ada "A" L\'s'`, `name eq "Ada \"A\" L's"`},
		{"escapes", `name eq "a\\b\"c"`, `name eq "a\\b\"c"`},
		{"bare word", `name eq Ada`, `name eq "Ada"`},
		{"bare word in another script", `name sw Žofie`, `name sw "Žofie"`},
		{"bare identifier", `id eq 0b1c9d3e-55aa-4c7e-9d3e-1f2e3d4c5b6a`, `id eq "0b1c9d3e-55aa-4c7e-9d3e-1f2e3d4c5b6a"`},
		{"bare address", `email eq ada@example.org`, `email eq "ada@example.org"`},
		{"empty string", `name eq ""`, `name eq ""`},
		{"operator as value", `name eq eq`, `name eq "eq"`},
		{"number", `n ge -1.50e+3`, `n ge -1.50e+3`},
		{"nearly numbers", `a in (1., .5, 1e, 1e+, -)`, `a in ("1.",".5","1e","1e+","-")`},
		{"letters, digits and signs of a field", `azAZ09_- eq 1`, `azAZ09_- eq 1`},
		{"year", `created gt 2018`, `created gt 2018`},
		{"date", `created gt 2018-02-28`, `created gt 2018-02-28`},
		{"no date", `created gt 2018-02-30`, `created gt "2018-02-30"`},
		{"date-time", `created gt 2018-12-18T23:05:55.1234567+05:30`, `created gt 2018-12-18T23:05:55.1234567+05:30`},
		{"boolean", `b eq true`, `b eq true`},
		{"quoted boolean", `b eq "true"`, `b eq "true"`},
		{"upper-case boolean is a word", `b eq TRUE`, `b eq "TRUE"`},
		{"list", "tag in ( 'a' ,b,  3 )", `tag in ("a","b",3)`},
		{"list next to the operator", `tag ca("a")and b eq 1`, `tag ca ("a") and b eq 1`},
		{"present", `pr owner.name`, `pr owner.name`},
		{"null", `owner.name isnull`, `owner.name isnull`},
		{"hyphens in a field", `iplanet-am-user-alias-list isnull`, `iplanet-am-user-alias-list isnull`},
		{"field like an operator", `eq eq "eq"`, `eq eq "eq"`},
		{"field of digits", `2fa eq true`, `2fa eq true`},
		{"no blanks beside parentheses", `(a eq "1")and(b eq "2")or(not(c isnull))`, `a eq "1" and b eq "2" or not c isnull`},
		{"no blanks beside quotes", `a eq"1"and b eq'2'`, `a eq "1" and b eq "2"`},
		{"blanks", " \ta  eq\r\n 1 ", `a eq 1`},
		{"prefix", `filters=a eq 1`, `a eq 1`},
		{"precedence", `not a eq 1 or b eq 2 and c eq 3`, `not a eq 1 or b eq 2 and c eq 3`},
		{"needless parentheses", `((not (a eq 1))) or ((b eq 2) and (c eq 3))`, `not a eq 1 or b eq 2 and c eq 3`},
		{"needed parentheses", `not (a eq 1 or b eq 2) and (c eq 3 or d eq 4)`,
			`not (a eq 1 or b eq 2) and (c eq 3 or d eq 4)`},
		{"chains are flat", `(a eq 1 and b eq 2) and (c eq 3 and d eq 4)`, `a eq 1 and b eq 2 and c eq 3 and d eq 4`},
		{"disjunctions are flat", `a eq 1 or (b eq 2 or c eq 3)`, `a eq 1 or b eq 2 or c eq 3`},
		{"double negation", `not not a eq 1`, `not not a eq 1`},
		{"a line break in a string", "a eq \"1\n2\"", "a eq \"1\n2\""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := filterql.Parse(test.text)
			if err != nil {
				t.Fatal(err)
			}
			got := filterql.Print(e)
			if got != test.want {
				t.Errorf("Print(Parse(%s)) = %s, want %s", test.text, got, test.want)
			}
			again, err := filterql.Parse(got)
			if err != nil {
				t.Fatal(err)
			}
			if !filterql.Equal(e, again) {
				t.Errorf("%s is another tree than %s", got, test.text)
			}
		})
	}
}

func TestPositions(t *testing.T) {
	const text = `filters=not (name eq "Zoë" or pr tag) and n in (1, 'b')`
	e, err := filterql.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	at := func(pos, end int) string { return text[pos:end] }
	and := e.(*filterql.And)
	not := and.Terms[0].(*filterql.Not)
	or := not.X.(*filterql.Or)
	name, tag := or.Terms[0].(*filterql.Comparison), or.Terms[1].(*filterql.Comparison)
	in := and.Terms[1].(*filterql.Comparison)
	got := []string{
		at(and.Pos(), and.End()), at(not.Pos(), not.End()), at(or.Pos(), or.End()), at(name.Pos(), name.End()),
		at(name.Field.Pos, name.Field.End), text[name.OpPos:][:2], at(name.Values[0].Pos, name.Values[0].End),
		at(tag.Pos(), tag.End()), at(in.Pos(), in.End()), at(in.Values[1].Pos, in.Values[1].End),
	}
	want := []string{
		`not (name eq "Zoë" or pr tag) and n in (1, 'b')`, `not (name eq "Zoë" or pr tag`, `name eq "Zoë" or pr tag`,
		`name eq "Zoë"`, `name`, `eq`, `"Zoë"`, `pr tag`, `n in (1, 'b')`, `'b'`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPositionOfNull(t *testing.T) {
	const text = `  owner.name isnull `
	e, err := filterql.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := text[e.Pos():e.End()]; got != "owner.name isnull" {
		t.Errorf("the comparison is at %q", got)
	}
}

func TestEqual(t *testing.T) {
	parse := func(text string) filterql.Expr {
		e, err := filterql.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	tests := []struct {
		name string
		a, b filterql.Expr
		want bool
	}{
		{"nothing and nothing", nil, nil, true},
		{"nothing and a comparison", nil, parse(`a eq 1`), false},
		{"other blanks", parse(`a eq 1`), parse(` a  eq 1`), true},
		{"a word and a number", parse(`a eq 1`), parse(`a eq "1"`), false},
		{"fewer terms", parse(`a eq 1 and b eq 2`), parse(`a eq 1 and b eq 2 and c eq 3`), false},
	}
	for _, test := range tests {
		if got := filterql.Equal(test.a, test.b); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// The depth counts what is nested, not what stands side by side.
func TestDepthIsOfNesting(t *testing.T) {
	for _, text := range []string{`(a eq 1)`, `not a isnull`} {
		if _, err := filterql.Parse(text + strings.Repeat(" and "+text, filterql.DepthMax)); err != nil {
			t.Errorf("%s, many times: %v", text, err)
		}
	}
}

// The error of a text that is too long points between two characters.
func TestLongTextIsCutBetweenCharacters(t *testing.T) {
	_, err := filterql.Parse("x" + strings.Repeat("é", filterql.TextMax/2))
	var e *filterql.Error
	if !errors.As(err, &e) || e.Pos != filterql.TextMax-1 {
		t.Errorf("got %v, want an error at byte %d", err, filterql.TextMax-1)
	}
}

// A text in which no character begins is cut before its first byte.
func TestLongTextWithoutCharacters(t *testing.T) {
	_, err := filterql.Parse(strings.Repeat("\x80", filterql.TextMax+1))
	var e *filterql.Error
	if !errors.As(err, &e) || e.Kind != filterql.Limit || e.Pos != 0 {
		t.Errorf("got %v, want an error at byte 0", err)
	}
}

func TestUnknownOperator(t *testing.T) {
	if got := (filterql.Pr + 1).String(); got != "?" {
		t.Errorf("got %s, want ?", got)
	}
}

func TestLimits(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("(", n) + "a eq 1" + strings.Repeat(")", n) }
	negated := func(n int) string { return strings.Repeat("not ", n) + "a isnull" }
	chain := func(n int) string { return "a eq 1" + strings.Repeat(" or a eq 1", n-1) }
	list := func(n int) string { return "a in (1" + strings.Repeat(",1", n-1) + ")" }
	long := func(n int) string { return `a eq "` + strings.Repeat("x", n-len(`a eq ""`)) + `"` }
	tests := []struct {
		name         string
		text         func(int) string
		max          int
		found, limit string
	}{
		{"length", long, filterql.TextMax, "16385 bytes", "16384"},
		{"parentheses", nested, filterql.DepthMax, "65 deep", "64"},
		{"negations", negated, filterql.DepthMax, "65 deep", "64"},
		{"comparisons", chain, filterql.ComparisonsMax, "comparison 257", "256"},
		{"list", list, filterql.ListMax, "value 1001", "1000"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := filterql.Parse(test.text(test.max)); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			_, err := filterql.Parse(test.text(test.max + 1))
			var e *filterql.Error
			if !errors.As(err, &e) || e.Kind != filterql.Limit {
				t.Fatalf("above the limit: %v, want a limit error", err)
			}
			if !strings.Contains(e.Msg, test.found) || !strings.Contains(e.Msg, test.limit) {
				t.Errorf("%q does not say that %s were found and %s are allowed", e.Msg, test.found, test.limit)
			}
		})
	}
}

func TestPrintByHand(t *testing.T) {
	comparison := func(field string) filterql.Expr {
		return &filterql.Comparison{
			Field: filterql.Name{Text: field}, Op: filterql.Eq,
			Values: []filterql.Value{{Kind: filterql.NumberValue, Text: "many"}}, // which is no number
		}
	}
	a, b, c := comparison("a"), comparison("b"), comparison("c")
	tests := []struct {
		name string
		e    filterql.Expr
		want string
	}{
		{"a conjunction in a conjunction",
			&filterql.And{Terms: []filterql.Expr{a, &filterql.And{Terms: []filterql.Expr{b, c}}}},
			`a eq "many" and b eq "many" and c eq "many"`},
		{"one term", &filterql.Or{Terms: []filterql.Expr{a}}, `a eq "many"`},
		{"nothing", &filterql.And{}, ``},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := filterql.Print(test.e); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
