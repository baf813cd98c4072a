package configuration

import (
	"encoding/json"
	"slices"
	"testing"
)

// nonDefault returns a value of a member that says something.
func nonDefault(t *testing.T, m *Member) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(m.Example), &value); err != nil {
		t.Fatal(err)
	}
	tree, err := decodeTree([]byte(m.Example))
	if err == nil && m.says(tree) {
		return value
	}
	switch m.Kind {
	case KindFlag:
		return m.Default != "true"
	case KindWhole:
		return 77
	case KindTexts, KindObjects, KindReferences:
		return []any{map[string]any{"name": "x"}}
	case KindObject:
		return map[string]any{"operation": "x", "attributeTransforms": []any{"x"}, "attributeAssignments": []any{"x"},
			"removeAllAccessEnabled": true}
	}
	return "x"
}

// Of each type of objects, each member that decides access is lacking where a document does not give it, and is not
// where the document gives it as null. Members that decide nothing are never lacking.
func TestLackingByTable(t *testing.T) {
	decisive := map[ObjectType]int{}
	var check func(kind ObjectType, shape *Shape, wrap func(map[string]any) map[string]any, path string)
	check = func(kind ObjectType, shape *Shape, wrap func(map[string]any) map[string]any, path string) {
		for i := range shape.Members {
			m := &shape.Members[i]
			lacking := func(document map[string]any) []string {
				before := marshal(wrap(map[string]any{m.Name: nonDefault(t, m)}))
				return Lacking(kind, before, marshal(wrap(document)))
			}
			if got := lacking(map[string]any{}); slices.Contains(got, path+m.Name) != m.Decides {
				t.Errorf("%s: %s%s decides: %v, lacking are %v", kind, path, m.Name, m.Decides, got)
			}
			if got := lacking(map[string]any{m.Name: nil}); len(got) > 0 {
				t.Errorf("%s: %s%s is given as null, lacking are %v", kind, path, m.Name, got)
			}
			if m.Decides {
				decisive[kind]++
			}
			if m.Kind == KindObject && m.Shape != nil && m.Shape != shape {
				check(kind, m.Shape, func(inner map[string]any) map[string]any {
					return wrap(map[string]any{m.Name: inner})
				}, path+m.Name+".")
			}
		}
	}
	for _, s := range Shapes() {
		check(s.Type, s.Shape, func(object map[string]any) map[string]any { return object }, "")
	}
	for _, s := range SettingShapes() {
		connector := s.Name
		if s == delimitedShape {
			connector = "delimited-file"
		}
		check(TypeSource, s, func(object map[string]any) map[string]any {
			return map[string]any{"connector": connector, "connectorAttributes": object}
		}, "connectorAttributes.")
	}
	for kind, want := range map[ObjectType]int{TypeSource: 8, TypeIdentityProfile: 3, TypeAccessProfile: 3,
		TypeLifecycleState: 6, TypeRole: 6, TypeTransform: 1} {
		if decisive[kind] < want {
			t.Errorf("%s has %d members that decide access, want %d at least", kind, decisive[kind], want)
		}
	}
}
