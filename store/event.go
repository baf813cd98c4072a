package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Event is one entry of an identity's history.
type Event struct {
	IdentityID ID
	Type       string
	Detail     []byte // JSON
}

// AddEvents appends to the history.
func (s *Store) AddEvents(ctx context.Context, tx pgx.Tx, events []Event, now time.Time) error {
	if len(events) == 0 {
		return nil
	}
	const statement = `
		INSERT INTO muster.identity_events (identity_id, type, detail, at)
		SELECT v.id, v.type, v.detail::jsonb, $4 FROM unnest($1::uuid[], $2::text[], $3::text[]) v (id, type, detail)`
	ids, types, details := make([]ID, len(events)), make([]string, len(events)), make([]string, len(events))
	for i, e := range events {
		ids[i], types[i], details[i] = e.IdentityID, e.Type, string(e.Detail)
	}
	_, err := tx.Exec(ctx, s.sql(statement), ids, types, details, now)
	return mapError(err)
}

// EventCursor is a position in the order in which readers get the events. The zero EventCursor is before the first one.
type EventCursor struct {
	Transaction uint64
	ID          int64
}

// RecordedEvent is an event as it was written.
type RecordedEvent struct {
	EventCursor
	IdentityID ID
	Type       string
	Detail     []byte
	At         time.Time
}

const eventColumns = `transaction_id::text::bigint, id, identity_id, type, detail, at`

func scanEvent(row pgx.CollectableRow) (RecordedEvent, error) {
	var e RecordedEvent
	err := row.Scan(&e.Transaction, &e.ID, &e.IdentityID, &e.Type, &e.Detail, &e.At)
	return e, err
}

// Events returns the events behind a cursor, at most limit. It returns only those of transactions that began before the
// oldest one that still runs; the others come later, so that no event is skipped.
func (s *Store) Events(ctx context.Context, q Querier, after EventCursor, limit int) ([]RecordedEvent, error) {
	const statement = `
		SELECT ` + eventColumns + `
		FROM muster.identity_events
		WHERE (transaction_id, id) > ($1::bigint::text::xid8, $2)
		  AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
		ORDER BY transaction_id, id
		LIMIT $3`
	return collect(ctx, q, s.sql(statement), scanEvent, int64(after.Transaction), after.ID, limit)
}

// History returns the events of an identity, the latest first, and only those before an ID if it is not 0.
func (s *Store) History(ctx context.Context, q Querier, identity ID, before int64, limit int) ([]RecordedEvent, error) {
	const statement = `
		SELECT ` + eventColumns + `
		FROM muster.identity_events
		WHERE identity_id = $1 AND ($2 = 0 OR id < $2)
		ORDER BY id DESC
		LIMIT $3`
	return collect(ctx, q, s.sql(statement), scanEvent, identity, before, limit)
}
