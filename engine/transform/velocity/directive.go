package velocity

import (
	"bytes"
	"strings"
)

// directive reads from a #: a directive, a comment, or text. It returns the name of a directive that ends a block.
func (p *parser) directive() (found node, end string, err error) {
	rest := p.rest()
	switch {
	case strings.HasPrefix(rest, "##"):
		size := strings.IndexByte(rest, '\n') + 1
		if size == 0 {
			size = len(rest)
		}
		p.at += size
		return nil, "", nil
	case strings.HasPrefix(rest, "#*"):
		size := strings.Index(rest, "*#")
		if size < 0 {
			return nil, "", p.fail("the comment is not closed by *#")
		}
		p.at += size + len("*#")
		return nil, "", nil
	case strings.HasPrefix(rest, "#[["):
		size := strings.Index(rest, "]]#")
		if size < 0 {
			return nil, "", p.fail("#[[ is not closed by ]]#")
		}
		p.at += size + len("]]#")
		return text(rest[len("#[["):size]), "", nil
	}
	name, size := directiveName(rest)
	if name == "" {
		p.at++
		return text("#"), "", nil
	}
	start := p.at
	p.at += size
	switch name {
	case "else", "end":
		p.line(start)
		return nil, name, nil
	case "elseif":
		return nil, name, nil
	case "if":
		found, err = p.condition(start)
	case "foreach":
		found, err = p.loop(start)
	case "set":
		found, err = p.assignment(start)
	default: // break
		if p.loops == 0 {
			p.at = start
			return nil, "", p.fail("#break stands in no #foreach")
		}
		p.line(start)
		found = breakLoop{}
	}
	return found, "", err
}

// directiveName returns the directive at the beginning of source, bare or in braces, and its length including the #.
func directiveName(source string) (name string, size int) {
	for _, name := range []string{"elseif", "else", "end", "if", "foreach", "set", "break"} {
		if strings.HasPrefix(source[1:], "{"+name+"}") {
			return name, len(name) + 3
		}
		// Velocity reads #endof as #end and "of", so no blank is needed.
		if strings.HasPrefix(source[1:], name) {
			after := source[1+len(name):]
			if (name == "if" || name == "elseif" || name == "foreach" || name == "set") &&
				!strings.HasPrefix(strings.TrimLeft(after, " \t"), "(") {
				continue
			}
			return name, len(name) + 1
		}
	}
	return "", 0
}

// line skips the rest of the line, including its end, if the directive from start to here is alone on it.
func (p *parser) line(start int) {
	before := strings.TrimRight(p.source[:start], " \t")
	if before != "" && !strings.HasSuffix(before, "\n") {
		return
	}
	rest := strings.TrimLeft(p.rest(), " \t")
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(rest, "\r"), "\n"); ok {
		p.at = len(p.source) - len(rest)
		if p.alone == nil {
			p.alone = map[int]bool{}
		}
		p.alone[start] = true
	}
}

// indent removes the blanks before a directive at start that is alone on its line.
func (p *parser) indent(b *body, start int) {
	if p.alone[start] {
		b.text = bytes.TrimRight(b.text, " \t")
	}
}

// condition reads #if after its name.
func (p *parser) condition(start int) (node, error) {
	c := &condition{}
	when, err := p.parenthesised(start)
	for err == nil {
		var body []node
		var end string
		if body, end, err = p.block(); err != nil {
			break
		}
		c.branches = append(c.branches, branch{when, body})
		isElse := when == nil
		when = nil
		switch {
		case end == "":
			p.at = start
			return nil, p.fail("#if is not closed by #end")
		case end == "end":
			return c, nil
		case isElse:
			return nil, p.fail("#%s stands after #else", end)
		case end == "elseif":
			when, err = p.parenthesised(strings.LastIndexByte(p.source[:p.at], '#'))
		}
	}
	return nil, err
}

// parenthesised reads the condition of a directive that begins at start.
func (p *parser) parenthesised(start int) (expression, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	p.line(start)
	return x, nil
}

// loop reads #foreach after its name.
func (p *parser) loop(start int) (node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	name, err := p.variable()
	if err != nil {
		return nil, err
	}
	p.blanks()
	if !p.word("in") {
		return nil, p.fail("in is expected, as in #foreach($x in $list)")
	}
	over, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	p.line(start)
	p.locals.add(name, "foreach", "velocityCount")
	p.loops++
	body, end, err := p.block()
	p.loops--
	switch {
	case err != nil:
		return nil, err
	case end == "":
		p.at = start
		return nil, p.fail("#foreach is not closed by #end")
	case end != "end":
		return nil, p.fail("#%s belongs to no #if", end)
	}
	return &loop{name, over, body}, nil
}

// variable reads $name.
func (p *parser) variable() (string, error) {
	p.blanks()
	ref := (*reference)(nil)
	if strings.HasPrefix(p.rest(), "$") {
		var err error
		if ref, err = p.reference(); err != nil {
			return "", err
		}
	}
	if ref == nil || len(ref.accessors) > 0 {
		return "", p.fail("a variable is expected, as in $x")
	}
	return ref.name, nil
}

// assignment reads #set after its name.
func (p *parser) assignment(start int) (node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	name, err := p.variable()
	if err != nil {
		return nil, err
	}
	if err := p.expect("="); err != nil {
		return nil, err
	}
	value, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	p.line(start)
	p.locals.add(name)
	return &assignment{name, value}, nil
}
