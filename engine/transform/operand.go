package transform

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/velocity"
)

// operand is a value in a definition: a literal, a template, or a nested transform. The zero operand is a missing one.
type operand struct {
	kind     operandKind
	literal  attribute.Value
	template *velocity.Template
	node     *node
}

type operandKind uint8

const (
	missing operandKind = iota
	isLiteral
	isTemplate
	isNode
)

func literalOf(v attribute.Value) operand { return operand{kind: isLiteral, literal: v} }

func textOf(s string) operand { return literalOf(attribute.String(s)) }

// given reports whether the definition has the operand.
func (o *operand) given() bool { return o.kind != missing }

// eval returns the value. A nested transform, or a template of a single reference, may give null.
func (o *operand) eval(e *evaluation, input attribute.Value) (attribute.Value, error) {
	switch o.kind {
	case isNode:
		return o.node.eval(e, input)
	case isTemplate:
		return e.render(o.template, input)
	default:
		return o.literal, nil
	}
}

// text returns the value as text; ok is false if it is null.
func (o *operand) text(e *evaluation, input attribute.Value) (text string, ok bool, err error) {
	value, err := o.eval(e, input)
	return value.Text(), err == nil && !value.IsNull(), err
}

// number returns the value as a whole number; ok is false if it is null or missing.
func (o *operand) number(e *evaluation, input attribute.Value, name string) (n int, ok bool, err error) {
	value, err := o.eval(e, input)
	if err != nil || value.IsNull() {
		return 0, false, err
	}
	n, err = wholeNumber(value.Text())
	if err != nil {
		return 0, false, fmt.Errorf("%s is not a whole number", name)
	}
	return n, true, nil
}

var errNotWhole = errors.New("it is not a whole number")

// wholeNumberMax is more than the largest whole number with a fraction: from there on fractions are rounded.
const wholeNumberMax = 1 << 53

// wholeNumber reads a whole number, also one that is written with a fraction: exports write 10.0 and -1.0.
func wholeNumber(text string) (int, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.Atoi(text); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	decimal := strings.Trim(text, "0123456789.+-eE") == "" // neither 0x1p4 nor Inf
	if err != nil || !decimal || f != math.Trunc(f) || math.Abs(f) >= wholeNumberMax {
		return 0, errNotWhole
	}
	return int(f), nil
}

// bounded is an operand that is a whole number within limits.
type bounded struct {
	operand
	name        string
	least, most int
}

// bounded compiles such an operand. Without one it is otherwise, which may be out of the limits: then it is required.
func (d *definition) bounded(name string, otherwise, least, most int) bounded {
	b := bounded{d.operand(name), name, least, most}
	if b.kind == missing || b.kind == isLiteral && b.literal.IsNull() {
		b.operand = literalOf(attribute.Int(int64(otherwise)))
	}
	if b.kind == isLiteral {
		if _, err := b.read(b.literal); err != nil {
			d.fault(d.at(name), "a whole number from %d to %d is expected", least, most)
		}
	}
	return b
}

func (b *bounded) read(value attribute.Value) (int, error) {
	n, err := wholeNumber(value.Text())
	if err != nil || n < b.least || n > b.most {
		return 0, fmt.Errorf("%s is no whole number from %d to %d", b.name, b.least, b.most)
	}
	return n, nil
}

func (b *bounded) value(e *evaluation, input attribute.Value) (int, error) {
	value, err := b.eval(e, input)
	if err != nil {
		return 0, err
	}
	return b.read(value)
}

// templateVariables are the variables of a template: those of the definition, the data of the identity, and those of
// the host.
type templateVariables struct {
	e     *evaluation
	input attribute.Value
}

func (e *evaluation) render(t *velocity.Template, input attribute.Value) (attribute.Value, error) {
	variables := templateVariables{e, input}
	value, ok, err := t.Reference(variables, ValueMax, e.templates())
	if err != nil {
		return attribute.Null, err
	}
	if ok {
		return fromTemplate(value), nil
	}
	text, err := t.Render(variables, ValueMax, e.templates())
	return attribute.String(text), err
}

