package configuration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/filterql/jsontext"
	"github.com/muster-engine/muster/filterql/suggest"
)

// finding is what is to be said about one member of a document.
type finding struct {
	document *Document
	object   string // such as: source "HR"
	path     string // of the member
	generic  string // the path without places in lists, by which findings of several objects are put together
	text     string // what is wrong, or why it is kept
}

// line returns the finding on a line of its own.
func (f *finding) line() string {
	return fmt.Sprintf("%s: %s: %s: %s", f.document.Place, f.object, f.path, f.text)
}

// findings are what inspecting documents found.
type findings struct {
	unknown, wrong, refused, kept []finding
	notes                         []string
	spellings                     []Spelling
}

// inspector inspects one object, and brings it into the form in which it is stored.
type inspector struct {
	*findings
	document *Document
	object   string
	changed  bool // the object is not as it was given
	// spelled are the spellings that the document uses, by the published names of members.
	spelled map[string]string
}

// inspect inspects a document and brings its object into the form in which it is stored: exports' spellings become the
// published ones, and refused members are left out. What is a fault is repaired where it is clear what is meant, and
// else left out, so that the rest can be judged too. What is no object is left to the decoder to refuse.
func (f *findings) inspect(d *Document) {
	shape := shapeOf(d.Type)
	if shape == nil {
		return
	}
	tree, err := decodeTree(d.Object)
	object, isObject := tree.(map[string]any)
	if err != nil || !isObject {
		return // the decoder of the type says what is expected
	}
	i := inspector{findings: f, document: d, object: fmt.Sprintf("%s %q", typeWords(d.Type), nameIn(object))}
	if d.Type == TypeSource {
		i.respell(object)
		for _, published := range slices.Sorted(maps.Keys(i.spelled)) {
			f.spellings = append(f.spellings, Spelling{d.Place, i.object, published, i.spelled[published]})
		}
	}
	if d.Type == TypeIdentityAttribute {
		i.promoted(object)
	}
	i.omitted(d.Type, object)
	i.walk(shape, object, nil)
	if d.Type == TypeTransform {
		i.transform(d.Object, nil)
	}
	if i.changed {
		d.Object = marshal(object)
	}
}

// decodeTree decodes JSON; numbers keep their digits.
func decodeTree(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	err := decoder.Decode(&tree)
	return tree, err
}

// typeWords returns a type in words, such as "identity profile".
func typeWords(kind ObjectType) string {
	return strings.ToLower(strings.ReplaceAll(string(kind), "_", " "))
}

// nameIn returns the name of an object, clipped, or "" if it has none that could be shown.
func nameIn(object map[string]any) string {
	for _, member := range []string{"name", "technicalName", "id"} {
		if name, isText := object[member].(string); isText && name != "" {
			return clipped(name)
		}
	}
	return ""
}

// step is one step of a path: a member, or a place in a list.
type step struct {
	member string
	at     int  // where member is ""
	whole  bool // member is a path, made by others
}

// paths returns a path as it is shown, and without the places in lists.
func paths(steps []step) (path, generic string) {
	var p, g strings.Builder
	for _, s := range steps {
		if s.member == "" {
			p.WriteString("[" + strconv.Itoa(s.at) + "]")
			continue
		}
		if p.Len() > 0 {
			p.WriteByte('.')
			g.WriteByte('.')
		}
		name := s.member
		if !s.whole {
			name = clipped(name)
		}
		p.WriteString(jsontext.Printable(name))
		g.WriteString(jsontext.Printable(name))
	}
	return p.String(), g.String()
}

// find records a finding, under the spelling that the document uses.
func (i *inspector) find(list *[]finding, steps []step, format string, arguments ...any) {
	if len(steps) > 0 && i.spelled[steps[0].member] != "" {
		steps = slices.Clone(steps)
		steps[0].member = i.spelled[steps[0].member]
	}
	path, generic := paths(steps)
	*list = append(*list, finding{i.document, i.object, path, generic, fmt.Sprintf(format, arguments...)})
}

