package transform

import (
	"slices"
	"strconv"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
)

// The limits of definitions and evaluations.
const (
	// DefinitionMax is the most bytes of a definition, as in the published API.
	DefinitionMax = 400 << 10
	// FaultsMax is the most faults of a definition that an error lists.
	FaultsMax = 100
	// DepthMax is the deepest nesting of transforms in one definition.
	DepthMax = 100
	// StepsMax is the most operations of one evaluation. Each KiB of a value counts as one more.
	StepsMax = 10_000
	// ValueMax is the most bytes of a value, including intermediate ones.
	ValueMax = 256 << 10
	// evaluationDepthMax is the deepest nesting of evaluations through references and variables.
	evaluationDepthMax = 1000
	// stepBytes is the number of bytes of a value that count as one operation.
	stepBytes = 1 << 10
)

// Transform is a compiled transform. It is immutable, and many goroutines may use it.
type Transform struct {
	name         string
	root         *node
	dependencies Dependencies
	periodic     bool
	random       bool
}

// Dependencies are the data that the value of a transform depends on. Each list is sorted, without repetitions.
type Dependencies struct {
	Accounts []AccountAttribute
	// Attributes are identity attributes of the identity itself. Its name counts as displayName and its alias as uid:
	// they come from those attributes.
	Attributes []string
	// AnyAttribute says that the value may depend on any attribute of the identity: a template builds the name at run
	// time or hands $identity on, or a rule of the host has it.
	AnyAttribute bool
	Transforms   []string // saved transforms that it refers to
	Rules        []string
	// Identity says that the value may depend on data of the identity beside the lists: a template reads $identity, its
	// accounts, or names that are in use.
	Identity bool
	// Others says that the value depends on other identities: on the Manager, on the Status of being somebody's
	// manager, or on those that are found by their Alias.
	Others, Manager, Status, Alias bool
	// OtherAttributes and AnyOther are Attributes and AnyAttribute of those others.
	OtherAttributes []string
	AnyOther        bool
	// Names says that the value is a generated name, or contains one: it depends on which names are in use, and nobody
	// else may get it at the same time.
	Names bool
	// Zone says that the value may depend on the time zone: dates are read or written in it.
	Zone bool
}

// AccountAttribute is an attribute of the accounts on a source. The source has an ID, a name, or both.
type AccountAttribute struct {
	SourceID, SourceName, Attribute string
	// Own says that an own property of accounts may be meant too, such as created: by a filter or by the sorting.
	Own bool
}

// Name returns the name of a saved transform. It may be empty.
func (t *Transform) Name() string { return t.name }

// TimeDependent reports whether the value depends on the present time, "now". [Transform.EvaluateUntil] says when it
// may change.
func (t *Transform) TimeDependent() bool { return t.root.time }

// Random reports whether two evaluations may differ by chance.
func (t *Transform) Random() bool { return t.random }

// RequiresPeriodicRefresh reports whether the definition, or a saved one that it refers to, asks for scheduled
// evaluation.
func (t *Transform) RequiresPeriodicRefresh() bool { return t.periodic }

// Dependencies returns the data that the value depends on. Do not change the lists.
func (t *Transform) Dependencies() Dependencies { return t.dependencies }

// Evaluate calculates the value. The error is an [*EvalError].
func (t *Transform) Evaluate(in *Input) (attribute.Value, error) {
	e := newEvaluation(in)
	value, err := t.root.eval(e, in.Value)
	e.release()
	return value, err
}

// EvaluateUntil calculates the value, and the time from which it may be a different one although nothing but the time
// has changed. The zero time means never. The time in.Now means that the value shows the present time, so it may change
// at any moment. A dateCompare is due when the order of its dates turns, to the second; this assumes that the dates
// move only one way with the time, as now+7d does.
func (t *Transform) EvaluateUntil(in *Input) (value attribute.Value, due time.Time, err error) {
	e := newEvaluation(in)
	e.wantDue = t.root.time
	value, err = t.root.eval(e, in.Value)
	due = e.due
	e.release()
	return value, due, err
}

// Step is one operation of an evaluation. Steps are in the order in which they began.
type Step struct {
	Depth     int    // its nesting in the steps before it
	Transform string // its saved transform; empty for the evaluated one
	Path      string // the place in that transform
	Operation string
	// Variable is the template variable that it calculates; empty if none.
	Variable string
	Input    attribute.Value
	Value    attribute.Value
	Err      error
}

// Trace calculates the value like [Transform.Evaluate] and returns the steps. They contain values of the identity.
func (t *Transform) Trace(in *Input) (attribute.Value, []Step, error) {
	var steps []Step
	e := evaluation{in: in, steps: &steps}
	value, err := t.root.eval(&e, in.Value)
	return value, steps, err
}

// collector collects the dependencies during compilation.
type collector struct {
	Dependencies
	periodic, random bool
	time             int // number of uses of the time
}

func (c *collector) finish() Dependencies {
	d := c.Dependencies
	slices.SortFunc(d.Accounts, func(a, b AccountAttribute) int {
		return slices.Compare([]string{a.SourceName, a.SourceID, a.Attribute, strconv.FormatBool(a.Own)},
			[]string{b.SourceName, b.SourceID, b.Attribute, strconv.FormatBool(b.Own)})
	})
	d.Accounts = slices.Compact(d.Accounts)
	for _, list := range []*[]string{&d.Attributes, &d.OtherAttributes, &d.Transforms, &d.Rules} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return d
}
