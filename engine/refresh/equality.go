package refresh

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/muster-engine/muster/engine/attribute"
)

// equality returns how the source compares the values of an attribute. A source that is gone compares what is written.
func (t *TargetSource) equality(name string) attribute.Equality {
	if t == nil || t.Equality == nil {
		return attribute.CaseExactMatch
	}
	return t.Equality(name)
}

// ignores reports whether values of an attribute can be equal that are written in different ways.
func (t *TargetSource) ignores(name string) bool {
	e := t.equality(name)
	return e != "" && e != attribute.CaseExactMatch
}

// keyOf returns a value of an attribute in the form that its source compares.
func (a *Access) keyOf(source ID, name, value string) string {
	e := a.Sources[source].equality(name)
	if e == "" || e == attribute.CaseExactMatch {
		return value
	}
	return a.keys.of(e, value)
}

// keysMax is how many normal forms a keyMemo keeps.
const keysMax = 50_000

// keyMemo remembers the normal forms of entitlements: many people have the same ones. It is for many goroutines.
type keyMemo struct {
	known sync.Map // of memoKey to string
	count atomic.Int64
}

type memoKey struct {
	equality attribute.Equality
	value    string
}

func (m *keyMemo) of(e attribute.Equality, value string) string {
	id := memoKey{e, value}
	if key, known := m.known.Load(id); known {
		text, _ := key.(string)
		return text
	}
	key := e.Key(value)
	if m.count.Add(1) <= keysMax {
		m.known.Store(memoKey{e, strings.Clone(value)}, key) // the value may be a part of a large document
	}
	return key
}
