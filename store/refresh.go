package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// PendingIdentities returns the identities that have waited longest for a refresh, at most limit, and those after them
// in the queue that came with them.
func (s *Store) PendingIdentities(ctx context.Context, q Querier, limit int) ([]ID, error) {
	const statement = `
		SELECT identity_id
		FROM (SELECT id, identity_id FROM muster.refresh_requests ORDER BY id LIMIT $2) oldest
		GROUP BY identity_id
		ORDER BY min(id)
		LIMIT $1`
	// An identity may stand in the queue several times, so more rows are read than identities are wanted.
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID], limit, 4*limit)
}

// CountPending returns how many identities wait for a refresh.
func (s *Store) CountPending(ctx context.Context, q Querier) (int, error) {
	var count int
	err := q.QueryRow(ctx, s.sql(`SELECT count(DISTINCT identity_id) FROM muster.refresh_requests`)).Scan(&count)
	return count, mapError(err)
}

// RequestRefresh asks for the refresh of identities.
func (s *Store) RequestRefresh(ctx context.Context, tx pgx.Tx, identities []ID, reason string, now time.Time) error {
	const statement = `
		INSERT INTO muster.refresh_requests (identity_id, reason, requested_at)
		SELECT id, $2, $3 FROM unnest($1::uuid[]) id`
	_, err := tx.Exec(ctx, s.sql(statement), identities, reason, now)
	return mapError(err)
}

// RequestProfileRefresh asks for the refresh of all identities of a profile and returns how many those are.
func (s *Store) RequestProfileRefresh(ctx context.Context, tx pgx.Tx, profile ID, reason string, now time.Time) (int,
	error,
) {
	const statement = `
		INSERT INTO muster.refresh_requests (identity_id, reason, requested_at)
		SELECT id, $2, $3 FROM muster.identities WHERE profile_id = $1`
	tag, err := tx.Exec(ctx, s.sql(statement), profile, reason, now)
	return int(tag.RowsAffected()), mapError(err)
}

// RequestSourceRefresh asks for the refresh of all identities with an account on a source and returns how many those
// are.
func (s *Store) RequestSourceRefresh(ctx context.Context, tx pgx.Tx, source ID, reason string, now time.Time) (int,
	error,
) {
	const statement = `
		INSERT INTO muster.refresh_requests (identity_id, reason, requested_at)
		SELECT DISTINCT identity_id, $2, $3::timestamptz
		FROM muster.accounts
		WHERE source_id = $1 AND identity_id IS NOT NULL`
	tag, err := tx.Exec(ctx, s.sql(statement), source, reason, now)
	return int(tag.RowsAffected()), mapError(err)
}

// LockIdentities locks identities, in the order of their IDs, and returns those that exist. A transaction takes its
// locks in one order: the configuration, identities by ID, accounts by ID, the rest.
func (s *Store) LockIdentities(ctx context.Context, tx pgx.Tx, identities []ID) ([]ID, error) {
	const statement = `SELECT id FROM muster.identities WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE`
	return collect(ctx, tx, s.sql(statement), pgx.RowTo[ID], identities)
}

// TakeRefreshRequests removes the requests for identities and returns the identities that had any. It must come after
// their lock and before their snapshot: a request that commits later stays, and the data it is about is read again.
func (s *Store) TakeRefreshRequests(ctx context.Context, tx pgx.Tx, identities []ID) ([]ID, error) {
	const statement = `
		WITH taken AS (
		    DELETE FROM muster.refresh_requests WHERE identity_id = ANY ($1) RETURNING identity_id
		)
		SELECT DISTINCT identity_id FROM taken ORDER BY identity_id`
	return collect(ctx, tx, s.sql(statement), pgx.RowTo[ID], identities)
}

// IdentityState is what of an identity is calculated.
type IdentityState struct {
	ID              ID
	Name            string
	Alias           string
	Email           *string
	FirstName       *string
	LastName        *string
	ProcessingState *string
	ProcessingError *string
	Correlated      bool
	ProfileID       ID
	LifecycleState  *string
	LifecycleManual bool
	IdentityState   *string
	ManagerID       ID
	ManagerKey      *string // the key by which the manager is looked for
	Attributes      []byte
}

