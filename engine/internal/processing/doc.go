// Package processing processes identities: it reads them, calculates them by engine/refresh, and writes what differs,
// with what follows from it. It may import engine/internal/task, engine/internal/tenant, engine/internal/event and the
// packages below them.
//
//	processor := processing.New(ledger)
//	state, err := processor.WorkOn(task, true, report).Do(ctx)        // carries a task out; [Worker] does so as a job
//	counts, state, err := processor.ProcessIn(ctx, tx, task, ids)     // one batch, in a transaction of the caller's
//
//	read, err := processor.ReadOnly(tx, c, now).Read(ctx, ids, nil)   // for a preview or an explanation:
//	calculated, err := read.Calculate()                               // the first two steps of a batch
//
// # The life of a batch
//
// A batch is the identities that one transaction processes. Each step returns the type that the next one needs:
//
//	claimed     requests or a part of the task, and requests of small tasks that wait; locked ones are skipped
//	   |  begin
//	Batch       the configuration and the correlation are shared: one version of the configuration to the end
//	   |  process
//	locked      the identities that exist, by ID; then their requests, of any task, are taken (removed)
//	   |  Read
//	Read        a snapshot of each identity: its state, accounts, assignments, access and open operations
//	   |  Calculate
//	Calculated  a change of each identity; one that failed has its error in the change
//	   |  write
//	written     in this order: roles, events, keys, managers, access and operations, states and their events, when
//	   |        each identity is due, requests for others who look for managers by the keys that changed
//	   |  advance
//	advanced    the counts and messages of each task; the guard; the tasks with nothing left end; commit
//
// Requests are taken after the identities are locked and before they are read: a request that commits later stays, so
// nothing is missed. Rows of identities that do not differ are not written.
//
// # The life of a step
//
// The work on a task is a loop of steps ([Work.Do]), by several goroutines where the task is larger than a batch. A
// step is a batch in a transaction of its own, and what happens where it fails:
//
//	survey: parts of a task that the guard looks at before its first batch; until they are done, nothing is claimed
//	   v
//	together: requests of the task, and of small tasks that wait
//	   |- committed ----------------------------------------> Open, or Ended
//	   |- it fails with requests of other tasks in it, by the guard, by a task that has ended or is held, or by an
//	   |  identity
//	   v
//	alone: the same without the others, so that no task fails by another one's fault
//	   |- committed ----------------------------------------> Open, or Ended
//	   |- nothing to claim ---------------------------------> Idle: the task is ended, others have the rest, or there
//	   |                                                      is no such task (Absent)
//	   |- the guard refuses it (task.HeldError) ------------> Held
//	   |- the task has ended or is held (task.ErrStopped) --> Ended or Held
//	   |- unavailable, lost 8 times, the context ended -----> the error: the job is tried again
//	   |- any other error may come from one identity
//	   |     of a page of a part: the page becomes requests of the task; the next steps tell them apart
//	   v
//	halves: each half in a transaction of its own, and again its halves
//	   |- one identity alone fails -------------------------> blame: it gets processingState ERROR and is due at the
//	   |                                                      next slot
//	   |- one identity alone takes the database too long
//	   v
//	again: at the end, once more, and then blame. Where no other identity could be processed, or 3 in a row took too
//	       long, the database is slow and nobody is blamed: the error ends the step
//
// # Surveys
//
// A run over everybody finds most identities as they should be. So it first calculates a page of them as they are read,
// without locks and without writing, and takes up only those that differ, that have a request, or whose next due time
// differs. A change that another transaction commits meanwhile, and that the survey may have missed, has a request of
// its own, which stays: the survey takes none.
//
//	page --survey--> as they should be: counted
//	          |----> the others become requests of the task; a batch locks, reads and calculates them again
//
// The survey is also what the guard sees of a run before anything is written, so all pages come before the first batch.
// A task of more requests than a batch is surveyed by parts of these, of which nothing is kept but what would be lost:
//
//	part of requests --survey--> losses: added up; the requests stay
//	the last part    --judge---> the task is held, or its batches begin
//
// Where nobody can be held, because the guard is off, the task is confirmed, or few have something to lose, no part is
// marked for the survey. Then the others of a page are processed in its own transaction. Where more than 300 in 1,000
// identities of the last such page changed, the next one is not surveyed, since calculating twice would cost more than
// it saves. A run over a profile requests all of a page: it records for each identity that it was processed, and no
// watermark stands for that. docs/adr/0011-survey.md and docs/adr/0021-guard.md have the decisions.
package processing
