package searchql

import (
	"fmt"

	"github.com/muster-engine/muster/filterql"
)

// fault returns an error at a place of a text.
func fault(kind filterql.ErrorKind, at place, format string, arguments ...any) *filterql.Error {
	return &filterql.Error{
		Text: at.text, Pos: at.pos, End: at.end, Msg: fmt.Sprintf(format, arguments...), Kind: kind,
	}
}

// hinted sets the hint of an error.
func hinted(e *filterql.Error, format string, arguments ...any) *filterql.Error {
	e.Hint = fmt.Sprintf(format, arguments...)
	return e
}
