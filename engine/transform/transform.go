package transform

import (
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
)

// The limits of definitions and evaluations.
const (
	// DefinitionMax is the size of a definition in bytes: what the published API accepts.
	DefinitionMax = 400 << 10
	// DepthMax is how deep transforms may be nested in one definition.
	DepthMax = 100
	// StepsMax is how many operations one evaluation may take. A value counts as one more for each KiB of it.
	StepsMax = 10_000
	// ValueMax is the size of a value in bytes, also of one in between.
	ValueMax = 256 << 10
	// evaluationDepthMax is how deep evaluations may be nested through references and variables.
	evaluationDepthMax = 1000
	// stepBytes is how many bytes of a value count as an operation.
	stepBytes = 1 << 10
)

// Transform is a compiled transform. It is never changed: many goroutines may use one at once.
type Transform struct {
	name         string
	root         *node
	dependencies Dependencies
	periodic     bool
	random       bool
}

// Dependencies are what the value of a transform depends on, each list sorted and without repetitions. What a template
// reads by a computed name is not in them; Identity is true then.
type Dependencies struct {
	Accounts   []AccountAttribute
	Attributes []string // identity attributes
	Transforms []string // saved transforms that are referred to
	Rules      []string
	// Identity says that it may depend on anything of the identity and its accounts.
	Identity bool
	// Others says that it depends on other identities, the manager among them.
	Others bool
}

// AccountAttribute is an attribute of the accounts on a source, which is given by its ID, its name, or both.
type AccountAttribute struct{ SourceID, SourceName, Attribute string }

// Name returns the name of a saved transform, empty for one without.
func (t *Transform) Name() string { return t.name }

// TimeDependent reports whether the value depends on the present time: on "now". [Transform.EvaluateUntil] says when
// it may become another.
func (t *Transform) TimeDependent() bool { return t.root.time }

// Random reports whether two evaluations may differ by chance.
func (t *Transform) Random() bool { return t.random }

// RequiresPeriodicRefresh reports whether the definition, or one that it refers to, asks for scheduled evaluation.
func (t *Transform) RequiresPeriodicRefresh() bool { return t.periodic }

// Dependencies returns what the value depends on. The lists must not be changed.
func (t *Transform) Dependencies() Dependencies { return t.dependencies }

// Evaluate calculates the value. The error is an [*EvalError].
func (t *Transform) Evaluate(in *Input) (attribute.Value, error) {
	e := newEvaluation(in)
	value, err := t.root.eval(e, in.Value)
	e.release()
	return value, err
}

// EvaluateUntil calculates the value and tells from when on it may be another one though nothing but the time has
// changed. The zero time says never, and in.Now that it shows the present time and is another one at any time. A
// dateCompare is due when the order of its dates turns, to the second; that supposes that the dates it compares move
// one way with the time, as now+7d does.
func (t *Transform) EvaluateUntil(in *Input) (value attribute.Value, due time.Time, err error) {
	e := newEvaluation(in)
	e.wantDue = t.root.time
	value, err = t.root.eval(e, in.Value)
	due = e.due
	e.release()
	return value, due, err
}

// Step is one operation of an evaluation, in the order in which they began.
type Step struct {
	Depth     int    // how deep it is nested in the steps before it
	Transform string // the saved transform it belongs to, empty for the one that was evaluated
	Path      string // the place in that transform
	Operation string
	// Variable is the variable of a template that is calculated by it, empty for none.
	Variable string
	Input    attribute.Value
	Value    attribute.Value
	Err      error
}

// Trace calculates the value like [Transform.Evaluate] and tells how. The steps hold the values of the identity.
func (t *Transform) Trace(in *Input) (attribute.Value, []Step, error) {
	var steps []Step
	e := evaluation{in: in, steps: &steps}
	value, err := t.root.eval(&e, in.Value)
	return value, steps, err
}

// collector gathers the dependencies while transforms are compiled.
type collector struct {
	Dependencies
	periodic, random bool
	time             int // how many uses of the time there were
}

func (c *collector) finish() Dependencies {
	d := c.Dependencies
	slices.SortFunc(d.Accounts, func(a, b AccountAttribute) int {
		return slices.Compare([]string{a.SourceName, a.SourceID, a.Attribute}, []string{b.SourceName, b.SourceID,
			b.Attribute})
	})
	d.Accounts = slices.Compact(d.Accounts)
	for _, list := range []*[]string{&d.Attributes, &d.Transforms, &d.Rules} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return d
}
