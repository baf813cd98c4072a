package httpapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/message"

	"github.com/muster-engine/muster/filterql"
)

// Bodies and parameters are checked against the document, so that it says what the handler takes, and nothing else
// does.

// mediaTypes are those of bodies that are checked.
var mediaTypes = []string{"application/json", "application/json-patch+json"}

// documentURL stands for the document where schemas refer to each other.
const documentURL = "muster:///openapi.json"

// checkers has the checks of bodies, by operation.
type checkers struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	byID     map[string]*jsonschema.Schema
}

var bodyCheckers checkers

// of returns the schema of the body of an operation; nil where it has none.
func (s *checkers) of(id string) *jsonschema.Schema {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.compiler == nil {
		s.compiler, s.byID = jsonschema.NewCompiler(), map[string]*jsonschema.Schema{}
		s.compiler.DefaultDraft(jsonschema.Draft2020)
		if err := s.compiler.AddResource(documentURL, plainSchema(assembled().tree)); err != nil {
			panic(err) // the document is a constant
		}
	}
	if schema, found := s.byID[id]; found {
		return schema
	}
	s.byID[id] = nil
	d := assembled()
	described := d.operations[id]
	if described == nil || described["requestBody"] == nil {
		return nil
	}
	content := d.resolve(described["requestBody"])["content"].(object)
	for _, media := range mediaTypes {
		if content[media] == nil {
			continue
		}
		at := fmt.Sprintf("muster:///bodies/%s.json", url.PathEscape(id))
		if err := s.compiler.AddResource(at, absolute(plainSchema(content[media].(object)["schema"]))); err != nil {
			panic(err)
		}
		s.byID[id] = s.compiler.MustCompile(at)
		break // all media types of a body have one schema
	}
	return s.byID[id]
}

// plainSchema returns a schema of OpenAPI 3.0 as JSON Schema has it: what is nullable has the type null too.
func plainSchema(value any) any {
	switch v := value.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plainSchema(v[i])
		}
		return list
	case object:
		plain := object{}
		for name, inner := range v {
			switch name {
			case "example", "examples", "default":
				continue // they are data
			}
			plain[name] = plainSchema(inner)
		}
		if v["nullable"] != true {
			return plain
		}
		delete(plain, "nullable")
		return object{"anyOf": []any{object{"type": "null"}, plain}}
	default:
		return value
	}
}

// absolute lets the references of a schema lead into the document.
func absolute(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = absolute(v[i])
		}
	case object:
		for name, inner := range v {
			if at, ok := inner.(string); ok && name == "$ref" {
				v[name] = documentURL + at
				continue
			}
			v[name] = absolute(inner)
		}
	}
	return value
}

// decode reads the body of a request, which must be as the document has it, into where.
func (c *call) decode(where any) error {
	data, err := c.read()
	if err != nil {
		return err
	}
	return c.decodeText(data, where)
}

// decodeText is decode of a body that was read. Numbers of what has no type of its own keep their digits.
func (c *call) decodeText(data []byte, where any) error {
	if schema := bodyCheckers.of(c.operation.id); schema != nil {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return badSyntax
		}
		if err := schema.Validate(value); err != nil {
			return schemaFailure(err)
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(where); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return illegalValue.with(fmt.Sprintf("%s: a value of another type is expected, %s was found", wrong.Field,
				wrong.Value))
		}
		return badSyntax
	}
	return nil
}

