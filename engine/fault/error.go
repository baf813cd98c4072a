package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

// Kind says what sort of failure an [Error] is, so that a caller can branch on it.
type Kind uint8

// The kinds of failures.
const (
	Internal    Kind = iota // a fault of Muster or of its surroundings
	Invalid                 // the input is wrong; Err says what and where
	NotFound                // the subject does not exist
	Conflict                // the input contradicts what is there
	RateLimited             // too early; RetryAfter says how long to wait
	Forbidden               // the caller may not
	// Unavailable is what may go well later: the database or a source cannot be asked now, the database takes longer
	// than it allows, or the transaction lost against another one. The same call may be repeated; a transaction of the
	// caller's has to be rolled back and run again from its start.
	Unavailable
)

// String returns the kind in words.
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

// Detail narrows Invalid, for callers that answer each with a code of its own.
type Detail uint8

// The details of Invalid.
const (
	Illegal   Detail = iota // a value that is not allowed
	Missing                 // something that is required is not given, or is empty
	TooMany                 // it is more than a limit allows
	Malformed               // a text does not parse
)

// Error is what every method of [Engine] fails with, but for the cancellation of its context.
type Error struct {
	Kind Kind
	// Detail narrows the kind Invalid, and is zero for others.
	Detail Detail
	// Op is the operation that failed, such as "apply".
	Op string
	// Subject is what it failed on: an ID, a name, a place in a document. It may be empty.
	Subject string
	// Err says what is wrong and what would be right.
	Err error
	// RetryAfter is how long to wait, for RateLimited.
	RetryAfter time.Duration
}

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
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the [Error] that err is or wraps, and Internal for any other error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Reason says why something failed in words for a log: without the subject, and of what the database says only what
// repeats no value. The text of an error of the kind Invalid or Conflict may repeat what the caller gave.
func Reason(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Err != nil {
		return store.Reason(e.Err)
	}
	return store.Reason(err)
}

// Invalidf returns an error of the kind [Invalid] and the detail [Illegal].
func Invalidf(op, subject, format string, arguments ...any) error {
	return InvalidAs(Illegal, op, subject, format, arguments...)
}

// InvalidAs returns an error of the kind [Invalid] with a detail.
func InvalidAs(detail Detail, op, subject, format string, arguments ...any) error {
	return &Error{Kind: Invalid, Detail: detail, Op: op, Subject: subject, Err: fmt.Errorf(format, arguments...)}
}

// Wrap makes err an [Error] of the kind that its cause has, unless it is one or its context ended.
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
