package console

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console/internal/plot"
)

// How many days the plots show.
const (
	populationDays = 90
	failedDays     = 7
	changesDays    = 30
	runsDays       = 14
	objectDays     = 90
)

// runsPlotted is how many runs the plot of runs shows, the latest ones.
const runsPlotted = 150

// plotted is a drawing, with the numbers that it shows.
type plotted struct {
	ID, Title string
	Drawing   template.HTML // "" where there is nothing to show: Note says why
	Note      string
	Header    []string
	Rows      []plottedRow
	CSV       string // the reference of the numbers as a file
}

// plottedRow is a line of the table of a plot. Run is the ID of the run that it is about, or "".
type plottedRow struct {
	Run   string
	Cells []string
}

// plots returns the plots of Home.
func (v *visit) plots(ctx context.Context) ([]*plotted, error) {
	makers := []func(context.Context) (*plotted, error){v.populationPlot, v.changesPlot, v.failedPlot}
	if v.may(seeRuns) {
		makers = append(makers, v.runsPlot)
	}
	plots := make([]*plotted, len(makers))
	for i, maker := range makers {
		var err error
		if plots[i], err = maker(ctx); err != nil {
			return nil, err
		}
	}
	return plots, nil
}

// trend are the numbers of days as a plot shows them.
type trend struct {
	plot.Days

	points  []engine.TrendPoint
	counted []*engine.TrendPoint // parallel to the days; nil for one that was not counted
	missing int
}

