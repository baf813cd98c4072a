package filterql

import (
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	sq "github.com/Masterminds/squirrel"
)

// Where returns the filter as a condition for squirrel. Values are arguments and never part of the text: strings,
// int64, [time.Time], results of Convert, and slices of those and of bool. Only a single boolean is TRUE or FALSE in
// the text. Placeholders are question marks.
func (f *Filter) Where() sq.Sqlizer { return condition{f.root} }

type condition struct{ root node }

// ToSql implements [sq.Sqlizer]. A condition of more than one comparison is in parentheses.
func (c condition) ToSql() (string, []any, error) {
	w := &writer{arguments: make([]any, 0, 8)}
	w.text.Grow(192)
	if disjunction, ok := c.root.(*anyNode); ok {
		w.group(disjunction)
	} else {
		c.root.appendSQL(w, false)
	}
	return w.text.String(), w.arguments, nil
}

// writer builds a condition.
type writer struct {
	text      strings.Builder
	arguments []any
}

func (w *writer) put(texts ...string) {
	for _, text := range texts {
		w.text.WriteString(text)
	}
}

// argument writes a placeholder and the cast, which may be empty.
func (w *writer) argument(value any, cast string) {
	w.text.WriteByte('?')
	w.text.WriteString(cast)
	w.arguments = append(w.arguments, value)
}

func (w *writer) group(n node) {
	w.put("(")
	n.appendSQL(w, false)
	w.put(")")
}

// negate writes the condition that put writes, or its negation in two-valued logic: unknown counts as false.
func (w *writer) negate(negated bool, put func()) {
	if !negated {
		put()
		return
	}
	w.put("(")
	put()
	w.put(") IS NOT TRUE")
}

func (n *notNode) appendSQL(w *writer, negated bool) { n.x.appendSQL(w, !negated) }

func (n *allNode) appendSQL(w *writer, negated bool) {
	w.negate(negated, func() {
		for i, term := range n.terms {
			if i > 0 {
				w.put(" AND ")
			}
			if _, ok := term.(*anyNode); ok {
				w.group(term)
			} else {
				term.appendSQL(w, false)
			}
		}
	})
}

func (n *anyNode) appendSQL(w *writer, negated bool) {
	w.negate(negated, func() {
		for i, term := range n.terms {
			if i > 0 {
				w.put(" OR ")
			}
			term.appendSQL(w, false)
		}
	})
}

func (n *presenceNode) appendSQL(w *writer, negated bool) {
	null := n.null != negated
	switch {
	case n.field.Multi && null:
		w.put("coalesce(cardinality(", n.field.Column, "), 0) = 0")
	case n.field.Multi:
		w.put("cardinality(", n.field.Column, ") > 0")
	case null:
		w.put(n.field.Column, " IS NULL")
	default:
		w.put(n.field.Column, " IS NOT NULL")
	}
}

func (n *containsAllNode) appendSQL(w *writer, negated bool) {
	w.negate(negated, func() {
		w.put(n.field.Column, " @> ")
		w.argument(n.values, "::text[]")
	})
}

// appendEqual writes that a column equals an argument, or that it differs. Null differs.
func appendEqual(w *writer, f *Field, negated bool, argument any, cast string) {
	putEqual(w, f, negated)
	w.argument(argument, cast)
}

func putEqual(w *writer, f *Field, negated bool) {
	switch {
	case !negated:
		w.put(f.Column, " = ")
	case f.NotNull:
		w.put(f.Column, " <> ")
	default:
		w.put(f.Column, " IS DISTINCT FROM ")
	}
}

// appendIn writes that a column equals an element of a list, which is one argument.
func appendIn(w *writer, f *Field, negated bool, list any, cast string) {
	w.negate(negated, func() {
		w.put(f.Column, " = ANY (")
		w.argument(list, cast)
		w.put(")")
	})
}

// orders are the SQL operators of gt, ge, lt and le.
var orders = [opCount]string{Gt: " > ", Ge: " >= ", Lt: " < ", Le: " <= "}

func (n *stringNode) appendSQL(w *writer, negated bool) {
	switch n.op {
	case Eq, Ne:
		appendEqual(w, n.field, negated != (n.op == Ne), n.values[0], "")
	case In:
		appendIn(w, n.field, negated, n.values, "")
	case Co:
		w.negate(negated, func() {
			w.put(n.field.Column, " LIKE ")
			w.argument("%"+patternEscaper.Replace(n.values[0])+"%", "")
		})
	case Sw:
		w.negate(negated, func() { appendPrefix(w, n.field.ordered(), n.values[0]) })
	default:
		w.negate(negated, func() {
			w.put(n.field.ordered(), orders[n.op])
			w.argument(n.values[0], "")
		})
	}
}

var patternEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// appendPrefix writes that a column starts with a prefix. It writes a range, which an index serves even under a plan
// that does not know the prefix. In the order of code points the range holds exactly the texts with the prefix.
func appendPrefix(w *writer, column, prefix string) {
	w.put(column, " >= ")
	w.argument(prefix, "")
	if next, ok := successor(prefix); ok {
		w.put(" AND ", column, " < ")
		w.argument(next, "")
	}
}

// successor returns the first text behind all texts that start with prefix. It returns false if the prefix consists of
// nothing but the last code point.
func successor(prefix string) (string, bool) {
	for prefix != "" {
		r, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch r {
		case utf8.MaxRune:
			continue
		case surrogateMin - 1:
			r = surrogateMax
		}
		return prefix + string(r+1), true
	}
	return "", false
}