// IdentityStates returns the calculated state of identities, by ID.
func (s *Store) IdentityStates(ctx context.Context, q Querier, identities []ID) ([]IdentityState, error) {
	const statement = `
		SELECT id, name, alias, email, attributes ->> 'firstname', attributes ->> 'lastname', processing_state,
		       processing_error, correlated, profile_id, lifecycle_state, lifecycle_manual, identity_state, manager_id,
		       manager_key, attributes
		FROM muster.identities
		WHERE id = ANY ($1)
		ORDER BY id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[IdentityState], identities)
}

// UpdateIdentities writes the calculated state of identities that changed.
func (s *Store) UpdateIdentities(ctx context.Context, tx pgx.Tx, states []IdentityState, now time.Time) error {
	const statement = `
		UPDATE muster.identities i
		SET name = v.name, name_key = v.name_key, alias = v.alias, alias_key = v.alias_key, email = v.email,
		    email_key = v.email_key, firstname_key = v.firstname_key, lastname_key = v.lastname_key,
		    processing_state = v.processing_state, processing_error = v.processing_error, correlated = v.correlated,
		    profile_id = v.profile_id, lifecycle_state = v.lifecycle_state, lifecycle_manual = v.lifecycle_manual,
		    identity_state = v.identity_state, manager_id = v.manager_id, manager_key = v.manager_key,
		    attributes = v.attributes::jsonb, modified = $20
		FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
		            $9::text[], $10::text[], $11::text[], $12::boolean[], $13::uuid[], $14::text[], $15::boolean[],
		            $16::text[], $17::uuid[], $18::text[], $19::text[])
		     v (id, name, name_key, alias, alias_key, email, email_key, firstname_key, lastname_key, processing_state,
		        processing_error, correlated, profile_id, lifecycle_state, lifecycle_manual, identity_state, manager_id,
		        manager_key, attributes)
		WHERE i.id = v.id`
	n := len(states)
	ids, profiles, managers := make([]ID, n), make([]ID, n), make([]ID, n)
	names, nameKeys, aliases, aliasKeys := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	emails, emailKeys, first, last := make([]*string, n), make([]*string, n), make([]*string, n), make([]*string, n)
	processing, faults, lifecycle, activity := make([]*string, n), make([]*string, n), make([]*string, n),
		make([]*string, n)
	correlated, manual := make([]bool, n), make([]bool, n)
	managerKeys, documents := make([]*string, n), make([]string, n)
	for k := range states {
		i := &states[k]
		ids[k], profiles[k], managers[k] = i.ID, i.ProfileID, i.ManagerID
		names[k], nameKeys[k], aliases[k], aliasKeys[k] = i.Name, FoldKey(i.Name), i.Alias, FoldKey(i.Alias)
		emails[k], emailKeys[k] = i.Email, foldPointer(i.Email)
		first[k], last[k] = foldPointer(i.FirstName), foldPointer(i.LastName)
		processing[k], faults[k] = i.ProcessingState, i.ProcessingError
		lifecycle[k], activity[k] = i.LifecycleState, i.IdentityState
		correlated[k], manual[k] = i.Correlated, i.LifecycleManual
		managerKeys[k], documents[k] = i.ManagerKey, string(i.Attributes)
	}
	_, err := tx.Exec(ctx, s.sql(statement), ids, names, nameKeys, aliases, aliasKeys, emails, emailKeys, first, last,
		processing, faults, correlated, profiles, lifecycle, manual, activity, managers, managerKeys, documents, now)
	return mapError(err)
}

// NoteRefresh notes when identities were refreshed last.
func (s *Store) NoteRefresh(ctx context.Context, tx pgx.Tx, identities []ID, now time.Time) error {
	const statement = `
		INSERT INTO muster.refresh_state (identity_id, last_refresh)
		SELECT id, $2 FROM unnest($1::uuid[]) id
		ON CONFLICT ON CONSTRAINT refresh_state_pkey DO UPDATE SET last_refresh = excluded.last_refresh`
	_, err := tx.Exec(ctx, s.sql(statement), identities, now)
	return mapError(err)
}

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
