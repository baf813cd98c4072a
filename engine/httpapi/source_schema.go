package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
)

var sourceSchemaOperations = []operation{
	{
		id: "getSourceSchemas", method: http.MethodGet, path: "/sources/{sourceId}/schemas", versions: every,
		query: []string{"include-types", "include-names"}, handle: (*Handler).listSchemas,
	},
	{
		id: "createSourceSchema", method: http.MethodPost, path: "/sources/{sourceId}/schemas", versions: every,
		handle: (*Handler).createSchema,
	},
	{
		id: "getSourceSchema", method: http.MethodGet, path: "/sources/{sourceId}/schemas/{schemaId}", versions: every,
		handle: (*Handler).getSchema,
	},
	{
		id: "putSourceSchema", method: http.MethodPut, path: "/sources/{sourceId}/schemas/{schemaId}", versions: every,
		handle: (*Handler).putSchema,
	},
	{
		id: "updateSourceSchema", method: http.MethodPatch, path: "/sources/{sourceId}/schemas/{schemaId}",
		versions: every, handle: (*Handler).patchSchema,
	},
	{
		id: "deleteSourceSchema", method: http.MethodDelete, path: "/sources/{sourceId}/schemas/{schemaId}",
		versions: every, handle: (*Handler).deleteSchema,
	},
}

// accountSchema is the name of the schema of the accounts. All others are of groups.
const accountSchema = "account"

// schemaFixed are the members of a schema that stay what they are.
var schemaFixed = []string{"id", "name", "created", "modified"}

// schemasOf returns the schemas in the document of a source.
func schemasOf(source object) []object {
	list, _ := source["schemas"].([]any)
	var schemas []object
	for _, element := range list {
		if schema, ok := element.(object); ok {
			schemas = append(schemas, schema)
		}
	}
	return schemas
}

func nameOf(o object) string {
	name, _ := o["name"].(string)
	return name
}

// schemaID returns the ID of a schema. A document names schemas by their names, which do not change.
func schemaID(source string, schema object) string {
	return ownID(schema, source, "schema", nameOf(schema))
}

// schemaReferences names the schemas of a source.
func schemaReferences(id string, source object) []any {
	references := []any{}
	for _, schema := range schemasOf(source) {
		references = append(references, object{"type": "CONNECTOR_SCHEMA", "id": schemaID(id, schema),
			"name": nameOf(schema)})
	}
	return references
}

// showSchema gives a schema its published shape.
func showSchema(o *engine.ConfigurationObject, source, schema object) object {
	shape := object{"id": schemaID(o.ID, schema), "name": nameOf(schema), "created": given(schema["created"],
		o.Created),
		"modified": given(schema["modified"], o.Modified)}
	for name, standard := range map[string]any{"nativeObjectType": nameOf(schema), "identityAttribute": "",
		"displayAttribute": "", "hierarchyAttribute": nil, "includePermissions": false, "features": []any{},
		"configuration": object{}} {
		shape[name] = standard
		if value := schema[name]; value != nil {
			shape[name] = value
		}
	}
	attributes := []any{}
	list, _ := schema["attributes"].([]any)
	for _, element := range list {
		attribute, _ := element.(object)
		attributes = append(attributes, showSchemaAttribute(o.ID, source, attribute))
	}
	shape["attributes"] = attributes
	return shape
}

func showSchemaAttribute(id string, source, attribute object) object {
	shape := object{"name": nameOf(attribute), "schema": nil}
	for name, standard := range map[string]any{"nativeName": nil, "type": "STRING", "description": "",
		"isMulti": false, "isEntitlement": false, "isGroup": false} {
		shape[name] = standard
		if value := attribute[name]; value != nil && value != "" {
			shape[name] = value
		}
	}
	if equality := attribute["equality"]; equality != nil { // ours: how the source compares the values
		shape["equality"] = equality
	}
	if reference, ok := attribute["schema"].(object); ok {
		of := object{"type": "CONNECTOR_SCHEMA", "name": nameOf(reference)}
		for _, schema := range schemasOf(source) {
			if nameOf(schema) == nameOf(reference) {
				of["id"] = schemaID(id, schema)
			}
		}
		shape["schema"] = of
	}
	return shape
}

func (h *Handler) listSchemas(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	o, source, err := h.sourceNamed(c, "sourceId")
	if err != nil {
		return err
	}
	types, names := q.text("include-types"), strings.Split(q.text("include-names"), ",")
	list := []object{}
	for _, schema := range schemasOf(source) {
		name := nameOf(schema)
		if types == "group" && name == accountSchema ||
			q.text("include-names") != "" && !slices.Contains(names, name) {
			continue
		}
		list = append(list, showSchema(&o, source, schema))
	}
	c.respond(http.StatusOK, list)
	return nil
}

// schemaAt returns the place of the schema whose ID is in the path, among those of a source.
func (c *call) schemaAt(o *engine.ConfigurationObject, source object) (int, error) {
	id, err := c.idIn("schemaId")
	if err != nil {
		return 0, err
	}
	at := slices.IndexFunc(schemasOf(source), func(schema object) bool { return schemaID(o.ID, schema) == id })
	if at < 0 {
		return 0, noResource
	}
	return at, nil
}

func (h *Handler) getSchema(c *call) error { return h.answerSchema(c, http.StatusOK) }

func (h *Handler) answerSchema(c *call, status int) error {
	o, source, err := h.sourceNamed(c, "sourceId")
	if err != nil {
		return err
	}
	at, err := c.schemaAt(&o, source)
	if err != nil {
		return err
	}
	c.respond(status, showSchema(&o, source, schemasOf(source)[at]))
	return nil
}

