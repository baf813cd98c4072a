package objectfilter

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/muster-engine/muster/filterql/suggest"
)

const (
	// TextMax is the most bytes of a filter.
	TextMax = 4096
	// DepthMax is the deepest nesting of conditions.
	DepthMax = 64
)

// Error is a mistake in a filter and its place.
type Error struct {
	Pos int // the character, from 1
	Msg string
}

func (e *Error) Error() string { return fmt.Sprintf("at character %d of the filter: %s", e.Pos, e.Msg) }

// Parse reads a filter. The error is an [*Error].
func Parse(text string) (*Filter, error) {
	if len(text) > TextMax {
		return nil, &Error{1, fmt.Sprintf("it has %d bytes, %d are allowed", len(text), TextMax)}
	}
	p := parser{text: text}
	root, err := p.or()
	if err == nil {
		if p.blanks(); p.at < len(text) {
			err = p.fail("&& or || is expected between conditions")
		}
	}
	if err != nil {
		return nil, err
	}
	return &Filter{root, p.properties}, nil
}

type parser struct {
	text       string
	at         int
	depth      int
	properties []string
}

func (p *parser) fail(format string, arguments ...any) error {
	position := utf8.RuneCountInString(p.text[:min(p.at, len(p.text))]) + 1
	return &Error{position, fmt.Sprintf(format, arguments...)}
}

func (p *parser) blanks() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// take consumes a token if it is next.
func (p *parser) take(token string) bool {
	p.blanks()
	if !strings.HasPrefix(p.text[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

func (p *parser) or() (condition, error) {
	left, err := p.and()
	for err == nil && p.take("||") {
		var right condition
		right, err = p.and()
		left = either{left, right}
	}
	return left, err
}

func (p *parser) and() (condition, error) {
	left, err := p.unary()
	for err == nil && p.take("&&") {
		var right condition
		right, err = p.unary()
		left = both{left, right}
	}
	return left, err
}

func (p *parser) unary() (condition, error) {
	if p.depth++; p.depth > DepthMax {
		return nil, p.fail("it is nested deeper than %d", DepthMax)
	}
	defer func() { p.depth-- }()
	if p.take("!") {
		x, err := p.unary()
		return not{x}, err
	}
	if p.take("(") {
		x, err := p.or()
		if err == nil && !p.take(")") {
			err = p.fail(") is expected")
		}
		return x, err
	}
	return p.comparison()
}

// comparison reads property == literal or property.method(literals).
func (p *parser) comparison() (condition, error) {
	p.blanks()
	start := p.at
	for p.at < len(p.text) && isName(p.text[p.at]) {
		p.at++
	}
	name := p.text[start:p.at]
	if name == "" {
		return nil, p.fail("the name of a property is expected")
	}
	p.blanks()
	if strings.HasPrefix(p.text[p.at:], "(") {
		property, method, ok := cutLast(name)
		if !ok {
			p.at = start
			return nil, p.fail("a method belongs to a property, as in name.%s(...)", name)
		}
		p.properties = append(p.properties, property)
		return p.method(property, method, start+len(property)+1)
	}
	p.properties = append(p.properties, name)
	for _, operator := range []string{"==", "!=", "<=", ">=", "<", ">"} {
		if !p.take(operator) {
			continue
		}
		l, err := p.literal()
		if err != nil {
			return nil, err
		}
		if operator == "!=" {
			return not{&comparison{name, "==", []literal{l}}}, nil
		}
		return &comparison{name, operator, []literal{l}}, nil
	}
	return nil, p.fail("a comparison or a method is expected after %s", name)
}

// cutLast separates the name of a method from the property before it.
func cutLast(name string) (property, method string, ok bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 {
		return "", "", false
	}
	return name[:dot], name[dot+1:], true
}

func isName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= utf8.RuneSelf ||
		strings.IndexByte("_-.$", c) >= 0
}

// methods maps each method to the literals that it takes: one, none, or a list.
var methods = map[string]byte{
	"startsWith": '1', "endsWith": '1', "contains": '1', "startsWithIgnoreCase": '1', "endsWithIgnoreCase": '1',
	"containsIgnoreCase": '1', "equals": '1', "equalsIgnoreCase": '1', "isNull": '0', "notNull": '0', "isNotNull": '0',
	"isEmpty": '0', "notEmpty": '0', "in": 'n', "notIn": 'n', "inIgnoreCase": 'n', "containsAll": 'n',
	"containsAllIgnoreCase": 'n', "containsAny": 'n',
}

func (p *parser) method(property, method string, at int) (condition, error) {
	arity, known := methods[method]
	if !known {
		p.at = at
		names := make([]string, 0, len(methods))
		for name := range methods {
			names = append(names, name)
		}
		slices.Sort(names)
		hint := "methods are " + strings.Join(names, ", ")
		if nearest := suggest.Nearest(method, names); nearest != "" {
			hint = fmt.Sprintf("did you mean %q?", nearest)
		}
		return nil, p.fail("unknown method %q; %s", method, hint)
	}
	p.take("(")
	literals, err := p.arguments(arity)
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, p.fail(") is expected")
	}
	operator, ignoreCase := strings.CutSuffix(method, "IgnoreCase")
	for i := range literals {
		literals[i].ignoreCase = literals[i].ignoreCase || ignoreCase
	}
	switch operator {
	case "equals":
		operator = "=="
	case "notNull", "isNotNull":
		return not{&comparison{property, "isNull", nil}}, nil
	case "notEmpty":
		return not{&comparison{property, "isEmpty", nil}}, nil
	case "notIn":
		return not{&comparison{property, "in", literals}}, nil
	}
	return &comparison{property, operator, literals}, nil
}

func (p *parser) arguments(arity byte) ([]literal, error) {
	switch arity {
	case '0':
		return nil, nil
	case '1':
		l, err := p.literal()
		return []literal{l}, err
	}
	braces := p.take("{")
	var literals []literal
	for {
		l, err := p.literal()
		if err != nil {
			return nil, err
		}
		literals = append(literals, l)
		if !p.take(",") {
			break
		}
	}
	if braces && !p.take("}") {
		return nil, p.fail("} is expected")
	}
	return literals, nil
}

// literal reads a text between quotes, a number, true, false or null.
func (p *parser) literal() (literal, error) {
	p.blanks()
	rest := p.text[p.at:]
	if strings.HasPrefix(rest, `i"`) || strings.HasPrefix(rest, `i'`) {
		p.at++
		l, err := p.quoted()
		l.ignoreCase = true
		return l, err
	}
	if strings.HasPrefix(rest, `"`) || strings.HasPrefix(rest, `'`) {
		return p.quoted()
	}
	size := 0
	for size < len(rest) && isName(rest[size]) {
		size++
	}
	word := rest[:size]
	l := literal{text: word, number: parseNumber(word), null: word == "null"}
	if l.number == nil && !l.null && word != "true" && word != "false" {
		return l, p.fail("a value is expected: texts stand between double quotes")
	}
	p.at += size
	return l, nil
}

// quoted reads a text. The character after a backslash means itself.
func (p *parser) quoted() (literal, error) {
	start, quote := p.at, p.text[p.at]
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		switch {
		case c == quote:
			p.at++
			return literal{text: b.String(), number: parseNumber(b.String())}, nil
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			c = p.text[p.at]
		}
		b.WriteByte(c)
	}
	p.at = start
	return literal{}, p.fail("the text is not closed by %c", quote)
}
