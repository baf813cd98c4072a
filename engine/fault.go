package engine

import "github.com/muster-engine/muster/engine/fault"

// Error is what every method of [Engine] fails with, except for the cancellation of its context. It says what failed
// and why, in Kind, Detail, Op, Subject, Err and RetryAfter: for these fields and its methods see [fault.Error].
type Error = fault.Error

// Kind says what sort of failure an [Error] is, so that a caller can branch on it. For its method String see
// [fault.Kind].
type Kind = fault.Kind

// The kinds of failures.
const (
	Internal    = fault.Internal    // a fault of Muster or of its surroundings
	Invalid     = fault.Invalid     // the input is wrong; Err says what and where
	NotFound    = fault.NotFound    // the subject does not exist
	Conflict    = fault.Conflict    // the input contradicts what is there
	RateLimited = fault.RateLimited // too early; RetryAfter says how long to wait
	Forbidden   = fault.Forbidden   // the caller may not
	// Unavailable may go well later: the database or a source cannot be asked now, the database takes longer than it
	// allows, or the transaction lost against another one. The same call may be repeated; a transaction of the caller's
	// has to be rolled back and run again from its start.
	Unavailable = fault.Unavailable
)

// Detail narrows [Invalid], for callers that answer each detail with a code of its own.
type Detail = fault.Detail

// The details of [Invalid].
const (
	Illegal   = fault.Illegal   // a value that is not allowed
	Missing   = fault.Missing   // something that is required is not given, or is empty
	TooMany   = fault.TooMany   // it is more than a limit allows
	Malformed = fault.Malformed // a text does not parse
)

// KindOf returns the kind of the [Error] that err is or wraps, and [Internal] for any other error.
func KindOf(err error) Kind { return fault.KindOf(err) }

// Reason says why something failed, in words for a log: without the subject, and with nothing of the database's words
// that repeats a value. The text of an error of the kind [Invalid] or [Conflict] may repeat what the caller gave.
func Reason(err error) string { return fault.Reason(err) }
