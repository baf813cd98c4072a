package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
)

// policyVersions are those of the operations of provisioning policies. Version 2 of the resource names a policy by its
// ID; here every version takes the ID and the operation.
var policyVersions = append(slices.Clone(every), versionResource2)

var sourcePolicyOperations = []operation{
	{
		id: "listProvisioningPolicies", method: http.MethodGet, path: "/sources/{sourceId}/provisioning-policies",
		versions: policyVersions, handle: (*Handler).listPolicies,
	},
	{
		id: "createProvisioningPolicy", method: http.MethodPost, path: "/sources/{sourceId}/provisioning-policies",
		versions: policyVersions, handle: (*Handler).createPolicy,
	},
	{
		id: "getProvisioningPolicy", method: http.MethodGet,
		path: "/sources/{sourceId}/provisioning-policies/{usageType}", versions: policyVersions,
		handle: (*Handler).getPolicy,
	},
	{
		id: "putProvisioningPolicy", method: http.MethodPut,
		path: "/sources/{sourceId}/provisioning-policies/{usageType}", versions: policyVersions,
		handle: (*Handler).putPolicy,
	},
	{
		id: "updateProvisioningPolicy", method: http.MethodPatch,
		path: "/sources/{sourceId}/provisioning-policies/{usageType}", versions: policyVersions,
		handle: (*Handler).patchPolicy,
	},
	{
		id: "deleteProvisioningPolicy", method: http.MethodDelete,
		path: "/sources/{sourceId}/provisioning-policies/{usageType}", versions: policyVersions,
		handle: (*Handler).deletePolicy,
	},
}

// policiesOf returns the provisioning policies in the document of a source.
func policiesOf(source object) []object {
	list, _ := source["provisioningPolicies"].([]any)
	var policies []object
	for _, element := range list {
		if policy, ok := element.(object); ok {
			policies = append(policies, policy)
		}
	}
	return policies
}

// usageOf returns the operation that a policy is for: CREATE where it does not say it.
func usageOf(policy object) string {
	if usage, _ := policy["usageType"].(string); usage != "" {
		return usage
	}
	return "CREATE"
}

// showPolicy gives a policy its published shape. Version 2 of the resource has IDs.
func showPolicy(c *call, o *engine.ConfigurationObject, policy object) object {
	shape := object{"name": policy["name"], "description": "", "usageType": usageOf(policy)}
	if c.version == versionResource2 {
		shape["id"] = derivedID(o.ID, "policy", usageOf(policy))
	}
	if value := policy["description"]; value != nil {
		shape["description"] = value
	}
	fields := []any{}
	list, _ := policy["fields"].([]any)
	for _, element := range list {
		field, _ := element.(object)
		shown := object{"name": nameOf(field)}
		for name, standard := range map[string]any{"transform": object{}, "attributes": object{}, "isRequired": false,
			"type": "string", "isMultiValued": false} {
			shown[name] = standard
			if value := field[name]; value != nil && value != "" {
				shown[name] = value
			}
		}
		fields = append(fields, shown)
	}
	shape["fields"] = fields
	return shape
}

// storedPolicy returns a policy as a document has it, of what a client sends: what is empty says nothing.
func storedPolicy(sent object) (object, error) {
	delete(sent, "id")
	list, _ := sent["fields"].([]any)
	for i, element := range list {
		field, ok := element.(object)
		if !ok {
			return nil, illegalValue.with(fmt.Sprintf("fields[%d]: an object is expected", i))
		}
		for _, name := range []string{"transform", "attributes"} {
			if members, ok := field[name].(object); ok && len(members) == 0 || field[name] == nil {
				delete(field, name)
			}
		}
	}
	return sent, nil
}

