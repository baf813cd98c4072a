package searchql

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/muster-engine/muster/filterql"
)

// The limits of a regular expression. PostgreSQL makes an automaton of it, whose size is that of the expression with
// its repetitions written out.
const (
	RegexpMax       = 250 // characters
	RegexpRepeatMax = 250 // the most repetitions in {n,m}
	RegexpSizeMax   = 1000
	regexpDepthMax  = 20
)

// expression is a regular expression of Lucene: it matches whole texts, so it has no anchors.
type expression struct {
	postgres string         // without what stands around it
	compiled *regexp.Regexp // for the evaluator; it matches whole texts
}

// compileRegexp reads a regular expression. Where it is for words, it matches no blank, and its letters are folded.
//
//	regexp = branch { "|" branch } ;
//	branch = { atom [ "*" | "+" | "?" | "{" n [ "," [ m ] ] "}" ] } ;
//	atom   = "." | "[" [ "^" ] { character [ "-" character ] } "]" | "(" regexp ")" | "\" character | character ;
func compileRegexp(c *Clause, words bool, fold func(string) string) (*expression, *filterql.Error) {
	r := &regexpReader{clause: c, text: c.Text, words: words, fold: fold}
	if utf8.RuneCountInString(c.Text) > RegexpMax {
		return nil, fault(filterql.Limit, c.place, "the regular expression has more than %d characters", RegexpMax)
	}
	size, err := r.branches(0)
	if err == nil && r.at < len(r.text) {
		err = r.fault(`")" without "("`, `write \) where the character is meant`)
	}
	if err == nil && size > RegexpSizeMax {
		err = hinted(fault(filterql.Limit, c.place,
			"the regular expression has more than %d parts with its repetitions", RegexpSizeMax), "repeat less")
	}
	if err != nil {
		return nil, err
	}
	compiled, fail := regexp.Compile(`(?s)\A(?:` + r.goText.String() + `)\z`)
	if fail != nil {
		return nil, fault(filterql.Syntax, c.place, "the regular expression is wrong")
	}
	return &expression{r.postgres.String(), compiled}, nil
}

type regexpReader struct {
	clause   *Clause
	text     string
	at       int
	words    bool
	fold     func(string) string
	postgres strings.Builder
	goText   strings.Builder
}

func (r *regexpReader) fault(message, hint string) *filterql.Error {
	return hinted(fault(filterql.Syntax, r.clause.place, "regular expression: %s", message), "%s", hint)
}

func (r *regexpReader) put(text string) {
	r.postgres.WriteString(text)
	r.goText.WriteString(text)
}

