package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// calculatedBefore is the condition on an identity i that it was calculated before: it has something to lose.
const calculatedBefore = `i.identity_state IS NOT NULL`

// CountCalculatedRequests counts the requests of a task for identities that were calculated before, up to limit.
func (s *Store) CountCalculatedRequests(ctx context.Context, q Querier, task ID, limit int64) (int64, error) {
	const statement = `
		SELECT count(*)
		FROM (SELECT 1
		      FROM muster.refresh_requests r,
		           LATERAL (SELECT identity_state FROM muster.identities WHERE id = r.identity_id OFFSET 0) i
		      WHERE r.task_id = $1 AND ` + calculatedBefore + `
		      LIMIT $2) x`
	var count int64
	err := q.QueryRow(ctx, s.sql(statement), task, limit).Scan(&count)
	return count, mapError(err)
}

// CountCalculated counts the identities that were calculated before, all or those of a profile, up to limit.
func (s *Store) CountCalculated(ctx context.Context, q Querier, profile ID, limit int64) (int64, error) {
	const statement = `
		SELECT count(*)
		FROM (SELECT 1
		      FROM muster.identities i
		      WHERE ($1::uuid IS NULL OR i.profile_id = $1) AND ` + calculatedBefore + `
		      LIMIT $2) x`
	var count int64
	err := q.QueryRow(ctx, s.sql(statement), profile, limit).Scan(&count)
	return count, mapError(err)
}

// SurveyParts has the parts of a task surveyed before its first batch.
func (s *Store) SurveyParts(ctx context.Context, tx pgx.Tx, task ID) error {
	_, err := tx.Exec(ctx, s.sql(`UPDATE muster.task_parts SET survey = true WHERE task_id = $1`), task)
	return mapError(err)
}

// AddSurvey adds parts that have the requests of a task surveyed before its first batch, size requests each.
func (s *Store) AddSurvey(ctx context.Context, tx pgx.Tx, task ID, size int) error {
	const statement = `
		INSERT INTO muster.task_parts (task_id, part, size, survey, request_id, after_number, last_number)
		SELECT $1::uuid, row_number() OVER (ORDER BY r.request_id, g.first), 0, true, r.request_id, g.first,
		       least(g.first + $2::int, r.last)
		FROM (SELECT request_id, max(number) AS last
		      FROM muster.refresh_requests
		      WHERE task_id = $1
		      GROUP BY request_id) r,
		     LATERAL generate_series(0, r.last - 1, $2::int) g (first)`
	_, err := tx.Exec(ctx, s.sql(statement), task, size)
	return mapError(err)
}

// SurveyedRequest is an identity whose requests the guard looks at before they are taken.
type SurveyedRequest struct {
	IdentityID  ID
	Synchronize bool
}

// SurveyedRequests returns the identities of a part of requests that were calculated before, by ID. One for which the
// task has several requests belongs to the part of the first of them. OFFSET 0 has the earlier requests found by the
// identity: by the task, each part would read all parts before it for each of its identities.
func (s *Store) SurveyedRequests(ctx context.Context, q Querier, task ID, part *TaskPart) ([]SurveyedRequest, error) {
	const statement = `
		SELECT r.identity_id, bool_or(r.synchronize)
		FROM muster.refresh_requests r,
		     LATERAL (SELECT identity_state FROM muster.identities WHERE id = r.identity_id OFFSET 0) i
		WHERE r.task_id BETWEEN $1 AND $1 AND r.request_id = $2 AND r.number > $3 AND r.number <= $4
		  AND ` + calculatedBefore + `
		  AND NOT EXISTS (SELECT 1
		                  FROM (SELECT task_id, request_id, number FROM muster.refresh_requests
		                        WHERE identity_id = r.identity_id OFFSET 0) e
		                  WHERE e.task_id = $1 AND (e.request_id, e.number) < ($2, $3 + 1))
		GROUP BY r.identity_id
		ORDER BY r.identity_id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[SurveyedRequest], task, part.RequestID,
		part.AfterNumber, part.LastNumber)
}

// EndSurvey ends the survey of a task, done or not, and waits for the workers that have a part of it: parts of requests
// are dropped, the others are processed as they are come to.
func (s *Store) EndSurvey(ctx context.Context, tx pgx.Tx, task ID) error {
	const (
		drop = `DELETE FROM muster.task_parts WHERE task_id = $1 AND request_id IS NOT NULL`
		keep = `UPDATE muster.task_parts SET survey = false WHERE task_id = $1 AND survey`
	)
	var batch pgx.Batch
	batch.Queue(s.sql(drop), task)
	batch.Queue(s.sql(keep), task)
	return mapError(tx.SendBatch(ctx, &batch).Close())
}

// beingSurveyed is a row where the task $1 has parts that are to be surveyed before its requests are taken.
const beingSurveyed = `SELECT 1 FROM muster.task_parts p WHERE p.task_id = $1 AND p.survey`
