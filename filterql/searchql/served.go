package searchql

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
	case *valueNode:
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