// createSchema adds a schema to a source. Its ID comes from its name, which no other schema of the source may have.
func (h *Handler) createSchema(c *call) error {
	var sent object
	if err := c.decode(&sent); err != nil {
		return err
	}
	name := nameOf(sent)
	if name == "" {
		return dataMissing.with("name: it is missing or empty")
	}
	for _, fixed := range []string{"id", "created", "modified"} {
		delete(sent, fixed)
	}
	err := h.editSource(c, "sourceId", func(o *engine.ConfigurationObject, source object) error {
		list, _ := source["schemas"].([]any)
		if slices.ContainsFunc(schemasOf(source), func(s object) bool { return nameOf(s) == name }) {
			return badContent.with("name: the source has a schema of this name already")
		}
		source["schemas"] = append(list, sent)
		return checkSchema(o.ID, source, sent)
	})
	if err != nil {
		return err
	}
	o, source, err := h.sourceNamed(c, "sourceId")
	if err != nil {
		return err
	}
	for _, schema := range schemasOf(source) {
		if nameOf(schema) == name {
			c.respond(http.StatusCreated, showSchema(&o, source, schema))
			return nil
		}
	}
	return noResource // it was deleted meanwhile
}

// checkSchema checks what only the published rules demand of a schema, and gives its references names: by these a
// document tells schemas apart.
func checkSchema(id string, source, schema object) error {
	list, _ := schema["attributes"].([]any)
	for i, element := range list {
		attribute, ok := element.(object)
		if !ok {
			return illegalValue.with(fmt.Sprintf("attributes[%d]: an object is expected", i))
		}
		place := fmt.Sprintf("attributes[%d] (%s)", i, nameOf(attribute))
		group, _ := attribute["isGroup"].(bool)
		entitlement, _ := attribute["isEntitlement"].(bool)
		reference, refers := attribute["schema"].(object)
		if refers {
			if err := nameReference(id, source, reference); err != nil {
				return illegalValue.with(place + ".schema: " + err.Error())
			}
		}
		switch {
		case group && !entitlement:
			return illegalValue.with(place + ".isGroup: it needs isEntitlement")
		case group && !refers:
			return illegalValue.with(place + ".isGroup: it needs the schema of the groups")
		}
	}
	return nil
}

// nameReference gives a reference to a schema the name of the schema, which must exist.
func nameReference(id string, source, reference object) error {
	text, _ := reference["id"].(string)
	wanted, known := knownID(text)
	for _, schema := range schemasOf(source) {
		if known && schemaID(id, schema) == wanted || !known && nameOf(schema) == nameOf(reference) {
			reference["name"] = nameOf(schema)
			delete(reference, "id")
			return nil
		}
	}
	return illegalValue.with("the source has no such schema")
}

// changeSchema changes the schema whose ID is in the path: change gets its published shape and returns it as it should
// be.
func (h *Handler) changeSchema(c *call, change func(before object) (object, error)) error {
	err := h.editSource(c, "sourceId", func(o *engine.ConfigurationObject, source object) error {
		at, err := c.schemaAt(o, source)
		if err != nil {
			return err
		}
		stored := schemasOf(source)[at]
		before, err := plain(showSchema(o, source, stored))
		if err != nil {
			return err
		}
		after, err := change(before)
		if err != nil {
			return err
		}
		for _, name := range changed(before, after) {
			if slices.Contains(schemaFixed, name) {
				return illegalValue.with("/" + name + ": this cannot be changed")
			}
			if value, has := after[name]; has {
				stored[name] = value
			} else {
				delete(stored, name)
			}
		}
		return checkSchema(o.ID, source, stored)
	})
	if err != nil {
		return err
	}
	return h.answerSchema(c, http.StatusOK)
}

func (h *Handler) putSchema(c *call) error {
	var sent object
	if err := c.decode(&sent); err != nil {
		return err
	}
	return h.changeSchema(c, func(before object) (object, error) {
		if text, _ := sent["id"].(string); plainID(text) != before["id"] {
			return nil, illegalValue.with("id: the ID of the schema is expected, as in the path")
		}
		sent["id"] = before["id"]
		for _, name := range schemaFixed {
			if sent[name] == nil || name == "created" || name == "modified" {
				sent[name] = before[name]
			}
		}
		return sent, nil
	})
}

func (h *Handler) patchSchema(c *call) error {
	patch, err := c.patch()
	if err != nil {
		return err
	}
	return h.changeSchema(c, patch.of)
}

// deleteSchema takes a schema away that no attribute of another one names.
func (h *Handler) deleteSchema(c *call) error {
	err := h.editSource(c, "sourceId", func(o *engine.ConfigurationObject, source object) error {
		at, err := c.schemaAt(o, source)
		if err != nil {
			return err
		}
		name := nameOf(schemasOf(source)[at])
		for i, schema := range schemasOf(source) {
			list, _ := schema["attributes"].([]any)
			for _, element := range list {
				attribute, _ := element.(object)
				if reference, ok := attribute["schema"].(object); ok && i != at && nameOf(reference) == name {
					return inUse.with(fmt.Sprintf("the schema %q is used by the attribute %q of the schema %q", name,
						nameOf(attribute), nameOf(schema)))
				}
			}
		}
		list := source["schemas"].([]any)
		source["schemas"] = slices.Delete(slices.Clone(list), at, at+1)
		return nil
	})
	if err != nil {
		return err
	}
	c.done(http.StatusNoContent)
	return nil
}
