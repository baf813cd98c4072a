// Package criteria decides which identities are members of a role. A membership criterion is a tree of comparisons of
// the attributes of an identity and of its accounts:
//
//	criterion, err := criteria.Parse(document, sources)   // all faults with their places
//	criterion.Match(&facts)                               // one role, one identity
//	index := criteria.NewIndex(list)                      // all roles
//	positions := index.Match(&facts, nil)                 // the roles whose criterion is true, in order
//
// # Comparisons
//
// Comparisons of texts ignore case, and treat composed and decomposed letters as the same. They use the same folding as
// lists of identities. A key may have several values: those of a multi-valued attribute, or those of all the identity's
// accounts on a source. EQUALS, CONTAINS, STARTS_WITH, ENDS_WITH and the four orders are true if one value satisfies
// them. NOT_EQUALS is true if EQUALS is false, and DOES_NOT_CONTAIN if CONTAINS is false; so they are true for an
// identity without the attribute, or without an account. There is no third truth value.
//
// If the criterion's value is a number, the orders compare numbers, and values that are not numbers do not satisfy
// them. Otherwise they compare texts by code points, which is right for dates in ISO 8601 of the same form.
//
// # Cost
//
// For each role an [Index] finds a set of comparisons such that one of them must be true if the role matches. It
// chooses the set that the fewest identities satisfy. It looks the identity's values up among these comparisons, and
// evaluates only the roles that it finds. So the cost of an identity depends on its matches. Only criteria that
// negations alone can make true are evaluated every time.
//
// The package is pure. Criteria and indexes are immutable, and many goroutines may use them.
package criteria
