package attribute

import (
	"iter"
	"slices"
	"strings"
	"sync/atomic"
)

// Set is the attributes of one identity or account: names and values, each name once. The zero Set is empty and ready
// to use. Names are ordered by length first and by bytes second, like the keys of a PostgreSQL jsonb document.
type Set struct {
	entries []entry
}

type entry struct {
	name  string
	value Value
}

func compareNames(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// search is a binary search, written out because it is the most frequent operation.
func (s *Set) search(name string) (int, bool) {
	low, high := 0, len(s.entries)
	for low < high {
		middle := int(uint(low+high) >> 1)
		at := s.entries[middle].name
		switch {
		case len(at) < len(name) || len(at) == len(name) && at < name:
			low = middle + 1
		case at == name:
			return middle, true
		default:
			high = middle
		}
	}
	return low, false
}

// SetOf returns a set with the values of m.
func SetOf(m map[string]Value) Set {
	s := Set{entries: make([]entry, 0, len(m))}
	for name, value := range m {
		s.entries = append(s.entries, entry{name, value})
	}
	slices.SortFunc(s.entries, func(a, b entry) int { return compareNames(a.name, b.name) })
	return s
}

// Len returns the number of attributes.
func (s *Set) Len() int { return len(s.entries) }

// Get returns the value of the attribute name, or [Null] if the set has none.
func (s *Set) Get(name string) Value {
	if i, found := s.search(name); found {
		return s.entries[i].value
	}
	return Null
}

// Cursor looks attributes up. It is fast if most look-ups follow the order of the set.
type Cursor struct {
	set  *Set
	next int
}

// Cursor returns a cursor at the beginning of the set. It is valid until the set changes.
func (s *Set) Cursor() Cursor { return Cursor{set: s} }

// Get is [Set.Get].
func (c *Cursor) Get(name string) Value {
	at := c.next
	if at >= len(c.set.entries) || c.set.entries[at].name != name {
		var found bool
		if at, found = c.set.search(name); !found {
			return Null
		}
	}
	c.next = at + 1
	return c.set.entries[at].value
}

// Lookup looks one name up in many sets. It is fast if most sets have the name at the same place. Many goroutines may
// use it.
type Lookup struct {
	name  string
	place atomic.Uint32 // its place in the last set
}

// NewLookup returns a lookup of name.
func NewLookup(name string) *Lookup { return &Lookup{name: name} }

// Get is [Set.Get] for the name.
func (l *Lookup) Get(s *Set) Value {
	if at := int(l.place.Load()); at < len(s.entries) && s.entries[at].name == l.name {
		return s.entries[at].value
	}
	at, found := s.search(l.name)
	if !found {
		return Null
	}
	l.place.Store(uint32(at))
	return s.entries[at].value
}

// Has reports whether the set has the attribute name, even with the value null.
func (s *Set) Has(name string) bool {
	_, found := s.search(name)
	return found
}

// Compare orders names as a set does: by length first and by bytes second. Calls of [Set.Put] in that order only
// append.
func Compare(a, b string) int { return compareNames(a, b) }

// Put sets the attribute name to value.
func (s *Set) Put(name string, value Value) {
	if n := len(s.entries); n == 0 || compareNames(s.entries[n-1].name, name) < 0 {
		s.entries = append(s.entries, entry{name, value})
		return
	}
	i, found := s.search(name)
	if found {
		s.entries[i].value = value
		return
	}
	s.entries = slices.Insert(s.entries, i, entry{name, value})
}

// Delete removes the attribute name.
func (s *Set) Delete(name string) {
	if i, found := s.search(name); found {
		s.entries = slices.Delete(s.entries, i, i+1)
	}
}

// Reset empties the set and keeps its memory for the next use.
func (s *Set) Reset() {
	clear(s.entries)
	s.entries = s.entries[:0]
}

// Grow allocates memory for n more attributes.
func (s *Set) Grow(n int) { s.entries = slices.Grow(s.entries, n) }

// Clone returns a copy. Changes of one do not affect the other.
func (s *Set) Clone() Set { return Set{entries: slices.Clone(s.entries)} }

// Equal reports whether s and t have the same names with equal values.
func (s *Set) Equal(t *Set) bool {
	return slices.EqualFunc(s.entries, t.entries, func(a, b entry) bool {
		return a.name == b.name &&
			a.value.Equal(b.value)
	})
}

// All yields the attributes in the order of the set.
func (s *Set) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for _, e := range s.entries {
			if !yield(e.name, e.value) {
				return
			}
		}
	}
}

// AppendJSON appends the set as a JSON object to dst and returns the extended slice.
func (s *Set) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i, e := range s.entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, e.name)
		dst = append(dst, ':')
		dst = e.value.AppendJSON(dst)
	}
	return append(dst, '}')
}

// MarshalJSON implements [encoding/json.Marshaler].
func (s Set) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (s *Set) UnmarshalJSON(document []byte) error { return s.Decode(document) }

// decodedMax limits the attributes to allocate in advance: a document may only look as if it had many.
const decodedMax = 64

// Decode replaces the set by the attributes of a JSON object. It decodes a document in the order of the set, such as a
// jsonb document, in one pass with one copy of its text. The set keeps no reference to document. If a name occurs
// twice, the last value counts.
func (s *Set) Decode(document []byte) error {
	s.Reset()
	d, err := newDecoder(document)
	if err != nil {
		return err
	}
	if cap(s.entries) == 0 {
		s.entries = make([]entry, 0, min(strings.Count(d.text, `":`), decodedMax))
	}
	if err := d.object(s); err != nil {
		s.Reset()
		return err
	}
	return nil
}