// trendOf reads the numbers of the last days. The series are the most frequent ones, and one for all others.
func (v *visit) trendOf(ctx context.Context, query engine.TrendQuery, title func(*engine.TrendCount) string) (*trend,
	error,
) {
	points, err := v.h.eng.Trend(ctx, query)
	if err != nil {
		return nil, err
	}
	zone, err := v.h.tenantZone(ctx)
	if err != nil {
		return nil, err
	}
	t := &trend{points: points}
	t.Absent, t.Number = v.T("not counted"), func(n int64) string { return v.T("%d", n) }
	byDay := map[string]*engine.TrendPoint{}
	for i := range points {
		byDay[points[i].Day] = &points[i]
	}
	year, month, day := time.Now().In(zone).Date()
	for i := range query.Days {
		label := time.Date(year, month, day-query.Days+1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		point := byDay[label]
		t.Days.Days = append(t.Days.Days, plot.Day{Label: label, Counted: point != nil})
		if t.counted = append(t.counted, point); point == nil {
			t.missing++
		}
	}
	t.group(title, v.T("others"))
	return t, nil
}

// group makes the series: the greatest first, by their titles, and the last one for all others where there are many.
func (t *trend) group(title func(*engine.TrendCount) string, others string) {
	totals := map[string]int64{}
	for i := range t.points {
		for k := range t.points[i].Counts {
			totals[title(&t.points[i].Counts[k])] += t.points[i].Counts[k].Count
		}
	}
	var titles []string
	for name := range totals {
		titles = append(titles, name)
	}
	slices.SortFunc(titles, func(a, b string) int {
		return cmp.Or(cmp.Compare(totals[b], totals[a]), strings.Compare(a, b))
	})
	if len(titles) > plot.SeriesMax {
		titles = append(titles[:plot.SeriesMax-1:plot.SeriesMax-1], others)
	}
	for _, name := range titles {
		t.Series = append(t.Series, plot.Series{Name: name, Values: make([]int64, len(t.counted))})
	}
	for i, point := range t.counted {
		if point == nil {
			continue
		}
		for k := range point.Counts {
			at := slices.Index(titles, title(&point.Counts[k]))
			if at < 0 {
				at = len(titles) - 1
			}
			t.Series[at].Values[i] += point.Counts[k].Count
		}
	}
}

// latest returns the numbers of the last day that was counted; nil for none.
func (t *trend) latest() *engine.TrendPoint {
	if len(t.points) == 0 {
		return nil
	}
	return &t.points[len(t.points)-1]
}

// totals returns the sum of all numbers, and says those of the series in words. Without days they are those of the last
// day that was counted.
func (v *visit) totals(t *trend, ofAll bool) (sum int64, words string) {
	var list []string
	for _, s := range t.Series {
		number := int64(0)
		for i := len(s.Values) - 1; i >= 0; i-- {
			if t.counted[i] != nil {
				if number += s.Values[i]; !ofAll {
					break
				}
			}
		}
		sum += number
		list = append(list, v.T("%s %d", s.Name, number))
	}
	return sum, strings.Join(list, ", ")
}

// countedNote says when the numbers were counted, and what is missing.
func (v *visit) countedNote(t *trend) string {
	latest := t.latest()
	if latest == nil {
		return v.T("Nobody has counted yet: a started engine does it within a minute.")
	}
	text := v.T("Counted at %s.", v.MomentOf(latest.Counted).Text)
	if t.missing > 0 {
		text += " " + v.N("%d day was not counted, so its numbers are unknown.",
			"%d days were not counted, so their numbers are unknown.", t.missing)
	}
	return text
}

// dayTable returns the numbers of a trend as a table, the latest day first.
func (v *visit) dayTable(p *plotted, t *trend) {
	p.Header = []string{v.T("Day")}
	for _, s := range t.Series {
		p.Header = append(p.Header, s.Name)
	}
	for i := len(t.counted) - 1; i >= 0; i-- {
		row := plottedRow{Cells: []string{t.Days.Days[i].Label}}
		for _, s := range t.Series {
			cell := v.T("not counted")
			if t.counted[i] != nil {
				cell = t.Number(s.Values[i])
			}
			row.Cells = append(row.Cells, cell)
		}
		// Of days before the first that was counted there is nothing to say.
		if p.Rows = append(p.Rows, row); len(t.points) > 0 && t.Days.Days[i].Label == t.points[0].Day {
			break
		}
	}
}

// stateTitle calls a lifecycle state by its technical name.
func (v *visit) stateTitle(c *engine.TrendCount) string {
	return cmp.Or(c.Name, v.T("no lifecycle state"))
}

// populationPlot shows how many identities there were in each lifecycle state.
func (v *visit) populationPlot(ctx context.Context) (*plotted, error) {
	t, err := v.trendOf(ctx, engine.TrendQuery{Measure: engine.MeasurePopulation, Days: populationDays}, v.stateTitle)
	if err != nil {
		return nil, err
	}
	p := &plotted{ID: "population", Title: v.T("Population by lifecycle state, %d days", populationDays),
		Note: v.countedNote(t), CSV: v.csvOf("population", "")}
	latest := t.latest()
	if latest == nil {
		return p, nil
	}
	sum, words := v.totals(t, false)
	t.ID, t.Name = p.ID, v.T("Identities by lifecycle state: on %s there are %d (%s). %d of %d days are counted.",
		latest.Day, sum, words, len(t.points), populationDays)
	p.Drawing = plot.Areas(&t.Days)
	v.dayTable(p, t)
	return p, nil
}

// changesPlot shows how many events of each type there were.
func (v *visit) changesPlot(ctx context.Context) (*plotted, error) {
	t, err := v.trendOf(ctx, engine.TrendQuery{Measure: engine.MeasureChanges, Days: changesDays},
		func(c *engine.TrendCount) string {
			if title := eventTitles[c.Name]; title != "" {
				return v.T(title)
			}
			return c.Name
		})
	if err != nil {
		return nil, err
	}
	p := &plotted{ID: "changes", Title: v.T("Changes per day by type, %d days", changesDays), Note: v.countedNote(t),
		CSV: v.csvOf("changes", "")}
	switch {
	case t.latest() == nil:
		return p, nil
	case len(t.Series) == 0:
		p.Note = v.T("Nothing has changed.") + " " + p.Note
		return p, nil
	}
	sum, words := v.totals(t, true)
	t.ID, t.Name = p.ID, v.T("Changes by type on %d days: %d in all (%s). %d of %d days are counted.", changesDays, sum,
		words, len(t.points), changesDays)
	p.Drawing = plot.Columns(&t.Days)
	v.dayTable(p, t)
	return p, nil
}

// failedPlot shows how many operations of each source were given up.
func (v *visit) failedPlot(ctx context.Context) (*plotted, error) {
	t, err := v.trendOf(ctx, engine.TrendQuery{Measure: engine.MeasureFailed, Days: failedDays},
		func(c *engine.TrendCount) string { return c.Name })
	if err != nil {
		return nil, err
	}
	p := &plotted{ID: "failed", Title: v.T("Operations failed per source, %d days", failedDays), Note: v.countedNote(t),
		CSV: v.csvOf("failed", "")}
	switch {
	case t.latest() == nil:
		return p, nil
	case len(t.Series) == 0:
		p.Note = v.T("None: no operation was given up.") + " " + p.Note
		return p, nil
	}
	sum, words := v.totals(t, true)
	var bars []plot.Bar
	for _, s := range t.Series {
		total := int64(0)
		for _, n := range s.Values {
			total += n
		}
		bars = append(bars, plot.Bar{Name: s.Name, Value: total, Number: t.Number(total)})
	}
	name := v.T("Operations that failed on %d days, by source: %d in all (%s). %d of %d days are counted.", failedDays,
		sum, words, len(t.points), failedDays)
	p.Drawing = plot.Bars(p.ID, name, bars)
	v.dayTable(p, t)
	return p, nil
}

// objectPlot shows the number of members of a role, or of accounts of a source, on the last days; nil where nobody has
// counted yet.
func (v *visit) objectPlot(ctx context.Context, measure engine.Measure, id, what string) (*plotted, error) {
	t, err := v.trendOf(ctx, engine.TrendQuery{Measure: measure, Days: objectDays, Object: id},
		func(*engine.TrendCount) string { return what })
	if err != nil || t.latest() == nil {
		return nil, err
	}
	if len(t.Series) == 0 {
		t.Series = []plot.Series{{Name: what, Values: make([]int64, len(t.counted))}}
	}
	kind := strings.ToLower(string(measure))
	p := &plotted{ID: kind, Title: v.T("%s, %d days", what, objectDays), Note: v.countedNote(t), CSV: v.csvOf(kind, id)}
	_, words := v.totals(t, false)
	t.ID, t.Name = p.ID, v.T("On %s: %s. %d of %d days are counted.", t.latest().Day, words, len(t.points), objectDays)
	p.Drawing = plot.Areas(&t.Days)
	v.dayTable(p, t)
	return p, nil
}

// The outcomes of runs, in the order of their shapes.
const (
	runDone = iota
	runWarned
	runFailed
	runCancelled
	runGoesOn
	runHeld
)

func outcomeOf(t *engine.TaskStatus) int {
	switch {
	case t.CompletionStatus == nil && t.HeldAt != nil:
		return runHeld
	case t.CompletionStatus == nil:
		return runGoesOn
	}
	switch *t.CompletionStatus {
	case "SUCCESS":
		return runDone
	case "WARNING":
		return runWarned
	case "TERMINATED":
		return runCancelled
	}
	return runFailed
}

// outcomeText is the outcome of a run in a file: "" for one that goes on.
func outcomeText(t *engine.TaskStatus) string {
	if outcomeOf(t) == runHeld {
		return "HELD"
	}
	return textOf(t.CompletionStatus)
}

// lastedOf returns how long a run took, or takes until now or until it was held. A run that ended without work took
// no time.
func lastedOf(t *engine.TaskStatus) time.Duration {
	switch {
	case t.Launched == nil:
		return 0
	case t.Completed == nil && t.HeldAt != nil:
		return t.HeldAt.Sub(*t.Launched)
	case t.Completed == nil:
		return time.Since(*t.Launched)
	}
	return t.Completed.Sub(*t.Launched)
}

// lasted says how long something took.
func (v *visit) lasted(d time.Duration) string {
	switch {
	case d < time.Second:
		return v.T("%d ms", d.Milliseconds())
	case d < time.Minute:
		return v.T("%d s", int64(d.Seconds()))
	case d < time.Hour:
		return v.T("%d min", int64(d.Minutes()))
	}
	return v.T("%d h", int64(d.Hours()))
}

// runsSince returns a page of the runs that began to exist within some days, the latest first.
func (v *visit) runsSince(ctx context.Context, days, limit int, after string) (engine.Page[engine.TaskStatus], error) {
	since := time.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339)
	return v.h.eng.ListTasks(ctx, engine.TaskListParams{PageParams: engine.PageParams{AnyField: true, After: after,
		Filters: "created ge " + since, Limit: &limit}})
}