// Variable implements [velocity.Variables].
func (v templateVariables) Variable(name string) (any, bool, error) {
	value, ok, err := v.e.frame.variable(v.e, name)
	if err != nil || ok {
		return toTemplate(value), ok, err
	}
	switch name {
	case "identity":
		return identityObject{v.e, &v.e.in.Identity, true}, true, nil
	case "input":
		return toTemplate(v.input), true, nil
	case "oldValue":
		return toTemplate(v.e.in.OldValue), true, nil
	case "attributeDefinition", "field":
		return fieldObject{v.e.in.Attribute}, true, nil
	}
	if value, ok = v.e.in.Variables[name]; ok {
		return toTemplate(value), true, nil
	}
	if v.e.groups != nil && v.e.groups.HasGroup(name) {
		return "${" + name + "}", true, nil // for the replacement, which reads it next
	}
	return nil, false, nil
}

// toTemplate converts a value to a value of templates.
func toTemplate(v attribute.Value) any {
	switch v.Kind() {
	case attribute.KindNull:
		return nil
	case attribute.KindBool:
		return v.Text() == "true"
	case attribute.KindNumber:
		if n, err := strconv.ParseInt(v.Text(), 10, 64); err == nil {
			return n
		}
		return v.Text() // keeps its digits
	case attribute.KindList:
		items := make([]any, v.Len())
		for i, s := range v.Strings() {
			items[i] = s
		}
		return items
	default:
		return v.Text()
	}
}

// fromTemplate converts the value of a template's reference. Lists of texts stay lists; everything else becomes text.
func fromTemplate(value any) attribute.Value {
	switch v := value.(type) {
	case nil:
		return attribute.Null
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = velocity.Text(item)
		}
		return attribute.List(items)
	default:
		return attribute.String(velocity.Text(v))
	}
}

// scope are the variables that a definition declares.
type scope struct {
	names    []string
	operands []operand
}

// frame holds the values of a scope's variables in one evaluation. Each is calculated when it is first read.
type frame struct {
	scope  *scope
	outer  *frame
	input  attribute.Value
	values []attribute.Value
	state  []variableState
	clocks []clock
}

type variableState uint8

const (
	unknown variableState = iota
	running
	done
)

func (s *scope) frame(outer *frame, input attribute.Value) *frame {
	return &frame{
		scope: s, outer: outer, input: input,
		values: make([]attribute.Value, len(s.names)), state: make([]variableState, len(s.names)),
		clocks: make([]clock, len(s.names)),
	}
}

var errCircular = errors.New("a variable is calculated from itself")

// variable returns the value of a variable of this frame or of one around it.
func (f *frame) variable(e *evaluation, name string) (attribute.Value, bool, error) {
	for ; f != nil; f = f.outer {
		for i, declared := range f.scope.names {
			if declared != name {
				continue
			}
			value, err := f.value(e, i)
			return value, true, err
		}
	}
	return attribute.Null, false, nil
}

func (f *frame) value(e *evaluation, i int) (attribute.Value, error) {
	switch f.state[i] {
	case running:
		return attribute.Null, errCircular
	case done:
		if e.clock |= f.clocks[i]; f.clocks[i]&readsNow != 0 {
			e.now() // it may have been read in a comparison, and is shown now
		}
		return f.values[i], nil
	}
	f.state[i] = running
	inner, before := e.frame, e.clock
	e.frame, e.clock = f, 0
	e.variable = f.scope.names[i]
	value, err := f.scope.operands[i].eval(e, f.input)
	f.clocks[i] = e.clock
	e.clock |= before
	e.frame, e.variable = inner, ""
	if err != nil {
		f.state[i] = unknown
		return attribute.Null, err
	}
	f.values[i], f.state[i] = value, done
	return value, nil
}
