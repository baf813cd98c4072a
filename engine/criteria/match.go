package criteria

import (
	"slices"
	"sort"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
)

// foldsMax is the most folded texts that a matcher caches. Values repeat: there are few departments.
const foldsMax = 4096

// matcher holds the state of one use of an index. An entry with a generation other than the current one is from an
// earlier use.
type matcher struct {
	x          *Index
	facts      *Facts
	generation uint32
	values     []keyValues // by key
	tested     []uint32    // by leaf
	satisfied  []bool      // by leaf, if it was tested
	evaluated  []uint32    // by criterion
	folds      map[string]string
	names      map[string]string // the normal forms of distinguished names
	found      []int
}

// keyValues are the values of a key, as they are and folded.
type keyValues struct {
	generation  uint32
	raw, folded []string
}

func newMatcher(x *Index) *matcher {
	return &matcher{
		x: x, values: make([]keyValues, len(x.keys)), tested: make([]uint32, len(x.leaves)),
		satisfied: make([]bool, len(x.leaves)), evaluated: make([]uint32, len(x.trees)), folds: map[string]string{},
		names: map[string]string{},
	}
}

func (m *matcher) match(f *Facts, dst []int) []int {
	m.facts = f
	m.generation++
	if m.generation == 0 { // it wrapped around: old entries must not look current
		clear(m.tested)
		clear(m.evaluated)
		clear(m.values)
		m.generation = 1
	}
	m.found = m.found[:0]
	for key := range m.x.probes {
		m.probe(key)
	}
	for _, i := range m.x.always {
		m.evaluate(i)
	}
	slices.Sort(m.found)
	return append(dst, m.found...)
}

func (m *matcher) of(key int) *keyValues {
	v := &m.values[key]
	if v.generation == m.generation {
		return v
	}
	v.generation, v.raw, v.folded = m.generation, v.raw[:0], v.folded[:0]
	m.facts.each(m.x.keys[key], func(value string) bool {
		v.raw = append(v.raw, value)
		v.folded = append(v.folded, m.fold(value))
		return true
	})
	return v
}

func (m *matcher) fold(s string) string {
	if folded, known := m.folds[s]; known {
		return folded
	}
	if len(m.folds) >= foldsMax {
		clear(m.folds)
	}
	folded := fold(s)
	m.folds[s] = folded
	return folded
}

// name returns the normal form of a distinguished name.
func (m *matcher) name(s string) string {
	if key, known := m.names[s]; known {
		return key
	}
	if len(m.names) >= foldsMax {
		clear(m.names)
	}
	key := attribute.DistinguishedNameMatch.Key(s)
	m.names[s] = key
	return key
}

// probe looks the values of a key up, and evaluates the criteria that they find.
func (m *matcher) probe(key int) {
	p := &m.x.probes[key]
	if p.equals == nil && p.names == nil && p.prefixes == nil && p.suffixes == nil && p.parts == nil &&
		len(p.numbers)+len(p.texts) == 0 {
		return
	}
	v := m.of(key)
	for i, folded := range v.folded {
		if leaf, found := p.equals[folded]; found {
			m.satisfy(leaf)
		}
		if p.names != nil {
			if leaf, found := p.names[m.name(v.raw[i])]; found {
				m.satisfy(leaf)
			}
		}
		p.prefixes.walk(folded, m.satisfy)
		if p.suffixes != nil {
			p.suffixes.walkBack(folded, m.satisfy)
		}
		if p.parts != nil {
			for at := range len(folded) {
				p.parts.walk(folded[at:], m.satisfy)
			}
		}
		if len(p.numbers) > 0 {
			if number := parseDecimal(v.raw[i]); number.valid {
				m.orders(p.numbers, func(leaf int) int { return number.compare(m.x.leaves[leaf].number) })
			}
		}
		if len(p.texts) > 0 {
			m.orders(p.texts, func(leaf int) int { return strings.Compare(folded, m.x.leaves[leaf].folded) })
		}
	}
}

// orders satisfies the leaves that are true for a value. The leaves are sorted by their thresholds.
func (m *matcher) orders(leaves []int, compare func(leaf int) int) {
	middle := sort.Search(len(leaves), func(i int) bool { return compare(leaves[i]) < 0 })
	for i, leaf := range leaves {
		operation := m.x.leaves[leaf].Operation
		below := operation == LessThan || operation == LessThanEquals
		// Thresholds from middle on are greater than the value, so only "less" orders can be true.
		if i >= middle && !below {
			continue
		}
		if ordered(operation, compare(leaf)) {
			m.satisfy(leaf)
		}
	}
}

func (t *trie) walk(text string, visit func(leaf int)) {
	if t == nil {
		return
	}
	node := uint32(0)
	for i := range len(text) {
		following, found := t.next[uint64(node)<<8|uint64(text[i])]
		if !found {
			return
		}
		node = following
		if leaf := t.leaf[node]; leaf >= 0 {
			visit(leaf)
		}
	}
}

func (t *trie) walkBack(text string, visit func(leaf int)) {
	node := uint32(0)
	for i := len(text) - 1; i >= 0; i-- {
		following, found := t.next[uint64(node)<<8|uint64(text[i])]
		if !found {
			return
		}
		node = following
		if leaf := t.leaf[node]; leaf >= 0 {
			visit(leaf)
		}
	}
}

// satisfy records that a leaf is satisfied, and evaluates the criteria that it anchors.
func (m *matcher) satisfy(leaf int) {
	m.tested[leaf], m.satisfied[leaf] = m.generation, true
	for _, i := range m.x.anchored[leaf] {
		m.evaluate(i)
	}
}

// evaluate evaluates a criterion, once.
func (m *matcher) evaluate(i int) {
	if m.evaluated[i] == m.generation {
		return
	}
	m.evaluated[i] = m.generation
	if m.holds(&m.x.trees[i]) {
		m.found = append(m.found, i)
	}
}

func (m *matcher) holds(t *tree) bool {
	switch t.operation {
	case And:
		for i := range t.children {
			if !m.holds(&t.children[i]) {
				return false
			}
		}
		return true
	case Or:
		for i := range t.children {
			if m.holds(&t.children[i]) {
				return true
			}
		}
		return false
	}
	return m.test(t.leaf) != t.negated
}

// test tests a leaf, once.
func (m *matcher) test(leaf int) bool {
	if m.tested[leaf] == m.generation {
		return m.satisfied[leaf]
	}
	c, v := m.x.leaves[leaf], m.of(m.x.keyOf[leaf])
	holds := false
	for i := 0; i < len(v.raw) && !holds; i++ {
		if c.names {
			holds = m.name(v.raw[i]) == c.folded
		} else {
			holds = c.satisfied(v.raw[i], v.folded[i])
		}
	}
	m.tested[leaf], m.satisfied[leaf] = m.generation, holds
	return holds
}
