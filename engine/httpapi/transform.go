package httpapi

import (
	"context"
	"net/http"
	"slices"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql"
)

// transformList is by what transforms are listed: name= is the whole name of one, in the same case.
var transformList = &listing{example: `name sw "Upper"`, schema: listOf(
	textField("name", filterql.Eq, filterql.Sw), truthField("internal", filterql.Eq),
)}

var transformOperations = []operation{
	{
		id: "listTransforms", method: http.MethodGet, path: "/transforms", versions: every, query: []string{"name"},
		list: transformList, handle: (*Handler).listTransforms,
	},
	{
		id: "createTransform", method: http.MethodPost, path: "/transforms", versions: every,
		handle: transforms.create,
	},
	{
		id: "getTransform", method: http.MethodGet, path: "/transforms/{id}", versions: every,
		handle: transforms.get,
	},
	{
		id: "updateTransform", method: http.MethodPut, path: "/transforms/{id}", versions: every,
		handle: transforms.put,
	},
	{
		id: "deleteTransform", method: http.MethodDelete, path: "/transforms/{id}", versions: every,
		handle: transforms.removeNow,
	},
}

var transforms = &resource{
	kind: engine.TypeTransform, derived: []string{"id", "internal"}, fixed: []string{"name", "type"},
	prepare: func(context.Context, *Handler, []engine.ConfigurationObject) (shower, error) {
		return showTransform, nil
	},
}

// showTransform gives a transform its published shape. Those of the tenant are never internal.
func showTransform(o *engine.ConfigurationObject) (object, error) {
	document, err := membersOf(o.Object)
	if err != nil {
		return nil, err
	}
	return object{"id": o.ID, "name": o.Name, "type": document["type"], "attributes": document["attributes"],
		"internal": false}, nil
}

func (h *Handler) listTransforms(c *call) error {
	a, err := c.asked()
	if err != nil {
		return err
	}
	all, err := transforms.all(c.Context(), h)
	if err != nil {
		return err
	}
	if name := a.text("name"); name != "" {
		all = slices.DeleteFunc(all, func(t object) bool { return t["name"] != name })
	}
	c.answerList(&a, all)
	return nil
}
