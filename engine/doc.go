// Package engine is an identity engine that a host service links in: accounts from sources become identities, and the
// identities are kept true.
//
// The host owns the database. The tables are brought up once, by [migrations.Up] or by the command "muster migrate up":
//
//	pool, err := pgxpool.New(ctx, databaseURL)
//	eng, err := engine.New(ctx, pool, engine.Config{Logger: logger})
//
//	documents, err := engine.ReadDocuments("config.yaml", file)   // sources, identity profiles, ...
//	_, err = eng.Apply(ctx, documents)
//	_, err = eng.Aggregate(ctx, "HR", accounts, engine.AggregateOptions{})
//	_, err = eng.ProcessPending(ctx, engine.ProcessOptions{})
//
//	page, err := eng.ListIdentities(ctx, engine.ListParams{Filters: `lastname sw "Wh"`, Sorters: "name"})
//
// [Engine.ProcessPending] carries the work out in the caller's goroutine. A service starts workers instead, which do it
// as soon as it is there, and at 08:00 and 20:00 in the tenant's time zone: [Engine.Start] and [Engine.Stop].
// [Engine.ProcessIdentities], [Engine.ProcessProfile] and [Engine.ProcessAll] ask for it, [Engine.Wait] waits for it,
// [Engine.Preview] says what it would change under another configuration, and [Engine.Explain] why an identity is as it
// is. What roles grant is provisioned by the connectors of [Config], and [Engine.Operations] lists it.
// [Engine.AssignRole] and [Engine.SetLifecycleState] do by hand what otherwise is calculated. [Engine.Events] tells the
// host what happened.
//
// Every write has a twin that works in a transaction of the host's, so that the host's own rows commit with it:
// [Engine.Apply] and [Engine.ApplyTx], [Engine.AssignRole] and [Engine.AssignRoleTx], and so on.
// An [Engine] may be used by many goroutines, and many engines may work on one database.
//
// A failure is an [*Error] whose Kind a caller can branch on; see [KindOf].
package engine
