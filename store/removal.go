package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// SourceCounts are what a source has.
type SourceCounts struct {
	Accounts     int
	Correlated   int // those of the accounts that have an identity
	Identities   int // that have an account
	Entitlements int
	Grants       int // what identities were given on it
	Operations   int // that are open or parked, or were given up
}

// CountOfSource counts what a source has.
func (s *Store) CountOfSource(ctx context.Context, q Querier, source ID) (SourceCounts, error) {
	const statement = `
		SELECT a.accounts, a.correlated, a.identities,
		       (SELECT count(*) FROM muster.entitlements WHERE source_id = $1),
		       (SELECT count(*) FROM muster.access_grants WHERE source_id = $1),
		       (SELECT count(*) FROM muster.provisioning_operations
		        WHERE source_id = $1 AND state IN (` + cancelled + `))
		FROM (SELECT count(*) AS accounts, count(identity_id) AS correlated,
		             count(DISTINCT identity_id) AS identities
		      FROM muster.accounts
		      WHERE source_id = $1) a`
	var n SourceCounts
	err := q.QueryRow(ctx, s.sql(statement), source).Scan(&n.Accounts, &n.Correlated, &n.Identities, &n.Entitlements,
		&n.Grants, &n.Operations)
	return n, mapError(err)
}

// cancelled are the states of the operations that are cancelled where what they are about goes.
const cancelled = `'OPEN', 'MANUAL', 'PARKED', 'FAILED'`

// AssignmentCounts are how many assignments a role has, and to how many identities.
type AssignmentCounts struct{ Assignments, Identities int }

// CountAssignments counts the assignments of a role.
func (s *Store) CountAssignments(ctx context.Context, q Querier, role ID) (AssignmentCounts, error) {
	const statement = `SELECT count(*), count(DISTINCT identity_id) FROM muster.role_assignments WHERE role_id = $1`
	var n AssignmentCounts
	err := q.QueryRow(ctx, s.sql(statement), role).Scan(&n.Assignments, &n.Identities)
	return n, mapError(err)
}

// CountHolders returns how many identities have one of several roles.
func (s *Store) CountHolders(ctx context.Context, q Querier, roles []ID) (int64, error) {
	const statement = `SELECT count(DISTINCT identity_id) FROM muster.role_assignments WHERE role_id = ANY ($1)`
	var count int64
	err := q.QueryRow(ctx, s.sql(statement), roles).Scan(&count)
	return count, mapError(err)
}

// HoldersOf returns the identities behind one that have a role, by ID.
func (s *Store) HoldersOf(ctx context.Context, q Querier, role, after ID, limit int) ([]ID, error) {
	const statement = `
		SELECT DISTINCT identity_id
		FROM muster.role_assignments
		WHERE role_id = $1 AND ($2::uuid IS NULL OR identity_id > $2)
		ORDER BY identity_id
		LIMIT $3`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID], role, after, limit)
}

// CountInState returns how many identities are in a lifecycle state, by its ID.
func (s *Store) CountInState(ctx context.Context, q Querier, state ID) (int, error) {
	const statement = `
		SELECT count(*)
		FROM muster.lifecycle_states l
		JOIN muster.identities i ON i.profile_id = l.profile_id AND i.lifecycle_state = l.technical_name
		WHERE l.id = $1`
	var count int
	err := q.QueryRow(ctx, s.sql(statement), state).Scan(&count)
	return count, mapError(err)
}

// CountOfProfile returns how many identities a profile has, those that are not correlated any more among them.
func (s *Store) CountOfProfile(ctx context.Context, q Querier, profile ID) (int, error) {
	var count int
	err := q.QueryRow(ctx, s.sql(`SELECT count(*) FROM muster.identities WHERE profile_id = $1`), profile).Scan(&count)
	return count, mapError(err)
}

// RemovedObjects are objects of the configuration, by their IDs, and identity attributes by their names.
type RemovedObjects struct {
	Roles, LifecycleStates, AccessProfiles, Profiles, Transforms []ID
	IdentityAttributes                                           []string
}

