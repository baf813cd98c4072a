package velocity

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/muster-engine/muster/engine/transform/javaregex"
)

// The limits of renderings. Each rendered node, each evaluated expression, each element of a list that is read, and
// every hundred bytes of text count as a step.
const (
	// StepsMax is the most steps of one rendering.
	StepsMax = 100_000
	// BudgetStepsMax is the most steps of all renderings together that share a [Budget].
	BudgetStepsMax = 1_000_000
	// regexpSteps is the number of steps of a regular expression, in addition to those for its text.
	regexpSteps = 100
)

// The errors of a rendering that grows without end.
var (
	ErrTooLong      = errors.New("the text of the template is too long")
	ErrTooManySteps = fmt.Errorf("the template takes more than %d steps", StepsMax)
	ErrBudget       = fmt.Errorf("the templates take more than %d steps together", BudgetStepsMax)
)

// NullError is an error of a rendering: a reference is null where a text is needed.
type NullError struct {
	// Reference is the reference as it is written.
	Reference string
}

func (e *NullError) Error() string {
	return fmt.Sprintf("%s is null: give it a value by firstValid, or write %s for an empty text", e.Reference,
		strings.Replace(e.Reference, "$", "$!", 1))
}

// Budget limits several renderings together: to [BudgetStepsMax] steps, and in the time of their regular expressions.
// The zero value is an unspent budget. It is not safe for concurrent use.
type Budget struct {
	Regexps javaregex.Budget
	steps   int
}

// Variables returns the value of a variable; ok is false if it does not exist.
type Variables interface {
	Variable(name string) (value any, ok bool, err error)
}

// Object is a value with methods. A property is a call without arguments.
type Object interface {
	// Call calls a method, or reads a property if call is false. ok is false if there is none of that name.
	Call(name string, arguments []any, call bool) (value any, ok bool, err error)
	// String returns the object as text. Kind returns its kind for errors.
	String() string
	Kind() string
}

type renderer struct {
	variables Variables
	locals    map[string]any
	out       *strings.Builder
	budget    *Budget
	limit     int
	steps     int
	broken    bool
}

// Render renders the template to at most limit bytes. A nil budget means a budget of its own.
func (t *Template) Render(variables Variables, limit int, budget *Budget) (string, error) {
	var out strings.Builder
	r := newRenderer(variables, limit, budget)
	r.out = &out
	if err := r.nodes(t.nodes); err != nil {
		return "", err
	}
	return out.String(), nil
}

// Reference returns the value of a template that is exactly one reference. The value may be null, and keeps its type; a
// quiet reference to null is an empty text.
// ok is false for any other template. Texts from its methods have at most limit bytes. A nil budget means a budget of
// its own.
func (t *Template) Reference(variables Variables, limit int, budget *Budget) (value any, ok bool, err error) {
	if len(t.nodes) != 1 {
		return nil, false, nil
	}
	ref, ok := t.nodes[0].(*reference)
	if !ok {
		return nil, false, nil
	}
	r := newRenderer(variables, limit, budget)
	if value, err = ref.value(&r); value == nil && ref.quiet {
		value = ""
	}
	return value, true, err
}

func newRenderer(variables Variables, limit int, budget *Budget) renderer {
	if budget == nil {
		budget = new(Budget)
	}
	return renderer{variables: variables, limit: limit, budget: budget}
}

func (r *renderer) step() error { return r.spend(1) }

func (r *renderer) spend(steps int) error {
	if r.steps += steps; r.steps > StepsMax {
		return ErrTooManySteps
	}
	if r.budget.steps += steps; r.budget.steps > BudgetStepsMax {
		return ErrBudget
	}
	return nil
}

// read counts the steps of reading a whole value: a text by its length, and a list by its elements at any depth. A list
// may contain itself many times, so its text may be far larger than the template that made it.
func (r *renderer) read(value any) error {
	switch v := value.(type) {
	case string:
		return r.spend(len(v) / 100)
	case Map:
		for _, key := range v.keys {
			if err := r.spend(1 + len(key)/100); err != nil {
				return err
			}
			if err := r.read(v.values[key]); err != nil {
				return err
			}
		}
	case entry:
		if err := r.spend(1 + len(v.key)/100); err != nil {
			return err
		}
		return r.read(v.value)
	case []any:
		for _, item := range v {
			if err := r.step(); err != nil {
				return err
			}
			if err := r.read(item); err != nil {
				return err
			}
		}
	}
	return nil
}

