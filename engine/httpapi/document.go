package httpapi

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/muster-engine/muster/engine/right"
	"github.com/muster-engine/muster/filterql"
)

// The parts of the OpenAPI document: what all operations share, and a file for each resource. An operation there has
// what is its own: its summary, its parameters, its body and its successful answers. All else is in one place, and is
// added here: versions, filters, sorters and pages from the table of operations, scopes and user levels from that of
// rights, and the failures that all operations share.
//
//go:embed openapi
var parts embed.FS

// object is a JSON object.
type object = map[string]any

// published is the whole document.
type published struct {
	text []byte
	tree object
	// operations are its operations by ID, with the parameters of their paths.
	operations map[string]object
}

var assembled = sync.OnceValue(assemble)

// Document returns the OpenAPI document that the handler serves as /openapi.json. Each path is once in it; x-versions
// says under which versions an operation is, and where it is with the version behind the resource. Do not change it.
func Document() []byte { return assembled().text }

func assemble() *published {
	d := &published{tree: readPart("base.json"), operations: map[string]object{}}
	files, err := parts.ReadDir("openapi")
	if err != nil {
		panic(err) // it is embedded
	}
	for _, file := range files {
		if file.Name() != "base.json" {
			d.join(file.Name())
		}
	}
	known := map[string]*operation{}
	for i := range operations {
		known[operations[i].id] = &operations[i]
	}
	for p, item := range d.tree["paths"].(object) {
		d.complete(p, item.(object), known)
	}
	d.text, err = json.MarshalIndent(d.tree, "", " ")
	if err != nil {
		panic(err) // it was read as JSON
	}
	d.text = append(d.text, '\n')
	return d
}

func readPart(name string) object {
	text, err := parts.ReadFile(path.Join("openapi", name))
	if err != nil {
		panic(err) // it is embedded
	}
	var tree object
	if err := json.Unmarshal(text, &tree); err != nil {
		panic(fmt.Sprintf("openapi/%s: %v", name, err))
	}
	return tree
}

// join adds a part. What two parts have is a mistake in one of them.
func (d *published) join(name string) {
	tree := readPart(name)
	if tags, ok := tree["tags"].([]any); ok {
		d.tree["tags"] = append(d.tree["tags"].([]any), tags...)
	}
	merge(name, d.tree["paths"].(object), tree["paths"])
	components := d.tree["components"].(object)
	added, _ := tree["components"].(object)
	for kind, members := range added {
		if components[kind] == nil {
			components[kind] = object{}
		}
		merge(name, components[kind].(object), members)
	}
}

func merge(name string, into object, from any) {
	members, _ := from.(object)
	for key, value := range members {
		if into[key] != nil {
			panic(fmt.Sprintf("openapi/%s: %s is in another part too", name, key))
		}
		into[key] = value
	}
}

func reference(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }

// complete adds to the operations of a path what is not said in its part.
func (d *published) complete(p string, item object, known map[string]*operation) {
	var servers []string
	narrow := map[string][]string{}
	for method, given := range item {
		described, ok := given.(object)
		id, named := described["operationId"].(string)
		if !ok || !named {
			continue
		}
		o := known[id]
		if o == nil {
			continue // it has no version: /healthz, for one
		}
		if o.path != p || !strings.EqualFold(o.method, method) {
			panic(fmt.Sprintf("openapi: %s is %s %s, and not %s %s", id, o.method, o.path, method, p))
		}
		d.operations[id] = described
		narrow[id] = o.describe(described)
		servers = append(servers, narrow[id]...)
		described["parameters"] = d.parameters(o, item, described)
		shareFailures(o.method, described)
	}
	if servers == nil {
		return
	}
	slices.Sort(servers)
	servers = slices.Compact(servers)
	item["servers"] = serversOf(servers)
	for id, own := range narrow {
		if len(own) < len(servers) { // it is not under all versions of its path
			d.operations[id]["servers"] = serversOf(own)
		}
	}
	shared, _ := item["parameters"].([]any)
	item["parameters"] = append(shared, reference("parameters", "AcceptLanguage"))
}

func serversOf(versions []string) []any {
	var list []any
	for _, version := range []string{versionBeta, version3, version2024, version2025, version2026} {
		if slices.Contains(versions, version) {
			list = append(list, object{"url": "/" + version})
		}
	}
	return list
}

// describe adds the versions, the scopes and the user levels of an operation. It returns the versions in front of the
// path.
func (o *operation) describe(described object) (servers []string) {
	var versions []any
	for _, version := range o.versions {
		if isBehind(version) {
			resource, _, _ := strings.Cut(o.path[1:], "/")
			versions = append(versions, "/"+resource+"/"+version)
			continue
		}
		versions = append(versions, version)
		servers = append(servers, version)
	}
	described["x-versions"] = versions
	rights := right.Of(o.id)
	if rights == nil {
		panic("right: there is no operation " + o.id)
	}
	described["x-scopes"], described["x-user-levels"] = demands(rights.Grants)
	if rights.Since2024 != nil {
		described["x-scopes-since-v2024"], described["x-user-levels-since-v2024"] = demands(rights.Since2024)
	}
	return servers
}

