package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// The kinds of daily statistics: the migration says what each counts.
const (
	StatisticPopulation = "POPULATION"
	StatisticMembers    = "MEMBERS"
	StatisticAccounts   = "ACCOUNTS"
	StatisticFailed     = "FAILED"
	StatisticChanges    = "CHANGES"
)

// Statistic is a number of a day. Which of the members Object, Name and State say something depends on the kind.
type Statistic struct {
	Day    time.Time // midnight UTC stands for the day in the tenant's time zone
	Object ID        // zero for none
	Name   string
	State  string
	Count  int64
}

// compare orders numbers of one kind by the key of the table, so that those who write several lock them in one order.
func (s *Statistic) compare(other *Statistic) int {
	return cmp.Or(s.Day.Compare(other.Day), s.Object.Compare(other.Object), cmp.Compare(s.Name, other.Name),
		cmp.Compare(s.State, other.State))
}

// StatisticDay is a day that was counted.
type StatisticDay struct {
	Day     time.Time
	Counted time.Time // for the last time
}

// StatisticsState is how far the counting is.
type StatisticsState struct {
	Through int64     // the position of the last event that is counted
	Since   time.Time // the first day whose changes are counted, zero where nothing was counted
	Counted time.Time // when all was counted last, or zero
	Due     time.Time // when it is to be counted again
}

// LockStatistics locks the row of statistics_state FOR UPDATE until the transaction ends, and returns it, or
// [ErrNotFound].
func (s *Store) LockStatistics(ctx context.Context, tx pgx.Tx) (StatisticsState, error) {
	const statement = `SELECT through, since, counted, due FROM muster.statistics_state FOR UPDATE`
	var state StatisticsState
	var since, counted *time.Time
	err := tx.QueryRow(ctx, s.sql(statement)).Scan(&state.Through, &since, &counted, &state.Due)
	if since != nil {
		state.Since = *since
	}
	if counted != nil {
		state.Counted = *counted
	}
	return state, mapError(err)
}

// SetStatistics writes how far the counting is. The caller has locked the row.
func (s *Store) SetStatistics(ctx context.Context, tx pgx.Tx, state StatisticsState) error {
	const statement = `
		UPDATE muster.statistics_state SET through = $1, since = $2, counted = $3, due = $4`
	_, err := tx.Exec(ctx, s.sql(statement), state.Through, nullTime(state.Since), nullTime(state.Counted), state.Due)
	return mapError(err)
}

func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// HistoryEnds are the first and the last that the history has.
type HistoryEnds struct {
	EventPositions
	// Oldest is the time of the first write that is kept, zero where there is none.
	Oldest time.Time
}

// HistoryEnds returns the positions that were given and taken away, and the time of the oldest write that has one.
func (s *Store) HistoryEnds(ctx context.Context, q Querier) (HistoryEnds, error) {
	const statement = `
		SELECT p.last, p.purged,
		       (SELECT w.at FROM muster.event_writes w WHERE w.position > 0 ORDER BY w.position LIMIT 1)
		FROM muster.event_positions p`
	var ends HistoryEnds
	var oldest *time.Time
	err := q.QueryRow(ctx, s.sql(statement)).Scan(&ends.Last, &ends.Purged, &oldest)
	if oldest != nil {
		ends.Oldest = *oldest
	}
	return ends, mapError(err)
}

// FirstPosition returns the first position among the writes with IDs from one on, 0 where there is none. It reads all
// these writes.
func (s *Store) FirstPosition(ctx context.Context, q Querier, from ID) (int64, error) {
	var first int64
	const statement = `SELECT coalesce(min(position), 0) FROM muster.event_writes WHERE id >= $1`
	err := q.QueryRow(ctx, s.sql(statement), from).Scan(&first)
	return first, mapError(err)
}

// WriteEvents counts the events of one type that a write has.
type WriteEvents struct {
	End    int64 // the position of the last event of the write
	At     time.Time
	Type   string // "" for a write of which no event is left
	Events int64
}

