package store

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// MovementFilter says which events of everybody are movements.
type MovementFilter struct {
	Joined, Moved, Left bool
	// Attributes are those of which another value is a movement.
	Attributes   []string
	Since, Until time.Time // of the write: at or after Since, before Until
	// From and To bound the IDs of the writes, which have times too: those of From and To and between.
	From, To ID
}

// leftSQL is the condition that an event e is about somebody who left: who became inactive, was not before and had some
// state, is in no authoritative source any more, or was deleted.
const leftSQL = `(e.types && '{IDENTITY_DELETED}'
		        OR coalesce(e.detail #>> '{states,identityState,newValue}', '') LIKE 'INACTIVE%'
		           AND coalesce(e.detail #>> '{states,identityState,oldValue}',
		                        e.detail #>> '{states,lifecycleState,oldValue}', 'INACTIVE') NOT LIKE 'INACTIVE%'
		        OR coalesce(e.detail #>> '{states,correlated,newValue}', '') = 'false')`

// movedSQL is the condition that an event e changed a value that was there: of one of some attributes, the lifecycle
// state, the manager or the profile. What a new identity gets is no movement.
const movedSQL = `(NOT ` + leftSQL + ` AND (
		        jsonb_path_exists(e.detail, '$.attributes[*] ? (@.attribute == $names[*] && exists(@.oldValue))',
		                          jsonb_build_object('names', to_jsonb($7::text[])))
		        OR e.detail #> '{states,lifecycleState,oldValue}' IS NOT NULL
		        OR e.detail #> '{states,manager,oldValue}' IS NOT NULL
		        OR e.detail #> '{states,identityProfile,oldValue}' IS NOT NULL))`

// parts returns the types of events that may be movements, each with an index of its own, and the condition that one
// is.
func (f *MovementFilter) parts() (types []string, condition string) {
	// It never holds, and gives the parameter its type where nothing else does.
	conditions := []string{"$7::text[] IS NULL"}
	if f.Joined {
		types, conditions = append(types, "IDENTITY_CREATED"), append(conditions, "e.types && '{IDENTITY_CREATED}'")
	}
	if f.Moved {
		types, conditions = append(types, "IDENTITY_ATTRIBUTES_CHANGED"), append(conditions, movedSQL)
	}
	if f.Left {
		types, conditions = append(types, "IDENTITY_DELETED"), append(conditions, leftSQL)
	}
	if f.Moved || f.Left {
		types = append(types, "IDENTITY_STATE_CHANGED")
	}
	return types, strings.Join(conditions, " OR ")
}

// Movements returns events that are movements, the latest first, and only those before a place if it is not zero: at
// most limit, of at most looked events that may be some. It returns where it has come to, or the zero place where it
// has looked at all: otherwise there may be more, whatever number of events it returns.
func (s *Store) Movements(ctx context.Context, q Querier, f *MovementFilter, before EventPlace, limit, looked int) (
	events []RecordedEvent, next EventPlace, err error,
) {
	if before.Write.IsZero() {
		before = eventEnd
	}
	if before.Write.Compare(f.To) > 0 {
		before = EventPlace{f.To, math.MaxInt32}
	}
	types, condition := f.parts()
	parts := make([]string, len(types))
	for i, kind := range types {
		parts[i] = `(SELECT write_id, number FROM muster.identity_events
		       WHERE ` + quoteLiteral(kind) + ` = ANY (types) AND (write_id, number) < ($1, $2) AND write_id >= $3
		       ORDER BY write_id DESC, number DESC
		       LIMIT $4)`
	}
	ahead := `
		WITH ahead AS MATERIALIZED (
		    SELECT write_id, number
		    FROM (` + strings.Join(parts, `
		       UNION
		       `) + `) u
		    ORDER BY write_id DESC, number DESC
		    LIMIT $4
		)`
	// Where fewer events are ahead than it looks at, it has come to the end.
	end := ahead + `
		SELECT write_id, number FROM ahead ORDER BY write_id DESC, number DESC OFFSET $4::integer - 1 LIMIT 1`
	found := ahead + `
		SELECT ` + eventColumns + `
		FROM ahead f
		CROSS JOIN LATERAL (
		    SELECT i.* FROM muster.identity_events i
		    WHERE i.write_id = f.write_id AND i.number = f.number OFFSET 0
		) e` + eventWriteOf + `
		WHERE w.at >= $5 AND w.at < $6 AND (` + condition + `)
		ORDER BY f.write_id DESC, f.number DESC
		LIMIT $8`
	var batch pgx.Batch
	var ends []EventPlace
	queueRows(&batch, s.dynamic(end), pgx.RowToStructByPos[EventPlace], &ends, before.Write, before.Number, f.From,
		looked)
	queueRows(&batch, s.dynamic(found), scanEvent, &events, before.Write, before.Number, f.From, looked, f.Since,
		f.Until, nonNil(f.Attributes), limit)
	if err := q.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, EventPlace{}, mapError(err)
	}
	switch {
	case len(events) == limit:
		next = events[len(events)-1].EventPlace
	case len(ends) == 1:
		next = ends[0]
	}
	return events, next, nil
}
