// Package fault has the errors of the engine. Every method of engine.Engine fails with an [*Error], except when its
// context ends. Package engine has the same names: engine.Error is [Error], engine.KindOf is [KindOf].
//
//	_, err := eng.AssignRole(ctx, params)
//	var failure *fault.Error
//	switch {
//	case err == nil:
//	case !errors.As(err, &failure):            // the context has ended
//	case failure.Kind == fault.NotFound:       // failure.Subject names what was not found
//	case failure.Kind == fault.RateLimited:    // again after failure.RetryAfter
//	case failure.Kind == fault.Unavailable:    // the same call may succeed later
//	default:
//		logger.Error("assigning the role", "error", fault.Reason(err))
//	}
//
// It may import package store and filterql, whose errors it knows, and nothing of the engine.
//
// # Kinds
//
//	kind         what it means                                      what a caller does
//	Internal     a fault of Muster or of its surroundings           report it
//	Invalid      the input is wrong; Detail narrows it              correct the input: Err says what and where
//	NotFound     the subject does not exist                         ask for another one
//	Conflict     the input contradicts the existing data            look at the existing data
//	RateLimited  too early                                          wait for RetryAfter
//	Forbidden    the caller may not do it                           stop
//	Unavailable  a source or the database cannot be asked now,      repeat the call; a transaction of the caller's has
//	             or the transaction lost against another one        to be rolled back and run again from its start
//
// # How an error gets its kind
//
// What finds out what is wrong makes an Error of the right kind: [Invalidf], [InvalidAs], [NoIdentity], or a literal.
// The method of the engine wraps everything else on its way out, by [Wrap]:
//
//	err is or wraps                                         becomes
//	an Error                                                what it is, unchanged
//	context.Canceled, context.DeadlineExceeded              what it is, unchanged
//	store.ErrNotFound                                       NotFound
//	store.ConflictError                                     Conflict
//	store.UnavailableError, RetryableError, TimeoutError    Unavailable
//	store.TextError                                         Invalid, Illegal
//	filterql.Error of the kind Syntax                       Invalid, Malformed
//	filterql.Error of the kind Limit                        Invalid, TooMany
//	another filterql.Error                                  Invalid, Illegal
//	anything else                                           Internal
package fault
