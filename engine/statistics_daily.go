package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// Population is how many identities there are, as they were counted for the last time.
type Population struct {
	// Counted is when: at most an hour ago where an engine works. It is zero where nobody has counted yet.
	Counted    time.Time         `json:"counted"`
	Identities int64             `json:"identities"`
	Groups     []PopulationGroup `json:"groups"` // never nil; by profile, lifecycle state and identity state
}

// PopulationGroup counts the identities of a profile that are in one lifecycle state and one identity state. What an
// identity does not have is empty.
type PopulationGroup struct {
	ProfileID      string `json:"profileId"`
	Profile        string `json:"profile"` // its name; empty too where the profile is gone
	LifecycleState string `json:"lifecycleState"`
	IdentityState  string `json:"identityState"`
	Identities     int64  `json:"identities"`
}

// Population returns how many identities there are, by profile, lifecycle state and identity state. It reads stored
// counts, some rows for each profile, however many identities there are: see [Engine.CountStatistics].
func (e *Engine) Population(ctx context.Context) (Population, error) {
	const op = "show the population"
	p := Population{Groups: []PopulationGroup{}}
	last, err := e.tenant.Store.LastStatisticDay(ctx, e.tenant.Pool, store.StatisticPopulation)
	if errors.Is(err, store.ErrNotFound) {
		return p, nil
	}
	if err != nil {
		return p, fault.Wrap(op, "", err)
	}
	p.Counted = last.Counted.UTC()
	numbers, err := e.tenant.Store.DayStatistics(ctx, e.tenant.Pool, store.StatisticPopulation, last.Day)
	if err != nil {
		return p, fault.Wrap(op, "", err)
	}
	names, err := e.objectNames(ctx, numbers)
	if err != nil {
		return p, fault.Wrap(op, "", err)
	}
	for i := range numbers {
		n := &numbers[i]
		p.Identities += n.Count
		p.Groups = append(p.Groups, PopulationGroup{ProfileID: n.Object.String(), Profile: names[n.Object],
			LifecycleState: n.Name, IdentityState: n.State, Identities: n.Count})
	}
	slices.SortStableFunc(p.Groups, func(a, b PopulationGroup) int { return strings.Compare(a.Profile, b.Profile) })
	return p, nil
}

// objectNames returns the names of the objects that numbers are about.
func (e *Engine) objectNames(ctx context.Context, numbers []store.Statistic) (map[store.ID]string, error) {
	var ids []store.ID
	for i := range numbers {
		if id := numbers[i].Object; !id.IsZero() && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return map[store.ID]string{}, nil
	}
	return e.tenant.Store.ObjectNames(ctx, e.tenant.Pool, ids)
}

// Measure says what a trend is of.
type Measure string

// The measures. The first three are numbers of what there was when the day was counted last, the others of what
// happened on the day.
const (
	MeasurePopulation Measure = store.StatisticPopulation // identities, by lifecycle state
	MeasureMembers    Measure = store.StatisticMembers    // identities that have a role, by role
	MeasureAccounts   Measure = store.StatisticAccounts   // accounts, by source
	MeasureFailed     Measure = store.StatisticFailed     // operations that were given up, by source
	MeasureChanges    Measure = store.StatisticChanges    // events of the history, by type
)

// Measures returns all measures.
func Measures() []Measure {
	return []Measure{MeasurePopulation, MeasureMembers, MeasureAccounts, MeasureFailed, MeasureChanges}
}

// TrendDaysMax is the most days that a trend has.
const TrendDaysMax = 400

// TrendQuery says which numbers to return.
type TrendQuery struct {
	Measure Measure
	// Days is how many, the last of which is today in the tenant's time zone: 1 to [TrendDaysMax].
	Days int
	// Object is the ID of the one role, source or identity profile that is wanted; empty for all. No object belongs to
	// changes.
	Object string
}

// TrendPoint is a day, with its numbers.
type TrendPoint struct {
	// Day is a date in the tenant's time zone, such as 2026-01-31. Where the zone was changed, days before are those of
	// the zone of then.
	Day string `json:"day"`
	// Counted is when the day was counted for the last time. Numbers of a day that has not ended are those until then.
	Counted time.Time    `json:"counted"`
	Counts  []TrendCount `json:"counts"` // never nil; by name. What is not among them is zero
}

// TrendCount is a number of a day.
type TrendCount struct {
	ID string `json:"id,omitempty"` // of the role or the source
	// Name is that of the role or the source, or its ID where it is gone; the technical name of the lifecycle state,
	// empty for none; or the type of the events.
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// Trend returns the numbers of the last days, the earliest first. A day on which nobody counted is not among them: its
// numbers are unknown. It reads stored counts only: see [Engine.CountStatistics].
func (e *Engine) Trend(ctx context.Context, q TrendQuery) ([]TrendPoint, error) {
	const op = "show the statistics"
	if !slices.Contains(Measures(), q.Measure) {
		return nil, fault.Invalidf(op, "measure", "%q is unknown: %v are known", q.Measure, Measures())
	}
	if q.Days < 1 || q.Days > TrendDaysMax {
		return nil, fault.Invalidf(op, "days", "%d is given where 1 to %d is allowed", q.Days, TrendDaysMax)
	}
	settings, err := e.tenant.SettingsIn(ctx, e.tenant.Pool)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	today := dayIn(e.tenant.Now(), settings.Location)
	query := store.StatisticsQuery{Kind: string(q.Measure), From: today.AddDate(0, 0, 1-q.Days), To: today,
		ByName: q.Measure == MeasurePopulation || q.Measure == MeasureChanges}
	if q.Object != "" {
		object, known := store.IDOf(q.Object)
		if query.Object = object; !known || q.Measure == MeasureChanges {
			return nil, fault.Invalidf(op, "object", "%q is no ID of what %s is counted by", q.Object, q.Measure)
		}
	}
	days, numbers, err := e.tenant.Store.Statistics(ctx, e.tenant.Pool, query)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	names, err := e.objectNames(ctx, numbers)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	points := make([]TrendPoint, len(days))
	for i, day := range days {
		points[i] = TrendPoint{Day: day.Day.Format(time.DateOnly), Counted: day.Counted.UTC(), Counts: []TrendCount{}}
		for ; len(numbers) > 0 && !numbers[0].Day.After(day.Day); numbers = numbers[1:] {
			// A change of yesterday that was written after midnight may have a day that is not marked yet.
			if n := &numbers[0]; n.Day.Equal(day.Day) && n.Count > 0 {
				count := TrendCount{ID: n.Object.String(), Name: n.Name, Count: n.Count}
				if !n.Object.IsZero() {
					count.Name = cmp.Or(names[n.Object], count.ID)
				}
				points[i].Counts = append(points[i].Counts, count)
			}
		}
		slices.SortStableFunc(points[i].Counts, func(a, b TrendCount) int { return strings.Compare(a.Name, b.Name) })
	}
	return points, nil
}
