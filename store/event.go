package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Event is what happened to an identity in one write.
type Event struct {
	IdentityID ID
	Types      []string
	Detail     []byte // a JSON object with a member for each type
}

// AddEvents appends a write to the history. It locks nothing, but belongs behind the lock on the identities, if they
// have one: the number that it draws decides in which order readers get the writes. write is the write's ID, a UUID of
// version 7 with the time of now. Without events it does nothing.
func (s *Store) AddEvents(ctx context.Context, tx pgx.Tx, write ID, cause Cause, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	// A list of lists cannot travel as one array, since its elements would need one length.
	const statement = `
		INSERT INTO muster.identity_events (write_id, number, identity_id, types, detail)
		SELECT $1, v.number, v.id, string_to_array(v.types, ' '), v.detail::jsonb
		FROM unnest($2::uuid[], $3::text[], $4::text[]) WITH ORDINALITY v (id, types, detail, number)`
	ids, types, details := make([]ID, len(events)), make([]string, len(events)), make([]string, len(events))
	for i, e := range events {
		ids[i], types[i], details[i] = e.IdentityID, strings.Join(e.Types, " "), string(e.Detail)
	}
	batch := &pgx.Batch{}
	s.queueEventWrite(batch, write, len(events), cause)
	batch.Queue(s.sql(statement), write, ids, types, details)
	return mapError(tx.SendBatch(ctx, batch).Close())
}

// AddEventWrite appends the write to which the events belong that [Store.InsertNew] and [Store.AdoptUncorrelated] add:
// once, after them.
func (s *Store) AddEventWrite(ctx context.Context, tx pgx.Tx, write ID, events int, cause Cause) error {
	batch := &pgx.Batch{}
	s.queueEventWrite(batch, write, events, cause)
	return mapError(tx.SendBatch(ctx, batch).Close())
}

func (s *Store) queueEventWrite(batch *pgx.Batch, write ID, events int, cause Cause) {
	const statement = `
		INSERT INTO muster.event_writes (id, events, at, task_id, actor_id, actor_name, actor_via)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`
	batch.Queue(s.sql(statement), write, events, cause.At, cause.Task, cause.Actor.ID, cause.Actor.Name,
		cause.Actor.Via)
}

// EventPositions say which positions were given and taken away.
type EventPositions struct {
	Last   int64 // the last that was given
	Purged int64 // the last one whose event was purged, with all before it
}

// LockEventPositions locks the row of event_positions FOR UPDATE until the transaction ends, and returns it.
func (s *Store) LockEventPositions(ctx context.Context, tx pgx.Tx) (EventPositions, error) {
	var p EventPositions
	const statement = `SELECT last, purged FROM muster.event_positions FOR UPDATE`
	err := tx.QueryRow(ctx, s.sql(statement)).Scan(&p.Last, &p.Purged)
	return p, mapError(err)
}

// EventsPending reports whether there are writes without a position.
func (s *Store) EventsPending(ctx context.Context, q Querier) (bool, error) {
	var pending bool
	const statement = `SELECT EXISTS (SELECT 1 FROM muster.event_writes WHERE position IS NULL)`
	err := q.QueryRow(ctx, s.sql(statement)).Scan(&pending)
	return pending, mapError(err)
}

