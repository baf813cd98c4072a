package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// identitiesToSignIn finds people by what they type in to sign in. An alias and an address are each looked up by their
// own index.
const identitiesToSignIn = `
	SELECT i.id FROM muster.identities i WHERE i.alias_key = $1 AND i.cloud_status = 'REGISTERED'
	UNION
	SELECT i.id FROM muster.identities i WHERE i.email_key = $1 AND i.cloud_status = 'REGISTERED'
	ORDER BY id
	LIMIT $2`

// IdentitiesToSignIn returns the registered identities with an alias or an e-mail address, ignoring case, at most
// limit.
func (s *Store) IdentitiesToSignIn(ctx context.Context, q Querier, name string, limit int) ([]ID, error) {
	return collect(ctx, q, s.sql(identitiesToSignIn), pgx.RowTo[ID], FoldKey(name), limit)
}

// SetCredential writes the hash of an identity's password. It replaces the one before.
func (s *Store) SetCredential(ctx context.Context, tx pgx.Tx, identity ID, hash string, now time.Time) error {
	const statement = `
		INSERT INTO muster.credentials (identity_id, hash, changed) VALUES ($1, $2, $3)
		ON CONFLICT (identity_id) DO UPDATE SET hash = excluded.hash, changed = excluded.changed`
	_, err := tx.Exec(ctx, s.sql(statement), identity, hash, now)
	return mapError(err)
}

// Credential returns the hash of an identity's password, or [ErrNotFound].
func (s *Store) Credential(ctx context.Context, q Querier, identity ID) (string, error) {
	var hash string
	err := q.QueryRow(ctx, s.sql(`SELECT hash FROM muster.credentials WHERE identity_id = $1`), identity).Scan(&hash)
	return hash, mapError(err)
}

// DeleteCredential removes the password of an identity, if it has one.
func (s *Store) DeleteCredential(ctx context.Context, tx pgx.Tx, identity ID) error {
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.credentials WHERE identity_id = $1`), identity)
	return mapError(err)
}

// Attempt is an attempt that counts for a key.
type Attempt struct {
	Key        []byte // a SHA-256
	IdentityID ID     // who the key is of; zero for nobody
	// Every is how long an attempt takes to be forgotten, and Burst is how many may be made at once.
	Every time.Duration
	Burst int
	// Failures is the most attempts without a success; 0 for any number, which are not counted then.
	Failures int
	// Kept is how long the row stays after it limits nothing.
	Kept time.Duration
}

// takeAttempt moves spent on. It is the generic cell rate algorithm (ITU-T I.371), as one statement, so that processes
// need not know of each other.
const takeAttempt = `
	INSERT INTO muster.attempts (key, identity_id, spent, failures, expires)
	VALUES ($1, $2, $3::timestamptz + $4::interval, $5, $3::timestamptz + $4::interval + $6::interval)
	ON CONFLICT (key) DO UPDATE
	SET spent = greatest(attempts.spent, $3) + $4::interval, failures = attempts.failures + $5,
	    expires = greatest(attempts.spent, $3) + $4::interval + $6::interval
	WHERE greatest(attempts.spent, $3) + $4::interval <= $3::timestamptz + $7 * $4::interval
	  AND ($8 = 0 OR attempts.failures < $8)`

// TakeAttempt counts an attempt. Where there were too many it counts nothing and returns when the next one may be made,
// or the zero time where none may.
func (s *Store) TakeAttempt(ctx context.Context, tx pgx.Tx, a *Attempt, now time.Time) (taken bool, next time.Time,
	err error,
) {
	counts := min(a.Failures, 1)
	tag, err := tx.Exec(ctx, s.sql(takeAttempt), a.Key, a.IdentityID, now, a.Every, counts, a.Kept, a.Burst, a.Failures)
	if err != nil || tag.RowsAffected() > 0 {
		return err == nil, time.Time{}, mapError(err)
	}
	var spent time.Time
	var failures int
	err = tx.QueryRow(ctx, s.sql(`SELECT spent, failures FROM muster.attempts WHERE key = $1`), a.Key).Scan(&spent,
		&failures)
	if err != nil || a.Failures > 0 && failures >= a.Failures {
		return false, time.Time{}, mapError(err)
	}
	return false, spent.Add(-time.Duration(a.Burst-1) * a.Every), nil
}

// ReturnAttempt takes one attempt back that was counted, because it was no failure.
func (s *Store) ReturnAttempt(ctx context.Context, tx pgx.Tx, a *Attempt) error {
	const statement = `
		UPDATE muster.attempts SET spent = spent - $2::interval, expires = expires - $2::interval WHERE key = $1`
	_, err := tx.Exec(ctx, s.sql(statement), a.Key, a.Every)
	return mapError(err)
}

// ForgetAttempts removes the attempts that count for an identity.
func (s *Store) ForgetAttempts(ctx context.Context, tx pgx.Tx, identity ID) error {
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.attempts WHERE identity_id = $1`), identity)
	return mapError(err)
}

// PurgeAttempts removes the attempts that count no more at a time, and returns how many rows those were.
func (s *Store) PurgeAttempts(ctx context.Context, tx pgx.Tx, now time.Time) (int64, error) {
	tag, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.attempts WHERE expires <= $1`), now)
	return tag.RowsAffected(), mapError(err)
}
