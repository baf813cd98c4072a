package transform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/filterql/jsontext"
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
	// index finds the members of a large object; nil for others.
	index map[string]*document
}

// indexedFrom is how many members an object has that are found by an index.
const indexedFrom = 16

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
	if d.index != nil {
		return d.index[name]
	}
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

// appendJSON appends a value as JSON.
func (d *document) appendJSON(dst []byte) []byte {
	switch d.kind {
	case isObject:
		dst = append(dst, '{')
		for i, m := range d.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(attribute.String(m.name).AppendJSON(dst), ':')
			dst = m.value.appendJSON(dst)
		}
		return append(dst, '}')
	case isArray:
		dst = append(dst, '[')
		for i, item := range d.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.appendJSON(dst)
		}
		return append(dst, ']')
	default:
		return d.value().AppendJSON(dst)
	}
}

// decode reads a document.
func decode(source []byte) (*document, error) {
	if len(source) > DefinitionMax {
		return nil, &CompileError{Faults: []Fault{{
			Msg: fmt.Sprintf("it has %d bytes, %d are allowed", len(source), DefinitionMax),
		}}}
	}
	d := &decoder{Decoder: json.NewDecoder(bytes.NewReader(source))}
	d.UseNumber()
	tree, err := d.tree(0)
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

// decoder reads a document. It joins the path to a value only for a fault: a path for each value would take the square
// of a document that is deep.
type decoder struct {
	*json.Decoder
	path []place
}

// place is a step of a path: a member, or the place in an array.
type place struct {
	name string
	at   int
	item bool
}

// fault returns a fault at the path.
func (d *decoder) fault(message string) error {
	path := ""
	for _, p := range d.path {
		if p.item {
			path = fmt.Sprintf("%s[%d]", path, p.at)
		} else {
			path = join(path, p.name)
		}
	}
	return faultAt(path, "%s", message)
}

func (d *decoder) tree(depth int) (*document, error) {
	if depth > 4*DepthMax {
		return nil, d.fault("it is nested too deep")
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
		return &document{kind: isBool, text: strconv.FormatBool(v)}, nil
	case json.Delim:
		if v == '{' {
			return d.object(depth)
		}
		return d.array(depth)
	default:
		return &document{}, nil
	}
}

// inner reads a value one step deeper.
func (d *decoder) inner(step place, depth int) (*document, error) {
	d.path = append(d.path, step)
	value, err := d.tree(depth + 1)
	d.path = d.path[:len(d.path)-1]
	return value, err
}

func (d *decoder) object(depth int) (*document, error) {
	object := &document{kind: isObject}
	seen := map[string]*document{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // the decoder accepts nothing else here
		if seen[name] != nil {
			d.path = append(d.path, place{name: name})
			return nil, d.fault("it is there twice")
		}
		value, err := d.inner(place{name: name}, depth)
		if err != nil {
			return nil, err
		}
		seen[name] = value
		object.members = append(object.members, member{name, value})
	}
	if len(object.members) >= indexedFrom {
		object.index = seen
	}
	_, err := d.Token()
	return object, err
}

func (d *decoder) array(depth int) (*document, error) {
	array := &document{kind: isArray}
	for d.More() {
		item, err := d.inner(place{at: len(array.items), item: true}, depth)
		if err != nil {
			return nil, err
		}
		array.items = append(array.items, item)
	}
	_, err := d.Token()
	return array, err
}

// pathNameMax is how many bytes of a name a path shows: every transform of a definition keeps its path.
const pathNameMax = 60

// join returns the path of a member. Names that could be misread are quoted, and long ones cut.
func join(path, name string) string {
	if len(name) > pathNameMax {
		name = strings.ToValidUTF8(name[:pathNameMax], "") + "…"
	}
	if name == "" || strings.ContainsAny(name, ".[]\"' ") || jsontext.Printable(name) != name {
		return fmt.Sprintf("%s[%q]", path, name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
