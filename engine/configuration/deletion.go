package configuration

import (
	"fmt"
	"strconv"
	"strings"
)

// DeletionLimit is how many accounts a full aggregation may remove: a number, or a percentage of the source's accounts.
type DeletionLimit struct {
	Count   int
	Percent int
	// IsPercent says that Percent counts, and not Count.
	IsPercent bool
}

// ParseDeletionLimit reads a limit: "25" accounts, or "10%" of them. At most 100% are allowed.
func ParseDeletionLimit(text string) (DeletionLimit, error) {
	number, isPercent := strings.CutSuffix(strings.TrimSpace(text), "%")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || n < 0 || isPercent && n > 100 {
		return DeletionLimit{}, fmt.Errorf("%q is no limit of deletions: a number of accounts such as 25, or a "+
			"share such as 10%%, is", text)
	}
	if isPercent {
		return DeletionLimit{Percent: n, IsPercent: true}, nil
	}
	return DeletionLimit{Count: n}, nil
}

// String returns the limit as [ParseDeletionLimit] reads it.
func (l DeletionLimit) String() string {
	if l.IsPercent {
		return strconv.Itoa(l.Percent) + "%"
	}
	return strconv.Itoa(l.Count)
}

// smallSource is how many accounts a source has at least, for a share of them to mean something: of fewer, one may
// always vanish, unless it is the only one or the limit is 0.
const smallSource = 10

// DeletionAllowed reports whether a limit allows that so many of the source's accounts vanish. It is for package
// engine.
func DeletionAllowed(l DeletionLimit, vanished, accounts int) bool {
	if l.IsPercent {
		return vanished*100 <= l.Percent*accounts ||
			l.Percent > 0 && vanished == 1 && accounts > 1 && accounts < smallSource
	}
	return vanished <= l.Count
}

// DeletionLimitError is the error of an aggregation that was refused, and changed nothing, because it would have
// removed more accounts than its limit allows.
type DeletionLimitError struct {
	Vanished, Accounts int
	Limit              DeletionLimit
}

// Error says how many accounts vanished, and what helps.
func (e *DeletionLimitError) Error() string {
	return fmt.Sprintf("%d of %d accounts (%.1f %%) are not in the data any more, and no more than %s may be removed: "+
		"nothing was changed; look at the data, raise the limit if it is right, or aggregate it as a delta",
		e.Vanished, e.Accounts, 100*float64(e.Vanished)/float64(max(e.Accounts, 1)), e.Limit)
}

// FaultyRowsError is the error of an aggregation that could not read any row, and changed nothing.
type FaultyRowsError struct {
	Faulty int
	First  []string // what is wrong with the first ones
}

// Error says what is wrong with the first rows.
func (e *FaultyRowsError) Error() string {
	return fmt.Sprintf("none of the %d rows can be read: nothing was changed; %s", e.Faulty,
		strings.Join(e.First, "; "))
}

// LostAttributesError is the error of an aggregation that changed nothing, because the data lacks attributes that
// accounts have values of.
type LostAttributesError struct {
	Attributes []string // by name
	Accounts   []int    // how many accounts have a value, of each
	Columns    bool     // the data has no such columns; otherwise no account of it has a value
}

// Error says what is missing, and what helps.
func (e *LostAttributesError) Error() string {
	what := make([]string, len(e.Attributes))
	for i, name := range e.Attributes {
		what[i] = fmt.Sprintf("%q, of which accounts have a value: %d", name, e.Accounts[i])
	}
	lacks := "no account in the data has a value of"
	if e.Columns {
		lacks = "the data has no column"
	}
	return fmt.Sprintf("%s %s: nothing was changed; where that is right, take the attribute out of the account "+
		"schema, or accept that it is missing (--accept-missing %s)", lacks, strings.Join(what, " and "),
		strings.Join(e.Attributes, ","))
}
