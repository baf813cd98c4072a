package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

// The limits of roles.
const (
	// rolesShown is how many roles a page has where the request does not say it: the published number. Clients page by
	// 250 all the same.
	rolesShown = 50
	// bulkMax is how many objects one request deletes.
	bulkMax = 50
	// membersMax is how many identities of a membership one request may give.
	membersMax = 500
)

// roleList is by what roles are listed.
var roleList = &listing{limit: rolesShown, max: filterql.LimitMax, example: `name sw "Sales"`, schema: listOf(
	idField("id", filterql.Eq, filterql.In), idField("owner.id", filterql.Eq, filterql.In),
	sortable(textField("name", filterql.Eq, filterql.Sw)),
	sortable(timeField("created", filterql.Gt, filterql.Ge, filterql.Le)),
	sortable(timeField("modified", filterql.Lt, filterql.Ge, filterql.Le)),
	truthField("requestable", filterql.Eq), truthField("dimensional", filterql.Eq),
)}

var roleOperations = []operation{
	{
		id: "listRoles", method: http.MethodGet, path: "/roles", versions: every, list: roleList,
		query: []string{"for-subadmin", "for-segment-ids", "include-unsegmented"}, handle: (*Handler).listRoles,
	},
	{id: "createRole", method: http.MethodPost, path: "/roles", versions: every, handle: (*Handler).createRole},
	{
		id: "deleteBulkRoles", method: http.MethodPost, path: "/roles/bulk-delete", versions: every,
		handle: (*Handler).deleteRoles,
	},
	{id: "getRole", method: http.MethodGet, path: "/roles/{id}", versions: every, handle: roles.get},
	{id: "patchRole", method: http.MethodPatch, path: "/roles/{id}", versions: every, handle: roles.patch},
	{id: "deleteRole", method: http.MethodDelete, path: "/roles/{id}", versions: every, handle: roles.removeNow},
	{
		id: "getRoleAssignedIdentities", method: http.MethodGet, path: "/roles/{id}/assigned-identities",
		versions: every, list: &listing{schema: store.RoleMemberSchema(false), example: `name sw "Joe"`},
		handle: (*Handler).listAssigned,
	},
}

var roles = &resource{
	kind: engine.TypeRole, prepare: prepareRoles, adapt: adaptRole, derived: []string{"id", "created", "modified"},
	patchable: []string{"name", "description", "enabled", "owner", "additionalOwners", "accessProfiles", "entitlements",
		"membership", "requestable", "accessRequestConfig", "revocationRequestConfig", "revokeRequestConfig",
		"segments", "accessModelMetadata"},
}

func prepareRoles(ctx context.Context, h *Handler, _ []engine.ConfigurationObject) (shower, error) {
	published, err := h.engine.PublishedObjects(ctx, engine.TypeRole)
	return func(o *engine.ConfigurationObject) (object, error) { return showRole(published, o) }, err
}

// withStandards gives an object its published shape: the members of its document, and for those that it lacks what
// counts then.
func withStandards(published *engine.PublishedObjects, o *engine.ConfigurationObject, standards object) (object,
	error) {
	text, err := published.Publish(*o)
	if err != nil {
		return nil, err
	}
	document, err := membersOf(text)
	if err != nil {
		return nil, err
	}
	shape := object{}
	for name, standard := range standards {
		shape[name] = standard
		if value := document[name]; value != nil {
			shape[name] = value
		}
	}
	shape["id"], shape["name"] = o.ID, o.Name
	shape["created"], shape["modified"] = timestamp(o.Created), timestamp(o.Modified)
	return shape, nil
}

func showRole(published *engine.PublishedObjects, o *engine.ConfigurationObject) (object, error) {
	shape, err := withStandards(published, o, object{"description": nil, "owner": nil, "additionalOwners": []any{},
		"accessProfiles": []any{}, "entitlements": []any{}, "membership": nil, "legacyMembershipInfo": nil,
		"enabled": false, "requestable": false, "accessRequestConfig": nil, "revocationRequestConfig": nil,
		"segments": nil, "dimensional": false, "dimensionRefs": []any{}, "privilegeLevel": nil,
		"accessModelMetadata": object{"attributes": []any{}}})
	if err != nil {
		return nil, err
	}
	if membership, ok := shape["membership"].(object); ok {
		shown := object{"type": membership["type"], "criteria": showCriteria(membership["criteria"]), "identities": nil}
		if shown["type"] == nil {
			shown["type"] = "STANDARD"
		}
		if list, ok := membership["identities"].([]any); ok {
			identities := []any{}
			for _, element := range list {
				identity, _ := element.(object)
				shown := object{"type": "IDENTITY", "id": identity["id"], "name": identity["name"], "aliasName": nil}
				identities = append(identities, shown)
			}
			shown["identities"] = identities
		}
		shape["membership"] = shown
	}
	return shape, nil
}

