package filterql

import (
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Eval reports whether the filter selects a row. It selects exactly the rows that [Filter.Where] selects in PostgreSQL.
// The function get returns the row's values: nil, a string, a bool, any integer or float, a [json.Number], a
// [time.Time] or, for a multi-valued field, a []string. Eval folds strings itself. In a field of type String it
// compares a number or a bool as JSON writes it. A field with Within has a []string or a []any. Any other value that
// does not have its field's type counts as null. An ID may be a text or the result of Convert.
func (f *Filter) Eval(get func(field string) any) bool { return f.root.eval(get) }

func (n *allNode) eval(get func(string) any) bool {
	for _, term := range n.terms {
		if !term.eval(get) {
			return false
		}
	}
	return true
}

func (n *anyNode) eval(get func(string) any) bool {
	for _, term := range n.terms {
		if term.eval(get) {
			return true
		}
	}
	return false
}

func (n *notNode) eval(get func(string) any) bool { return !n.x.eval(get) }

func (n *presenceNode) eval(get func(string) any) bool {
	return n.field.isPresent(get(n.field.Name)) != n.null
}

// isPresent reports whether a value is not null and has the field's type.
func (f *Field) isPresent(value any) bool {
	if f.Multi {
		list, _ := value.([]string)
		return len(list) > 0
	}
	var ok bool
	switch f.Type {
	case String:
		_, ok = textOf(value)
	case Number:
		_, ok = numberOf(value)
	case Boolean:
		_, ok = value.(bool)
	case Time:
		_, ok = value.(time.Time)
	default:
		_, ok = f.idOf(value)
	}
	return ok
}

func (n *containsAllNode) eval(get func(string) any) bool {
	list, _ := get(n.field.Name).([]string)
	for _, wanted := range n.values {
		if !slices.ContainsFunc(list, func(s string) bool { return n.field.fold(s) == wanted }) {
			return false
		}
	}
	return true
}

func (n *stringNode) eval(get func(string) any) bool {
	text, ok := textOf(get(n.field.Name))
	if !ok {
		return n.op == Ne
	}
	text = n.field.fold(text)
	switch n.op {
	case In:
		return slices.Contains(n.values, text)
	case Co:
		return strings.Contains(text, n.values[0])
	case Sw:
		return strings.HasPrefix(text, n.values[0])
	default:
		return n.op.holds(strings.Compare(text, n.values[0]))
	}
}

// holds reports whether the operator is true for the order of a value to a literal.
func (o Op) holds(order int) bool {
	switch o {
	case Eq, In:
		return order == 0
	case Ne:
		return order != 0
	case Gt:
		return order > 0
	case Ge:
		return order >= 0
	case Lt:
		return order < 0
	default:
		return order <= 0
	}
}

func textOf(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

func (n *idNode) eval(get func(string) any) bool {
	id, ok := n.field.idOf(get(n.field.Name))
	return (ok && slices.Contains(n.arguments, id)) != (n.op == Ne)
}

func (n *idPrefixNode) eval(get func(string) any) bool {
	id, ok := n.field.idOf(get(n.field.Name))
	return ok && !n.none && n.ids.Has(id)
}

func (n *someNode) eval(get func(string) any) bool {
	for _, value := range listOf(get(n.field.Name)) {
		if n.x == nil || n.x.eval(func(string) any { return value }) {
			return true
		}
	}
	return false
}

// listOf returns the values of a field that has any number of them.
func listOf(value any) []any {
	switch v := value.(type) {
	case []any:
		return v
	case []string:
		list := make([]any, len(v))
		for i := range v {
			list[i] = v[i]
		}
		return list
	default:
		return nil
	}
}

// idOf returns an ID as Convert returns it, or as a text.
func (f *Field) idOf(value any) (any, bool) {
	text, isText := value.(string)
	switch {
	case value == nil:
		return nil, false
	case f.Convert == nil:
		return text, isText
	case isText:
		return f.Convert(text)
	default:
		return value, true
	}
}

func (n *numberNode) eval(get func(string) any) bool {
	value, ok := numberOf(get(n.field.Name))
	if !ok {
		return n.op == Ne
	}
	if n.op == In {
		return slices.ContainsFunc(n.values, func(literal number) bool { return value.compare(literal) == 0 })
	}
	return n.op.holds(value.compare(n.values[0]))
}

// numeral is the value of a number field. A float is compared as PostgreSQL's double precision, to which the literal is
// rounded; everything else is compared as a numeric, which is exact.
type numeral struct {
	exact   *big.Rat
	float   float64
	isFloat bool
}

func numberOf(value any) (numeral, bool) {
	switch v := value.(type) {
	case int:
		return integer(int64(v)), true
	case int8:
		return integer(int64(v)), true
	case int16:
		return integer(int64(v)), true
	case int32:
		return integer(int64(v)), true
	case int64:
		return integer(v), true
	case uint8:
		return integer(int64(v)), true
	case uint16:
		return integer(int64(v)), true
	case uint32:
		return integer(int64(v)), true
	case uint:
		return numeral{exact: new(big.Rat).SetUint64(uint64(v))}, true
	case uint64:
		return numeral{exact: new(big.Rat).SetUint64(v)}, true
	case float32:
		return numeral{float: float64(v), isFloat: true}, true
	case float64:
		return numeral{float: v, isFloat: true}, true
	case json.Number:
		n, ok := parseNumber(v.String())
		return numeral{exact: n.exact}, ok
	default:
		return numeral{}, false
	}
}

func integer(v int64) numeral { return numeral{exact: new(big.Rat).SetInt64(v)} }

// compare returns the order of a value to a literal. As in PostgreSQL, NaN is greater than every number.
func (n numeral) compare(literal number) int {
	switch {
	case !n.isFloat:
		return n.exact.Cmp(literal.exact)
	case math.IsNaN(n.float), n.float > literal.float:
		return 1
	case n.float < literal.float:
		return -1
	default:
		return 0
	}
}

func (n *booleanNode) eval(get func(string) any) bool {
	value, ok := get(n.field.Name).(bool)
	return (ok && slices.Contains(n.values, value)) != (n.op == Ne)
}

func (n *timeNode) eval(get func(string) any) bool {
	at, ok := get(n.field.Name).(time.Time)
	if !ok {
		return n.op == Ne
	}
	at = at.Truncate(time.Microsecond)
	if n.op == In {
		return slices.ContainsFunc(n.values, func(p period) bool { return p.compare(at) == 0 })
	}
	return n.op.holds(n.values[0].compare(at))
}

// compare returns the order of an instant to the period: 0 if it is within the period.
func (p period) compare(at time.Time) int {
	switch {
	case at.Before(p.start):
		return -1
	case at.Equal(p.start), at.Before(p.end):
		return 0
	default:
		return 1
	}
}