// RemoveObjects removes objects of the configuration, which must be locked FOR UPDATE. The assignments of the roles go
// with them. An identity profile that has an identity is a [ConflictError].
func (s *Store) RemoveObjects(ctx context.Context, tx pgx.Tx, r *RemovedObjects) error {
	var batch pgx.Batch
	for _, removal := range []struct {
		statement string
		ids       []ID
	}{
		{`DELETE FROM muster.role_assignments WHERE role_id = ANY ($1)`, r.Roles},
		{`DELETE FROM muster.roles WHERE id = ANY ($1)`, r.Roles},
		{`DELETE FROM muster.lifecycle_states WHERE id = ANY ($1)`, r.LifecycleStates},
		{`DELETE FROM muster.access_profiles WHERE id = ANY ($1)`, r.AccessProfiles},
		{`DELETE FROM muster.identity_profiles WHERE id = ANY ($1)`, r.Profiles},
		{`DELETE FROM muster.transforms WHERE id = ANY ($1)`, r.Transforms},
	} {
		if len(removal.ids) > 0 {
			batch.Queue(s.sql(removal.statement), removal.ids)
		}
	}
	if len(r.IdentityAttributes) > 0 {
		batch.Queue(s.sql(`DELETE FROM muster.identity_attributes WHERE name = ANY ($1)`), r.IdentityAttributes)
	}
	if batch.Len() == 0 {
		return nil
	}
	return mapError(tx.SendBatch(ctx, &batch).Close())
}

// LockAccountsOf locks accounts of a source, by ID and FOR UPDATE, until the transaction ends, and returns them: at
// most limit, those with the smallest IDs.
func (s *Store) LockAccountsOf(ctx context.Context, tx pgx.Tx, source ID, limit int) ([]ID, error) {
	const statement = `SELECT id FROM muster.accounts WHERE source_id = $1 ORDER BY id LIMIT $2 FOR UPDATE`
	return collect(ctx, tx, s.sql(statement), pgx.RowTo[ID], source, limit)
}

// CancelOperationsOn cancels the operations on a source that are open or parked, or were given up, but for those that
// are being carried out, and returns how many those are. Nobody begins to carry out another one before the transaction
// ends, nor after that.
func (s *Store) CancelOperationsOn(ctx context.Context, tx pgx.Tx, source ID, now time.Time) (begun int, err error) {
	const cancel = `
		UPDATE muster.provisioning_operations SET state = 'CANCELLED', completed = $2, ` + unparked + `
		WHERE source_id = $1 AND state IN (` + cancelled + `) AND NOT (state = 'OPEN' AND begun IS NOT NULL)`
	if _, err := tx.Exec(ctx, s.sql(cancel), source, now); err != nil {
		return 0, mapError(err)
	}
	const rest = `SELECT count(*) FROM muster.provisioning_operations WHERE source_id = $1 AND state = 'OPEN'`
	err = tx.QueryRow(ctx, s.sql(rest), source).Scan(&begun)
	return begun, mapError(err)
}

// RemoveSource removes a source, whose accounts are gone, with its entitlements and its schedule, with what was given
// to identities on it, and with its deliveries. Its operations stay, as history.
func (s *Store) RemoveSource(ctx context.Context, tx pgx.Tx, source ID) error {
	var batch pgx.Batch
	for _, statement := range []string{
		`DELETE FROM muster.access_grants WHERE source_id = $1`,
		`DELETE FROM muster.carried_access WHERE source_id = $1`,
		`DELETE FROM muster.vanished_accounts WHERE source_id = $1`,
		`DELETE FROM muster.provisioning_batches WHERE source_id = $1`,
		`DELETE FROM muster.entitlements WHERE source_id = $1`,
		`DELETE FROM muster.source_aggregations WHERE source_id = $1`,
		`DELETE FROM muster.sources WHERE id = $1`,
	} {
		batch.Queue(s.sql(statement), source)
	}
	return mapError(tx.SendBatch(ctx, &batch).Close())
}
