package console

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
)

// sourceView is the page of a source.
type sourceView struct {
	*visit

	ID        string
	Source    engine.Source
	Owner     string
	State     shownSource
	Result    []count
	Notes     []string
	Threshold int
	Schema    *engine.Schema
	Tested    string   // why the source cannot be reached; "" where it was not asked, or can be
	Plot      *plotted // of the number of accounts; nil where nobody has counted it
}

// sourceOf reads the source that the path names.
func (v *visit) sourceOf(ctx context.Context) (*sourceView, error) {
	page, err := v.h.eng.ListConfiguration(ctx, engine.TypeSource, engine.PageParams{
		Filters: "id eq " + quoted(v.values["id"])})
	if mistakeOf(err) != nil || err == nil && len(page.Items) == 0 {
		return nil, &pageError{status: http.StatusNotFound, key: "There is no source with this ID."}
	}
	if err != nil {
		return nil, err
	}
	var d struct {
		engine.Source

		Owner *engine.Reference `json:"owner"`
	}
	if err := json.Unmarshal(page.Items[0].Object, &d); err != nil {
		return nil, err
	}
	view := &sourceView{visit: v, ID: page.Items[0].ID, Source: d.Source, Threshold: engine.DeleteThresholdDefault}
	view.Source.Name = page.Items[0].Name
	if d.Owner != nil {
		view.Owner = d.Owner.Name
	}
	if d.DeleteThreshold != nil {
		view.Threshold = *d.DeleteThreshold
	}
	isOfAccounts := func(s engine.Schema) bool { return strings.EqualFold(s.Name, "account") }
	if at := slices.IndexFunc(d.Schemas, isOfAccounts); at >= 0 {
		view.Schema = &d.Schemas[at]
	}
	return view, nil
}

// source shows how a source is, and what its configuration says.
func (v *visit) source() error {
	ctx, cancel := v.reading()
	defer cancel()
	view, err := v.sourceOf(ctx)
	if err != nil {
		return err
	}
	return v.showSource(ctx, view)
}

func (v *visit) showSource(ctx context.Context, view *sourceView) error {
	states, err := v.shownSources(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(states, func(s shownSource) bool { return s.Source == view.Source.Name })
	if at < 0 {
		return &pageError{status: http.StatusNotFound, key: "There is no source with this ID."}
	}
	view.State = states[at]
	if view.State.Failed == nil {
		if err := view.read(view.State.Result); err != nil {
			return err
		}
	}
	view.Plot, err = v.objectPlot(ctx, engine.MeasureAccounts, view.ID, v.T("Accounts"))
	if err != nil {
		return err
	}
	return v.render("source", view)
}

// read makes counts of what the last aggregation did.
func (s *sourceView) read(document json.RawMessage) error {
	if len(document) == 0 || string(document) == "null" {
		return nil
	}
	var r engine.AggregateResult
	if err := json.Unmarshal(document, &r); err != nil {
		return err
	}
	s.Result, s.Notes = s.countsOf(&r), r.Notes
	return nil
}

// countsOf returns what an aggregation counted, in words.
func (v *visit) countsOf(r *engine.AggregateResult) []count {
	return v.counts(count{text("Rows read"), int64(r.Rows)}, count{text("Accounts added"), int64(r.Added)},
		count{text("Accounts changed"), int64(r.Changed)}, count{text("Accounts removed"), int64(r.Removed)},
		count{text("Accounts correlated"), int64(r.Correlated)},
		count{text("Accounts that several identities fit"), int64(r.Ambiguous)},
		count{text("Identities created"), int64(r.Identities)},
		count{text("Identities that it does not have any more"), int64(r.Orphaned)},
		count{text("Rows left out"), int64(r.Faulty)})
}

// Assignments returns how the accounts of the source find their identities.
func (s *sourceView) Assignments() []engine.AttributeAssignment {
	if s.Source.AccountCorrelationConfig == nil {
		return nil
	}
	return s.Source.AccountCorrelationConfig.Assignments
}

// Exact reports whether letter case counts in an assignment.
func (s *sourceView) Exact(a engine.AttributeAssignment) bool {
	return a.IgnoreCase != nil && !*a.IgnoreCase
}

// Synchronized returns the attributes that the source gets from the identities.
func (s *sourceView) Synchronized() []engine.AttributeSync {
	if s.Source.AttributeSyncConfig == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Source.AttributeSyncConfig.Attributes),
		func(a engine.AttributeSync) bool { return !a.Enabled })
}

// Uncorrelated returns the list of the accounts of the source that nobody has.
func (s *sourceView) Uncorrelated() string {
	return s.accountsOf(uncorrelatedFilter) + "&source=" + urlQuery(s.Source.Name)
}

// AllAccounts returns the list of the accounts of the source.
func (s *sourceView) AllAccounts() string {
	return s.base + "accounts/?source=" + urlQuery(s.Source.Name)
}

// testSource asks whether the source can be reached.
func (v *visit) testSource() error {
	ctx, cancel := v.reading()
	defer cancel()
	view, err := v.sourceOf(ctx)
	if err != nil {
		return err
	}
	err = v.h.eng.TestSource(ctx, view.ID)
	if err == nil {
		return v.tell(note{Key: "The source can be reached."}, "sources/"+view.ID+"/")
	}
	if kind := engine.KindOf(err); kind == engine.NotFound || kind == engine.Internal {
		return err
	}
	view.Tested = engine.Reason(err)
	reading, done := v.reading() // the test may have taken all the time there was
	defer done()
	return v.showSource(reading, view)
}

// synchronizeSource synchronizes the attributes of everybody with an account on the source.
func (v *visit) synchronizeSource() error {
	job, err := v.h.eng.SynchronizeSource(v.ctx(), v.values["id"])
	if err != nil {
		return err
	}
	return v.tell(note{Key: "The synchronization of the attributes on the source was asked for.", Run: job.ID},
		"sources/"+v.values["id"]+"/")
}