// textSteps returns the steps of a method of a text. The method reads the whole text, and a regular expression may read
// it many times.
func textSteps(s, method string) int {
	switch method {
	case "matches", "replaceAll", "replaceFirst", "split":
		return regexpSteps + len(s)/100
	default:
		return len(s) / 100
	}
}

func (r *renderer) nodes(nodes []node) error {
	for _, n := range nodes {
		if err := r.step(); err != nil {
			return err
		}
		if err := n.render(r); err != nil {
			return err
		}
		if r.broken {
			return nil
		}
	}
	return nil
}

func (r *renderer) write(s string) error {
	if r.out.Len()+len(s) > r.limit {
		return ErrTooLong
	}
	if err := r.spend(len(s) / 100); err != nil {
		return err
	}
	r.out.WriteString(s)
	return nil
}

func (r *renderer) set(name string, value any) {
	if r.locals == nil {
		r.locals = map[string]any{}
	}
	r.locals[name] = value
}

func (t text) render(r *renderer) error { return r.write(string(t)) }

func (ref *reference) render(r *renderer) error {
	value, err := ref.value(r)
	switch {
	case err != nil:
		return err
	case value != nil:
		if err := r.read(value); err != nil {
			return err
		}
		return r.write(Text(value))
	case ref.quiet:
		return nil
	default:
		// Velocity writes the name of the variable. In a name or an address nobody would notice it.
		return &NullError{ref.source}
	}
}

func (c *condition) render(r *renderer) error {
	for _, b := range c.branches {
		if b.when != nil {
			value, err := b.when.value(r)
			if err != nil {
				return err
			}
			if !isTrue(value) {
				continue
			}
		}
		return r.nodes(b.body)
	}
	return nil
}

func (l *loop) render(r *renderer) error {
	over, err := l.over.value(r)
	if err != nil {
		return err
	}
	items, ok := over.([]any)
	if !ok && over != nil {
		return fmt.Errorf("#foreach goes over a list, not over %s", kind(over))
	}
	outer, outerCount := r.locals["foreach"], r.locals["velocityCount"]
	for i, item := range items {
		if err := r.step(); err != nil {
			return err
		}
		r.set(l.name, item)
		r.set("foreach", position{i, len(items)})
		r.set("velocityCount", int64(i+1))
		if err := r.nodes(l.body); err != nil {
			return err
		}
		if r.broken {
			r.broken = false
			break
		}
	}
	if len(items) > 0 {
		delete(r.locals, l.name)
		r.set("foreach", outer)
		r.set("velocityCount", outerCount)
	}
	return nil
}

func (a *assignment) render(r *renderer) error {
	value, err := a.value.value(r)
	if err != nil {
		return err
	}
	if value != nil { // In Velocity an assignment of null does not change a variable.
		r.set(a.name, value)
	}
	return nil
}

func (breakLoop) render(r *renderer) error {
	r.broken = true
	return nil
}