// schemaFailure says what the first fault of a body is. It quotes no value of the body.
func schemaFailure(err error) error {
	var found *jsonschema.ValidationError
	if !errors.As(err, &found) {
		return badSyntax
	}
	leaf := deepest(found)
	place := placeOf(leaf.InstanceLocation)
	printer := message.NewPrinter(textLanguage)
	var text string
	switch k := leaf.ErrorKind.(type) {
	case *kind.Required:
		slices.Sort(k.Missing)
		return dataMissing.with(joinPlace(place, k.Missing[0]) + ": it is missing")
	case *kind.Type:
		text = fmt.Sprintf("%s is expected, %s was found", strings.Join(k.Want, " or "), k.Got)
	case *kind.Pattern:
		text = "the text does not match the pattern " + k.Want
	case *kind.Format:
		text = "the text has not the format " + k.Want
	case *kind.MinItems:
		if k.Got == 0 {
			return dataMissing.with(cmp.Or(place, "body") + ": it is empty")
		}
		text = k.LocalizedString(printer)
	case *kind.MaxItems:
		return limitViolation.with(fmt.Sprintf("%s: %d are given, at most %d are allowed", cmp.Or(place, "body"),
			k.Got, k.Want))
	case *kind.AdditionalProperties:
		slices.Sort(k.Properties)
		return illegalValue.with(joinPlace(place, k.Properties[0]) + ": there is no such member")
	case *kind.Enum:
		text = "one of " + listed(k.Want) + " is expected"
	default:
		text = leaf.ErrorKind.LocalizedString(printer)
	}
	if place == "" {
		place = "The body"
	}
	return illegalValue.with(place + ": " + text)
}

func listed(values []any) string {
	var texts []string
	for _, value := range values {
		texts = append(texts, fmt.Sprint(value))
	}
	return strings.Join(texts, ", ")
}

// deepest returns the fault that lies deepest. Of alternatives that is the one which came furthest.
func deepest(err *jsonschema.ValidationError) *jsonschema.ValidationError {
	best := err
	for _, cause := range err.Causes {
		// That it is not null says nothing, where something else is expected.
		if k, ok := cause.ErrorKind.(*kind.Type); ok && slices.Equal(k.Want, []string{"null"}) {
			continue
		}
		leaf := deepest(cause)
		if best == err || len(leaf.InstanceLocation) > len(best.InstanceLocation) {
			best = leaf
		}
	}
	return best
}

// placeOf returns the place of a value in a body: roleIds[2].name.
func placeOf(location []string) string {
	place := ""
	for _, step := range location {
		if _, err := strconv.Atoi(step); err == nil {
			place += "[" + step + "]"
			continue
		}
		place = joinPlace(place, step)
	}
	return place
}

func joinPlace(place, name string) string {
	if place == "" {
		return name
	}
	return place + "." + name
}

// checkQuery holds the parameters of a query against the document: booleans, and lists of values. Numbers are those of
// pages, which are read elsewhere.
func (c *call) checkQuery(values url.Values) error {
	d := assembled()
	described, _ := d.operations[c.operation.id]["parameters"].([]any)
	for _, given := range described {
		p := d.resolve(given)
		name, _ := p["name"].(string)
		if p["in"] != "query" || !values.Has(name) || values.Get(name) == "" {
			continue
		}
		schema, _ := p["schema"].(object)
		text := values.Get(name)
		if _, ok := filterql.ParseTruth(text); !ok && schema["type"] == "boolean" && name != "count" {
			return illegalValue.with(fmt.Sprintf("%s: %s is given where true or false is allowed", name,
				filterql.Quoted(text)))
		}
		if allowed, ok := schema["enum"].([]any); ok && !slices.Contains(allowed, any(text)) {
			return illegalValue.with(fmt.Sprintf("%s: %s is given where one of %s is allowed", name,
				filterql.Quoted(text), listed(allowed)))
		}
	}
	return nil
}

// notDone answers an operation that is published and not done. docs/api.md lists these.
func (h *Handler) notDone(c *call) error {
	return notImplemented.with("The operation " + c.operation.id + " is not implemented by this server.")
}

// keysOf returns the names of the members of an object, sorted.
func keysOf(o object) []string { return slices.Sorted(maps.Keys(o)) }

var notImplemented = &failure{http.StatusNotImplemented, "501 Not implemented", ""}
