package transform

import (
	"errors"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
)

// conditional compares two texts, exactly.
type conditional struct{ left, right, positive, negative operand }

func newConditional(d *definition) operation {
	expression := d.requiredLiteral("expression")
	c := &conditional{positive: d.required("positiveCondition"), negative: d.required("negativeCondition")}
	left, right, ok := strings.Cut(" "+expression+" ", " eq ")
	if !ok {
		if expression != "" {
			d.fault(d.at("expression"), "it has the form A eq B: eq is the only comparison%s", otherOperator(
				expression))
		}
		return c
	}
	c.left = d.template(strings.TrimSpace(left), d.at("expression"))
	c.right = d.template(strings.TrimSpace(right), d.at("expression"))
	return c
}

// otherOperator returns the operator that was written instead of eq.
func otherOperator(expression string) string {
	words := strings.Fields(expression)
	for _, word := range words {
		switch strings.ToLower(word) {
		case "ne", "lt", "le", "gt", "ge", "lte", "gte", "==", "!=", "=", "<", ">", "<=", ">=", "equals":
			return ", not " + word
		case "eq":
			return "; it is written in small letters, between blanks"
		}
	}
	return ""
}

func (c *conditional) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	left, err := c.operand(e, input, &c.left, "left")
	if err != nil {
		return attribute.Null, err
	}
	right, err := c.operand(e, input, &c.right, "right")
	if err != nil {
		return attribute.Null, err
	}
	if left == right {
		return c.positive.eval(e, input)
	}
	return c.negative.eval(e, input)
}

func (c *conditional) operand(e *evaluation, input attribute.Value, o *operand, side string) (string, error) {
	text, ok, err := o.text(e, input)
	if err == nil && !ok {
		err = errors.New("the " + side + " side of eq is null: give it a value by firstValid")
	}
	return text, err
}

// firstValid returns the first value that is not null.
type firstValid struct {
	values       []operand
	ignoreErrors bool
}

func newFirstValid(d *definition) operation {
	return &firstValid{values: d.values("values"), ignoreErrors: d.flag("ignoreErrors", false)}
}

func (f *firstValid) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	for i := range f.values {
		value, err := f.values[i].eval(e, input)
		if err != nil {
			// A limit of the evaluation is not an error of this value.
			if !f.ignoreErrors || isLimit(err) {
				return attribute.Null, err
			}
			continue
		}
		if !value.IsNull() {
			return value, nil
		}
	}
	return attribute.Null, nil
}

// lookup looks the input up in a table.
type lookup struct {
	table     map[string]operand
	otherwise operand
}

func newLookup(d *definition) operation {
	table := d.get("table")
	l := &lookup{table: map[string]operand{}}
	switch {
	case table == nil:
		d.missing("table")
		return l
	case table.kind != isObject:
		d.fault(d.at("table"), "it is %v, an object of keys and their values is expected", table.kind)
		return l
	}
	for _, m := range table.members {
		value := d.operandOf(m.value, join(d.at("table"), m.name))
		if m.name == "default" {
			l.otherwise = value
			continue
		}
		l.table[m.name] = value
	}
	return l
}

func (l *lookup) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	if value, ok := l.table[input.Text()]; ok && !input.IsNull() {
		return value.eval(e, input)
	}
	switch {
	case l.otherwise.given():
		return l.otherwise.eval(e, input)
	case input.IsNull():
		return attribute.Null, errNoInput
	default:
		return attribute.Null, errors.New("the table has no such key, and no default")
	}
}

// reference evaluates a saved transform.
type reference struct {
	name   string
	target *node
}

func newReference(d *definition) operation {
	name := d.requiredLiteral("id")
	if name == "" {
		return &reference{}
	}
	return &reference{name, d.refer(name, d.at("id"))}
}

func (r *reference) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	if r.target == nil {
		return attribute.Null, errors.New("the saved transform it names is not known here")
	}
	outer := e.frame
	e.frame = nil // a saved transform does not see the variables of the transforms that refer to it
	defer func() { e.frame = outer }()
	return r.target.eval(e, input)
}

// identityAttribute reads an attribute of the identity.
type identityAttribute struct{ name string }

func newIdentityAttribute(d *definition) operation {
	name := d.requiredLiteral("name")
	d.Attributes = append(d.Attributes, name)
	return &identityAttribute{name}
}

func (a *identityAttribute) apply(e *evaluation, _ attribute.Value) (attribute.Value, error) {
	return e.in.Identity.attribute(a.name), nil
}

func (i *Identity) attribute(name string) attribute.Value {
	if i.Attributes == nil {
		return attribute.Null
	}
	return i.Attributes.Get(name)
}
