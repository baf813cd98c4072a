package httpapi

import (
	"context"
	"net/http"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql"
)

// stateList is by what lifecycle states are sorted. They take no filters.
var stateList = &listing{schema: listOf(sortable(textField("name")), sortable(numberField("priority")),
	sortable(timeField("created")), sortable(timeField("modified")))}

const (
	statesPath = profilePath + "/lifecycle-states"
	statePath  = statesPath + "/{lifecycle-state-id}"
)

var stateOperations = []operation{
	{
		id: "getLifecycleStates", method: http.MethodGet, path: statesPath, versions: notBeta,
		list: stateList, handle: (*Handler).listStates,
	},
	{
		id: "createLifecycleState", method: http.MethodPost, path: statesPath, versions: notBeta,
		handle: (*Handler).createState,
	},
	{
		id: "getLifecycleState", method: http.MethodGet, path: statePath, versions: every,
		handle: inProfile(states.get),
	},
	{
		id: "updateLifecycleStates", method: http.MethodPatch, path: statePath, versions: every,
		handle: inProfile(states.patch),
	},
	{
		id: "deleteLifecycleState", method: http.MethodDelete, path: statePath, versions: notBeta,
		handle: inProfile((*Handler).deleteState),
	},
}

var states = &resource{
	kind:    engine.TypeLifecycleState,
	derived: []string{"id", "created", "modified", "identityCount"},
	fixed:   []string{"name", "technicalName"},
	patchable: []string{"enabled", "description", "accountActions", "accessProfileIds", "emailNotificationOption",
		"accessActionConfiguration", "priority"},
	prepare: prepareStates, adapt: adaptState,
}

// profileOfState returns the ID of the profile that a lifecycle state belongs to.
func profileOfState(document object) any {
	profile, _ := document["identityProfile"].(object)
	return profile["id"]
}

func prepareStates(ctx context.Context, h *Handler, objects []engine.ConfigurationObject) (shower, error) {
	named, err := h.engine.ConfigurationObjects(ctx, engine.TypeSource, engine.TypeAccessProfile)
	if err != nil {
		return nil, err
	}
	ids := map[engine.ObjectType]map[string]string{engine.TypeSource: {}, engine.TypeAccessProfile: {}}
	for i := range named {
		ids[named[i].Type][filterql.Fold(named[i].Name)] = named[i].ID
	}
	var counts map[string]engine.ProfileStatistics
	if len(objects) > 0 {
		if counts, err = h.engine.ProfileStatistics(ctx); err != nil {
			return nil, err
		}
	}
	return func(o *engine.ConfigurationObject) (object, error) {
		document, err := membersOf(o.Object)
		if err != nil {
			return nil, err
		}
		name := document["name"]
		if name == nil {
			name = o.Name
		}
		profile, _ := profileOfState(document).(string)
		return object{
			"id": o.ID, "name": name, "technicalName": o.Name, "created": timestamp(o.Created),
			"modified": timestamp(o.Modified), "enabled": document["enabled"] != false,
			"description": document["description"], "identityCount": counts[profile].States[o.Name],
			"emailNotificationOption": notificationOf(document),
			"accountActions":          actionsOf(document, ids[engine.TypeSource]),
			"accessProfileIds":        idsOf(document["accessProfileIds"], ids[engine.TypeAccessProfile]),
			"identityState":           document["identityState"], "priority": document["priority"],
			"accessActionConfiguration": object{"removeAllAccessEnabled": memberOf(document,
				"accessActionConfiguration", "removeAllAccessEnabled") == true},
		}, nil
	}, nil
}

// memberOf returns a member of an object that is a member, or nil.
func memberOf(o object, name, inner string) any {
	members, _ := o[name].(object)
	return members[inner]
}

func notificationOf(document object) object {
	given, _ := document["emailNotificationOption"].(object)
	shape := object{"emailAddressList": listIn(given["emailAddressList"])}
	for _, name := range []string{"notifyManagers", "notifyAllAdmins", "notifySpecificUsers"} {
		shape[name] = given[name] == true
	}
	return shape
}

// listIn returns a list, also where there is none.
func listIn(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{}
}

