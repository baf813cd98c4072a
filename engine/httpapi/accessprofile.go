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

// accessProfileList is by what access profiles are listed. Clients also look for a part of a name, which is not listed.
var accessProfileList = &listing{example: `name sw "Sales"`, schema: listOf(
	idField("id", filterql.Eq, filterql.In), idField("owner.id", filterql.Eq, filterql.In),
	idField("source.id", filterql.Eq, filterql.In),
	sortable(textField("name", filterql.Eq, filterql.Sw, filterql.Co)),
	sortable(timeField("created", filterql.Gt, filterql.Ge, filterql.Le)),
	sortable(timeField("modified", filterql.Gt, filterql.Lt, filterql.Ge, filterql.Le)),
	truthField("requestable", filterql.Eq),
)}

var accessProfileOperations = []operation{
	{
		id: "listAccessProfiles", method: http.MethodGet, path: "/access-profiles", versions: every,
		list: accessProfileList, query: []string{"for-subadmin", "for-segment-ids", "include-unsegmented"},
		handle: (*Handler).listAccessProfiles,
	},
	{
		id: "createAccessProfile", method: http.MethodPost, path: "/access-profiles", versions: every,
		handle: accessProfiles.create,
	},
	{
		id: "deleteAccessProfilesInBulk", method: http.MethodPost, path: "/access-profiles/bulk-delete",
		versions: every, handle: (*Handler).deleteAccessProfiles,
	},
	{
		id: "getAccessProfile", method: http.MethodGet, path: "/access-profiles/{id}", versions: every,
		handle: accessProfiles.get,
	},
	{
		id: "patchAccessProfile", method: http.MethodPatch, path: "/access-profiles/{id}", versions: every,
		handle: accessProfiles.patch,
	},
	{
		id: "deleteAccessProfile", method: http.MethodDelete, path: "/access-profiles/{id}", versions: every,
		handle: accessProfiles.removeNow,
	},
	{
		id: "getAccessProfileEntitlements", method: http.MethodGet, path: "/access-profiles/{id}/entitlements",
		versions: every, list: &listing{schema: store.ProfileEntitlementSchema(), example: `attribute eq "memberOf"`},
		handle: (*Handler).listProfileEntitlements,
	},
}

var accessProfiles = &resource{
	kind: engine.TypeAccessProfile, prepare: prepareAccessProfiles, adapt: adaptAccessProfile,
	derived: []string{"id", "created", "modified"},
	patchable: []string{"name", "description", "enabled", "owner", "additionalOwners", "requestable",
		"accessRequestConfig", "revocationRequestConfig", "revokeRequestConfig", "segments", "entitlements",
		"provisioningCriteria", "source", "accessModelMetadata"},
}

func prepareAccessProfiles(ctx context.Context, h *Handler, _ []engine.ConfigurationObject) (shower, error) {
	published, err := h.engine.PublishedObjects(ctx, engine.TypeAccessProfile)
	return func(o *engine.ConfigurationObject) (object, error) {
		return withStandards(published, o, object{"description": nil, "enabled": true, "owner": nil, "source": nil,
			"entitlements": []any{}, "requestable": true, "accessRequestConfig": nil, "revocationRequestConfig": nil,
			"segments": nil, "accessModelMetadata": object{"attributes": []any{}}, "provisioningCriteria": nil,
			"additionalOwners": []any{}})
	}, err
}

// adaptAccessProfile checks what only the published rules demand of an access profile. A new one is not enabled where
// the client does not say it; in documents it is.
func adaptAccessProfile(before, after object) error {
	renameRevocation(after)
	if before == nil && after["enabled"] == nil {
		after["enabled"] = false
	}
	list, _ := after["entitlements"].([]any)
	enabled, given := after["enabled"].(bool)
	if (enabled || !given) && len(list) == 0 {
		return illegalValue.with("entitlements: an access profile that is enabled has at least one")
	}
	if before == nil {
		return nil
	}
	was, _ := before["source"].(object)
	is, _ := after["source"].(object)
	moved := !sameReference(was, is) || is == nil
	if moved && !slices.Contains(changed(before, after), "entitlements") {
		return illegalValue.with("source: it changes only together with the entitlements, which are those of the " +
			"source")
	}
	return nil
}

