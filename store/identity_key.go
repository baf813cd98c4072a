package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// IdentityKey is a value by which an identity is found.
type IdentityKey struct {
	IdentityID ID
	Key        string
}

// KeyIgnoringCase returns the key of an attribute's value where case does not count.
func KeyIgnoringCase(attribute, value string) string { return attribute + "=" + FoldKey(value) }

// KeyExact returns the key of an attribute's value where case counts. No attribute's name has either separator.
func KeyExact(attribute, value string) string { return attribute + ":" + clip(value) }

// KeyOrigin returns the key of the account that an identity was made from. It stays with the identity when the account
// goes, so that the account finds it when it comes back. No attribute's name begins with @.
func KeyOrigin(source ID, nativeIdentity string) string {
	return "@" + source.String() + "=" + nativeIdentity
}

// IdentityKeys returns the keys that are made from the attributes of identities, by identity and key.
func (s *Store) IdentityKeys(ctx context.Context, q Querier, identities []ID) ([]IdentityKey, error) {
	const statement = `
		SELECT k.identity_id, k.key
		FROM ` + eachIdentity + `identity_keys` + eachOfIdentity + `k
		WHERE left(k.key, 1) <> '@'
		ORDER BY k.identity_id, k.key`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[IdentityKey], identities)
}

// ChangeIdentityKeys removes and adds keys.
func (s *Store) ChangeIdentityKeys(ctx context.Context, tx pgx.Tx, removed, added []IdentityKey) error {
	const remove = `
		DELETE FROM muster.identity_keys k
		USING unnest($1::uuid[], $2::text[]) v (identity_id, key)
		WHERE k.key = v.key AND k.identity_id = v.identity_id`
	const add = `
		INSERT INTO muster.identity_keys (identity_id, key)
		SELECT v.identity_id, v.key FROM unnest($1::uuid[], $2::text[]) v (identity_id, key)
		ON CONFLICT (key, identity_id) DO NOTHING`
	for _, step := range []struct {
		statement string
		keys      []IdentityKey
	}{{remove, removed}, {add, added}} {
		if len(step.keys) == 0 {
			continue
		}
		ids, keys := make([]ID, len(step.keys)), make([]string, len(step.keys))
		for i, k := range step.keys {
			ids[i], keys[i] = k.IdentityID, k.Key
		}
		if _, err := tx.Exec(ctx, s.sql(step.statement), ids, keys); err != nil {
			return mapError(err)
		}
	}
	return nil
}

// KeyMatch says how many identities a key finds, and which one where Matches is 1.
type KeyMatch struct {
	Key        string
	IdentityID ID
	Matches    int
}

// eachKey is what identity_keys has of each of the keys $1, without a name. See eachIdentity for the form.
const eachKey = `(SELECT DISTINCT key FROM unnest($1::text[]) u (key)) v,
		     LATERAL (SELECT * FROM muster.identity_keys WHERE key = v.key OFFSET 0) `

// FindByKeys returns what each of the keys finds, without the keys that find nothing.
func (s *Store) FindByKeys(ctx context.Context, q Querier, keys []string) ([]KeyMatch, error) {
	const statement = `
		SELECT k.key, min(k.identity_id::text)::uuid, count(*)
		FROM ` + eachKey + `k
		GROUP BY k.key
		ORDER BY k.key`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[KeyMatch], keys)
}

// KeyHolders returns the identities that each of the keys finds, at most limit for each, by key and ID.
func (s *Store) KeyHolders(ctx context.Context, q Querier, keys []string, limit int) ([]IdentityKey, error) {
	const statement = `
		SELECT h.identity_id, k.key
		FROM unnest($1::text[]) k (key),
		     LATERAL (SELECT identity_id FROM muster.identity_keys WHERE key = k.key ORDER BY identity_id LIMIT $2) h
		ORDER BY k.key, h.identity_id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[IdentityKey], keys, limit)
}

// HeldKeys returns those of the pairs of an identity and a key that exist.
func (s *Store) HeldKeys(ctx context.Context, q Querier, pairs []IdentityKey) ([]IdentityKey, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	const statement = `
		SELECT DISTINCT h.identity_id, h.key
		FROM unnest($1::uuid[], $2::text[]) v (identity_id, key),
		     LATERAL (SELECT identity_id, key FROM muster.identity_keys
		              WHERE key = v.key AND identity_id = v.identity_id OFFSET 0) h
		ORDER BY h.key, h.identity_id`
	ids, keys := make([]ID, len(pairs)), make([]string, len(pairs))
	for i, pair := range pairs {
		ids[i], keys[i] = pair.IdentityID, pair.Key
	}
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[IdentityKey], ids, keys)
}

// RequestManagedRefresh requests the processing of the identities, other than those given, that look for their manager
// under one of the keys. depth is that of [Readers].
func (s *Store) RequestManagedRefresh(ctx context.Context, tx pgx.Tx, keys []string, except []ID, depth int,
	cause Cause,
) error {
	if len(keys) == 0 {
		return nil
	}
	const statement = `
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at, depth)
		SELECT $5::uuid, row_number() OVER (), id, $4::uuid, 'manager changed', $3::timestamptz, $6::integer
		FROM (SELECT DISTINCT key FROM unnest($1::text[]) u (key)) v,
		     LATERAL (SELECT id FROM muster.identities WHERE manager_key = v.key OFFSET 0) i
		WHERE id <> ALL ($2)`
	_, err := tx.Exec(ctx, s.sql(statement), keys, except, cause.At, cause.Task, NewID(), depth)
	return mapError(err)
}

// KeyedIdentity is what the keys of an identity are made from.
type KeyedIdentity struct {
	ID         ID
	Attributes []byte
}

// IdentityPage returns a page of all identities, by ID, after a given one.
func (s *Store) IdentityPage(ctx context.Context, q Querier, after ID, limit int) ([]KeyedIdentity, error) {
	const statement = `
		SELECT id, attributes
		FROM muster.identities
		WHERE $1::uuid IS NULL OR id > $1
		ORDER BY id
		LIMIT $2`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[KeyedIdentity], after, limit)
}

// FoundIdentity is an identity that a key finds.
type FoundIdentity struct {
	Key   string
	ID    ID
	Name  string
	Alias string
}

// IdentitiesByKeys returns the identities that keys find, for each key the first ones by ID, at most most.
func (s *Store) IdentitiesByKeys(ctx context.Context, q Querier, keys []string, most int) ([]FoundIdentity, error) {
	const statement = `
		SELECT k.key, i.id, i.name, i.alias
		FROM unnest($1::text[]) k (key)
		CROSS JOIN LATERAL (SELECT identity_id FROM muster.identity_keys
		                    WHERE key = k.key ORDER BY identity_id LIMIT $2) f
		CROSS JOIN LATERAL (SELECT id, name, alias FROM muster.identities WHERE id = f.identity_id OFFSET 0) i
		ORDER BY k.key, i.id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[FoundIdentity], nonNil(keys), most)
}
