package configuration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/filterql/jsontext"
)

// The limits of a configuration text.
const (
	ConfigurationSizeMax  = 16 << 20 // bytes
	configurationDepthMax = 200
	configurationNodesMax = 1_000_000
	// configurationJSONMax is how many bytes the objects of a text may have together, with its aliases written out.
	configurationJSONMax = 4 * ConfigurationSizeMax
)

// ObjectType is the type of a configured object, as the published references spell it.
type ObjectType string

// The types of objects that can be applied.
const (
	TypeAccessProfile     ObjectType = "ACCESS_PROFILE"
	TypeIdentityAttribute ObjectType = "IDENTITY_ATTRIBUTE"
	TypeIdentityProfile   ObjectType = "IDENTITY_PROFILE"
	TypeLifecycleState    ObjectType = "LIFECYCLE_STATE"
	TypeRole              ObjectType = "ROLE"
	TypeSettings          ObjectType = "SETTINGS"
	TypeSource            ObjectType = "SOURCE"
	TypeTransform         ObjectType = "TRANSFORM"
)

// Group is a member of a configuration text that holds a list of objects.
type Group struct {
	Member string // such as "sources"
	Kind   ObjectType
}

// groups are the members of a configuration text that hold lists of objects, in the order in which the objects are
// applied: an object comes after those that it refers to. It must not be changed.
var groups = []Group{
	{"identityAttributes", TypeIdentityAttribute},
	{"transforms", TypeTransform},
	{"sources", TypeSource},
	{"identityProfiles", TypeIdentityProfile},
	{"accessProfiles", TypeAccessProfile},
	{"lifecycleStates", TypeLifecycleState},
	{"roles", TypeRole},
	{"settings", TypeSettings},
}

// Groups returns the members of a configuration text that hold lists of objects, in the order in which the objects are
// applied. It is for package engine.
func Groups() []Group { return slices.Clone(groups) }

// KnownTypes returns the types of objects that can be applied, as an error lists them. It is for package engine.
func KnownTypes() string {
	var types []string
	for _, group := range groups {
		types = append(types, string(group.Kind))
	}
	return strings.Join(types, ", ")
}

// knownMembers returns the members that hold lists of objects, as an error lists them.
func knownMembers() string { return strings.Join(memberNames(), ", ") }

func memberNames() []string {
	var members []string
	for _, group := range groups {
		members = append(members, group.Member)
	}
	return members
}

// Document is one object of a configuration, in its published shape. [ReadDocuments] makes documents of a text, and
// engine.Engine.Apply takes them.
type Document struct {
	Type ObjectType
	// Object is the object as JSON.
	Object json.RawMessage
	// Place says where the object stands, for errors: "config.yaml:12: sources[0]".
	Place string
	// Exported says that the object stood in an export's envelope, whose omissions mean what the product means by them.
	Exported bool
}

// ReadDocuments reads the objects of a configuration text, YAML or JSON. name stands for the text in errors, which are
// [fault.Error] values of the kind Invalid and name the line. It reads at most [ConfigurationSizeMax] bytes.
//
// An object is given in its published shape: in a list under the plural of its type (sources, identityProfiles,
// transforms, identityAttributes, accessProfiles, lifecycleStates, roles), the one of settings under settings, in an
// export's envelope {"self": {"type": ...}, "object": {...}}, or alone if its members tell its type. A text may contain
// several YAML documents, a list of objects, and an export with its objects under "objects".
func ReadDocuments(name string, r io.Reader) ([]Document, error) {
	const op = "read the configuration"
	text, err := io.ReadAll(io.LimitReader(r, ConfigurationSizeMax+1))
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Op: op, Subject: name, Err: err}
	}
	if len(text) > ConfigurationSizeMax {
		return nil, fault.Invalidf(op, name, "the text is longer than %d MiB: split it", ConfigurationSizeMax>>20)
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	reader := documentReader{name: name}
	for _, part := range jsonValues(text) {
		reader.before = part.line
		plain, err := plainText(part.text)
		if err != nil {
			return nil, &fault.Error{Kind: fault.Invalid, Op: op, Subject: name, Err: err}
		}
		decoder := yaml.NewDecoder(bytes.NewReader(plain))
		for {
			var root yaml.Node
			err := decoder.Decode(&root)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fault.Invalidf(op, name, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
			}
			if err := reader.read(&root); err != nil {
				return nil, &fault.Error{Kind: fault.Invalid, Op: op, Err: err}
			}
		}
	}
	if len(reader.documents) == 0 {
		return nil, fault.Invalidf(op, name, "there is no object in it: lists of objects are expected under %s",
			knownMembers())
	}
	return reader.documents, nil
}

