package transform

import (
	"io"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/velocity"
)

// Library holds everything that a transform may refer to. The compiler asks it.
type Library interface {
	// Transform returns the definition of a saved transform.
	Transform(name string) (definition []byte, ok bool)
	// Rule returns a rule that the host registered.
	Rule(name string) (Rule, bool)
}

// Namer is a [Library] that tells its names, so that the fault of one that it does not have says which may be meant.
type Namer interface {
	TransformNames() []string
	RuleNames() []string
}

// Rule is a calculation of the host, for transforms of the type rule. Many goroutines call it at once. It should be a
// pure function of its input, and its errors must not quote values.
type Rule func(*RuleInput) (attribute.Value, error)

// RuleInput is the argument of a rule. It is valid only during the call.
type RuleInput struct {
	*Input
	// Value is the transform's input.
	Value attribute.Value
	// Attributes are the attributes of the transform, except its name and its input. An object that is no transform,
	// and an array that has more than texts, numbers and truth values, is a text: its JSON.
	Attributes map[string]attribute.Value
}

// Account is an account of the identity whose value is calculated.
type Account struct {
	SourceID       string
	SourceName     string
	ID             string
	NativeIdentity string
	Name           string
	Created        time.Time
	Disabled       bool
	Locked         bool
	Entitlements   bool // it has entitlements
	Attributes     *attribute.Set
}

// Identity is an identity as transforms see one: no more than the published transforms read, so that their package
// needs neither the calculation nor the database.
type Identity struct {
	ID         string
	Name       string         // its name
	Alias      string         // its sign-in name
	Attributes *attribute.Set // nil for none
}

// Directory finds other identities. Its methods return nil if there is none.
type Directory interface {
	// Manager returns the manager of the identity whose value is calculated.
	Manager() (*Identity, error)
	// IsManager reports whether this identity is the manager of another one.
	IsManager() (bool, error)
	// Identity returns the identity with a sign-in name.
	Identity(alias string) (*Identity, error)
}

// Candidate is a name that a generator would give.
type Candidate struct {
	Name string
	// Attribute is the attribute that gets it, [Input].Attribute: of the identity in a mapping, and of the account on
	// the policy's source in a policy.
	Attribute string
	// Source asks the source itself, and not only the known accounts (sourceCheck).
	Source bool
}

// Budget limits what several evaluations together may spend besides their operations: at most [velocity.BudgetStepsMax]
// steps of templates, and at most BudgetMax of javaregex of time in regular expressions. The zero value is an unspent
// budget. It is not safe for concurrent use.
type Budget struct{ templates velocity.Budget }

// Input is the data that a value is calculated from. Evaluate only reads it, and keeps no part of it.
type Input struct {
	// Value is the implicit input, for transforms without an input of their own.
	Value    attribute.Value
	Identity Identity
	// Accounts are the accounts of the identity, in any order.
	Accounts []Account
	// Now is the value of "now".
	Now time.Time
	// Location is the time zone for reading dates without a zone and for writing dates. Nil means UTC.
	Location *time.Location
	// Random is the source for random values; transforms that need it fail if it is nil. It must be safe for concurrent
	// use if several goroutines use the input.
	Random io.Reader
	// Attribute is the name of the identity or account attribute that is calculated.
	Attribute string
	// OldValue is the previous value of the attribute: $oldValue.
	OldValue attribute.Value
	// Directory finds other identities. Nil finds none.
	Directory Directory
	// Taken reports whether a name of a generator is in use: as the value of the candidate's attribute, compared as the
	// source compares it. What the identity itself has is free for it. Nil means that no name is in use.
	Taken func(Candidate) (bool, error)
	// Budget limits all evaluations together that share it. Nil gives each evaluation a budget of its own. Only one
	// goroutine may use an input with a budget.
	Budget *Budget
	// Variables are additional variables of templates, such as application.
	Variables map[string]attribute.Value
}