func (ref *reference) value(r *renderer) (any, error) {
	value, own := r.locals[ref.name]
	if !own {
		var err error
		if value, _, err = r.variables.Variable(ref.name); err != nil {
			return nil, err
		}
		if err := r.read(value); err != nil { // the reference created it
			return nil, err
		}
	}
	for i := range ref.accessors {
		if value == nil {
			return nil, nil
		}
		var err error
		if own && i == 0 {
			if changed, found, err := r.change(value, &ref.accessors[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", ref.source, err)
			} else if changed != nil {
				r.locals[ref.name], value = changed, found
				continue
			}
		}
		if value, err = r.access(value, &ref.accessors[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", ref.source, err)
		}
	}
	return value, nil
}

func (r *renderer) access(value any, a *accessor) (any, error) {
	if err := r.step(); err != nil {
		return nil, err
	}
	if a.index != nil {
		index, err := a.index.value(r)
		if err != nil {
			return nil, err
		}
		return r.element(value, index)
	}
	arguments, err := r.arguments(a)
	if err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case string:
		if err := r.spend(textSteps(v, a.name)); err != nil {
			return nil, err
		}
	case []any:
		if !countMethods[a.name] {
			if err := r.read(v); err != nil {
				return nil, err
			}
		}
	}
	return r.call(value, a.name, arguments, a.call)
}

// arguments evaluates the arguments of a call.
func (r *renderer) arguments(a *accessor) ([]any, error) {
	arguments := make([]any, len(a.arguments))
	for i, x := range a.arguments {
		var err error
		if arguments[i], err = x.value(r); err != nil {
			return nil, err
		}
		if err := r.read(arguments[i]); err != nil {
			return nil, err
		}
	}
	return arguments, nil
}

// countMethods are the methods of lists that do not read the elements.
var countMethods = map[string]bool{"size": true, "length": true, "isEmpty": true, "empty": true, "get": true}

func (l literal) value(*renderer) (any, error) { return l.v, nil }

func (q *quoted) value(r *renderer) (any, error) {
	var out strings.Builder
	before := r.out
	r.out = &out
	err := r.nodes(q.body)
	r.out = before
	return out.String(), err
}

func (l *list) value(r *renderer) (any, error) {
	items := make([]any, len(l.items))
	for i, x := range l.items {
		var err error
		if items[i], err = x.value(r); err != nil {
			return nil, err
		}
	}
	return items, r.read(items)
}

func (t *table) value(r *renderer) (any, error) {
	m := newMap(len(t.keys))
	for i := range t.keys {
		key, err := t.keys[i].value(r)
		if err != nil {
			return nil, err
		}
		if err := r.read(key); err != nil {
			return nil, err
		}
		value, err := t.values[i].value(r)
		if err != nil {
			return nil, err
		}
		m.put(Text(key), value)
	}
	return m, r.read(m)
}

func (s *span) value(r *renderer) (any, error) {
	var ends [2]int64
	for i, x := range []expression{s.from, s.to} {
		value, err := x.value(r)
		if err != nil {
			return nil, err
		}
		n, ok := integer(value)
		if !ok {
			return nil, errors.New("the ends of a range are whole numbers, as in [1..3]")
		}
		ends[i] = n
	}
	from, to := ends[0], ends[1]
	if from > math.MaxInt32 || from < math.MinInt32 || to > math.MaxInt32 || to < math.MinInt32 ||
		max(from-to, to-from) >= StepsMax {
		return nil, ErrTooManySteps
	}
	if err := r.spend(int(max(from-to, to-from))); err != nil {
		return nil, err
	}
	step := int64(1)
	if to < from {
		step = -1
	}
	var items []any
	for n := from; ; n += step {
		items = append(items, n)
		if n == to {
			return items, nil
		}
	}
}

func (n *not) value(r *renderer) (any, error) {
	x, err := n.x.value(r)
	return !isTrue(x), err
}

func (n *negative) value(r *renderer) (any, error) {
	x, err := n.x.value(r)
	if err != nil {
		return nil, err
	}
	return arithmetic("-", int64(0), x)
}

func (b *binary) value(r *renderer) (any, error) {
	if err := r.step(); err != nil {
		return nil, err
	}
	left, err := b.left.value(r)
	if err != nil {
		return nil, err
	}
	switch {
	case b.operator == "&&" && !isTrue(left):
		return false, nil
	case b.operator == "||" && isTrue(left):
		return true, nil
	}
	right, err := b.right.value(r)
	if err != nil {
		return nil, err
	}
	for _, side := range []any{left, right} {
		if err := r.read(side); err != nil {
			return nil, err
		}
	}
	switch b.operator {
	case "&&", "||":
		return isTrue(right), nil
	case "==":
		return equal(left, right), nil
	case "!=":
		return !equal(left, right), nil
	case "<", "<=", ">", ">=":
		return compare(b.operator, left, right)
	case "+":
		if left == nil || right == nil {
			return nil, errors.New("a side of + is null")
		}
		_, leftText := left.(string)
		_, rightText := right.(string)
		if leftText || rightText {
			return join(left, right, r.limit)
		}
	}
	return arithmetic(b.operator, left, right)
}

func join(left, right any, limit int) (any, error) {
	s := Text(left) + Text(right)
	if len(s) > limit {
		return nil, ErrTooLong
	}
	return s, nil
}

// isTrue follows Velocity 1.7: only null and false are false.
func isTrue(value any) bool {
	b, isBool := value.(bool)
	return value != nil && (!isBool || b)
}

// equal compares numbers by value, and values of different types by their text.
func equal(left, right any) bool {
	if left == nil || right == nil {
		return left == nil && right == nil
	}
	if a, ok := number(left); ok {
		if b, ok := number(right); ok {
			return a == b
		}
	}
	return Text(left) == Text(right)
}

func compare(operator string, left, right any) (any, error) {
	a, aok := number(left)
	b, bok := number(right)
	if !aok || !bok {
		return nil, fmt.Errorf("%s compares numbers, not %s and %s", operator, kind(left), kind(right))
	}
	switch operator {
	case "<":
		return a < b, nil
	case "<=":
		return a <= b, nil
	case ">":
		return a > b, nil
	default:
		return a >= b, nil
	}
}

func arithmetic(operator string, left, right any) (any, error) {
	a, aok := integer(left)
	b, bok := integer(right)
	if aok && bok {
		if operator == "/" || operator == "%" {
			if b == 0 {
				return nil, errors.New("division by zero")
			}
			if operator == "/" {
				return a / b, nil
			}
			return a % b, nil
		}
		return map[string]int64{"+": a + b, "-": a - b, "*": a * b}[operator], nil
	}
	x, xok := number(left)
	y, yok := number(right)
	if !xok || !yok {
		return nil, fmt.Errorf("%s calculates with numbers, not with %s and %s", operator, kind(left), kind(right))
	}
	switch operator {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "/":
		return x / y, nil
	default:
		return math.Mod(x, y), nil
	}
}

// integer returns a whole number, also from a text.
func integer(value any) (int64, bool) {
	switch v := value.(type) {
	case int64:
		return v, true
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	}
	return 0, false
}

func number(value any) (float64, bool) {
	switch v := value.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(v, 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return 0, false
}

// Text returns a value as text. Null becomes an empty text, and a list its elements in brackets.
func Text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = Text(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case fmt.Stringer:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}

// kind names the type of a value for errors. It never quotes the value, which may be personal.
func kind(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return "a text"
	case bool:
		return "a truth value"
	case int64, float64:
		return "a number"
	case []any:
		return "a list"
	case Map:
		return "a map"
	case Object:
		return v.Kind()
	default:
		return "a value"
	}
}

// position is $foreach.
type position struct{ index, length int }

func (p position) String() string { return strconv.Itoa(p.index) }
func (p position) Kind() string   { return "$foreach" }

func (p position) Call(name string, _ []any, _ bool) (any, bool, error) {
	switch name {
	case "index", "getIndex":
		return int64(p.index), true, nil
	case "count", "getCount":
		return int64(p.index + 1), true, nil
	case "hasNext":
		return p.index+1 < p.length, true, nil
	case "first", "isFirst":
		return p.index == 0, true, nil
	case "last", "isLast":
		return p.index+1 == p.length, true, nil
	}
	return nil, false, nil
}

// element returns an element of a list or the value of a property. A negative index counts from the end.
func (r *renderer) element(value, index any) (any, error) {
	n, isNumber := index.(int64)
	if items, ok := value.([]any); ok && isNumber {
		if n < 0 {
			n += int64(len(items))
		}
		if n < 0 || n >= int64(len(items)) {
			return nil, fmt.Errorf("the list has no element [%d]: it has %d", index, len(items))
		}
		return items[n], nil
	}
	if s, ok := value.(string); ok && isNumber {
		return substring(s, n, n+1)
	}
	if name, ok := index.(string); ok {
		return r.call(value, name, nil, false)
	}
	return nil, fmt.Errorf("%s has no element %s", kind(value), kind(index))
}

func substring(s string, from, to int64) (any, error) {
	length := int64(utf8.RuneCountInString(s))
	if from < 0 || to > length || from > to {
		return nil, fmt.Errorf("the text has no characters from %d to %d: it has %d", from, to, length)
	}
	return string([]rune(s)[from:to]), nil
}
