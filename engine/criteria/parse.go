package criteria

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-engine/muster/filterql/suggest"
)

// Sources returns the ID of the source that the sourceId of a key names.
type Sources func(text string) (ID, bool)

// Fault is one mistake in a document.
type Fault struct {
	Path string // such as children[1].operation; empty for the document itself
	Msg  string
}

func (f Fault) String() string {
	if f.Path == "" {
		return f.Msg
	}
	return f.Path + ": " + f.Msg
}

// Error holds all faults of a document.
type Error struct{ Faults []Fault }

// Error implements error.
func (e *Error) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.String()
	}
	return strings.Join(texts, "; ")
}

// document is the JSON of a criterion. Other members are ignored.
type document struct {
	Operation   *string           `json:"operation"`
	Key         json.RawMessage   `json:"key"`
	StringValue json.RawMessage   `json:"stringValue"`
	Children    []json.RawMessage `json:"children"`
}

type keyDocument struct {
	Type     *string `json:"type"`
	Property *string `json:"property"`
	SourceID *string `json:"sourceId"`
}

// Parse reads a criterion in the published shape: operation, key, stringValue, children. It checks the rules; for
// example, groups must alternate, and there may be at most [LevelsMax] levels. The error is an [*Error].
func Parse(text []byte, sources Sources) (*Criterion, error) {
	p := parser{sources: sources}
	c := p.node(text, "", "", 1)
	if p.leaves > LeavesMax {
		p.fault("", "it has %d comparisons, %d are allowed", p.leaves, LeavesMax)
	}
	if len(p.faults) > 0 {
		return nil, &Error{p.faults}
	}
	return c, nil
}

type parser struct {
	sources Sources
	faults  []Fault
	leaves  int
}

func (p *parser) fault(path, format string, arguments ...any) {
	p.faults = append(p.faults, Fault{path, fmt.Sprintf(format, arguments...)})
}

func at(path, member string) string {
	if path == "" {
		return member
	}
	return path + "." + member
}

// decode reads JSON into shape. If it does not fit, it records a fault and returns false.
func (p *parser) decode(text []byte, path string, shape any, expected string) bool {
	err := json.Unmarshal(text, shape)
	if err == nil {
		return true
	}
	var mismatch *json.UnmarshalTypeError
	if !errors.As(err, &mismatch) {
		p.fault(path, "it is not valid JSON: %v", err)
	} else if mismatch.Field != "" {
		p.fault(at(path, mismatch.Field), "it is a JSON %s, which does not belong there", mismatch.Value)
	} else {
		p.fault(path, "it is a JSON %s, %s is expected", mismatch.Value, expected)
	}
	return false
}

func (p *parser) node(text []byte, path string, parent Operation, level int) *Criterion {
	var d document
	if isNull(text) {
		p.fault(path, "it is null, an object with operation is expected")
		return nil
	}
	if !p.decode(text, path, &d, "an object with operation") {
		return nil
	}
	if d.Operation == nil {
		p.fault(at(path, "operation"), "it is missing: one of %s is expected", list(operations))
		return nil
	}
	operation := Operation(*d.Operation)
	if !slices.Contains(operations, operation) {
		p.fault(at(path, "operation"), "unknown operation %q%s", *d.Operation, meant(*d.Operation, operations))
		return nil
	}
	if !operation.IsGroup() {
		return p.comparison(operation, &d, path)
	}
	if level >= LevelsMax {
		p.fault(path, "%s is on level %d, where only comparisons may be: a criterion has at most %d levels", operation,
			level, LevelsMax)
		return nil
	}
	if operation == parent {
		p.fault(at(path, "operation"), "%s stands directly in %s: AND and OR must alternate", operation, parent)
	} else if len(d.Children) == 0 {
		p.fault(at(path, "children"), "%s needs children", operation)
	}
	if text := string(d.StringValue); text != "" && text != "null" && text != `""` {
		p.fault(at(path, "stringValue"), "%s has no value of its own", operation)
	}
	c := &Criterion{Operation: operation}
	for i, child := range d.Children {
		c.Children = append(c.Children, p.node(child, at(path, fmt.Sprintf("children[%d]", i)), operation, level+1))
	}
	return c
}

func (p *parser) comparison(operation Operation, d *document, path string) *Criterion {
	p.leaves++
	if len(d.Children) > 0 {
		p.fault(at(path, "children"), "%s compares a value and has no children", operation)
	}
	key := p.key(d.Key, at(path, "key"))
	var value string
	if len(d.StringValue) == 0 || isNull(d.StringValue) {
		p.fault(at(path, "stringValue"), "%s needs a value to compare with", operation)
	} else if p.decode(d.StringValue, at(path, "stringValue"), &value, "a string") {
		if value == "" {
			p.fault(at(path, "stringValue"), "%s needs a value to compare with", operation)
		} else if len(value) > ValueMax {
			p.fault(at(path, "stringValue"), "it has %d bytes, %d are allowed", len(value), ValueMax)
		}
	}
	return newComparison(operation, key, value)
}

func (p *parser) key(text []byte, path string) Key {
	if len(text) == 0 || isNull(text) {
		p.fault(path, "it is missing: type and property say what is compared")
		return Key{}
	}
	var d keyDocument
	if !p.decode(text, path, &d, "an object with type and property") {
		return Key{}
	}
	var key Key
	types := []KeyType{Identity, AccountKey, Entitlement}
	switch {
	case d.Type == nil:
		p.fault(at(path, "type"), "it is missing: one of %s is expected", list(types))
	case !slices.Contains(types, KeyType(*d.Type)):
		p.fault(at(path, "type"), "unknown type %q%s", *d.Type, meant(*d.Type, types))
	default:
		key.Type = KeyType(*d.Type)
	}
	if d.Property != nil {
		key.Attribute = strings.TrimPrefix(*d.Property, "attribute.")
	}
	if key.Attribute == "" {
		p.fault(at(path, "property"), "it is missing: attribute. and the attribute's name are expected")
	}
	if key.Type == AccountKey || key.Type == Entitlement {
		given := d.SourceID != nil && *d.SourceID != ""
		var found bool
		switch {
		case !given:
			p.fault(at(path, "sourceId"), "it is missing: a key of the type %s needs the source", key.Type)
		case p.sources == nil:
			p.fault(at(path, "sourceId"), "there are no sources here")
		default:
			if key.SourceID, found = p.sources(*d.SourceID); !found {
				p.fault(at(path, "sourceId"), "there is no source %q", *d.SourceID)
			}
		}
	}
	return key
}

// meant returns a hint for an unknown word: the known word that is most like it, or all known words.
func meant[T ~string](word string, known []T) string {
	texts := make([]string, len(known))
	for i, k := range known {
		texts[i] = string(k)
	}
	if nearest := suggest.Nearest(word, texts); nearest != "" {
		return fmt.Sprintf("; did you mean %q?", nearest)
	}
	return ": " + list(known) + " are known"
}

func isNull(text []byte) bool { return string(text) == "null" }

func list[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}
