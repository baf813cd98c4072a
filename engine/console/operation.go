package console

import (
	"context"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
)

// operationsLimit is how many operations a page shows.
const operationsLimit = 50

// operationStates are the states that a list is narrowed down to, the ones to look at first.
var operationStates = []string{"FAILED", "MANUAL", "PARKED", "OPEN", "DONE", "RETRIED", "CANCELLED"}

// operationsView is a list of operations.
type operationsView struct {
	*visit

	State, Source string
	States        []string
	Sources       []string
	Rows          []shownOperation
	Next, First   string
}

// shownOperation is an operation as a list shows it.
type shownOperation struct {
	engine.Operation

	Tone   string
	Values []pinned
}

func toneOf(state string) string {
	switch state {
	case "DONE":
		return "ok"
	case "FAILED":
		return "bad"
	case "MANUAL", "PARKED":
		return "wait"
	}
	return "calm"
}

// operationRows reads operations, and where the page asks for it those of one identity.
func (v *visit) operationRows(ctx context.Context, q engine.OperationQuery) ([]shownOperation, error) {
	q.Limit, q.Offset = operationsLimit, v.offsetOf()
	if state := v.r.URL.Query().Get("state"); slices.Contains(operationStates, state) {
		q.States = []string{state}
	}
	operations, err := v.h.eng.Operations(ctx, q)
	if err != nil {
		return nil, err
	}
	rows := make([]shownOperation, len(operations))
	for i := range operations {
		rows[i] = shownOperation{Operation: operations[i], Tone: toneOf(operations[i].State)}
		for name, value := range operations[i].Attributes.All() {
			rows[i].Values = append(rows[i].Values, pinned{name, strings.Join(value.Strings(), ", ")})
		}
	}
	v.rows = len(rows)
	return rows, nil
}

func (v *visit) operations() error {
	ctx, cancel := v.reading()
	defer cancel()
	query := v.r.URL.Query()
	view := &operationsView{visit: v, State: query.Get("state"), Source: query.Get("source"), States: operationStates}
	sources, err := v.h.eng.Sources(ctx)
	if err != nil {
		return err
	}
	for i := range sources {
		view.Sources = append(view.Sources, sources[i].Source)
	}
	if view.Rows, err = v.operationRows(ctx, engine.OperationQuery{Source: view.Source}); err != nil {
		return err
	}
	view.Next, view.First = v.pages(len(view.Rows), operationsLimit)
	return v.render("operations", view)
}

// identityOperationsView is the operations of one identity.
type identityOperationsView struct {
	*subject

	State       string
	States      []string
	Rows        []shownOperation
	Next, First string
}

func (v *visit) identityOperations() error {
	ctx, cancel := v.reading()
	defer cancel()
	s, err := v.subject(ctx)
	if err != nil {
		return err
	}
	view := &identityOperationsView{subject: s, State: v.r.URL.Query().Get("state"), States: operationStates}
	if view.Rows, err = v.operationRows(ctx, engine.OperationQuery{Identity: s.Identity.ID}); err != nil {
		return err
	}
	view.Next, view.First = v.pages(len(view.Rows), operationsLimit)
	return v.render("identity-operations", view)
}

// release opens an operation again that is held back.
func (v *visit) release() error {
	if err := v.h.eng.ReleaseOperation(v.ctx(), v.values["id"]); err != nil {
		return err
	}
	return v.tell(note{Key: "The operation was released: a worker carries it out if it is still wanted."},
		ownReference(v.r.PostFormValue("back"), "operations/"))
}
