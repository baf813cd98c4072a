package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// isOrphanedSQL says whether an identity i is orphaned: whether it has a profile, and the profile's authoritative
// source has no account of it.
const isOrphanedSQL = `EXISTS (SELECT 1 FROM muster.identity_profiles op
		WHERE op.id = i.profile_id
		  AND NOT EXISTS (SELECT 1 FROM muster.accounts oa
		                  WHERE oa.identity_id = i.id AND oa.source_id = op.authoritative_source_id))`

// CountOrphaned counts those of the identities of a profile that the authoritative source has no account of, whose
// processing a task was requested to do.
func (s *Store) CountOrphaned(ctx context.Context, tx pgx.Tx, source, profile, task ID) (int, error) {
	const statement = `
		SELECT count(DISTINCT r.identity_id)
		FROM muster.refresh_requests r
		WHERE r.task_id = $3
		  AND (SELECT i.profile_id FROM muster.identities i WHERE i.id = r.identity_id) = $2
		  AND (SELECT true FROM muster.accounts a
		       WHERE a.identity_id = r.identity_id AND a.source_id = $1 LIMIT 1) IS NULL`
	var count int
	err := tx.QueryRow(ctx, s.sql(statement), source, profile, task).Scan(&count)
	return count, mapError(err)
}
