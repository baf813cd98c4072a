package filterql

import (
	"fmt"
	"strings"
)

// Filter is a filter that was checked against a schema. It is immutable, and many goroutines may use it.
type Filter struct {
	expr Expr
	root node
}

// Expr returns the filter's tree.
func (f *Filter) Expr() Expr { return f.expr }

// String returns the canonical text of the filter.
func (f *Filter) String() string { return Print(f.expr) }

// node is an expression whose fields and values are known.
type node interface {
	// appendSQL writes the condition, or its negation if negated, in a form that can stand inside a conjunction.
	appendSQL(w *writer, negated bool)
	eval(get func(field string) any) bool
}

type (
	allNode struct{ terms []node }
	anyNode struct{ terms []node }
	notNode struct{ x node }

	// someNode holds where a row of the field's subquery satisfies x; where there is a row at all if x is nil.
	someNode struct {
		field *Field
		x     node
	}
	idPrefixNode struct {
		field *Field
		ids   IDRange
		none  bool // no ID begins with the text
	}
	presenceNode struct {
		field *Field
		null  bool // asks for null
	}
	containsAllNode struct {
		field  *Field
		values []string // folded
	}
	stringNode struct {
		field  *Field
		op     Op
		values []string // folded
	}
	idNode struct {
		field     *Field
		op        Op
		arguments []any // for the column; texts that cannot be an ID are left out
	}
	numberNode struct {
		field  *Field
		op     Op
		values []number
	}
	booleanNode struct {
		field  *Field
		op     Op
		values []bool
	}
	timeNode struct {
		field  *Field
		op     Op
		values []period
	}
)

// ParseFilter parses a filter and checks it against a schema. An error is an [*Error].
func ParseFilter(text string, s *Schema) (*Filter, error) {
	e, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return Check(e, s)
}

// Check checks an expression against a schema: the schema must know the fields and allow the operators on them, and the
// values must have the fields' types. An error is an [*Error]; its text is the one that the mistaken part was parsed
// from. An expression with comparisons that were built by hand is printed and parsed first, so the limits and the rules
// of the syntax hold for it too. Parsed expressions may be joined by hand without limit.
func Check(e Expr, s *Schema) (*Filter, error) {
	if !parsed(e) {
		again, err := Parse(Print(e))
		if err != nil {
			return nil, err
		}
		e = again
	}
	root, err := (checker{s}).check(e)
	if err != nil {
		return nil, err
	}
	return &Filter{e, root}, nil
}

// parsed reports whether Parse made all comparisons of an expression. If so, they follow the syntax and have their
// text.
func parsed(e Expr) bool {
	switch e := e.(type) {
	case *And:
		return len(e.Terms) > 0 && allParsed(e.Terms)
	case *Or:
		return len(e.Terms) > 0 && allParsed(e.Terms)
	case *Not:
		return parsed(e.X)
	case *Comparison:
		return e.source != ""
	default:
		return false
	}
}

func allParsed(terms []Expr) bool {
	for _, term := range terms {
		if !parsed(term) {
			return false
		}
	}
	return true
}

type checker struct{ schema *Schema }

func (c checker) check(e Expr) (node, *Error) {
	switch e := e.(type) {
	case *And:
		terms, err := c.terms(e.Terms)
		return &allNode{terms}, err
	case *Or:
		terms, err := c.terms(e.Terms)
		return &anyNode{terms}, err
	case *Not:
		x, err := c.check(e.X)
		if inner, ok := x.(*notNode); ok {
			return inner.x, err
		}
		return &notNode{x}, err
	default:
		return c.comparison(e.(*Comparison))
	}
}

