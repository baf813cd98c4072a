package filterql

// nodes allocates the nodes of a tree in a few pieces of memory. A small filter needs only one.
type nodes struct {
	comparisons slab[Comparison]
	values      slab[Value]
	terms       slab[Expr]
	ands        slab[And]
	ors         slab[Or]
	stack       []Expr  // terms of incomplete chains
	list        []Value // values of the current list
}

func (n *nodes) init() {
	first := new(struct {
		comparisons [4]Comparison
		values      [4]Value
		terms       [6]Expr
		stack       [6]Expr
		ands        [1]And
		ors         [1]Or
	})
	n.comparisons.free = first.comparisons[:]
	n.values.free = first.values[:]
	n.terms.free = first.terms[:]
	n.ands.free = first.ands[:]
	n.ors.free = first.ors[:]
	n.stack = first.stack[:0]
}

// popTerms takes the terms from base on off the stack.
func (n *nodes) popTerms(base int) []Expr {
	terms := n.terms.many(len(n.stack) - base)
	copy(terms, n.stack[base:])
	clear(n.stack[base:])
	n.stack = n.stack[:base]
	return terms
}

// slabSize is the least number of elements that a slab grows by.
const slabSize = 16

// slab allocates values from slices.
type slab[T any] struct{ free []T }

func (s *slab[T]) one() *T {
	if len(s.free) == 0 {
		s.free = make([]T, slabSize)
	}
	e := &s.free[0]
	s.free = s.free[1:]
	return e
}

func (s *slab[T]) many(n int) []T {
	if len(s.free) < n {
		s.free = make([]T, max(n, slabSize))
	}
	e := s.free[:n:n]
	s.free = s.free[n:]
	return e
}
