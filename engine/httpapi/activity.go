package httpapi

import (
	"net/http"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store"
)

var activityOperations = []operation{
	{
		id: "listAccountActivities", method: http.MethodGet, path: "/account-activities", versions: every,
		query:  []string{"requested-for", "requested-by", "regarding-identity"},
		list:   &listing{schema: store.ActivitySchema(false), example: `type eq "LifecycleStateChange"`},
		handle: (*Handler).listActivities,
	},
	{
		id: "getAccountActivity", method: http.MethodGet, path: "/account-activities/{id}", versions: every,
		handle: (*Handler).getActivity,
	},
}

// workgroupOperations are published and not done: there are no governance groups here.
var workgroupOperations = []operation{
	{
		id: "listWorkgroups", method: http.MethodGet, path: "/workgroups", versions: notV3, query: listQuery,
		handle: (*Handler).notDone,
	},
	{
		id: "getWorkgroup", method: http.MethodGet, path: "/workgroups/{id}", versions: notV3,
		handle: (*Handler).notDone,
	},
	{
		id: "listWorkgroupMembers", method: http.MethodGet, path: "/workgroups/{workgroupId}/members", versions: notV3,
		query: append([]string{"sorters"}, pageQuery...), handle: (*Handler).notDone,
	},
}

type (
	activityShape struct {
		*engine.AccountActivity
		Created   timestamp   `json:"created"`
		Modified  timestamp   `json:"modified"`
		Completed *timestamp  `json:"completed"`
		Items     []itemShape `json:"items"`
	}
	itemShape struct {
		*engine.ActivityItem
		Requested timestamp `json:"requested"`
	}
)

func shapeActivity(a *engine.AccountActivity) activityShape {
	return activityShape{a, timestamp(a.Created), timestamp(a.Modified), timestampOf(a.Completed),
		shapes(a.Items, func(i *engine.ActivityItem) itemShape { return itemShape{i, timestamp(i.Requested)} })}
}

func (h *Handler) listActivities(c *call) error {
	q, page, err := c.pageParams()
	if err != nil {
		return err
	}
	params := engine.ActivityParams{PageParams: page}
	for name, to := range map[string]*string{"requested-for": &params.RequestedFor,
		"requested-by": &params.RequestedBy, "regarding-identity": &params.Regarding} {
		if *to, err = c.self(name, q.text(name)); err != nil {
			return err
		}
	}
	if params.Regarding != "" && params.RequestedBy+params.RequestedFor != "" {
		return illegalValue.with("regarding-identity: it excludes requested-for and requested-by")
	}
	list, err := h.engine.ListAccountActivities(c.Context(), params)
	return answerPage(c, list, err, shapeActivity)
}

func (h *Handler) getActivity(c *call) error {
	activity, err := h.engine.GetAccountActivity(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, shapeActivity(&activity))
	return nil
}
