// Package transform calculates values: the transform operations of identity profiles and account policies, compiled
// once and evaluated many times. It is pure: the time and the random source are handed in.
//
//	definition := []byte(`{"type": "lower", "attributes": {
//	    "input": {"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": "surname"}}}}`)
//	t, err := transform.Compile(definition, library)
//	value, err := t.Evaluate(&transform.Input{Identity: identity, Accounts: accounts, Now: now})
//
// [Compile] checks everything that can be checked without values, and reports all faults with their places in the
// document. What it returns is never changed and may be evaluated by many goroutines at once, without locks.
//
// # Values
//
// The input of a transform is the value of its attribute "input", and else the implicit one: that of the transform
// around it, at the top [Input].Value. Texts in a definition are templates (see the package velocity): a template that
// is one reference may be null, any other is a text. Attributes that an operation does not know are variables of its
// templates, calculated when they are first read. A null input gives null, where an operation does not say otherwise. A
// list is taken as its elements joined by commas by the operations that work on texts. Positions and lengths count code
// points.
//
// # Time and chance
//
// [Transform.TimeDependent] and [Transform.Random] say what may differ between two evaluations though nothing has
// changed, [Transform.EvaluateUntil] when it will, and [Transform.Dependencies] whom a change concerns.
//
// The rules are those of the published transform documentation; docs/transforms.md lists them with the limits, and what
// was decided where that documentation is silent or at odds with itself.
package transform
