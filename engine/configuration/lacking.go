package configuration

// Lacking returns the members of the table that decide access, such as "membership.criteria", that an object of a type
// has and a document which is to replace it lacks. A member that the document gives is not lacking, even if it is null
// or empty: that is how a document says that it goes. It is for package engine.
func Lacking(kind ObjectType, before, document []byte) []string {
	shape := shapeOf(kind)
	was, err := decodeTree(before)
	if shape == nil || err != nil {
		return nil
	}
	is, err := decodeTree(document)
	if err != nil {
		return nil // what is no JSON does not get here
	}
	old, wasObject := was.(map[string]any)
	object, isObject := is.(map[string]any)
	if !wasObject || !isObject {
		return nil
	}
	return shape.lacking(nil, "", old, object)
}

// lacking appends the members that decide access, that the old object has and the new one lacks. Within lists nothing
// is compared: a document that gives a list gives all of it.
func (s *Shape) lacking(dst []string, path string, old, object map[string]any) []string {
	for i := range s.Members {
		m := &s.Members[i]
		before, had := old[m.Name]
		value, given := object[m.Name]
		if !given {
			if had && m.Decides && m.says(before) {
				dst = append(dst, path+m.Name)
			}
			continue
		}
		inner := m.Shape
		if s == sourceShape && m.Name == "connectorAttributes" {
			connector, _ := object["connector"].(string)
			inner = settingsShape(connector)
		}
		was, wasObject := before.(map[string]any)
		is, isObject := value.(map[string]any)
		if inner != nil && wasObject && isObject {
			dst = inner.lacking(dst, path+m.Name+".", was, is)
		}
	}
	return dst
}

// says reports whether a value of the member says more than a missing member does. Within an object it is the defaults
// of its members that say nothing: enabled is true by default, so false says something.
func (m *Member) says(value any) bool {
	object, isObject := value.(map[string]any)
	if m.Shape == nil || m.Default != "" || !isObject {
		return !m.isDefault(value)
	}
	for name, inner := range object {
		switch member := m.Shape.member(name); {
		case member == nil:
			if !blank(inner) {
				return true
			}
		case member.says(inner):
			return true
		}
	}
	return false
}
