package searchql

import (
	"strings"
	"unicode/utf8"

	"github.com/muster-engine/muster/filterql"
)

// The limits of a query.
const (
	TextMax    = 64 << 10 // bytes of the text
	DepthMax   = 50       // parentheses, nested queries and signs of negation inside each other
	ClausesMax = 1024     // conditions
)

// Parse reads a query. It knows no fields: [Check] does. An error is a [*filterql.Error].
func Parse(text string) (Expr, error) {
	return (&parser{text: text}).query()
}

// query reads the whole text.
func (p *parser) query() (Expr, error) {
	text := p.text
	if err := filterql.CheckText("query", text, TextMax); err != nil {
		return nil, err
	}
	p.blanks()
	if p.at == len(text) {
		return nil, hinted(fault(filterql.Syntax, p.here(), "the query is empty"), `write "*" for everything`)
	}
	e, err := p.sequence()
	if err != nil {
		return nil, err
	}
	if p.at < len(text) {
		return nil, hinted(fault(filterql.Syntax, place{text, p.at, p.at + 1}, `")" without "("`),
			`remove it, or write \) where it is meant as a character`)
	}
	return e, nil
}

// parser reads a text from left to right, one character ahead.
type parser struct {
	text    string
	at      int
	depth   int
	clauses int
	// field and exact are those of the group in front of which a field stands.
	field string
	exact bool
}

func (p *parser) here() place { return place{p.text, p.at, p.at} }

func (p *parser) from(pos int) place { return place{p.text, pos, p.at} }

func (p *parser) end() bool { return p.at == len(p.text) }

// peek returns the next character, 0 at the end.
func (p *parser) peek() byte {
	if p.end() {
		return 0
	}
	return p.text[p.at]
}

func (p *parser) has(text string) bool { return strings.HasPrefix(p.text[p.at:], text) }

// blank returns the length of the white space at an offset; 0 for none.
func (p *parser) blank(at int) int {
	switch r, size := utf8.DecodeRuneInString(p.text[at:]); r {
	case ' ', '\t', '\n', '\r', '\u00a0', '\u3000':
		return size
	}
	return 0
}

func (p *parser) blanks() {
	for !p.end() {
		size := p.blank(p.at)
		if size == 0 {
			return
		}
		p.at += size
	}
}