// walk inspects the members of an object.
func (i *inspector) walk(shape *Shape, object map[string]any, steps []step) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		i.member(shape, object, name, append(steps[:len(steps):len(steps)], step{member: name}))
	}
	switch shape {
	case sourceShape:
		i.settings(object, steps)
	case policyShape:
		usage, _ := object["usageType"].(string)
		switch {
		case usage == "" || usage == usageCreate:
		case !slices.Contains(usageTypes, usage):
			i.find(&i.unknown, append(steps, step{member: "usageType"}), "%q is none: %s are%s", clipped(usage),
				strings.Join(usageTypes, ", "), DidYouMean(usage, usageTypes))
			i.repair(object, "usageType", suggest.Nearest(usage, usageTypes))
		case !blank(object["fields"]):
			i.find(&i.kept, append(steps, step{member: "fields"}), "usageType %s: %s", usage, whyUsage)
		}
	case scheduleShape:
		kind, _ := object["type"].(string)
		switch {
		case kind == "" || kind == accountAggregation:
		case !slices.Contains(scheduleTypes, kind):
			i.find(&i.unknown, append(steps, step{member: "type"}), "%q is none: %s are%s", clipped(kind),
				strings.Join(scheduleTypes, ", "), DidYouMean(kind, scheduleTypes))
			i.repair(object, "type", suggest.Nearest(kind, scheduleTypes))
		default:
			i.find(&i.kept, append(steps, step{member: "cronExpression"}), "type %s: only ACCOUNT_AGGREGATION has a "+
				"schedule, and reads groups too", kind)
		}
	}
}

// member inspects the member of an object that has a name.
func (i *inspector) member(shape *Shape, object map[string]any, name string, at []step) {
	m := shape.member(name)
	if m == nil {
		i.unlisted(shape, object, name, at)
		return
	}
	value := object[name]
	if m.Use == Refused {
		if !m.isDefault(value) {
			i.find(&i.refused, at, "%s%s", namedIn(value), m.Why)
			i.leaveOut(object, name)
		}
		return
	}
	if m.Use == Read {
		value = i.whole(m, value)
		object[name] = value
	}
	if !i.fits(m, shape.Loose, object, name, at) {
		return
	}
	value = object[name]
	switch {
	case shape.Prefixed && m.Name != name: // of the file of another schema
		if !m.isDefault(value) {
			i.find(&i.kept, at, "%s", whyGroup)
		}
	case m.Use == Read:
		i.inner(m, value, at)
	case m.Shape == nil || value == nil:
		if !m.isDefault(value) {
			i.find(&i.kept, at, "%s", m.Why)
		}
	case m.Kind == KindReference || m.Kind == KindReferences:
		if !blank(value) {
			i.find(&i.kept, at, "%s", m.Why)
		}
		i.inner(m, value, at)
	default:
		i.inner(m, value, at)
	}
}

// repair gives a member that is a fault the value that is meant, where that is known.
func (i *inspector) repair(object map[string]any, name, meant string) {
	if meant != "" {
		object[name], i.changed = meant, true
	}
}

// leaveOut takes a member away.
func (i *inspector) leaveOut(object map[string]any, name string) {
	delete(object, name)
	i.changed = true
}

// usageCreate is the usageType of policies for new accounts.
const usageCreate = "CREATE"

// The published types of policies, and of schedules.
var (
	usageTypes = []string{usageCreate, "UPDATE", "ENABLE", "DISABLE", "DELETE", "ASSIGN", "UNASSIGN", "CREATE_GROUP",
		"UPDATE_GROUP", "DELETE_GROUP", "REGISTER", "CREATE_IDENTITY", "UPDATE_IDENTITY", "EDIT_GROUP", "UNLOCK",
		"CHANGE_PASSWORD"}
	scheduleTypes = []string{accountAggregation, "GROUP_AGGREGATION"}
)