// NumberEvents gives positions to writes that have committed without one, at most limit of them, and returns how many.
// It locks the row of event_positions until the transaction ends, which must be one of its own.
//
// No reader misses an event, and none gets one twice, because a reader who sees a position sees all that are below it:
//
//   - Only the holder of the lock gives positions, all greater than the last one, and keeps the lock until it commits.
//     So positions become visible in their order.
//   - The pending writes are read by a statement that begins after the lock was taken. It sees all that numberers
//     before it gave, so that it numbers no write twice.
//   - A write that commits later, whatever number its sequence has, gets a greater position, later.
//   - The events of a write commit with it, so before it has a position.
//
// The events of an identity are in the order in which they happened: of two transactions that change it the second
// draws its number from the sequence after the first has committed. So the first is numbered in an earlier round, or in
// the same one, where the sequence decides.
func (s *Store) NumberEvents(ctx context.Context, tx pgx.Tx, limit int) (int, error) {
	positions, err := s.LockEventPositions(ctx, tx)
	if err != nil {
		return 0, err
	}
	type pending struct {
		ID       ID
		Sequence int64
		Events   int64
	}
	const statement = `
		SELECT id, sequence, events FROM muster.event_writes WHERE position IS NULL ORDER BY sequence LIMIT $1`
	writes, err := collect(ctx, tx, s.sql(statement), pgx.RowToStructByPos[pending], limit)
	if err != nil || len(writes) == 0 {
		return 0, err
	}
	ids, sequences, given := make([]ID, len(writes)), make([]int64, len(writes)), make([]int64, len(writes))
	last := positions.Last
	for i, w := range writes {
		ids[i], sequences[i], given[i] = w.ID, w.Sequence, last+1
		last += w.Events
	}
	// The place of a write among the others is found by its number in the sequence: a join could read the whole table.
	const number = `
		UPDATE muster.event_writes SET position = ($3::bigint[])[width_bucket(sequence, $2::bigint[])]
		WHERE id = ANY ($1)`
	batch := &pgx.Batch{}
	batch.Queue(s.sql(number), ids, sequences, given)
	batch.Queue(s.sql(`UPDATE muster.event_positions SET last = $1`), last)
	return len(writes), mapError(tx.SendBatch(ctx, batch).Close())
}

// RecordedEvent is an event as it was written.
type RecordedEvent struct {
	EventPlace
	Position   int64 // 0 until it is numbered
	IdentityID ID
	Types      []string
	Detail     []byte
	At         time.Time
	TaskID     ID
	Actor      Actor
}

// EventPlace is where an event stands in the history: in a write, with a number. The latest writes have the greatest
// IDs.
type EventPlace struct {
	Write  ID
	Number int
}

// eventEnd is the place behind all events.
var eventEnd = EventPlace{ID(slices.Repeat([]byte{0xff}, 16)), math.MaxInt32}

// eventColumns are those of an event e and its write w. A write of which no event is left has one row, with the number
// 0 and the position of its last event.
const (
	eventColumns = `w.id, coalesce(e.number, 0), coalesce(w.position + coalesce(e.number, w.events) - 1, 0),
		       e.identity_id, e.types, e.detail, w.at, w.task_id, w.actor_id, w.actor_name, w.actor_via`
	writeColumns = `w.id, w.position, w.events, w.at, w.task_id, w.actor_id, w.actor_name, w.actor_via`
)

func scanEvent(row pgx.CollectableRow) (RecordedEvent, error) {
	var e RecordedEvent
	err := row.Scan(&e.Write, &e.Number, &e.Position, &e.IdentityID, &e.Types, &e.Detail, &e.At, &e.TaskID, &e.Actor.ID,
		&e.Actor.Name, &e.Actor.Via)
	return e, err
}

// eventWriteOf is joined to the rows e of events. The planner must not choose a join that reads all writes.
const eventWriteOf = `
		CROSS JOIN LATERAL (
		    SELECT ` + writeColumns + ` FROM muster.event_writes w WHERE w.id = e.write_id OFFSET 0
		) w`

// EventPage is a page of events in the order of their positions.
type EventPage struct {
	EventPositions
	// At is the write that has the position of the cursor, zero if there is none.
	At     ID
	Events []RecordedEvent
	// Through is the last position that the page covers. Events may follow it while it is less than Last, also where
	// the page has fewer than its limit: of some writes events were erased.
	Through int64
}

