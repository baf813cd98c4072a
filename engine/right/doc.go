// Package right says who may do what: one table of operations, user levels and scopes for every face of the engine.
//
//	decision := right.Decide("deleteIdentity", right.Since2024, right.Caller{
//		Levels: []string{"HELPDESK"}, Scopes: []string{"sp:scopes:all"},
//	})
//	decision.Range  // Nobody
//	decision.Reason // the caller has none of the required user levels
//
// A user level is the outer bound: it says what its bearer may do at most. The scopes of a token narrow that. So a
// caller needs a grant of the operation that is for one of its levels, and for which the token has one of the scopes.
// The scope sp:scopes:all stands for all scopes of a level. Every user has the level USER, whatever others it has. A
// client that acts for no user has the level API and no other.
//
// A grant also says whom the operation may be about: everybody, or only those who report to the caller. [Decide]
// returns the widest range of all grants that fit.
//
// The actions of the console that the API does not serve have their levels here too, without scopes: [Actions].
//
// The table has the published levels and scopes. Where the publication has no level, the levels are ours (see
// docs/api.md); the field Ours of [Operation] says so.
package right