// inner inspects the objects in the value of a member.
func (i *inspector) inner(m *Member, value any, steps []step) {
	if m.Kind == KindTransform {
		if _, isObject := value.(map[string]any); isObject {
			i.transform(marshal(value), steps)
		}
		return
	}
	if m.Shape == nil {
		return
	}
	switch v := value.(type) {
	case map[string]any:
		i.walk(m.Shape, v, steps)
	case []any:
		for k, element := range v {
			if object, isObject := element.(map[string]any); isObject {
				i.walk(m.Shape, object, append(steps[:len(steps):len(steps)], step{at: k}))
			}
		}
	}
}

// unlisted inspects a member that a shape does not list. Where another one is meant, it is inspected as that.
func (i *inspector) unlisted(shape *Shape, object map[string]any, name string, steps []step) {
	value, names := object[name], shape.names()
	nearest := suggest.Nearest(name, names)
	switch {
	case nearest != "":
		i.find(&i.unknown, steps, "did you mean %q?", nearest)
		i.leaveOut(object, name)
		if _, given := object[nearest]; !given {
			object[nearest] = value
			i.member(shape, object, nearest, steps)
		}
	case shape == fieldLimitsShape: // a variable: the compiler finds out who reads it
	case shape.Open != "":
		if !blank(value) {
			i.find(&i.kept, steps, "%s is not known here", strings.TrimSuffix(shape.Open, "s"))
		}
	default:
		slices.Sort(names)
		i.find(&i.unknown, steps, "%s has only %s", shape.Name, strings.Join(names, ", "))
		i.leaveOut(object, name)
	}
}

// settings inspects the connectorAttributes of a source.
func (i *inspector) settings(source map[string]any, steps []step) {
	settings, isObject := source["connectorAttributes"].(map[string]any)
	if !isObject {
		return
	}
	connector, _ := source["connector"].(string)
	at := append(steps[:len(steps):len(steps)], step{member: "connectorAttributes"})
	shape := settingsShape(connector)
	if shape != unknownShape {
		i.walk(shape, settings, at)
		return
	}
	var others []string
	for name, value := range settings {
		if shape.member(name) == nil && !blank(value) {
			others = append(others, jsontext.Printable(clipped(name)))
		}
	}
	i.walk(&Shape{Name: shape.Name, Members: shape.Members, Open: shape.Open}, only(settings, shape), at)
	if len(others) > 0 {
		slices.Sort(others)
		i.notes = append(i.notes, fmt.Sprintf("%s: connectorAttributes are for the connector %q, which says what it "+
			"reads; without it in this program they have no effect: %s", i.object, clipped(connector),
			someOf(others)))
	}
}

// only returns the members of an object that a shape lists.
func only(object map[string]any, shape *Shape) map[string]any {
	listed := map[string]any{}
	for name, value := range object {
		if shape.member(name) != nil {
			listed[name] = value
		}
	}
	return listed
}

// transform inspects a transform at a path.
func (i *inspector) transform(definition []byte, steps []step) {
	for _, u := range transform.UnreadMembers(definition) {
		at := append(steps[:len(steps):len(steps)], step{member: u.Path, whole: true})
		switch {
		case u.Meant != "":
			i.find(&i.unknown, at, "did you mean %q?", u.Meant)
		case u.Variable:
			i.find(&i.kept, at, "it is a variable that no template reads")
		default:
			i.find(&i.unknown, at, "a transform has only type and attributes")
		}
	}
}

// whole returns the value of a whole number without the fraction of zeros that exports write, as 10.0.
func (i *inspector) whole(m *Member, value any) any {
	number, isNumber := value.(json.Number)
	if m.Kind != KindWhole || !isNumber {
		return value
	}
	digits, zeros, found := strings.Cut(string(number), ".")
	if !found || strings.Trim(zeros, "0") != "" {
		return value
	}
	i.changed = true
	return json.Number(digits)
}