// The surrogates are code points that cannot occur in a text.
const (
	surrogateMin = 0xD800
	surrogateMax = 0xDFFF
)

func (n *idNode) appendSQL(w *writer, negated bool) {
	if n.op == Ne {
		negated = !negated
	}
	switch {
	case len(n.arguments) == 0 && negated:
		w.put("TRUE")
	case len(n.arguments) == 0:
		w.put("FALSE")
	case n.op == In:
		appendIn(w, n.field, negated, sameType(n.arguments), "")
	default:
		appendEqual(w, n.field, negated, n.arguments[0], "")
	}
}

func (n *idPrefixNode) appendSQL(w *writer, negated bool) {
	if n.none {
		w.put(strings.ToUpper(strconv.FormatBool(negated)))
		return
	}
	w.negate(negated, func() {
		w.put(n.field.Column, " >= ")
		w.argument(n.ids.First, "")
		w.put(" AND ", n.field.Column, " <= ")
		w.argument(n.ids.Last, "")
	})
}

func (n *someNode) appendSQL(w *writer, negated bool) {
	w.negate(negated, func() {
		w.put(n.field.Within, " ")
		if n.x == nil {
			w.put("TRUE")
		} else {
			n.x.appendSQL(w, false)
		}
		w.put(")")
	})
}

// sameType returns the list as a slice of its elements' type, which a driver can turn into an array.
func sameType(list []any) any {
	slice := reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(list[0])), len(list), len(list))
	for i, element := range list {
		slice.Index(i).Set(reflect.ValueOf(element))
	}
	return slice.Interface()
}

func (n *numberNode) appendSQL(w *writer, negated bool) {
	switch n.op {
	case Eq, Ne:
		argument, cast := n.values[0].argument()
		appendEqual(w, n.field, negated != (n.op == Ne), argument, cast)
	case In:
		list, cast := numbersArgument(n.values)
		appendIn(w, n.field, negated, list, cast)
	default:
		w.negate(negated, func() {
			w.put(n.field.Column, orders[n.op])
			w.argument(n.values[0].argument())
		})
	}
}

// argument returns the number and its SQL type. An index over integers serves only a bigint. A number that is not one
// is sent as its digits, so that nothing is rounded.
func (n number) argument() (value any, cast string) {
	if n.isInt {
		return n.integer, "::bigint"
	}
	return n.text, "::numeric"
}

func numbersArgument(numbers []number) (list any, cast string) {
	integers := make([]int64, 0, len(numbers))
	texts := make([]string, 0, len(numbers))
	for _, n := range numbers {
		texts = append(texts, n.text)
		if n.isInt {
			integers = append(integers, n.integer)
		}
	}
	if len(integers) == len(numbers) {
		return integers, "::bigint[]"
	}
	return texts, "::numeric[]"
}

// A single boolean is not an argument: if most rows have one value and few the other, a plan for both is good for
// neither.
func (n *booleanNode) appendSQL(w *writer, negated bool) {
	if n.op == In {
		appendIn(w, n.field, negated, n.values, "")
		return
	}
	if n.field.NotNull && strings.HasPrefix(n.field.Column, "EXISTS (") {
		// Alone, the planner turns it into a join. As an operand it would look for each row.
		if negated != (n.op == Ne) == n.values[0] {
			w.put("NOT ")
		}
		w.put(n.field.Column)
		return
	}
	putEqual(w, n.field, negated != (n.op == Ne))
	w.put(strings.ToUpper(strconv.FormatBool(n.values[0])))
}

func (n *timeNode) appendSQL(w *writer, negated bool) {
	v := n.values[0]
	switch {
	case n.op == In:
		w.negate(negated, func() { n.appendIn(w) })
	case n.op == Eq && v.isInstant(), n.op == Ne && v.isInstant():
		appendEqual(w, n.field, negated != (n.op == Ne), v.start, "")
	case n.op == Eq, n.op == Ne:
		w.negate(negated != (n.op == Ne), func() { appendWithin(w, n.field.Column, v) })
	default:
		op, bound := v.bound(n.op)
		w.negate(negated, func() {
			w.put(n.field.Column, orders[op])
			w.argument(bound, "")
		})
	}
}

// bound turns a comparison with a period into one with an instant: greater means at or after its end, and less or equal
// means before its end.
func (p period) bound(op Op) (Op, time.Time) {
	switch {
	case p.isInstant(), op == Ge, op == Lt:
		return op, p.start
	case op == Gt:
		return Ge, p.end
	default:
		return Lt, p.end
	}
}

func appendWithin(w *writer, column string, p period) {
	w.put(column, " >= ")
	w.argument(p.start, "")
	w.put(" AND ", column, " < ")
	w.argument(p.end, "")
}

// appendIn writes all instants as one argument, and the periods one by one.
func (n *timeNode) appendIn(w *writer) {
	var instants []time.Time
	var periods []period
	for _, v := range n.values {
		if v.isInstant() {
			instants = append(instants, v.start)
		} else {
			periods = append(periods, v)
		}
	}
	w.put("(")
	if instants != nil {
		appendIn(w, n.field, false, instants, "")
	}
	for i, p := range periods {
		if i > 0 || instants != nil {
			w.put(" OR ")
		}
		appendWithin(w, n.field.Column, p)
	}
	w.put(")")
}