func (h *Handler) listAccessProfiles(c *call) error {
	return h.listAccess(c, accessProfiles, "SOURCE_SUBADMIN")
}

// deleteAccessProfiles deletes access profiles by a task: all of them, or none if some are in use. With bestEffortOnly
// it deletes those that are not in use.
func (h *Handler) deleteAccessProfiles(c *call) error {
	var sent struct {
		AccessProfileIDs []string `json:"accessProfileIds"`
		BestEffortOnly   bool     `json:"bestEffortOnly"`
	}
	if err := c.decode(&sent); err != nil {
		return err
	}
	ids, err := bulkIDs("accessProfileIds", sent.AccessProfileIDs)
	if err != nil {
		return err
	}
	pending, used := []string{}, []object{}
	for i, id := range ids {
		referrers, err := h.engine.ReferencesTo(c.Context(), engine.TypeAccessProfile, id)
		if engine.KindOf(err) == engine.NotFound {
			return noReferenced.with(fmt.Sprintf("accessProfileIds[%d]: there is no access profile with this ID", i))
		}
		if err != nil {
			return err
		}
		if len(referrers) > 0 {
			used = append(used, usageBy(id, referrers))
			continue
		}
		pending = append(pending, id)
	}
	if len(used) > 0 && !sent.BestEffortOnly || len(pending) == 0 {
		c.respond(http.StatusOK, object{"pending": []string{}, "inUse": used})
		return nil
	}
	task, err := h.engine.StartDeletion(c.Context(), engine.TypeAccessProfile, pending)
	if err != nil {
		return accessProfiles.failure(err)
	}
	c.respond(http.StatusAccepted, object{"taskId": task.ID, "pending": pending, "inUse": used})
	return nil
}

// usageBy says what uses an access profile: usedBy has the published kind, which are roles, and usages all.
func usageBy(id string, referrers []engine.Referrer) object {
	by, all := []object{}, []object{}
	seen := map[engine.Reference]bool{}
	for i := range referrers {
		r := engine.Reference{Type: string(referrers[i].Type), ID: referrers[i].ID, Name: referrers[i].Name}
		if seen[r] {
			continue
		}
		seen[r] = true
		user := object{"type": r.Type, "id": r.ID, "name": r.Name}
		all = append(all, user)
		if referrers[i].Type == engine.TypeRole {
			by = append(by, user)
		}
	}
	return object{"accessProfileId": id, "usedBy": by, "usages": all}
}

func (h *Handler) listProfileEntitlements(c *call) error {
	id, err := c.idIn("id")
	if err != nil {
		return err
	}
	a, err := c.asked()
	if err != nil {
		return err
	}
	page, err := h.engine.ListAccessProfileEntitlements(c.Context(), id, a.params())
	return answerPage(c, page, err, showProfileEntitlement)
}

func showProfileEntitlement(e *engine.Entitlement) object {
	return object{"id": e.ID, "name": e.Name, "attribute": e.Attribute, "value": e.Value,
		"sourceSchemaObjectType": e.SourceSchemaObjectType, "description": e.Description, "privileged": e.Privileged,
		"cloudGoverned": e.CloudGoverned, "requestable": e.Requestable, "owner": e.Owner, "additionalOwners": nil,
		"manuallyUpdatedFields": nil, "accessModelMetadata": object{"attributes": []any{}},
		"created": timestamp(e.Created), "modified": timestamp(e.Modified), "source": e.Source,
		"attributes": object{}, "segments": nil, "directPermissions": []any{}}
}
