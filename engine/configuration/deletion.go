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

// DeletionAllowed reports whether a limit allows that so many of the source's accounts vanish. It is for package
// engine.
func DeletionAllowed(l DeletionLimit, vanished, accounts int) bool {
	if l.IsPercent {
		return vanished*100 <= l.Percent*accounts
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
