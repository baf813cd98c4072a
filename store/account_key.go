package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// The rows of account_keys are the correlation keys of the accounts that have no identity, each once: by them an
// identity that gets a key finds the accounts that look for it. Whoever writes the identity or the keys of an account
// keeps them true in the same transaction, while the account is locked.

// staleKeys removes the rows that the accounts $1, which are locked, must not have, and missingKeys adds those that
// they lack.
const (
	staleKeys = `
		DELETE FROM muster.account_keys k
		USING muster.accounts a
		WHERE k.account_id = ANY ($1) AND a.id = k.account_id
		  AND (a.identity_id IS NOT NULL OR k.key <> ALL (a.correlation_keys))`
	missingKeys = `
		INSERT INTO muster.account_keys (key, account_id)
		SELECT k.key, a.id
		FROM muster.accounts a, unnest(a.correlation_keys) k (key)
		WHERE a.id = ANY ($1) AND a.identity_id IS NULL
		ON CONFLICT (key, account_id) DO NOTHING`
)

// queueKeys queues the statements that bring the rows of accounts up to what the accounts say then. The transaction
// must have locked these.
func (s *Store) queueKeys(batch *pgx.Batch, accounts []ID) {
	batch.Queue(s.sql(staleKeys), accounts)
	batch.Queue(s.sql(missingKeys), accounts)
}

// writeKeys is queueKeys at once. It does nothing for no accounts.
func (s *Store) writeKeys(ctx context.Context, tx pgx.Tx, accounts []ID) error {
	if len(accounts) == 0 {
		return nil
	}
	var batch pgx.Batch
	s.queueKeys(&batch, accounts)
	return mapError(tx.SendBatch(ctx, &batch).Close())
}

// untrueKeys finds the accounts whose rows are not what the accounts say.
const untrueKeys = `
		SELECT a.id
		FROM muster.account_keys k
		JOIN muster.accounts a ON a.id = k.account_id
		WHERE a.identity_id IS NOT NULL OR k.key <> ALL (a.correlation_keys)
		UNION
		SELECT a.id
		FROM muster.accounts a, unnest(a.correlation_keys) w (key)
		WHERE a.identity_id IS NULL
		  AND NOT EXISTS (SELECT 1 FROM muster.account_keys k WHERE k.key = w.key AND k.account_id = a.id)`

// MendAccountKeys brings the rows of account_keys up to the accounts, and returns for how many accounts they were not
// what they should be. It locks these accounts, by ID and FOR UPDATE, until the transaction ends.
func (s *Store) MendAccountKeys(ctx context.Context, tx pgx.Tx) (int, error) {
	accounts, err := collect(ctx, tx, s.sql(untrueKeys), pgx.RowTo[ID])
	if err != nil || len(accounts) == 0 {
		return 0, err
	}
	if err := s.lockAccounts(ctx, tx, accounts); err != nil {
		return 0, err
	}
	return len(accounts), s.writeKeys(ctx, tx, accounts)
}

// CountAccountKeys returns how many rows of account_keys accounts have.
func (s *Store) CountAccountKeys(ctx context.Context, q Querier, accounts []ID) (int64, error) {
	var count int64
	const statement = `SELECT count(*) FROM muster.account_keys WHERE account_id = ANY ($1)`
	err := q.QueryRow(ctx, s.sql(statement), accounts).Scan(&count)
	return count, mapError(err)
}

// lockTheseAccounts locks those of the accounts $1 that exist.
const lockTheseAccounts = `SELECT id FROM muster.accounts WHERE id = ANY ($1) ORDER BY id FOR UPDATE`

// lockAccounts locks those of the accounts that exist, by ID and FOR UPDATE, until the transaction ends.
func (s *Store) lockAccounts(ctx context.Context, tx pgx.Tx, accounts []ID) error {
	_, err := tx.Exec(ctx, s.sql(lockTheseAccounts), accounts)
	return mapError(err)
}