// documentReader reads the documents of one text.
type documentReader struct {
	name      string // of the text
	documents []Document
	before    int // lines of the text before the part that is read
	nodes     int
	size      int // of the JSON of the documents
	// path leads to the node that is written as JSON. Its parts are joined only for an error: to join them for every
	// node would cost more than everything else.
	path []string
}

// fault returns an error at a node.
func (r *documentReader) fault(node *yaml.Node, path, format string, arguments ...any) error {
	place := fmt.Sprintf("%s:%d: ", r.name, node.Line+r.before)
	if path != "" {
		place += jsontext.Printable(path) + ": "
	}
	return errors.New(place + fmt.Sprintf(format, arguments...))
}

// read reads one YAML document: a list of objects, one object, or members with lists of objects.
func (r *documentReader) read(root *yaml.Node) error {
	node := root
	if node.Kind == yaml.DocumentNode {
		node = node.Content[0]
	}
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		return nil
	case node.Kind == yaml.SequenceNode:
		return r.readList(node, "", "")
	case node.Kind != yaml.MappingNode:
		return r.fault(node, "", "a mapping or a list of objects is expected")
	case member(node, "objects") != nil:
		return r.readList(member(node, "objects"), "objects", "")
	case isObject(node):
		return r.readObject(node, "", "")
	}
	var faults []error
	for i := 0; i < len(node.Content) && len(faults) < linesMax; i += 2 {
		if err := r.readGroup(node.Content[i], node.Content[i+1]); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// readGroup reads a member with a list of objects.
func (r *documentReader) readGroup(key, value *yaml.Node) error {
	at := slices.IndexFunc(groups, func(g Group) bool { return g.Member == key.Value })
	switch {
	case at < 0:
		return r.fault(key, "", "unknown member %q: lists of objects are expected under %s%s", key.Value,
			knownMembers(), DidYouMean(key.Value, memberNames()))
	case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
		return nil
	case groups[at].Kind == TypeSettings && value.Kind != yaml.SequenceNode: // there is one such object
		return r.readObject(value, groups[at].Member, TypeSettings)
	}
	return r.readList(value, groups[at].Member, groups[at].Kind)
}

// readList reads a list of objects. kind is empty if the place does not tell it.
func (r *documentReader) readList(node *yaml.Node, path string, kind ObjectType) error {
	if node.Kind != yaml.SequenceNode {
		return r.fault(node, path, "a list of objects is expected")
	}
	var faults []error
	for i, element := range node.Content {
		if err := r.readObject(element, path+"["+strconv.Itoa(i)+"]", kind); err != nil {
			if faults = append(faults, err); r.isFull() || len(faults) == linesMax {
				break
			}
		}
	}
	return errors.Join(faults...)
}

// isFull reports whether a limit of the text is reached, so that nothing more is read.
func (r *documentReader) isFull() bool {
	return r.nodes > configurationNodesMax || r.size > configurationJSONMax
}

// readObject reads one object, out of its envelope if it has one. kind is empty if the place does not tell it.
func (r *documentReader) readObject(node *yaml.Node, path string, kind ObjectType) error {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.MappingNode {
		return r.fault(node, path, "an object is expected")
	}
	object, exported := node, false
	self, inner := member(node, "self"), member(node, "object")
	if self != nil && inner != nil {
		object = inner
		named := member(self, "type")
		if named == nil && kind == "" {
			return r.fault(node, path, "self.type is missing: one of %s", KnownTypes())
		}
		if named != nil {
			kind = ObjectType(named.Value)
		}
		if object.Kind != yaml.MappingNode {
			return r.fault(object, path, "an object is expected under \"object\"")
		}
		exported = true
	}
	if kind == "" {
		kind = typeByMembers(object)
	}
	known := slices.ContainsFunc(groups, func(g Group) bool { return g.Kind == kind })
	switch {
	case kind == "":
		return r.fault(node, path, "the object's type cannot be told: put it into a list under %s, or into an "+
			"envelope {self: {type: ...}, object: ...}", knownMembers())
	case !known:
		if meant := misspelt(kind); meant != "" {
			return r.fault(node, path, "objects of type %q cannot be applied: did you mean %q?", clipped(string(kind)),
				meant)
		}
		switch kind {
		case typeAttributeSync:
			object = named(self, object)
		case typeIdentityObject:
		default:
			object = essence(self, object)
		}
	}
	r.path = append(r.path[:0], path)
	text, err := r.appendJSON(nil, object)
	if err != nil {
		return err
	}
	place := fmt.Sprintf("%s:%d", r.name, node.Line+r.before)
	if path != "" {
		place += ": " + path
	}
	r.size += len(text)
	r.documents = append(r.documents, Document{Type: kind, Object: text, Place: place, Exported: exported})
	return nil
}

// named returns an object of an export with the name that its envelope gives, where it has none itself.
func named(self, object *yaml.Node) *yaml.Node {
	if member(object, "name") != nil || self == nil || member(self, "name") == nil {
		return object
	}
	with := *object
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "name", Line: object.Line}
	with.Content = append(slices.Clone(object.Content), key, member(self, "name"))
	return &with
}

