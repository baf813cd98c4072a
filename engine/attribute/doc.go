// Package attribute holds the values that identities and accounts are made of.
//
// A [Value] is null, a string, a boolean, a number or a list of strings. A [Set] is the attributes of one identity or
// account, ordered as PostgreSQL orders the keys of a jsonb document, so that a document read from the database is
// decoded in one pass into one slice, without a map:
//
//	var set attribute.Set
//	if err := set.Decode(document); err != nil { ... }
//	mail := set.Get("email")          // attribute.Null when there is none
//	set.Put("email", attribute.String("walter.white@example.com"))
//	document = set.AppendJSON(document[:0])
//
// The package is pure: it does no I/O. Values are immutable and may be shared between goroutines; a Set may be read
// by many goroutines at once, but not while one of them changes it.
package attribute
