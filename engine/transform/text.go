package transform

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/javaregex"
	"github.com/muster-engine/muster/engine/transform/lettercase"
)

// textFunction is an operation that needs only the text of its input. Null stays null.
type textFunction func(string) (string, error)

func onText(f textFunction) func(*definition) operation {
	return func(*definition) operation { return f }
}

func (f textFunction) apply(_ *evaluation, input attribute.Value) (attribute.Value, error) {
	if input.IsNull() {
		return attribute.Null, nil
	}
	text, err := f(input.Text())
	if err != nil {
		return attribute.Null, err
	}
	return attribute.String(text), nil
}

func lower(s string) (string, error) { return lettercase.Lower(s), nil }

func upper(s string) (string, error) { return lettercase.Upper(s), nil }

// trim removes the white space of Unicode and, as Java does, all control characters.
func trim(s string) (string, error) {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' || unicode.IsSpace(r) }), nil
}

func base64Encode(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil }

// base64Decode reads the standard and the URL alphabet, with or without padding.
func base64Decode(s string) (string, error) {
	s = strings.Map(func(r rune) rune {
		switch r {
		case '-':
			return '+'
		case '_':
			return '/'
		case ' ', '\t', '\r', '\n':
			return -1
		}
		return r
	}, s)
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	switch {
	case err != nil:
		return "", errors.New("the input is not base64")
	case !utf8.Valid(decoded) || strings.ContainsRune(string(decoded), 0):
		return "", errors.New("the input decodes to bytes that are not text")
	}
	return string(decoded), nil
}

// decomposeDiacriticalMarks decomposes letters (NFKD) and drops the block of combining diacritical marks.
func decomposeDiacriticalMarks(s string) (string, error) {
	return strings.Map(func(r rune) rune {
		if r >= 0x0300 && r <= 0x036F {
			return -1
		}
		return r
	}, norm.NFKD.String(s)), nil
}

// concat joins values. It skips null values; if all are null, the result is null.
type concat struct {
	values    []operand
	separator operand
}

func newConcat(d *definition) operation {
	return &concat{values: d.values("values"), separator: textOf("")}
}

func newJoin(d *definition) operation {
	c := &concat{values: d.values("values"), separator: d.operand("separator")}
	if !c.separator.given() {
		c.separator = textOf(",")
	}
	return c
}

func (c *concat) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	separator, _, err := c.separator.text(e, input)
	if err != nil {
		return attribute.Null, err
	}
	var b strings.Builder
	found := false
	for i := range c.values {
		text, ok, err := c.values[i].text(e, input)
		if err != nil {
			return attribute.Null, err
		}
		if !ok {
			continue
		}
		if found {
			b.WriteString(separator)
		}
		found = true
		if b.WriteString(text); b.Len() > ValueMax {
			return attribute.Null, ErrTooLong
		}
	}
	if !found && len(c.values) > 0 {
		return attribute.Null, nil
	}
	return attribute.String(b.String()), nil
}

// static is a fixed value or a template.
type static struct{ value operand }

func newStatic(d *definition) operation {
	value := d.operand("value")
	if !value.given() {
		value = d.operand("values") // the spelling in the schema of the published API
	}
	if !value.given() {
		d.missing("value")
	}
	return &static{value}
}

func (s *static) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	return s.value.eval(e, input)
}

// replacement replaces the matches of a regular expression.
type replacement struct {
	regexp *javaregex.Regexp
	with   operand
	fixed  *javaregex.Replacement // if it is constant
}

// newReplacement reads a pattern and its replacement. It returns nil if there are faults.
func (d *definition) newReplacement(pattern, path string, value *document, withPath string) *replacement {
	regexp, err := javaregex.Compile(pattern)
	if err != nil {
		d.fault(path, "%v", err)
		return nil
	}
	r := &replacement{regexp: regexp, with: d.escaped(value, withPath, regexp.Groups()...)}
	if r.with.kind == isTemplate && r.with.template.IsPlain() && !slices.ContainsFunc(r.with.template.Names(),
		func(name string) bool { return !regexp.HasGroup(name) || d.mayDeclare(name) }) {
		r.with = textOf(value.text) // its references are groups
	}
	if r.with.kind == isLiteral {
		if r.fixed, err = regexp.Replacement(r.with.literal.Text()); err != nil {
			d.fault(withPath, "%v", err)
			return nil
		}
	}
	return r
}

// mayDeclare reports whether a name may be a variable here. Variables come before groups of the same name.
func (d *definition) mayDeclare(name string) bool {
	for ; d != nil; d = d.parent {
		if d.attributes != nil && d.attributes.get(name) != nil {
			return true
		}
	}
	return slices.Contains(contextVariables, name)
}

func (r *replacement) replaceAll(e *evaluation, input attribute.Value, text string) (string, error) {
	fixed := r.fixed
	if fixed == nil {
		outer := e.groups
		e.groups = r.regexp
		with, _, err := r.with.text(e, input)
		e.groups = outer
		if err != nil {
			return "", err
		}
		if fixed, err = r.regexp.Replacement(with); err != nil {
			return "", err
		}
	}
	return fixed.ReplaceAll(text, ValueMax, e.regexps())
}

// replaceAll makes several replacements, in the order of the document.
type replaceAll []*replacement

func newReplace(d *definition) operation {
	pattern, with := d.requiredLiteral("regex"), d.get("replacement")
	if with == nil {
		d.missing("replacement")
		return replaceAll{}
	}
	return replaceAll{d.newReplacement(pattern, d.at("regex"), with, d.at("replacement"))}
}

func newReplaceAll(d *definition) operation {
	table := d.get("table")
	if table == nil || table.kind == isNull {
		return replaceAll{}
	}
	if table.kind != isObject {
		d.fault(d.at("table"), "it is %v, an object of patterns and their replacements is expected", table.kind)
		return replaceAll{}
	}
	var all replaceAll
	for _, m := range table.members {
		path := join(d.at("table"), m.name)
		all = append(all, d.newReplacement(m.name, path, m.value, path))
	}
	return all
}

func (r replaceAll) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	if input.IsNull() {
		return attribute.Null, nil
	}
	text := input.Text()
	for _, replacement := range r {
		var err error
		if text, err = replacement.replaceAll(e, input, text); err != nil {
			return attribute.Null, err
		}
	}
	return attribute.String(text), nil
}
