package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// The advisory locks of a tenant. Their numbers are arbitrary but fixed.
const (
	// correlationLock orders aggregations and batches: the one that commits last sees the accounts or identities of the
	// other, so that no pair that belongs together is missed.
	correlationLock = 1836413811
	// keyLock orders the batches that change the keys of identities, or the keys under which they look for managers.
	keyLock = 1836413812
	// sourceLock lets one aggregation of a source run at a time.
	sourceLock = 1836413813
	// deletionLock keeps deletions of identities and aggregations apart. Each would wait for rows that the other has:
	// an aggregation for the identities that its accounts find, a deletion for the accounts of its identity.
	deletionLock = 1836413814
	// readingLock is shared by everyone who reads a source by its connector, from the start of the reading to the end
	// of the transaction. It ends with the process, and so tells who is still there.
	readingLock = 1836413815
	// nameLock lets one transaction at a time generate names for the accounts of a source.
	nameLock = 1836413816
)

// advisoryLock takes a lock on what subject names, until the transaction ends. Two subjects may have the same lock by
// chance; then they wait for each other.
func (s *Store) advisoryLock(ctx context.Context, tx pgx.Tx, function string, lock int32, subject string) error {
	_, err := tx.Exec(ctx, `SELECT `+function+`($1, hashtext($2))`, lock, subject)
	return mapError(err)
}

// LockCorrelationShared shares the correlation lock until the transaction ends. A transaction that changes identities
// takes it at its start. Any number may share it at once. See "Lock order" in the documentation of the package.
func (s *Store) LockCorrelationShared(ctx context.Context, tx pgx.Tx) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock_shared", correlationLock, s.schema)
}

// LockCorrelation takes the correlation lock alone until the transaction ends: every batch and deletion that began
// before has ended, and none begins meanwhile.
func (s *Store) LockCorrelation(ctx context.Context, tx pgx.Tx) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock", correlationLock, s.schema)
}

// LockDeletionsShared shares the deletion lock until the transaction ends: no identity is deleted meanwhile. An
// aggregation takes it before it touches accounts.
func (s *Store) LockDeletionsShared(ctx context.Context, tx pgx.Tx) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock_shared", deletionLock, s.schema)
}

// LockDeletions takes the deletion lock alone until the transaction ends. A transaction that deletes an identity takes
// it after the lock of the configuration and before all others. It waits for the aggregations that have read their
// data.
func (s *Store) LockDeletions(ctx context.Context, tx pgx.Tx) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock", deletionLock, s.schema)
}

// LockKeys takes the key lock alone until the transaction ends. It comes before keys are changed, or managers are
// looked for under new keys: where one transaction adds the key that another one looks for, the later one sees the
// earlier.
func (s *Store) LockKeys(ctx context.Context, tx pgx.Tx) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock", keyLock, s.schema)
}

// LockNames takes the lock of the names of a source alone until the transaction ends: the names that another one gives
// are known when it has it.
func (s *Store) LockNames(ctx context.Context, tx pgx.Tx, source ID) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock", nameLock, s.schema+source.String())
}

// LockReadingShared shares the reading lock of a source until the transaction ends: it shows that somebody reads the
// source by its connector. Any number may share it at once.
func (s *Store) LockReadingShared(ctx context.Context, tx pgx.Tx, source ID) error {
	return s.advisoryLock(ctx, tx, "pg_advisory_xact_lock_shared", readingLock, s.schema+source.String())
}

// TryLockReading tries to take the reading lock of a source alone until the transaction ends, and reports whether it
// got it. Where it did not, somebody shares the lock, who reads the source by its connector. Where it did, nobody
// begins to read before the transaction ends.
func (s *Store) TryLockReading(ctx context.Context, tx pgx.Tx, source ID) (locked bool, err error) {
	err = tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1, hashtext($2))`, readingLock,
		s.schema+source.String()).Scan(&locked)
	return locked, mapError(err)
}

// LockSource takes the lock of a source alone until the transaction ends: other aggregations of the source wait. It
// returns [ErrNotFound] for a source that does not exist.
func (s *Store) LockSource(ctx context.Context, tx pgx.Tx, source ID) error {
	// The row of the source is not locked: the foreign key of every new account would meet that lock.
	if err := s.advisoryLock(ctx, tx, "pg_advisory_xact_lock", sourceLock, s.schema+source.String()); err != nil {
		return err
	}
	var id ID
	err := tx.QueryRow(ctx, s.sql(`SELECT id FROM muster.sources WHERE id = $1`), source).Scan(&id)
	return mapError(err)
}
