package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// OperationGroup counts operations of one source, kind and state that have the same error but for what it quotes and
// for its numbers.
type OperationGroup struct {
	SourceID   ID
	SourceName string // "" when the source is gone
	Kind       string
	State      string
	ErrorClass string
	Operations int64
	Identities int64
	Latest     time.Time // when the last of them was opened
}

// errorClassSQL is the error of an operation without what differs from one account to the next.
const errorClassSQL = `left(regexp_replace(coalesce(o.error, ''), '"[^"]*"|[0-9]+', '…', 'g'), 500)`

// OperationGroups counts operations by source, kind, state and class of error, the largest groups first. It reads every
// operation that the filter selects.
func (s *Store) OperationGroups(ctx context.Context, q Querier, filter OperationFilter, limit int) ([]OperationGroup,
	error,
) {
	const statement = `
		WITH counted AS MATERIALIZED (
		    SELECT o.source_id, o.kind, o.state, ` + errorClassSQL + ` AS error_class, count(*) AS operations,
		           count(DISTINCT o.identity_id) AS identities, max(o.created) AS latest
		    FROM muster.provisioning_operations o
		    WHERE ($1::uuid IS NULL OR o.identity_id = $1) AND ($2::uuid IS NULL OR o.source_id = $2)
		      AND ($3::text[] = '{}' OR o.state = ANY ($3))
		    GROUP BY 1, 2, 3, 4
		)
		SELECT c.source_id, coalesce(s.name, '') AS source_name, c.kind, c.state, c.error_class, c.operations,
		       c.identities, c.latest
		FROM counted c
		LEFT JOIN muster.sources s ON s.id = c.source_id
		ORDER BY c.operations DESC, c.source_id, c.kind, c.state, c.error_class
		LIMIT $4`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByName[OperationGroup], filter.IdentityID, filter.SourceID,
		nonNil(filter.States), limit)
}

// RequestRetry requests the processing of the identities for which an operation failed: on a source, of a kind and with
// a class of error, where these are given. It returns how many identities those are.
func (s *Store) RequestRetry(ctx context.Context, tx pgx.Tx, source ID, kind, errorClass string, reason string,
	cause Cause,
) (int64, error) {
	const statement = `
		WITH failed AS MATERIALIZED (
		    SELECT DISTINCT i.id
		    FROM muster.provisioning_operations o
		    JOIN muster.identities i ON i.id = o.identity_id
		    WHERE o.state = 'FAILED' AND ($1::uuid IS NULL OR o.source_id = $1) AND ($2::text = '' OR o.kind = $2)
		      AND ($3::text = '' OR ` + errorClassSQL + ` = $3)
		    ORDER BY i.id
		)
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		SELECT $4::uuid, row_number() OVER (), id, $5::uuid, $6::text, $7::timestamptz
		FROM failed`
	tag, err := tx.Exec(ctx, s.sql(statement), source, kind, errorClass, NewID(), cause.Task, reason, cause.At)
	return tag.RowsAffected(), mapError(err)
}
