package transform

import (
	"errors"
	"fmt"
	"strings"

	"github.com/muster-engine/muster/engine/transform/javaregex"
	"github.com/muster-engine/muster/engine/transform/velocity"
)

// Fault is a mistake in a definition and its place.
type Fault struct {
	// Path is the place in the document, such as attributes.values[1].type; it is empty for the whole document. A place
	// in a referenced saved transform begins with its name: transform "Get Name": attributes.input.
	Path string
	Msg  string
}

// String returns the path and the message.
func (f Fault) String() string {
	if f.Path == "" {
		return f.Msg
	}
	return f.Path + ": " + f.Msg
}

// CompileError has all faults of a definition, at least one, in the order of the document; undeclared variables follow
// the others.
type CompileError struct{ Faults []Fault }

func (e *CompileError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, fault := range e.Faults {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "; ")
}

func faultAt(path, format string, arguments ...any) error {
	return &CompileError{Faults: []Fault{{path, fmt.Sprintf(format, arguments...)}}}
}

// EvalError says why a transform has no value. It never quotes a value: values are personal, and some are secret.
type EvalError struct {
	Transform string // the name of the transform or of the saved one that it refers to; may be empty
	Path      string // the place in that transform
	Operation string
	Err       error
}

func (e *EvalError) Error() string {
	var b strings.Builder
	if e.Transform != "" {
		fmt.Fprintf(&b, "transform %q: ", e.Transform)
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	fmt.Fprintf(&b, "%s: %v", e.Operation, e.Err)
	return b.String()
}

// Unwrap returns the reason.
func (e *EvalError) Unwrap() error { return e.Err }

// The limits of an evaluation.
var (
	ErrTooManySteps = fmt.Errorf("it takes more than %d operations", StepsMax)
	ErrTooLong      = fmt.Errorf("the value is longer than %d bytes", ValueMax)
)

// isLimit reports whether an error is a limit of the whole evaluation, rather than an error of one value.
func isLimit(err error) bool {
	for _, limit := range []error{ErrTooManySteps, velocity.ErrTooManySteps, velocity.ErrBudget, javaregex.ErrTimeout,
		javaregex.ErrBudget} {
		if errors.Is(err, limit) {
			return true
		}
	}
	return false
}

var errNoInput = errors.New("there is no input")
