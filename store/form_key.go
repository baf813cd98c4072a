package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// AddFormKey records that a form was sent, and reports whether it was not before.
func (s *Store) AddFormKey(ctx context.Context, tx pgx.Tx, digest []byte, expires time.Time) (first bool, err error) {
	const statement = `INSERT INTO muster.form_keys (digest, expires) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	tag, err := tx.Exec(ctx, s.sql(statement), digest, expires)
	return tag.RowsAffected() == 1, mapError(err)
}

// DeleteFormKey forgets that a form was sent.
func (s *Store) DeleteFormKey(ctx context.Context, tx pgx.Tx, digest []byte) error {
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.form_keys WHERE digest = $1`), digest)
	return mapError(err)
}

// PurgeFormKeys removes the keys that have expired at a time.
func (s *Store) PurgeFormKeys(ctx context.Context, tx pgx.Tx, before time.Time) error {
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.form_keys WHERE expires <= $1`), before)
	return mapError(err)
}
