// Package store holds the rows of a tenant and all SQL over them, one file per noun.
//
// A [Store] knows the tenant's schema and nothing else; it holds no connection. Every method takes the pool or the
// transaction to work on, so that a caller decides what commits together:
//
//	s, err := store.New("muster")
//	identity, err := s.IdentityByID(ctx, pool, id)
//
//	tx, err := pool.Begin(ctx)
//	ids, err := s.LockIdentities(ctx, tx, ids)
//
// Errors of the database become [ErrNotFound], a [ConflictError], a [TextError], a [TimeoutError], a [RetryableError]
// or an [UnavailableError] where they mean one. A Store is safe for concurrent use.
//
// No statement names both the data schema and the job schema, which may be on different servers: see job.go. Nothing is
// decided by the name of a constraint or by the text of an error, which a cluster changes: what is decided on is asked
// for under a lock, ON CONFLICT names columns, and a constraint is the last guard.
//
// # Lock order
//
// All transactions take their locks in this order, so that they wait for each other and never deadlock. Every lock is
// held until the transaction ends; the advisory ones are in lock.go.
//
//  1. The configuration, one row: FOR SHARE by everything that works with it ([Store.LockConfigurationShared]), FOR
//     UPDATE by a change ([Store.LockConfiguration]).
//  2. The deletion lock, advisory: shared by an aggregation that has read its data, by a change of the configuration
//     that removes objects, and by a correlation by hand ([Store.LockDeletionsShared]), alone by the deletion of an
//     identity ([Store.LockDeletions]), since each needs rows that the other has.
//  3. The correlation lock, advisory: shared by a batch, and by the doctor where it writes keys
//     ([Store.LockCorrelationShared]); alone by the deletion of an identity ([Store.LockCorrelation]), since a batch
//     writes whose manager it is before it takes the key lock.
//  4. Identities by ID: FOR NO KEY UPDATE ([Store.LockIdentities]) or FOR KEY SHARE ([Store.LockIdentitiesShared]),
//     and with them their role assignments.
//     Then the lock of the names of a source, advisory, alone: by a batch that generates names ([Store.LockNames]).
//  5. The key lock, advisory, alone: by a batch that changes keys or looks for managers under new ones, by a
//     deletion, and by the doctor where it writes keys ([Store.LockKeys]). A batch writes the keys, the access and the
//     states of its identities before it: nobody who has the key lock waits for these rows, since only who has locked
//     an identity writes them, and accounts, operations and deliveries are met before it by every batch alike.
//  6. The lock of the source, advisory, alone: by an aggregation, and by the removal of the source
//     ([Store.LockSource]).
//  7. Accounts by ID, FOR UPDATE: by an aggregation that changes or removes them, by an operation that is recorded
//     ([Store.LockAccount]), by an erasure ([Store.LockSubject]), and by the doctor ([Store.LockKeyedAccounts]).
//     A deletion of an identity locks the identity FOR UPDATE and then its accounts ([Store.DeleteIdentity]). The rows
//     of account_keys and account_entitlements are written under the lock of their account, or of the configuration
//     FOR UPDATE.
//  8. All other rows, such as entitlements by attribute and value, operations (an erasure locks those of its identity
//     by ID), messages, tokens, and the rows of refresh_state by identity.
//  9. The correlation lock again, now alone: by a transaction that changed accounts or their keys and does not share
//     it ([Store.CorrelateSource], [Store.ReleaseAccount]); then the uncorrelated accounts of the source that find an
//     identity by ID, FOR UPDATE, and these identities by ID, FOR KEY SHARE. Nobody who shares the correlation lock
//     waits for these accounts: [Store.CorrelateKeys] skips those that are locked. An erasure takes it alone once more
//     after its commit, at the start of a transaction that goes on with tasks.
//  10. Tasks by ID ([Store.AdvanceTasks], [Store.LockTask], [Store.EraseTasks]), then the sums of losses by key, and
//     then the one row of refresh_watermark.
//  11. The one row of event_positions, FOR UPDATE, and with it the writes of the history that are there already: by the
//     numberer, whose transaction does nothing else ([Store.NumberEvents]), by a purge, by an erasure, and by the
//     doctor. Whoever adds to the history locks nothing of this.
//
// Four kinds of locks stand outside the order:
//
//   - Rows that are claimed with SKIP LOCKED, so that no claim waits: refresh requests, parts of tasks, the next
//     message, and tasks and deliveries that have lost their job. A batch claims its requests or its part before
//     anything else. When a task ends, a transaction of its own waits for the requests, parts and messages that are
//     claimed.
//   - The reading lock of a source, advisory, for which nobody waits: everyone who reads the source by its connector
//     shares it ([Store.LockReadingShared]), and [Store.TryLockReading] only tries to take it alone.
//   - The row of source_aggregations whose schedule is due ([Store.TakeAggregation]): its transaction waits for
//     nothing else.
//   - The row of statistics_state ([Store.LockStatistics]), by whoever counts: nobody locks anything after it.
//
// A creation that looks for its account before it is carried out takes the locks of a batch: the configuration, the
// correlation lock, the identity, and then accounts.
//
// A key share does not conflict with FOR NO KEY UPDATE, so an aggregation that writes the identities of accounts never
// waits for a batch. A transaction that loses all the same fails with a [RetryableError] and can be run again from its
// start.
//
// # Shapes of statements
//
// The data schema may be a distributed schema of a Citus cluster, where a statement is planned on one server and
// carried out on another. So a statement that writes calls no function that gives another value at each call, names
// no temporary table and no constraint, and reads no sequence. A common table that locks is read by no other part: a
// lock is a statement of its own, and the statement after it decides again. A common table that writes feeds no
// INSERT. The rows of INSERT ... SELECT have keys that were made in Go, such as [RequestKey].
// docs/adr/0016-statements.md has the reasons.
package store
