package filterql

import (
	"fmt"
	"strconv"
	"strings"
)

// The bounds of a page, from the V3 standard collection parameters.
const (
	LimitDefault = 250
	LimitMax     = 250
)

// Page is the requested part of a collection.
type Page struct {
	Limit  int  // the most results, 0 to LimitMax
	Offset int  // results to skip
	Count  bool // whether to count all results
}

// PageError is a page parameter with a value that is not allowed.
type PageError struct {
	Parameter string // limit, offset or count
	Msg       string // what was found, and what is allowed
}

func (e *PageError) Error() string { return e.Parameter + ": " + e.Msg }

// ParsePage reads the parameters limit, offset and count of a query. An empty text means the default: 250, 0 and false.
// An error is a [*PageError].
func ParsePage(limit, offset, count string) (Page, error) {
	page := Page{Limit: LimitDefault}
	var ok bool
	if limit != "" {
		if page.Limit, ok = parseWhole(limit); !ok || page.Limit > LimitMax {
			return Page{}, badPage("limit", limit, fmt.Sprintf("a whole number from 0 to %d", LimitMax))
		}
	}
	if offset != "" {
		if page.Offset, ok = parseWhole(offset); !ok {
			return Page{}, badPage("offset", offset, "a whole number of 0 or more")
		}
	}
	if count != "" {
		if page.Count, ok = ParseTruth(count); !ok {
			return Page{}, badPage("count", count, "true or false")
		}
	}
	return page, nil
}

// ParseTruth reads true or false, in any letter case: some clients write True.
func ParseTruth(text string) (value, ok bool) {
	switch {
	case strings.EqualFold(text, "true"):
		return true, true
	case strings.EqualFold(text, "false"):
		return false, true
	}
	return false, false
}

// parseWhole reads digits and nothing else.
func parseWhole(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, strconv.IntSize-1)
	return int(n), err == nil
}

func badPage(parameter, text, allowed string) *PageError {
	return &PageError{parameter, fmt.Sprintf("%s is given where %s is allowed", Quoted(text), allowed)}
}
