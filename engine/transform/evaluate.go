package transform

import (
	"errors"
	"sync"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/javaregex"
	"github.com/muster-engine/muster/engine/transform/velocity"
)

// operation is a type of transform with its attributes.
type operation interface {
	apply(e *evaluation, input attribute.Value) (attribute.Value, error)
}

// node is a compiled transform inside a definition.
type node struct {
	operation operation
	kind      string
	owner     string // the saved transform that contains it
	path      string
	input     operand
	variables *scope
	time      bool // depends on the present time
}

// evaluation is the state of one evaluation.
type evaluation struct {
	in    *Input
	frame *frame
	count int
	depth int
	steps *[]Step
	// own is the budget if the input has none.
	own Budget
	// wantDue asks for due. probe says that the value shows no time that is read now, only the outcome of a comparison;
	// trial says that the present time is only a trial.
	wantDue bool
	probe   bool
	trial   bool
	due     time.Time
	clock   clock // of what has been evaluated
	// groups is the regular expression whose replacement is evaluated: ${name} may be one of its groups.
	groups   *javaregex.Regexp
	variable string
}

// evaluations are reused, because a profile evaluates a transform for each of its attributes.
var evaluations = sync.Pool{New: func() any { return new(evaluation) }}

func newEvaluation(in *Input) *evaluation {
	e := evaluations.Get().(*evaluation)
	e.in = in
	return e
}

// release puts an evaluation back, without any data of the identity.
func (e *evaluation) release() {
	*e = evaluation{}
	evaluations.Put(e)
}

// eval evaluates a node. The input is the implicit one.
func (n *node) eval(e *evaluation, input attribute.Value) (attribute.Value, error) {
	e.count++
	e.depth++
	var value attribute.Value
	var err error
	switch {
	case e.count > StepsMax || e.depth > evaluationDepthMax:
		err = n.fail(ErrTooManySteps)
	case e.steps != nil:
		value, err = n.traced(e, input)
	default:
		value, err = n.evaluate(e, input)
	}
	e.depth--
	return value, err
}

func (n *node) evaluate(e *evaluation, input attribute.Value) (attribute.Value, error) {
	outer := e.frame
	if n.variables != nil {
		e.frame = n.variables.frame(outer, input)
	}
	var err error
	if n.input.given() {
		input, err = n.input.eval(e, input)
	}
	var value attribute.Value
	if err == nil {
		value, err = n.operation.apply(e, input)
	}
	e.frame = outer
	if err != nil {
		return attribute.Null, n.fail(err)
	}
	bytes := size(value)
	if bytes > ValueMax {
		return attribute.Null, n.fail(ErrTooLong)
	}
	e.count += bytes / stepBytes
	return value, nil
}

// budget returns the budget for templates and regular expressions.
func (e *evaluation) budget() *Budget {
	if e.in.Budget != nil {
		return e.in.Budget
	}
	return &e.own
}

func (e *evaluation) templates() *velocity.Budget { return &e.budget().templates }
func (e *evaluation) regexps() *javaregex.Budget  { return &e.budget().templates.Regexps }

// traced evaluates a node and records the step.
func (n *node) traced(e *evaluation, input attribute.Value) (attribute.Value, error) {
	at := len(*e.steps)
	*e.steps = append(*e.steps, Step{
		Depth: e.depth - 1, Transform: n.owner, Path: n.path, Operation: n.kind, Variable: e.variable, Input: input,
	})
	e.variable = ""
	value, err := n.evaluate(e, input)
	(*e.steps)[at].Value, (*e.steps)[at].Err = value, err
	return value, err
}

// fail adds the place to an error, unless it has one.
func (n *node) fail(err error) error {
	var known *EvalError
	if errors.As(err, &known) {
		return err
	}
	return &EvalError{Transform: n.owner, Path: n.path, Operation: n.kind, Err: err}
}

// now returns the present time.
func (e *evaluation) now() time.Time {
	e.clock |= readsNow
	if e.wantDue && !e.probe {
		e.due = e.in.Now
	}
	return e.in.Now
}

// recordDue records a time at which the value may change.
func (e *evaluation) recordDue(t time.Time) {
	if !t.IsZero() && !e.trial && (e.due.IsZero() || t.Before(e.due)) {
		e.due = t
	}
}

func (e *evaluation) location() *time.Location {
	if e.in.Location == nil {
		return time.UTC
	}
	return e.in.Location
}

// size returns the size of a value in bytes.
func size(v attribute.Value) int {
	if v.Kind() != attribute.KindList {
		return len(v.Text())
	}
	n := 0
	for _, s := range v.Strings() {
		n += len(s) + 1
	}
	return n
}
