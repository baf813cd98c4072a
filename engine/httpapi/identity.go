package httpapi

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/muster-engine/muster/engine"
)

func (h *Handler) listIdentities(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	asked, err := q.page()
	if err != nil {
		return err
	}
	after, err := h.cursors.open(q.text("after"))
	if err != nil {
		return err
	}
	page, err := h.engine.ListIdentities(c.Context(), engine.ListParams{
		Filters: q.text("filters"), Sorters: q.text("sorters"), Limit: &asked.Limit, Offset: asked.Offset,
		Count: asked.Count, After: after, DefaultFilter: engine.DefaultFilter(q.text("defaultFilter")),
	})
	if err != nil {
		return err
	}
	if page.Total != nil {
		c.total(*page.Total)
	}
	if page.Next != "" {
		c.w.Header().Set(cursorHeader, h.cursors.seal(page.Next, q.text("sorters")))
	}
	c.respond(http.StatusOK, shapes(page.Identities, shapeIdentity))
	return nil
}

func (c *call) total(n int) { c.w.Header().Set(totalHeader, strconv.Itoa(n)) }

func (c *call) respond(status int, body any) { send(c.w, c.Request, status, encode(body)) }

// done answers without a body.
func (c *call) done(status int) { c.w.WriteHeader(status) }

func (h *Handler) getIdentity(c *call) error {
	identity, err := h.engine.GetIdentity(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, shapeIdentity(&identity))
	return nil
}

// associations is the published body of an ownership, and of a deletion that an ownership prevents.
type associations struct {
	Message            string               `json:"message,omitempty"`
	AssociationDetails []engine.Association `json:"associationDetails"`
}

func (h *Handler) deleteIdentity(c *call) error {
	err := h.engine.DeleteIdentity(c.Context(), c.PathValue("id"))
	var owns *engine.AssociationsError
	if errors.As(err, &owns) {
		details := associations{owns.Message, owns.Associations}
		if details.AssociationDetails == nil {
			details.AssociationDetails = []engine.Association{}
		}
		c.respond(http.StatusBadRequest, details)
		return nil
	}
	if err != nil {
		return err
	}
	c.done(http.StatusNoContent)
	return nil
}

func (h *Handler) getOwnership(c *call) error {
	owned, err := h.engine.Ownership(c.Context(), c.PathValue("identityId"))
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, associations{AssociationDetails: owned})
	return nil
}

// getRoleAssignments answers in the short shape, or in the full shape if the request names a role.
func (h *Handler) getRoleAssignments(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	narrow := engine.RoleAssignmentQuery{RoleID: q.text("roleId"), RoleName: q.text("roleName")}
	list, err := h.engine.RoleAssignments(c.Context(), c.PathValue("identityId"), narrow)
	if err != nil {
		return err
	}
	if narrow != (engine.RoleAssignmentQuery{}) {
		c.respond(http.StatusOK, shapes(list, shapeAssignment))
		return nil
	}
	c.respond(http.StatusOK, shapes(list, func(a *engine.RoleAssignment) assignmentRefShape {
		ref := a.Ref()
		return shapeAssignmentRef(&ref)
	}))
	return nil
}

func (h *Handler) getRoleAssignment(c *call) error {
	assignment, err := h.engine.RoleAssignment(c.Context(), c.PathValue("identityId"), c.PathValue("assignmentId"))
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, shapeAssignment(&assignment))
	return nil
}

func (h *Handler) resetIdentity(c *call) error {
	if err := h.engine.ResetIdentity(c.Context(), c.PathValue("identityId")); err != nil {
		return err
	}
	c.done(http.StatusAccepted)
	return nil
}

func (h *Handler) sendVerification(c *call) error {
	members, err := c.body()
	if err != nil {
		return err
	}
	var params engine.VerificationParams
	if params.Source, err = members.text("sourceName"); err != nil {
		return err
	}
	if params.Via, err = members.text("via"); err != nil {
		return err
	}
	if params.Via == "" {
		return dataMissing.with("via: it is missing or empty")
	}
	err = h.engine.SendVerification(c.Context(), c.PathValue("id"), params)
	var known *engine.Error
	if errors.As(err, &known) && known.Kind == engine.NotFound && known.Subject == params.Source {
		return noReferenced.with(`Referenced sourceName "` + params.Source + `" was not found.`)
	}
	if err != nil {
		return err
	}
	c.done(http.StatusOK)
	return nil
}

func (h *Handler) invite(c *call) error {
	members, err := c.body()
	if err != nil {
		return err
	}
	var params engine.InviteParams
	if params.IDs, err = members.texts("ids"); err != nil {
		return err
	}
	if params.Uninvited, err = members.truth("uninvited"); err != nil {
		return err
	}
	task, err := h.engine.InviteIdentities(c.Context(), params)
	if err != nil {
		return err
	}
	c.respond(http.StatusAccepted, shapeTask(&task))
	return nil
}

// taskResult is the published reference to a task. Its name is always null.
type taskResult struct {
	Type string  `json:"type"`
	ID   string  `json:"id"`
	Name *string `json:"name"`
}

func (h *Handler) process(c *call) error {
	members, err := c.body()
	if err != nil {
		return err
	}
	ids, err := members.texts("identityIds")
	if err != nil {
		return err
	}
	task, err := h.engine.ProcessIdentities(c.Context(), ids)
	if err != nil {
		return err
	}
	c.respond(http.StatusAccepted, taskResult{Type: "TASK_RESULT", ID: task.ID})
	return nil
}

func (h *Handler) synchronizeAttributes(c *call) error {
	job, err := h.engine.SynchronizeAttributes(c.Context(), c.PathValue("identityId"))
	if err != nil {
		return err
	}
	c.respond(http.StatusAccepted, job)
	return nil
}
