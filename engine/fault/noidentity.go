package fault

import (
	"errors"
)

// NoIdentity says that there is no identity with an ID.
func NoIdentity(op, id string) *Error {
	return &Error{Kind: NotFound, Op: op, Subject: id, Err: errors.New("there is no identity with this ID")}
}
