package velocity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// TextMax is the most bytes of a template.
	TextMax = 64 << 10
	// DepthMax is the deepest nesting of directives, expressions and calls.
	DepthMax = 50
)

// Template is a parsed template.
type Template struct {
	source string
	nodes  []node
	names  []string
	locals []string
}

// Error is a mistake in a template and its place.
type Error struct {
	Pos int // the character, from 1
	Msg string
}

func (e *Error) Error() string {
	return fmt.Sprintf("at character %d of the template: %s", e.Pos, e.Msg)
}

// Parse reads a template. The error is an [*Error].
func Parse(source string) (*Template, error) { return parse(source, false) }

// ParseEscaped is [Parse] for a text that another reader reads after it, such as the replacement of a regular
// expression: \$ and \# stay as they are, because they mean the characters themselves to that reader too.
func ParseEscaped(source string) (*Template, error) { return parse(source, true) }

func parse(source string, escaped bool) (*Template, error) {
	if len(source) > TextMax {
		return nil, &Error{1, fmt.Sprintf("it has %d bytes, %d are allowed", len(source), TextMax)}
	}
	p := parser{source: source, escaped: escaped}
	nodes, end, err := p.block()
	if err == nil && end != "" {
		err = p.fail("#%s belongs to no #if or #foreach", end)
	}
	if err != nil {
		return nil, err
	}
	return &Template{source: source, nodes: nodes, names: p.names.list, locals: p.locals.list}, nil
}

// Names returns the names of the variables that the template reads, each once, including those that it sets itself. Do
// not change the result.
func (t *Template) Names() []string { return t.names }

// Free returns the names of the variables that the template reads and does not set itself, each once.
func (t *Template) Free() []string {
	locals := make(map[string]bool, len(t.locals))
	for _, name := range t.locals {
		locals[name] = true
	}
	return slices.DeleteFunc(slices.Clone(t.names), func(name string) bool { return locals[name] })
}

// Literal returns the text of a constant template.
func (t *Template) Literal() (string, bool) {
	switch len(t.nodes) {
	case 0:
		return "", true
	case 1:
		s, ok := t.nodes[0].(text)
		return string(s), ok
	default:
		return "", false
	}
}