// runsPlot shows the runs by their start and how long they took. A run that nobody has begun is left out.
func (v *visit) runsPlot(ctx context.Context) (*plotted, error) {
	page, err := v.runsSince(ctx, runsDays, runsPlotted, "")
	if err != nil {
		return nil, err
	}
	zone, err := v.h.tenantZone(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := plot.Times{From: now.AddDate(0, 0, -runsDays), To: now, Lasted: v.lasted, Kinds: []string{v.T("Done"),
		v.T("with warnings"), v.T("Failed"), v.T("Cancelled"), v.T("Running"), v.T("Held")}}
	counts := make([]int, len(t.Kinds))
	p := &plotted{ID: "durations", Title: v.T("Runs by start and duration, %d days", runsDays),
		Header: []string{v.T("Run"), v.T("Start"), v.T("Duration"), v.T("Outcome")},
		CSV:    fmt.Sprintf("%sruns/export.csv?days=%d", v.base, runsDays)}
	for i := range page.Items {
		run := &page.Items[i]
		if run.Launched == nil && run.Completed == nil {
			continue
		}
		kind, lasted := outcomeOf(run), lastedOf(run)
		counts[kind]++
		begun := *cmp.Or(run.Launched, run.Completed)
		t.Points = append(t.Points, plot.Point{At: begun, Lasted: lasted, Kind: kind})
		p.Rows = append(p.Rows, plottedRow{Run: run.ID, Cells: []string{run.Description, v.MomentOf(begun).Text,
			v.lasted(lasted), t.Kinds[kind]}})
	}
	if len(t.Points) == 0 {
		p.Note = v.T("There was no run.")
		return p, nil
	}
	if page.Next != "" {
		p.Note = v.T("There are more: these are the latest %d.", runsPlotted)
	}
	var words []string
	for kind, count := range counts {
		if count > 0 {
			words = append(words, v.T("%s %d", t.Kinds[kind], count))
		}
	}
	t.Name = v.T("%d runs of %d days by their start and how long they took: %s.", len(t.Points), runsDays,
		strings.Join(words, ", "))
	for day := runsDays - 1; day >= 0; day -= 4 {
		at := now.In(zone).AddDate(0, 0, -day)
		midnight := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, zone)
		t.Marks = append(t.Marks, plot.Mark{At: midnight, Label: midnight.Format("01-02")})
	}
	p.Drawing = plot.Points(&t)
	return p, nil
}