func (r *regexpReader) peek() byte {
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

// branches reads alternatives, and returns how many parts they have.
func (r *regexpReader) branches(depth int) (int, *filterql.Error) {
	if depth > regexpDepthMax {
		return 0, fault(filterql.Limit, r.clause.place, "more than %d parentheses inside each other in a regular "+
			"expression", regexpDepthMax)
	}
	size := 0
	for {
		for r.at < len(r.text) && r.peek() != '|' && r.peek() != ')' {
			n, err := r.repeated(depth)
			if err != nil {
				return 0, err
			}
			size += n
		}
		if r.peek() != '|' {
			return size, nil
		}
		r.at++
		r.put("|")
		size++
	}
}

// repeated reads an atom with its repetition. Each atom becomes a group, so that it can be repeated once more.
func (r *regexpReader) repeated(depth int) (int, *filterql.Error) {
	r.put("(?:")
	size, err := r.atom(depth)
	if err != nil {
		return 0, err
	}
	r.put(")")
	var times int
	switch b := r.peek(); b {
	case '*', '+', '?':
		r.at++
		r.put(string(b))
		times = 2
	case '{':
		var text string
		if text, times, err = r.counts(); err != nil {
			return 0, err
		}
		r.put(text)
	default:
		return size, nil
	}
	if b := r.peek(); b == '*' || b == '+' || b == '?' || b == '{' {
		return 0, r.fault("a repetition behind a repetition", "put parentheses around the first one")
	}
	return min(size*times, RegexpSizeMax+1), nil // more would not fit into an int where groups repeat groups
}

// counts reads the numbers of a repetition.
func (r *regexpReader) counts() (text string, times int, err *filterql.Error) {
	end := strings.IndexByte(r.text[r.at:], '}')
	wrong := r.fault("a repetition that has no numbers", `write {2}, {2,} or {2,5}, or \{ where the character is meant`)
	if end < 0 {
		return "", 0, wrong
	}
	inner := r.text[r.at+1 : r.at+end]
	r.at += end + 1
	least, most, both := strings.Cut(inner, ",")
	low, ok := smallNumber(least)
	if !ok {
		return "", 0, wrong
	}
	switch {
	case !both:
		return fmt.Sprintf("{%d}", low), max(low, 1), nil
	case most == "":
		return fmt.Sprintf("{%d,}", low), low + 1, nil
	}
	high, ok := smallNumber(most)
	if !ok || high < low {
		return "", 0, wrong
	}
	return fmt.Sprintf("{%d,%d}", low, high), max(high, 1), nil
}

// smallNumber reads a number of repetitions.
func smallNumber(text string) (int, bool) {
	n := 0
	for _, b := range []byte(text) {
		if b < '0' || b > '9' || n > RegexpRepeatMax {
			return 0, false
		}
		n = 10*n + int(b-'0')
	}
	return n, text != "" && n <= RegexpRepeatMax
}

func (r *regexpReader) atom(depth int) (int, *filterql.Error) {
	c, size := utf8.DecodeRuneInString(r.text[r.at:])
	r.at += size
	switch c {
	case '.':
		r.class([][2]rune{}, true)
		return 1, nil
	case '[':
		return 1, r.brackets()
	case '(':
		if r.peek() == ')' {
			r.at++
			return 1, nil
		}
		n, err := r.branches(depth + 1)
		if err == nil && r.peek() != ')' {
			err = r.fault("a parenthesis is not closed", `close it with ), or write \( where the character is meant`)
		}
		r.at = min(r.at+1, len(r.text))
		return n, err
	case '*', '+', '?', '{':
		return 0, r.fault(fmt.Sprintf("%q repeats nothing", c),
			fmt.Sprintf(`write \%c where the character is meant`, c))
	case '^', '$':
		return 0, r.fault(fmt.Sprintf("%q is no anchor here", c),
			`leave it out: an expression is about a whole word. Write \`+string(c)+" where the character is meant")
	case '~', '@', '&', '#', '<', '>', '"', ']', '}':
		return 0, r.fault(fmt.Sprintf("%q has a meaning in the product that is not known here", c),
			fmt.Sprintf(`write \%c where the character is meant`, c))
	case '\\':
		if r.at == len(r.text) {
			return 0, r.fault(`nothing stands behind "\"`, `write \\ for a backslash`)
		}
		c, size = utf8.DecodeRuneInString(r.text[r.at:])
		r.at += size
	}
	text := string(c)
	if r.words {
		text = r.fold(text)
	}
	for _, letter := range text {
		if r.words && letter == ' ' {
			r.class(nil, false) // no word has one
			continue
		}
		writeLiteral(&r.postgres, letter)
		r.goText.WriteString(regexp.QuoteMeta(string(letter)))
	}
	return len(text), nil
}

// brackets reads a class of characters behind its opening bracket.
func (r *regexpReader) brackets() *filterql.Error {
	negated := r.peek() == '^'
	if negated {
		r.at++
	}
	var ranges [][2]rune
	for {
		if r.at == len(r.text) {
			return r.fault("a class of characters is not closed",
				`close it with ], or write \[ where the character is meant`)
		}
		if r.peek() == ']' {
			r.at++
			break
		}
		low := r.classCharacter()
		high := low
		if r.peek() == '-' && r.at+1 < len(r.text) && r.text[r.at+1] != ']' {
			r.at++
			high = r.classCharacter()
		}
		if high < low {
			return r.fault(fmt.Sprintf("the range %c-%c ends before it begins", low, high), "turn it round")
		}
		ranges = append(ranges, [2]rune{low, high})
	}
	if len(ranges) == 0 {
		return r.fault("a class without characters", `write \[ where the character is meant`)
	}
	r.class(ranges, negated)
	return nil
}

func (r *regexpReader) classCharacter() rune {
	c, size := utf8.DecodeRuneInString(r.text[r.at:])
	r.at += size
	if c == '\\' && r.at < len(r.text) {
		c, size = utf8.DecodeRuneInString(r.text[r.at:])
		r.at += size
	}
	return c
}

// class writes a class of characters. In words, the capital letters of a range stand for the small ones, and a blank is
// in no class.
func (r *regexpReader) class(ranges [][2]rune, negated bool) {
	if r.words {
		ranges = slices.Clone(ranges)
		for _, given := range slices.Clone(ranges) {
			if low, high := max(given[0], 'A'), min(given[1], 'Z'); low <= high {
				ranges = append(ranges, [2]rune{low + 'a' - 'A', high + 'a' - 'A'})
			}
			if given[0] == given[1] {
				if folded := []rune(r.fold(string(given[0]))); len(folded) == 1 {
					ranges = append(ranges, [2]rune{folded[0], folded[0]})
				}
			}
		}
		if negated {
			ranges = append(ranges, [2]rune{' ', ' '})
		} else {
			ranges = withoutBlank(ranges)
		}
	}
	switch {
	case len(ranges) == 0 && negated:
		r.postgres.WriteString(".")
		r.goText.WriteString(".")
		return
	case len(ranges) == 0: // nothing matches
		r.postgres.WriteString(`[^\u0001-\uffff\U00010000-\U0010ffff]`)
		r.goText.WriteString(`[^\x{0}-\x{10ffff}]`)
		return
	}
	r.put("[")
	if negated {
		r.put("^")
	}
	for _, s := range ranges {
		fmt.Fprintf(&r.postgres, `\U%08x-\U%08x`, s[0], s[1])
		fmt.Fprintf(&r.goText, `\x{%x}-\x{%x}`, s[0], s[1])
	}
	r.put("]")
}

func withoutBlank(ranges [][2]rune) [][2]rune {
	var rest [][2]rune
	for _, s := range ranges {
		if s[0] > ' ' || s[1] < ' ' {
			rest = append(rest, s)
			continue
		}
		if s[0] < ' ' {
			rest = append(rest, [2]rune{s[0], ' ' - 1})
		}
		if s[1] > ' ' {
			rest = append(rest, [2]rune{' ' + 1, s[1]})
		}
	}
	return rest
}

// writeLiteral writes a character so that a regular expression of PostgreSQL means it.
func writeLiteral(b *strings.Builder, r rune) {
	letter := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	if r < utf8.RuneSelf && !letter && r != '_' && r > ' ' {
		b.WriteByte('\\')
	}
	b.WriteRune(r)
}
