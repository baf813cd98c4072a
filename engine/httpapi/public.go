package httpapi

import (
	"net/http"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/filterql"
)

var publicOperations = []operation{{
	id: "getPublicIdentities", method: http.MethodGet, path: "/public-identities", versions: notBeta,
	query: []string{"add-core-filters"}, list: &listing{schema: publicSchema, example: `firstname sw "Jo"`},
	handle: (*Handler).listPublicIdentities,
}}

// publicIdentity is what every user may know of an identity.
type publicIdentity struct {
	ID            string                    `json:"id"`
	Name          string                    `json:"name"`
	Alias         string                    `json:"alias"`
	Email         *string                   `json:"email"`
	Status        *string                   `json:"status"` // the technical name of the lifecycle state
	IdentityState *string                   `json:"identityState"`
	Manager       *engine.IdentityReference `json:"manager"`
	// Attributes are those that the tenant has made public: none, as it cannot say so yet.
	Attributes []publicAttribute `json:"attributes"`
}

type publicAttribute struct {
	Key   string  `json:"key"`
	Name  string  `json:"name"`
	Value *string `json:"value"`
}

func shapePublic(i *engine.Identity) publicIdentity {
	public := publicIdentity{ID: i.ID, Name: i.Name, Alias: i.Alias, Email: i.EmailAddress, Manager: i.ManagerRef,
		IdentityState: i.Attributes.Get("identityState").NullText(), Attributes: []publicAttribute{}}
	if i.LifecycleState != nil {
		public.Status = &i.LifecycleState.StateName
	}
	return public
}

// publicSchema has the fields by which public identities are filtered and sorted. Their columns are not used: the
// engine lists identities by a schema that has all of these fields.
var publicSchema = fieldsOf(
	filterql.Field{Name: "id", Type: filterql.ID, Ops: filterql.OpsOf(filterql.Eq, filterql.In)},
	publicField("alias"), publicField("email"), publicField("firstname"), publicField("lastname"),
	filterql.Field{Name: "name", Sortable: true},
)

func publicField(name string) filterql.Field {
	return filterql.Field{Name: name, Ops: filterql.OpsOf(filterql.Eq, filterql.Sw)}
}

// fieldsOf returns a schema whose fields are only looked up by their names.
func fieldsOf(fields ...filterql.Field) *filterql.Schema {
	for i := range fields {
		fields[i].Column = fields[i].Name
	}
	schema, err := filterql.NewSchema(fields...)
	if err != nil {
		panic(err) // the fields are constants
	}
	return schema
}

// coreFilter leaves out who cannot sign in.
const coreFilter = "(correlated eq true or protected eq true) and pr alias and pr lastname and pr email"

func (h *Handler) listPublicIdentities(c *call) error {
	const op = "list public identities"
	q, err := c.query()
	if err != nil {
		return err
	}
	page, err := q.page()
	if err != nil {
		return err
	}
	core, err := q.truth("add-core-filters")
	if err != nil {
		return err
	}
	params := engine.ListParams{Filters: q.text("filters"), Sorters: q.text("sorters"), Limit: &page.Limit,
		Offset: page.Offset, Count: page.Count, DefaultFilter: engine.NoDefault}
	if strings.TrimSpace(params.Filters) != "" {
		if _, err := filterql.ParseFilter(params.Filters, publicSchema); err != nil {
			return fault.Wrap(op, "filters", err)
		}
	}
	if _, err := filterql.ParseOrdering(params.Sorters, publicSchema, "id"); err != nil {
		return fault.Wrap(op, "sorters", err)
	}
	if core {
		params.AnyField = true // core filters ask for more than the published list
		if strings.TrimSpace(params.Filters) != "" {
			params.Filters = "(" + params.Filters + ") and " + coreFilter
		} else {
			params.Filters = coreFilter
		}
	}
	list, err := h.engine.ListIdentities(c.Context(), params)
	if err != nil {
		return err
	}
	if list.Total != nil {
		c.total(*list.Total)
	}
	c.respond(http.StatusOK, shapes(list.Identities, shapePublic))
	return nil
}
