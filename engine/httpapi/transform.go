package httpapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/filterql"
)

// transformObject is a transform in the published shape. Those of the tenant are never internal.
type transformObject struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	Attributes json.RawMessage `json:"attributes"`
	Internal   bool            `json:"internal"`
}

func transformOf(object *engine.ConfigurationObject) (transformObject, error) {
	var t transformObject
	if err := json.Unmarshal(object.Object, &t); err != nil {
		return t, fmt.Errorf("the transform %s: %w", object.ID, err)
	}
	t.ID, t.Name, t.Internal = object.ID, object.Name, false
	if len(t.Attributes) == 0 {
		t.Attributes = json.RawMessage("null")
	}
	return t, nil
}

// transformSchema has the fields by which transforms are filtered, in memory: a tenant has some hundreds.
var transformSchema = fieldsOf(
	filterql.Field{Name: "name", Ops: filterql.OpsOf(filterql.Eq, filterql.Sw), Fold: filterql.Fold},
	filterql.Field{Name: "internal", Type: filterql.Boolean, Ops: filterql.OpsOf(filterql.Eq)},
)

func (h *Handler) listTransforms(c *call) error {
	const op = "list transforms"
	q, err := c.query()
	if err != nil {
		return err
	}
	page, err := q.page()
	if err != nil {
		return err
	}
	keep := func(transformObject) bool { return true }
	if text := q.text("filters"); strings.TrimSpace(text) != "" {
		filter, err := filterql.ParseFilter(text, transformSchema)
		if err != nil {
			return fault.Wrap(op, "filters", err)
		}
		keep = func(t transformObject) bool {
			return filter.Eval(func(field string) any {
				if field == "name" {
					return t.Name
				}
				return t.Internal
			})
		}
	}
	objects, err := h.engine.ConfigurationObjects(c.Context(), engine.TypeTransform)
	if err != nil {
		return err
	}
	name := q.text("name")
	list := []transformObject{}
	for i := range objects {
		t, err := transformOf(&objects[i])
		if err != nil {
			return err
		}
		if keep(t) && (name == "" || t.Name == name) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b transformObject) int {
		return cmp.Or(cmp.Compare(filterql.Fold(a.Name), filterql.Fold(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	if page.Count {
		c.total(len(list))
	}
	list = list[min(page.Offset, len(list)):]
	c.respond(http.StatusOK, list[:min(page.Limit, len(list))])
	return nil
}

func (h *Handler) getTransform(c *call) error {
	id := c.PathValue("id")
	if c.target() == "" { // a name is no ID, though the engine takes both
		return noResource
	}
	object, err := h.engine.ConfigurationObject(c.Context(), engine.TypeTransform, id)
	if err != nil {
		return err
	}
	t, err := transformOf(&object)
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, t)
	return nil
}
