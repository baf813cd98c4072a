package transform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
)

// member is one member of an object. Members keep the order of the document, because tables are searched in that order.
type member struct {
	name  string
	value *document
}

// document is a JSON value.
type document struct {
	kind    documentKind
	text    string // of a string, a number or a boolean
	members []member
	items   []*document
}

type documentKind uint8

const (
	isNull documentKind = iota
	isString
	isNumber
	isBool
	isObject
	isArray
)

// String returns the kind's name for errors.
func (k documentKind) String() string {
	return [...]string{"null", "a text", "a number", "a truth value", "an object", "an array"}[k]
}

// get returns a member of an object, or nil if there is none.
func (d *document) get(name string) *document {
	for i := range d.members {
		if d.members[i].name == name {
			return d.members[i].value
		}
	}
	return nil
}

// value returns the value of a scalar.
func (d *document) value() attribute.Value {
	switch d.kind {
	case isString:
		return attribute.String(d.text)
	case isBool:
		return attribute.Bool(d.text == "true")
	case isNumber:
		if v, err := attribute.Number(d.text); err == nil {
			return v
		}
	}
	return attribute.Null
}

// isShaped reports whether a value is an object that is no transform, or an array that has more than scalars.
func (d *document) isShaped() bool {
	switch d.kind {
	case isObject:
		return d.get("type") == nil
	case isArray:
		return slices.ContainsFunc(d.items, func(item *document) bool {
			return item.kind == isObject || item.kind == isArray
		})
	default:
		return false
	}
}

// json returns a value as JSON.
func (d *document) json() string {
	var b strings.Builder
	switch d.kind {
	case isObject:
		b.WriteByte('{')
		for i, m := range d.members {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(attribute.String(m.name).AppendJSON(nil))
			b.WriteString(":" + m.value.json())
		}
		b.WriteByte('}')
	case isArray:
		b.WriteByte('[')
		for i, item := range d.items {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(item.json())
		}
		b.WriteByte(']')
	default:
		b.Write(d.value().AppendJSON(nil))
	}
	return b.String()
}

// decode reads a document.
func decode(source []byte) (*document, error) {
	if len(source) > DefinitionMax {
		return nil, &CompileError{Faults: []Fault{{
			Msg: fmt.Sprintf("it has %d bytes, %d are allowed", len(source), DefinitionMax),
		}}}
	}
	d := decoder{json.NewDecoder(bytes.NewReader(source))}
	d.UseNumber()
	tree, err := d.tree("", 0)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = &CompileError{Faults: []Fault{{Msg: "something follows after the end of the document"}}}
		}
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(source[:min(int(syntax.Offset), len(source))], []byte("\n"))
		return nil, &CompileError{Faults: []Fault{{Msg: fmt.Sprintf("line %d: it is not JSON: %v", line, syntax)}}}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &CompileError{Faults: []Fault{{Msg: "it is not JSON: the document ends too early"}}}
	}
	return tree, err
}

type decoder struct{ *json.Decoder }

func (d decoder) tree(path string, depth int) (*document, error) {
	if depth > 4*DepthMax {
		return nil, faultAt(path, "it is nested too deep")
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case string:
		return &document{kind: isString, text: v}, nil
	case json.Number:
		return &document{kind: isNumber, text: v.String()}, nil
	case bool:
		return &document{kind: isBool, text: fmt.Sprint(v)}, nil
	case json.Delim:
		if v == '{' {
			return d.object(path, depth)
		}
		return d.array(path, depth)
	default:
		return &document{}, nil
	}
}

func (d decoder) object(path string, depth int) (*document, error) {
	object := &document{kind: isObject}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // the decoder accepts nothing else here
		at := join(path, name)
		if seen[name] {
			return nil, faultAt(at, "it is there twice")
		}
		seen[name] = true
		value, err := d.tree(at, depth+1)
		if err != nil {
			return nil, err
		}
		object.members = append(object.members, member{name, value})
	}
	_, err := d.Token()
	return object, err
}

func (d decoder) array(path string, depth int) (*document, error) {
	array := &document{kind: isArray}
	for d.More() {
		item, err := d.tree(fmt.Sprintf("%s[%d]", path, len(array.items)), depth+1)
		if err != nil {
			return nil, err
		}
		array.items = append(array.items, item)
	}
	_, err := d.Token()
	return array, err
}

// join returns the path of a member. Names that could be misread are quoted.
func join(path, name string) string {
	if name == "" || strings.ContainsAny(name, ".[]\"' \n") {
		return fmt.Sprintf("%s[%q]", path, name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
