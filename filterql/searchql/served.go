package searchql

import (
	"slices"

	sq "github.com/Masterminds/squirrel"
)

// Served reports whether an index can find what the query finds, so that not all documents have to be read. It goes by
// the form of the query: the planner may still choose to read them.
func (q *Query) Served() bool { return served(q.root) }

func served(n node) bool {
	switch n := n.(type) {
	case constantNode:
		return true // everything is read in the order of the page
	case allNode:
		for _, term := range n {
			if everything, is := term.(constantNode); served(term) && !(is && bool(everything)) {
				return true
			}
		}
		return len(n) == 0
	case anyNode:
		for _, term := range n {
			if !served(term) {
				return false
			}
		}
		return true
	case *nestedNode:
		everything, is := n.x.(constantNode)
		return n.list.Indexed && served(n.x) && !(is && bool(everything))
	case *anywhereNode:
		return true
	case *valueNode:
		if n.field.All != "" && n.field.Words == "" || len(n.field.OneOf) > 0 {
			return true
		}
		if question, _ := n.field.lexemes(n.test); question != "" {
			return true
		}
		if !n.field.Indexed {
			return false
		}
		switch t := n.test.(type) {
		case exactTest, idTest, timeTest, numberTest:
			return true
		case patternTest:
			return t.on == onColumn && n.field.Text == "" && len(t.pattern) > 1 && t.pattern[0] >= 0 &&
				t.pattern[1] >= 0
		case textTest:
			return t.on == onKey
		}
	}
	return false
}

// branchesMax is the most branches of a query.
const branchesMax = 16

// Branches returns conditions of which one or more is true where the query is. Each of several is served by an index of
// its own, which no index serves together: a page of each, put together and sorted, has the page of the query.
func (q *Query) Branches() []sq.Sqlizer {
	list := branches(q.root)
	if len(list) < 2 || len(list) > branchesMax {
		return []sq.Sqlizer{q.Where()}
	}
	conditions := make([]sq.Sqlizer, len(list))
	for i, n := range list {
		conditions[i] = condition{n}
	}
	return conditions
}

func branches(n node) []node {
	switch n := n.(type) {
	case anyNode:
		if len(n) > 1 && served(n) {
			return n
		}
	case allNode:
		at := -1
		for i, term := range n {
			_, is := term.(constantNode)
			list, isAny := term.(anyNode)
			switch {
			case isAny && len(list) > 1 && served(list):
				at = i
			case !is && served(term):
				return nil // an index finds what this one does, which is less
			}
		}
		if at < 0 {
			return nil
		}
		var list []node
		for _, one := range n[at].(anyNode) {
			all := slices.Clone(n)
			all[at] = one
			list = append(list, all)
		}
		return list
	}
	return nil
}
