// Package task keeps the tasks of a tenant: what was asked for and is reported. It launches them with the jobs that
// carry them out, adds up what batches do for them, holds them where the guard says so, ends them, and knows the slots
// of scheduled processing. It may import engine/internal/tenant and the packages below it. Package processing carries
// out the tasks that process identities, and package registration those that send messages.
//
// A task is launched in the transaction that requests the processing of its identities. Each batch advances it in its
// own transaction:
//
//	ledger := task.New(tenant)
//	cause := ledger.NewCause(ctx)
//	err := ledger.Store.RequestRefresh(ctx, tx, identities, "account changed", cause)
//	id, requested, err := ledger.LaunchRequested(ctx, tx, cause, "Process after ...", nil)
//
//	ended, err := ledger.Advance(ctx, tx, task.Advance{Guard: guard, Version: version, Now: now,
//		Done: []task.Progress{{Task: cause.Task, Counts: counts, Losses: losses}}})
//
//	err = ledger.EndTask(ctx, cause.Task, task.StatusTerminated, nil)
//
// A task has the actor of its cause, and everything that is done for it has this actor too: [Ledger.CauseOf].
//
// # The life of a task
//
// The columns of muster.tasks tell where a task is: launched, held, confirmed, completed and completion_status.
//
//	           Launch           Advance, the first batch
//	nothing -----------> waits ---------------------------> launched -----> ended
//	   |                   |                                 |    ^
//	   | AddEnded          |              the guard holds it |    | a person confirms it
//	   v                   |                                 v    |
//	 ended                 +-----------------------------> held ----------> ended
//
//	from             to        completion status, and who moves the task
//	nothing          ended     SUCCESS: AddEnded, for a slot at which no identity is due
//	waits, launched  ended     SUCCESS: the batch that leaves no request and no part, a worker that finds none,
//	                           or the last message of a task that sends messages
//	waits, launched  ended     WARNING: the same, where errors or warnings were counted
//	waits, launched  ended     ERROR: the worker, when the last of the job's 10 attempts fails (EndTask)
//	all but ended    ended     TERMINATED: a person who cancels the task (EndTask)
//	waits, launched  held      the worker whose batch or survey the guard refused (HeldError), which is rolled back
//	held             launched  a person who confirms the task; it gets another job, and the guard lets it do all
//
// Neither an ended nor a held task can be advanced: [Ledger.Advance] returns [ErrStopped], and the batch is rolled
// back. A task that ended with ERROR or TERMINATED leaves requests, parts and messages that it did not come to.
// [Ledger.Release] drops the parts, cancels the messages, and makes the identities of the requests due at the next
// slot. The schedule does that later where it failed. Ended tasks are deleted after 90 days.
//
// # The life of a job
//
// A task has one job at a time, and the job has turns: it works for at most 20 seconds ([tenant.Tenant.Turn]) and then
// waits behind the others of its queue, until the task has ended or is held. A delivery has its job in the same way.
// The job commits with the row that it names, and names nothing else.
//
//	           Launch
//	nothing -----------> waits -----> works for a turn -----> done: the task has ended or is held
//	                     ^  ^           |         |
//	                     |  |  snoozes  |         | what it names is not there (Absent)
//	                     |  +-----------+         v
//	                     |     ^               in its first 2 minutes: snoozed for a while that doubles
//	                     |     +---------------   |
//	                     |                     older, or had an attempt before: done, with a line in the log
//	                     |
//	                   RequeueLost: another job, where this one is gone
//
// The job schema may be on another server than the data schema. The job can then be seen before the row that it names,
// or after it:
//
//	what is seen                 what happens
//	the job, but not its row     the worker looks again ([Ledger.Present]), and then the job waits ([Ledger.Absent])
//	the row, but not its job     nothing for [LostAfter]; then it counts as lost and gets another job
//	a delivery that names an     the job waits: that the delivery names it is not visible yet
//	older job
//	a delivery that names a      the job is done: it was taken for lost, and has been replaced
//	newer job
//
// # Jobs and workers that are gone
//
// Every started engine looks every few seconds for open tasks, and for deliveries that nobody has leased, that did
// nothing for [LostAfter] ([Ledger.RequeueLost]); so does the schedule. Then it looks at their jobs:
//
//	the job                                     gets another one
//	is not there, or has ended                  yes: nobody will carry the task out
//	waits for a worker, or for its time         no
//	was given to a worker                       no, unless both the job and the task are as they were for
//	                                            [StalledAfter]: the worker is gone
//
// A look is two statements in one round trip, over the open tasks and the deliveries alone. Only where some of them are
// quiet, it asks for their jobs by ID, and only where some are lost, it begins a transaction. That locks the lost ones
// and looks at them and their jobs again, so that of several engines one makes the job. Where a worker is there after
// all, both work on the task: what one has claimed, the other skips.
//
// # Slots
//
// A slot is 08:00 or 20:00 in the tenant's time zone, on every day: [Ledger.NextSlot], [Ledger.LastSlot]. Each slot is
// begun once, however many engines look at the clock, since the one that begins it writes its row (store.TakeSlot). Of
// slots that were missed only the last is made up for.
//
//	08:00          20:00          08:00          20:00
//	--|--------------|--------------|--------------|-->
//	  LastSlot(now)      now        NextSlot(now)
package task