// Events returns a page of the events behind a position, at most limit. It reads as many writes as the page needs, and
// of their events those of the page alone. The positions are read after the events: what was purged meanwhile shows.
func (s *Store) Events(ctx context.Context, q Querier, after int64, limit int) (EventPage, error) {
	// The write in which the cursor stands begins at it or before it: behind the cursor are the rest of that write and
	// the writes that follow.
	const statement = `
		WITH ahead AS MATERIALIZED (
		    SELECT ` + writeColumns + `,
		           greatest(least(w.events, w.position + w.events - 1 - $1::bigint), 0) AS wanted
		    FROM muster.event_writes w
		    WHERE w.position >= coalesce((SELECT b.position FROM muster.event_writes b
		                                  WHERE b.position <= $1 ORDER BY b.position DESC LIMIT 1), 0)
		    ORDER BY w.position
		    LIMIT $2::bigint + 1
		), counted AS MATERIALIZED (
		    SELECT a.*, sum(a.wanted) OVER (ORDER BY a.position) AS total FROM ahead a
		)
		SELECT ` + eventColumns + `
		FROM counted w
		LEFT JOIN LATERAL (
		    SELECT i.* FROM muster.identity_events i
		    WHERE i.write_id = w.id AND i.number > $1 - w.position + 1
		    ORDER BY i.number
		    LIMIT $2
		) e ON true
		WHERE w.wanted > 0 AND w.total - w.wanted < $2
		ORDER BY w.position, e.number
		LIMIT $2`
	const positions = `
		SELECT p.last, p.purged,
		       (SELECT CASE WHEN w.position + w.events > $1 THEN w.id END
		        FROM muster.event_writes w WHERE w.position <= $1 ORDER BY w.position DESC LIMIT 1)
		FROM muster.event_positions p`
	page := EventPage{Through: after}
	batch := &pgx.Batch{}
	batch.Queue(s.sql(statement), after, limit).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, scanEvent)
		if len(list) > 0 {
			page.Through = list[len(list)-1].Position
		}
		page.Events = slices.DeleteFunc(list, func(e RecordedEvent) bool { return e.Number == 0 })
		return err
	})
	batch.Queue(s.sql(positions), after).QueryRow(func(row pgx.Row) error {
		return row.Scan(&page.Last, &page.Purged, &page.At)
	})
	return page, mapError(q.SendBatch(ctx, batch).Close())
}

// History returns the events of an identity, the latest first, and only those before a place if it is not zero.
func (s *Store) History(ctx context.Context, q Querier, identity ID, before EventPlace, limit int) ([]RecordedEvent,
	error,
) {
	const statement = `
		SELECT ` + eventColumns + `
		FROM (SELECT * FROM muster.identity_events
		      WHERE identity_id = $1 AND (write_id, number) < ($2, $3)
		      ORDER BY write_id DESC, number DESC
		      LIMIT $4) e` + eventWriteOf + `
		ORDER BY e.write_id DESC, e.number DESC`
	if before.Write.IsZero() {
		before = eventEnd
	}
	return collect(ctx, q, s.sql(statement), scanEvent, identity, before.Write, before.Number, limit)
}

// EventFilter says which events of everybody are wanted. All members that are not zero must hold.
type EventFilter struct {
	Types        []string // one of them; each must be one of the engine's, since it becomes part of the statement
	Actor        string   // the ID
	Task         ID
	Since, Until time.Time // of the write: at or after Since, before Until
	// From and To bound the IDs of the writes, which have times too: those of From and To and between.
	From, To ID
}

// filteredWrites is how many writes one statement looks at whose events are filtered by their types.
const filteredWrites = 100

// EventLog returns events of everybody, the latest first, and only those before a place if it is not zero: at most
// limit, and with how far it has looked. It has looked at everything when that is the zero place; otherwise there may
// be more, whatever number of events it returns.
func (s *Store) EventLog(ctx context.Context, q Querier, f *EventFilter, before EventPlace, limit int) (
	events []RecordedEvent, next EventPlace, err error,
) {
	if before.Write.IsZero() {
		before = eventEnd
	}
	if before.Write.Compare(f.To) > 0 && !f.To.IsZero() {
		before = EventPlace{f.To, math.MaxInt32}
	}
	build := f.byWrite
	if len(f.Types) > 0 && f.Actor == "" && f.Task.IsZero() {
		build = f.byType
	}
	statement, arguments := build(before, limit)
	rows, err := collect(ctx, q, s.dynamic(statement), scanEvent, arguments...)
	if err != nil || len(rows) == 0 {
		return nil, EventPlace{}, err
	}
	next = rows[len(rows)-1].EventPlace
	return slices.DeleteFunc(rows, func(e RecordedEvent) bool {
		return e.Number == 0 || e.At.Before(f.Since) || !f.Until.IsZero() && !e.At.Before(f.Until)
	}), next, nil
}

