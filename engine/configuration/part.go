package configuration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Objects of exports that are parts of others here.
const (
	// typeAttributeSync is the synchronization of one source: its attributeSyncConfig.
	typeAttributeSync ObjectType = "ATTR_SYNC_SOURCE_CONFIG"
	// typeIdentityObject has the definitions of identity attributes.
	typeIdentityObject ObjectType = "IDENTITY_OBJECT_CONFIG"
)

// promotionRule is the rule by which the vendor's product takes the value of an attribute from the mapping of a
// profile, as it is done here without a rule.
const promotionRule = "Cloud Promote Identity Attribute"

// Synchronization is the attributeSyncConfig of a source that an export has as an object of its own. It is for package
// engine.
type Synchronization struct {
	Source Reference
	Config json.RawMessage
	Place  string // of its document
	object map[string]any
}

// syncObjectShape is of objects of the type [typeAttributeSync].
var syncObjectShape = &Shape{Name: syncShape.Name, Members: []Member{
	read("id", KindText, "", `"2c91808568c529c60168cca6f90c1324"`, "the source's ID"),
	read("name", KindText, "", `"Directory"`, "the source's name"),
	read("source", KindReference, "", `{"name": "Directory"}`, "the source"),
	*syncShape.member("attributes"),
}}

// synchronization reads an object of the type [typeAttributeSync]. Its envelope has the name of the source, which
// exports write with the type behind it.
func synchronization(d *Document) (Synchronization, error) {
	s := Synchronization{Place: d.Place}
	tree, err := decodeTree(d.Object)
	if err != nil {
		return s, err
	}
	s.object, _ = tree.(map[string]any)
	var shape struct {
		Name       string          `json:"name"`
		Source     *Reference      `json:"source"`
		Attributes json.RawMessage `json:"attributes"`
	}
	if err := DecodeObject(d.Object, &shape); err != nil {
		return s, err
	}
	s.Source = Reference{Name: strings.TrimSuffix(shape.Name, " [source]")}
	if shape.Source != nil {
		s.Source = *shape.Source
	}
	if s.Source.ID == "" && s.Source.Name == "" {
		return s, fmt.Errorf("source is missing: the source that is synchronized")
	}
	if isNone(shape.Attributes) {
		shape.Attributes = json.RawMessage("[]")
	}
	s.Config = marshal(map[string]any{"attributes": shape.Attributes})
	return s, nil
}

// identityAttributes returns the definitions in an object of the type [typeIdentityObject] as documents: it is one
// definition, or has a list of them. system are the names of those that the engine alone writes. found is false if it
// is neither.
func identityAttributes(d *Document) (documents []Document, system []string, found bool) {
	tree, err := decodeTree(d.Object)
	object, isObject := tree.(map[string]any)
	if err != nil || !isObject {
		return nil, nil, false
	}
	list := []any{object}
	path := ""
	for _, member := range []string{"attributes", "identityAttributes", "objectAttributes"} {
		if inner, isList := object[member].([]any); isList {
			list, path, found = inner, member, true
			break
		}
	}
	if path == "" {
		found = slices.ContainsFunc([]string{"multi", "searchable", "standard", "system"}, func(member string) bool {
			_, has := object[member]
			return has
		})
	}
	if !found {
		return nil, nil, false
	}
	for i, element := range list {
		definition, isObject := element.(map[string]any)
		place := d.Place
		if path != "" {
			place += fmt.Sprintf(".%s[%d]", path, i)
		}
		if isObject {
			if name, _ := definition["name"].(string); IsSystemAttribute(name) {
				system = append(system, name)
				continue
			}
			delete(definition, "id") // definitions are told apart by their names
		}
		documents = append(documents, Document{Type: TypeIdentityAttribute, Object: marshal(element), Place: place,
			Exported: true})
	}
	return documents, system, true
}

// isSystemDefinition reports whether a document is the definition of an attribute that the engine alone writes, as a
// list of all definitions has them.
func isSystemDefinition(d *Document) (name string, system bool) {
	var definition struct {
		Name   string `json:"name"`
		System bool   `json:"system"`
	}
	if d.Type != TypeIdentityAttribute || json.Unmarshal(d.Object, &definition) != nil {
		return "", false
	}
	return definition.Name, definition.System && IsSystemAttribute(definition.Name)
}

// promoted removes from the definition of an identity attribute the vendor's rule that takes its value from the mapping
// of a profile.
func (i *inspector) promoted(definition map[string]any) {
	sources, isList := definition["sources"].([]any)
	if !isList {
		return
	}
	rest := slices.DeleteFunc(slices.Clone(sources), func(source any) bool {
		object, _ := source.(map[string]any)
		properties, _ := object["properties"].(map[string]any)
		name, _ := properties["ruleName"].(string)
		return name == promotionRule
	})
	if len(rest) < len(sources) {
		definition["sources"], i.changed = rest, true
	}
}
