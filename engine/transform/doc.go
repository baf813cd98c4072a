// Package transform calculates values with the transform operations of identity profiles and account policies. A
// transform is compiled once and evaluated many times:
//
//	definition := []byte(`{"type": "lower", "attributes": {
//	    "input": {"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": "surname"}}}}`)
//	t, err := transform.Compile(definition, library)
//	value, err := t.Evaluate(&transform.Input{Identity: identity, Accounts: accounts, Now: now})
//
// [Compile] checks everything that it can check without values. It reports all faults with their places in the
// document. A compiled [Transform] is immutable, and many goroutines may evaluate it without locks. The package is
// pure: the caller passes the time and the random source.
//
// # Values
//
// A transform reads its attribute "input". Without one it gets the implicit input: the input of the transform around
// it, or [Input].Value at the top. A null input gives null unless an operation says otherwise.
//
// Texts in a definition are templates (see the package velocity). A template that is exactly one reference may give
// null; any other gives a text, and a null reference in it is an error. Attributes that an operation does not know
// become variables of its templates and of those inside it. They are calculated when they are first read. A variable
// that is declared nowhere is a fault.
//
// Operations on texts join the elements of a list with commas. Positions and lengths count code points.
//
// # Time and chance
//
// Some values change although no data has changed. [Transform.TimeDependent] and [Transform.Random] say whether a value
// does, and [Transform.EvaluateUntil] says when. [Transform.Dependencies] says which data a value depends on.
//
// The rules are those of the published transform documentation. docs/transforms.md lists them with the limits, and with
// the decisions where that documentation is silent or contradicts itself.
package transform
