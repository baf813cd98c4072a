// Package criteria decides who is a member of a role by its membership criteria: trees of comparisons over the
// attributes of an identity and of its accounts.
//
//	criterion, err := criteria.Parse(document, sources)   // all faults with their places
//	criterion.Match(&facts)                               // one role, one identity
//	index := criteria.NewIndex(list)                      // all roles
//	positions := index.Match(&facts, nil)                 // those whose criterion holds, in order
//
// # Comparisons
//
// Texts are compared without distinction of case, and with composed and decomposed letters alike: by the same folding
// by which identities are listed. A key may have several values: a multi-valued attribute, or the values of all the
// identity's accounts on a source. EQUALS, CONTAINS, STARTS_WITH, ENDS_WITH and the four orders hold when one value
// satisfies them. NOT_EQUALS is true where EQUALS is false, and DOES_NOT_CONTAIN where CONTAINS is: they hold for an
// identity without the attribute, or without an account. There is no third truth value.
//
// The orders compare numbers when the criterion's value is one: then values that are no numbers do not satisfy them.
// Otherwise they compare texts by code points, which is right for dates in ISO 8601 that are written alike.
//
// # Cost
//
// An [Index] finds for each role a set of comparisons of which one must be true if the role matches, the rarest such
// set. It looks the identity's values up among them, and evaluates only the roles that are found. So an identity costs
// what it matches; only criteria that hold by negations alone are evaluated each time.
//
// The package is pure. What it returns is never changed, and may be used by many goroutines at once.
package criteria
