package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/jsontext"
	"github.com/muster-engine/muster/store"
)

// Kind says what sort of failure an [Error] is, so that a caller can branch on it. The zero Kind is [Internal].
type Kind uint8

// The kinds of failures.
const (
	Internal    Kind = iota // a fault of Muster or of its surroundings
	Invalid                 // the input is wrong; Err says what and where
	NotFound                // the subject does not exist
	Conflict                // the input contradicts what is there
	RateLimited             // too early; RetryAfter says how long to wait
	Forbidden               // the caller may not
	// Unavailable may succeed later: the database or a source cannot be asked now, the database takes longer than it
	// allows, or the transaction lost against another one. The same call may be repeated. A transaction of the caller's
	// has to be rolled back and run again from its start.
	Unavailable
)

// String returns the kind in words, such as "not found".
func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case NotFound:
		return "not found"
	case Conflict:
		return "conflict"
	case RateLimited:
		return "rate limited"
	case Forbidden:
		return "forbidden"
	case Unavailable:
		return "unavailable"
	default:
		return "internal"
	}
}

// Detail narrows [Invalid], for callers that answer each detail with a code of its own. The zero Detail is [Illegal].
type Detail uint8

// The details of [Invalid].
const (
	Illegal   Detail = iota // a value that is not allowed
	Missing                 // something that is required is not given, or is empty
	TooMany                 // it is more than a limit allows
	Malformed               // a text does not parse
)

// Error is what every method of engine.Engine fails with, except when its context ends.
type Error struct {
	Kind Kind
	// Detail narrows the kind Invalid. It is zero for other kinds.
	Detail Detail
	// Op is what failed, such as "apply".
	Op string
	// Subject is what it failed on: an ID, a name, or a place in a document. It may be empty.
	Subject string
	// Err says what is wrong and what would be right.
	Err error
	// RetryAfter is how long to wait, for the kind RateLimited.
	RetryAfter time.Duration
}

// Error returns Op, Subject and Err. It may repeat what the caller gave: with control characters and marks of direction
// as escapes, so that it is read as it is written.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Subject != "" {
		b.WriteString(" " + e.Subject)
	}
	b.WriteString(": ")
	if e.Err != nil {
		b.WriteString(e.Err.Error())
	} else {
		b.WriteString(e.Kind.String())
	}
	return jsontext.PrintableLines(b.String())
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the [Error] that err is or wraps, and Internal for any other error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Reason says why something failed, in words for a log: without the subject, and with nothing of the database's words
// that repeats a value. The text of an error of the kind Invalid or Conflict may repeat what the caller gave.
func Reason(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Err != nil {
		return store.Reason(e.Err)
	}
	return store.Reason(err)
}

// Invalidf returns an error of the kind [Invalid] and the detail [Illegal]. It is for package engine.
func Invalidf(op, subject, format string, arguments ...any) error {
	return InvalidAs(Illegal, op, subject, format, arguments...)
}

// InvalidAs returns an error of the kind [Invalid] with a detail. It is for package engine.
func InvalidAs(detail Detail, op, subject, format string, arguments ...any) error {
	return &Error{Kind: Invalid, Detail: detail, Op: op, Subject: subject, Err: fmt.Errorf(format, arguments...)}
}

// NoIdentity returns the error that there is no identity with an ID. It is for package engine.
func NoIdentity(op, id string) *Error {
	return &Error{Kind: NotFound, Op: op, Subject: id, Err: errors.New("there is no identity with this ID")}
}

// Wrap makes err an [Error] of the kind that its cause has, as the package documentation says. It returns an Error, and
// the error of a context that has ended, as it is. It is for package engine.
func Wrap(op, subject string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err,
		context.DeadlineExceeded) {
		return err
	}
	kind, detail := Internal, Illegal
	var conflict *store.ConflictError
	var unavailable *store.UnavailableError
	var retryable *store.RetryableError
	var timeout *store.TimeoutError
	var filter *filterql.Error
	var text *store.TextError
	switch {
	case errors.Is(err, store.ErrNotFound):
		kind = NotFound
	case errors.As(err, &conflict):
		kind = Conflict
	case errors.As(err, &unavailable), errors.As(err, &retryable), errors.As(err, &timeout):
		kind = Unavailable
	case errors.As(err, &text):
		kind = Invalid
	case errors.As(err, &filter):
		kind, detail = Invalid, detailOf(filter)
	}
	return &Error{Kind: kind, Detail: detail, Op: op, Subject: subject, Err: err}
}

// detailOf returns the detail of an error in a filter or a sorter.
func detailOf(err *filterql.Error) Detail {
	switch err.Kind {
	case filterql.Syntax:
		return Malformed
	case filterql.Limit:
		return TooMany
	default:
		return Illegal
	}
}
