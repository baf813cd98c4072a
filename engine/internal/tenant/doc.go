// Package tenant is the ground that all rooms of the engine stand on: one tenant's tables, job queue, settings and
// compiled configuration. It may import engine/configuration, engine/fault and the packages below them, and no other
// room.
//
// # Transactions
//
// Every write happens in a transaction. [Tenant.InTx] runs one again where it loses against another, as in a deadlock,
// at most 8 times in all. So what it changes outside the database, the next run must overwrite.
// [Transact] returns what the last run returned:
//
//	t, err := tenant.New(pool, settings)
//	err = t.InTx(ctx, func(tx pgx.Tx) error { ... })
//	count, err := tenant.Transact(ctx, t, func(tx pgx.Tx) (int64, error) {
//		return t.Store.CountPopulation(ctx, tx)
//	})
//
// # Configuration
//
// [Settings] are what the rooms see of the host's Config. They never change. The configuration is the tenant's
// documents, compiled, and the tenant's settings are part of it: the time zone, the guard and the like are read there,
// in the transaction that uses them. The version that was compiled last is cached:
//
//	c, err := t.LockConfigurationShared(ctx, tx)  // stays the latest until the transaction ends
//	c, err := t.CurrentConfiguration(ctx)         // the latest that is committed; holds nothing
//	s, err := t.SettingsIn(ctx, tx)               // the settings alone, as the transaction sees them; holds nothing
//
// # Running engines
//
// [Tenant.Announce] records that an engine is started, gives signs of life, and forgets the engine at its stop.
// [Tenant.RunningEngines] returns those that are there, with what must be the same for all of them.
//
// # Identities
//
// There are four ways to ask for identities that a caller names, by what they hold until the transaction ends:
//
//	call                  configuration  identities         so that meanwhile
//	LockIdentity          FOR SHARE      FOR NO KEY UPDATE  nobody writes or deletes it, or changes the configuration
//	LockIdentityShared    -              FOR KEY SHARE      nobody deletes it; others may write it
//	LockIdentitiesShared  -              FOR KEY SHARE      the same for several
//	FindIdentityID        -              -                  nothing: it may be gone when the call returns
//
// The order of these locks among the others is in the documentation of package store, "Lock order".
//
// # Jobs
//
// Jobs are River's. The types of their arguments ([RunTask], [Deliver], ...) and the queues stand here, since any room
// may insert a job ([Tenant.Insert]) while one room has the worker:
//
//	arguments        queue                      worker
//	RunTask          QueueEvents or QueueBulk   processing
//	Deliver          QueueProvisioning          provisioning
//	AggregateSource  QueueAggregation           aggregation
//	RunErrand        QueueAggregation           engine
//	SendMessages     QueueNotification          registration
//	RunSchedule      QueueEvents                engine
//
// Each commit with a job tells the workers, so none of them waits for the queue's next look. What a job names may not
// be visible yet: package task has the rules.
//
// A job does not work to the end of a long task in one go. It asks what [Tenant.Turn] returned whether to go on, and
// otherwise snoozes, so that other jobs of the queue get their turn.
//
// # Connectors
//
// [Tenant.WithConnector] opens the connector of a source and closes it after use. [AtSource] makes an error of the
// connector one of the kind Unavailable.
package tenant