// csvOf returns the reference of the numbers of a plot as CSV.
func (v *visit) csvOf(what, object string) string {
	query := url.Values{"plot": {what}}
	if object != "" {
		query.Set("of", object)
	}
	return v.base + "statistics/export.csv?" + query.Encode()
}

// exportedMeasures are the numbers that are exported, by the word in the address, and of how many days.
var exportedMeasures = map[string]struct {
	measure engine.Measure
	days    int
}{
	"": {engine.MeasurePopulation, populationDays}, "population": {engine.MeasurePopulation, populationDays},
	"changes": {engine.MeasureChanges, changesDays}, "failed": {engine.MeasureFailed, failedDays},
	"members": {engine.MeasureMembers, objectDays}, "accounts": {engine.MeasureAccounts, objectDays},
}

// statisticsExport answers with the numbers of a plot as CSV: a line for each number that is not zero, and one for each
// day that was counted without any.
func (v *visit) statisticsExport() error {
	query := v.r.URL.Query()
	asked, known := exportedMeasures[query.Get("plot")]
	if !known {
		return &pageError{status: http.StatusNotFound, key: "There is no such page."}
	}
	header := []string{"day", "id", "name", "count", "counted"}
	return v.csv("statistics", header, func(ctx context.Context, _ string) (exported, error) {
		points, err := v.h.eng.Trend(ctx, engine.TrendQuery{Measure: asked.measure, Days: asked.days,
			Object: query.Get("of")})
		part := exported{}
		for i := range points {
			point := &points[i]
			for _, c := range point.Counts {
				part.rows = append(part.rows, []string{point.Day, c.ID, c.Name, strconv.FormatInt(c.Count, 10),
					iso(&point.Counted)})
			}
			if len(point.Counts) == 0 {
				part.rows = append(part.rows, []string{point.Day, "", "", "0", iso(&point.Counted)})
			}
		}
		return part, err
	})
}

// runDaysMax is the most days of which runs are exported: as long as they are kept.
const runDaysMax = 90

// runExport answers with the runs of the last days as CSV, the latest first.
func (v *visit) runExport() error {
	days := runDaysMax
	if text := v.r.URL.Query().Get("days"); text != "" {
		var err error
		if days, err = strconv.Atoi(text); err != nil || days < 1 || days > runDaysMax {
			return &pageError{status: http.StatusBadRequest, key: "This cannot be asked for.",
				detail: fmt.Sprintf("days: %q is given where 1 to %d is allowed", text, runDaysMax)}
		}
	}
	header := []string{"id", "description", "launcher", "created", "started", "completed", "seconds", "outcome",
		"identities", "changed", "errors"}
	return v.csv("runs", header, func(ctx context.Context, after string) (exported, error) {
		page, err := v.runsSince(ctx, days, exportPage, after)
		part := exported{next: page.Next}
		for i := range page.Items {
			run := &page.Items[i]
			a := &run.Attributes
			part.rows = append(part.rows, []string{run.ID, run.Description, run.Launcher, iso(&run.Created),
				iso(run.Launched), iso(run.Completed), strconv.FormatFloat(lastedOf(run).Seconds(), 'f', 3, 64),
				outcomeText(run), strconv.FormatInt(a.IdentityCount, 10),
				strconv.FormatInt(a.ChangedCount, 10), strconv.FormatInt(a.ErrorCount, 10)})
		}
		return part, err
	})
}
