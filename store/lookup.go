package store

import (
	"context"
	"crypto/sha256"

	"github.com/jackc/pgx/v5"
)

// Lookup says that the calculation of an identity looked somebody up by alias, and whom it found.
type Lookup struct {
	Reader ID
	Key    ID // [AliasKey] of the alias
	Found  ID // zero for nobody, or for several
}

// AliasKey returns the key of a lookup by alias, where case does not count: a digest, so that an alias that nobody has
// stands nowhere else than in the data of whoever looks for it.
func AliasKey(alias string) ID { return digestOf(FoldKey(alias)) }

// digestOf returns a digest of a text, in the size of an ID.
func digestOf(text string) ID {
	sum := sha256.Sum256([]byte(text))
	return ID(sum[:len(ID{})])
}

// Lookups returns what identities looked up when they were last calculated, by identity and key.
func (s *Store) Lookups(ctx context.Context, q Querier, readers []ID) ([]Lookup, error) {
	const statement = `
		SELECT reader_id, key, found_id
		FROM muster.identity_lookups
		WHERE reader_id = ANY ($1)
		ORDER BY reader_id, key`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[Lookup], readers)
}

// ChangeLookups removes lookups, of which the reader and the key count, and then adds or replaces others.
func (s *Store) ChangeLookups(ctx context.Context, tx pgx.Tx, removed, set []Lookup) error {
	const remove = `
		DELETE FROM muster.identity_lookups l
		USING unnest($1::uuid[], $2::uuid[]) v (reader_id, key)
		WHERE l.key = v.key AND l.reader_id = v.reader_id`
	const put = `
		INSERT INTO muster.identity_lookups (reader_id, key, found_id)
		SELECT v.reader_id, v.key, v.found_id
		FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) v (reader_id, key, found_id)
		ON CONFLICT (key, reader_id) DO UPDATE SET found_id = excluded.found_id`
	if len(removed) > 0 {
		readers, keys, _ := lookupColumns(removed)
		if _, err := tx.Exec(ctx, s.sql(remove), readers, keys); err != nil {
			return mapError(err)
		}
	}
	if len(set) > 0 {
		readers, keys, found := lookupColumns(set)
		if _, err := tx.Exec(ctx, s.sql(put), readers, keys, found); err != nil {
			return mapError(err)
		}
	}
	return nil
}

func lookupColumns(lookups []Lookup) (readers, keys, found []ID) {
	for _, l := range lookups {
		readers, keys, found = append(readers, l.Reader), append(keys, l.Key), append(found, l.Found)
	}
	return readers, keys, found
}

// LookedUpBy returns who made a lookup with a key.
func (s *Store) LookedUpBy(ctx context.Context, q Querier, key ID) ([]ID, error) {
	return collect(ctx, q, s.sql(`SELECT reader_id FROM muster.identity_lookups WHERE key = $1 ORDER BY reader_id`),
		pgx.RowTo[ID], key)
}

// ClearLookups removes all lookups: the configuration makes none any more.
func (s *Store) ClearLookups(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.identity_lookups`))
	return mapError(err)
}

// Readers say whose processing is to be requested because of what changed for them.
type Readers struct {
	Managers []ID // the reports of these identities
	Keys     []ID // whoever made a lookup by one of these keys
	Others   []ID // these identities themselves
	Except   []ID // but none of these
	// Depth is how many changes, each of which follows from the one before, led to this one.
	Depth int
}

// RequestReaders requests the processing of the readers of what changed. Its transaction holds the key lock, so that it
// sees everybody who reads what it changed.
func (s *Store) RequestReaders(ctx context.Context, tx pgx.Tx, r Readers, cause Cause) error {
	const statement = `
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at, depth)
		SELECT $6::uuid, row_number() OVER (), r.id, $7::uuid, 'a value that it reads changed', $8::timestamptz,
		       $5::integer
		FROM (SELECT id FROM muster.identities WHERE manager_id = ANY ($1::uuid[])
		      UNION SELECT reader_id FROM muster.identity_lookups WHERE key = ANY ($2::uuid[])
		      UNION SELECT id FROM muster.identities WHERE id = ANY ($3::uuid[])) r
		WHERE r.id <> ALL ($4::uuid[])`
	_, err := tx.Exec(ctx, s.sql(statement), r.Managers, r.Keys, r.Others, r.Except, r.Depth, NewID(), cause.Task,
		cause.At)
	return mapError(err)
}

// Reading is that the values of one identity come from another one.
type Reading struct{ Reader, Found ID }

// Readings returns whom identities read: those that they looked up, and their managers where managers says so.
func (s *Store) Readings(ctx context.Context, q Querier, readers []ID, managers bool) ([]Reading, error) {
	const statement = `
		SELECT id, manager_id FROM muster.identities WHERE id = ANY ($1) AND manager_id IS NOT NULL AND $2
		UNION
		SELECT reader_id, found_id FROM muster.identity_lookups WHERE reader_id = ANY ($1) AND found_id IS NOT NULL
		ORDER BY 1, 2`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[Reading], readers, managers)
}

// Managing returns those of the identities that are the manager of somebody other than the excepted ones, by ID.
func (s *Store) Managing(ctx context.Context, q Querier, identities, except []ID) ([]ID, error) {
	const statement = `
		SELECT m.id
		FROM unnest($1::uuid[]) m (id)
		WHERE EXISTS (SELECT 1 FROM muster.identities WHERE manager_id = m.id AND id <> ALL ($2::uuid[]))
		ORDER BY m.id`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID], identities, except)
}

// AliasHolder is an identity that has one of several aliases.
type AliasHolder struct {
	Key ID // [AliasKey] of the alias
	ID  ID
}

// AliasHolders returns the identities that have each of the aliases, ignoring case, at most limit for each, by ID.
func (s *Store) AliasHolders(ctx context.Context, q Querier, aliases []string, limit int) ([]AliasHolder, error) {
	const statement = `
		SELECT v.key, i.id
		FROM unnest($1::text[], $2::uuid[]) v (alias_key, key),
		     LATERAL (SELECT id FROM muster.identities WHERE alias_key = v.alias_key ORDER BY id LIMIT $3) i
		ORDER BY v.key, i.id`
	folded, keys := make([]string, len(aliases)), make([]ID, len(aliases))
	for i, alias := range aliases {
		folded[i], keys[i] = FoldKey(alias), AliasKey(alias)
	}
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[AliasHolder], folded, keys, limit)
}
