package store

import (
	"context"
	"strconv"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5"
)

// matching returns the statement that selects the IDs which a query selects, whatever page it asks for, and its
// arguments in the form of squirrel.
func (q *IdentityQuery) matching() (string, []any, error) {
	where, arguments, err := whereOf(q.Filter, q.conditions())
	return `SELECT i.id FROM ` + identities.tablesFor(where) + where, arguments, err
}

// Everybody reports whether the query selects all identities.
func (q *IdentityQuery) Everybody() bool { return q.Filter == nil && len(q.conditions()) == 0 }

// RequestMatching requests the processing of the identities that a query selects, and returns how many those are. They
// are read and requested by one statement, so that an identity is requested as it is when it begins.
func (s *Store) RequestMatching(ctx context.Context, tx pgx.Tx, query *IdentityQuery, reason string, synchronize bool,
	cause Cause,
) (int64, error) {
	selected, arguments, err := query.matching()
	if err != nil {
		return 0, err
	}
	text, err := sq.Dollar.ReplacePlaceholders(`
		WITH matching AS MATERIALIZED (` + selected + ` ORDER BY i.id)
		INSERT INTO muster.refresh_requests
		       (request_id, number, identity_id, task_id, reason, requested_at, synchronize)
		SELECT ?::uuid, row_number() OVER (), id, ?::uuid, ?::text, ?::timestamptz, ?::boolean
		FROM matching`)
	if err != nil {
		return 0, err
	}
	arguments = append(arguments[:len(arguments):len(arguments)], NewID(), cause.Task, reason, cause.At, synchronize)
	tag, err := tx.Exec(ctx, s.dynamic(text), arguments...)
	return tag.RowsAffected(), mapError(err)
}

// MatchingIdentities returns the identities that a query selects, whatever page it asks for, by ID and at most limit.
func (s *Store) MatchingIdentities(ctx context.Context, q Querier, query *IdentityQuery, limit int) ([]ID, error) {
	selected, arguments, err := query.matching()
	if err != nil {
		return nil, err
	}
	text, err := sq.Dollar.ReplacePlaceholders(selected + ` ORDER BY i.id LIMIT ` + strconv.Itoa(limit))
	if err != nil {
		return nil, err
	}
	return collect(ctx, q, s.dynamic(text), pgx.RowTo[ID], arguments...)
}

// CountMatching counts the identities that a query selects, whatever page it asks for. It counts no further than limit.
func (s *Store) CountMatching(ctx context.Context, q Querier, query *IdentityQuery, limit int) (int, error) {
	selected, arguments, err := query.matching()
	if err != nil {
		return 0, err
	}
	text, err := sq.Dollar.ReplacePlaceholders(
		`SELECT count(*) FROM (` + selected + ` LIMIT ` + strconv.Itoa(limit) + `) matching`)
	if err != nil {
		return 0, err
	}
	var count int
	err = q.QueryRow(ctx, s.dynamic(text), arguments...).Scan(&count)
	return count, mapError(err)
}