// CountWrites counts the events of the writes behind a position by type, for at most limit writes, in the order of
// their positions.
func (s *Store) CountWrites(ctx context.Context, q Querier, after int64, limit int) ([]WriteEvents, error) {
	const statement = `
		WITH ahead AS MATERIALIZED (
		    SELECT w.id, w.position + w.events - 1 AS last, w.at
		    FROM muster.event_writes w
		    WHERE w.position > $1
		    ORDER BY w.position
		    LIMIT $2
		)
		SELECT w.last, w.at, coalesce(e.type, ''), coalesce(e.events, 0)
		FROM ahead w
		LEFT JOIN LATERAL (
		    SELECT t.type, count(*) AS events
		    FROM muster.identity_events i
		    CROSS JOIN LATERAL unnest(i.types) t (type)
		    WHERE i.write_id = w.id
		    GROUP BY t.type
		    OFFSET 0
		) e ON true
		ORDER BY w.last`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[WriteEvents], after, limit)
}

// The statements that count what there is. Each reads all of its table.
var countSQL = map[string]string{
	StatisticPopulation: `
		SELECT coalesce(profile_id, '00000000-0000-0000-0000-000000000000'), coalesce(lifecycle_state, ''),
		       coalesce(identity_state, ''), count(*)
		FROM muster.identities
		GROUP BY 1, 2, 3`,
	// In the order of an index on the role and the identity, nothing is sorted.
	StatisticMembers: `
		SELECT role_id, '', '', count(DISTINCT identity_id) FROM muster.role_assignments GROUP BY role_id`,
	StatisticAccounts: `
		SELECT source_id, '', '', count(*) FROM muster.accounts GROUP BY source_id`,
}

// CountNow counts what there is of a kind: the population, the members of roles, or the accounts of sources. It reads
// the whole table. The numbers have the day.
func (s *Store) CountNow(ctx context.Context, q Querier, kind string, day time.Time) ([]Statistic, error) {
	return collect(ctx, q, s.sql(countSQL[kind]), func(row pgx.CollectableRow) (Statistic, error) {
		n := Statistic{Day: day}
		err := row.Scan(&n.Object, &n.Name, &n.State, &n.Count)
		return n, err
	})
}

// DaySpan is a day of the tenant, and when it begins and ends.
type DaySpan struct{ Day, Begin, End time.Time }

// CountFailed counts the operations that were given up on each of some days, by source. One that was tried again is
// among them, and one that was cancelled afterwards is not.
func (s *Store) CountFailed(ctx context.Context, q Querier, days []DaySpan) ([]Statistic, error) {
	const statement = `
		SELECT d.day, o.source_id, '', '', count(*)
		FROM unnest($1::date[], $2::timestamptz[], $3::timestamptz[]) d (day, begins, ends)
		JOIN muster.provisioning_operations o ON o.completed >= d.begins AND o.completed < d.ends
		WHERE o.state IN ('FAILED', 'RETRIED')
		GROUP BY d.day, o.source_id`
	dates, begins, ends := make([]time.Time, len(days)), make([]time.Time, len(days)), make([]time.Time, len(days))
	for i, d := range days {
		dates[i], begins[i], ends[i] = d.Day, d.Begin, d.End
	}
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[Statistic], dates, begins, ends)
}

// AddStatistics adds numbers to those of a kind. The caller has locked the row of statistics_state.
func (s *Store) AddStatistics(ctx context.Context, tx pgx.Tx, kind string, numbers []Statistic) error {
	const statement = `
		INSERT INTO muster.daily_statistics AS s (kind, day, object_id, name, state, count)
		SELECT $1, v.day, coalesce(v.object, '00000000-0000-0000-0000-000000000000'), v.name, v.state, v.count
		FROM unnest($2::date[], $3::uuid[], $4::text[], $5::text[], $6::bigint[]) v (day, object, name, state, count)
		ON CONFLICT (kind, day, object_id, name, state) DO UPDATE SET count = s.count + excluded.count`
	if len(numbers) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, s.sql(statement), statisticArguments(kind, numbers)...)
	return mapError(err)
}

// ReplaceStatistics makes the numbers of a kind on some days those that are given: what is not among them goes, and
// what is unchanged stays untouched. The caller has locked the row of statistics_state.
func (s *Store) ReplaceStatistics(ctx context.Context, tx pgx.Tx, kind string, days []time.Time,
	numbers []Statistic,
) error {
	const remove = `
		DELETE FROM muster.daily_statistics s
		WHERE s.kind = $1 AND s.day = ANY ($7::date[])
		  AND NOT EXISTS (
		      SELECT 1
		      FROM unnest($2::date[], $3::uuid[], $4::text[], $5::text[], $6::bigint[])
		           v (day, object, name, state, count)
		      WHERE v.day = s.day AND coalesce(v.object, '00000000-0000-0000-0000-000000000000') = s.object_id
		        AND v.name = s.name AND v.state = s.state)`
	const write = `
		INSERT INTO muster.daily_statistics AS s (kind, day, object_id, name, state, count)
		SELECT $1, v.day, coalesce(v.object, '00000000-0000-0000-0000-000000000000'), v.name, v.state, v.count
		FROM unnest($2::date[], $3::uuid[], $4::text[], $5::text[], $6::bigint[]) v (day, object, name, state, count)
		ON CONFLICT (kind, day, object_id, name, state) DO UPDATE SET count = excluded.count
		WHERE s.count <> excluded.count`
	arguments := statisticArguments(kind, numbers)
	var batch pgx.Batch
	batch.Queue(s.sql(remove), append(slices.Clone(arguments), days)...)
	batch.Queue(s.sql(write), arguments...)
	return mapError(tx.SendBatch(ctx, &batch).Close())
}