// IsPlain reports whether the template has only texts and references to variables, without directives, properties and
// methods.
func (t *Template) IsPlain() bool {
	for _, n := range t.nodes {
		switch n := n.(type) {
		case text:
		case *reference:
			if len(n.accessors) > 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// String returns the template as it was written.
func (t *Template) String() string { return t.source }

type parser struct {
	source string
	at     int
	depth  int
	loops  int
	names  nameSet
	locals nameSet      // variables that the template sets
	alone  map[int]bool // offsets of directives that are alone on their lines
	// escaped says that \$ and \# stay as they are.
	escaped bool
}

// nameSet is a list of names, each once, in the order in which they were added.
type nameSet struct {
	list []string
	has  map[string]bool
}

// add adds the names that are not in the set.
func (s *nameSet) add(names ...string) {
	if s.has == nil {
		s.has = map[string]bool{}
	}
	for _, name := range names {
		if !s.has[name] {
			s.has[name] = true
			s.list = append(s.list, name)
		}
	}
}

// body collects the nodes of a block. It joins adjacent texts once, when another node follows: to join each with the
// next would take the square of their number.
type body struct {
	nodes []node
	text  []byte // that comes behind the nodes
}

// add adds a node, or nothing for nil.
func (b *body) add(n node) {
	if n == nil {
		return
	}
	if t, isText := n.(text); isText {
		b.text = append(b.text, t...)
		return
	}
	b.flush()
	b.nodes = append(b.nodes, n)
}

// flush makes a node of the text.
func (b *body) flush() {
	if len(b.text) > 0 {
		b.nodes = append(b.nodes, text(b.text))
		b.text = b.text[:0]
	}
}

// end returns the nodes.
func (b *body) end() []node {
	b.flush()
	return b.nodes
}

func (p *parser) fail(format string, arguments ...any) error {
	position := utf8.RuneCountInString(p.source[:min(p.at, len(p.source))]) + 1
	return &Error{position, fmt.Sprintf(format, arguments...)}
}

func (p *parser) rest() string { return p.source[p.at:] }

func (p *parser) enter() error {
	if p.depth++; p.depth > DepthMax {
		return p.fail("it is nested deeper than %d", DepthMax)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// block reads nodes up to else, elseif or end. It returns that name and stops behind it.
func (p *parser) block() (nodes []node, end string, err error) {
	if err := p.enter(); err != nil {
		return nil, "", err
	}
	defer p.leave()
	var b body
	for p.at < len(p.source) {
		switch p.source[p.at] {
		case '$':
			err = p.referenceIn(&b)
		case '#':
			start := p.at
			var found node
			found, end, err = p.directive()
			p.indent(&b, start)
			if end != "" && err == nil {
				return b.end(), end, nil
			}
			b.add(found)
		case '\\':
			b.add(p.backslash())
		default:
			size := strings.IndexAny(p.rest(), `$#\`)
			if size < 0 {
				size = len(p.rest())
			}
			b.add(text(p.rest()[:size]))
			p.at += size
		}
		if err != nil {
			return nil, "", err
		}
	}
	return b.end(), "", nil
}

// backslash reads \$ and \#, which mean the characters themselves.
func (p *parser) backslash() text {
	rest := p.rest()
	if len(rest) > 1 && (rest[1] == '$' || rest[1] == '#') {
		p.at += 2
		if p.escaped {
			return text(rest[:2])
		}
		return text(rest[1:2])
	}
	if p.escaped && len(rest) > 1 && rest[1] == '\\' {
		p.at += 2
		return text(rest[:2])
	}
	p.at++
	return text(`\`)
}

// referenceIn reads a reference, or a dollar sign without one.
func (p *parser) referenceIn(b *body) error {
	ref, err := p.reference()
	switch {
	case err != nil:
		return err
	case ref == nil:
		p.at++
		b.add(text("$"))
	default:
		b.add(ref)
	}
	return nil
}

// reference reads a reference. If there is none, it returns nil and does not advance.
func (p *parser) reference() (*reference, error) {
	start := p.at
	ref := &reference{}
	p.at++
	if strings.HasPrefix(p.rest(), "!") {
		ref.quiet = true
		p.at++
	}
	braces := strings.HasPrefix(p.rest(), "{")
	if braces {
		p.at++
	}
	ref.name = p.name(braces)
	if ref.name == "" {
		p.at = start
		return nil, nil
	}
	if err := p.accessors(ref); err != nil {
		return nil, err
	}
	if braces {
		if !strings.HasPrefix(p.rest(), "}") {
			return nil, p.fail("${%s is not closed by a brace", ref.name)
		}
		p.at++
	}
	ref.source = p.source[start:p.at]
	p.names.add(ref.name)
	return ref, nil
}

// name reads a name. It may have a hyphen only inside braces.
func (p *parser) name(hyphen bool) string {
	start := p.at
	for p.at < len(p.source) {
		c := p.source[p.at]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		more := c >= '0' && c <= '9' || hyphen && c == '-'
		if !letter && (!more || p.at == start) {
			break
		}
		p.at++
	}
	return p.source[start:p.at]
}

func (p *parser) accessors(ref *reference) error {
	for {
		switch rest := p.rest(); {
		case strings.HasPrefix(rest, "."):
			before := p.at
			p.at++
			name := p.name(false)
			if name == "" { // a full stop
				p.at = before
				return nil
			}
			a := accessor{name: name}
			if strings.HasPrefix(p.rest(), "(") {
				a.call = true
				p.at++
				var err error
				if a.arguments, err = p.expressions(")"); err != nil {
					return err
				}
			}
			ref.accessors = append(ref.accessors, a)
		case strings.HasPrefix(rest, "["):
			p.at++
			if err := p.enter(); err != nil {
				return err
			}
			index, err := p.expression()
			p.leave()
			if err != nil {
				return err
			}
			if err := p.expect("]"); err != nil {
				return err
			}
			ref.accessors = append(ref.accessors, accessor{index: index})
		default:
			return nil
		}
	}
}

// expressions reads a comma-separated list up to the closing character.
func (p *parser) expressions(closing string) ([]expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	p.blanks()
	if strings.HasPrefix(p.rest(), closing) {
		p.at++
		return nil, nil
	}
	first, err := p.expression()
	if err != nil {
		return nil, err
	}
	return p.following(first, closing)
}

// following reads the rest of a list whose first expression is read, up to the closing character.
func (p *parser) following(first expression, closing string) ([]expression, error) {
	all := []expression{first}
	for {
		p.blanks()
		if !strings.HasPrefix(p.rest(), ",") {
			return all, p.expect(closing)
		}
		p.at++
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
}

func (p *parser) blanks() {
	for p.at < len(p.source) && strings.IndexByte(" \t\r\n", p.source[p.at]) >= 0 {
		p.at++
	}
}

func (p *parser) expect(token string) error {
	p.blanks()
	if !strings.HasPrefix(p.rest(), token) {
		return p.fail("%s is expected", token)
	}
	p.at += len(token)
	return nil
}

// operators are the binary operators; the first bind least. A word is another spelling of the operator after it.
var operators = [][]struct{ spelling, operator string }{
	{{"||", "||"}, {"or", "||"}},
	{{"&&", "&&"}, {"and", "&&"}},
	{{"==", "=="}, {"!=", "!="}, {"eq", "=="}, {"ne", "!="}},
	{{"<=", "<="}, {">=", ">="}, {"<", "<"}, {">", ">"}, {"le", "<="}, {"ge", ">="}, {"lt", "<"}, {"gt", ">"}},
	{{"+", "+"}, {"-", "-"}},
	{{"*", "*"}, {"/", "/"}, {"%", "%"}},
}

func (p *parser) expression() (expression, error) { return p.operation(0) }

func (p *parser) operation(level int) (expression, error) {
	if level == len(operators) {
		return p.unary()
	}
	left, err := p.operation(level + 1)
	for err == nil {
		operator := p.operator(level)
		if operator == "" {
			return left, nil
		}
		var right expression
		right, err = p.operation(level + 1)
		left = &binary{operator, left, right}
	}
	return nil, err
}

func (p *parser) operator(level int) string {
	p.blanks()
	rest := p.rest()
	for _, o := range operators[level] {
		if !strings.HasPrefix(rest, o.spelling) {
			continue
		}
		word := o.spelling[0] >= 'a'
		if word && len(rest) > len(o.spelling) && isNamePart(rest[len(o.spelling)]) {
			continue
		}
		p.at += len(o.spelling)
		return o.operator
	}
	return ""
}

func isNamePart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func (p *parser) unary() (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	p.blanks()
	rest := p.rest()
	if strings.HasPrefix(rest, "!") || p.word("not") {
		if rest[0] == '!' {
			p.at++
		}
		x, err := p.unary()
		return &not{x}, err
	}
	if strings.HasPrefix(rest, "-") {
		p.at++
		x, err := p.unary()
		return &negative{x}, err
	}
	return p.primary()
}

// word consumes a word if it is next.
func (p *parser) word(word string) bool {
	rest := p.rest()
	if !strings.HasPrefix(rest, word) || len(rest) > len(word) && isNamePart(rest[len(word)]) {
		return false
	}
	p.at += len(word)
	return true
}

func (p *parser) primary() (expression, error) {
	rest := p.rest()
	switch {
	case rest == "":
		return nil, p.fail("an expression is expected, the template ends")
	case rest[0] == '(':
		p.at++
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		return x, p.expect(")")
	case rest[0] == '$':
		ref, err := p.reference()
		if err == nil && ref == nil {
			err = p.fail("$ is followed by a name")
		}
		return ref, err
	case rest[0] == '\'' || rest[0] == '"':
		return p.quoted(rest[0])
	case rest[0] == '[':
		return p.list()
	case rest[0] == '{':
		return p.table()
	case rest[0] >= '0' && rest[0] <= '9':
		return p.number()
	case p.word("true"):
		return literal{true}, nil
	case p.word("false"):
		return literal{false}, nil
	case p.word("null"):
		return literal{nil}, nil
	default:
		c, _ := utf8.DecodeRuneInString(rest)
		return nil, p.fail("%q begins no expression: texts stand between quotes", string(c))
	}
}

func (p *parser) number() (expression, error) {
	start := p.at
	digits := func() {
		for p.at < len(p.source) && p.source[p.at] >= '0' && p.source[p.at] <= '9' {
			p.at++
		}
	}
	digits()
	rest := p.rest()
	if len(rest) > 1 && rest[0] == '.' && rest[1] >= '0' && rest[1] <= '9' {
		p.at++
		digits()
		f, err := strconv.ParseFloat(p.source[start:p.at], 64)
		if err != nil {
			return nil, p.fail("the number is too large")
		}
		return literal{f}, nil
	}
	n, err := strconv.ParseInt(p.source[start:p.at], 10, 64)
	if err != nil {
		return nil, p.fail("the number is too large")
	}
	return literal{n}, nil
}

// quoted reads a text. In double quotes it is a template. A doubled quote means one quote.
func (p *parser) quoted(quote byte) (expression, error) {
	start := p.at
	p.at++
	var b strings.Builder
	for {
		if p.at == len(p.source) {
			p.at = start
			return nil, p.fail("the text is not closed by %c", quote)
		}
		c := p.source[p.at]
		p.at++
		if c == quote {
			if !strings.HasPrefix(p.rest(), string(quote)) {
				break
			}
			p.at++
		}
		b.WriteByte(c)
	}
	if quote == '\'' || !strings.ContainsAny(b.String(), "$#") {
		return literal{b.String()}, nil
	}
	inner := parser{source: b.String(), depth: p.depth, loops: p.loops}
	nodes, end, err := inner.block()
	if err == nil && end != "" {
		err = inner.fail("#%s belongs to no #if or #foreach", end)
	}
	if err != nil {
		p.at = start
		return nil, p.fail("in the quoted text: %v", err)
	}
	p.names.add(inner.names.list...)
	p.locals.add(inner.locals.list...)
	return &quoted{nodes}, nil
}

// list reads [a, b] or [1..3]. It reads the first expression only once: reading it again for the second form would
// double the time with each level of nesting.
func (p *parser) list() (expression, error) {
	p.at++
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	p.blanks()
	if strings.HasPrefix(p.rest(), "]") {
		p.at++
		return &list{}, nil
	}
	first, err := p.expression()
	if err != nil {
		return nil, err
	}
	p.blanks()
	if !strings.HasPrefix(p.rest(), "..") {
		items, err := p.following(first, "]")
		return &list{items}, err
	}
	p.at += len("..")
	to, err := p.expression()
	if err != nil {
		return nil, err
	}
	return &span{first, to}, p.expect("]")
}

// table reads {key: value, ...}.
func (p *parser) table() (expression, error) {
	p.at++
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	t := &table{}
	p.blanks()
	if strings.HasPrefix(p.rest(), "}") {
		p.at++
		return t, nil
	}
	for {
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		t.keys, t.values = append(t.keys, key), append(t.values, value)
		if p.blanks(); !strings.HasPrefix(p.rest(), ",") {
			return t, p.expect("}")
		}
		p.at++
	}
}
