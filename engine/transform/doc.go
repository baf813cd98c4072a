// Package transform calculates values: the transform operations of identity profiles, compiled once and evaluated many
// times. It is pure: the time and the random source are handed in.
//
//	t, err := transform.Compile(definition, library)
//	value, err := t.Evaluate(&transform.Input{Accounts: accounts, Now: now})
//
// This version has the operation accountAttribute. A compiled transform is never changed and may be evaluated by many
// goroutines at once.
package transform
