package transform

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/javaregex"
)

// indexOf finds a text in the input. Positions count code points from 0; -1 means not found.
type indexOf struct {
	substring operand
	find      func(s, substring string) int
}

func newIndexOf(d *definition) operation { return &indexOf{d.required("substring"), strings.Index} }
func newLastIndexOf(d *definition) operation {
	return &indexOf{d.required("substring"), strings.LastIndex}
}

func (o *indexOf) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	if input.IsNull() {
		return attribute.Null, nil
	}
	substring, ok, err := o.substring.text(e, input)
	if err != nil {
		return attribute.Null, err
	}
	if !ok {
		return attribute.Null, errors.New("substring is null")
	}
	text := input.Text()
	at := o.find(text, substring)
	if at > 0 {
		at = utf8.RuneCountInString(text[:at])
	}
	return attribute.String(fmt.Sprint(at)), nil
}

// substring takes a part of the input, in code points. It cuts the part to the input; a part that begins behind the end
// of the input is null.
type substring struct{ begin, beginOffset, end, endOffset operand }

func newSubstring(d *definition) operation {
	s := &substring{begin: d.number("begin"), beginOffset: d.number("beginOffset"), end: d.number("end"),
		endOffset: d.number("endOffset")}
	if !s.begin.given() {
		// The published guides also write start for begin.
		s.begin = d.number("start")
	}
	if !s.begin.given() {
		d.missing("begin")
	}
	return s
}

func (s *substring) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	if input.IsNull() {
		return attribute.Null, nil
	}
	begin, _, err := s.position(e, input, &s.begin, &s.beginOffset, "begin")
	if err != nil {
		return attribute.Null, err
	}
	end, limited, err := s.position(e, input, &s.end, &s.endOffset, "end")
	if err != nil {
		return attribute.Null, err
	}
	text := input.Text()
	length := utf8.RuneCountInString(text)
	if !limited || end > length {
		end = length
	}
	begin = max(begin, 0)
	switch {
	case begin > length:
		return attribute.Null, nil
	case end < begin:
		return attribute.String(""), nil
	case length == len(text):
		return attribute.String(text[begin:end]), nil
	default:
		return attribute.String(string([]rune(text)[begin:end])), nil
	}
}

// position returns the sum of a position and its offset. The offset counts only if the position is given and is not -1,
// which means none.
func (s *substring) position(e *evaluation, input attribute.Value, at, offset *operand, name string,
) (position int, given bool, err error) {
	position, given, err = at.number(e, input, name)
	if err != nil || !given || position == -1 {
		return 0, false, err
	}
	more, _, err := offset.number(e, input, name+"Offset")
	return position + more, true, err
}

// pad fills the input up to a length in code points.
type pad struct {
	length, padding operand
	left            bool
}

// padMax is the largest length to fill a text up to.
const padMax = 65_536

func newLeftPad(d *definition) operation  { return newPad(d, true) }
func newRightPad(d *definition) operation { return newPad(d, false) }

func newPad(d *definition, left bool) operation {
	p := &pad{length: d.number("length"), padding: d.operand("padding"), left: left}
	if !p.length.given() {
		d.missing("length")
	}
	return p
}

func (p *pad) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	if input.IsNull() {
		return attribute.Null, nil
	}
	length, ok, err := p.length.number(e, input, "length")
	switch {
	case err != nil:
		return attribute.Null, err
	case !ok:
		return attribute.Null, errors.New("length is null")
	case length > padMax:
		return attribute.Null, fmt.Errorf("length is more than %d", padMax)
	}
	padding, _, err := p.padding.text(e, input)
	if err != nil {
		return attribute.Null, err
	}
	if padding == "" {
		padding = " "
	}
	text := input.Text()
	lacking := length - utf8.RuneCountInString(text)
	if lacking <= 0 {
		return attribute.String(text), nil
	}
	unit := []rune(padding)
	filling := string(unit[:min(lacking, len(unit))])
	if lacking > len(unit) {
		filling = strings.Repeat(padding, lacking/len(unit)) + string(unit[:lacking%len(unit)])
	}
	if p.left {
		return attribute.String(filling + text), nil
	}
	return attribute.String(text + filling), nil
}

// split returns one of the parts that a regular expression separates.
type split struct {
	delimiter operand
	fixed     *javaregex.Regexp
	index     operand
	throws    bool
}

func newSplit(d *definition) operation {
	s := &split{delimiter: d.requiredEscaped("delimiter"), index: d.number("index"), throws: d.flag("throws", true)}
	if !s.index.given() {
		d.missing("index")
	}
	if s.delimiter.kind == isLiteral {
		var err error
		if s.fixed, err = javaregex.Compile(s.delimiter.literal.Text()); err != nil {
			d.fault(d.at("delimiter"), "%v", err)
		}
	}
	return s
}

func (s *split) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	if input.IsNull() {
		return attribute.Null, nil
	}
	regexp := s.fixed
	if regexp == nil {
		delimiter, _, err := s.delimiter.text(e, input)
		if err != nil {
			return attribute.Null, err
		}
		if regexp, err = e.regexps().Compile(delimiter); err != nil {
			return attribute.Null, err
		}
	}
	index, ok, err := s.index.number(e, input, "index")
	if err != nil {
		return attribute.Null, err
	}
	if !ok {
		return attribute.Null, errors.New("index is null")
	}
	parts, err := regexp.Split(input.Text(), ValueMax, e.regexps())
	if err != nil {
		return attribute.Null, err
	}
	if index >= 0 && index < len(parts) {
		return attribute.String(parts[index]), nil
	}
	if s.throws {
		return attribute.Null, fmt.Errorf("there is no part %d: the input has %d", index, len(parts))
	}
	return attribute.Null, nil
}
