// Package aggregation reads the accounts of sources and brings those of the tenant up to them. It may import
// engine/internal/processing and the packages below it, and connectors.
//
//	aggregator := aggregation.New(processor)
//	result, err := aggregator.AggregateSource(ctx, "HR", aggregation.Options{})            // by its connector
//	result, err := aggregator.Aggregate(ctx, tx, "HR", text, false, aggregation.Options{}) // from delimited text
//	err = aggregator.RunAggregations(ctx)                                                  // what is due by schedule
//
// # The life of an aggregation
//
// An aggregation is one transaction. What it wrote, with the task that processes the identities concerned, commits
// together or not at all. Each step has a type of its own, which the step before returns, so that none is left out:
//
//	run --> reader                      no lock, but the reading lock where a connector reads
//	          |  read: an object becomes an account, a finding (a group's name, an account that is gone) or a fault
//	          |  compared: in blocks, by fingerprint, with the accounts of the source
//	          |  staged: in tables of the run; of an unchanged account only the native identity and the fingerprint
//	          v
//	        staged                      everything is read
//	          |  locked: configuration FOR SHARE (refused where it changed since), deletions, the source
//	          |  duplicates dropped: of several rows for one account the first stays
//	          v
//	        merge
//	          demandRows        fail where no row could be read
//	          demandAttributes  fail where the data lacks an attribute that accounts have values of
//	          match             find accounts that have other names, by their stable identities
//	          compare           the staged rows again with what others committed meanwhile; count the vanished
//	          remove            the vanished after a full read, those named as gone after a delta, and those whose
//	                            names are others' by now; refused above a limit; then rename
//	          write             update the changed, insert the new, those that come back under their former IDs;
//	                            correlate these, or make identities of them
//	          addEntitlements
//	          entitle           write what the new and the changed accounts hold
//	          correlate         accounts that were uncorrelated before
//	          countOrphaned     people whom an authoritative source does not have any more
//	          requestUnchanged  request the processing of everybody on the source, where it is asked for
//	          launch the task of the requests that the steps above wrote
//
// compare fails with a store.RetryableError where an account that was staged as unchanged has changed since. The
// transaction is then run again, and the source read again. The same happens under the locks where a connector's source
// was aggregated since the reading began: a worker that was paused while it read has an old state of it. Where the data
// cannot be read again, all accounts are staged with all their values, so that it never fails so.
//
// Accounts vanish only where the data is complete. A faulty row spares its own account. Where it cannot be told which
// account a faulty row is, no account is removed.
//
// # Aggregation by schedule
//
// A source with a schedule and a connector that this engine has is aggregated when its time comes. The row of
// source_aggregations has the next time.
//
//	waits for next --> due --> job waits --> worker reads and merges --> result recorded --> waits for next
//	                               ^            |        |
//	                               |            |        +-- the source fails, or it takes more than 4 hours:
//	                               |            |            error recorded --> waits for next
//	                               +------------+
//	                                 the engine stops: the job snoozes, and another engine takes it
//	                                 the database is unavailable: tried again by the queue, 5 attempts in all
//	                                 the worker is gone: the job is returned to the queue, 5 attempts in all
//
// Of several engines that look at the schedule at once, one takes the time and inserts the job (store.TakeAggregation).
// A source that still has a job gets no other. Of times that were missed one is made up for.
//
// # Aggregation on request
//
// An aggregation that somebody asks for is a task of its own, an errand of package task: [Asked] is what its worker has
// to know. A text that is handed in is kept in pieces, in the transaction that launches the task ([Aggregator.Keep]),
// so that a worker of any process reads it. [Aggregator.Carry] carries the task out, and ends it in the transaction
// that merges the text. Of several tasks for one source the earliest comes first.
//
// # Workers that are gone
//
// A worker may die without a word. While it reads and merges, it shares the reading lock of the source, which ends with
// its connection. A job that a worker has had for a minute (task.StalledAfter), and whose reading lock is free, has
// lost its worker: RunAggregations returns the job, or records the error after the last attempt. Where the worker is
// there after all, between two transactions, the source is read twice, which does no harm.
package aggregation
