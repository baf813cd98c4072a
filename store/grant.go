package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// A grant is the memory that an identity was given an entitlement, and that a certain account got it. It belongs to the
// person: an account that vanishes, or that becomes somebody else's, does not end it. docs/access.md has the rules.
//
//	access_grants      what an identity was given, with the account that got it
//	vanished_accounts  the accounts of these that their source does not have any more, until they come back
//	carried_access     what an account got that is not its owner's any more, until its next owner is processed

// AccessGrant is an entitlement that an identity was given because something grants it.
type AccessGrant struct {
	IdentityID ID
	SourceID   ID
	Attribute  string
	Value      string
	AccountID  ID // the account that got it
	Granted    time.Time
}

// GrantsOf returns what identities were given, by identity. [Store.AddGrants] sets the time.
func (s *Store) GrantsOf(ctx context.Context, q Querier, identities []ID) ([]AccessGrant, error) {
	const statement = `
		SELECT identity_id, source_id, attribute, value, account_id, granted
		FROM muster.access_grants
		WHERE identity_id = ANY ($1)
		ORDER BY identity_id, source_id, attribute, value, account_id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[AccessGrant], identities)
}

// HasGrants reports whether any identity was given anything, or any account carries what its former owner was given.
func (s *Store) HasGrants(ctx context.Context, q Querier) (bool, error) {
	var some bool
	err := q.QueryRow(ctx, s.sql(`SELECT EXISTS (SELECT 1 FROM muster.access_grants)
		OR EXISTS (SELECT 1 FROM muster.carried_access)`)).Scan(&some)
	return some, mapError(err)
}

// AddGrants records what identities are given, since now.
func (s *Store) AddGrants(ctx context.Context, tx pgx.Tx, grants []AccessGrant, now time.Time) error {
	if len(grants) == 0 {
		return nil
	}
	const statement = `
		INSERT INTO muster.access_grants (identity_id, source_id, attribute, value, account_id, granted)
		SELECT v.identity_id, v.source_id, v.attribute, v.value, v.account_id, $6
		FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[])
		     v (identity_id, source_id, attribute, value, account_id)
		ON CONFLICT (identity_id, source_id, attribute, value, account_id) DO NOTHING`
	c := grantColumns(grants)
	_, err := tx.Exec(ctx, s.sql(statement), c.identities, c.sources, c.attributes, c.values, c.accounts, now)
	return mapError(err)
}

// DropGrants removes the record of what identities were given, for the accounts that got it.
func (s *Store) DropGrants(ctx context.Context, tx pgx.Tx, grants []AccessGrant) error {
	if len(grants) == 0 {
		return nil
	}
	const statement = `
		DELETE FROM muster.access_grants g
		USING unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[])
		      v (identity_id, source_id, attribute, value, account_id)
		WHERE g.identity_id = v.identity_id AND g.source_id = v.source_id AND g.attribute = v.attribute
		  AND g.value = v.value AND g.account_id = v.account_id`
	c := grantColumns(grants)
	_, err := tx.Exec(ctx, s.sql(statement), c.identities, c.sources, c.attributes, c.values, c.accounts)
	return mapError(err)
}

type grantLists struct {
	identities, sources, accounts []ID
	attributes, values            []string
}

func grantColumns(grants []AccessGrant) grantLists {
	n := len(grants)
	c := grantLists{make([]ID, n), make([]ID, n), make([]ID, n), make([]string, n), make([]string, n)}
	for i, g := range grants {
		c.identities[i], c.sources[i], c.accounts[i] = g.IdentityID, g.SourceID, g.AccountID
		c.attributes[i], c.values[i] = g.Attribute, g.Value
	}
	return c
}

// KnownAccounts returns which of the accounts are there, whoever has them, and which vanished and are remembered.
func (s *Store) KnownAccounts(ctx context.Context, q Querier, accounts []ID) (there, vanished map[ID]bool, err error) {
	there, vanished = map[ID]bool{}, map[ID]bool{}
	if len(accounts) == 0 {
		return there, vanished, nil
	}
	const statement = `
		SELECT id, false FROM muster.accounts WHERE id = ANY ($1)
		UNION ALL
		SELECT id, true FROM muster.vanished_accounts WHERE id = ANY ($1)`
	rows, err := q.Query(ctx, s.sql(statement), accounts)
	if err != nil {
		return nil, nil, mapError(err)
	}
	var id ID
	var gone bool
	_, err = pgx.ForEachRow(rows, []any{&id, &gone}, func() error {
		if gone {
			vanished[id] = true
		} else {
			there[id] = true
		}
		return nil
	})
	return there, vanished, mapError(err)
}

// CarriedAccess is what an account got that its former owner was given.
type CarriedAccess struct {
	AccountID ID
	SourceID  ID
	Attribute string
	Value     string
	// Pending says that an operation for the former owner may still give it.
	Pending bool
}

// CarriedBy returns what accounts carry, by account. Where no account carries anything, it looks up none.
func (s *Store) CarriedBy(ctx context.Context, q Querier, accounts []ID) ([]CarriedAccess, error) {
	const statement = `
		SELECT c.account_id, c.source_id, c.attribute, c.value,
		       EXISTS (SELECT 1 FROM muster.provisioning_operations o
		               WHERE o.identity_id = c.identity_id AND o.state IN ('OPEN', 'MANUAL', 'PARKED')
		                 AND o.account_id = c.account_id AND o.kind = 'ADD_ENTITLEMENT'
		                 AND o.attribute = c.attribute AND o.value = c.value)
		FROM muster.carried_access c
		WHERE (SELECT true FROM muster.carried_access LIMIT 1) AND c.account_id = ANY ($1)
		ORDER BY c.account_id, c.attribute, c.value`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[CarriedAccess], accounts)
}

// CarryGrants makes of grants what their accounts carry, since the accounts are not their owners' any more, and
// requests the processing of those who have the accounts now.
func (s *Store) CarryGrants(ctx context.Context, tx pgx.Tx, grants []AccessGrant, cause Cause) error {
	if len(grants) == 0 {
		return nil
	}
	const carry = `
		INSERT INTO muster.carried_access (account_id, source_id, attribute, value, identity_id, since)
		SELECT v.account_id, v.source_id, v.attribute, v.value, v.identity_id, $6::timestamptz
		FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[])
		     v (identity_id, source_id, attribute, value, account_id)
		ON CONFLICT (account_id, attribute, value) DO NOTHING`
	const request = `
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		SELECT $4::uuid, row_number() OVER (), identity_id, $3::uuid, 'account with access of a former owner',
		       $2::timestamptz
		FROM (SELECT DISTINCT identity_id FROM muster.accounts
		      WHERE id = ANY ($1) AND identity_id IS NOT NULL) owners`
	c := grantColumns(grants)
	var batch pgx.Batch
	batch.Queue(s.sql(carry), c.identities, c.sources, c.attributes, c.values, c.accounts, cause.At)
	batch.Queue(s.sql(request), c.accounts, cause.At, cause.Task, NewID())
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return mapError(err)
	}
	return s.DropGrants(ctx, tx, grants)
}

// carryAllGrants makes what accounts carry of all that the identity $1 was given, at the time $2. It comes before the
// removal of the identity. What is known of no account any more is nobody's.
const carryAllGrants = `
		INSERT INTO muster.carried_access (account_id, source_id, attribute, value, identity_id, since)
		SELECT g.account_id, g.source_id, g.attribute, g.value, g.identity_id, $2::timestamptz
		FROM muster.access_grants g
		WHERE g.identity_id = $1
		  AND (EXISTS (SELECT 1 FROM muster.accounts a WHERE a.id = g.account_id)
		       OR EXISTS (SELECT 1 FROM muster.vanished_accounts v WHERE v.id = g.account_id))
		ON CONFLICT (account_id, attribute, value) DO NOTHING`

// DropCarried removes the record of what accounts carry.
func (s *Store) DropCarried(ctx context.Context, tx pgx.Tx, carried []CarriedAccess) error {
	if len(carried) == 0 {
		return nil
	}
	const statement = `
		DELETE FROM muster.carried_access c
		USING unnest($1::uuid[], $2::text[], $3::text[]) v (account_id, attribute, value)
		WHERE c.account_id = v.account_id AND c.attribute = v.attribute AND c.value = v.value`
	n := len(carried)
	accounts, attributes, values := make([]ID, n), make([]string, n), make([]string, n)
	for i := range carried {
		accounts[i], attributes[i], values[i] = carried[i].AccountID, carried[i].Attribute, carried[i].Value
	}
	_, err := tx.Exec(ctx, s.sql(statement), accounts, attributes, values)
	return mapError(err)
}

// rememberAccounts keeps, of the accounts $1 that are removed, those that somebody was given something on, or that
// carry something, at the time $2.
const rememberAccounts = `
		INSERT INTO muster.vanished_accounts (id, source_id, native_identity, stable_identity, identity_id, vanished)
		SELECT a.id, a.source_id, a.native_identity, a.stable_identity, a.identity_id, $2::timestamptz
		FROM muster.accounts a
		WHERE a.id = ANY ($1)
		  AND (EXISTS (SELECT 1 FROM muster.access_grants g
		               WHERE g.identity_id = a.identity_id AND g.source_id = a.source_id AND g.account_id = a.id)
		       OR EXISTS (SELECT 1 FROM muster.carried_access c WHERE c.account_id = a.id))
		ON CONFLICT (id) DO UPDATE
		SET native_identity = excluded.native_identity, stable_identity = excluded.stable_identity,
		    identity_id = excluded.identity_id, vanished = excluded.vanished`

// RecallAccounts gives the new accounts of the stage that vanished before the IDs that they had, and requests the
// processing of those who had them. An account is the same by its stable identity, or where either has none, by its
// native identity. It comes before [Store.InsertNew], and returns how many accounts come back.
func (s *Store) RecallAccounts(ctx context.Context, tx pgx.Tx, staged *Staged, cause Cause) (int, error) {
	var some bool
	err := tx.QueryRow(ctx, s.sql(`
		SELECT EXISTS (SELECT 1 FROM muster.vanished_accounts WHERE source_id = $1)`), staged.Source).Scan(&some)
	if err != nil || !some {
		return 0, mapError(err)
	}
	// Of several that may be meant, the one that vanished last is.
	const find = `
		SELECT DISTINCT ON (c.id) c.id, c.place
		FROM (SELECT v.id, g.place, v.vanished, v.stable_identity IS NOT NULL AS stable
		      FROM (SELECT place, native_identity, stable_identity FROM muster.aggregation_stage WHERE run_id = $2) g
		      CROSS JOIN LATERAL (
		          SELECT id, stable_identity, vanished
		          FROM muster.vanished_accounts
		          WHERE source_id = $1 AND (stable_identity = g.stable_identity
		                OR native_identity = g.native_identity
		                   AND (stable_identity IS NULL OR g.stable_identity IS NULL))
		          ORDER BY (stable_identity = g.stable_identity) IS TRUE DESC, vanished DESC, id
		          LIMIT 1) v
		      WHERE (SELECT a.id FROM muster.accounts a
		             WHERE a.source_id = $1 AND a.native_identity = g.native_identity) IS NULL
		        AND (SELECT a.id FROM muster.accounts a WHERE a.id = v.id) IS NULL) c
		ORDER BY c.id, c.place`
	accounts, places, err := collectPairs[ID, int64](ctx, tx, s.sql(find), staged.Source, staged.Run)
	if err != nil || len(accounts) == 0 {
		return 0, err
	}
	const recall = `
		UPDATE muster.aggregation_stage g SET account_id = v.id
		FROM unnest($1::uuid[], $2::bigint[]) v (id, place)
		WHERE g.run_id = $3 AND g.place = v.place`
	const request = `
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		SELECT $4::uuid, row_number() OVER (), id, $3::uuid, 'account came back', $2::timestamptz
		FROM (SELECT DISTINCT i.id
		      FROM muster.vanished_accounts v
		      JOIN muster.identities i ON i.id = v.identity_id
		      WHERE v.id = ANY ($1)) owners`
	var batch pgx.Batch
	batch.Queue(s.sql(recall), accounts, places, staged.Run)
	batch.Queue(s.sql(request), accounts, cause.At, cause.Task, NewID())
	batch.Queue(s.sql(`DELETE FROM muster.vanished_accounts WHERE id = ANY ($1)`), accounts)
	return len(accounts), mapError(tx.SendBatch(ctx, &batch).Close())
}

// forgetNamed removes the memory of vanished accounts of the source $1 with the name $2: an account that was created
// there took it.
const forgetNamed = `DELETE FROM muster.vanished_accounts WHERE source_id = $1 AND native_identity = $2`

// PurgeVanished removes the memory of accounts that vanished before a time, with what was given on them and what they
// carry, and returns how many accounts.
func (s *Store) PurgeVanished(ctx context.Context, tx pgx.Tx, before time.Time) (int64, error) {
	const grants = `
		DELETE FROM muster.access_grants g
		USING muster.vanished_accounts v
		WHERE v.vanished < $1 AND g.identity_id = v.identity_id AND g.source_id = v.source_id AND g.account_id = v.id`
	const carried = `
		DELETE FROM muster.carried_access c
		USING muster.vanished_accounts v
		WHERE v.vanished < $1 AND c.account_id = v.id`
	for _, statement := range []string{grants, carried} {
		if _, err := tx.Exec(ctx, s.sql(statement), before); err != nil {
			return 0, mapError(err)
		}
	}
	tag, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.vanished_accounts WHERE vanished < $1`), before)
	return tag.RowsAffected(), mapError(err)
}

// DropLostCarried removes the record of what accounts carry that are neither there nor remembered, and returns how many
// rows that were.
func (s *Store) DropLostCarried(ctx context.Context, tx pgx.Tx) (int, error) {
	tag, err := tx.Exec(ctx, s.sql(`
		DELETE FROM muster.carried_access c
		WHERE NOT EXISTS (SELECT 1 FROM muster.accounts a WHERE a.id = c.account_id)
		  AND NOT EXISTS (SELECT 1 FROM muster.vanished_accounts v WHERE v.id = c.account_id)`))
	return int(tag.RowsAffected()), mapError(err)
}
