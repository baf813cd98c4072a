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
// [Engine.ProcessPending] carries the work out in the caller's goroutine. A service starts workers instead, by
// [Engine.Start] and [Engine.Stop]: they do the work as soon as it is there, and at 08:00 and 20:00 in the tenant's
// time zone. [Engine.ProcessIdentities], [Engine.ProcessProfile] and [Engine.ProcessAll] ask for work, and
// [Engine.Wait] waits for it. [Engine.Preview] says what it would change under another configuration, and
// [Engine.Explain] why an identity is as it is. The connectors of [Config] provision what roles grant, and
// [Engine.Operations] lists it. [Engine.AssignRole] and [Engine.SetLifecycleState] set by hand what otherwise is
// calculated. [Engine.Events] tells the host what happened.
//
// Most writes have a twin that works in a transaction of the host's, so that the host's own rows commit with it:
// [Engine.Apply] and [Engine.ApplyTx], [Engine.AssignRole] and [Engine.AssignRoleTx], and so on.
// An [Engine] may be used by many goroutines, and many engines may work on one database.
//
// Every write records who did it: the actor of its context ([WithActor]), or that of [Config]. What workers do for a
// task is done by the actor that launched it. [TaskStatus], [Operation] and [Engine.ConfigurationRevisions] tell it.
//
// A failure is an [*Error] whose Kind a caller can branch on; see [KindOf].
//
// # Glossary
//
// Each word stands for one thing. Names that are published or stored keep their older words; the list has those too.
//
//   - An identity is a person, as the engine knows them. An account is an object of a source that can belong to at most
//     one identity.
//   - A source is a system with accounts: the engine reads it, and changes it. The sources of identities are
//     authoritative.
//   - To aggregate is to read the accounts of a source, by its connector or from text, and to store what differs. To
//     correlate is to find the identity of an account.
//   - To process an identity is to read it, to calculate it and to write what differs. To calculate is the pure part of
//     that, which package refresh does. "Refresh" is the stored and published word for processing: the tables
//     refresh_requests, refresh_state and refresh_watermark, the member lastRefresh, the task type IDENTITY_REFRESH.
//   - A refresh request, in short a request, asks for the processing of one identity: a row of refresh_requests.
//     [ApplyResult].Marked counts requests.
//   - A batch is the identities that one transaction processes, and nothing else.
//   - An operation is one change of one account on a source: a row of provisioning_operations. The field Op of an
//     [Error] is something else: it names the call that failed.
//   - A delivery is the open operations on one source that one job carries out: a row of provisioning_batches.
//   - A task is what was asked for, and is reported as a [TaskStatus]: a row of tasks. A part is a range of the
//     identities of a large task: a row of task_parts.
//   - A task is held while the guard makes it wait for [Engine.ConfirmTask]: see [Guard].
//   - A job is the queue's row, in the schema [Config].JobSchema, that carries a task, a delivery, an aggregation or
//     messages out. A turn is how long a job works before it lets others work.
//   - A slot is 08:00 or 20:00 in the tenant's time zone, when scheduled processing begins: a row of schedule_slots.
//   - An actor is who does something: a person, a client, or the engine itself.
//   - A revision is one change of the configuration: a row of configuration_revisions.
//   - [Config] is what the host gives. The configuration is the tenant's documents (see [Document]), compiled. Its
//     settings are what all engines of a tenant follow, such as the time zone: see [Engine.Settings].
//   - A room is a package below engine/internal.
//
// # Rooms
//
// This package is the face: the methods that hosts call, the published shapes, and the errors. The rooms do the work.
// Each but event has one main type, and imports only rooms that stand above it here:
//
//   - event: the events in the history of identities, which several rooms write.
//   - tenant: the database, transactions, the clock, jobs, the compiled configuration and the running engines of one
//     tenant.
//   - task: launches tasks, adds up what they did, holds and ends them.
//   - processing: reads, calculates and writes identities, in batches.
//   - provisioning: delivers operations to sources.
//   - aggregation: reads sources, stores their accounts and correlates them.
//   - change: applies documents to the configuration.
//   - registration: sends invitations and verifications, and keeps their tokens.
//   - doctor: checks the invariants of the tables, and repairs them.
//
// Of the packages that hosts can import, configuration and fault have the types that this package has as aliases, and
// attribute, criteria, transform and refresh calculate without a database.
package engine
