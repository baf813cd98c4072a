package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Session is the session of a person who is signed in. The token itself is not stored, only its SHA-256.
type Session struct {
	Digest   []byte
	UserID   string
	UserName string
	Levels   []string
	Note     string
	Created  time.Time
	Seen     time.Time // at most a minute before it was used last
	Expires  time.Time
}

// AddSession writes a session.
func (s *Store) AddSession(ctx context.Context, tx pgx.Tx, row *Session) error {
	const statement = `
		INSERT INTO muster.sessions (digest, user_id, user_name, levels, note, created, seen, expires)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	_, err := tx.Exec(ctx, s.sql(statement), row.Digest, row.UserID, row.UserName, nonNil(row.Levels), row.Note,
		row.Created, row.Seen, row.Expires)
	return mapError(err)
}

// FindSession returns a session by its digest, also one that has expired, or [ErrNotFound].
func (s *Store) FindSession(ctx context.Context, q Querier, digest []byte) (Session, error) {
	const statement = `
		SELECT digest, user_id, user_name, levels, note, created, seen, expires
		FROM muster.sessions
		WHERE digest = $1`
	found, err := collect(ctx, q, s.sql(statement), pgx.RowToStructByName[Session], digest)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Session{}, err
	}
	return found[0], nil
}

// TouchSession records that a session was used, and until when it is good. It does nothing where the session has ended
// meanwhile.
func (s *Store) TouchSession(ctx context.Context, q Querier, digest []byte, seen, expires time.Time) error {
	const statement = `UPDATE muster.sessions SET seen = $2, expires = $3 WHERE digest = $1`
	_, err := q.Exec(ctx, s.sql(statement), digest, seen, expires)
	return mapError(err)
}

// SetSessionNote replaces the note of a session. It returns [ErrNotFound] where the session has ended.
func (s *Store) SetSessionNote(ctx context.Context, tx pgx.Tx, digest []byte, note string) error {
	tag, err := tx.Exec(ctx, s.sql(`UPDATE muster.sessions SET note = $2 WHERE digest = $1`), digest, note)
	return oneRow(tag, err)
}

// DeleteSession removes a session, if there is one.
func (s *Store) DeleteSession(ctx context.Context, tx pgx.Tx, digest []byte) error {
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.sessions WHERE digest = $1`), digest)
	return mapError(err)
}

// DeleteSessionsOf removes all sessions of a user, and returns how many.
func (s *Store) DeleteSessionsOf(ctx context.Context, tx pgx.Tx, user string) (int, error) {
	tag, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.sessions WHERE user_id = $1`), user)
	return int(tag.RowsAffected()), mapError(err)
}

// PurgeSessions removes the sessions that have expired at a time, and returns how many.
func (s *Store) PurgeSessions(ctx context.Context, tx pgx.Tx, before time.Time) (int64, error) {
	tag, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.sessions WHERE expires <= $1`), before)
	return tag.RowsAffected(), mapError(err)
}
