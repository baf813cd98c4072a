package console

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/internal/page"
)

type homeView struct {
	*visit

	Held, Running []shownRun
	Counts        []homeCount
	Operations    []sourceOperations
	OperationsCut bool // there are more than were counted
	Sources       []shownSource
	Next          []*moment
	Population    engine.Population
	Plots         []*plotted
}

// PopulationAt returns when the population was counted; nil where nobody has.
func (h *homeView) PopulationAt() *moment { return h.MomentOf(h.Population.Counted) }

// homeCount is a number of identities, and the list that has them.
type homeCount struct {
	Title, Filters, Tone string
	Count                int
}

// sourceOperations counts the operations of a source that somebody has to look at.
type sourceOperations struct {
	Source                 string
	Failed, Manual, Parked int
}

// shownSource is a source, and how its last aggregation went.
type shownSource struct {
	engine.SourceState

	State, Tone      string
	LastAt, FailedAt *moment
	NextAt           *moment
}

// homeCounts are the lists that Home counts. An index serves each of them.
var homeCounts = []homeCount{
	{Title: text("in error"), Filters: `processingState eq "ERROR"`, Tone: "bad"},
	{Title: text("uncorrelated"), Filters: `correlated eq false`, Tone: "wait"},
	{Title: text("invited, not registered"), Filters: `cloudStatus eq "PENDING"`, Tone: "calm"},
}

func (v *visit) home() error {
	ctx, cancel := v.reading()
	defer cancel()
	view := &homeView{visit: v}
	tasks, err := v.h.eng.Tasks(ctx, engine.TaskQuery{Pending: true})
	if err != nil {
		return err
	}
	for i := range tasks {
		if run := v.shownRun(&tasks[i]); run.Held != "" {
			view.Held = append(view.Held, run)
		} else {
			view.Running = append(view.Running, run)
		}
	}
	if err := view.count(ctx); err != nil {
		return err
	}
	if err := view.countOperations(ctx); err != nil {
		return err
	}
	if view.Sources, err = v.shownSources(ctx); err != nil {
		return err
	}
	schedule, err := v.h.eng.Schedule(ctx, 1)
	if err != nil {
		return err
	}
	for _, slot := range schedule.Next {
		view.Next = append(view.Next, v.MomentOf(slot.Slot))
	}
	if view.Population, err = v.h.eng.Population(ctx); err != nil {
		return err
	}
	if view.Plots, err = v.plots(ctx); err != nil {
		return err
	}
	return v.render("home", view)
}

// count counts the identities of each list.
func (h *homeView) count(ctx context.Context) error {
	none := 0
	for _, c := range homeCounts {
		page, err := h.h.eng.ListIdentities(ctx, engine.ListParams{DefaultFilter: engine.NoDefault, Filters: c.Filters,
			Limit: &none, Count: true})
		if err != nil {
			return err
		}
		c.Title, c.Count = h.T(c.Title), *page.Total
		if c.Count == 0 {
			c.Tone = "none"
		}
		h.Counts = append(h.Counts, c)
	}
	return nil
}

// countOperations counts the operations to look at by source.
func (h *homeView) countOperations(ctx context.Context) error {
	operations, err := h.h.eng.Operations(ctx, engine.OperationQuery{States: []string{"FAILED", "MANUAL", "PARKED"}})
	if err != nil {
		return err
	}
	h.OperationsCut = len(operations) == engine.OperationsMax
	for i := range operations {
		o := &operations[i]
		at := slices.IndexFunc(h.Operations, func(s sourceOperations) bool { return s.Source == o.Source.Name })
		if at < 0 {
			at = len(h.Operations)
			h.Operations = append(h.Operations, sourceOperations{Source: o.Source.Name})
		}
		switch o.State {
		case "FAILED":
			h.Operations[at].Failed++
		case "MANUAL":
			h.Operations[at].Manual++
		default:
			h.Operations[at].Parked++
		}
	}
	slices.SortFunc(h.Operations, func(a, b sourceOperations) int { return strings.Compare(a.Source, b.Source) })
	return nil
}

func (v *visit) shownSources(ctx context.Context) ([]shownSource, error) {
	states, err := v.h.eng.Sources(ctx)
	if err != nil {
		return nil, err
	}
	shown := make([]shownSource, len(states))
	for i := range states {
		s := shownSource{SourceState: states[i], State: v.T("Fine"), Tone: "ok", LastAt: v.Moment(states[i].Last),
			FailedAt: v.Moment(states[i].Failed), NextAt: v.Moment(states[i].Next)}
		switch {
		case s.Failed != nil:
			s.State, s.Tone = v.T("Failed"), "bad"
		case s.Next != nil && s.Next.Before(time.Now().Add(-late)):
			s.State, s.Tone = v.T("Late"), "wait"
		case s.Last == nil && s.Schedule == "":
			s.State, s.Tone = v.T("Without schedule"), "calm"
		case s.Last == nil:
			s.State, s.Tone = v.T("Not read yet"), "calm"
		}
		shown[i] = s
	}
	return shown, nil
}

// late is how long after its time an aggregation is called late.
const late = 15 * time.Minute

type sourcesView struct {
	*visit

	Sources []shownSource
}

func (v *visit) sources() error {
	ctx, cancel := v.reading()
	defer cancel()
	sources, err := v.shownSources(ctx)
	if err != nil {
		return err
	}
	return v.render("sources", &sourcesView{visit: v, Sources: sources})
}

type settingsView struct {
	*visit

	Languages []languageChoice
	Expires   *moment
}

type languageChoice struct {
	Tag, Name string
	Chosen    bool
}

// languageNames call languages by their own names.
var languageNames = map[string]string{"en": "English", "de": "Deutsch"}

func (v *visit) settingsPage() error {
	view := &settingsView{visit: v, Expires: v.Moment(&v.session.Expires)}
	for _, tag := range v.h.languages.Tags {
		name := tag.String()
		if own := languageNames[name]; own != "" {
			name = own
		}
		view.Languages = append(view.Languages, languageChoice{tag.String(), name, tag == v.language.Tag})
	}
	return v.render("settings", view)
}

// settingsAge is how long a browser keeps the visitor's settings, in seconds.
const settingsAge = 365 * 24 * 60 * 60

// settings keeps the visitor's settings in the browser.
func (v *visit) settings() error {
	keep := func(name, value string) {
		cookie := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: v.h.origin.Secure(v.r),
			SameSite: http.SameSiteLaxMode, MaxAge: settingsAge}
		if value == "" {
			cookie.MaxAge = -1
		}
		http.SetCookie(v.w, cookie)
	}
	language := v.r.PostFormValue("language")
	if !v.h.languages.Have(language) {
		language = ""
	}
	theme := v.r.PostFormValue("theme")
	if theme != "light" && theme != "dark" {
		theme = ""
	}
	keep(page.LanguageCookie, language)
	keep(page.ThemeCookie, theme)
	return v.redirect("settings")
}

func (v *visit) help() error { return v.render("help", v) }
