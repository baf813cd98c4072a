package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/muster-engine/muster/engine"
)

// objectTypes are the types of objects in the order of the menu, and their names.
var objectTypes = []struct {
	Kind  engine.ObjectType
	Title string
}{
	{engine.TypeSource, text("Sources")},
	{engine.TypeIdentityProfile, text("Identity Profiles")},
	{engine.TypeLifecycleState, text("Lifecycle States")},
	{engine.TypeIdentityAttribute, text("Identity attributes")},
	{engine.TypeTransform, text("Transforms")},
	{engine.TypeAccessProfile, text("Access Profiles")},
	{engine.TypeRole, text("Roles")},
	{engine.TypeSettings, text("Settings")},
}

// objectsMax is how many objects of a type the page of the configuration names.
const objectsMax = 500

// objectsView is the objects of a type.
type objectsView struct {
	*visit

	Types   []typeView
	Kind    string
	Begins  string
	Objects []engine.ConfigurationObject
	More    int // how many are left out
}

type typeView struct {
	Kind, Title string
	Current     bool
}

func (v *visit) objects() error {
	ctx, cancel := v.reading()
	defer cancel()
	query := v.r.URL.Query()
	view := &objectsView{visit: v, Kind: string(engine.TypeSource), Begins: strings.TrimSpace(query.Get("name"))}
	for _, t := range objectTypes {
		if query.Get("type") == string(t.Kind) {
			view.Kind = string(t.Kind)
		}
	}
	for _, t := range objectTypes {
		view.Types = append(view.Types, typeView{string(t.Kind), v.T(t.Title), string(t.Kind) == view.Kind})
	}
	objects, err := v.h.eng.ConfigurationObjects(ctx, engine.ObjectType(view.Kind))
	if err != nil {
		return err
	}
	begins := strings.ToLower(view.Begins)
	objects = slices.DeleteFunc(objects, func(o engine.ConfigurationObject) bool {
		return !strings.HasPrefix(strings.ToLower(o.Name), begins)
	})
	view.Objects = objects[:min(len(objects), objectsMax)]
	view.More = len(objects) - len(view.Objects)
	return v.render("objects", view)
}

// Reference returns the reference of an object's page from the list.
func (o *objectsView) Reference(object engine.ConfigurationObject) string {
	name := object.ID
	if name == "" {
		name = object.Name
	}
	return "object?type=" + string(object.Type) + "&name=" + urlQuery(name)
}

// objectView is an object of the configuration.
type objectView struct {
	*visit

	Object   engine.ConfigurationObject
	Document string // YAML
	Users    []engine.Referrer
}

func (v *visit) object() error {
	ctx, cancel := v.reading()
	defer cancel()
	query := v.r.URL.Query()
	kind := engine.ObjectType(query.Get("type"))
	object, err := v.h.eng.ConfigurationObject(ctx, kind, query.Get("name"))
	if err != nil {
		return err
	}
	view := &objectView{visit: v, Object: object}
	if view.Document, err = yamlOf(object.Object); err != nil {
		return err
	}
	name := object.ID
	if name == "" {
		name = object.Name
	}
	if kind != engine.TypeSettings {
		if view.Users, err = v.h.eng.ReferencesTo(ctx, kind, name); err != nil {
			return err
		}
	}
	return v.render("object", view)
}

// yamlOf writes a JSON document as YAML, with its members in their order.
func yamlOf(document json.RawMessage) (string, error) {
	if len(document) == 0 || string(document) == "null" {
		return "", nil
	}
	var node yaml.Node // JSON is YAML, in one line
	if err := yaml.Unmarshal(document, &node); err != nil {
		return "", err
	}
	plain(&node)
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return "", err
	}
	return b.String(), encoder.Close()
}

