package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
)

const attributesPath = "/identity-attributes"

var attributeOperations = []operation{
	{
		id: "listIdentityAttributes", method: http.MethodGet, path: attributesPath, versions: notV3,
		query:  []string{"includeSystem", "includeSilent", "searchableOnly", "count"},
		handle: (*Handler).listAttributes,
	},
	{
		id: "createIdentityAttribute", method: http.MethodPost, path: attributesPath, versions: notV3,
		handle: (*Handler).createAttribute,
	},
	{
		id: "deleteIdentityAttributesInBulk", method: http.MethodDelete, path: attributesPath + "/bulk-delete",
		versions: notV3, handle: (*Handler).deleteAttributes,
	},
	{
		id: "getIdentityAttribute", method: http.MethodGet, path: attributesPath + "/{name}", versions: notV3,
		handle: (*Handler).getAttribute,
	},
	{
		id: "putIdentityAttribute", method: http.MethodPut, path: attributesPath + "/{name}", versions: notV3,
		handle: (*Handler).putAttribute,
	},
	{
		id: "deleteIdentityAttribute", method: http.MethodDelete, path: attributesPath + "/{name}", versions: notV3,
		handle: (*Handler).deleteAttribute,
	},
}

// attributes are identity attributes, which have no IDs: their names are the keys.
var attributes = &resource{kind: engine.TypeIdentityAttribute}

func (h *Handler) listAttributes(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	var flags [4]bool
	for i, name := range []string{"includeSystem", "includeSilent", "searchableOnly", "count"} {
		if flags[i], err = q.truth(name); err != nil {
			return err
		}
	}
	all, err := h.engine.IdentityAttributeDefinitions(c.Context())
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(a engine.IdentityAttributeDefinition) bool {
		return a.System && !flags[0] || a.Silent && !flags[1] || !a.Searchable && flags[2]
	})
	if flags[3] {
		c.total(len(all))
	}
	if all == nil {
		all = []engine.IdentityAttributeDefinition{}
	}
	c.respond(http.StatusOK, all)
	return nil
}

// attributeNamed returns the identity attribute of a name, in the same case.
func (h *Handler) attributeNamed(c *call, name string) (engine.IdentityAttributeDefinition, error) {
	all, err := h.engine.IdentityAttributeDefinitions(c.Context())
	if err != nil {
		return engine.IdentityAttributeDefinition{}, err
	}
	at := slices.IndexFunc(all, func(a engine.IdentityAttributeDefinition) bool { return a.Name == name })
	if at < 0 {
		return engine.IdentityAttributeDefinition{}, noResource.with("There is no identity attribute with this name.")
	}
	return all[at], nil
}

func (h *Handler) answerAttribute(c *call, status int, name string) error {
	found, err := h.attributeNamed(c, name)
	if err != nil {
		return err
	}
	c.respond(status, found)
	return nil
}

func (h *Handler) getAttribute(c *call) error {
	return h.answerAttribute(c, http.StatusOK, c.PathValue("name"))
}

// readAttribute reads the definition in a body, without what the engine says.
func (c *call) readAttribute() (object, error) {
	var sent object
	if err := c.decode(&sent); err != nil {
		return nil, err
	}
	if sent["searchable"] == true && (sent["multi"] == true || sent["system"] == true || sent["standard"] == true) {
		return nil, illegalValue.with("searchable: an attribute that is multi, standard or system cannot be searchable")
	}
	for _, name := range []string{"standard", "system"} {
		if sent[name] == true {
			return nil, illegalValue.with(name + ": only the engine has attributes that are so")
		}
		delete(sent, name)
	}
	delete(sent, "sources")
	return sent, nil
}

func (h *Handler) createAttribute(c *call) error {
	sent, err := c.readAttribute()
	if err != nil {
		return err
	}
	name := fmt.Sprint(sent["name"])
	all, err := h.engine.IdentityAttributeDefinitions(c.Context())
	if err != nil {
		return err
	}
	for i := range all {
		if strings.EqualFold(all[i].Name, name) {
			return badContent.with("There is an identity attribute with this name already.")
		}
	}
	if _, err := attributes.add(h, c, sent); err != nil {
		return err
	}
	return h.answerAttribute(c, http.StatusCreated, name)
}

func (h *Handler) putAttribute(c *call) error {
	name := c.PathValue("name")
	found, err := h.attributeNamed(c, name)
	if err != nil {
		return err
	}
	sent, err := c.readAttribute()
	if err != nil {
		return err
	}
	switch {
	case sent["name"] != name:
		return illegalValue.with("name: this cannot be changed")
	case found.Standard || found.System:
		return illegalValue.with("name: a standard attribute, and one that the engine writes, cannot be changed")
	}
	_, err = h.engine.EditConfiguration(c.Context(), engine.TypeIdentityAttribute, name,
		func(engine.ConfigurationObject) (json.RawMessage, error) { return bytes.TrimSpace(encode(sent)), nil },
		engine.Untrusted(), engine.Replace())
	if err != nil {
		return attributes.failure(err)
	}
	return h.answerAttribute(c, http.StatusOK, name)
}

func (h *Handler) deleteAttribute(c *call) error {
	if err := h.removeAttributes(c, []string{c.PathValue("name")}); err != nil {
		return err
	}
	c.done(http.StatusNoContent)
	return nil
}

func (h *Handler) deleteAttributes(c *call) error {
	var sent struct {
		IDs []string `json:"ids"`
	}
	if err := c.decode(&sent); err != nil {
		return err
	}
	if err := h.removeAttributes(c, sent.IDs); err != nil {
		return err
	}
	c.done(http.StatusNoContent)
	return nil
}

// removeAttributes deletes the attributes of all names, or none.
func (h *Handler) removeAttributes(c *call, names []string) error {
	objects := make([]engine.ObjectName, len(names))
	for i, name := range names {
		found, err := h.attributeNamed(c, name)
		if err != nil {
			return err
		}
		if found.Standard || found.System {
			return illegalValue.with("A standard attribute, and one that the engine writes, cannot be deleted.")
		}
		objects[i] = engine.ObjectName{Type: engine.TypeIdentityAttribute, Name: name}
	}
	_, err := h.engine.DeleteConfigurationObjects(c.Context(), objects)
	return attributes.failure(err)
}
