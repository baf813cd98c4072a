package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Account is an account on a source. A zero IdentityID means that it is uncorrelated.
type Account struct {
	ID                 ID
	SourceID           ID
	NativeIdentity     string
	Name               string
	IdentityID         ID
	ManuallyCorrelated bool
	Attributes         []byte // a JSON object
	Created            time.Time
	Modified           time.Time
}

const accountColumns = `
	a.id, a.source_id, a.native_identity, a.name, a.identity_id, a.manually_correlated, a.attributes, a.created,
	    a.modified`

// AccountsOf returns the accounts of identities, by identity, then by ID.
func (s *Store) AccountsOf(ctx context.Context, q Querier, identities []ID) ([]Account, error) {
	const statement = `
		SELECT ` + accountColumns + `
		FROM muster.accounts a
		WHERE a.identity_id = ANY ($1)
		ORDER BY a.identity_id, a.id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[Account], identities)
}

// AccountCounts says how many accounts a source has.
type AccountCounts struct {
	Source       string
	Accounts     int
	Uncorrelated int
}

// CountAccounts counts the accounts of every source, by the source's name.
func (s *Store) CountAccounts(ctx context.Context, q Querier) ([]AccountCounts, error) {
	const statement = `
		SELECT s.name, count(a.id), count(a.id) FILTER (WHERE a.identity_id IS NULL)
		FROM muster.sources s
		LEFT JOIN muster.accounts a ON a.source_id = s.id
		GROUP BY s.id
		ORDER BY s.name_key`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[AccountCounts])
}

// CorrelationInput is what the keys of an account are made of.
type CorrelationInput struct {
	AccountID      ID
	NativeIdentity string
	Name           string
	Attributes     []byte
}

// UncorrelatedAccounts returns a page of the uncorrelated accounts of a source, by ID, after a given one.
func (s *Store) UncorrelatedAccounts(ctx context.Context, q Querier, source, after ID, limit int) ([]CorrelationInput,
	error,
) {
	const statement = `
		SELECT id, native_identity, name, attributes
		FROM muster.accounts
		WHERE source_id = $1 AND identity_id IS NULL AND ($2::uuid IS NULL OR id > $2)
		ORDER BY id
		LIMIT $3`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[CorrelationInput], source, after, limit)
}

// SetCorrelationKeys replaces the keys of accounts; each element of keys is a JSON list of texts.
func (s *Store) SetCorrelationKeys(ctx context.Context, tx pgx.Tx, accounts []ID, keys []string) error {
	const statement = `
		UPDATE muster.accounts a
		SET correlation_keys = v.keys
		FROM (SELECT u.id, ARRAY(SELECT jsonb_array_elements_text(u.keys::jsonb)) AS keys
		      FROM unnest($1::uuid[], $2::text[]) u (id, keys)) v
		WHERE a.id = v.id AND a.correlation_keys IS DISTINCT FROM v.keys`
	_, err := tx.Exec(ctx, s.sql(statement), accounts, keys)
	return mapError(err)
}