// idsOf returns a list of IDs as the engine shows them. Documents may name objects by their names.
func idsOf(value any, ids map[string]string) []any {
	list := []any{}
	for _, given := range listIn(value) {
		text, _ := given.(string)
		if id, known := knownID(text); known {
			list = append(list, id)
		} else if id := ids[filterql.Fold(text)]; id != "" {
			list = append(list, id)
		} else {
			list = append(list, given)
		}
	}
	return list
}

// actionsOf returns the actions on accounts of a lifecycle state.
func actionsOf(document object, sources map[string]string) []any {
	list := []any{}
	for _, given := range listIn(document["accountActions"]) {
		action, ok := given.(object)
		if !ok {
			continue
		}
		shape := object{"action": action["action"], "allSources": action["allSources"] == true, "sourceIds": nil,
			"excludeSourceIds": nil}
		for _, name := range []string{"sourceIds", "excludeSourceIds"} {
			if action[name] != nil {
				shape[name] = idsOf(action[name], sources)
			}
		}
		list = append(list, shape)
	}
	return list
}

// adaptState checks which sources actions name.
func adaptState(_, after object) error {
	for _, given := range listIn(after["accountActions"]) {
		action, ok := given.(object)
		if !ok {
			continue
		}
		named, excluded := len(listIn(action["sourceIds"])) > 0, len(listIn(action["excludeSourceIds"])) > 0
		switch {
		case named && action["allSources"] == true:
			return illegalValue.with("accountActions: allSources is true, and so sourceIds must not be given")
		case named && excluded:
			return illegalValue.with("accountActions: sourceIds and excludeSourceIds exclude each other")
		}
	}
	return nil
}

// profileIn returns the ID of the profile in the path, which must exist.
func (h *Handler) profileIn(c *call) (string, error) {
	id, err := c.idIn("identity-profile-id")
	if err != nil {
		return "", err
	}
	_, err = h.engine.ConfigurationObject(c.Context(), engine.TypeIdentityProfile, id)
	return id, err
}

// inProfile carries an operation on a lifecycle state out where the state belongs to the profile in the path. It always
// does: a state keeps its profile.
func inProfile(handle func(*Handler, *call) error) func(*Handler, *call) error {
	return func(h *Handler, c *call) error {
		profile, err := c.idIn("identity-profile-id")
		if err != nil {
			return err
		}
		id, err := c.idIn("lifecycle-state-id")
		if err != nil {
			return err
		}
		state, err := h.engine.ConfigurationObject(c.Context(), engine.TypeLifecycleState, id)
		if err != nil {
			return err
		}
		document, err := membersOf(state.Object)
		if err != nil {
			return err
		}
		if profileOfState(document) != profile {
			return noResource
		}
		return handle(h, c)
	}
}

func (h *Handler) listStates(c *call) error {
	a, err := c.asked()
	if err != nil {
		return err
	}
	profile, err := h.profileIn(c)
	if err != nil {
		return err
	}
	found, err := h.engine.ConfigurationObjects(c.Context(), engine.TypeLifecycleState)
	if err != nil {
		return err
	}
	show, err := prepareStates(c.Context(), h, found)
	if err != nil {
		return err
	}
	list := []object{}
	for i := range found {
		document, err := membersOf(found[i].Object)
		if err != nil {
			return err
		}
		if profileOfState(document) != profile {
			continue
		}
		shape, err := show(&found[i])
		if err != nil {
			return err
		}
		list = append(list, shape)
	}
	byName(list)
	c.answerList(&a, list)
	return nil
}

func (h *Handler) createState(c *call) error {
	profile, err := h.profileIn(c)
	if err != nil {
		return err
	}
	var sent object
	if err := c.decode(&sent); err != nil {
		return err
	}
	sent["identityProfile"] = object{"type": string(engine.TypeIdentityProfile), "id": profile}
	if sent["enabled"] == nil {
		sent["enabled"] = false // the published default
	}
	id, err := states.add(h, c, sent)
	if err != nil {
		return err
	}
	return states.answer(h, c, http.StatusCreated, id)
}

func (h *Handler) deleteState(c *call) error {
	id, err := c.idIn(c.lastParameter())
	if err != nil {
		return err
	}
	shape, err := states.shape(c.Context(), h, id)
	if err != nil {
		return err
	}
	if _, err := states.remove(h, c); err != nil {
		return err
	}
	c.respond(http.StatusAccepted, object{"type": string(engine.TypeLifecycleState), "id": id, "name": shape["name"]})
	return nil
}
