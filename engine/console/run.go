package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine"
)

// runsLimit is how many runs a page shows.
const runsLimit = 50

type runsView struct {
	*visit

	Pending     bool
	Runs        []shownRun
	Next, First string
}

// shownRun is a run as a list shows it.
type shownRun struct {
	engine.TaskStatus

	State, Tone string // in words; ok, bad, wait or calm
}

// stateOf says how a run is.
func (v *visit) stateOf(t *engine.TaskStatus) (state, tone string) {
	switch {
	case t.Held != "":
		return v.T("Held"), "wait"
	case t.CompletionStatus == nil && t.Launched != nil:
		return v.T("Running"), "calm"
	case t.CompletionStatus == nil:
		return v.T("Waiting"), "calm"
	}
	switch *t.CompletionStatus {
	case "SUCCESS":
		return v.T("Done"), "ok"
	case "WARNING":
		return v.T("Done, with warnings"), "wait"
	case "TERMINATED":
		return v.T("Cancelled"), "calm"
	case "ERROR":
		return v.T("Failed"), "bad"
	}
	return *t.CompletionStatus, "calm"
}

func (v *visit) shownRun(t *engine.TaskStatus) shownRun {
	state, tone := v.stateOf(t)
	return shownRun{*t, state, tone}
}

// offsetOf reads how many rows a list leaves out.
func (v *visit) offsetOf() int {
	n, err := strconv.Atoi(v.r.URL.Query().Get("offset"))
	if err != nil || n < 0 || n > offsetMax {
		return 0
	}
	return n
}

// offsetMax is the most rows that a list leaves out.
const offsetMax = 100_000

// pages returns the references of the next and of the first page of a list.
func (v *visit) pages(shown, limit int) (next, first string) {
	offset := v.offsetOf()
	if shown == limit {
		next = v.with("offset", strconv.Itoa(offset+limit))
	}
	if offset > 0 {
		first = v.with("offset", "")
	}
	return next, first
}

func (v *visit) runs() error {
	ctx, cancel := v.reading()
	defer cancel()
	view := &runsView{visit: v, Pending: v.r.URL.Query().Get("state") == "pending"}
	tasks, err := v.h.eng.Tasks(ctx, engine.TaskQuery{Pending: view.Pending, Limit: runsLimit, Offset: v.offsetOf()})
	if err != nil {
		return err
	}
	for i := range tasks {
		view.Runs = append(view.Runs, v.shownRun(&tasks[i]))
	}
	view.Next, view.First = v.pages(len(tasks), runsLimit)
	return v.render("runs", view)
}

type runView struct {
	*visit

	Run     shownRun
	Counts  []count
	Problem string
}

// count is a number that a run counted.
type count struct {
	Title string
	Count int64
}

// countsAlways is how many of the counts a page shows also where they are 0.
const countsAlways = 2

func (v *visit) runOf() (*runView, error) {
	ctx, cancel := v.reading()
	defer cancel()
	task, err := v.h.eng.Task(ctx, v.values["id"])
	if err != nil {
		return nil, err
	}
	v.rows = len(task.Messages)
	return v.viewOf(&task), nil
}

func (v *visit) viewOf(task *engine.TaskStatus) *runView {
	view := &runView{visit: v, Run: v.shownRun(task)}
	a := &task.Attributes
	if a.Aggregation != nil {
		view.Counts = v.countsOf(a.Aggregation)
	} else {
		view.Counts = v.counts(count{text("Identities processed"), a.IdentityCount},
			count{text("Changed"), a.ChangedCount}, count{text("Errors"), a.ErrorCount},
			count{text("Warnings"), a.WarningCount}, count{text("Accounts correlated"), a.CorrelatedCount},
			count{text("Roles gained"), a.RolesGained}, count{text("Roles lost"), a.RolesLost},
			count{text("Operations opened"), a.OperationCount},
			count{text("Lifecycle states changed"), a.LifecycleChangedCount},
			count{text("Deactivated"), a.DeactivatedCount})
	}
	return view
}

// Tried reports whether the run only says what an aggregation would do.
func (r *runView) Tried() bool {
	a := r.Run.Attributes.Aggregation
	return a != nil && a.DryRun
}

// Processing returns the run that processes those whom an aggregation concerns; "" for none.
func (r *runView) Processing() string {
	if a := r.Run.Attributes.Aggregation; a != nil {
		return a.Task
	}
	return ""
}

// counts returns the counts that a page shows, with their titles in the visitor's language.
func (v *visit) counts(all ...count) []count {
	var shown []count
	for i, c := range all {
		if c.Count != 0 || i < countsAlways {
			shown = append(shown, count{v.T(c.Title), c.Count})
		}
	}
	return shown
}

func (v *visit) run() error {
	view, err := v.runOf()
	if err != nil {
		return err
	}
	return v.render("run", view)
}

// confirmPage asks for the confirmation of a held run.
func (v *visit) confirmPage() error {
	view, err := v.runOf()
	if err != nil {
		return err
	}
	if view.Run.Held == "" {
		return v.redirect("runs/" + view.Run.ID + "/")
	}
	return v.render("confirm", view)
}

// confirm lets a held run go on, where the visitor has typed how many identities it would go on with: a number that has
// changed meanwhile is looked at again.
func (v *visit) confirm() error {
	view, err := v.runOf()
	if err != nil {
		return err
	}
	if view.Run.Held == "" {
		return v.tell(note{Key: "The run is not held any more.", Warning: true}, "runs/"+view.Run.ID+"/")
	}
	// As the page writes it, in any language.
	marks := strings.NewReplacer(",", "", ".", "", " ", "", "\u00a0", "", "\u202f", "")
	typed := marks.Replace(v.r.PostFormValue("count"))
	if typed != strconv.Itoa(view.Run.Remaining) {
		v.status = http.StatusBadRequest
		view.Problem = v.T("Type the number of identities that wait: %d.", view.Run.Remaining)
		return v.render("confirm", view)
	}
	if _, err := v.h.eng.ConfirmTask(v.ctx(), v.values["id"]); err != nil {
		return err
	}
	return v.tell(note{Key: "The run was confirmed, and goes on."}, "runs/"+view.Run.ID+"/")
}

func (v *visit) cancelPage() error {
	view, err := v.runOf()
	if err != nil {
		return err
	}
	if view.Run.Ended() {
		return v.redirect("runs/" + view.Run.ID + "/")
	}
	return v.render("cancel", view)
}

func (v *visit) cancel() error {
	task, err := v.h.eng.CancelTask(v.ctx(), v.values["id"])
	if engine.KindOf(err) == engine.Conflict {
		return v.tell(note{Key: "The run had ended already.", Warning: true}, "runs/"+v.values["id"]+"/")
	}
	if err != nil {
		return err
	}
	return v.tell(note{Key: "The run was cancelled. What it had written stays; whom it did not come to is due at the " +
		"next slot."}, "runs/"+task.ID+"/")
}