// byWrite returns the statement that looks at writes, and then at their events.
func (f *EventFilter) byWrite(before EventPlace, limit int) (statement string, arguments []any) {
	arguments = []any{before.Write, before.Number, limit}
	parameter := func(value any) string {
		arguments = append(arguments, value)
		return fmt.Sprintf("$%d", len(arguments))
	}
	// Of the write before whose event the page ends the others are wanted, if there are any.
	where := "w.id < $1"
	if before.Number > 1 {
		where = "w.id <= $1"
	}
	if !f.From.IsZero() {
		where += " AND w.id >= " + parameter(f.From)
	}
	if !f.Since.IsZero() {
		where += " AND w.at >= " + parameter(f.Since)
	}
	if !f.Until.IsZero() {
		where += " AND w.at < " + parameter(f.Until)
	}
	if !f.Task.IsZero() {
		where += " AND w.task_id = " + parameter(f.Task)
	}
	if f.Actor != "" {
		where += " AND w.actor_id <> '' AND w.actor_id = " + parameter(f.Actor)
	}
	writes, enough, typed := "$3::bigint", "w.total - w.wanted < $3", ""
	if len(f.Types) > 0 {
		writes, enough, typed = fmt.Sprint(filteredWrites), "true", " AND i.types && "+parameter(f.Types)+"::text[]"
	}
	return `
		WITH ahead AS MATERIALIZED (
		    SELECT ` + writeColumns + `,
		           CASE WHEN w.id = $1 THEN least(w.events, $2::integer - 1) ELSE w.events END AS wanted
		    FROM muster.event_writes w
		    WHERE ` + where + `
		    ORDER BY w.id DESC
		    LIMIT ` + writes + `
		), counted AS MATERIALIZED (
		    SELECT a.*, sum(a.wanted) OVER (ORDER BY a.id DESC) AS total FROM ahead a
		)
		SELECT ` + eventColumns + `
		FROM counted w
		LEFT JOIN LATERAL (
		    SELECT i.* FROM muster.identity_events i
		    WHERE i.write_id = w.id AND (w.id <> $1 OR i.number < $2)` + typed + `
		    ORDER BY i.number DESC
		    LIMIT $3
		) e ON true
		WHERE ` + enough + `
		ORDER BY w.id DESC, e.number DESC
		LIMIT $3`, arguments
}

// byType returns the statement that looks at the events of types, each by its index.
func (f *EventFilter) byType(before EventPlace, limit int) (statement string, arguments []any) {
	arguments = []any{before.Write, before.Number, limit}
	from := ""
	if !f.From.IsZero() {
		from, arguments = " AND write_id >= $4", append(arguments, f.From)
	}
	parts := make([]string, len(f.Types))
	for i, kind := range f.Types {
		parts[i] = `(SELECT write_id, number FROM muster.identity_events
		       WHERE ` + quoteLiteral(kind) + ` = ANY (types) AND (write_id, number) < ($1, $2)` + from + `
		       ORDER BY write_id DESC, number DESC
		       LIMIT $3)`
	}
	return `
		SELECT ` + eventColumns + `
		FROM (SELECT write_id, number FROM (` + strings.Join(parts, `
		       UNION
		       `) + `) u
		      ORDER BY write_id DESC, number DESC
		      LIMIT $3) f
		CROSS JOIN LATERAL (
		    SELECT i.* FROM muster.identity_events i
		    WHERE i.write_id = f.write_id AND i.number = f.number OFFSET 0
		) e` + eventWriteOf + `
		ORDER BY f.write_id DESC, f.number DESC`, arguments
}

// quoteLiteral writes a constant of the engine's into a statement whose index is found by it.
func quoteLiteral(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// MaskEventActors is [Store.MaskActors] for the writes of the history. It locks the row of event_positions, and the
// writes that it changes, until the transaction ends.
func (s *Store) MaskEventActors(ctx context.Context, tx pgx.Tx, id ID, texts []string) ([]Erased, error) {
	if _, err := s.LockEventPositions(ctx, tx); err != nil {
		return nil, err
	}
	return s.maskActors(ctx, tx, id, texts, actorColumns{"event_writes", "actor_id", "actor_name"})
}
