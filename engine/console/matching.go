package console

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/muster-engine/muster/engine"
)

// countMax is how far the console counts: beyond it a page says that there are more.
const countMax = 10_000

// matchingNamed is up to how many identities a page names, rather than only counts.
const matchingNamed = 5

// bulk is something that is done with all identities that match a filter.
type bulk struct {
	Word  string // of its address
	Title string
	// Says is what will happen to one identity, to several, and to so many that they are not counted.
	One, Many, More string
}

var (
	bulkProcess = bulk{"process-matching", text("Process all that match"), text("%d identity is processed."),
		text("%d identities are processed."), text("More than %d identities are processed.")}
	bulkSynchronize = bulk{"synchronize-matching", text("Synchronize the attributes of all that match"),
		text("The accounts of %d identity get its attributes."),
		text("The accounts of %d identities get their attributes."),
		text("The accounts of more than %d identities get their attributes.")}
	bulkInvite = bulk{"invite-matching", text("Invite all that match"),
		text("%d identity matches. It is invited unless it is registered."),
		text("%d identities match. Those who are not registered are invited, at most 1,000."),
		text("More than %d identities match: at most 1,000 can be invited at once.")}
)

// matchingView is the page that says to how many something will happen, and asks for it.
type matchingView struct {
	*visit

	Bulk    bulk
	Filters string
	Count   int
	More    bool // than Count
	People  []engine.Identity
	Mistake string
	Problem string
}

// matching returns the params of all that match the filter of the Identity List.
func matching(filters string) engine.ListParams {
	return engine.ListParams{AnyField: true, DefaultFilter: engine.NoDefault, Filters: filters}
}

func (v *visit) showMatching(b bulk, problem string) error {
	ctx, cancel := v.reading()
	defer cancel()
	view := &matchingView{visit: v, Bulk: b, Filters: strings.TrimSpace(v.r.FormValue("filters")), Problem: problem}
	var err error
	if view.Count, view.More, err = v.h.eng.CountIdentities(ctx, matching(view.Filters), countMax); err != nil {
		if mistake := mistakeOf(err); mistake != nil {
			view.Mistake = mistake.Render()
			return v.render("matching", view)
		}
		return err
	}
	if view.Count <= matchingNamed {
		params := matching(view.Filters)
		limit := matchingNamed
		params.Sorters, params.Limit = "name", &limit
		page, err := v.h.eng.ListIdentities(ctx, params)
		if err != nil {
			return err
		}
		view.People = page.Identities
		v.rows = len(view.People)
	}
	return v.render("matching", view)
}

// Says says what will happen, to how many.
func (m *matchingView) Says() string {
	if m.More {
		return m.T(m.Bulk.More, m.Count)
	}
	return m.N(m.Bulk.One, m.Bulk.Many, m.Count)
}

// Back returns the list that the page came from.
func (m *matchingView) Back() string { return "./?filters=" + urlQuery(m.Filters) }

// everybodyFilter matches every identity. An invitation demands some filter.
const everybodyFilter = "pr name"

func (v *visit) processMatchingPage() error     { return v.showMatching(bulkProcess, "") }
func (v *visit) synchronizeMatchingPage() error { return v.showMatching(bulkSynchronize, "") }
func (v *visit) inviteMatchingPage() error      { return v.showMatching(bulkInvite, "") }

func (v *visit) processMatching() error {
	filters := v.r.PostFormValue("filters")
	run, err := v.h.eng.ProcessMatching(v.ctx(), matching(filters))
	return v.matchingAsked(bulkProcess, run.ID, text("The processing was asked for."), err)
}

func (v *visit) synchronizeMatching() error {
	filters := v.r.PostFormValue("filters")
	run, err := v.h.eng.SynchronizeMatching(v.ctx(), matching(filters))
	return v.matchingAsked(bulkSynchronize, run.ID, text("The synchronization of the attributes was asked for."), err)
}

func (v *visit) inviteMatching() error {
	filters := cmp.Or(strings.TrimSpace(v.r.PostFormValue("filters")), everybodyFilter)
	run, err := v.h.eng.InviteIdentities(v.ctx(), engine.InviteParams{Filters: filters})
	return v.matchingAsked(bulkInvite, run.ID,
		text("The invitation was asked for. The run tells who is not invited, and why."), err)
}

// matchingAsked goes on to the list, or back to the page where the visitor can mend what is wrong.
func (v *visit) matchingAsked(b bulk, run, said string, err error) error {
	if engine.KindOf(err) == engine.Invalid && mistakeOf(err) == nil {
		v.status = http.StatusBadRequest
		return v.showMatching(b, engine.Reason(err))
	}
	if err != nil {
		return err
	}
	return v.tell(note{Key: said, Run: run}, "identities/?filters="+urlQuery(v.r.PostFormValue("filters")))
}
