package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store"
)

var taskOperations = []operation{
	{
		id: "getPendingTasks", method: http.MethodGet, path: "/task-status/pending-tasks", versions: until2026,
		query: pageQuery, handle: (*Handler).listPending,
	},
	{
		id: "getTaskStatusList", method: http.MethodGet, path: "/task-status", versions: notV3,
		// The launcher is in the versions from 2026 on alone, which the engine checks.
		list:   &listing{schema: store.TaskSchema(false, true), example: "completionStatus isnull"},
		handle: (*Handler).listTasks,
	},
	{
		id: "getTaskStatus", method: http.MethodGet, path: "/task-status/{id}", versions: notV3,
		handle: (*Handler).getTask,
	},
	{
		id: "updateTaskStatus", method: http.MethodPatch, path: "/task-status/{id}", versions: notV3,
		handle: (*Handler).patchTask,
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

func (h *Handler) listTasks(c *call) error {
	_, params, err := c.pageParams()
	if err != nil {
		return err
	}
	return h.answerTasks(c, engine.TaskListParams{PageParams: params,
		Since2026: c.version == version2026 || c.version == versionResource})
}

// listPending lists the tasks that have not ended. A HEAD is answered as a GET without its body.
func (h *Handler) listPending(c *call) error {
	_, params, err := c.pageParams()
	if err != nil {
		return err
	}
	return h.answerTasks(c, engine.TaskListParams{PageParams: params, Pending: true})
}

func (h *Handler) answerTasks(c *call, params engine.TaskListParams) error {
	page, err := h.engine.ListTasks(c.Context(), params)
	return answerPage(c, page, err, shapeTask)
}

// patchTask ends a task by hand. Nothing else of a task can be changed.
func (h *Handler) patchTask(c *call) error {
	patch, err := c.patch()
	if err != nil {
		return err
	}
	task, err := h.engine.Task(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	before, err := membersOf(encode(shapeTask(&task)))
	if err != nil {
		return err
	}
	after, err := patch.of(before)
	if err != nil {
		return err
	}
	end, err := taskEnd(before, after)
	if err != nil {
		return err
	}
	if end != (engine.TaskEnd{}) {
		if task, err = h.engine.EndTask(c.Context(), c.PathValue("id"), end); err != nil {
			return err
		}
	}
	c.respond(http.StatusOK, shapeTask(&task))
	return nil
}

// taskEnd returns how a patch ends a task; the zero TaskEnd where it changes nothing.
func taskEnd(before, after object) (engine.TaskEnd, error) {
	var end engine.TaskEnd
	names := changed(before, after)
	for _, name := range names {
		text, ok := after[name].(string)
		switch {
		case name != "completionStatus" && name != "completed":
			return end, illegalValue.with("/" + name +
				": this cannot be changed: only completionStatus and completed can")
		case !ok:
			return end, illegalValue.with("/" + name + ": a text is expected")
		case name == "completionStatus":
			end.Status = strings.ToUpper(text)
		default:
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return end, illegalValue.with("/completed: a time such as 2026-11-25T09:30:00.120Z is expected")
			}
			end.Completed = at
		}
	}
	if slices.Contains(names, "completed") && end.Status == "" {
		return end, illegalValue.with("/completed: a task ends with its completionStatus: give it too")
	}
	return end, nil
}
