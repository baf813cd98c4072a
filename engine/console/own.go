package console

import (
	"net/http"

	"github.com/muster-engine/muster/engine"
)

// ownView is what Muster has about the visitor.
type ownView struct {
	*visit

	Identity   engine.Identity
	Attributes []attributeRow
	Roles      []roleRow
}

// me shows visitors what there is about themselves, and why. It has no links: they may see nothing else.
func (v *visit) me() error {
	ctx, cancel := v.reading()
	defer cancel()
	identity, err := v.h.eng.GetIdentity(ctx, v.principal.ID)
	if engine.KindOf(err) == engine.NotFound {
		return &pageError{status: http.StatusNotFound, key: "You are no identity: there is nothing about you."}
	}
	if err != nil {
		return err
	}
	why, err := v.h.eng.Explain(ctx, engine.ExplainParams{Identity: identity.ID})
	if err != nil {
		return err
	}
	assignments, err := v.h.eng.RoleAssignments(ctx, identity.ID, engine.RoleAssignmentQuery{})
	if err != nil {
		return err
	}
	view := &ownView{visit: v, Identity: identity, Attributes: attributeRows(why.Attributes)}
	for i := range why.Roles {
		if row := v.roleRow(&why.Roles[i], assignments); row.has() {
			view.Roles = append(view.Roles, row)
		}
	}
	v.rows = 1
	return v.render("me", view)
}