// statisticArguments returns the parameters of a statement that writes numbers.
func statisticArguments(kind string, numbers []Statistic) []any {
	slices.SortFunc(numbers, func(a, b Statistic) int { return a.compare(&b) })
	n := len(numbers)
	days, objects, counts := make([]time.Time, n), make([]ID, n), make([]int64, n)
	names, states := make([]string, n), make([]string, n)
	for i := range numbers {
		s := &numbers[i]
		days[i], objects[i], names[i], states[i], counts[i] = s.Day, s.Object, s.Name, s.State, s.Count
	}
	return []any{kind, days, objects, names, states, counts}
}

// MarkCounted records that days were counted at a time.
func (s *Store) MarkCounted(ctx context.Context, tx pgx.Tx, kind string, days []time.Time, now time.Time) error {
	const statement = `
		INSERT INTO muster.statistics_days (kind, day, counted)
		SELECT $1, d.day, $3::timestamptz FROM unnest($2::date[]) d (day)
		ON CONFLICT (kind, day) DO UPDATE SET counted = excluded.counted`
	_, err := tx.Exec(ctx, s.sql(statement), kind, days, now)
	return mapError(err)
}

// ForgetChanges removes the numbers of changes from a day on, and that these days were counted.
func (s *Store) ForgetChanges(ctx context.Context, tx pgx.Tx, from time.Time) error {
	var batch pgx.Batch
	batch.Queue(s.sql(`DELETE FROM muster.daily_statistics WHERE kind = 'CHANGES' AND day >= $1`), from)
	batch.Queue(s.sql(`DELETE FROM muster.statistics_days WHERE kind = 'CHANGES' AND day >= $1`), from)
	return mapError(tx.SendBatch(ctx, &batch).Close())
}

// LastStatisticDay returns the last day that was counted of a kind, or [ErrNotFound].
func (s *Store) LastStatisticDay(ctx context.Context, q Querier, kind string) (StatisticDay, error) {
	const statement = `
		SELECT day, counted FROM muster.statistics_days WHERE kind = $1 ORDER BY day DESC LIMIT 1`
	var d StatisticDay
	err := q.QueryRow(ctx, s.sql(statement), kind).Scan(&d.Day, &d.Counted)
	return d, mapError(err)
}

// DayStatistics returns the numbers of a kind on one day.
func (s *Store) DayStatistics(ctx context.Context, q Querier, kind string, day time.Time) ([]Statistic, error) {
	const statement = `
		SELECT day, nullif(object_id, '00000000-0000-0000-0000-000000000000'), name, state, count
		FROM muster.daily_statistics
		WHERE kind = $1 AND day = $2
		ORDER BY object_id, name, state`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[Statistic], kind, day)
}

// StatisticsQuery says which numbers to read.
type StatisticsQuery struct {
	Kind     string
	From, To time.Time // days, both in it
	Object   ID        // zero for all
	// ByName adds up what has the same name, whatever its object; otherwise what has the same object.
	ByName bool
}