// enter counts a level of depth. The caller leaves it again.
func (p *parser) enter() *filterql.Error {
	if p.depth++; p.depth > DepthMax {
		return hinted(fault(filterql.Limit, p.here(), "more than %d levels of parentheses and negations", DepthMax),
			"write a flatter query")
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// word reports whether an operator that is a word stands here, and skips it.
func (p *parser) word(operator string) bool {
	if !p.has(operator) {
		return false
	}
	behind := p.at + len(operator)
	if behind < len(p.text) && p.blank(behind) == 0 && !strings.ContainsRune("()\"", rune(p.text[behind])) {
		return false
	}
	p.at = behind
	return true
}

func (p *parser) or() bool  { return p.operator("OR", "||") }
func (p *parser) and() bool { return p.operator("AND", "&&") }

func (p *parser) operator(word, sign string) bool {
	if p.has(sign) {
		p.at += len(sign)
		return true
	}
	return p.word(word)
}

// modifier is the sign in front of a clause.
type modifier uint8

const (
	plain modifier = iota
	must           // +
	never          // -
	not            // NOT, !
)

// item is a part of a sequence.
type item struct {
	x        Expr
	modifier modifier
	or       bool // OR stands before it
}

// sequence reads clauses up to the end, or up to a closing parenthesis.
//
//	sequence    = conjunction { [ "OR" | "||" ] conjunction } ;
//	conjunction = signed { ( "AND" | "&&" ) signed } ;
//	signed      = [ "NOT" | "!" | "+" | "-" ] signed | clause ;
func (p *parser) sequence() (Expr, *filterql.Error) {
	var items []item
	for {
		p.blanks()
		if p.end() || p.peek() == ')' {
			break
		}
		start := p.at
		or := p.or()
		if or && len(items) == 0 {
			return nil, p.noClause(start)
		}
		if !or && p.and() {
			return nil, p.noClause(start)
		}
		p.blanks()
		if or && (p.end() || p.peek() == ')') {
			return nil, hinted(fault(filterql.Syntax, p.from(start), "nothing stands behind OR"),
				`write a clause behind it, or "OR" in quotes where it is a word`)
		}
		x, modifier, err := p.conjunction()
		if err != nil {
			return nil, err
		}
		items = append(items, item{x, modifier, or})
	}
	if len(items) == 0 {
		return nil, p.noClause(p.at)
	}
	return joined(items), nil
}

// joined returns what a sequence means. Clauses with + must be true, those with - must not. NOT in front of a clause
// that no OR joins to another one is the same as -. Of the others one must be true, unless there is one with +: then
// they say nothing, as in the product.
func joined(items []item) Expr {
	var required, optional, excluded []Expr
	for i, it := range items {
		alone := !it.or && (i+1 == len(items) || !items[i+1].or)
		switch {
		case it.modifier == must:
			required = append(required, it.x)
		case it.modifier == never, it.modifier == not && alone && len(items) > 1:
			excluded = append(excluded, it.x)
		default:
			optional = append(optional, it.x)
		}
	}
	var terms []Expr
	switch {
	case len(required) > 0:
		terms = required
	case len(optional) == 1:
		terms = optional
	case len(optional) > 1:
		terms = []Expr{&Or{optional}}
	}
	terms = append(terms, excluded...)
	if len(terms) == 1 {
		return terms[0]
	}
	return &And{terms}
}

func (p *parser) conjunction() (Expr, modifier, *filterql.Error) {
	x, modifier, err := p.signed()
	if err != nil {
		return nil, plain, err
	}
	terms := []Expr{x}
	for {
		p.blanks()
		start := p.at
		if !p.and() {
			break
		}
		p.blanks()
		if p.end() || p.peek() == ')' {
			return nil, plain, hinted(fault(filterql.Syntax, p.from(start), "nothing stands behind AND"),
				`write a clause behind it, or "AND" in quotes where it is a word`)
		}
		x, _, err := p.signed()
		if err != nil {
			return nil, plain, err
		}
		terms = append(terms, x)
	}
	if len(terms) == 1 {
		return x, modifier, nil
	}
	return &And{terms}, plain, nil
}

// signed reads a clause with the signs in front of it. A clause with - or NOT comes as its negation.
func (p *parser) signed() (Expr, modifier, *filterql.Error) {
	start := p.at
	var sign modifier
	switch {
	case p.has("!"), p.has("-"), p.has("+"):
		sign = map[byte]modifier{'!': not, '-': never, '+': must}[p.peek()]
		p.at++
	case p.word("NOT"):
		sign = not
	default:
		x, err := p.clause()
		return x, plain, err
	}
	if sign == not {
		p.blanks()
	}
	if p.end() || p.peek() == ')' || p.blank(p.at) > 0 {
		return nil, plain, hinted(fault(filterql.Syntax, p.from(start), "nothing stands behind %q",
			p.text[start:p.at]), `write a clause directly behind it, or put the text into quotes`)
	}
	if err := p.enter(); err != nil {
		return nil, plain, err
	}
	defer p.leave()
	x, _, err := p.signed()
	if err != nil || sign == must {
		return x, sign, err
	}
	return negated(x), sign, nil
}

func negated(x Expr) Expr {
	if n, ok := x.(*Not); ok {
		return n.X
	}
	return &Not{x}
}

// clause reads a group, a nested query, or a condition with or without a field.
//
//	clause = ( group | nested | "_exists_" ":" name | name ":" value | value ) [ "^" number ] ;
//	group  = "(" sequence ")" ;
func (p *parser) clause() (Expr, *filterql.Error) {
	if p.clauses++; p.clauses > ClausesMax {
		return nil, hinted(fault(filterql.Limit, p.here(), "more than %d clauses", ClausesMax), "ask for less at once")
	}
	var x Expr
	var err *filterql.Error
	switch b := p.peek(); {
	case b == '(':
		x, err = p.group(p.field, p.exact)
	case b == '@':
		x, err = p.nested()
	case b == '"', b == '/', b == '[', b == '{', b == '<', b == '>':
		x, err = p.value(p.field, p.exact, p.at)
	default:
		x, err = p.named()
	}
	if err != nil {
		return nil, err
	}
	return x, p.suffix()
}

// group reads a parenthesis, inside of which a field counts that stands in front of it.
func (p *parser) group(field string, exact bool) (Expr, *filterql.Error) {
	open := p.at
	p.at++
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	outerField, outerExact := p.field, p.exact
	p.field, p.exact = field, exact
	x, err := p.sequence()
	p.field, p.exact = outerField, outerExact
	if err != nil {
		return nil, err
	}
	if p.end() {
		return nil, hinted(fault(filterql.Syntax, place{p.text, open, open + 1}, "the parenthesis is not closed"),
			"close it with )")
	}
	p.at++
	return x, nil
}

// nested reads a nested query, in the form that the product had before too.
//
//	nested = "@" name group | "@" name "." name ":" value ;
func (p *parser) nested() (Expr, *filterql.Error) {
	start := p.at
	i := start + 1
	for i < len(p.text) && isLetter(p.text[i]) {
		i++
	}
	name := p.text[start+1 : i]
	if name == "" || i == len(p.text) {
		return p.named()
	}
	switch p.text[i] {
	case '(':
		p.at = i
		x, err := p.group("", false)
		return &Nested{name, x, place{p.text, start, i}}, err
	case '.':
		colon := strings.IndexByte(p.text[i:], ':')
		if colon < 0 || !isName(p.text[i+1:i+colon]) {
			return p.named()
		}
		p.at = i + 1
		outerField, outerExact := p.field, p.exact
		p.field, p.exact = "", false
		x, err := p.named()
		p.field, p.exact = outerField, outerExact
		return &Nested{name, x, place{p.text, start, i}}, err
	}
	return p.named()
}

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

// isName reports whether a text can name a field: letters, digits, underscores and hyphens, with dots between.
func isName(text string) bool {
	if text == "" || text[0] == '.' || text[len(text)-1] == '.' {
		return false
	}
	for i := range len(text) {
		b := text[i]
		if !isLetter(b) && (b < '0' || b > '9') && b != '_' && b != '-' && (b != '.' || text[i-1] == '.') {
			return false
		}
	}
	return true
}

// named reads a word, or a field with its value.
func (p *parser) named() (Expr, *filterql.Error) {
	start := p.at
	if p.has("*:*") {
		p.at += len("*:*")
		return &All{}, nil
	}
	pattern, plainText, err := p.scan()
	if err != nil {
		return nil, err
	}
	name := p.text[start:p.at]
	if p.peek() != ':' {
		if plainText && (name == "AND" || name == "OR" || name == "NOT") {
			return nil, p.noClause(start)
		}
		return p.term(p.field, p.exact, pattern, start)
	}
	if !plainText || !isName(name) {
		return nil, hinted(fault(filterql.Syntax, p.from(start), "%s is no name of a field", filterql.Quoted(name)),
			`write \: or quotes where the colon is part of the text`)
	}
	p.at++
	p.blanks()
	if name == "_exists_" {
		return p.exists(start)
	}
	name, exact := strings.CutSuffix(name, exactSuffix)
	return p.value(name, exact, start)
}

// exactSuffix is what stands behind the name of a field whose whole value is meant.
const exactSuffix = ".exact"

func (p *parser) exists(start int) (Expr, *filterql.Error) {
	at := p.at
	if p.peek() == '"' {
		at++
	}
	i := at
	for i < len(p.text) && isName(strings.TrimRight(p.text[at:i+1], ".")) {
		i++
	}
	name := p.text[at:i]
	if at > p.at && (i == len(p.text) || p.text[i] != '"') || !isName(name) {
		return nil, hinted(fault(filterql.Syntax, place{p.text, p.at, i}, "the name of a field is missing"),
			"write it behind the colon, such as _exists_:manager")
	}
	p.at = i + (at - p.at)
	return &Clause{Field: strings.TrimSuffix(name, exactSuffix), Kind: Exists, place: p.from(start)}, nil
}

// value reads what stands behind a field, or alone.
//
//	value = group | phrase | regexp | range | [ ">" | ">=" | "<" | "<=" ] bound | word ;
func (p *parser) value(field string, exact bool, start int) (Expr, *filterql.Error) {
	switch p.peek() {
	case 0, ')':
		return nil, hinted(fault(filterql.Syntax, p.from(start), "the value is missing"),
			"write it behind the colon, or * where any value will do")
	case '(':
		return p.group(field, exact)
	case '"':
		text, err := p.phrase()
		return &Clause{Field: field, Exact: exact, Kind: Phrase, Text: text, place: p.from(start)}, err
	case '/':
		text, err := p.regexp()
		return &Clause{Field: field, Exact: exact, Kind: Regexp, Text: text, place: p.from(start)}, err
	case '[', '{':
		return p.span(field, exact, start)
	case '<', '>':
		return p.comparison(field, exact, start)
	}
	if p.has("&&") || p.has("||") {
		return nil, p.noClause(p.at)
	}
	at := p.at
	pattern, plainText, err := p.scan()
	if err != nil {
		return nil, err
	}
	if word := p.text[at:p.at]; plainText && (word == "AND" || word == "OR" || word == "NOT") {
		return nil, hinted(fault(filterql.Syntax, p.from(at), "%s where a value is expected", word),
			"put it into quotes where it is the value")
	}
	if p.peek() == ':' {
		return nil, hinted(fault(filterql.Syntax, place{p.text, p.at, p.at + 1}, `":" inside a value`),
			`write \: or put the value into quotes`)
	}
	return p.term(field, exact, pattern, start)
}

// term makes the clause of a word.
func (p *parser) term(field string, exact bool, pattern []rune, start int) (Expr, *filterql.Error) {
	if len(pattern) == 0 {
		return nil, p.noClause(p.at)
	}
	c := &Clause{Field: field, Exact: exact, place: p.from(start)}
	signs, stars := 0, 0
	for _, r := range pattern {
		switch r {
		case AnyText:
			stars++
			signs++
		case AnyCharacter:
			signs++
		}
	}
	switch {
	case signs == 0:
		c.Text = string(pattern)
	case stars == len(pattern) && field == "":
		return &All{}, nil
	case stars == len(pattern):
		c.Kind, c.Exact = Exists, false
	default:
		c.Kind, c.Pattern = Wildcard, pattern
	}
	return c, nil
}

// scan reads a word without quotes. plainText says that it has no escapes and no signs of wildcards.
func (p *parser) scan() (pattern []rune, plainText bool, err *filterql.Error) {
	plainText = true
	for !p.end() {
		r, size := utf8.DecodeRuneInString(p.text[p.at:])
		switch r {
		case ' ', '\t', '\n', '\r', '\u00a0', '\u3000', '(', ')', '"', ':', '^':
			return pattern, plainText, nil
		case '~':
			return nil, false, p.fuzzy()
		case '[', ']', '{', '}':
			return nil, false, hinted(fault(filterql.Syntax, place{p.text, p.at, p.at + 1}, "%q inside a word", r),
				`write \%c, or put the text into quotes`, r)
		case '*', '?':
			plainText = false
			if r == '*' {
				r = AnyText
			} else {
				r = AnyCharacter
			}
		case '\\':
			plainText = false
			p.at += size
			if p.end() {
				return nil, false, hinted(fault(filterql.Syntax, place{p.text, p.at - 1, p.at},
					`nothing stands behind "\"`), `write \\ for a backslash`)
			}
			r, size = utf8.DecodeRuneInString(p.text[p.at:])
		}
		pattern = append(pattern, r)
		p.at += size
	}
	return pattern, plainText, nil
}

func (p *parser) fuzzy() *filterql.Error {
	return hinted(fault(filterql.Illegal, place{p.text, p.at, p.at + 1},
		`"~" asks for similar words, which is not known`),
		`use wildcards, or write \~ where the character is meant`)
}

// suffix reads what may stand behind a clause: a boost, which changes only the score, which is not calculated.
func (p *parser) suffix() *filterql.Error {
	switch p.peek() {
	case '~':
		return p.fuzzy()
	case '^':
		start := p.at
		p.at++
		for !p.end() && (p.peek() >= '0' && p.peek() <= '9' || p.peek() == '.') {
			p.at++
		}
		if p.at == start+1 {
			return hinted(fault(filterql.Syntax, p.from(start), `"^" without a number`),
				`write \^ where the character is meant`)
		}
	}
	return nil
}

// phrase reads a text in double quotes, in which a backslash escapes the next character.
func (p *parser) phrase() (string, *filterql.Error) {
	start := p.at
	p.at++
	var b strings.Builder
	for !p.end() {
		c := p.text[p.at]
		p.at++
		switch {
		case c == '"':
			return b.String(), nil
		case c == '\\' && !p.end():
			b.WriteByte(p.text[p.at])
			p.at++
		default:
			b.WriteByte(c)
		}
	}
	return "", hinted(fault(filterql.Syntax, place{p.text, start, len(p.text)}, "the phrase has no closing quote"),
		`close it with ", or write \" where the character is meant`)
}

// regexp reads a regular expression between slashes, in which \/ is a slash.
func (p *parser) regexp() (string, *filterql.Error) {
	start := p.at
	p.at++
	var b strings.Builder
	for !p.end() {
		c := p.text[p.at]
		p.at++
		switch {
		case c == '/':
			return b.String(), nil
		case c == '\\' && p.peek() == '/':
			b.WriteByte('/')
			p.at++
		case c == '\\' && !p.end():
			b.WriteByte(c)
			b.WriteByte(p.text[p.at])
			p.at++
		default:
			b.WriteByte(c)
		}
	}
	return "", hinted(fault(filterql.Syntax, place{p.text, start, len(p.text)},
		"the regular expression has no closing slash"), `close it with /, or write \/ where the character is meant`)
}

// span reads a range.
//
//	range = ( "[" | "{" ) bound "TO" bound ( "]" | "}" ) ;
func (p *parser) span(field string, exact bool, start int) (Expr, *filterql.Error) {
	open := p.at
	if field == "" {
		return nil, hinted(fault(filterql.Syntax, place{p.text, open, open + 1}, "a range without a field"),
			"write the field before it, such as created:[now-7d TO now]")
	}
	c := &Clause{Field: field, Exact: exact, Kind: Range}
	inclusive := p.peek() == '['
	p.at++
	var err *filterql.Error
	if c.Lower, err = p.bound(inclusive); err != nil {
		return nil, err
	}
	p.blanks()
	if !p.word("TO") {
		return nil, hinted(fault(filterql.Syntax, p.here(), "TO is missing in the range"),
			"write it between its ends: [a TO b]")
	}
	if c.Upper, err = p.bound(true); err != nil {
		return nil, err
	}
	p.blanks()
	switch p.peek() {
	case ']':
	case '}':
		if c.Upper != nil {
			c.Upper.Inclusive = false
		}
	default:
		return nil, hinted(fault(filterql.Syntax, place{p.text, open, p.at}, "the range is not closed"),
			"close it with ], or with } to leave its end out")
	}
	p.at++
	c.place = p.from(start)
	return c, nil
}

// bound reads the end of a range. An open end, *, is nil.
func (p *parser) bound(inclusive bool) (*Bound, *filterql.Error) {
	p.blanks()
	start := p.at
	if p.peek() == '"' {
		text, err := p.phrase()
		return &Bound{text, inclusive, p.from(start)}, err
	}
	var b strings.Builder
	for !p.end() && p.blank(p.at) == 0 && !strings.ContainsRune("[]{}\"", rune(p.peek())) {
		if p.peek() == '\\' && p.at+1 < len(p.text) {
			p.at++
		}
		_, size := utf8.DecodeRuneInString(p.text[p.at:])
		b.WriteString(p.text[p.at : p.at+size])
		p.at += size
	}
	text := b.String()
	switch {
	case text == "":
		return nil, hinted(fault(filterql.Syntax, p.from(start), "an end of the range is missing"),
			"write a value, or * where it is open")
	case text == "*" && p.text[start:p.at] == "*":
		return nil, nil
	case text == "TO":
		p.at = start
		return nil, hinted(fault(filterql.Syntax, p.from(start), "an end of the range is missing"),
			"write a value, or * where it is open")
	}
	return &Bound{text, inclusive, p.from(start)}, nil
}

// comparison reads a short range, such as >5.
func (p *parser) comparison(field string, exact bool, start int) (Expr, *filterql.Error) {
	at := p.at
	if field == "" {
		return nil, hinted(fault(filterql.Syntax, place{p.text, at, at + 1}, "a comparison without a field"),
			"write the field before it, such as accountCount:>5")
	}
	greater := p.peek() == '>'
	p.at++
	inclusive := p.peek() == '='
	if inclusive {
		p.at++
	}
	p.blanks()
	var bound *Bound
	if p.peek() == '"' {
		from := p.at
		text, err := p.phrase()
		if err != nil {
			return nil, err
		}
		bound = &Bound{text, inclusive, p.from(from)}
	} else {
		from := p.at
		var b strings.Builder
		for !p.end() && p.blank(p.at) == 0 && !strings.ContainsRune("()\"^", rune(p.peek())) {
			if p.peek() == '\\' && p.at+1 < len(p.text) {
				p.at++
			}
			_, size := utf8.DecodeRuneInString(p.text[p.at:])
			b.WriteString(p.text[p.at : p.at+size])
			p.at += size
		}
		bound = &Bound{b.String(), inclusive, p.from(from)}
	}
	if bound.Text == "" {
		return nil, hinted(fault(filterql.Syntax, p.from(at), "the value is missing"), "write it behind the sign")
	}
	c := &Clause{Field: field, Exact: exact, Kind: Range, place: p.from(start)}
	if greater {
		c.Lower = bound
	} else {
		c.Upper = bound
	}
	return c, nil
}

// noClause returns the error of something that no clause begins with.
func (p *parser) noClause(at int) *filterql.Error {
	if at == len(p.text) {
		return hinted(fault(filterql.Syntax, place{p.text, at, at}, "a clause is missing"),
			`write one, such as name:john, or "*" for everything`)
	}
	end := at + 1
	for end < len(p.text) && p.blank(end) == 0 && end < at+3 {
		end++
	}
	found := strings.ToValidUTF8(p.text[at:end], "")
	return hinted(fault(filterql.Syntax, place{p.text, at, end}, "%s where a clause is expected",
		filterql.Quoted(found)),
		"write a word, a field with its value, or a group; put a sign that is meant as text into quotes")
}
