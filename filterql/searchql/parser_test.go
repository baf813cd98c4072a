package searchql_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/searchql"
)

// What a text means is shown by the text of its tree, in which every group has parentheses.
func TestParse(t *testing.T) {
	tests := []struct{ name, text, tree string }{
		{"a word", `london`, `london`},
		{"a capital letter", `Ad`, `\Ad`},
		{"a phrase", `"sao paulo"`, `"sao paulo"`},
		{"two words are joined by or", `two words`, `two OR words`},
		{"single quotes are ordinary characters", `'x y'`, `\'x OR y\'`},
		{"a field", `displayName:john.smith`, `displayName:john.smith`},
		{"an at sign inside a value", `email:steve@acme.com`, `email:steve\@acme.com`},
		{"an escaped at sign", `email:steve\@acme.com`, `email:steve\@acme.com`},
		{"a blank behind the colon", `created: [now-30d TO now]`, `created:["now-30d" TO "now"]`},
		{"a value that begins with a sign", `count:-5`, `count:\-5`},
		{"a field and a loose word", `name:john smith`, `name:john OR smith`},
		{"whole values", `attributes.department.exact:it`, `attributes.department.exact:it`},
		{"a group behind a field", `f:("a" OR b c:d)`, `f:"a" OR f:b OR c:d`},
		{"everything", `*`, `*`},
		{"everything, in full", `*:*`, `*`},
		{"any value", `f:*`, `_exists_:f`},
		{"presence", `_exists_:manager.id`, `_exists_:manager.id`},
		{"wildcards", `name:*sm?th*`, `name:*sm?th*`},
		{"an escaped wildcard", `name:a\*`, `name:a\*`},
		{"a regular expression", `f:/[a-c].*\/x/`, `f:/[a-c].*\/x/`},
		{"a regular expression with escapes", `/a\.\\\/b/`, `/a\.\\\/b/`},
		{"a range", `f:[a TO b]`, `f:["a" TO "b"]`},
		{"a range without its ends", `f:{1 TO 2}`, `f:{"1" TO "2"}`},
		{"a mixed range", `f:[1 TO 2}`, `f:["1" TO "2"}`},
		{"an open range", `f:[* TO 2]`, `f:[* TO "2"]`},
		{"colons inside brackets", `f:[2022-05-19T19:26:03.351Z TO now]`, `f:["2022-05-19T19:26:03.351Z" TO "now"]`},
		{"short ranges", `f:>5 f:>=5 f:<2 f:<=2`, `f:{"5" TO *] OR f:["5" TO *] OR f:[* TO "2"} OR f:[* TO "2"]`},
		{"a short range in a group", `f:(>=10 AND <20)`, `f:["10" TO *] AND f:[* TO "20"}`},
		{"and before or", `a OR b AND c`, `a OR (b AND c)`},
		{"and before or, the other way round", `a AND b OR c`, `(a AND b) OR c`},
		{"not before and", `NOT a AND b`, `(NOT a) AND b`},
		{"signs for operators", `a && b || !c`, `(a AND b) OR (NOT c)`},
		{"a negation alone", `NOT a`, `NOT a`},
		{"a negation of a negation", `NOT NOT a`, `a`},
		{"a word and a negation", `a NOT b`, `a AND (NOT b)`},
		{"a negation and a word", `NOT a b`, `b AND (NOT a)`},
		{"or and a negation", `a OR NOT b`, `a OR (NOT b)`},
		{"minus", `a b -c`, `(a OR b) AND (NOT c)`},
		{"minus wins over or", `a OR -c`, `a AND (NOT c)`},
		{"plus", `+a b -c`, `a AND (NOT c)`},
		{"two plus", `+a +b c`, `a AND b`},
		{"a hyphen inside a word", `ad-admin`, `ad\-admin`},
		{"lower case is no operator", `a or not b`, `a OR or OR not OR b`},
		{"operators in quotes", `"AND" "or"`, `"AND" OR "or"`},
		{"groups", `(a OR b) AND c`, `(a OR b) AND c`},
		{"nested", `@accounts(source.name:"Active Directory" AND disabled:false)`,
			`@accounts(source.name:"Active Directory" AND disabled:false)`},
		{"nested, negated", `NOT @accounts(a:b) AND c:*`, `(NOT @accounts(a:b)) AND _exists_:c`},
		{"nested, the old form", `@apps.name:'Special Application'`, `@apps(name:\'\Special) OR \Application\'`},
		{"the end of a term", `@access(type:ENTITLEMENT AND name:*FILE SHARE*)`,
			`@access((type:\E\N\T\I\T\L\E\M\E\N\T AND name:*\F\I\L\E) OR \S\H\A\R\E*)`},
		{"an at sign in front", `@x`, `\@x`},
		{"a boost", `a^2 "b c"^1.5`, `a OR "b c"`},
		{"a boost of a group and a range", `(a b)^2 AND f:[1 TO 2]^3`, `(a OR b) AND f:["1" TO "2"]`},
		{"a boost of a short range", `f:>5^2 f:<"6"^2`, `f:{"5" TO *] OR f:[* TO "6"}`},
		{"a short range of a phrase", `f:>="a \"b" f:< c`, `f:["a \"b" TO *] OR f:[* TO "c"}`},
		{"an escaped blank in a short range", `f:>a\ b`, `f:{"a b" TO *]`},
		{"escapes in a range", `f:[\* TO a\ b]`, `f:["*" TO "a b"]`},
		{"phrases in a range", `f:["a b" TO "]"}`, `f:["a b" TO "]"}`},
		{"presence, in quotes", `_exists_:"manager.id"`, `_exists_:manager.id`},
		{"presence of a whole value", `_exists_:name.exact`, `_exists_:name`},
		{"presence at the end of a group", `(_exists_:manager)`, `_exists_:manager`},
		{"a list without a field", `@apps.x`, `\@apps.x`},
		{"a list in front of a sign", `@apps\:x`, `\@apps\:x`},
		{"a list alone", `@apps`, `\@apps`},
		{"a word that begins like an operator", `ORA ANDROID NOTE`, `\O\R\A OR \A\N\D\R\O\I\D OR \N\O\T\E`},
		{"an operator at a parenthesis", `a AND(b)OR(c)`, `(a AND b) OR c`},
		{"signs of operators inside a word", `a||b&&!c`, `a\|\|b\&\&\!c`},
		{"an apostrophe", `o'neill`, `o\'neill`},
		{"an escaped colon", `f:2017-09-25T10\:00`, `f:2017\-09\-25\T10\:00`},
		{"a slash inside a value", `created:now/d`, `created:now\/d`},
		{"a field inside of nested words", `f:(a (b OR g.exact:c))`, `f:a OR (f:b OR g.exact:c)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := searchql.Parse(test.text)
			if err != nil {
				t.Fatal(err)
			}
			tree := searchql.Print(e)
			if tree != test.tree {
				t.Errorf("%s\nmeans %s\nwant  %s", test.text, tree, test.tree)
			}
			again, err := searchql.Parse(tree)
			if err != nil || !searchql.Equal(again, e) {
				t.Errorf("%s parses to %s, %v", tree, searchql.Print(again), err)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "  ", `
position 3: the query is empty
    
    ^
hint: write "*" for everything`},
		{"an open phrase", `name:"john`, `
position 6: the phrase has no closing quote
  name:"john
       ^^^^^
hint: close it with ", or write \" where the character is meant`},
		{"an open parenthesis", `(a OR b`, `
position 1: the parenthesis is not closed
  (a OR b
  ^
hint: close it with )`},
		{"a loose parenthesis", `a)`, `
position 2: ")" without "("
  a)
   ^
hint: remove it, or write \) where it is meant as a character`},
		{"no value", `name: `, `
position 1: the value is missing
  name: 
  ^^^^^^
hint: write it behind the colon, or * where any value will do`},
		{"an operator for a value", `name:AND`, `
position 6: AND where a value is expected
  name:AND
       ^^^
hint: put it into quotes where it is the value`},
		{"an open range", `f:[a TO b`, `
position 3: the range is not closed
  f:[a TO b
    ^^^^^^^
hint: close it with ], or with } to leave its end out`},
		{"half a range", `f:[a TO`, `
position 8: an end of the range is missing
  f:[a TO
         ^
hint: write a value, or * where it is open`},
		{"a range without TO", `f:[a b]`, `
position 6: TO is missing in the range
  f:[a b]
       ^
hint: write it between its ends: [a TO b]`},
		{"a range without a field", `[a TO b]`, `
position 1: a range without a field
  [a TO b]
  ^
hint: write the field before it, such as created:[now-7d TO now]`},
		{"an operator in front", `AND a`, `
position 1: "AND" where a clause is expected
  AND a
  ^^^
hint: write a word, a field with its value, or a group; put a sign that is meant as text into quotes`},
		{"an operator behind", `a OR`, `
position 3: nothing stands behind OR
  a OR
    ^^
hint: write a clause behind it, or "OR" in quotes where it is a word`},
		{"two operators", `a AND OR b`, `
position 7: "OR" where a clause is expected
  a AND OR b
        ^^
hint: write a word, a field with its value, or a group; put a sign that is meant as text into quotes`},
		{"a sign alone", `a - b`, `
position 3: nothing stands behind "-"
  a - b
    ^
hint: write a clause directly behind it, or put the text into quotes`},
		{"a colon inside a value", `created:>2024-01-01 t:10:30`, `
position 25: ":" inside a value
  created:>2024-01-01 t:10:30
                          ^
hint: write \: or put the value into quotes`},
		{"an open regular expression", `f:/ab`, `
position 3: the regular expression has no closing slash
  f:/ab
    ^^^
hint: close it with /, or write \/ where the character is meant`},
		{"similar words", `roam~2`, `
position 5: "~" asks for similar words, which is not known
  roam~2
      ^
hint: use wildcards, or write \~ where the character is meant`},
		{"a bracket inside a word", `a[1]`, `
position 2: '[' inside a word
  a[1]
   ^
hint: write \[, or put the text into quotes`},
		{"a field with a blank", `"first name":a`, `
position 13: "" is no name of a field
  "first name":a
              ^
hint: write \: or quotes where the colon is part of the text`},
		{"a backslash at the end", `a\`, `
position 2: nothing stands behind "\"
  a\
   ^
hint: write \\ for a backslash`},
		{"no value for a comparison", `f:>= `, `
position 3: the value is missing
  f:>= 
    ^^^
hint: write it behind the sign`},
		{"an empty value for a comparison", `f:<""`, `
position 3: the value is missing
  f:<""
    ^^^
hint: write it behind the sign`},
		{"a comparison in front of a group", `f:>(5)`, `
position 3: the value is missing
  f:>(5)
    ^
hint: write it behind the sign`},
		{"an open phrase in a comparison", `f:>"5`, `
position 4: the phrase has no closing quote
  f:>"5
     ^^
hint: close it with ", or write \" where the character is meant`},
		{"a comparison without a field", `>5`, `
position 1: a comparison without a field
  >5
  ^
hint: write the field before it, such as accountCount:>5`},
		{"no lower end", `f:[TO b]`, `
position 4: an end of the range is missing
  f:[TO b]
     ^
hint: write a value, or * where it is open`},
		{"no upper end", `f:[a TO ]`, `
position 9: an end of the range is missing
  f:[a TO ]
          ^
hint: write a value, or * where it is open`},
		{"an open phrase in a range", `f:["a TO b]`, `
position 4: the phrase has no closing quote
  f:["a TO b]
     ^^^^^^^^
hint: close it with ", or write \" where the character is meant`},
		{"no name behind _exists_", `_exists_: `, `
position 11: the name of a field is missing
  _exists_: 
            ^
hint: write it behind the colon, such as _exists_:manager`},
		{"an open quote behind _exists_", `_exists_:"a`, `
position 10: the name of a field is missing
  _exists_:"a
           ^^
hint: write it behind the colon, such as _exists_:manager`},
		{"an operator for a value, as a sign", `f:&& a`, `
position 3: "&&" where a clause is expected
  f:&& a
    ^^
hint: write a word, a field with its value, or a group; put a sign that is meant as text into quotes`},
		{"an operator in front, after a group", `(OR a)`, `
position 2: "OR" where a clause is expected
  (OR a)
   ^^
hint: write a word, a field with its value, or a group; put a sign that is meant as text into quotes`},
		{"an operator behind a conjunction", `a AND`, `
position 3: nothing stands behind AND
  a AND
    ^^^
hint: write a clause behind it, or "AND" in quotes where it is a word`},
		{"similar phrases", `"a b"~3`, `
position 6: "~" asks for similar words, which is not known
  "a b"~3
       ^
hint: use wildcards, or write \~ where the character is meant`},
		{"similar words as a value", `f:a~`, `
position 4: "~" asks for similar words, which is not known
  f:a~
     ^
hint: use wildcards, or write \~ where the character is meant`},
		{"a boost without a number", `a^ b`, `
position 2: "^" without a number
  a^ b
   ^
hint: write \^ where the character is meant`},
		{"a boost of nothing", `f:^2`, `
position 3: "^2" where a clause is expected
  f:^2
    ^^
hint: write a word, a field with its value, or a group; put a sign that is meant as text into quotes`},
		{"an operator and nothing behind a sign", `(a AND -)`, `
position 8: nothing stands behind "-"
  (a AND -)
         ^
hint: write a clause directly behind it, or put the text into quotes`},
		{"nothing in a group", `a (`, `
position 4: a clause is missing
  a (
     ^
hint: write one, such as name:john, or "*" for everything`},
		{"an empty group", `a AND ()`, `
position 8: ")" where a clause is expected
  a AND ()
         ^
hint: write a word, a field with its value, or a group; put a sign that is meant as text into quotes`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := searchql.Parse(test.text)
			var mistake *filterql.Error
			if !errors.As(err, &mistake) {
				t.Fatalf("the error is %v", err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), strings.TrimRight(mistake.Render(), "\n")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	tests := []struct {
		name, text string
		limit      bool
	}{
		{"the longest text", strings.Repeat("a", searchql.TextMax), false},
		{"a longer text", strings.Repeat("a", searchql.TextMax+1), true},
		{"the deepest group", strings.Repeat("(", searchql.DepthMax) + "a" + strings.Repeat(")", searchql.DepthMax), false},
		{"a deeper group", strings.Repeat("(", searchql.DepthMax+1) + "a" + strings.Repeat(")", searchql.DepthMax+1), true},
		{"a deeper negation", strings.Repeat("!", searchql.DepthMax+1) + "a", true},
		{"the most clauses", strings.Repeat("a ", searchql.ClausesMax), false},
		{"more clauses", strings.Repeat("a ", searchql.ClausesMax+1), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := searchql.Parse(test.text)
			var mistake *filterql.Error
			is := errors.As(err, &mistake) && mistake.Kind == filterql.Limit
			if is != test.limit || !is && err != nil {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// A text that is no text is refused at the first byte that is wrong; one that is too long where the rest of it begins,
// which is between two characters.
func TestBadTexts(t *testing.T) {
	most := strings.Repeat("a", searchql.TextMax-1)
	tests := []struct {
		name, text string
		pos, end   int
	}{
		{"a NUL", "a\x00b", 1, 2},
		{"a byte", "a\xffb", 1, 2},
		{"a byte behind other characters", "ä\ufffd\xff", 5, 6},
		{"half a character", "a\xc3", 1, 2},
		{"too long", most + "bc", searchql.TextMax, searchql.TextMax + 1},
		{"too long by a part of a character", most + "ä", searchql.TextMax - 1, searchql.TextMax + 1},
		{"too long, and no text", strings.Repeat("\x80", searchql.TextMax+1), 0, searchql.TextMax + 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := searchql.Parse(test.text)
			var mistake *filterql.Error
			if !errors.As(err, &mistake) || mistake.Pos != test.pos || mistake.End != test.end ||
				mistake.Render() == "" {
				t.Errorf("the error is %v, want one from %d to %d", err, test.pos, test.end)
			}
		})
	}
}

// A message quotes at most 40 characters.
func TestLongTextsAreShortened(t *testing.T) {
	for n, want := range map[int]string{40: strings.Repeat("ä", 40), 41: strings.Repeat("ä", 40) + "…"} {
		_, err := searchql.ParseQuery("count:"+strings.Repeat("ä", n), schema(t), searchql.Options{Now: now})
		var mistake *filterql.Error
		if !errors.As(err, &mistake) || mistake.Msg != `"`+want+`" is no number, which "count" is` {
			t.Errorf("%d characters: %v", n, err)
		}
	}
}

// Trees are the same where all of their parts are.
func TestEqual(t *testing.T) {
	a, b := &searchql.Clause{Field: "f", Text: "a"}, &searchql.Clause{Field: "f", Text: "b"}
	span := func(lower, upper *searchql.Bound) searchql.Expr {
		return &searchql.Clause{Field: "f", Kind: searchql.Range, Lower: lower, Upper: upper}
	}
	trees := []searchql.Expr{
		nil, a, b, &searchql.All{}, &searchql.Not{X: a}, &searchql.Not{X: b}, &searchql.And{Terms: []searchql.Expr{a,
			b}},
		&searchql.And{Terms: []searchql.Expr{b, a}}, &searchql.And{Terms: []searchql.Expr{a}},
		&searchql.Or{Terms: []searchql.Expr{a, b}}, &searchql.Or{}, &searchql.And{},
		&searchql.Nested{Name: "x", X: a}, &searchql.Nested{Name: "x", X: b}, &searchql.Nested{Name: "y", X: a},
		&searchql.Clause{Field: "g", Text: "a"}, &searchql.Clause{Field: "f", Text: "a", Exact: true},
		&searchql.Clause{Field: "f", Text: "a", Kind: searchql.Phrase}, &searchql.Clause{Field: "f", Text: "a",
			AnyWord: true},
		&searchql.Clause{Field: "f", Text: "a", Whole: true}, &searchql.Clause{Field: "f", Text: "a",
			Pattern: []rune("a")},
		span(nil, nil), span(&searchql.Bound{Text: "a"}, nil), span(nil, &searchql.Bound{Text: "a"}),
		span(&searchql.Bound{Text: "b"}, nil), span(&searchql.Bound{Text: "a", Inclusive: true}, nil),
	}
	for i, x := range trees {
		for j, y := range trees {
			if got := searchql.Equal(x, y); got != (i == j) {
				t.Errorf("%d is the same as %d: %v", i, j, got)
			}
		}
	}
	parsed, err := searchql.Parse("  f:a")
	if err != nil || !searchql.Equal(parsed, a) {
		t.Errorf("the place counts: %v", err)
	}
}