// isDefault reports whether a value says no more than a missing member does.
func (m *Member) isDefault(value any) bool {
	if value == nil || m.Default == "" {
		return blank(value)
	}
	standard, err := decodeTree([]byte(m.Default))
	if err != nil {
		panic(err) // the tables are tested
	}
	if text, isText := value.(string); isText && m.Kind == KindFlag { // as exports write flags
		return strings.EqualFold(text, fmt.Sprint(standard))
	}
	return bytes.Equal(marshal(value), marshal(standard)) || m.Kind == KindText && value == ""
}

// blank reports whether a value says nothing: null, false, 0, an empty text, and lists and objects of such values.
func blank(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == "" || strings.EqualFold(v, "false")
	case json.Number:
		return strings.Trim(string(v), "-0.") == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, inner := range v {
			if !blank(inner) {
				return false
			}
		}
	}
	return !isScalar(value)
}

func isScalar(value any) bool {
	switch value.(type) {
	case bool, string, json.Number:
		return true
	}
	return false
}

// namedIn returns the name in a reference, for a text that names it, or "".
func namedIn(value any) string {
	if object, isObject := value.(map[string]any); isObject {
		if name, isText := object["name"].(string); isText && name != "" {
			return fmt.Sprintf("%q: ", clipped(name))
		}
	}
	return ""
}

// someMax is how many names a note lists.
const someMax = 12

// someOf lists names, some of them where they are many.
func someOf(names []string) string {
	if len(names) <= someMax {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:someMax], ", "), len(names)-someMax)
}

// omitted sets what an export means by a member that it omits.
func (i *inspector) omitted(kind ObjectType, object map[string]any) {
	if !i.document.Exported {
		return
	}
	switch kind {
	case TypeLifecycleState:
		i.disable(object)
	case TypeIdentityProfile:
		states, _ := object["lifecycleStates"].([]any)
		for _, state := range states {
			if s, isObject := state.(map[string]any); isObject {
				i.disable(s)
			}
		}
	}
}

// disable says of a lifecycle state of an export that it is not enabled if the export does not say it.
func (i *inspector) disable(state map[string]any) {
	if state["enabled"] != nil {
		return
	}
	state["enabled"], i.changed = false, true
	i.notes = append(i.notes, fmt.Sprintf("lifecycle state %q: the export does not say enabled, which means false: "+
		"nobody will be in it", nameIn(state)))
}

// respell gives members of a source that exports spell otherwise their published names.
func (i *inspector) respell(source map[string]any) {
	i.spelled = map[string]string{}
	if script, given := source["connectorScriptName"]; given {
		switch connector := source["connector"]; {
		case connector == nil || connector == "":
			source["connector"], i.spelled["connector"] = script, "connectorScriptName"
		case script != nil && script != connector:
			i.find(&i.wrong, []step{{member: "connectorScriptName"}}, "connectorScriptName and connector name "+
				"different connectors: give one of them")
		}
		i.leaveOut(source, "connectorScriptName")
	}
	const details, published = "correlationConfigDetails", "accountCorrelationConfig"
	given, has := source[details]
	if !has {
		return
	}
	i.leaveOut(source, details)
	if given == nil {
		return
	}
	assigned, _ := source[published].(map[string]any)
	detailed, isObject := given.(map[string]any)
	switch {
	case source[published] == nil:
		source[published], i.spelled[published] = given, details
	case !isObject:
		i.find(&i.wrong, []step{{member: details}}, "%s is given where %s is expected", givenWord(given),
			KindObject.expected())
	case blank(detailed["attributeAssignments"]):
		i.walk(correlationShape, detailed, []step{{member: details}}) // what stands beside it counts
	case assigned != nil && blank(assigned["attributeAssignments"]):
		i.walk(correlationShape, assigned, []step{{member: published}})
		source[published], i.spelled[published] = given, details
	case assigned != nil && !bytes.Equal(marshal(assigned["attributeAssignments"]),
		marshal(detailed["attributeAssignments"])):
		i.find(&i.wrong, []step{{member: details}}, "correlationConfigDetails and accountCorrelationConfig assign "+
			"different attributes: give one of them")
	default:
		i.walk(correlationShape, detailed, []step{{member: details}})
	}
}
