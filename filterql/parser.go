package filterql

import (
	"fmt"
	"strings"
)

// The limits of a filter. Exceeding one is an [*Error] of the kind [Limit].
const (
	TextMax        = 4096 // bytes of a filter, and of sorters
	DepthMax       = 64   // parentheses and nots inside each other
	ListMax        = 1000 // values of a list
	ComparisonsMax = 256  // comparisons of a filter
)

// Parse reads a filter. An error is an [*Error]; a blank text is one, because "no filter" is the caller's affair. The
// time taken is linear in the length of the text.
//
//	filter = [ "filters=" ] or ;
func Parse(text string) (Expr, error) {
	if err := checkText("filter", text); err != nil {
		return nil, err
	}
	p := parser{lexer: lexer{text: text, next: skipPrefix(text, "filters=")}}
	p.nodes.init()
	e, err := p.parse()
	if err != nil {
		return nil, err
	}
	return e, nil
}

// parser reads tokens one ahead.
type parser struct {
	lexer
	token       token
	depth       int
	comparisons int
	nodes       nodes
}

func (p *parser) parse() (Expr, *Error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.token.kind == endToken {
		return nil, p.fail(p.token.pos, p.token.end, "the filter is empty", `write a condition, such as name eq "x"`)
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.token.kind != endToken {
		return nil, p.unexpected()
	}
	return e, nil
}

func (p *parser) advance() (err *Error) {
	p.token, err = p.scan()
	return err
}

func (p *parser) word() string { return p.text[p.token.pos:p.token.end] }

// accept reads the keyword if it is next.
func (p *parser) accept(keyword string) (bool, *Error) {
	if p.token.kind != wordToken || p.word() != keyword {
		return false, nil
	}
	return true, p.advance()
}

// or parses a disjunction.
//
//	or = and { "or" and } ;
func (p *parser) or() (Expr, *Error) {
	first, err := p.and()
	if err != nil {
		return nil, err
	}
	base := len(p.nodes.stack)
	for {
		more, err := p.accept("or")
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if len(p.nodes.stack) == base {
			p.pushOr(first)
		}
		term, err := p.and()
		if err != nil {
			return nil, err
		}
		p.pushOr(term)
	}
	if len(p.nodes.stack) == base {
		return first, nil
	}
	e := p.nodes.ors.one()
	e.Terms = p.nodes.popTerms(base)
	return e, nil
}

func (p *parser) pushOr(e Expr) {
	if inner, ok := e.(*Or); ok {
		p.nodes.stack = append(p.nodes.stack, inner.Terms...)
		return
	}
	p.nodes.stack = append(p.nodes.stack, e)
}

// and parses a conjunction.
//
//	and = unary { "and" unary } ;
func (p *parser) and() (Expr, *Error) {
	first, err := p.unary()
	if err != nil {
		return nil, err
	}
	base := len(p.nodes.stack)
	for {
		more, err := p.accept("and")
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		if len(p.nodes.stack) == base {
			p.pushAnd(first)
		}
		term, err := p.unary()
		if err != nil {
			return nil, err
		}
		p.pushAnd(term)
	}
	if len(p.nodes.stack) == base {
		return first, nil
	}
	e := p.nodes.ands.one()
	e.Terms = p.nodes.popTerms(base)
	return e, nil
}

func (p *parser) pushAnd(e Expr) {
	if inner, ok := e.(*And); ok {
		p.nodes.stack = append(p.nodes.stack, inner.Terms...)
		return
	}
	p.nodes.stack = append(p.nodes.stack, e)
}

// unary parses a negation, a group or a comparison.
//
//	unary = "not" unary | "(" or ")" | comparison ;
func (p *parser) unary() (Expr, *Error) {
	switch p.token.kind {
	case leftToken:
		return p.group()
	case wordToken:
		if p.word() == "not" {
			return p.not()
		}
		return p.comparison()
	default:
		return nil, p.noCondition()
	}
}

func (p *parser) not() (Expr, *Error) {
	pos := p.token.pos
	if err := p.descend(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	x, err := p.unary()
	if err != nil {
		return nil, err
	}
	return &Not{X: x, pos: pos}, nil
}

func (p *parser) group() (Expr, *Error) {
	open := p.token
	if err := p.descend(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	switch p.token.kind {
	case rightToken:
		return e, p.advance()
	case endToken:
		return nil, p.fail(open.pos, open.end, "the parenthesis is not closed", `close it with ")"`)
	default:
		return nil, p.unexpected()
	}
}

// descend reads a token that begins another level.
func (p *parser) descend() *Error {
	if p.depth++; p.depth > DepthMax {
		return &Error{
			Text: p.text, Pos: p.token.pos, End: p.token.end, Kind: Limit,
			Msg:  fmt.Sprintf("parentheses and nots are %d deep here, %d levels are allowed", p.depth, DepthMax),
			Hint: "remove parentheses that are not needed",
		}
	}
	return p.advance()
}

// comparison parses a condition on one field.
//
//	comparison = "pr" field
//	           | field "isnull"
//	           | field ( "eq" | "ne" | "gt" | "ge" | "lt" | "le" | "co" | "sw" ) value
//	           | field ( "in" | "ca" ) list ;
func (p *parser) comparison() (Expr, *Error) {
	if p.comparisons++; p.comparisons > ComparisonsMax {
		return nil, &Error{
			Text: p.text, Pos: p.token.pos, End: p.token.end, Kind: Limit,
			Msg:  fmt.Sprintf("this is comparison %d, %d are allowed", p.comparisons, ComparisonsMax),
			Hint: `compare one field with many values by "in"`,
		}
	}
	c := p.nodes.comparisons.one()
	c.source, c.pos = p.text, p.token.pos
	var err *Error
	if p.word() == "pr" {
		err = p.present(c)
	} else {
		err = p.relation(c)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (p *parser) present(c *Comparison) *Error {
	c.Op, c.OpPos = Pr, p.token.pos
	if err := p.advance(); err != nil {
		return err
	}
	c.end = p.token.end
	return p.field(&c.Field)
}

func (p *parser) relation(c *Comparison) *Error {
	if err := p.field(&c.Field); err != nil {
		return err
	}
	if err := p.operator(c); err != nil {
		return err
	}
	switch {
	case c.Op == IsNull:
		c.end = c.OpPos + len("isnull")
		return nil
	case c.Op.takesList():
		return p.list(c)
	}
	c.Values = p.nodes.values.many(1)
	c.end = p.token.end
	return p.value(&c.Values[0])
}

// field parses a field's name.
//
//	field   = segment { "." segment } ;
//	segment = ( letter | digit | "_" ) { letter | digit | "_" | "-" } ;
func (p *parser) field(name *Name) *Error {
	if p.token.kind != wordToken || isReserved(p.word()) {
		return p.noField()
	}
	text := p.word()
	if i := badNameByte(text); i >= 0 {
		return p.badName(text, i)
	}
	name.Text, name.Pos, name.End = text, p.token.pos, p.token.end
	return p.advance()
}

// isField reports whether name can be a field's.
func isField(name string) bool { return badNameByte(name) < 0 && !isReserved(name) }

// isReserved reports whether a word can be no field's name.
func isReserved(word string) bool {
	switch word {
	case "and", "or", "not", "pr":
		return true
	}
	return false
}

// badNameByte returns where a field's name goes wrong, which is len(name) when it ends too early, or -1.
func badNameByte(name string) int {
	begins := true
	for i := range len(name) {
		b := name[i]
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '_':
			begins = false
		case b == '-' && !begins:
		case b == '.' && !begins:
			begins = true
		default:
			return i
		}
	}
	if begins {
		return len(name)
	}
	return -1
}

// operator parses an operator.
func (p *parser) operator(c *Comparison) *Error {
	if p.token.kind != wordToken {
		return p.noOperator(c.Field.Text)
	}
	op, ok := opOf(p.word())
	if !ok || op == Pr {
		return p.badOperator(c.Field.Text)
	}
	c.Op, c.OpPos = op, p.token.pos
	return p.advance()
}

// value parses a literal.
//
//	value = string | number | boolean | date-time | word ;
func (p *parser) value(v *Value) *Error {
	v.Pos, v.End = p.token.pos, p.token.end
	switch p.token.kind {
	case stringToken:
		v.Text = p.stringText(p.token)
	case wordToken:
		v.Text = p.word()
		if isKeyword(v.Text) {
			return p.noValue()
		}
		v.Kind = kindOf(v.Text)
	default:
		return p.noValue()
	}
	return p.advance()
}

func isKeyword(word string) bool { return word == "and" || word == "or" || word == "not" }

// list parses the values of "in" and "ca".
//
//	list = "(" value { "," value } ")" ;
func (p *parser) list(c *Comparison) *Error {
	if p.token.kind != leftToken {
		return p.noList(c.Op)
	}
	open := p.token
	scratch := p.nodes.list[:0]
	for {
		// The parenthesis, and then the commas.
		if err := p.advance(); err != nil {
			return err
		}
		if len(scratch) == ListMax {
			return &Error{
				Text: p.text, Pos: p.token.pos, End: p.token.end, Kind: Limit,
				Msg: fmt.Sprintf("this is value %d of the list, %d are allowed", ListMax+1, ListMax), Hint: "ask in portions",
			}
		}
		var v Value
		if err := p.value(&v); err != nil {
			return err
		}
		scratch = append(scratch, v)
		if p.token.kind != commaToken {
			break
		}
	}
	p.nodes.list = scratch
	switch p.token.kind {
	case rightToken:
	case endToken:
		return p.fail(open.pos, open.end, "the list is not closed", `close it with ")"`)
	default:
		return p.fail(p.token.pos, p.token.end, fmt.Sprintf(`%s in a list where "," or ")" is expected`, p.found()),
			"put a value of several words into quotes")
	}
	c.Values = p.nodes.values.many(len(scratch))
	copy(c.Values, scratch)
	c.end = p.token.end
	return p.advance()
}

// nodes hands out the nodes of a tree from a few pieces of memory. What small filters need comes in one.
type nodes struct {
	comparisons slab[Comparison]
	values      slab[Value]
	terms       slab[Expr]
	ands        slab[And]
	ors         slab[Or]
	stack       []Expr  // the terms of chains that are not complete
	list        []Value // the values of the list that is being read
}

func (n *nodes) init() {
	first := new(struct {
		comparisons [4]Comparison
		values      [4]Value
		terms       [6]Expr
		stack       [6]Expr
		ands        [1]And
		ors         [1]Or
	})
	n.comparisons.free = first.comparisons[:]
	n.values.free = first.values[:]
	n.terms.free = first.terms[:]
	n.ands.free = first.ands[:]
	n.ors.free = first.ors[:]
	n.stack = first.stack[:0]
}

// popTerms moves the terms from base on off the stack.
func (n *nodes) popTerms(base int) []Expr {
	terms := n.terms.many(len(n.stack) - base)
	copy(terms, n.stack[base:])
	clear(n.stack[base:])
	n.stack = n.stack[:base]
	return terms
}

// slabSize is how many elements a slab grows by.
const slabSize = 16

// slab hands out elements of slices.
type slab[T any] struct{ free []T }

func (s *slab[T]) one() *T {
	if len(s.free) == 0 {
		s.free = make([]T, slabSize)
	}
	e := &s.free[0]
	s.free = s.free[1:]
	return e
}

func (s *slab[T]) many(n int) []T {
	if len(s.free) < n {
		s.free = make([]T, max(n, slabSize))
	}
	e := s.free[:n:n]
	s.free = s.free[n:]
	return e
}

// The errors of the parser: what was found, and what would be right.

// found describes the token that is next.
func (p *parser) found() string {
	switch p.token.kind {
	case endToken:
		return "the end"
	case stringToken:
		return "the string " + quoted(p.stringText(p.token))
	default:
		return quoted(p.word())
	}
}

func (p *parser) unexpected() *Error {
	t := p.token
	switch t.kind {
	case commaToken:
		return p.fail(t.pos, t.end, `"," between conditions`, `join conditions by "and" or "or"`)
	case rightToken:
		return p.fail(t.pos, t.end, `")" without "("`, "remove it, or open the parenthesis before")
	case wordToken:
		word := p.word()
		switch lower := strings.ToLower(word); {
		case word != lower && isKeyword(lower):
			return p.fail(t.pos, t.end, fmt.Sprintf("unknown keyword %q", word), fmt.Sprintf("keywords are lower case: %q", lower))
		case word == "&&", word == "&":
			return p.fail(t.pos, t.end, fmt.Sprintf("unknown keyword %q", word), `write "and"`)
		case word == "||", word == "|":
			return p.fail(t.pos, t.end, fmt.Sprintf("unknown keyword %q", word), `write "or"`)
		}
		return p.fail(t.pos, t.end, p.found()+` where "and", "or" or the end is expected`,
			`join conditions by "and" or "or", and put a value of several words into quotes`)
	}
	return p.fail(t.pos, t.end, p.found()+` where "and", "or" or the end is expected`, `join conditions by "and" or "or"`)
}

func (p *parser) noCondition() *Error {
	t := p.token
	if t.kind == stringToken {
		return p.fail(t.pos, t.end, p.found()+" where a field name is expected", "write field names without quotes")
	}
	return p.fail(t.pos, t.end, p.found()+" where a condition is expected", `write a condition, such as name eq "x"`)
}

func (p *parser) noField() *Error {
	t := p.token
	hint := ""
	switch {
	case t.kind == stringToken:
		hint = "write field names without quotes"
	case t.kind == wordToken:
		hint = fmt.Sprintf("%q is a keyword and no field name", p.word())
	}
	return p.fail(t.pos, t.end, p.found()+" where a field name is expected", hint)
}

func (p *parser) badName(name string, i int) *Error {
	const hint = "a field name has letters, digits, underscores and hyphens, and dots between its parts"
	pos := p.token.pos
	if i == len(name) {
		return p.fail(pos+i-1, pos+i, fmt.Sprintf("the field name %s ends with a dot", quoted(name)), hint)
	}
	r := []rune(name[i:])[0]
	return p.fail(pos+i, pos+i+len(string(r)), fmt.Sprintf("%s in the field name %s", quoted(string(r)), quoted(name)), hint)
}

// operatorsHint lists the operators that stand behind a field.
const operatorsHint = "operators are eq, ne, gt, ge, lt, le, co, sw, in, ca, isnull"

func (p *parser) noOperator(field string) *Error {
	return p.fail(p.token.pos, p.token.end, fmt.Sprintf("%s where an operator is expected behind %s", p.found(), quoted(field)),
		operatorsHint)
}

// otherSpellings are operators of other languages.
var otherSpellings = map[string]string{
	"=": "eq", "==": "eq", "is": "eq", "equals": "eq", "!=": "ne", "<>": "ne", ">": "gt", ">=": "ge", "gte": "ge", "<": "lt",
	"<=": "le", "lte": "le", "contains": "co", "like": "co", "startswith": "sw", "starts": "sw", "null": "isnull",
}

func (p *parser) badOperator(field string) *Error {
	word := p.word()
	lower := strings.ToLower(word)
	hint := operatorsHint
	op, isOp := opOf(lower)
	switch {
	case word == "pr":
		hint = fmt.Sprintf(`"pr" stands before the field: pr %s`, field)
		return p.fail(p.token.pos, p.token.end, `"pr" behind a field`, hint)
	case isOp:
		hint = fmt.Sprintf("operators are lower case: %q", op)
	case isKeyword(lower):
		return p.fail(p.token.pos, p.token.end, fmt.Sprintf("the keyword %q where an operator is expected behind %s", word, quoted(field)),
			operatorsHint)
	case lower == "ew":
		hint = `there is no "ends with"; ` + operatorsHint
	case otherSpellings[lower] != "":
		hint = hints(fmt.Sprintf("did you mean %q?", otherSpellings[lower]), operatorsHint)
	default:
		hint = hints(didYouMean(word, opTexts[:Pr]), operatorsHint)
	}
	return p.fail(p.token.pos, p.token.end, "unknown operator "+quoted(word), hint)
}

func (p *parser) noValue() *Error {
	t := p.token
	hint := `write a value, such as "x", 7, true or 2018-12-18T23:05:55Z`
	switch {
	case t.kind == wordToken:
		hint = fmt.Sprintf("%q is a keyword: put it into quotes if it is the value", p.word())
	case t.kind == leftToken:
		hint = `lists are for "in" and "ca"`
	}
	return p.fail(t.pos, t.end, p.found()+" where a value is expected", hint)
}

func (p *parser) noList(op Op) *Error {
	return p.fail(p.token.pos, p.token.end, fmt.Sprintf("%s where a list is expected behind %q", p.found(), op),
		fmt.Sprintf(`put the values into parentheses: %s ("a","b")`, op))
}