// demands returns the scopes and the user levels of grants, each once and in their order.
func demands(grants []right.Grant) (scopes, levels []any) {
	scopes, levels = []any{}, []any{}
	for _, grant := range grants {
		for _, scope := range grant.Scopes {
			if !slices.Contains(scopes, any(scope)) {
				scopes = append(scopes, scope)
			}
		}
		for _, level := range grant.Levels {
			if !slices.Contains(levels, any(string(level))) {
				levels = append(levels, string(level))
			}
		}
	}
	return scopes, levels
}

// inPath finds the parameters of a path.
var inPath = regexp.MustCompile(`\{([^}]+)\}`)

// parameters returns the parameters of an operation: those of its part, those of its path, and those of a list.
func (d *published) parameters(o *operation, item, described object) []any {
	given, _ := described["parameters"].([]any)
	shared, _ := item["parameters"].([]any)
	has := map[string]bool{}
	for _, p := range slices.Concat(given, shared) {
		has[d.resolve(p)["name"].(string)] = true
	}
	list := slices.Clone(given)
	for _, match := range inPath.FindAllStringSubmatch(o.path, -1) {
		if !has[match[1]] {
			list = append(list, object{"in": "path", "name": match[1], "required": true,
				"schema": object{"type": "string"}, "description": "The ID, with or without dashes.",
				"example": "0197a3c2f0b87d3e9a41c6d2e5f70812"})
		}
	}
	for _, name := range o.parameters() {
		if has[name] {
			continue
		}
		switch name {
		case "filters":
			list = append(list, o.list.filterParameter())
		case "sorters":
			list = append(list, o.list.sorterParameter())
		case "count":
			list = append(list, reference("parameters", "Count"))
		case "offset":
			list = append(list, reference("parameters", "Offset"))
		case "limit":
			list = append(list, o.limitParameter())
		default:
			panic("openapi: the parameter " + name + " of " + o.id + " is not described")
		}
	}
	return list
}

// resolve returns a parameter, also where it is a reference to one.
func (d *published) resolve(value any) object {
	o := value.(object)
	at, isReference := o["$ref"].(string)
	if !isReference {
		return o
	}
	found := d.tree
	for part := range strings.SplitSeq(strings.TrimPrefix(at, "#/"), "/") {
		next, ok := found[part].(object)
		if !ok {
			panic("openapi: there is nothing at " + at)
		}
		found = next
	}
	return found
}

func (o *operation) limitParameter() object {
	limit, most := filterql.LimitDefault, filterql.LimitMax
	if o.list != nil {
		limit, most = o.list.limits()
	}
	if limit == filterql.LimitDefault && most == filterql.LimitMax {
		return reference("parameters", "Limit")
	}
	return object{"in": "query", "name": "limit", "required": false, "example": most,
		"description": "The most results to answer. With 0 there are none, but they can be counted.",
		"schema":      object{"type": "integer", "format": "int32", "minimum": 0, "maximum": most, "default": limit}}
}

func (l *listing) filterParameter() object {
	var fields []string
	for _, f := range l.schema.Fields() {
		if f.Ops != 0 {
			fields = append(fields, fmt.Sprintf("%s (%s)", f.Name, strings.ReplaceAll(f.Ops.String(), " ", " ")))
		}
	}
	p := object{"in": "query", "name": "filters", "required": false, "schema": object{"type": "string"},
		"description": "Which objects to list, by the fields and operators " + strings.Join(fields, "; ") +
			". Expressions may be joined by and, or, not and parentheses."}
	if l.example != "" {
		p["example"] = l.example
	}
	return p
}

func (l *listing) sorterParameter() object {
	var fields []string
	for _, f := range l.schema.Fields() {
		if f.Sortable {
			fields = append(fields, f.Name)
		}
	}
	return object{"in": "query", "name": "sorters", "required": false, "example": "-" + fields[0],
		"schema": object{"type": "string", "format": "comma-separated"},
		"description": "Fields to sort by, with commas between them and a minus before those that descend: " +
			strings.Join(fields, ", ") + "."}
}

// shared are the failures of all operations.
var shared = map[string]string{"400": "BadRequest", "401": "Unauthorized", "403": "Forbidden",
	"405": "MethodNotAllowed", "429": "TooManyRequests", "500": "InternalServerError", "503": "ServiceUnavailable"}

// shareFailures adds the answers that all operations of a kind share.
func shareFailures(method string, described object) {
	responses := described["responses"].(object)
	all := maps.Clone(shared)
	if described["requestBody"] != nil {
		all["413"], all["415"] = "ContentTooLarge", "UnsupportedMediaType"
	}
	if method == http.MethodGet && responses["200"] != nil {
		all["304"] = "NotModified"
	}
	for status, name := range all {
		if responses[status] == nil {
			responses[status] = reference("responses", name)
		}
	}
}
