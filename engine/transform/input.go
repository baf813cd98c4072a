package transform

import (
	"io"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/velocity"
)

// Library is what a transform may refer to. It is asked while a transform is compiled.
type Library interface {
	// Transform returns the definition of a saved transform.
	Transform(name string) (definition []byte, ok bool)
	// Rule returns a rule that the host has registered.
	Rule(name string) (Rule, bool)
}

// Rule is a calculation of a host's own, which transforms of the type rule name. It is called by many goroutines at
// once, should be a pure function of its input, and its errors must not quote values.
type Rule func(*RuleInput) (attribute.Value, error)

// RuleInput is what a rule is called with. It is valid during the call.
type RuleInput struct {
	*Input
	// Value is the transform's input.
	Value attribute.Value
	// Attributes are the attributes of the transform but for its name and its input.
	Attributes map[string]attribute.Value
}

// Account is an account of the identity that a value is calculated for.
type Account struct {
	SourceID       string
	SourceName     string
	ID             string
	NativeIdentity string
	Name           string
	Created        time.Time
	Disabled       bool
	Locked         bool
	Attributes     *attribute.Set
}

// Identity is an identity as transforms see one: no more than the published transforms read, so that their package
// needs neither the calculation nor the database.
type Identity struct {
	ID         string
	Name       string         // what it is called
	Alias      string         // the name it signs in with
	Attributes *attribute.Set // nil for none
}

// Directory finds other identities. Its methods return nil when there is none.
type Directory interface {
	// Manager returns the manager of the identity that a value is calculated for.
	Manager() (*Identity, error)
	// IsManager reports whether that identity is somebody's manager.
	IsManager() (bool, error)
	// Identity returns the identity that signs in with a name.
	Identity(alias string) (*Identity, error)
}

// Budget is what evaluations may take together beside their operations: the steps of their templates, at most
// [velocity.BudgetStepsMax], and the time of their regular expressions, at most BudgetMax of javaregex. The zero value
// is a whole one. It is not safe for concurrent use.
type Budget struct{ templates velocity.Budget }

// Input is what a value is calculated from. Evaluate reads it and keeps nothing of it.
type Input struct {
	// Value is the implicit input, of the transforms that are given none.
	Value    attribute.Value
	Identity Identity
	// Accounts are the accounts of the identity, in any order.
	Accounts []Account
	// Now is the time that "now" stands for.
	Now time.Time
	// Location is the time zone of dates that name none, and in which dates are written. Nil stands for UTC.
	Location *time.Location
	// Random is read by the transforms that make random values; they fail when it is nil. It must be safe for use by
	// several goroutines if the input is.
	Random io.Reader
	// Attribute is the name of the identity attribute, or of the account attribute, that is calculated.
	Attribute string
	// OldValue is what the attribute was: $oldValue.
	OldValue attribute.Value
	// Directory finds other identities; nil when none can be found.
	Directory Directory
	// Taken reports whether a name that usernameGenerator made is in use. With source it asks the source itself, not
	// only the accounts that are known of it. Nil stands for a function that is always false.
	Taken func(name string, source bool) (bool, error)
	// Budget is what all evaluations together may take that are given it; nil stands for one for each. An input that
	// has one is for one goroutine.
	Budget *Budget
	// Variables are further variables of templates, such as application.
	Variables map[string]attribute.Value
}