// policyAt returns the place of the policy that the path names, by its operation or its ID.
func (c *call) policyAt(o *engine.ConfigurationObject, source object) (int, error) {
	named := c.PathValue("usageType")
	at := slices.IndexFunc(policiesOf(source), func(policy object) bool {
		usage := usageOf(policy)
		return strings.EqualFold(usage, named) || plainID(named) == derivedID(o.ID, "policy", usage)
	})
	if at < 0 {
		return 0, noResource
	}
	return at, nil
}

func (h *Handler) listPolicies(c *call) error {
	o, source, err := h.sourceNamed(c, "sourceId")
	if err != nil {
		return err
	}
	list := []object{}
	for _, policy := range policiesOf(source) {
		list = append(list, showPolicy(c, &o, policy))
	}
	c.respond(http.StatusOK, list)
	return nil
}

func (h *Handler) getPolicy(c *call) error {
	o, source, err := h.sourceNamed(c, "sourceId")
	if err != nil {
		return err
	}
	at, err := c.policyAt(&o, source)
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, showPolicy(c, &o, policiesOf(source)[at]))
	return nil
}

// createPolicy adds the policy of an operation for which the source has none.
func (h *Handler) createPolicy(c *call) error {
	var sent object
	if err := c.decode(&sent); err != nil {
		return err
	}
	sent["usageType"] = usageOf(sent)
	stored, err := storedPolicy(sent)
	if err != nil {
		return err
	}
	var shown object
	err = h.editSource(c, "sourceId", func(o *engine.ConfigurationObject, source object) error {
		for _, policy := range policiesOf(source) {
			if usageOf(policy) == usageOf(stored) {
				return badContent.with("usageType: the source has a policy for " + usageOf(stored) + " already")
			}
		}
		list, _ := source["provisioningPolicies"].([]any)
		source["provisioningPolicies"] = append(list, stored)
		shown = showPolicy(c, o, stored)
		return nil
	})
	if err != nil {
		return err
	}
	c.respond(http.StatusCreated, shown)
	return nil
}

// changePolicy changes the policy that the path names: change gets its published shape and returns it as it should be.
func (h *Handler) changePolicy(c *call, change func(before object) (object, error)) error {
	var shown object
	err := h.editSource(c, "sourceId", func(o *engine.ConfigurationObject, source object) error {
		at, err := c.policyAt(o, source)
		if err != nil {
			return err
		}
		policies := policiesOf(source)
		before, err := plain(showPolicy(c, o, policies[at]))
		if err != nil {
			return err
		}
		after, err := change(before)
		if err != nil {
			return err
		}
		if usageOf(after) != usageOf(policies[at]) {
			return illegalValue.with("/usageType: this cannot be changed")
		}
		if text, isText := after["id"].(string); isText && text != derivedID(o.ID, "policy", usageOf(after)) {
			return illegalValue.with("/id: this cannot be changed")
		}
		stored, err := storedPolicy(after)
		if err != nil {
			return err
		}
		list := slices.Clone(source["provisioningPolicies"].([]any))
		list[at] = stored
		source["provisioningPolicies"] = list
		shown = showPolicy(c, o, stored)
		return nil
	})
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, shown)
	return nil
}

func (h *Handler) putPolicy(c *call) error {
	var sent object
	if err := c.decode(&sent); err != nil {
		return err
	}
	return h.changePolicy(c, func(before object) (object, error) {
		if sent["usageType"] == nil {
			sent["usageType"] = before["usageType"]
		}
		return sent, nil
	})
}

func (h *Handler) patchPolicy(c *call) error {
	patch, err := c.patch()
	if err != nil {
		return err
	}
	return h.changePolicy(c, patch.of)
}

func (h *Handler) deletePolicy(c *call) error {
	err := h.editSource(c, "sourceId", func(o *engine.ConfigurationObject, source object) error {
		at, err := c.policyAt(o, source)
		if err != nil {
			return err
		}
		list := slices.Clone(source["provisioningPolicies"].([]any))
		source["provisioningPolicies"] = slices.Delete(list, at, at+1)
		return nil
	})
	if err != nil {
		return err
	}
	c.done(http.StatusNoContent)
	return nil
}