// essence returns what is kept of an object that cannot be applied, to name it: its name and its own type.
func essence(self, object *yaml.Node) *yaml.Node {
	kept := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: object.Line}
	for _, from := range []struct {
		node *yaml.Node
		name string
	}{{self, "name"}, {object, "type"}} {
		if value := member(from.node, from.name); value != nil && value.ShortTag() == "!!str" {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: from.name}
			kept.Content = append(kept.Content, key, value)
		}
	}
	return kept
}

// member returns the value of a mapping's member, nil when it has none.
func member(node *yaml.Node, name string) *yaml.Node {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			value := node.Content[i+1]
			if value.Kind == yaml.AliasNode {
				return value.Alias
			}
			return value
		}
	}
	return nil
}

// isObject reports whether a mapping is one object, and not members with lists of objects.
func isObject(node *yaml.Node) bool {
	return typeByMembers(node) != "" || member(node, "self") != nil && member(node, "object") != nil
}

// typeByMembers returns the type of an object by members that only the published shape of that type has together, or ""
// if there is none.
func typeByMembers(node *yaml.Node) ObjectType {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return member(node, name) == nil })
	}
	switch {
	case has("name", "authoritativeSource"):
		return TypeIdentityProfile
	case has("name", "technicalName"):
		return TypeLifecycleState
	case has("name", "source", "entitlements"):
		return TypeAccessProfile
	case has("name", "membership"), has("name", "accessProfiles"), has("name", "dimensional"):
		return TypeRole
	case has("name", "connector"), has("name", "connectorScriptName"), has("name", "schemas"),
		has("name", "connectorAttributes"):
		return TypeSource
	case has("name", "type") && slices.Contains(transform.Operations(), member(node, "type").Value):
		return TypeTransform
	case has("name", "type", "attributes"):
		return TypeTransform
	case has("name", "searchable"), has("name", "standard"), has("name", "multi"):
		return TypeIdentityAttribute
	}
	return ""
}

