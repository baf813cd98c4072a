package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// trend returns the numbers of days as text: "2026-01-31 active 3, leaver 1".
func (f *fixture) trend(query engine.TrendQuery) []string {
	f.t.Helper()
	points, err := f.Trend(f.t.Context(), query)
	if err != nil {
		f.t.Fatal(err)
	}
	lines := []string{}
	for _, p := range points {
		var counts []string
		for _, c := range p.Counts {
			counts = append(counts, fmt.Sprintf("%s %d", c.Name, c.Count))
		}
		lines = append(lines, strings.TrimSpace(p.Day+" "+strings.Join(counts, ", ")))
	}
	return lines
}

func (f *fixture) countStatistics() {
	f.t.Helper()
	if err := f.CountStatistics(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// numbers returns the rows of the statistics as text.
func (f *fixture) numbers() string {
	f.t.Helper()
	return f.text(`SELECT coalesce(string_agg(concat_ws(' ', kind, day, object_id, name, state, count), E'\n'
		ORDER BY kind, day, object_id, name, state), '') FROM muster.daily_statistics`)
}

// What is stored is what there is, and counting again changes nothing.
func TestPopulationAndTrend(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.ApplyText(enginetest.Roles)
	f.AggregateText("Directory", enginetest.DirectoryHeader+"bobt,bob@example.com,,staff,true\n", engine.AggregateOptions{})
	f.Process()
	if p, err := f.Population(t.Context()); err != nil || !p.Counted.IsZero() || p.Groups == nil || len(p.Groups) != 0 {
		t.Errorf("before the first count: %+v, %v", p, err)
	}
	if got := f.trend(engine.TrendQuery{Measure: engine.MeasurePopulation, Days: 400}); len(got) != 0 {
		t.Errorf("before the first count there are %v", got)
	}
	f.execute(`UPDATE muster.provisioning_operations SET state = 'FAILED', completed = now()
		WHERE id = (SELECT id FROM muster.provisioning_operations ORDER BY id LIMIT 1)`)
	f.countStatistics()
	p, err := f.Population(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var groups []string
	for _, g := range p.Groups {
		groups = append(groups, fmt.Sprintf("%s/%s/%s %d", g.Profile, g.LifecycleState, g.IdentityState, g.Identities))
	}
	want := f.text(`SELECT string_agg(line, '|') FROM (
		SELECT concat_ws('/', coalesce(p.name, ''), coalesce(lifecycle_state, ''), coalesce(identity_state, '')) || ' ' || count(*) AS line
		FROM muster.identities i LEFT JOIN muster.identity_profiles p ON p.id = i.profile_id
		GROUP BY p.name, lifecycle_state, identity_state ORDER BY p.name, coalesce(lifecycle_state, ''), identity_state) g`)
	if got := strings.Join(groups, "|"); got != want || want == "" {
		t.Errorf("the population is %s, want %s", got, want)
	}
	if n := f.CountRows("muster.identities"); p.Identities != int64(n) || time.Since(p.Counted).Abs() > time.Hour {
		t.Errorf("%d identities at %v, want %d now", p.Identities, p.Counted, n)
	}

	today := f.text(`SELECT (now() AT TIME ZONE 'UTC')::date::text`)
	for measure, statement := range map[engine.Measure]string{
		engine.MeasurePopulation: `SELECT coalesce(lifecycle_state, '') AS name, count(*) AS n FROM muster.identities GROUP BY 1`,
		engine.MeasureMembers: `SELECT r.name, count(DISTINCT a.identity_id) AS n
			FROM muster.role_assignments a JOIN muster.roles r ON r.id = a.role_id GROUP BY r.name`,
		engine.MeasureAccounts: `SELECT s.name, count(*) AS n FROM muster.accounts a JOIN muster.sources s ON s.id = a.source_id
			GROUP BY s.name`,
		engine.MeasureFailed: `SELECT s.name, count(*) AS n
			FROM muster.provisioning_operations o JOIN muster.sources s ON s.id = o.source_id WHERE o.state = 'FAILED' GROUP BY s.name`,
		engine.MeasureChanges: `SELECT type AS name, count(*) AS n FROM muster.identity_events, unnest(types) type GROUP BY type`,
	} {
		want := today + f.text(`SELECT coalesce(string_agg(' ' || name || ' ' || n, ',' ORDER BY name COLLATE "C"), '')
			FROM (`+statement+`) q`)
		if measure == engine.MeasurePopulation {
			want = strings.ReplaceAll(want, "  ", " ")
		}
		got := f.trend(engine.TrendQuery{Measure: measure, Days: 1})
		if len(got) != 1 || strings.ReplaceAll(got[0], "  ", " ") != want || want == today {
			t.Errorf("%s: %q, want %q", measure, got, want)
		}
	}
	role := f.text(`SELECT replace(role_id::text, '-', '') FROM muster.role_assignments ORDER BY role_id LIMIT 1`)
	points, err := f.Trend(t.Context(), engine.TrendQuery{Measure: engine.MeasureMembers, Days: 3, Object: role})
	if err != nil || len(points) != 1 || len(points[0].Counts) != 1 || points[0].Counts[0].ID != role {
		t.Errorf("of the role %s: %+v, %v", role, points, err)
	}

	before := f.numbers()
	f.countStatistics()
	if diff := cmp.Diff(before, f.numbers()); diff != "" {
		t.Errorf("counting again changed numbers: %s", diff)
	}
	// What has changed since is added, and what is gone is zero.
	f.execute(`DELETE FROM muster.role_assignments`)
	if err := f.DeleteIdentity(t.Context(), f.ID("ayse")); err != nil {
		t.Fatal(err)
	}
	f.countStatistics()
	if got := f.trend(engine.TrendQuery{Measure: engine.MeasureMembers, Days: 1}); got[0] != today {
		t.Errorf("roles without members: %v", got)
	}
	if got := f.trend(engine.TrendQuery{Measure: engine.MeasureChanges, Days: 1}); !strings.Contains(got[0], engine.EventDeleted+" 1") {
		t.Errorf("the changes are %v", got)
	}
}

// Many engines count at once, while events are written: each event is counted once.
func TestCountStatisticsTogether(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f := company(t)
	var group sync.WaitGroup
	for range 4 {
		eng, err := engine.New(t.Context(), f.Pool, engine.Config{})
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			for range 6 {
				if err := eng.CountStatistics(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 10 {
		if err := f.ProtectIdentity(t.Context(), f.ID("ann"), i%2 == 0); err != nil {
			t.Fatal(err)
		}
	}
	group.Wait()
	f.countStatistics()
	got := f.text(`SELECT string_agg(name || ' ' || count, ',' ORDER BY name) FROM muster.daily_statistics WHERE kind = 'CHANGES'`)
	want := f.text(`SELECT string_agg(type || ' ' || n, ',' ORDER BY type)
		FROM (SELECT type, count(*) AS n FROM muster.identity_events, unnest(types) type GROUP BY type) q`)
	if got != want || !strings.Contains(got, engine.EventProtectionChanged+" 10") {
		t.Errorf("counted %s, want %s", got, want)
	}
}

// A day is one of the tenant's time zone. Of a day on which nobody worked the changes and the operations are known, and
// the population is not.
func TestStatisticsOfDays(t *testing.T) {
	t.Parallel()
	clock := enginetest.NewClock(time.Date(2026, 3, 2, 22, 30, 0, 0, time.UTC)) // 23:30 in Berlin
	f := &fixture{enginetest.New(t, enginetest.WithClock(clock),
		enginetest.WithConfig(engine.Config{Location: location(t, "Europe/Berlin")})), t}
	schedule := func(at time.Time) {
		t.Helper()
		clock.Set(at)
		result, err := f.RunSchedule(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if result.StatisticsDue {
			f.countStatistics()
		}
	}
	protect := func(protected bool) {
		t.Helper()
		if err := f.ProtectIdentity(t.Context(), f.ID("ann"), protected); err != nil {
			t.Fatal(err)
		}
	}
	changes := engine.TrendQuery{Measure: engine.MeasureChanges, Days: 5}
	of := func(lines []string, kind string) (days []string) {
		for _, line := range lines {
			day, rest, _ := strings.Cut(line, " ")
			for _, count := range strings.Split(rest, ", ") {
				if n, is := strings.CutPrefix(count, kind+" "); is {
					day += " " + n
				}
			}
			days = append(days, day)
		}
		return days
	}
	protect(true)
	schedule(clock.Now())
	due := f.text(`SELECT to_char(due AT TIME ZONE 'UTC', 'MM-DD HH24:MI') FROM muster.statistics_state`)
	if due < "03-02 22:31" || due > "03-02 23:00" {
		t.Errorf("the next count is due at %s, want it before midnight", due)
	}
	// Written before midnight, and counted after it.
	clock.Set(time.Date(2026, 3, 2, 22, 59, 0, 0, time.UTC))
	protect(false)
	schedule(time.Date(2026, 3, 2, 23, 0, 30, 0, time.UTC))
	if diff := cmp.Diff([]string{"2026-03-02 2", "2026-03-03"}, of(f.trend(changes), engine.EventProtectionChanged)); diff != "" {
		t.Errorf("the changes about midnight (-want +got): %s", diff)
	}
	// Nobody works for two days, in which somebody asks for something.
	clock.Set(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC))
	protect(true)
	f.execute(`INSERT INTO muster.provisioning_operations (id, identity_id, source_id, native_identity, kind, attribute, value,
			attributes, reason, state, created, completed, actor_id, actor_name, actor_via)
		SELECT gen_random_uuid(), i.id, s.id, 'x', 'ENABLE', '', '', '{}', '', v.state, v.at, v.at, '', '', ''
		FROM muster.identities i, muster.sources s,
		     (VALUES ('RETRIED', '2026-03-03 23:30Z'::timestamptz), ('FAILED', '2026-03-04 22:30Z'), ('DONE', '2026-03-04 22:30Z')) v (state, at)
		WHERE i.alias = 'ann' AND s.name = 'HR'`)
	schedule(time.Date(2026, 3, 6, 12, 0, 0, 0, time.UTC))
	if diff := cmp.Diff([]string{"2026-03-02 2", "2026-03-03", "2026-03-04 1", "2026-03-05", "2026-03-06"},
		of(f.trend(changes), engine.EventProtectionChanged)); diff != "" {
		t.Errorf("the changes (-want +got): %s", diff)
	}
	if diff := cmp.Diff([]string{"2026-03-02", "2026-03-03", "2026-03-04 HR 2", "2026-03-05", "2026-03-06"},
		f.trend(engine.TrendQuery{Measure: engine.MeasureFailed, Days: 5})); diff != "" {
		t.Errorf("the operations (-want +got): %s", diff)
	}
	var days []string
	for _, line := range f.trend(engine.TrendQuery{Measure: engine.MeasurePopulation, Days: 5}) {
		days = append(days, strings.Fields(line)[0])
	}
	if diff := cmp.Diff([]string{"2026-03-02", "2026-03-03", "2026-03-06"}, days); diff != "" {
		t.Errorf("the days of the population (-want +got): %s", diff)
	}
	// It is counted once where it is not due, and a clock that was ahead does not stop it.
	counted := f.text(`SELECT counted::text FROM muster.statistics_state`)
	schedule(clock.Now().Add(20 * time.Second))
	if again := f.text(`SELECT counted::text FROM muster.statistics_state`); again != counted {
		t.Errorf("counted at %s and %s", counted, again)
	}
	f.execute(`UPDATE muster.statistics_state SET due = due + interval '1 year'`)
	schedule(clock.Now().Add(20 * time.Second))
	if again := f.text(`SELECT counted::text FROM muster.statistics_state`); again == counted {
		t.Error("a time that is far ahead is waited for")
	}
}

// The first count takes the changes of the days of which the history has everything.
func TestStatisticsBegin(t *testing.T) {
	t.Parallel()
	clock := enginetest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	f := &fixture{enginetest.New(t, enginetest.WithClock(clock)), t}
	on := func(month time.Month, day int) {
		t.Helper()
		clock.Set(time.Date(2026, month, day, 12, 0, 0, 0, time.UTC))
		protected := f.CountRows("muster.identities WHERE protected") > 0
		if err := f.ProtectIdentity(t.Context(), f.ID("ann"), !protected); err != nil {
			t.Fatal(err)
		}
	}
	first := func() string {
		t.Helper()
		lines := f.trend(engine.TrendQuery{Measure: engine.MeasureChanges, Days: 400})
		total := 0
		for _, line := range lines {
			if strings.Contains(line, engine.EventProtectionChanged) {
				total++
			}
		}
		return fmt.Sprintf("%.10s %d days, %d with changes", lines[0], len(lines), total)
	}
	on(time.March, 20)
	on(time.March, 25)
	on(time.April, 10)
	f.countStatistics()
	if got, want := first(), "2026-03-12 30 days, 3 with changes"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// Where something was purged, the day of the oldest that is kept may lack something.
	if _, err := f.Purge(t.Context(), engine.PurgeOptions{Events: 20 * 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	f.execute(`DELETE FROM muster.statistics_days`)
	f.execute(`DELETE FROM muster.daily_statistics`)
	f.execute(`UPDATE muster.statistics_state SET through = 0, since = NULL, counted = NULL`)
	f.countStatistics()
	if got, want := first(), "2026-03-26 16 days, 1 with changes"; got != want {
		t.Errorf("after a purge got %s, want %s", got, want)
	}
	// Events were purged that nobody had counted: the days that lack them are unknown, and those before stay.
	on(time.April, 11)
	on(time.April, 12)
	on(time.April, 13)
	if _, err := f.Purge(t.Context(), engine.PurgeOptions{Events: 30 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	f.countStatistics()
	got := f.trend(engine.TrendQuery{Measure: engine.MeasureChanges, Days: 6})
	want := []string{"2026-04-08", "2026-04-09", "2026-04-13 " + engine.EventProtectionChanged + " 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the days before the purged ones, and after that of the oldest that is kept (-want +got): %s", diff)
	}
	clock.Advance(24 * time.Hour)
	f.countStatistics()
	if got = f.trend(engine.TrendQuery{Measure: engine.MeasureChanges, Days: 3}); len(got) != 2 {
		t.Errorf("the day after got %v, want two days", got)
	}
}

// What a host counts in its transaction commits with it, and what a query asks for is checked.
func TestStatisticsInTransaction(t *testing.T) {
	t.Parallel()
	f := company(t)
	no := errors.New("no")
	err := pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error {
		return errors.Join(f.CountStatisticsTx(t.Context(), tx), no)
	})
	if p, again := f.Population(t.Context()); !errors.Is(err, no) || again != nil || !p.Counted.IsZero() {
		t.Errorf("rolled back: %v, %v, %+v", err, again, p)
	}
	if _, err := f.Events(t.Context(), "", 1); err != nil { // gives the events their positions
		t.Fatal(err)
	}
	if err := pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error { return f.CountStatisticsTx(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
	numbers := f.numbers()
	if !strings.Contains(numbers, "CHANGES") || !strings.Contains(numbers, "POPULATION") {
		t.Errorf("got %s", numbers)
	}
	f.execute(`UPDATE muster.statistics_days SET day = day - 401 WHERE kind = 'POPULATION'`)
	f.execute(`UPDATE muster.daily_statistics SET day = day - 401 WHERE kind = 'POPULATION'`)
	result, err := f.Purge(t.Context(), engine.PurgeOptions{})
	if err != nil || result.Statistics != 1 || strings.Contains(f.numbers(), "POPULATION") {
		t.Errorf("the purge: %+v, %v", result, err)
	}
	for _, q := range []struct {
		query engine.TrendQuery
		text  string
	}{
		{engine.TrendQuery{Measure: "PEOPLE", Days: 1}, "POPULATION"},
		{engine.TrendQuery{Measure: engine.MeasureChanges}, "1 to 400"},
		{engine.TrendQuery{Measure: engine.MeasureChanges, Days: 401}, "1 to 400"},
		{engine.TrendQuery{Measure: engine.MeasureChanges, Days: 1, Object: f.ID("ann")}, "no ID"},
		{engine.TrendQuery{Measure: engine.MeasureMembers, Days: 1, Object: "x"}, "no ID"},
	} {
		_, err := f.Trend(t.Context(), q.query)
		demandKind(t, err, engine.Invalid, q.text)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.CountStatistics(ended); err == nil {
		t.Error("it counted although the context had ended")
	}
}

// A started engine counts by itself.
func TestStartedEngineCounts(t *testing.T) {
	t.Parallel()
	looked := make(chan engine.Observation, 100)
	f := companyWith(t, engine.Config{Observe: func(_ context.Context, o engine.Observation) {
		if o.Job == "muster_run_schedule" {
			looked <- o
		}
	}})
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := <-looked
	if err := f.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := f.Population(t.Context())
	if err != nil || o.Failed || p.Identities != int64(f.CountRows("muster.identities")) {
		t.Errorf("after a look at the clock (failed: %v) the population is %+v, %v", o.Failed, p, err)
	}
	result, err := f.RunSchedule(t.Context())
	if err != nil || result.StatisticsDue {
		t.Errorf("counting is due again: %+v, %v", result, err)
	}
}
