package console

import (
	"context"
	"slices"

	"github.com/muster-engine/muster/engine"
)

// retryView is the page that asks whether to try failed operations again.
type retryView struct {
	*visit

	Source string
	Count  int  // of the people
	Most   bool // there are more people
}

// failedPeople returns whom the failed operations of a source, or of all, are about: as many as one task takes.
func (v *visit) failedPeople(ctx context.Context, source string) (ids []string, more bool, err error) {
	operations, err := v.h.eng.Operations(ctx, engine.OperationQuery{States: []string{"FAILED"}, Source: source})
	if err != nil {
		return nil, false, err
	}
	for i := range operations {
		id := operations[i].Identity.ID
		if slices.Contains(ids, id) {
			continue
		}
		if len(ids) == engine.ProcessIdentitiesMax {
			return ids, true, nil
		}
		ids = append(ids, id)
	}
	return ids, len(operations) == engine.OperationsMax, nil
}

func (v *visit) retryPage() error {
	ctx, cancel := v.reading()
	defer cancel()
	view := &retryView{visit: v, Source: v.r.URL.Query().Get("source")}
	ids, more, err := v.failedPeople(ctx, view.Source)
	if err != nil {
		return err
	}
	view.Count, view.Most = len(ids), more
	return v.render("retry", view)
}

// retryFailed has everybody processed whose operations failed: what is still wanted is tried again.
func (v *visit) retryFailed() error {
	ids, _, err := v.failedPeople(v.ctx(), v.r.PostFormValue("source"))
	if err != nil {
		return err
	}
	return v.retryOf(ids)
}

// retryOperation is retryFailed for the person of one operation.
func (v *visit) retryOperation() error {
	operation, err := v.h.eng.GetOperation(v.ctx(), v.values["id"])
	if err != nil {
		return err
	}
	if operation.State != "FAILED" {
		return v.retryOf(nil)
	}
	return v.retryOf([]string{operation.Identity.ID})
}

func (v *visit) retryOf(ids []string) error {
	target := ownReference(v.r.PostFormValue("back"), "operations/")
	if len(ids) == 0 {
		return v.tell(note{Key: "No operation has failed.", Warning: true}, target)
	}
	run, err := v.h.eng.ProcessIdentities(v.ctx(), ids)
	if err != nil {
		return err
	}
	return v.tell(note{Key: "What failed is tried again, as far as it is still wanted.", Run: run.ID}, target)
}
