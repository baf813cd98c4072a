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
	named bool // it takes long, and runs only where the expression is its very name
}

// cases are all cases, in the order of their runs.
var cases = []benchCase{
	{"filter", "the filter language against other parsers and squirrel", filterCase, false},
	{"role-match", "roles of an identity by the index, as roles grow", roleMatchCase, false},
	{"nothing-due", "scheduled run over a population in which nothing is due", nothingDueCase, false},
	{"due", "scheduled run with 1 % due", dueCase, false},
	{"full", "forced full run, nothing changed", fullCase, false},
	{"changed", "forced full run, 5 % of the identities changed", changedCase, false},
	{"guard-survey", "runs that the guard surveys first, against runs without it", surveyCase, false},
	{"event", "one changed account to its consequences committed", eventCase, false},
	{"pace", "small events one after another: the slow ones against the median", paceCase, false},
	{"readers", "a manager changes what a tenth of the company reads", readersCase, false},
	{"role-change", "a changed role criterion, to its consequences", roleChangeCase, false},
	{"aggregate", "aggregation of a correlating source", aggregateCase, false},
	{"list", "each published filter and sorter", listCase, false},
	{"search", "searches against SQL by hand with its own indexes; pages, counts, aggregations", searchCase, false},
	{"http", "get and list under 50 clients", httpCase, false},
	{"console", "pages of the console", consoleCase, false},
	{"preview", "preview of a changed role over everybody", previewCase, false},
	{"memory", "memory of a forced full run", memoryCase, false},
	{"processes", "two worker processes against one", processesCase, false},
	{"search-load", "a first load, against one without what is there for the search alone", searchLoadCase, true},
	{"load-times", "loads, and the full run after each, by when statistics are taken", loadTimesCase, true},
}

// selectCases returns the cases with names that match a regular expression. The empty one matches all.
func selectCases(pattern string) ([]benchCase, error) {
	find, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("cases: %w", err)
	}
	var selected []benchCase
	for _, c := range cases {
		if find.MatchString(c.name) && (!c.named || pattern == c.name) {
			selected = append(selected, c)
		}
	}
	if len(selected) == 0 {
		return nil, fmt.Errorf("cases: %q finds none; -list shows them", pattern)
	}
	return selected, nil
}
