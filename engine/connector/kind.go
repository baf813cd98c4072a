package connector

import "fmt"

// Effect is what an operation of a kind changes.
type Effect uint8

// The effects of operations.
const (
	Creates      Effect = iota + 1 // makes an account with the attributes of the operation
	Sets                           // gives attributes other values
	Adds                           // adds values to attributes
	Removes                        // removes values from attributes
	Deletes                        // removes the account
	SetsPassword                   // changes nothing that a reading shows
)

// Target is the part of an account that an operation of a kind is about. Of the operations with the same account and
// the same target, one can be open.
type Target uint8

// The targets of operations.
const (
	TargetCreation  Target = iota + 1 // the account that does not exist yet
	TargetAttribute                   // the one attribute of the operation
	TargetValue                       // the one attribute of the operation, and its values
	TargetStatus                      // whether the account can be used
	TargetLock                        // whether the account is locked
	TargetAccount                     // the whole account
	TargetPassword                    // the password
)

// kinds is the list of all kinds of operations, with what the engine must know of each. A new kind needs an entry here,
// the constant, and a migration of the constraint provisioning_operations_kind; the tests over [Kinds] tell what else.
var kinds = []struct {
	kind   Kind
	effect Effect
	target Target
}{
	{Create, Creates, TargetCreation},
	{SetAttributes, Sets, TargetAttribute},
	{AddValues, Adds, TargetValue},
	{RemoveValues, Removes, TargetValue},
	{Enable, Sets, TargetStatus},
	{Disable, Sets, TargetStatus},
	{Unlock, Sets, TargetLock},
	{Delete, Deletes, TargetAccount},
	{SetPassword, SetsPassword, TargetPassword},
}

// Kinds returns all kinds of operations.
func Kinds() []Kind {
	all := make([]Kind, len(kinds))
	for i := range kinds {
		all[i] = kinds[i].kind
	}
	return all
}

// ParseKind returns the kind that a text names. It fails if there is none, as in the data of a later version.
func ParseKind(text string) (Kind, error) {
	for i := range kinds {
		if kinds[i].kind == Kind(text) {
			return kinds[i].kind, nil
		}
	}
	return "", fmt.Errorf("the kind of operation %q is unknown", text)
}

// Effect returns what an operation of the kind changes. It panics for a kind that [ParseKind] does not know.
func (k Kind) Effect() Effect {
	effect, _ := k.traits()
	return effect
}

// Target returns what an operation of the kind is about. It panics for a kind that [ParseKind] does not know.
func (k Kind) Target() Target {
	_, target := k.traits()
	return target
}

func (k Kind) traits() (Effect, Target) {
	for i := range kinds {
		if kinds[i].kind == k {
			return kinds[i].effect, kinds[i].target
		}
	}
	panic(fmt.Sprintf("connector: the kind of operation %q is unknown", string(k)))
}
