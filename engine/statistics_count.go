package engine

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/id"
)

// When a started engine counts again: after 1,000 times as long as the last count took, so that counting takes a
// thousandth of the time at most, within these limits, and soon after midnight in any case.
const (
	StatisticsLeast = time.Minute
	StatisticsMost  = time.Hour
	statisticsShare = 1000
)

// StatisticsRetention is how long the numbers of a day are kept by default: until after the same day of the next year.
const StatisticsRetention = 400 * 24 * time.Hour

const (
	// countedWrites is how many writes of the history one transaction counts.
	countedWrites = 2000
	// countingTurn is how long the schedule counts before it goes on half a minute later.
	countingTurn = 5 * time.Second
	// changesDaysFirst and failedDaysFirst are of how many days, today among them, the first count takes the numbers
	// from what is kept. Of the population and the like nobody knows how it was.
	changesDaysFirst = 30
	failedDaysFirst  = 7
	// failedDaysMax is of how many days operations are counted where nobody counted meanwhile.
	failedDaysMax = 400
)

const countOp = "count the statistics"

// CountStatistics counts now, and writes the numbers of the day for [Engine.Population] and [Engine.Trend]: identities,
// members of roles and accounts of sources, which it reads all; the operations that were given up; and the events of
// the history that nobody has counted yet, each once. A started engine does it by itself, at most every minute and at
// least every hour. Who counts locks out others, and counting twice changes nothing. It works in several transactions:
// when the context ends, what was committed stays, and the next call goes on there.
func (e *Engine) CountStatistics(ctx context.Context) error {
	return fault.Wrap(countOp, "", e.countStatistics(ctx, true, func() bool { return true }))
}

// CountStatisticsTx is [Engine.CountStatistics] in the caller's transaction, all of it. Events that have no position
// yet are counted by the next count.
func (e *Engine) CountStatisticsTx(ctx context.Context, tx pgx.Tx) error {
	more := true
	for more {
		var err error
		if more, err = e.countStep(ctx, tx, true); err != nil {
			return fault.Wrap(countOp, "", err)
		}
	}
	return nil
}

// countStatistics counts in transactions of its own, as long as goesOn says. Without now it does so only if it is due.
func (e *Engine) countStatistics(ctx context.Context, now bool, goesOn func() bool) error {
	if _, err := e.tenant.NumberEvents(ctx); err != nil {
		return err
	}
	more := true
	for more && goesOn() {
		var err error
		more, err = tenant.Transact(ctx, e.tenant, func(tx pgx.Tx) (bool, error) { return e.countStep(ctx, tx, now) })
		if err != nil {
			return err
		}
	}
	return nil
}

// countTurn counts if it is due, for one turn of the schedule.
func (e *Engine) countTurn(ctx context.Context) error {
	end := time.Now().Add(countingTurn)
	return e.countStatistics(ctx, false, func() bool { return time.Now().Before(end) })
}

// counting is one step of a count.
type counting struct {
	e     *Engine
	tx    pgx.Tx
	zone  *time.Location
	now   time.Time
	today time.Time
	state store.StatisticsState
}

// countStep counts the next events, or, where all are counted, all else. It reports whether there are more events.
func (e *Engine) countStep(ctx context.Context, tx pgx.Tx, now bool) (more bool, err error) {
	begun := time.Now()
	c := counting{e: e, tx: tx, now: e.tenant.Now()}
	if c.state, err = e.tenant.Store.LockStatistics(ctx, tx); err != nil {
		return false, err
	}
	// Another engine may have counted meanwhile. A time far ahead is that of a clock which was ahead.
	if !now && c.state.Due.After(c.now) && c.state.Due.Before(c.now.Add(2*StatisticsMost)) {
		return false, nil
	}
	settings, err := e.tenant.SettingsIn(ctx, tx)
	if err != nil {
		return false, err
	}
	c.zone = settings.Location
	c.today = dayIn(c.now, c.zone)
	if more, err = c.changes(ctx); err != nil {
		return false, err
	}
	if !more {
		if err := c.rest(ctx); err != nil {
			return false, err
		}
		wait := min(max(statisticsShare*time.Since(begun), StatisticsLeast), StatisticsMost)
		c.state.Counted, c.state.Due = c.now, c.now.Add(wait)
		if midnight := c.begin(c.today.AddDate(0, 0, 1)); midnight.Before(c.state.Due) {
			c.state.Due = midnight
		}
	}
	return more, e.tenant.Store.SetStatistics(ctx, tx, c.state)
}

// dayIn returns the day of a time in a zone, as the store has days: midnight UTC stands for it.
func dayIn(at time.Time, zone *time.Location) time.Time {
	year, month, day := at.In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// begin returns when a day begins.
func (c *counting) begin(day time.Time) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, c.zone)
}

// days returns the days from one to today.
func (c *counting) days(from time.Time) (days []time.Time) {
	for day := from; !day.After(c.today); day = day.AddDate(0, 0, 1) {
		days = append(days, day)
	}
	return days
}

