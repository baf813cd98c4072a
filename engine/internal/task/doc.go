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
//	ended, err := ledger.Advance(ctx, tx, []task.Progress{{Task: cause.Task, Counts: counts}}, now, false)
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
//	waits, launched  held      the worker whose batch the guard refused (CheckGuard); the batch is rolled back
//	held             launched  a person who confirms the task; it gets another job, and the guard lets it do all
//
// Neither an ended nor a held task can be advanced: [Ledger.Advance] returns [ErrStopped], and the batch is rolled
// back. A task that ended with ERROR or TERMINATED leaves requests, parts and messages that it did not come to.
// [Ledger.Release] drops the parts, cancels the messages, and makes the identities of the requests due at the next
// slot. The schedule does that later where it failed. Ended tasks are deleted after 90 days.
//
// # Jobs, turns and workers that are gone
//
// A task has one job at a time, and the job has turns: it works for at most 20 seconds ([tenant.Tenant.Turn]) and then
// waits behind the others of its queue, until the task has ended or is held.
//
//	job waits --> worker works for a turn --> task ended or held: the job is done
//	    ^            |          |
//	    |   snoozes  |          | no sign for StalledAfter, since the worker is gone
//	    +------------+          v
//	    |                    Requeue: another job, by the schedule
//	    +-----------------------+
//
// [Ledger.Requeue] finds the tasks that are open, not held, did nothing for [StalledAfter] and have no job that waits
// for a worker. Where the worker is there after all, both work on the task: what one has claimed, the other skips.
// Deliveries are requeued in the same way.
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
