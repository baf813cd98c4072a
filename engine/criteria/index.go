package criteria

import (
	"cmp"
	"slices"
	"sync"
)

// Index finds the criteria that are true for an identity. It is immutable, and many goroutines may use it.
type Index struct {
	trees  []tree
	leaves []*Criterion // each comparison once; a negation as the comparison that it negates
	keyOf  []int        // by leaf: index in keys
	keys   []Key        // as read
	probes []probe      // parallel to keys
	// anchored are, for each leaf, the criteria to evaluate if it is satisfied.
	anchored [][]int
	always   []int // criteria to evaluate each time
	matchers sync.Pool
}

// tree is a criterion over numbered leaves.
type tree struct {
	operation Operation // And, Or, or empty for a leaf
	leaf      int
	negated   bool
	children  []tree
}

// probe finds the leaves that a value of one key satisfies. It has only leaves that anchor criteria.
type probe struct {
	equals   map[string]int
	names    map[string]int // by the normal form of a distinguished name
	prefixes *trie
	suffixes *trie // of reversed texts
	parts    *trie
	// The orders, by their threshold.
	numbers, texts []int
}

// NewIndex makes an index of criteria. Results of [Index.Match] are positions in this list. A nil criterion is never
// true.
func NewIndex(criteria []*Criterion) *Index {
	b := builder{x: &Index{}, leafAt: map[leafKey]int{}, keyAt: map[Key]int{}}
	b.x.trees = make([]tree, len(criteria))
	for i, c := range criteria {
		if c != nil {
			b.x.trees[i] = b.tree(c)
		}
	}
	b.anchor(criteria)
	x := b.x
	x.matchers.New = func() any { return newMatcher(x) }
	return x
}

// leafKey identifies a comparison.
type leafKey struct {
	key       Key
	operation Operation
	folded    string
}

type builder struct {
	x      *Index
	leafAt map[leafKey]int
	keyAt  map[Key]int
	uses   []int // by leaf: number of criteria that contain it
}

func (b *builder) tree(c *Criterion) tree {
	if c.Operation.IsGroup() {
		t := tree{operation: c.Operation, children: make([]tree, len(c.Children))}
		for i, child := range c.Children {
			t.children[i] = b.tree(child)
		}
		return t
	}
	positive, negated := c.Operation.Positive()
	k := leafKey{c.Key.reads(), positive, c.folded}
	at, known := b.leafAt[k]
	if !known {
		at = len(b.x.leaves)
		b.leafAt[k] = at
		leaf := *c
		leaf.Operation = positive
		b.x.leaves = append(b.x.leaves, &leaf)
		b.x.keyOf = append(b.x.keyOf, b.key(k.key))
		b.uses = append(b.uses, 0)
	}
	b.uses[at]++
	return tree{leaf: at, negated: negated}
}

func (b *builder) key(k Key) int {
	at, known := b.keyAt[k]
	if !known {
		at = len(b.x.keys)
		b.keyAt[k] = at
		b.x.keys = append(b.x.keys, k)
	}
	return at
}

// anchor chooses the leaves that find each criterion, and adds them to the probes.
func (b *builder) anchor(criteria []*Criterion) {
	x := b.x
	x.anchored = make([][]int, len(x.leaves))
	for i := range x.trees {
		if criteria[i] == nil {
			continue
		}
		leaves, _, found := b.cover(&x.trees[i])
		if !found {
			x.always = append(x.always, i)
			continue
		}
		slices.Sort(leaves)
		for _, leaf := range slices.Compact(leaves) {
			x.anchored[leaf] = append(x.anchored[leaf], i)
		}
	}
	x.probes = make([]probe, len(x.keys))
	for leaf, found := range x.anchored {
		if len(found) > 0 {
			x.probes[x.keyOf[leaf]].add(leaf, x.leaves[leaf])
		}
	}
	for i := range x.probes {
		x.probes[i].sort(x.leaves)
	}
}

// cover returns the cheapest set of leaves such that one of them is satisfied whenever the tree is true, and its cost.
// found is false if there is none, because a negation may make the tree true.
func (b *builder) cover(t *tree) (leaves []int, cost int, found bool) {
	switch t.operation {
	case And:
		for i := range t.children {
			part, price, ok := b.cover(&t.children[i])
			if ok && (!found || price < cost) {
				leaves, cost, found = part, price, true
			}
		}
		return leaves, cost, found
	case Or:
		for i := range t.children {
			part, price, ok := b.cover(&t.children[i])
			if !ok {
				return nil, 0, false
			}
			leaves, cost = append(leaves, part...), cost+price
		}
		return leaves, cost, true
	}
	if t.negated {
		return nil, 0, false
	}
	return []int{t.leaf}, b.uses[t.leaf] * weight(b.x.leaves[t.leaf].Operation), true
}

// weight estimates how many identities satisfy a comparison, relative to EQUALS.
func weight(o Operation) int {
	switch o {
	case Equals:
		return 1
	case StartsWith, EndsWith:
		return 3
	case Contains:
		return 5
	default:
		return 50
	}
}

func (p *probe) add(leaf int, c *Criterion) {
	switch c.Operation {
	case Equals:
		if c.names {
			if p.names == nil {
				p.names = map[string]int{}
			}
			p.names[c.folded] = leaf
			return
		}
		if p.equals == nil {
			p.equals = map[string]int{}
		}
		p.equals[c.folded] = leaf
	case StartsWith:
		p.prefixes = p.prefixes.add(c.folded, leaf)
	case EndsWith:
		p.suffixes = p.suffixes.add(reverse(c.folded), leaf)
	case Contains:
		p.parts = p.parts.add(c.folded, leaf)
	default:
		if c.number.valid {
			p.numbers = append(p.numbers, leaf)
		} else {
			p.texts = append(p.texts, leaf)
		}
	}
}

// sort sorts the orders by their thresholds, the smallest first.
func (p *probe) sort(leaves []*Criterion) {
	slices.SortFunc(p.numbers, func(a, b int) int { return leaves[a].number.compare(leaves[b].number) })
	slices.SortFunc(p.texts, func(a, b int) int { return cmp.Compare(leaves[a].folded, leaves[b].folded) })
}

func reverse(s string) string {
	text := []byte(s)
	slices.Reverse(text)
	return string(text)
}

// trie finds all its texts that begin at one place of another text, byte by byte.
type trie struct {
	next map[uint64]uint32 // by node and byte
	leaf []int             // by node; -1 for none
}

func (t *trie) add(text string, leaf int) *trie {
	if t == nil {
		t = &trie{next: map[uint64]uint32{}, leaf: []int{-1}}
	}
	node := uint32(0)
	for i := range len(text) {
		edge := uint64(node)<<8 | uint64(text[i])
		following, known := t.next[edge]
		if !known {
			following = uint32(len(t.leaf))
			t.next[edge] = following
			t.leaf = append(t.leaf, -1)
		}
		node = following
	}
	t.leaf[node] = leaf
	return t
}

// Match appends the positions of the criteria that are true to dst, in ascending order.
func (x *Index) Match(f *Facts, dst []int) []int {
	m := x.matchers.Get().(*matcher)
	dst = m.match(f, dst)
	m.facts = nil
	x.matchers.Put(m)
	return dst
}

// Keys returns the keys that the criteria read. Entitlements are in it as attributes of accounts.
func (x *Index) Keys() []Key { return slices.Clone(x.keys) }