func (c checker) terms(terms []Expr) ([]node, *Error) {
	nodes := make([]node, len(terms))
	for i, term := range terms {
		n, err := c.check(term)
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return nodes, nil
}

func (c checker) comparison(e *Comparison) (node, *Error) {
	f := c.schema.field(e.Field.Text)
	if f == nil {
		names := c.schema.names(func(f *Field) bool { return f.Ops != 0 })
		return nil, unknownField(e.source, e.Field.Pos, e.Field.End, names)
	}
	if !f.Ops.Has(e.Op) {
		return nil, badOpFor(f, e)
	}
	if f.Within != "" {
		return c.some(f, e)
	}
	return compare(f, e)
}

// some returns the comparison of a field with the values of a subquery.
func (c checker) some(f *Field, e *Comparison) (node, *Error) {
	one := *f // one of the values
	one.Within, one.NotNull = "", true
	switch e.Op {
	case Pr:
		return &someNode{f, nil}, nil
	case IsNull:
		return &notNode{&someNode{f, nil}}, nil
	case Ne:
		equal := *e
		equal.Op = Eq
		x, err := compare(&one, &equal)
		return &notNode{&someNode{f, x}}, err
	default:
		x, err := compare(&one, e)
		return &someNode{f, x}, err
	}
}

// compare returns the comparison of a field that has one value.
func compare(f *Field, e *Comparison) (node, *Error) {
	switch {
	case e.Op == Pr, e.Op == IsNull:
		return &presenceNode{f, e.Op == IsNull}, nil
	case e.Op == Ca, f.Multi && e.Op == Co:
		return &containsAllNode{f, foldValues(f, e.Values)}, nil
	}
	switch f.Type {
	case ID:
		if e.Op == Sw {
			ids, found := f.Prefix(e.Values[0].Text)
			return &idPrefixNode{f, ids, !found}, nil
		}
		return &idNode{f, e.Op, idArguments(f, e.Values)}, nil
	case Number:
		values, err := typed(f, e, parseNumber)
		return &numberNode{f, e.Op, values}, err
	case Boolean:
		values, err := typed(f, e, parseBoolean)
		return &booleanNode{f, e.Op, values}, err
	case Time:
		values, err := typed(f, e, parsePeriod)
		return &timeNode{f, e.Op, values}, err
	default:
		return &stringNode{f, e.Op, foldValues(f, e.Values)}, nil
	}
}

func foldValues(f *Field, values []Value) []string {
	folded := make([]string, len(values))
	for i, v := range values {
		folded[i] = f.fold(v.Text)
	}
	return folded
}

// idArguments returns the SQL arguments of the values. It leaves out texts that cannot be an ID.
func idArguments(f *Field, values []Value) []any {
	arguments := make([]any, 0, len(values))
	for _, v := range values {
		if f.Convert == nil {
			arguments = append(arguments, v.Text)
		} else if argument, ok := f.Convert(v.Text); ok {
			arguments = append(arguments, argument)
		}
	}
	return arguments
}

// typed returns the values of a comparison in the field's type.
func typed[T any](f *Field, e *Comparison, parse func(string) (T, bool)) ([]T, *Error) {
	values := make([]T, len(e.Values))
	for i, v := range e.Values {
		value, ok := parse(v.Text)
		if !ok {
			return nil, badValueFor(f, e, v)
		}
		values[i] = value
	}
	return values, nil
}

func parseBoolean(text string) (value, ok bool) {
	return text == "true", text == "true" || text == "false"
}

// fieldsHintMax is the most fields that a hint names.
const fieldsHintMax = 20

// unknownField returns the error of an unknown field, with a hint that lists the known ones.
func unknownField(text string, pos, end int, names []string) *Error {
	name := text[pos:end]
	hint := "there are no such fields"
	switch {
	case len(names) > fieldsHintMax:
		shown, more := names[:fieldsHintMax], len(names)-fieldsHintMax
		hint = fmt.Sprintf("fields are %s and %d more", strings.Join(shown, ", "), more)
	case len(names) > 0:
		hint = "fields are " + strings.Join(names, ", ")
	}
	return fault(Illegal, text, pos, end, "unknown field %s", Quoted(name)).
		hint("%s", hints(didYouMean(name, names), hint))
}

func badOpFor(f *Field, e *Comparison) *Error {
	err := fault(Illegal, e.source, e.OpPos, e.OpPos+len(e.Op.String()), "%q is not allowed on %q", e.Op, f.Name)
	if f.Ops == 0 {
		return err.hint("the field can be sorted by, not filtered")
	}
	return err.hint("allowed are %s", f.Ops)
}

func badValueFor(f *Field, e *Comparison, v Value) *Error {
	if f.Type == Number && isNumber(v.Text) {
		return fault(Illegal, e.source, v.Pos, v.End, "the number %s is out of range", Quoted(v.Text)).
			hint("its size must be between 1e-307 and 1e308")
	}
	err := fault(Illegal, e.source, v.Pos, v.End, "%s is no %s, which %q is", Quoted(v.Text), f.Type, f.Name)
	switch {
	case v.Text == "null" && f.Ops.Has(IsNull):
		return err.hint("write %s isnull", f.Name)
	case f.Type == Boolean:
		return err.hint("write true or false")
	case f.Type == Number:
		return err.hint("write a number, such as 7 or -1.5")
	default:
		return err.hint("write a date-time with its zone, such as 2018-12-18T23:05:55Z, or a date or a year")
	}
}
