package main

import (
	"context"
	"fmt"
	"regexp"
)

// benchCase is one comparison. It has one or more lines.
type benchCase struct {
	name  string
	about string
	run   func(context.Context, *bench) error
}

// cases are all cases, in the order of their runs.
var cases = []benchCase{
	{"filter", "the filter language against other parsers and squirrel", filterCase},
	{"role-match", "roles of an identity by the index, as roles grow", roleMatchCase},
	{"nothing-due", "scheduled run over a population in which nothing is due", nothingDueCase},
	{"due", "scheduled run with 1 % due", dueCase},
	{"full", "forced full run, nothing changed", fullCase},
	{"changed", "forced full run, 5 % of the identities changed", changedCase},
	{"event", "one changed account to its consequences committed", eventCase},
	{"pace", "small events one after another: the slow ones against the median", paceCase},
	{"role-change", "a changed role criterion, to its consequences", roleChangeCase},
	{"aggregate", "aggregation of a correlating source", aggregateCase},
	{"list", "each published filter and sorter", listCase},
	{"http", "get and list under 50 clients", httpCase},
	{"preview", "preview of a changed role over everybody", previewCase},
	{"memory", "memory of a forced full run", memoryCase},
	{"processes", "two worker processes against one", processesCase},
}

// selectCases returns the cases with names that match a regular expression. The empty one matches all.
func selectCases(pattern string) ([]benchCase, error) {
	find, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("cases: %w", err)
	}
	var selected []benchCase
	for _, c := range cases {
		if find.MatchString(c.name) {
			selected = append(selected, c)
		}
	}
	if len(selected) == 0 {
		return nil, fmt.Errorf("cases: %q finds none; -list shows them", pattern)
	}
	return selected, nil
}
