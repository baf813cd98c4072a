// Package provisioning carries out operations on sources. Processing decides which operations an identity needs and
// writes them; this room takes them from the table, has the connector of the source carry each out, and records what
// became of the account.
//
//	p := provisioning.New(processor)
//	result, err := p.ProvisionPending(ctx)                // every open operation, once, in this goroutine
//	worker := &provisioning.Worker{Provisioner: p}        // the same as River's job, one delivery each
//	err = p.SetPassword(ctx, identity, source, password)  // at once, without an operation
//
// It may import engine/internal/processing and what that may import, engine/connector, and engine/internal/event.
// Package engine makes the Provisioner and publishes what it returns.
//
// # The life of an operation
//
//	              processing                          processing
//	    (the source has a connector)        (the source has no connector)
//	                  |                                   |
//	                  v                                   v
//	  +------------ OPEN ------------+                 MANUAL
//	  |               |              |                 |    |
//	  | done          | given up     | not wanted      |    | not wanted
//	  v               v              v                 v    v
//	DONE           FAILED        CANCELLED           DONE  CANCELLED
//	                |    |
//	     another one|    |not wanted
//	                v    v
//	          RETRIED    CANCELLED
//
//	from             to         who moves it, and when
//	OPEN             DONE       provisioning, in the transaction that records the account; processing, when it finds
//	                            that the accounts show what was to be done
//	OPEN             FAILED     provisioning: a permanent error, task.OperationAttemptsMax attempts, the last one of
//	                            the job, or a new account that belongs to another identity already
//	OPEN             CANCELLED  processing, when the operation is no longer wanted as it is and was not tried yet
//	OPEN             CANCELLED  provisioning, when the account is gone or another identity's; a deletion of one that
//	                            is gone is DONE
//	OPEN             PARKED     provisioning, for a creation on a source that was never read completely; processing
//	                            opens such a one as PARKED
//	MANUAL           DONE       processing, when the accounts show that people did it
//	MANUAL           CANCELLED  processing, when the operation is no longer wanted or the source has a connector now
//	FAILED           RETRIED    processing, when it opens another operation with the same target
//	FAILED           CANCELLED  processing, when the operation is no longer wanted
//	OPEN MANUAL      CANCELLED  the doctor, for the later one of two with the same target that was not tried yet
//	OPEN MANUAL      CANCELLED  the deletion of the identity
//	PARKED FAILED
//	OPEN             PARKED     a person (engine.Engine.ParkOperation) holds back one that was not tried yet
//	nothing          PARKED     processing, where the operation would exceed the limit of a day: it goes round
//	                            (refresh.OperationsPerDayMax)
//	PARKED           OPEN       a person releases it (engine.Engine.ReleaseOperation); it gets another delivery
//	PARKED           DONE       processing, when the accounts show that it was done in another way
//	PARKED           CANCELLED  processing, when nothing is wanted of its target any more, and when the source for
//	                            which a creation waited was read completely: it opens another one
//
// While an operation is parked, processing opens no other one with the same target, whatever is wanted by now.
//
// An operation begins before its first attempt is made: from then on it may have happened, and processing leaves it to
// its end. An attempt that fails leaves it OPEN with the reason. The operation's ID is the key under which a connector
// recognizes the same operation, so an attempt that was cut off can be repeated.
//
// # The life of a delivery and its lease
//
// A delivery is the open operations for one source that one job carries out. Processing writes it with its job, in the
// transaction that opens the operations.
//
//	  processing
//	      |
//	      v     LeaseDelivery
//	+----------+ ----------> +----------+  ReleaseDelivery, and no operation is open
//	|   free   |             |  leased  | -------------------------------------------> the row is removed
//	+----------+ <---------- +----------+
//	        ReleaseDelivery, and an operation is open;
//	        or leaseTime after the last sign of life
//
// A lease has an owner, the engine, and a number that LeaseDelivery increases. Each write of its holder checks both:
// what ends an operation locks the delivery's row until it is committed (HoldLease). So a worker that was paused for
// longer than its lease ends no operation when it comes back. What it did at the source before, the next holder finds
// by the operation's key.
//
// It may also write to the source after the next holder has ended the operation: no check of a lease is so late that it
// could not be paused behind it. So a worker that has lost its lease looks at the account at the source (recheck). It
// brings the row up to that, records access that it gave as given, and requests the processing of the identity, which
// takes away what nobody grants by now, and gives again what was taken. If the worker dies before that, the next
// aggregation finds what is there.
//
// Each operation extends the lease (ExtendLease), and so does a transaction that waits for the locks of others. Of the
// jobs only the one that the row names works on a delivery, and every caller of ProvisionPending may, who then removes
// the job too. A job that finds no delivery, or one that names an older job, waits for what is not visible yet. A
// delivery whose job is gone gets another one: [task.Ledger.RequeueLost].
//
// Operations for one identity and source keep their order. One that waits for an earlier operation of another delivery
// is left out, and one that fails holds up those behind it. After failuresMax failures in a row the source is taken to
// be down. What is left then decides how the job ends:
//
//	failures, and operations left  an error: the queue tries again, after a while that grows
//	another worker has the lease,  snoozed for busyWait
//	or an earlier operation
//	the turn is over               snoozed for no time: other jobs get their turn
//	nothing is left                done
//
// # The account that an operation changes
//
// The account's row is brought up to the operation in the same transaction, as a reading of the source would find it:
//
//	effect              the row exists                   there is no row
//	Creates             updated; it is the identity's    added; it is the identity's, nobody's if that was deleted
//	Sets Adds Removes   updated                          nothing: an aggregation removed it, and brings it back
//	Deletes             removed                          nothing
//
// If the row of a created account belongs to another identity, nothing changes and the operation is FAILED. Secrets of
// a new account are calculated for each attempt and never stored. Afterwards the identity is processed again, by a task
// that the operations of one delivery share while it goes on.
package provisioning
