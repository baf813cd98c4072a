package console

import (
	"context"

	"github.com/muster-engine/muster/engine"
)

// errorsView is the page of the failed operations, those with equal errors together.
type errorsView struct {
	*visit

	Groups []errorGroup
	More   bool // there are more groups
}

// errorGroup is operations that failed by the same.
type errorGroup struct {
	engine.OperationCount

	Retry string // the reference of the page that asks whether they are tried again
}

// errorGroupsMax is how many groups the page shows.
const errorGroupsMax = 100

func (v *visit) operationErrors() error {
	ctx, cancel := v.reading()
	defer cancel()
	groups, err := v.h.eng.OperationCounts(ctx, engine.OperationQuery{States: failed, Limit: errorGroupsMax})
	if err != nil {
		return err
	}
	view := &errorsView{visit: v, More: len(groups) == errorGroupsMax}
	for i := range groups {
		g := &groups[i]
		view.Groups = append(view.Groups, errorGroup{*g, "retry?source=" + urlQuery(g.Source.Name) + "&kind=" +
			urlQuery(g.Kind) + "&error=" + urlQuery(g.ErrorClass)})
	}
	return v.render("operation-errors", view)
}

// failed are the states of operations that were given up.
var failed = []string{"FAILED"}

// retryView is the page that asks whether to try failed operations again.
type retryView struct {
	*visit

	Asked engine.RetryParams
	Count int // of the operations
}

// asked returns which operations are to be tried again, as the page or its form says.
func (v *visit) askedToRetry() engine.RetryParams {
	return engine.RetryParams{Source: v.r.FormValue("source"), Kind: v.r.FormValue("kind"),
		ErrorClass: v.r.FormValue("error")}
}

// countFailed counts the failed operations that are asked for.
func (v *visit) countFailed(ctx context.Context, asked engine.RetryParams) (int, error) {
	groups, err := v.h.eng.OperationCounts(ctx, engine.OperationQuery{States: failed, Source: asked.Source})
	count := 0
	for i := range groups {
		if g := &groups[i]; (asked.Kind == "" || g.Kind == asked.Kind) &&
			(asked.ErrorClass == "" || g.ErrorClass == asked.ErrorClass) {
			count += g.Operations
		}
	}
	return count, err
}

func (v *visit) retryPage() error {
	ctx, cancel := v.reading()
	defer cancel()
	view := &retryView{visit: v, Asked: v.askedToRetry()}
	var err error
	if view.Count, err = v.countFailed(ctx, view.Asked); err != nil {
		return err
	}
	return v.render("retry", view)
}

// retryFailed has everybody processed whose operations failed: what is still wanted is tried again.
func (v *visit) retryFailed() error {
	run, err := v.h.eng.RetryOperations(v.ctx(), v.askedToRetry())
	if err != nil {
		return err
	}
	if run.Ended() { // there was nothing to do
		return v.retried("")
	}
	return v.retried(run.ID)
}

// retryOperation is retryFailed for the person of one operation.
func (v *visit) retryOperation() error {
	operation, err := v.h.eng.GetOperation(v.ctx(), v.values["id"])
	if err != nil {
		return err
	}
	if operation.State != "FAILED" {
		return v.retried("")
	}
	run, err := v.h.eng.ProcessIdentities(v.ctx(), []string{operation.Identity.ID})
	if err != nil {
		return err
	}
	return v.retried(run.ID)
}

// retried goes on with what a run tries again; "" for nothing.
func (v *visit) retried(run string) error {
	n := note{Key: "What failed is tried again, as far as it is still wanted.", Run: run}
	if run == "" {
		n = note{Key: "No operation has failed.", Warning: true}
	}
	return v.tell(n, ownReference(v.r.PostFormValue("back"), "operations/"))
}
