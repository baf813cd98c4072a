package transform

import "strings"

// Field is an attribute of an account policy. It says how an account attribute gets its value when an account is
// created.
type Field struct {
	Name      string
	Type      string // from the policy; string if it has none
	Required  bool
	Multi     bool
	Transform *Transform // nil if the policy has none
}

// CompileField checks a field of an account policy, in the published shape, and compiles its transform. The field's
// limits cloudMaxSize and cloudMaxUniqueChecks hold for generated names. The error is a [*CompileError].
//
// The names are those of the fields before it in the policy. Templates may read their values, which are in
// [Input].Variables: https://developer.sailpoint.com/docs/extensibility/transforms/operations/static.
func CompileField(definition []byte, library Library, before ...string) (*Field, error) {
	tree, err := decode(definition)
	if err != nil {
		return nil, err
	}
	if tree.kind != isObject {
		return nil, faultAt("", "a field is an object with name and transform, this is %v", tree.kind)
	}
	c := compiler{library: library, saved: map[string]*node{}}
	c.policy = &policy{earlier: before}
	f := &Field{Type: "string"}
	if name := tree.get("name"); name != nil && name.kind == isString && name.text != "" {
		f.Name = name.text
	} else {
		c.fault("name", "the name of an account attribute is expected")
	}
	if kind := tree.get("type"); kind != nil && kind.kind == isString {
		f.Type = kind.text
	}
	f.Required = isTrue(tree.get("isRequired"))
	f.Multi = isTrue(tree.get("isMultiValued"))
	if limits := tree.get("attributes"); limits != nil && limits.kind == isObject {
		f.Required = f.Required || isTrue(limits.get("cloudRequired"))
		c.policy.nameMax = c.limit(limits.get("cloudMaxSize"), "attributes.cloudMaxSize", padMax)
		c.policy.checksMax = c.limit(limits.get("cloudMaxUniqueChecks"), "attributes.cloudMaxUniqueChecks", checksMax)
		if template := limits.get("template"); template != nil && template.kind == isString {
			c.policy.template = template.text
		}
	}
	switch body := tree.get("transform"); {
	case body == nil || body.kind == isNull:
	case body.kind == isObject:
		root := c.document(body, "", "transform")
		f.Transform, err = c.finish(root, "")
	default:
		c.fault("transform", "it is %v, a transform is expected", body.kind)
	}
	if len(c.faults) > 0 {
		return nil, &CompileError{Faults: c.faults}
	}
	return f, err
}

func isTrue(d *document) bool {
	return d != nil && (d.kind == isBool || d.kind == isString) && strings.EqualFold(d.text, "true")
}

// limit reads a limit, which may also be written as a text.
func (c *compiler) limit(d *document, path string, most int) int {
	if d == nil || d.kind == isNull {
		return 0
	}
	n, err := wholeNumber(d.text)
	if err != nil || n < 1 || n > most {
		c.fault(path, "a whole number from 1 to %d is expected", most)
	}
	return n
}
