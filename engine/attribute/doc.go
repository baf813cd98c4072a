// Package attribute has the values of identities and accounts.
//
// A [Value] is null, a string, a boolean, a number or a list of strings. A [Set] is the attributes of one identity or
// account. It has the order of the keys of a PostgreSQL jsonb document, so a document from the database decodes in one
// pass into one slice, without a map:
//
//	var set attribute.Set
//	if err := set.Decode(document); err != nil { ... }
//	mail := set.Get("email")          // attribute.Null if there is none
//	set.Put("email", attribute.String("walter.white@example.com"))
//	document = set.AppendJSON(document[:0])
//
// The package is pure: it does no I/O. Values are immutable, so goroutines may share them. Many goroutines may read a
// Set, but not while one of them changes it.
package attribute
