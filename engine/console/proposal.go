package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine"
)

// proposalView is a change of the configuration that somebody proposes: its text travels with the forms of its pages,
// and nothing is stored until it is applied.
type proposalView struct {
	*visit

	Documents string // as they were typed
	Comment   string
	Problem   string // with the documents
	Shown     bool   // what it would change is shown
	Changes   []objectChange
	Notes     []string
	Totals    engine.PreviewTotals
	TooLong   bool // the preview took too long
	People    []proposedChange
	More      bool // more people change
	Typed     string
	Refused   string // why it was not applied
}

// proposedChange is what a proposal would change about a person.
type proposedChange struct {
	ID, Name, Error string
	Attributes      []changedAttribute
	Gained, Lost    []string
	State           *engine.PreviewText
	Operations      int
}

// proposalPeople is how many people the page of a proposal shows.
const proposalPeople = 50

// proposePage asks for documents. Where the address names an object, they begin as that object.
func (v *visit) proposePage() error {
	if v.h.config.ReadOnly {
		return &pageError{status: http.StatusForbidden, key: "This console is read-only: nothing was changed."}
	}
	view := &proposalView{visit: v}
	query := v.r.URL.Query()
	if kind, name := query.Get("type"), query.Get("name"); kind != "" && name != "" {
		ctx, cancel := v.reading()
		defer cancel()
		object, err := v.h.eng.ConfigurationObject(ctx, engine.ObjectType(kind), name)
		if err != nil {
			return err
		}
		if view.Documents, err = documentText(&object); err != nil {
			return err
		}
	}
	return v.render("propose", view)
}

// documentText returns an object as a document that can be applied.
func documentText(o *engine.ConfigurationObject) (string, error) {
	text, err := yamlOf(o.Object)
	if err != nil {
		return "", err
	}
	member := map[engine.ObjectType]string{engine.TypeSource: "sources", engine.TypeRole: "roles",
		engine.TypeIdentityProfile: "identityProfiles", engine.TypeLifecycleState: "lifecycleStates",
		engine.TypeIdentityAttribute: "identityAttributes", engine.TypeTransform: "transforms",
		engine.TypeAccessProfile: "accessProfiles"}[o.Type]
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if member == "" {
		return "settings:\n  " + strings.Join(lines, "\n  ") + "\n", nil
	}
	return member + ":\n  - " + strings.Join(lines, "\n    ") + "\n", nil
}

// propose shows what documents would change, for the configuration and for everybody.
func (v *visit) propose() error {
	view := &proposalView{visit: v, Documents: v.r.PostFormValue("documents"), Comment: v.r.PostFormValue("comment")}
	return v.showProposal(view)
}

// read reads the documents. A mistake in them is kept for the page, and then there are none.
func (p *proposalView) read() ([]engine.Document, error) {
	if strings.TrimSpace(p.Documents) == "" {
		p.Problem = p.T("Write the objects that are to change.")
		return nil, nil
	}
	documents, err := engine.ReadDocuments(p.T("line"), strings.NewReader(p.Documents))
	return documents, p.refuse(err)
}

// refuse keeps what is wrong with the documents for the page, and returns any other error.
func (p *proposalView) refuse(err error) error {
	switch engine.KindOf(err) {
	case engine.Invalid, engine.NotFound, engine.Conflict, engine.Forbidden:
		if err != nil {
			p.Problem = engine.Reason(err)
			return nil
		}
	}
	return err
}

func (v *visit) showProposal(view *proposalView) error {
	documents, err := view.read()
	if err != nil {
		return err
	}
	if view.Problem == "" {
		ctx, cancel := v.reading()
		defer cancel()
		if err := view.calculate(ctx, documents); err != nil {
			return err
		}
	}
	if view.Problem != "" {
		v.status = http.StatusBadRequest
	}
	return v.render("propose", view)
}

// calculate finds out what the documents would change.
func (p *proposalView) calculate(ctx context.Context, documents []engine.Document) error {
	difference, err := p.h.eng.DiffConfiguration(ctx, documents)
	if err := p.refuse(err); err != nil || p.Problem != "" {
		return err
	}
	if p.Changes, err = changesOf(difference.Objects); err != nil {
		return err
	}
	p.Notes, p.Shown = difference.Notes, true
	p.Totals, err = p.h.eng.Preview(ctx, engine.PreviewParams{Documents: documents},
		func(c *engine.PreviewChange) error {
			if len(p.People) == proposalPeople {
				p.More = true
				return nil
			}
			p.People = append(p.People, proposedChangeOf(c))
			return nil
		})
	if err != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded)) {
		p.TooLong = true
		return nil
	}
	p.rows = len(p.People)
	return p.refuse(err)
}

func proposedChangeOf(c *engine.PreviewChange) proposedChange {
	shown := proposedChange{ID: c.ID, Name: cmp.Or(c.Name, c.ID), Error: c.Error, Operations: len(c.Operations)}
	for i := range c.Attributes {
		a := &c.Attributes[i]
		shown.Attributes = append(shown.Attributes, changedAttribute{a.Name, strings.Join(a.From.Strings(), ", "),
			strings.Join(a.To.Strings(), ", ")})
	}
	for i := range c.RolesGained {
		shown.Gained = append(shown.Gained, c.RolesGained[i].Name)
	}
	for i := range c.RolesLost {
		shown.Lost = append(shown.Lost, c.RolesLost[i].Name)
	}
	if c.LifecycleState != nil {
		state := *c.LifecycleState
		shown.State = &state
	}
	return shown
}

// applyProposal applies documents at the version of the configuration that was previewed. Where the guard would hold
// what follows, the number of those who change is typed.
func (v *visit) applyProposal() error {
	view := &proposalView{visit: v, Documents: v.r.PostFormValue("documents"), Comment: v.r.PostFormValue("comment"),
		Typed: strings.TrimSpace(v.r.PostFormValue("count"))}
	documents, err := view.read()
	if err != nil {
		return err
	}
	version, failed := strconv.ParseInt(v.r.PostFormValue("version"), 10, 64)
	if view.Problem != "" || failed != nil || version < 0 {
		v.status = http.StatusBadRequest
		return v.showProposal(view)
	}
	if held := v.r.PostFormValue("held"); held != "" && view.Typed != held {
		view.Refused, v.status = v.T("Type how many identities would change."), http.StatusBadRequest
		return v.showProposal(view)
	}
	options := []engine.ApplyOption{engine.Untrusted(), engine.AtVersion(version), engine.WithComment(view.Comment)}
	if v.r.PostFormValue("replace") == "yes" {
		options = append(options, engine.Replace())
	}
	if v.r.PostFormValue("losses") == "yes" {
		options = append(options, engine.AcceptLosses())
	}
	result, err := v.h.eng.Apply(v.ctx(), documents, options...)
	switch engine.KindOf(err) {
	case engine.Conflict, engine.Invalid, engine.Forbidden:
		if err != nil {
			view.Refused, v.status = engine.Reason(err), http.StatusConflict
			return v.showProposal(view)
		}
	}
	if err != nil {
		return err
	}
	return v.tell(note{Key: "The configuration was changed. Whom it concerns is processed.", Run: result.Task},
		"configuration/revisions/")
}
