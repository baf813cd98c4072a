package console

import (
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
)

// slotsShown is how many of the last scheduled runs the page shows.
const slotsShown = 10

type healthView struct {
	*visit

	Schedule engine.Schedule
	Next     []*moment
	Last     []shownSlot
	Engines  []shownEngine
	Asked    bool // the doctor was asked
	Tone     string
	Checks   []shownCheck
	Fine     int // how many checks found nothing
}

type shownSlot struct {
	engine.Slot

	At, Begun *moment
}

type shownEngine struct {
	engine.RunningEngine

	Started, Seen *moment
}

type shownCheck struct {
	engine.Check

	Tone string
}

// tones are those of the severities, the worst first.
var tones = map[engine.Severity]string{engine.SeverityFailure: "bad", engine.SeverityWarning: "wait",
	engine.SeverityOK: "ok"}

// health shows the schedule and the engines, and where the address asks for it what the doctor finds now.
func (v *visit) health() error {
	ctx, cancel := v.reading()
	defer cancel()
	view := &healthView{visit: v, Asked: v.r.URL.Query().Get("doctor") != ""}
	var err error
	if view.Schedule, err = v.h.eng.Schedule(ctx, slotsShown); err != nil {
		return err
	}
	for _, slot := range view.Schedule.Next {
		view.Next = append(view.Next, v.MomentOf(slot.Slot))
	}
	for _, slot := range view.Schedule.Last {
		view.Last = append(view.Last, shownSlot{slot, v.MomentOf(slot.Slot), v.Moment(slot.Begun)})
	}
	engines, err := v.h.eng.Engines(ctx)
	if err != nil {
		return err
	}
	for i := range engines {
		e := &engines[i]
		view.Engines = append(view.Engines, shownEngine{*e, v.MomentOf(e.Started), v.MomentOf(e.Seen)})
	}
	if view.Asked {
		found, err := v.h.eng.Doctor(ctx, engine.DoctorOptions{Timeout: v.h.config.StatementTimeout})
		if err != nil {
			return err
		}
		view.Tone = tones[found.Severity]
		for _, c := range found.Checks {
			if c.Severity == engine.SeverityOK {
				view.Fine++
				continue
			}
			view.Checks = append(view.Checks, shownCheck{c, tones[c.Severity]})
		}
		slices.SortStableFunc(view.Checks, func(a, b shownCheck) int {
			return strings.Compare(a.Tone, b.Tone) // bad before wait
		})
	}
	return v.render("health", view)
}