// Statistics returns the days from one to another that were counted, in their order, and the numbers of these days by
// day, and then by name or by object.
func (s *Store) Statistics(ctx context.Context, q Querier, query StatisticsQuery) (days []StatisticDay,
	numbers []Statistic, err error,
) {
	const counted = `
		SELECT day, counted FROM muster.statistics_days WHERE kind = $1 AND day BETWEEN $2 AND $3 ORDER BY day`
	const byName = `
		SELECT day, NULL::uuid, name, '', sum(count)::bigint
		FROM muster.daily_statistics
		WHERE kind = $1 AND day BETWEEN $2 AND $3 AND ($4::uuid IS NULL OR object_id = $4)
		GROUP BY day, name
		ORDER BY day, name`
	const byObject = `
		SELECT day, nullif(object_id, '00000000-0000-0000-0000-000000000000'), '', '', sum(count)::bigint
		FROM muster.daily_statistics
		WHERE kind = $1 AND day BETWEEN $2 AND $3
		GROUP BY day, object_id
		ORDER BY day, object_id`
	// By the index that begins with the object.
	const ofObject = `
		SELECT day, object_id, '', '', sum(count)::bigint
		FROM muster.daily_statistics
		WHERE kind = $1 AND day BETWEEN $2 AND $3 AND object_id = $4
		GROUP BY day, object_id
		ORDER BY day`
	statement, arguments := byObject, []any{query.Kind, query.From, query.To}
	switch {
	case query.ByName:
		statement, arguments = byName, append(arguments, query.Object)
	case !query.Object.IsZero():
		statement, arguments = ofObject, append(arguments, query.Object)
	}
	var batch pgx.Batch
	queueRows(&batch, s.sql(counted), pgx.RowToStructByPos[StatisticDay], &days, query.Kind, query.From, query.To)
	queueRows(&batch, s.sql(statement), pgx.RowToStructByPos[Statistic], &numbers, arguments...)
	return days, numbers, mapError(q.SendBatch(ctx, &batch).Close())
}

// ObjectNames returns the names of sources, roles and identity profiles, by their IDs.
func (s *Store) ObjectNames(ctx context.Context, q Querier, ids []ID) (map[ID]string, error) {
	const statement = `
		SELECT id, name FROM muster.sources WHERE id = ANY ($1)
		UNION ALL
		SELECT id, name FROM muster.roles WHERE id = ANY ($1)
		UNION ALL
		SELECT id, name FROM muster.identity_profiles WHERE id = ANY ($1)`
	found, names, err := collectPairs[ID, string](ctx, q, s.sql(statement), nonNil(ids))
	byID := make(map[ID]string, len(found))
	for i, id := range found {
		byID[id] = names[i]
	}
	return byID, err
}

// PurgeStatistics removes the numbers of the days before one, and returns how many days those are, each counted once
// for each kind.
func (s *Store) PurgeStatistics(ctx context.Context, tx pgx.Tx, before time.Time) (int64, error) {
	if _, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.daily_statistics WHERE day < $1`), before); err != nil {
		return 0, mapError(err)
	}
	tag, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.statistics_days WHERE day < $1`), before)
	return tag.RowsAffected(), mapError(err)
}

// DropStrayStatistics removes numbers of days that were not counted, and days that have not come yet, and returns how
// many rows those were.
func (s *Store) DropStrayStatistics(ctx context.Context, tx pgx.Tx, now time.Time) (int, error) {
	const future = `DELETE FROM muster.statistics_days WHERE day > ($1::timestamptz AT TIME ZONE 'UTC')::date + 1`
	const stray = `
		DELETE FROM muster.daily_statistics s
		WHERE s.day < ($1::timestamptz AT TIME ZONE 'UTC')::date - 1
		  AND NOT EXISTS (SELECT 1 FROM muster.statistics_days d WHERE d.kind = s.kind AND d.day = s.day)
		   OR s.day > ($1::timestamptz AT TIME ZONE 'UTC')::date + 1 AND s.kind <> 'CHANGES'`
	total := int64(0)
	for _, statement := range []string{future, stray} {
		tag, err := tx.Exec(ctx, s.sql(statement), now)
		if err != nil {
			return 0, mapError(err)
		}
		total += tag.RowsAffected()
	}
	return int(total), nil
}

// RestartChanges forgets the numbers of changes where some are of positions that were never given: they belong to
// another history. The next counting takes them from this one.
func (s *Store) RestartChanges(ctx context.Context, tx pgx.Tx, now time.Time) (int, error) {
	state, err := s.LockStatistics(ctx, tx)
	if err != nil {
		return 0, err
	}
	const statement = `SELECT last FROM muster.event_positions WHERE last < $1`
	last, err := collect(ctx, tx, s.sql(statement), pgx.RowTo[int64], state.Through)
	if err != nil || len(last) == 0 {
		return 0, err
	}
	state = StatisticsState{Due: now}
	if err := s.ForgetChanges(ctx, tx, time.Unix(0, 0).UTC()); err != nil {
		return 0, err
	}
	return 1, s.SetStatistics(ctx, tx, state)
}