// plain takes the style of JSON from a node and those in it. A text that would be read as something else keeps its
// quotes.
func plain(node *yaml.Node) {
	node.Style &^= yaml.FlowStyle
	if node.Kind == yaml.ScalarNode && node.Tag == "!!str" {
		var other yaml.Node
		// What cannot be read without quotes keeps them too.
		if err := yaml.Unmarshal([]byte(node.Value), &other); err == nil && len(other.Content) == 1 &&
			other.Content[0].Kind == yaml.ScalarNode && other.Content[0].Tag == "!!str" &&
			other.Content[0].Value == node.Value {
			node.Style &^= yaml.DoubleQuotedStyle
		}
	}
	for _, child := range node.Content {
		plain(child)
	}
}

// revisionsLimit is how many revisions a page shows.
const revisionsLimit = 50

type revisionsView struct {
	*visit

	Revisions []engine.ConfigurationRevision
	Older     string
}

func (v *visit) revisions() error {
	ctx, cancel := v.reading()
	defer cancel()
	before, err := strconv.ParseInt(v.r.URL.Query().Get("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0
	}
	view := &revisionsView{visit: v}
	if view.Revisions, err = v.h.eng.ConfigurationRevisions(ctx, before, revisionsLimit); err != nil {
		return err
	}
	if n := len(view.Revisions); n == revisionsLimit {
		view.Older = v.with("before", strconv.FormatInt(view.Revisions[n-1].Version, 10))
	}
	return v.render("revisions", view)
}

// revisionView is a change of the configuration, object by object.
type revisionView struct {
	*visit

	Revision engine.ConfigurationRevision
	Changes  []objectChange
	Problem  string
}

// objectChange is what changed in an object, line by line.
type objectChange struct {
	Type, Name, Action string
	Lines              []diffLine
}

func (v *visit) versionOf() (int64, error) {
	version, err := strconv.ParseInt(v.values["id"], 10, 64)
	if err != nil || version < 1 {
		return 0, &pageError{status: http.StatusNotFound, key: "There is no revision with this number."}
	}
	return version, nil
}

func (v *visit) revision() error { return v.showRevision("") }

func (v *visit) showRevision(problem string) error {
	version, err := v.versionOf()
	if err != nil {
		return err
	}
	ctx, cancel := v.reading()
	defer cancel()
	view := &revisionView{visit: v, Problem: problem}
	if view.Revision, err = v.h.eng.ConfigurationRevision(ctx, version); err != nil {
		return err
	}
	if view.Changes, err = changesOf(view.Revision.Objects); err != nil {
		return err
	}
	return v.render("revision", view)
}

func changesOf(objects []engine.RevisionObject) ([]objectChange, error) {
	var changes []objectChange
	for i := range objects {
		o := &objects[i]
		before, err := yamlOf(o.Before)
		if err != nil {
			return nil, err
		}
		after, err := yamlOf(o.After)
		if err != nil {
			return nil, err
		}
		changes = append(changes, objectChange{string(o.Type), o.Name, string(o.Action), diff(before, after)})
	}
	return changes, nil
}

// revert undoes a change of the configuration, by a new revision.
func (v *visit) revert() error {
	version, err := v.versionOf()
	if err != nil {
		return err
	}
	options := []engine.ApplyOption{engine.Untrusted(),
		engine.WithComment("Revert version " + strconv.FormatInt(version, 10))}
	if v.r.PostFormValue("confirm") == "yes" {
		options = append(options, engine.Confirm())
	}
	result, err := v.h.eng.RevertConfiguration(v.ctx(), version, options...)
	var held *engine.RemovalHeldError
	switch {
	case errors.As(err, &held):
		v.status = http.StatusConflict
		return v.showRevision(held.Error())
	case engine.KindOf(err) == engine.Conflict:
		v.status = http.StatusConflict
		return v.showRevision(engine.Reason(err))
	case err != nil:
		return err
	}
	return v.tell(note{Key: "The change was reverted, by a new revision.", Run: result.Task},
		"configuration/revisions/")
}