// changes adds the next events to the numbers of their days.
func (c *counting) changes(ctx context.Context) (more bool, err error) {
	s := c.e.tenant.Store
	start, err := s.HistoryEnds(ctx, c.tx)
	if err != nil {
		return false, err
	}
	if c.state.Since.IsZero() || start.Purged > c.state.Through {
		if err := c.beginChanges(ctx, &start); err != nil {
			return false, err
		}
	}
	writes, err := s.CountWrites(ctx, c.tx, c.state.Through, countedWrites)
	if err != nil {
		return false, err
	}
	type key struct {
		day  time.Time
		kind string
	}
	counts := map[key]int64{}
	rows, last := 0, int64(0)
	for _, w := range writes {
		if w.End != last {
			rows, last = rows+1, w.End
		}
		if day := dayIn(w.At, c.zone); w.Type != "" && !day.Before(c.state.Since) {
			counts[key{day, w.Type}] += w.Events
		}
	}
	numbers := make([]store.Statistic, 0, len(counts))
	for k, n := range counts {
		numbers = append(numbers, store.Statistic{Day: k.day, Name: k.kind, Count: n})
	}
	if err := s.AddStatistics(ctx, c.tx, store.StatisticChanges, numbers); err != nil {
		return false, err
	}
	if last > 0 {
		c.state.Through = last
	}
	return rows == countedWrites, nil
}

// beginChanges finds where the counting of changes begins: with the first day of which the history has everything, and
// at most 30 days. It is also for what was purged before it was counted: the days that lack something go.
func (c *counting) beginChanges(ctx context.Context, ends *store.HistoryEnds) error {
	s := c.e.tenant.Store
	since := c.today.AddDate(0, 0, 1-changesDaysFirst)
	first, err := s.FirstPosition(ctx, c.tx, id.First(c.begin(since)))
	if err != nil {
		return err
	}
	oldest := c.today
	if !ends.Oldest.IsZero() {
		oldest = dayIn(ends.Oldest, c.zone)
	}
	if ends.Purged > 0 {
		oldest = oldest.AddDate(0, 0, 1) // nobody knows what else happened on its day
	}
	if oldest.After(since) {
		since = oldest
	}
	gone := since
	if day := dayIn(c.state.Counted, c.zone); !c.state.Counted.IsZero() && day.Before(gone) {
		gone = day
	}
	c.state.Since, c.state.Through, c.state.Counted = since, ends.Last, time.Time{}
	if first > 0 {
		c.state.Through = first - 1
	}
	return s.ForgetChanges(ctx, c.tx, gone)
}

// rest counts all but the changes, which are counted, and marks the days.
func (c *counting) rest(ctx context.Context) error {
	s := c.e.tenant.Store
	changed, failed := c.state.Since, c.today.AddDate(0, 0, 1-failedDaysFirst)
	if failed.Before(changed) {
		failed = changed
	}
	if !c.state.Counted.IsZero() {
		last := dayIn(c.state.Counted, c.zone)
		if last.After(c.today) { // the clock was ahead, or the zone has changed
			last = c.today
		}
		if last.After(changed) {
			changed = last
		}
		failed = last
		if earliest := c.today.AddDate(0, 0, 1-failedDaysMax); failed.Before(earliest) {
			failed = earliest
		}
	}
	if failed.After(c.today) { // where the history begins tomorrow
		failed = c.today
	}
	if err := s.MarkCounted(ctx, c.tx, store.StatisticChanges, c.days(changed), c.now); err != nil {
		return err
	}
	if err := c.failed(ctx, c.days(failed)); err != nil {
		return err
	}
	for _, kind := range []string{store.StatisticPopulation, store.StatisticMembers, store.StatisticAccounts} {
		numbers, err := s.CountNow(ctx, c.tx, kind, c.today)
		if err != nil {
			return err
		}
		if err := c.write(ctx, kind, []time.Time{c.today}, numbers); err != nil {
			return err
		}
	}
	return nil
}

// failed counts the operations that were given up on some days: also of the day of the last count, which had not ended.
func (c *counting) failed(ctx context.Context, days []time.Time) error {
	spans := make([]store.DaySpan, len(days))
	for i, day := range days {
		spans[i] = store.DaySpan{Day: day, Begin: c.begin(day), End: c.begin(day.AddDate(0, 0, 1))}
	}
	numbers, err := c.e.tenant.Store.CountFailed(ctx, c.tx, spans)
	if err != nil {
		return err
	}
	return c.write(ctx, store.StatisticFailed, days, numbers)
}

// write makes the numbers of a kind those that were counted, and marks the days.
func (c *counting) write(ctx context.Context, kind string, days []time.Time, numbers []store.Statistic) error {
	s := c.e.tenant.Store
	if err := s.ReplaceStatistics(ctx, c.tx, kind, days, numbers); err != nil {
		return err
	}
	return s.MarkCounted(ctx, c.tx, kind, days, c.now)
}
