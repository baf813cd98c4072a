package httpapi

import (
	"net/http"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql"
)

var taskOperations = []operation{
	{
		id: "getPendingTasks", method: http.MethodGet, path: "/task-status/pending-tasks", versions: until2026,
		query: pageQuery, handle: (*Handler).listPending,
	},
	{
		id: "getTaskStatusList", method: http.MethodGet, path: "/task-status", versions: notV3, query: listQuery,
		handle: (*Handler).listTasks,
	},
	{
		id: "getTaskStatus", method: http.MethodGet, path: "/task-status/{id}", versions: notV3,
		handle: (*Handler).getTask,
	},
}

func (h *Handler) getTask(c *call) error {
	task, err := h.engine.Task(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, shapeTask(&task))
	return nil
}

// pendingFilter is the only filter for tasks: those that have not ended.
const pendingFilter = "completionStatus isnull"

func (h *Handler) listTasks(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	pending, err := pendingOnly(q.text("filters"))
	if err != nil {
		return err
	}
	if err := latestFirst(q.text("sorters")); err != nil {
		return err
	}
	return h.answerTasks(c, q, pending)
}

// listPending lists the tasks that have not ended. A HEAD is answered as a GET without its body.
func (h *Handler) listPending(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	return h.answerTasks(c, q, true)
}

func (h *Handler) answerTasks(c *call, q query, pending bool) error {
	params := engine.TaskQuery{Pending: pending}
	page, err := q.page()
	if err != nil {
		return err
	}
	params.Limit, params.Offset = page.Limit, page.Offset
	tasks := []engine.TaskStatus{}
	if page.Limit > 0 { // there 0 means the default
		if tasks, err = h.engine.Tasks(c.Context(), params); err != nil {
			return err
		}
	}
	if page.Count {
		n, err := h.engine.CountTasks(c.Context(), params)
		if err != nil {
			return err
		}
		c.total(n)
	}
	c.respond(http.StatusOK, shapes(tasks, shapeTask))
	return nil
}

// latestSorter is the only order of tasks: the latest first.
const latestSorter = "-created"

// latestFirst checks sorters for tasks.
func latestFirst(sorters string) error {
	if sorters = strings.TrimSpace(sorters); sorters != "" && sorters != latestSorter {
		return illegalValue.with("sorters: only " + latestSorter + " is allowed")
	}
	return nil
}

// pendingOnly reads a filter for tasks.
func pendingOnly(filter string) (bool, error) {
	if strings.TrimSpace(filter) == "" {
		return false, nil
	}
	parsed, err := filterql.Parse(filter)
	if err != nil {
		return false, badSyntax.with("filters: " + err.Error())
	}
	if filterql.Print(parsed) != pendingFilter {
		return false, illegalValue.with("filters: only " + pendingFilter + " is allowed")
	}
	return true, nil
}
