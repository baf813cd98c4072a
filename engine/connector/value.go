package connector

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
)

// ParseValue reads one value of a source as the type of its attribute. The text is personal data, so the error of a
// value that does not fit does not contain it.
func ParseValue(typ, text string) (attribute.Value, error) {
	if text == "" {
		return attribute.Null, nil
	}
	switch strings.ToUpper(typ) {
	case "BOOLEAN":
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "true":
			return attribute.Bool(true), nil
		case "false":
			return attribute.Bool(false), nil
		}
		return attribute.Null, errors.New("the value is no boolean: true or false is expected")
	case "INT", "LONG":
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return attribute.Null, errors.New("the value is no whole number")
		}
		return attribute.Int(n), nil
	}
	return attribute.String(text), nil
}

// AddTo returns the values of an attribute after an addition. New values come at the end, and each value occurs once. A
// value that is there in another spelling, by the equality of the attribute, stays as it is.
func AddTo(old, more attribute.Value, equality attribute.Equality) attribute.Value {
	values := slices.Clone(old.Strings())
	for _, value := range more.Strings() {
		if equality.Find(values, value) < 0 {
			values = append(values, value)
		}
	}
	return listOrNull(values)
}

// RemoveFrom returns the values of old without those of gone, by the equality of the attribute.
func RemoveFrom(old, gone attribute.Value, equality attribute.Equality) attribute.Value {
	leaving := gone.Strings()
	return listOrNull(slices.DeleteFunc(slices.Clone(old.Strings()), func(value string) bool {
		return equality.Find(leaving, value) >= 0
	}))
}

func listOrNull(values []string) attribute.Value {
	if len(values) == 0 {
		return attribute.Null
	}
	return attribute.List(values)
}

// Applied returns the attributes of an account after an operation, as a reading would find them: with the types of the
// schema, which may be nil. The engine records an account with it, and connectors can use it if their source stores
// attributes unchanged. A value added to a single-valued attribute replaces the old one. Attributes that hold passwords
// are not among them, because no reading has them. It panics for a kind that [ParseKind] does not know; answer such an
// operation with [Unsupported] first.
func Applied(attributes *attribute.Set, operation *Operation, schema *Schema) attribute.Set {
	after, effect := attributes.Clone(), operation.Kind.Effect()
	for name, value := range operation.Attributes.All() {
		var a *SchemaAttribute
		if schema != nil {
			a = schema.Attribute(name)
		}
		var equality attribute.Equality
		if a != nil {
			equality = a.Equality
		}
		switch {
		case effect == Removes:
			value = RemoveFrom(after.Get(name), value, equality)
		case effect == Adds && (a == nil || a.IsMulti):
			value = AddTo(after.Get(name), value, equality)
		}
		if value = a.typed(value); value.IsNull() || HoldsPassword(name) {
			after.Delete(name)
		} else {
			after.Put(name, value)
		}
	}
	return after
}

// typed returns a value as a reading of the attribute would find it. A value that does not fit stays as it is: the
// source decides.
func (a *SchemaAttribute) typed(value attribute.Value) attribute.Value {
	switch {
	case a == nil || value.IsNull():
		return value
	case a.IsMulti:
		return listOrNull(value.Strings())
	case value.Len() != 1:
		return value
	}
	typed, err := ParseValue(a.Type, value.Strings()[0])
	if err != nil {
		return value
	}
	return typed
}
