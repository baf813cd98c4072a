package velocity

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Map is the value of {"a": 1, "b": 2}. It keeps the order of its keys. It is not changed: a change makes another one.
type Map struct {
	keys   []string
	values map[string]any
}

func newMap(size int) Map { return Map{values: make(map[string]any, size)} }

// put sets a value of a map that nobody else has yet.
func (m *Map) put(key string, value any) {
	if _, known := m.values[key]; !known {
		m.keys = append(m.keys, key)
	}
	m.values[key] = value
}

// list returns the values in the order of the keys.
func (m Map) list() []any {
	values := make([]any, len(m.keys))
	for i, key := range m.keys {
		values[i] = m.values[key]
	}
	return values
}

func (m Map) keyList() []any {
	keys := make([]any, len(m.keys))
	for i, key := range m.keys {
		keys[i] = key
	}
	return keys
}

// String returns the map as Java does: {a=1, b=2}.
func (m Map) String() string {
	parts := make([]string, len(m.keys))
	for i, key := range m.keys {
		parts[i] = key + "=" + Text(m.values[key])
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// mapMethods are the methods of maps, with the numbers of their arguments.
var mapMethods = map[string]int{
	"get": 1, "containsKey": 1, "containsValue": 1, "getOrDefault": 2, "size": 0, "isEmpty": 0, "keySet": 0,
	"values": 0, "entrySet": 0, "toString": 0,
}

func (m Map) call(name string, arguments []any, isCall bool) (any, bool, error) {
	n, known := mapMethods[name]
	if !known || !isCall {
		if isCall {
			return nil, false, nil
		}
		return m.values[name], true, nil // a property is a key
	}
	if err := count(name, arguments, n, n); err != nil {
		return nil, true, err
	}
	switch name {
	case "get":
		return m.values[Text(arguments[0])], true, nil
	case "getOrDefault":
		if value, found := m.values[Text(arguments[0])]; found {
			return value, true, nil
		}
		return arguments[1], true, nil
	case "containsKey":
		_, found := m.values[Text(arguments[0])]
		return found, true, nil
	case "containsValue":
		return indexOf(m.list(), arguments[0]) >= 0, true, nil
	case "size":
		return int64(len(m.keys)), true, nil
	case "isEmpty":
		return len(m.keys) == 0, true, nil
	case "keySet":
		return m.keyList(), true, nil
	case "values":
		return m.list(), true, nil
	case "entrySet":
		entries := make([]any, len(m.keys))
		for i, key := range m.keys {
			entries[i] = entry{key, m.values[key]}
		}
		return entries, true, nil
	default: // toString
		return m.String(), true, nil
	}
}

// entry is a key of a map with its value.
type entry struct {
	key   string
	value any
}

func (e entry) String() string { return e.key + "=" + Text(e.value) }
func (entry) Kind() string     { return "an entry of a map" }

func (e entry) Call(name string, arguments []any, _ bool) (any, bool, error) {
	switch name {
	case "key", "getKey":
		return e.key, true, count(name, arguments, 0, 0)
	case "value", "getValue":
		return e.value, true, count(name, arguments, 0, 0)
	}
	return nil, false, nil
}

// change calls a method that changes the list or the map in a variable of the template, such as $list.add("x"). It
// returns the changed value and the result of the method; the changed value is nil for another method.
func (r *renderer) change(value any, a *accessor) (changed, result any, err error) {
	if !a.call {
		return nil, nil, nil
	}
	switch v := value.(type) {
	case []any:
		if !slices.Contains(changingListMethods, a.name) {
			return nil, nil, nil
		}
		arguments, err := r.arguments(a)
		if err != nil {
			return nil, nil, err
		}
		if err := r.spend(1 + len(v)/100); err != nil { // it is copied
			return nil, nil, err
		}
		list, result, err := changeList(v, a.name, arguments)
		return list, result, err
	case Map:
		if !slices.Contains(changingMapMethods, a.name) {
			return nil, nil, nil
		}
		arguments, err := r.arguments(a)
		if err != nil {
			return nil, nil, err
		}
		if err := r.spend(1 + len(v.keys)/10); err != nil {
			return nil, nil, err
		}
		m, result, err := changeMap(v, a.name, arguments)
		return m, result, err
	}
	return nil, nil, nil
}

var (
	changingListMethods = []string{"add", "addAll", "set", "remove", "clear"}
	changingMapMethods  = []string{"put", "remove", "clear"}
)

func changeList(list []any, name string, arguments []any) (changed []any, result any, err error) {
	most := map[string][2]int{"add": {1, 2}, "addAll": {1, 1}, "set": {2, 2}, "remove": {1, 1}, "clear": {0, 0}}[name]
	if err := count(name, arguments, most[0], most[1]); err != nil {
		return nil, nil, err
	}
	at := len(list)
	if len(arguments) == 2 {
		n, ok := integer(arguments[0])
		if !ok || n < 0 || n > int64(len(list)) || name == "set" && n == int64(len(list)) {
			return nil, nil, fmt.Errorf("argument 1 of %s is no position in the list, which has %d elements", name,
				len(list))
		}
		at = int(n)
	}
	switch name {
	case "add":
		return slices.Insert(slices.Clone(list), at, arguments[len(arguments)-1]), true, nil
	case "addAll":
		more, ok := arguments[0].([]any)
		if !ok {
			return nil, nil, fmt.Errorf("argument 1 of addAll is a list, not %s", kind(arguments[0]))
		}
		return slices.Concat(list, more), len(more) > 0, nil
	case "set":
		changed = slices.Clone(list)
		changed[at] = arguments[1]
		return changed, list[at], nil
	case "clear":
		return []any{}, nil, nil
	}
	// remove takes a position or an element.
	if n, ok := arguments[0].(int64); ok {
		if n < 0 || n >= int64(len(list)) {
			return nil, nil, fmt.Errorf("the list has no element [%d]: it has %d", n, len(list))
		}
		return slices.Delete(slices.Clone(list), int(n), int(n)+1), list[n], nil
	}
	found := indexOf(list, arguments[0])
	if found < 0 {
		return list, false, nil
	}
	return slices.Delete(slices.Clone(list), found, found+1), true, nil
}

func changeMap(m Map, name string, arguments []any) (changed Map, result any, err error) {
	n := map[string]int{"put": 2, "remove": 1, "clear": 0}[name]
	if err := count(name, arguments, n, n); err != nil {
		return m, nil, err
	}
	if name == "clear" {
		return newMap(0), nil, nil
	}
	key := Text(arguments[0])
	changed = Map{slices.Clone(m.keys), maps.Clone(m.values)}
	if name == "put" {
		changed.put(key, arguments[1])
	} else {
		changed.keys = slices.DeleteFunc(changed.keys, func(k string) bool { return k == key })
		delete(changed.values, key)
	}
	return changed, m.values[key], nil
}

func indexOf(items []any, wanted any) int {
	wanted = plain(wanted)
	return slices.IndexFunc(items, func(item any) bool { return equal(item, wanted) })
}

// lastIndexOf is [indexOf] from the end.
func lastIndexOf(items []any, wanted any) int {
	wanted = plain(wanted)
	for i, item := range slices.Backward(items) {
		if equal(item, wanted) {
			return i
		}
	}
	return -1
}

// plain returns a value that is equal to what the given one is equal to, and quick to compare: [equal] makes a text of
// a list or a map.
func plain(value any) any {
	switch value.(type) {
	case []any, Map:
		return Text(value)
	}
	return value
}