// appendJSON writes a node as JSON. A date stays the text that it is, and a number keeps its digits.
func (r *documentReader) appendJSON(dst []byte, node *yaml.Node) ([]byte, error) {
	if r.nodes++; r.nodes > configurationNodesMax || len(r.path) > configurationDepthMax {
		r.path = r.path[:1] // the whole path is too long to be of use
		return nil, r.faultHere(node, "the configuration is nested deeper than %d levels or has more than %d nodes",
			configurationDepthMax, configurationNodesMax)
	}
	if r.size+len(dst) > configurationJSONMax {
		r.path = r.path[:1]
		return nil, r.faultHere(node, "the configuration has more than %d MiB when its aliases are written out",
			configurationJSONMax>>20)
	}
	var err error
	switch node.Kind {
	case yaml.AliasNode:
		return r.appendInner(dst, node.Alias, "")
	case yaml.MappingNode:
		return r.appendMapping(dst, node)
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, element := range node.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = r.appendInner(dst, element, "["+strconv.Itoa(i)+"]"); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	default:
		return r.appendScalar(dst, node)
	}
}

// appendMapping writes a mapping as a JSON object.
func (r *documentReader) appendMapping(dst []byte, node *yaml.Node) (_ []byte, err error) {
	dst = append(dst, '{')
	seen := map[string]bool{}
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			return nil, r.faultHere(key, "a member's name must be a plain text")
		case strings.ContainsRune(key.Value, 0):
			return nil, r.faultHere(key, "a member's name must not contain the NUL character")
		case seen[key.Value]:
			return nil, r.faultHere(key, "the member %q is given twice", key.Value)
		}
		seen[key.Value] = true
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONText(dst, key.Value)
		dst = append(dst, ':')
		if dst, err = r.appendInner(dst, node.Content[i+1], "."+key.Value); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// appendInner writes a node one step deeper.
func (r *documentReader) appendInner(dst []byte, node *yaml.Node, step string) ([]byte, error) {
	r.path = append(r.path, step)
	dst, err := r.appendJSON(dst, node)
	if err == nil {
		r.path = r.path[:len(r.path)-1]
	}
	return dst, err
}

// faultHere is fault at the path that is being written.
func (r *documentReader) faultHere(node *yaml.Node, format string, arguments ...any) error {
	return r.fault(node, strings.TrimPrefix(strings.Join(r.path, ""), "."), format, arguments...)
}

// appendScalar writes a scalar as JSON.
func (r *documentReader) appendScalar(dst []byte, node *yaml.Node) (_ []byte, err error) {
	tag := node.ShortTag()
	if node.Style == 0 && tag == "!!str" && isPlainLiteral(node.Value) {
		tag = "!!float" // a number of JSON that is too large for YAML
	}
	switch tag {
	case "!!null":
		return append(dst, "null"...), nil
	case "!!bool", "!!int", "!!float":
		text := []byte(node.Value)
		if !isPlainLiteral(node.Value) {
			var value any
			if err := node.Decode(&value); err != nil {
				return nil, r.faultHere(node, "%q: %v", clipped(node.Value), err)
			}
			if text, err = json.Marshal(value); err != nil {
				return nil, r.faultHere(node, "%q cannot be written as JSON", clipped(node.Value))
			}
		}
		if err := CheckNumber(string(text)); err != nil {
			return nil, r.faultHere(node, "%v", err)
		}
		return append(dst, text...), nil
	case "!!binary":
		return nil, r.faultHere(node, "binary values are not supported")
	}
	if strings.ContainsRune(node.Value, 0) {
		return nil, r.faultHere(node, "a text must not contain the NUL character")
	}
	return appendJSONText(dst, node.Value), nil
}

// appendJSONText writes a text as a JSON string.
func appendJSONText(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be written
	}
	return append(dst, text...)
}
