package httpapi

import (
	"fmt"
	"net/http"

	"github.com/muster-engine/muster/engine"
)

var sourceConfigOperations = []operation{
	{
		id: "getSourceAttrSyncConfig", method: http.MethodGet, path: "/sources/{id}/attribute-sync-config",
		versions: notV3, handle: (*Handler).getSyncConfig,
	},
	{
		id: "putSourceAttrSyncConfig", method: http.MethodPut, path: "/sources/{id}/attribute-sync-config",
		versions: notV3, handle: (*Handler).putSyncConfig,
	},
	{
		id: "getCorrelationConfig", method: http.MethodGet, path: "/sources/{id}/correlation-config", versions: notV3,
		handle: (*Handler).getCorrelation,
	},
	{
		id: "putCorrelationConfig", method: http.MethodPut, path: "/sources/{id}/correlation-config", versions: notV3,
		handle: (*Handler).putCorrelation,
	},
	{
		id: "syncAttributesForSource", method: http.MethodPost, path: "/sources/{id}/synchronize-attributes",
		versions: notV3, handle: (*Handler).synchronizeSource,
	},
}

func (h *Handler) getSyncConfig(c *call) error {
	id, err := c.idIn("id")
	if err != nil {
		return err
	}
	config, err := h.engine.AttributeSyncConfig(c.Context(), id)
	if err != nil {
		return err
	}
	attributes := []object{}
	for _, a := range config.Attributes {
		attributes = append(attributes, object{"name": a.Name, "displayName": a.Name, "enabled": a.Enabled,
			"target": a.Target})
	}
	c.respond(http.StatusOK, object{"source": config.Source, "attributes": attributes})
	return nil
}

// putSyncConfig says which of the attributes that can be synchronized are.
func (h *Handler) putSyncConfig(c *call) error {
	var sent struct {
		Source     engine.Reference
		Attributes []engine.AttributeSync
	}
	if err := c.decode(&sent); err != nil {
		return err
	}
	id, err := c.idIn("id")
	if err != nil {
		return err
	}
	if sent.Source.ID != "" && plainID(sent.Source.ID) != id {
		return illegalValue.with("source.id: the source of the path is expected")
	}
	config, err := h.engine.AttributeSyncConfig(c.Context(), id)
	if err != nil {
		return err
	}
	can := map[[2]string]bool{}
	for _, a := range config.Attributes {
		can[[2]string{a.Name, a.Target}] = true
	}
	attributes := []any{}
	for i, a := range sent.Attributes {
		if !can[[2]string{a.Name, a.Target}] {
			return illegalValue.with(fmt.Sprintf("attributes[%d]: the policy of the source does not make the account "+
				"attribute %q of the identity attribute %q alone, so that it cannot be synchronized", i, a.Target,
				a.Name))
		}
		attributes = append(attributes, object{"name": a.Name, "target": a.Target, "enabled": a.Enabled})
	}
	err = h.editSource(c, "id", func(_ *engine.ConfigurationObject, source object) error {
		source["attributeSyncConfig"] = object{"attributes": attributes}
		return nil
	})
	if err != nil {
		return err
	}
	return h.getSyncConfig(c)
}

func (h *Handler) getCorrelation(c *call) error {
	o, source, err := h.sourceNamed(c, "id")
	if err != nil {
		return err
	}
	config, _ := source["accountCorrelationConfig"].(object)
	assignments := []any{}
	list, _ := config["attributeAssignments"].([]any)
	for _, element := range list {
		assignment, _ := element.(object)
		shown := object{"property": assignment["property"], "value": assignment["value"], "operation": "EQ",
			"complex": false, "ignoreCase": true}
		for name, value := range assignment {
			if value != nil && value != "" {
				shown[name] = value
			}
		}
		assignments = append(assignments, shown)
	}
	c.respond(http.StatusOK, object{"id": ownID(config, o.ID, "correlation"), "name": correlationName(&o, config),
		"attributeAssignments": assignments})
	return nil
}

// putCorrelation replaces how the accounts of a source find their identities. It keeps its ID.
func (h *Handler) putCorrelation(c *call) error {
	var sent object
	if err := c.decode(&sent); err != nil {
		return err
	}
	assignments := sent["attributeAssignments"]
	if assignments == nil {
		assignments = []any{}
	}
	err := h.editSource(c, "id", func(o *engine.ConfigurationObject, source object) error {
		before, _ := source["accountCorrelationConfig"].(object)
		id := ownID(before, o.ID, "correlation")
		if text, _ := sent["id"].(string); text != "" && plainID(text) != id {
			return illegalValue.with("id: this cannot be changed")
		}
		after := object{"attributeAssignments": assignments}
		if before["id"] != nil {
			after["id"] = before["id"]
		}
		for _, name := range []any{sent["name"], before["name"]} {
			if text, _ := name.(string); text != "" && after["name"] == nil && text != o.Name+" Account Correlation" {
				after["name"] = text
			}
		}
		source["accountCorrelationConfig"] = after
		return nil
	})
	if err != nil {
		return err
	}
	return h.getCorrelation(c)
}

func (h *Handler) synchronizeSource(c *call) error {
	id, err := c.idIn("id")
	if err != nil {
		return err
	}
	job, err := h.engine.SynchronizeSource(c.Context(), id)
	if err != nil {
		return err
	}
	c.respond(http.StatusAccepted, job)
	return nil
}
