package filterql

// The limits of a filter. Exceeding one is an [*Error] of the kind [Limit].
const (
	TextMax        = 16 << 10 // bytes of a filter, and of sorters: the IDs of a page of 250 fit, in any spelling
	DepthMax       = 64       // nested parentheses and nots
	ListMax        = 1000     // values of a list
	ComparisonsMax = 256      // comparisons of a filter
)

// Parse reads a filter. An error is an [*Error]. A blank text is an error too: the caller decides what "no filter"
// means. The time is linear in the length of the text.
//
//	filter = [ "filters=" ] or ;
func Parse(text string) (Expr, error) {
	if err := CheckText("filter", text, TextMax); err != nil {
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

// parser is a recursive descent parser with one token of look-ahead.
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
		return nil, p.here("the filter is empty").hint(`write a condition, such as name eq "x"`)
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

// accept consumes the keyword if it is next.
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
		return nil, fault(Syntax, p.text, open.pos, open.end, "the parenthesis is not closed").hint(`close it with ")"`)
	default:
		return nil, p.unexpected()
	}
}

// descend consumes a token that begins another level.
func (p *parser) descend() *Error {
	if p.depth++; p.depth > DepthMax {
		return p.exceeded("parentheses and nots are %d deep here, %d levels are allowed", p.depth, DepthMax).
			hint("remove parentheses that are not needed")
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
		return nil, p.exceeded("this is comparison %d, %d are allowed", p.comparisons, ComparisonsMax).
			hint(`compare one field with many values by "in"`)
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
		return badName(p.text, p.token.pos, text, i)
	}
	name.Text, name.Pos, name.End = text, p.token.pos, p.token.end
	return p.advance()
}

// isField reports whether a field can have the name.
func isField(name string) bool { return badNameByte(name) < 0 && !isReserved(name) }

// isReserved reports whether a word cannot be a field's name.
func isReserved(word string) bool {
	switch word {
	case "and", "or", "not", "pr":
		return true
	}
	return false
}

// badNameByte returns the index of the first wrong byte of a field's name, len(name) if it ends too early, or -1.
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
		// Consume the parenthesis, and later the commas.
		if err := p.advance(); err != nil {
			return err
		}
		if len(scratch) == ListMax {
			return p.exceeded("this is value %d of the list, %d are allowed", ListMax+1, ListMax).
				hint("ask in portions")
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
		return fault(Syntax, p.text, open.pos, open.end, "the list is not closed").hint(`close it with ")"`)
	default:
		return p.here(`%s in a list where "," or ")" is expected`, p.found()).
			hint("put a value of several words into quotes")
	}
	c.Values = p.nodes.values.many(len(scratch))
	copy(c.Values, scratch)
	c.end = p.token.end
	return p.advance()
}