// showCriteria gives criteria their published shape: each node has all four members.
func showCriteria(value any) any {
	node, ok := value.(object)
	if !ok || len(node) == 0 {
		return nil
	}
	shown := object{"operation": node["operation"], "key": node["key"], "stringValue": node["stringValue"],
		"children": nil}
	if key, ok := node["key"].(object); ok {
		shown["key"] = object{"type": key["type"], "property": key["property"], "sourceId": key["sourceId"]}
	}
	if list, ok := node["children"].([]any); ok && len(list) > 0 {
		children := []any{}
		for _, child := range list {
			children = append(children, showCriteria(child))
		}
		shown["children"] = children
	}
	return shown
}

// adaptRole checks what only the published rules demand of a role.
func adaptRole(before, after object) error {
	renameRevocation(after)
	membership, _ := after["membership"].(object)
	if list, _ := membership["identities"].([]any); len(list) > membersMax {
		if was, _ := before["membership"].(object); len(changed(object{"x": was["identities"]},
			object{"x": list})) > 0 {
			return limitViolation.with(fmt.Sprintf("membership.identities: %d are given, at most %d are allowed",
				len(list), membersMax))
		}
	}
	return nil
}

// renameRevocation takes the name by which patches call a member for that of the member.
func renameRevocation(o object) {
	if value, given := o["revokeRequestConfig"]; given {
		o["revocationRequestConfig"] = value
		delete(o, "revokeRequestConfig")
	}
}

func (h *Handler) listRoles(c *call) error { return h.listAccess(c, roles, "ROLE_SUBADMIN") }

// listAccess answers with a page of roles or access profiles.
func (h *Handler) listAccess(c *call, r *resource, level string) error {
	a, err := c.asked()
	if err != nil {
		return err
	}
	all, err := r.all(c.Context(), h)
	if err != nil {
		return err
	}
	if all, err = h.ofSubadmin(c, &a, all, level); err != nil {
		return err
	}
	if all, err = a.inSegments(all); err != nil {
		return err
	}
	c.answerList(&a, all)
	return nil
}

// createRole adds a role. What only the server gives must be empty.
func (h *Handler) createRole(c *call) error {
	var sent object
	if err := c.decode(&sent); err != nil {
		return err
	}
	metadata, _ := sent["accessModelMetadata"].(object)
	list, _ := metadata["attributes"].([]any)
	switch {
	case sent["id"] != nil && sent["id"] != "":
		return illegalValue.with("id: it must be empty: the server gives it")
	case len(list) > 0:
		return illegalValue.with("accessModelMetadata: it must be empty for a new role")
	}
	id, err := roles.add(h, c, sent)
	if err != nil {
		return err
	}
	return roles.answer(h, c, http.StatusCreated, id)
}

// deleteRoles deletes roles by a task.
func (h *Handler) deleteRoles(c *call) error {
	var sent struct {
		RoleIDs []string `json:"roleIds"`
	}
	if err := c.decode(&sent); err != nil {
		return err
	}
	ids, err := bulkIDs("roleIds", sent.RoleIDs)
	if err != nil {
		return err
	}
	task, err := h.engine.StartDeletion(c.Context(), engine.TypeRole, ids)
	if engine.KindOf(err) == engine.NotFound {
		return noReferenced.with("roleIds: not all of the roles exist: nothing is deleted")
	}
	if err != nil {
		return roles.failure(err)
	}
	c.respond(http.StatusAccepted, taskResult{Type: "TASK_RESULT", ID: task.ID})
	return nil
}

// bulkIDs returns the IDs of the objects that one request deletes.
func bulkIDs(member string, given []string) ([]string, error) {
	switch {
	case len(given) == 0:
		return nil, dataMissing.with(member + ": it is missing or empty")
	case len(given) > bulkMax:
		return nil, illegalValue.with(fmt.Sprintf("%s count exceeded max limit of %d for bulk-delete.", member,
			bulkMax))
	}
	var ids []string
	for i, text := range given {
		id, known := knownID(text)
		if !known {
			return nil, noReferenced.with(fmt.Sprintf("%s[%d]: there is no object with this ID", member, i))
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (h *Handler) listAssigned(c *call) error {
	id, err := c.idIn("id")
	if err != nil {
		return err
	}
	a, err := c.asked()
	if err != nil {
		return err
	}
	page, err := h.engine.ListRoleMembers(c.Context(), id, a.params())
	return answerPage(c, page, err, func(member *engine.RoleMember) object {
		return object{"id": member.ID, "aliasName": member.AliasName, "name": member.Name,
			"email": store.TextOf(member.Email), "roleAssignmentSource": member.RoleAssignmentSource}
	})
}

// params returns what a request asks of a list of the engine's.
func (a *asked) params() engine.PageParams {
	return engine.PageParams{Filters: a.text("filters"), Sorters: a.text("sorters"), Limit: &a.page.Limit,
		Offset: a.page.Offset, Count: a.page.Count}
}
