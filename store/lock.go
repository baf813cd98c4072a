package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// The advisory locks of a tenant. Their numbers are arbitrary but fixed.
const (
	// correlationLock orders aggregations and refreshes: whichever of the two commits last sees the other's accounts or
	// identities, so that no pair that belongs together is missed.
	correlationLock = 1836413811
	// keyLock orders the refreshes that change by what identities are found, or by what they look for their managers.
	keyLock = 1836413812
	// sourceLock keeps two aggregations of a source apart.
	sourceLock = 1836413813
	// deletionLock keeps deletions of identities and aggregations apart: either waits for rows that the other has, an
	// aggregation for the identities that its accounts find, a deletion for the accounts that the identity has.
	deletionLock = 1836413814
	// readingLock is shared by those who read a source by its connector, from the beginning of the reading to the end
	// of the transaction: it falls with the process, and so tells who is still there.
	readingLock = 1836413815
)

// advisoryLock takes a lock on what subject names, until the transaction ends. Two subjects may share a lock by chance,
// and then wait for each other.
func (s *Store) advisoryLock(ctx context.Context, tx pgx.Tx, function string, lock int32, subject string) error {
	_, err := tx.Exec(ctx, `SELECT `+function+`($1, hashtext($2))`, lock, subject)
	return mapError(err)
}

// ShareCorrelation is taken at the start of a transaction that changes identities. Any number may hold it at once.
func (s *Store) ShareCorrelation(ctx context.Context, tx pgx.Tx) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock_shared", correlationLock, s.schema)
}

// KeepIdentities is taken by an aggregation before it touches accounts: until it ends, no identity is deleted.
func (s *Store) KeepIdentities(ctx context.Context, tx pgx.Tx) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock_shared", deletionLock, s.schema)
}

// BeginDeletion is taken by a transaction that deletes an identity, before its other locks but that of the
// configuration. It waits for the aggregations that have read their data.
func (s *Store) BeginDeletion(ctx context.Context, tx pgx.Tx) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock", deletionLock, s.schema)
}

// LockKeys is taken, until the transaction ends, before keys are changed or managers are looked for under new ones: of
// two transactions one of which adds the key that the other looks for, the later one then sees the earlier.
func (s *Store) LockKeys(ctx context.Context, tx pgx.Tx) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock", keyLock, s.schema)
}

// BeginReading shows, until the transaction ends, that somebody reads a source by its connector. Any number may.
func (s *Store) BeginReading(ctx context.Context, tx pgx.Tx, source ID) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock_shared", readingLock, s.schema+source.String())
}

// IsRead reports whether somebody reads a source by its connector. Where nobody does, nobody begins to before the
// transaction ends.
func (s *Store) IsRead(ctx context.Context, tx pgx.Tx, source ID) (bool, error) {
	var free bool
	err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1, hashtext($2))`, readingLock,
		s.schema+source.String()).Scan(&free)
	return !free, mapError(err)
}

// LockSource keeps other aggregations of a source waiting until the transaction ends. It returns [ErrNotFound] for a
// source that is not there.
func (s *Store) LockSource(ctx context.Context, tx pgx.Tx, source ID) error {
	// The source's row is not locked: every new account's foreign key would look at that lock.
	if err := s.advisoryLock(ctx, tx, "pg_advisory_xact_lock", sourceLock, s.schema+source.String()); err != nil {
		return err
	}
	var id ID
	err := tx.QueryRow(ctx, s.sql(`SELECT id FROM muster.sources WHERE id = $1`), source).Scan(&id)
	return mapError(err)
}
